"""`stream`: a pipeline from file to file in bounded memory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geotoolz.core import Operator, Sink
from geotoolz.core._memory import Watch, give_back
from geotoolz.core._provenance import made_by
from geotoolz.core._stream import Clock
from geotoolz.io._block_cache import block_cache
from geotoolz.io._stream_plan import READ_CACHE, StreamPlan
from geotoolz.io._stream_setup import Progress, Stream


@dataclass(frozen=True)
class StreamResult:
    """What a stream gave.

    Attributes
    ----------
    paths : tuple of str
        What was written.
    statistics : mapping of str to object
        Results of the Reduce steps by path.
    plan : StreamPlan
        Windows, threads, announced memory.
    peak_memory : int
        Most bytes that the process held.
    bytes_read, bytes_written : int
        Of pixels read, and of the files written.
    seconds : mapping of str to float
        ``read``, ``compute`` and ``write`` of all threads together, ``encode``.
    """

    paths: tuple[str, ...]
    statistics: Mapping[str, Any]
    plan: StreamPlan
    peak_memory: int
    bytes_read: int
    bytes_written: int
    seconds: Mapping[str, float]

    @property
    def windows(self) -> int:
        """How many windows there were."""
        return self.plan.windows

    def __str__(self) -> str:
        spent = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in self.seconds.items())
        return (
            f"{', '.join(self.paths) or 'statistics only'}: {self.windows} windows, "
            f"{self.bytes_read / 1e6:.0f} MB read, {self.bytes_written / 1e6:.0f} MB written; {spent}; "
            f"memory {self.peak_memory / 1e6:.0f} MB of {self.plan.memory / 1e6:.0f} MB announced"
        )


def stream(
    op: Operator,
    source: Any,
    sink: Sink | str | os.PathLike[str] | None = None,
    *,
    outputs: Iterable[str] | str | None = None,
    window: tuple[int, int] | None = None,
    threads: int | None = None,
    max_memory: int | float | str | None = None,
    progress: Progress | None = None,
    **read: Any,
) -> StreamResult:
    """Run a pipeline from file to file, window by window, in memory that is known beforehand.

    The files have the bytes that the pipeline's sink writes on the whole tile, whatever the windows and
    however many threads. They appear when every assertion has passed and the source is still what it was,
    complete, or not at all.

    Parameters
    ----------
    op : Operator
        The pipeline, with or without a sink at its end.
    source : path, STAC item, SceneReader, or mapping of str to these
        What `open_scene` takes; a mapping for a graph with several inputs.
    sink : Sink or path, optional
        `WriteCOG`, `WriteZarr`, or a path that ends in .tif or .zarr. It takes the place of the pipeline's
        own, whose bands and encoding stay where only a path is given.
    outputs : str or iterable of str, optional
        Variables to write; by default those that the sink chooses. ``()`` gathers statistics only. Only
        bands that lead to them are read.
    window : tuple of int, optional
        Rows and columns of a window; by default whole blocks of source and sink.
    threads : int, optional
        Threads that read and compute, while the calling one writes; by default one per usable CPU.
    max_memory : int or str, optional
        Most bytes that the process may hold, ``"600MB"``; windows and threads are chosen to fit.
    progress : callable, optional
        Called with the number of windows that are finished and of all.
    **read
        ``bands``, ``aoi``, ``resolution``, ``raw``, ``offset``, ``geobox`` for `open_scene`.

    Returns
    -------
    StreamResult

    Raises
    ------
    NotFrozenError
        If a step needs statistics of the whole scene first.
    ExecutorError
        If a step must see the whole tile, is a Python function, or `max_memory` is too small.
    QCError
        If an assertion fails; nothing is left behind.
    ReadError
        If the source cannot be read, or changes while it is.
    WriteError
        If the output cannot be written; nothing is left behind.

    Examples
    --------
    >>> import tempfile
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.io import open_tile, stream, write_tile
    >>> from geotoolz.radiometry import SelectBands
    >>> with tempfile.TemporaryDirectory() as tmp:
    ...     scene = write_tile(simulate_scene((64, 64), bands=("red", "nir")), f"{tmp}/in/{{band}}.tif")
    ...     result = stream(SelectBands("red"), f"{tmp}/in", f"{tmp}/red.tif", outputs="red", threads=1)
    ...     print(result.plan.reads, result.windows, list(open_tile(result.paths[0])))
    ('red',) 1 ['red']
    """
    made = Stream(op, source, sink, outputs, read)
    return run_planned(made, made.plan(window, threads, max_memory), progress)


def plan_stream(
    op: Operator,
    source: Any,
    sink: Sink | str | os.PathLike[str] | None = None,
    *,
    outputs: Iterable[str] | str | None = None,
    window: tuple[int, int] | None = None,
    threads: int | None = None,
    max_memory: int | float | str | None = None,
    **read: Any,
) -> StreamPlan:
    """Return what `stream` would do and how much memory it would take; a few pixels are read, none written.

    Parameters
    ----------
    op, source, sink, outputs, window, threads, max_memory, **read
        As for `stream`.

    Returns
    -------
    StreamPlan
        Print it.
    """
    return Stream(op, source, sink, outputs, read).plan(window, threads, max_memory)


def run_planned(made: Stream, plan: StreamPlan, progress: Progress | None) -> StreamResult:
    """Treat all windows, let assertions decide, make the files, look at the source again, publish."""
    clock = Clock()
    paths: tuple[str, ...] = ()
    with Watch() as watch:
        if made.end is None:
            statistics = made.windows(plan, clock, progress)
            made.source.check_unchanged()
        else:
            with made.end:
                statistics = made.windows(plan, clock, progress)
                give_back()
                origin, files = os.fspath(made.origin), made.source.files
                with (
                    clock.time("encode"),
                    block_cache(made.end.cache or READ_CACHE),
                    made_by(made.op, source=origin, read=made.read, files=files),
                ):
                    made.end.finish(plan.threads)
                made.source.check_unchanged()
                paths = made.end.publish()
    written = sum(_size(path) for path in paths)
    return StreamResult(
        paths, statistics, plan, watch.peak, made.source.bytes_read, written, dict(clock.seconds)
    )


def _size(name: str) -> int:
    """Return the bytes of a file, or of all files in a folder."""
    whole = Path(name)
    files = list(whole.rglob("*")) if whole.is_dir() else [whole]
    return sum(file.stat().st_size for file in files if file.is_file())
