"""``geotoolz verify``, ``gc`` and ``replay``: looking after an output folder, and into one tile."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from geotoolz._cli._options import (
    AoiOption,
    JsonOption,
    OutArg,
    PipelineArg,
    ResOption,
    SetOption,
    SourceArg,
)

if TYPE_CHECKING:
    from geotoolz.batch import CatalogPipeline


def verify(
    out: OutArg,
    heal: Annotated[
        bool, typer.Option("--heal", help="Delete damaged files; the next run makes them again.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Compare every output with the checksum that it was written with; exit code 3 where one differs."""
    from geotoolz._cli._console import say, say_json, table
    from geotoolz.batch import ExitCode, verify

    found = verify(out, heal=heal)
    if as_json:
        say_json({"out": str(out), "damaged": found, "healed": heal and bool(found)})
    elif found:
        table(("file", "what is wrong"), found.items())
        say(
            "deleted; run the pipeline again to make them"
            if heal
            else "`geotoolz verify OUT --heal` deletes them, and the next run makes them again"
        )
    else:
        say(f"{out}: every file is what was written")
    raise typer.Exit(int(ExitCode.FAILED_TILES if found and not heal else ExitCode.DONE))


def gc(
    pipeline: PipelineArg,
    source: SourceArg,
    out: OutArg,
    set_: SetOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Delete them; without it they are listed.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List, or delete, what was written for scenes that the source does not have any more."""
    from geotoolz._cli._console import say, say_json
    from geotoolz.batch import TileState, remove_orphans

    plan = _job(pipeline, source, out, None, None, set_).plan()
    orphans = [tile.tile_id for tile in plan.tiles if tile.state is TileState.ORPHAN]
    gone = remove_orphans(plan) if yes and orphans else ()
    if as_json:
        say_json({"out": str(out), "orphans": orphans, "deleted": list(gone)})
        return
    for name in gone or orphans:
        say(name)
    counted = f"{len(orphans)} {'tile' if len(orphans) == 1 else 'tiles'} not in {source}"
    hint = f", {len(gone)} files deleted" if yes else "; --yes deletes what was written for them"
    say(counted + (hint if orphans else ""))


def replay(
    pipeline: PipelineArg,
    source: SourceArg,
    out: OutArg,
    tile: Annotated[str, typer.Argument(metavar="TILE", help="Its id, as `geotoolz plan` lists it.")],
    aoi: AoiOption = None,
    res: ResOption = None,
    set_: SetOption = None,
    pdb: Annotated[bool, typer.Option("--pdb", help="Stop in the debugger where it fails.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Make one scene again in this process, compare it with what was written, and change nothing.

    Exit code 3 where the bytes differ from what stands in the output folder.
    """
    from geotoolz._cli._console import facts, say_json
    from geotoolz.batch import ExitCode

    job = _job(pipeline, source, out, aoi, res, set_)
    try:
        found = job.replay(tile)
    except Exception:
        if pdb:
            _post_mortem()
        raise
    if as_json:
        say_json({"tile": found.tile_id, "seconds": dict(found.seconds), "files": dict(found.files)})
    else:
        said = {
            "same": "same bytes as written",
            "other": "other bytes than written",
            "new": "not written yet",
        }
        seconds = ", ".join(f"{name} {value:.3f} s" for name, value in found.seconds.items())
        files = [(name, said[verdict]) for name, verdict in found.files.items()]
        facts([("tile", found.tile_id), ("time", seconds), *files])
    raise typer.Exit(int(ExitCode.FAILED_TILES if "other" in found.files.values() else ExitCode.DONE))


def _post_mortem() -> None:
    import pdb

    pdb.post_mortem()


def _job(
    pipeline: str, source: str, out: Path, aoi: str | None, res: float | None, set_: list[str] | None
) -> CatalogPipeline:
    from geotoolz._cli._options import load_pipeline, parse_aoi
    from geotoolz._cli._presets import refuse_together
    from geotoolz._cli._scenes import open_scenes
    from geotoolz.batch import CatalogPipeline

    refuse_together(pipeline)
    area = parse_aoi(aoi, source)
    op = load_pipeline(pipeline, set_)
    scenes = open_scenes(source, area)
    return CatalogPipeline(scenes.rows, op, out, read={"aoi": area, "resolution": res})
