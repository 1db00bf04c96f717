"""``geotoolz stream``: one scene, file to file, in memory that is told beforehand."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from geotoolz._cli._options import AoiOption, JsonOption, PipelineArg, ResOption, SetOption

if TYPE_CHECKING:
    from collections.abc import Callable

    from geotoolz.io import StreamResult

SceneArg = Annotated[
    str, typer.Argument(metavar="SCENE", help="A raster, a product's folder, or a STAC item.")
]


def stream(
    pipeline: PipelineArg,
    scene: SceneArg,
    out: Annotated[
        str | None,
        typer.Option("--out", metavar="PATH", help="A .tif or .zarr; by default the pipeline's own sink."),
    ] = None,
    window: Annotated[
        str | None,
        typer.Option("--window", metavar="ROWS,COLS", help="By default whole blocks of the files."),
    ] = None,
    threads: Annotated[
        int | None, typer.Option("--threads", metavar="N", min=1, help="By default the CPUs of this process.")
    ] = None,
    max_memory: Annotated[
        str | None,
        typer.Option("--max-memory", metavar="SIZE", help="Such as 500MB: choose what fits in it."),
    ] = None,
    aoi: AoiOption = None,
    res: ResOption = None,
    set_: SetOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell windows and memory, and write nothing.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Tell neither memory nor progress.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Run a pipeline on one scene of any size, window by window, in bounded memory.

    The memory is told before it starts. The file has the bytes that the whole scene would give.

    Example: geotoolz stream pipeline.yaml scene/ --out out/ --max-memory 500MB
    """
    from geotoolz._cli._console import say, told
    from geotoolz._cli._options import load_pipeline, parse_aoi
    from geotoolz.core._presets import refuse_together
    from geotoolz.io import open_scene
    from geotoolz.io._stream import run_planned
    from geotoolz.io._stream_setup import Stream

    refuse_together(pipeline)
    op = load_pipeline(pipeline, set_)
    size = parse_window(window)
    source = open_scene(scene, aoi=parse_aoi(aoi), resolution=res)
    made = Stream(op, source, out, None, {})
    plan = made.plan(size, threads, max_memory)
    if dry_run:
        say(str(plan))
        return
    if not quiet:
        told(str(plan))
    result = run_planned(made, plan, None if quiet else _progress())
    _show(result, as_json)


def parse_window(text: str | None) -> tuple[int, int] | None:
    """Return the rows and columns of ``--window``.

    Examples
    --------
    >>> parse_window("512,2048"), parse_window(None)
    ((512, 2048), None)
    """
    from geotoolz.core._errors import ParameterError

    if text is None:
        return None
    match = re.fullmatch(r"\s*(\d+)\s*[,x]\s*(\d+)\s*", text)
    if match is None or 0 in (int(match[1]), int(match[2])):
        raise ParameterError(f"--window {text!r}", expected="ROWS,COLS, such as 512,2048")
    return int(match[1]), int(match[2])


def _progress() -> Callable[[int, int], None] | None:
    """Return what shows the progress on a terminal; nothing elsewhere."""
    if not sys.stderr.isatty():
        return None

    def show(done: int, total: int) -> None:
        end = "\n" if done == total else ""
        typer.echo(f"\r{done} of {total} windows", nl=False, err=True)
        typer.echo(end, nl=False, err=True)

    return show


def _show(result: StreamResult, as_json: bool) -> None:
    from geotoolz._cli._console import say, say_json

    if not as_json:
        say(str(result))
        return
    say_json(
        {
            "paths": result.paths,
            "windows": result.windows,
            "window": result.plan.window,
            "threads": result.plan.threads,
            "announced_memory": result.plan.memory,
            "peak_memory": result.peak_memory,
            "bytes_read": result.bytes_read,
            "bytes_written": result.bytes_written,
            "seconds": result.seconds,
            "statistics": result.statistics,
        }
    )
