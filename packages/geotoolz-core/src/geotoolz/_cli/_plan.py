"""``geotoolz plan``: what a run would do and why, and what it will take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from geotoolz._cli._batch_options import (
    CpuPriceOption,
    FailedOption,
    FirstArg,
    GbPriceOption,
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
from geotoolz._cli._options import AoiOption, JsonOption, ResOption, SetOption, SignOption

if TYPE_CHECKING:
    from geotoolz.batch import BatchPlan, Estimate, Preview

_GB = 1e9


def plan(
    pipeline: FirstArg,
    source: SourceOrNone = None,
    out: OutOrNone = None,
    aoi: AoiOption = None,
    res: ResOption = None,
    set_: SetOption = None,
    override: OverrideOption = None,
    shard: ShardOption = None,
    limit: LimitOption = None,
    stale_on: StaleOption = None,
    retry_failed: RetryOption = False,
    tile: TileOption = None,
    tiles: TilesOption = None,
    slice_: SliceOption = None,
    only_failed: FailedOption = False,
    sign: SignOption = None,
    preview: Annotated[
        int | None,
        typer.Option(
            "--preview", metavar="K", min=1, help="Make K scenes in a temporary folder, and measure."
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", metavar="N", min=1, help="For how many the hours are told.")
    ] = None,
    price_cpu_hour: CpuPriceOption = None,
    price_gb: GbPriceOption = None,
    summary: Annotated[bool, typer.Option("--summary", help="Only the sums, not every scene.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Tell what a run would do, scene by scene, and why; OUT is not written to.

    Example: geotoolz plan pipeline.yaml scenes/ out/ --summary
    """
    from geotoolz._cli._console import say_json
    from geotoolz._cli._jobs import make_job

    job = make_job(
        pipeline,
        source,
        out,
        aoi=aoi,
        res=res,
        sign=sign,
        sets=set_,
        overrides=override,
        shard=shard,
        slices=slice_,
        tile=tile,
        tiles=tiles,
        budget={"price_cpu_hour": price_cpu_hour, "price_gb": price_gb},
        workers=workers,
        limit=limit,
        stale_on=stale_on or None,
        retry_failed=retry_failed or None,
        only_failed=only_failed or None,
    )
    planned = job.plan()
    measured = None if preview is None or not planned.todo else job.preview(preview, workers=workers)
    if as_json:
        found: dict[str, Any] = {**planned.to_dict(), "todo": [tile.tile_id for tile in planned.todo]}
        if summary:
            del found["tiles"], found["todo"]
        say_json(found if measured is None else {**found, "preview": measured.to_dict()})
        return
    print_plan(planned, summary=summary)
    if measured is not None:
        print_preview(measured)


def print_plan(planned: BatchPlan, *, summary: bool = False) -> None:
    """Print a plan: a line per scene, the reasons in sum, the counts."""
    from geotoolz._cli._console import say, table
    from geotoolz._cli._report_text import shown_path
    from geotoolz.batch import StaleCause

    if not summary:
        rows = ((tile.tile_id, tile.state.value, tile.reason) for tile in planned.tiles)
        table(("tile", "state", "why"), rows)
    if summary or len(planned.tiles) > 1:
        for reason in planned.summary:
            say(str(reason))
    if any(tile.cause in (StaleCause.CONFIG, StaleCause.SINK) for tile in planned.tiles):
        say("stale tiles: their files are replaced, and those that the pipeline writes no more are deleted")
    say(f"{shown_path(planned.out)}: {str(planned).partition(': ')[2]}")


def print_preview(found: Preview) -> None:
    """Print what was measured, and what all scenes will take with 90 % probability."""
    from geotoolz._cli._console import facts, say
    from geotoolz._cli._scenes import counted

    least, most = found.range
    cpu = sum(found.cpu_seconds) / sum(found.seconds.values()) if found.cpu_seconds else None
    busy = "" if cpu is None else f", {cpu:.0%} of it computing"
    facts(
        (
            ("measured", f"{counted(len(found.seconds), 'scene')} of {found.todo} to do"),
            ("a scene", f"{found.median:.3g} s (median; {least:.3g} … {most:.3g} s{busy})"),
            ("start", f"{found.startup:.3g} s more for a worker's first scene"),
            ("memory", f"{found.peak_bytes / _GB:.2g} GB per worker" if found.peak_bytes else None),
            ("time", f"{_told(*_readable(found.hours))} with {counted(found.workers, 'worker')}"),
            ("work", _cpu(found.cpu_hours)),
            ("output", _told(found.output_bytes.times(1 / _GB), "GB")),
            ("cost", None if found.cost is None else _told(found.cost, "")),
        )
    )
    for name, why in found.failed.items():
        say(f"failed  {name}  {why}")
    if 1 < len(found.seconds) < found.todo:
        say("in brackets: 90 % intervals, as far as the other scenes are like those measured")


def _readable(hours: Estimate) -> tuple[Estimate, str]:
    """Return a duration in seconds, minutes or hours."""
    for factor, unit in ((1, "h"), (60, "min")):
        if hours.value * factor >= 1:
            return hours.times(factor), unit
    return hours.times(3600), "s"


def _cpu(hours: Estimate) -> str:
    found, unit = _readable(hours)
    return _told(found, f"{unit} of a CPU")


def _told(estimate: Estimate, unit: str) -> str:
    value = f"{estimate.value:.3g} {unit}".rstrip()
    if estimate.low is None or estimate.high is None:
        return f"{value} (from one scene: no interval)"
    if estimate.low == estimate.high:
        return f"{value} (all were measured)"
    return f"{value} ({estimate.low:.3g} … {estimate.high:.3g})"
