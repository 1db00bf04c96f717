"""``geotoolz run``: a pipeline over every scene of a source, or a job's file."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from geotoolz._cli._batch_options import (
    BytesOption,
    CostOption,
    CpuHoursOption,
    CpuPriceOption,
    FailedOption,
    FirstArg,
    GbPriceOption,
    HoursOption,
    LimitOption,
    OutOrNone,
    OverrideOption,
    RetryOption,
    ShardOption,
    SliceOption,
    SourceOrNone,
    StaleOption,
    TileOption,
    TilesOption,
)
from geotoolz._cli._engine_options import EngineOption, RayAddressOption
from geotoolz._cli._options import AoiOption, JsonOption, ResOption, SetOption, SignOption

if TYPE_CHECKING:
    from geotoolz.batch import BatchPlan, BatchReport, CatalogPipeline

#: scenes that `run` checks before it starts; every scene is checked again by the process that reads it
_CHECKED = 3


def run(
    pipeline: FirstArg,
    source: SourceOrNone = None,
    out: OutOrNone = None,
    aoi: AoiOption = None,
    res: ResOption = None,
    set_: SetOption = None,
    override: OverrideOption = None,
    engine: Annotated[
        str | None,
        typer.Option(
            "--engine",
            metavar="NAME",
            help="inline, process, ray, dask; by default what suits the number of scenes.",
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", metavar="N", min=1, help="By default the CPUs of this process.")
    ] = None,
    ray_address: RayAddressOption = None,
    engine_option: EngineOption = None,
    on_error: Annotated[
        Literal["log", "raise"] | None,
        typer.Option("--on-error", help="log: go on with the next scene (the default); raise: stop."),
    ] = None,
    max_failures: Annotated[
        str | None,
        typer.Option(
            "--max-failures", metavar="N|N%", help="Stop when more scenes than this failed; 2% by default."
        ),
    ] = None,
    timeout: Annotated[
        float | None, typer.Option("--timeout", metavar="SECONDS", help="For one scene.")
    ] = None,
    breaker: Annotated[
        int | None,
        typer.Option(
            "--breaker", metavar="N", min=0, help="Stop when N scenes in a row fail for one reason; 0: never."
        ),
    ] = None,
    shard: ShardOption = None,
    limit: LimitOption = None,
    stale_on: StaleOption = None,
    retry_failed: RetryOption = False,
    tile: TileOption = None,
    tiles: TilesOption = None,
    slice_: SliceOption = None,
    only_failed: FailedOption = False,
    max_hours: HoursOption = None,
    max_cpu_hours: CpuHoursOption = None,
    max_bytes: BytesOption = None,
    max_cost: CostOption = None,
    price_cpu_hour: CpuPriceOption = None,
    price_gb: GbPriceOption = None,
    sign: SignOption = None,
    metrics: Annotated[
        Path | None, typer.Option("--metrics", metavar="FILE", help="Keep a Prometheus text file up to date.")
    ] = None,
    alert: Annotated[
        str | None,
        typer.Option("--alert", metavar="URL|COMMAND", help="Told how the run ended, where it ended badly."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check and tell what would be done; write nothing.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Run a pipeline over scenes; run it again, and it does only what is new or has changed.

    Progress goes to stderr: a bar on a terminal, JSON lines otherwise.

    Example: geotoolz run ndvi scenes/ out/ --res 20 --engine process
    """
    from geotoolz._cli._console import say_json
    from geotoolz._cli._engine_options import engine_overrides
    from geotoolz._cli._jobs import make_job
    from geotoolz._cli._report_text import print_report

    chosen, told = engine_overrides(source is None, engine, workers, ray_address, engine_option)
    job = make_job(
        pipeline,
        source,
        out,
        aoi=aoi,
        res=res,
        sign=sign,
        sets=set_,
        overrides=[*(override or ()), *told],
        shard=shard,
        slices=slice_,
        tile=tile,
        tiles=tiles,
        budget={
            "hours": max_hours,
            "cpu_hours": max_cpu_hours,
            "bytes": max_bytes,
            "cost": max_cost,
            "price_cpu_hour": price_cpu_hour,
            "price_gb": price_gb,
        },
        engine=chosen,
        workers=workers,
        on_error=on_error,
        max_failures=max_failures,
        timeout=timeout,
        breaker=breaker,
        metrics=metrics,
        alert=alert,
        limit=limit,
        stale_on=stale_on or None,
        retry_failed=retry_failed or None,
        only_failed=only_failed or None,
        progress="none" if quiet else None,
    )
    begun = time.monotonic()
    planned = job.plan()
    refuse_hopeless(job, planned)
    if dry_run:
        _tell_plan(planned, as_json)
        return
    report = _go(job, planned, begun)
    if as_json:
        say_json(report.to_dict())
    else:
        print_report(report, limit=10)
    raise typer.Exit(int(report.exit_code))


def _tell_plan(planned: BatchPlan, as_json: bool) -> None:
    from geotoolz._cli._console import say_json
    from geotoolz._cli._plan import print_plan

    if as_json:
        say_json({**planned.to_dict(), "todo": [tile.tile_id for tile in planned.todo], "dry_run": True})
    else:
        print_plan(planned)


def refuse_hopeless(job: CatalogPipeline, planned: BatchPlan) -> None:
    """Refuse what cannot work on any of the first scenes, before an engine starts.

    A pipeline that does not fit them; remote scenes that cannot be opened, as without credentials; outputs
    that have no room, a model that is gone.

    Raises
    ------
    ConfigError
        With the findings.
    """
    from geotoolz._cli._findings import lines
    from geotoolz.batch._checks import apart_from_tiles, examined
    from geotoolz.core._errors import ConfigError

    wanted = [tile.task for tile in planned.todo if tile.task is not None]
    if not wanted:
        return
    first = wanted[:_CHECKED]
    findings, specs = examined(job.op, first)
    hopeless = [f for f in apart_from_tiles(job, specs, len(wanted)) if f.level == "error"]
    if hopeless:
        raise ConfigError("the job cannot be done:\n  " + "\n  ".join(lines(hopeless, len(first))))
    remote = {task.tile_id for task in first if any("://" in stamp.path for stamp in task.stamps)}
    counted = [f for f in findings if f.level == "error" and (f.operator or f.tile in remote)]
    if len({f.tile for f in counted}) == len(first):
        found = "\n  ".join(lines(counted, len(first)))
        what = "the pipeline does not fit" if any(f.operator for f in counted) else "nothing can be read of"
        raise ConfigError(
            f"{what} the first {len(first)} of {len(wanted)} scenes:\n  {found}"
            if len(wanted) > 1
            else f"{what} the scene:\n  {found}",
            fix="`geotoolz check` looks at all of them" if len(wanted) > 1 else "",
        )


def _go(job: CatalogPipeline, planned: BatchPlan, begun: float) -> BatchReport:
    """Run; with ``--on-error raise`` the first failure stands in the report instead of being raised."""
    from geotoolz.batch import BatchReport, StopReason
    from geotoolz.batch._runner import run_plan
    from geotoolz.core._errors import GeotoolzError

    started = time.time()
    try:
        return run_plan(job, planned, begun)
    except GeotoolzError:
        written = job.layout.report(job.shard)
        if job.on_error == "raise" and written.exists() and written.stat().st_mtime >= started - 1.0:
            report = BatchReport.load(job.out)  # of all shards: the one that was stopped stops them
            if report.stopped is StopReason.ON_ERROR:
                return report
        raise
