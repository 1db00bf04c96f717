"""``geotoolz run`` and ``geotoolz plan``: a pipeline over every scene of a source."""

from __future__ import annotations

import itertools
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from geotoolz._cli._options import (
    AoiOption,
    JsonOption,
    OutArg,
    PipelineArg,
    ResOption,
    SetOption,
    SignOption,
    SourceArg,
)

if TYPE_CHECKING:
    from geotoolz._cli._scenes import Scenes
    from geotoolz.batch import BatchReport, CatalogPipeline
    from geotoolz.core import Operator

#: scenes that `run` checks before it starts; every scene is checked again by the process that reads it
_CHECKED = 3

ShardOption = Annotated[
    str | None, typer.Option("--shard", metavar="I/N", help="Do the I-th of N parts, for array jobs.")
]
LimitOption = Annotated[
    int | None, typer.Option("--limit", metavar="N", min=1, help="At most so many scenes.")
]
StaleOption = Annotated[
    list[str] | None,
    typer.Option(
        "--stale-on", metavar="WHAT", help="Make again what other versions made: code, environment."
    ),
]
RetryOption = Annotated[
    bool, typer.Option("--retry-failed", help="Try scenes again that failed, although nothing has changed.")
]
TilesOption = Annotated[
    list[str] | None, typer.Option("--tile", metavar="ID", help="Only this scene; may be repeated.")
]
FailedOption = Annotated[
    bool, typer.Option("--only-failed", help="Only scenes whose last attempt failed, whatever the reason.")
]


def run(
    pipeline: PipelineArg,
    source: SourceArg,
    out: OutArg,
    aoi: AoiOption = None,
    res: ResOption = None,
    set_: SetOption = None,
    engine: Annotated[
        str | None,
        typer.Option(
            "--engine",
            metavar="NAME",
            help="inline, process, ray; by default what suits the number of scenes.",
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", metavar="N", min=1, help="By default the CPUs of this process.")
    ] = None,
    on_error: Annotated[
        Literal["log", "raise"],
        typer.Option("--on-error", help="log: go on with the next scene; raise: stop."),
    ] = "log",
    max_failures: Annotated[
        str, typer.Option("--max-failures", metavar="N|N%", help="Stop when more scenes than this failed.")
    ] = "2%",
    timeout: Annotated[
        float | None, typer.Option("--timeout", metavar="SECONDS", help="For one scene.")
    ] = None,
    shard: ShardOption = None,
    limit: LimitOption = None,
    stale_on: StaleOption = None,
    retry_failed: RetryOption = False,
    tiles: TilesOption = None,
    only_failed: FailedOption = False,
    sign: SignOption = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Run a pipeline over scenes; run it again, and it does only what is new or has changed.

    Progress goes to stderr: a bar on a terminal, JSON lines otherwise.
    """
    from geotoolz._cli._console import say_json
    from geotoolz._cli._options import load_pipeline, parse_aoi, parse_shard
    from geotoolz._cli._presets import refuse_together
    from geotoolz._cli._report_text import print_report
    from geotoolz._cli._scenes import open_scenes
    from geotoolz.batch import CatalogPipeline, get_engine

    refuse_together(pipeline)
    op = load_pipeline(pipeline, set_)
    area = parse_aoi(aoi, source)
    part = parse_shard(shard)
    if engine is not None:
        get_engine(engine, workers)  # a misspelt one is refused before anything is written
    scenes = open_scenes(source, area)
    job = CatalogPipeline(
        scenes.rows,
        op,
        out,
        engine=engine or _suitable(len(scenes), workers),
        n_workers=workers,
        on_error=on_error,
        max_failures=max_failures,
        shard=part,
        limit=limit,
        timeout=timeout,
        stale_on=stale_on or (),
        retry_failed=retry_failed,
        tiles=tiles or None,
        only_failed=only_failed,
        read={"aoi": area, "resolution": res, "sign": sign},
        progress="none" if quiet else "auto",
    )
    refuse_hopeless(op, scenes, job.read)
    report = _go(job)
    if as_json:
        say_json(report.to_dict())
    else:
        print_report(report, limit=10)
    raise typer.Exit(int(report.exit_code))


def _suitable(scenes: int, workers: int | None) -> str:
    from geotoolz.batch import default_workers

    return "process" if scenes > 1 and (workers or default_workers()) > 1 else "inline"


def refuse_hopeless(op: Operator, scenes: Scenes, read: Any) -> None:
    """Refuse a pipeline that cannot work on any of the first scenes, before an engine starts.

    Raises
    ------
    ConfigError
        With the findings.
    """
    from geotoolz._cli._findings import examine, lines
    from geotoolz.core._errors import ConfigError

    first = list(itertools.islice(scenes.sources(), _CHECKED))
    findings = [f for f in examine(op, first, read) if f.level == "error" and f.operator]
    if first and len({f.tile for f in findings}) == len(first):
        found = "\n  ".join(lines(findings, len(first)))
        raise ConfigError(
            f"the pipeline does not fit the first {len(first)} of {len(scenes)} scenes:\n  {found}"
            if len(scenes) > 1
            else f"the pipeline does not fit the scene:\n  {found}",
            fix="`geotoolz check` looks at all of them",
        )


def _go(job: CatalogPipeline) -> BatchReport:
    """Run; with ``--on-error raise`` the first failure stands in the report instead of being raised."""
    from geotoolz.batch import BatchReport, StopReason
    from geotoolz.core._errors import GeotoolzError

    begun = time.time()
    try:
        return job.run()
    except GeotoolzError:
        written = job.out / "report.json"
        if job.on_error == "raise" and written.exists() and written.stat().st_mtime >= begun - 1.0:
            report = BatchReport.load(job.out)
            if report.stopped is StopReason.ON_ERROR:
                return report
        raise


def plan(
    pipeline: PipelineArg,
    source: SourceArg,
    out: OutArg,
    aoi: AoiOption = None,
    res: ResOption = None,
    set_: SetOption = None,
    shard: ShardOption = None,
    limit: LimitOption = None,
    stale_on: StaleOption = None,
    retry_failed: RetryOption = False,
    tiles: TilesOption = None,
    only_failed: FailedOption = False,
    as_json: JsonOption = False,
) -> None:
    """Tell what a run would do, scene by scene, and why; nothing is read or written."""
    from geotoolz._cli._console import say, say_json, table
    from geotoolz._cli._options import load_pipeline, parse_aoi, parse_shard
    from geotoolz._cli._presets import refuse_together
    from geotoolz._cli._scenes import open_scenes
    from geotoolz.batch import CatalogPipeline

    refuse_together(pipeline)
    op = load_pipeline(pipeline, set_)
    area = parse_aoi(aoi, source)
    part = parse_shard(shard)
    scenes = open_scenes(source, area)
    job = CatalogPipeline(
        scenes.rows,
        op,
        out,
        shard=part,
        limit=limit,
        stale_on=stale_on or (),
        retry_failed=retry_failed,
        tiles=tiles or None,
        only_failed=only_failed,
        read={"aoi": area, "resolution": res},
    )
    planned = job.plan()
    if as_json:
        say_json({**planned.to_dict(), "todo": [tile.tile_id for tile in planned.todo]})
        return
    table(("tile", "state", "why"), ((tile.tile_id, tile.state.value, tile.reason) for tile in planned.tiles))
    say(f"{_below(planned.out)}: {str(planned).partition(': ')[2]}")


def _below(path: Path) -> str:
    """Return a path as the user would write it from here."""
    from geotoolz._cli._report_text import shown_path

    return shown_path(path)
