"""``geotoolz quarantine``: the scenes that runs leave alone, and letting them out."""

from __future__ import annotations

from typing import Annotated

import typer

from geotoolz._cli._options import JsonOption, OutArg

app = typer.Typer(no_args_is_help=True, help="Scenes that failed for good and are left alone.")


@app.command("list")
def list_(out: OutArg, as_json: JsonOption = False) -> None:
    """List the scenes in quarantine, and why they are there.

    Example: geotoolz quarantine list out/
    """
    from geotoolz._cli._console import say, say_json, table
    from geotoolz._cli._report_text import clipped
    from geotoolz.batch import quarantine

    held = quarantine(out)
    if as_json:
        say_json(
            [
                {
                    "id": tile.tile_id,
                    "kind": tile.kind.value,
                    "error": tile.error,
                    "message": tile.message,
                    "attempts": tile.attempts,
                }
                for tile in held
            ]
        )
    elif held:
        table(
            ("tile", "kind", "attempts", "why"),
            (
                (tile.tile_id, tile.kind.value, tile.attempts, clipped(f"{tile.error}: {tile.message}"))
                for tile in held
            ),
        )
    else:
        say(f"{out}: nothing is in quarantine")


@app.command("release")
def release_(
    out: OutArg,
    tiles: Annotated[
        list[str] | None, typer.Argument(metavar="[TILE]...", help="Their ids, as `list` shows them.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Let scenes out of quarantine: the next run tries them again.

    Example: geotoolz quarantine release out/ S2B_33TWL_20230820
    """
    from geotoolz._cli._console import say, say_json
    from geotoolz.batch import release
    from geotoolz.core._errors import ParameterError

    if bool(tiles) == everything:
        raise ParameterError(
            "both scenes and --all" if everything else "no scene",
            expected="ids of scenes, or --all",
            fix="`geotoolz quarantine list` names them",
        )
    released = release(out, None if everything else tiles)
    if as_json:
        say_json({"out": str(out), "released": list(released)})
        return
    count = f"{len(released)} {'scene' if len(released) == 1 else 'scenes'}"
    say(f"{count} released; the next run tries {'it' if len(released) == 1 else 'them'} again")
