"""``geotoolz verify``, ``gc`` and ``replay``: looking after an output folder, and into one tile."""

from __future__ import annotations

from typing import Annotated

import typer

from geotoolz._cli._batch_options import FirstArg, OutOrNone, OverrideOption, SourceOrNone
from geotoolz._cli._options import AoiOption, JsonOption, OutArg, ResOption, SetOption, SignOption


def verify(
    out: OutArg,
    heal: Annotated[
        bool, typer.Option("--heal", help="Delete damaged files; the next run makes them again.")
    ] = False,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="First write a lost journal again, from the items.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Compare every output with the checksum that it was written with; exit code 3 where one differs.

    Example: geotoolz verify out/ --heal
    """
    from geotoolz._cli._console import say, say_json, table
    from geotoolz._cli._scenes import counted
    from geotoolz.batch import ExitCode, rebuild_journal, verify

    rebuilt = rebuild_journal(out) if rebuild else ()
    found = verify(out, heal=heal)
    if rebuild and not as_json:
        say(f"{out}: {counted(len(rebuilt), 'tile')} written into the journal")
    if as_json:
        told = {"rebuilt": list(rebuilt)} if rebuild else {}
        say_json({"out": str(out), "damaged": found, "healed": heal and bool(found), **told})
    elif found:
        table(("file", "what is wrong"), found.items())
        say(
            "what was damaged is deleted; run the pipeline again to make these files"
            if heal
            else f"`geotoolz verify {out} --heal` deletes what is damaged; the next run makes it again"
        )
    else:
        say(f"{out}: every file is what was written")
    raise typer.Exit(int(ExitCode.FAILED_TILES if found and not heal else ExitCode.DONE))


def gc(
    pipeline: FirstArg,
    source: SourceOrNone = None,
    out: OutOrNone = None,
    set_: SetOption = None,
    override: OverrideOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Delete them; without it they are listed.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List, or delete, what was written for scenes that the source does not have any more.

    Example: geotoolz gc pipeline.yaml scenes/ out/ --yes
    """
    from geotoolz._cli._console import say, say_json
    from geotoolz._cli._jobs import make_job
    from geotoolz.batch import TileState, remove_orphans

    job = make_job(pipeline, source, out, sets=set_, overrides=override)
    plan = job.plan()
    orphans = [tile.tile_id for tile in plan.tiles if tile.state is TileState.ORPHAN]
    gone = remove_orphans(plan) if yes and orphans else ()
    if as_json:
        say_json({"out": str(job.out), "orphans": orphans, "deleted": list(gone)})
        return
    for name in gone or orphans:
        say(name)
    named = source if source is not None else pipeline
    counted = f"{len(orphans)} {'tile' if len(orphans) == 1 else 'tiles'} not in {named}"
    hint = f", {len(gone)} files deleted" if yes else "; --yes deletes what was written for them"
    say(counted + (hint if orphans else ""))


def replay(
    pipeline: FirstArg,
    source: Annotated[
        str | None, typer.Argument(metavar="SOURCE", help="Its scenes; of a job: TILE.")
    ] = None,
    out: OutOrNone = None,
    tile: Annotated[
        str | None, typer.Argument(metavar="TILE", help="Its id, as `geotoolz plan` lists it.")
    ] = None,
    aoi: AoiOption = None,
    res: ResOption = None,
    set_: SetOption = None,
    override: OverrideOption = None,
    sign: SignOption = None,
    pdb: Annotated[bool, typer.Option("--pdb", help="Stop in the debugger where it fails.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Make one scene again in this process, compare it with what was written, and change nothing.

    Exit code 3 where the bytes differ from what stands in the output folder. What the comparison says of a
    file: same, other, damaged (the folder's is not what was written), missing, not written yet.

    Example: geotoolz replay pipeline.yaml scenes/ out/ S2B_33TWL_20230820
    """
    from geotoolz._cli._console import facts, say_json
    from geotoolz._cli._jobs import make_job
    from geotoolz.batch import ExitCode
    from geotoolz.core._errors import ParameterError

    if source is None or (out is None) != (tile is None):
        raise ParameterError("no TILE", expected="PIPELINE SOURCE OUT TILE, or JOB TILE")
    wanted, scenes = (source, None) if tile is None else (tile, source)
    job = make_job(
        pipeline, scenes, out, aoi=aoi, res=res, sign=sign, sets=set_, overrides=override, engine="inline"
    )
    try:
        found = job.replay(wanted)
    except Exception:
        if pdb:
            _post_mortem()
        raise
    if as_json:
        say_json({"tile": found.tile_id, "seconds": dict(found.seconds), "files": dict(found.files)})
    else:
        said = {
            "same": "the same bytes stand in the folder",
            "other": "other bytes stand in the folder",
            "damaged": "damaged in the folder: these are the bytes that were written",
            "missing": "missing in the folder",
            "new": "not written yet",
        }
        seconds = ", ".join(f"{name} {value:.3f} s" for name, value in found.seconds.items())
        files = [(name, said[verdict]) for name, verdict in found.files.items()]
        facts([("tile", found.tile_id), ("time", seconds), *files])
    raise typer.Exit(int(ExitCode.FAILED_TILES if found.differs else ExitCode.DONE))


def _post_mortem() -> None:
    import pdb

    pdb.post_mortem()
