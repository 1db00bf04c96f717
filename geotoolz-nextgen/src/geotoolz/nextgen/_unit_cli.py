"""``geotoolz nextgen units`` and ``run-unit``: units of work for cron, Slurm arrays and orchestrators."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from geotoolz.batch import CatalogPipeline

__all__ = ["add_unit_commands"]


def add_unit_commands(app: typer.Typer) -> None:
    """Add the commands to a group."""
    app.command("units")(write_units)
    app.command("run-unit")(run_one)


def write_units(
    job: Annotated[
        list[str],
        typer.Argument(metavar="JOB", help="A job.yaml; or a pipeline, a source and an output folder."),
    ],
    shards: Annotated[
        int | None, typer.Option("--shards", metavar="N", min=1, help="Put the tiles into N units.")
    ] = None,
    every: Annotated[bool, typer.Option("--every", help="Fresh tiles too.")] = False,
    day: Annotated[
        str | None, typer.Option("--day", metavar="YYYY-MM-DD", help="Only tiles of this day (UTC).")
    ] = None,
    tiles: Annotated[
        list[str] | None, typer.Option("--tile", metavar="ID", help="Only this tile; may be repeated.")
    ] = None,
    timeout: Annotated[
        float | None, typer.Option("--timeout", metavar="SECONDS", help="For one tile.")
    ] = None,
) -> None:
    """Plan a job, and write what is to be done as JSON lines, one unit of work each.

    Example: geotoolz nextgen units job.yaml --shards 8 > units.jsonl
    """
    from geotoolz._cli._console import say
    from geotoolz.nextgen import units

    found = units(_job(job), shards=shards, every=every, day=day, tiles=tiles, timeout=timeout)
    for unit in found:
        say(json.dumps(unit))


def run_one(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="A unit, or one a line; by default from stdin.")
    ] = None,
    line: Annotated[
        int | None, typer.Option("--line", metavar="N", min=1, help="Which line of FILE, from 1: array jobs.")
    ] = None,
) -> None:
    """Do one unit of work; JSON in, JSON out.

    Exit code 0: done, or nothing had to be done; 3: a tile failed, and the JSON says why.

    Example: geotoolz nextgen run-unit units.jsonl --line 3
    """
    from geotoolz._cli._console import say_json
    from geotoolz.batch import ExitCode
    from geotoolz.nextgen import run_unit

    result = run_unit(_unit(_text(file), line))
    say_json(result)
    raise typer.Exit(int(ExitCode.FAILED_TILES if result["status"] == "failed" else ExitCode.DONE))


def _job(words: list[str]) -> CatalogPipeline | str:
    """Return the job of a file, or of a pipeline, a source and an output folder."""
    if len(words) == 1:
        return words[0]
    from geotoolz._cli._options import load_pipeline
    from geotoolz._cli._scenes import open_scenes
    from geotoolz.batch import CatalogPipeline
    from geotoolz.core import ParameterError

    if len(words) != 3:
        raise ParameterError(
            f"{len(words)} arguments", expected="a job.yaml; or a pipeline, a source and an output folder"
        )
    pipeline, source, out = words
    return CatalogPipeline(open_scenes(source).rows, load_pipeline(pipeline), out, progress="none")


def _text(file: Path | None) -> str:
    from geotoolz.core import ReadError

    if file is None:
        return sys.stdin.read()
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ReadError(f"{file} cannot be read: {error}", expected="units as JSON") from error


def _unit(text: str, line: int | None) -> Any:
    """Return the unit that is meant."""
    from geotoolz.core import ParameterError

    if not text.strip():
        raise ParameterError(
            "no unit: the text is empty",
            expected="one unit of `geotoolz nextgen units`, which writes none where nothing is to do",
        )
    try:
        if line is None:
            return json.loads(text)
        lines = [one for one in text.splitlines() if one.strip()]
        if line > len(lines):
            raise ParameterError(
                f"--line {line}: there are {len(lines)}", expected="an array job of that many tasks"
            )
        return json.loads(lines[line - 1])
    except json.JSONDecodeError as error:
        several = line is None and text.count("\n{") > 0
        raise ParameterError(
            "several units" if several else f"no JSON: {error}",
            expected="one unit, as `geotoolz nextgen units` writes them",
            fix="say which with --line N" if several else "",
        ) from error
