"""Windows of a stack through a program, in bounded memory, several at a time."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from geotoolz.core import Extent
from geotoolz.core._execute import Job, run_window
from geotoolz.core._memory import give_back

if TYPE_CHECKING:
    from geotoolz.catalog import StackReader
    from geotoolz.core import Program

Array = np.ndarray[Any, Any]
_BYTES = 16 * 2**20
"""What the dates of one band may take in a window, per thread."""
_BYTES_REMOTE = 64 * 2**20
"""The same where files come over a network: smaller windows would fetch more blocks twice."""
_LARGEST, _SMALLEST = 512, 64
_READ_CACHE = 32 * 2**20


class Output(Protocol):
    """Where pixels go; called by one thread."""

    def put(self, slot: int, extent: Extent, pixels: Array) -> None:
        """Take the pixels of a window."""


class Windows:
    """Reads and computes windows of a stack.

    A band's dates are read when the first kernel asks for them, and let go after the last.

    Parameters
    ----------
    program : Program
        What is computed.
    reader : StackReader
        Gives pixels.
    """

    def __init__(self, program: Program, reader: StackReader) -> None:
        self._job = Job.of(program, program.wanted, (), reader.spec.shape)
        self._names = {slot: name for slot, (_, name) in program.sources.items()}
        self._reader = reader

    def __call__(self, extent: Extent) -> dict[int, Array]:
        """Return the pixels of every slot that is wanted."""
        return run_window(self._job, self._fetch, extent)

    def _fetch(self, slot: int, extent: Extent) -> Array:
        name = self._names[slot]
        rows, cols = slice(extent.y0, extent.y1), slice(extent.x0, extent.x1)
        pixels = self._reader.arrays((name,), rows, cols)[name]
        pixels.flags.writeable = False
        return pixels


def run_windows(
    work: Windows, windows: list[Extent], threads: int
) -> Iterator[tuple[Extent, dict[int, Array]]]:
    """Yield every window with its pixels by slot, in order.

    Each thread treats a window from the files to the result. What is asked for next holds back the others:
    at most one window per thread and one more are alive.

    Parameters
    ----------
    work : Windows
        Reads and computes one.
    windows : list of Extent
        What to treat.
    threads : int
        How many at a time.
    """
    from geotoolz.io import close_handles
    from geotoolz.io._block_cache import block_cache

    count = max(1, min(threads, len(windows)))
    with block_cache(_READ_CACHE), ThreadPoolExecutor(count, thread_name_prefix="geotoolz-composite") as pool:
        for done in _ahead(pool, work, windows, count + 1):
            yield done
            give_back()
        for closed in [pool.submit(close_handles) for _ in range(count)]:
            closed.result()


def _ahead(
    pool: ThreadPoolExecutor, work: Callable[[Extent], Any], windows: list[Extent], most: int
) -> Iterator[tuple[Extent, Any]]:
    """Yield windows and their results in order, with so many under way; an error stops the rest."""
    waiting: deque[tuple[Extent, Future[Any]]] = deque()
    try:
        for extent in windows:
            waiting.append((extent, pool.submit(work, extent)))
            if len(waiting) >= most:
                first, future = waiting.popleft()
                yield first, future.result()
        while waiting:
            first, future = waiting.popleft()
            yield first, future.result()
    finally:
        for _, future in waiting:
            future.cancel()


def choose_windows(reader: StackReader, names: list[str], block: tuple[int, int]) -> list[Extent]:
    """Cut a stack into windows that fit the memory and lie on the files' blocks where that is possible.

    Parameters
    ----------
    reader : StackReader
        The stack.
    names : list of str
        Variables that are read.
    block : (int, int)
        Rows and columns of the output's blocks, (1, 1) for none: windows are whole multiples of them.
    """
    from geotoolz.io._gdal import is_remote

    largest = max((reader.spec.variables[name].dtype.itemsize for name in names), default=4)
    budget = _BYTES_REMOTE if any(map(is_remote, reader.inputs)) else _BYTES
    pixels = budget // max(len(reader.dates) * largest, 1)
    side = _LARGEST
    while side > _SMALLEST and side * side > pixels:
        side //= 2
    first, sizes = ((0, 0), (side, side))
    if block == (1, 1):
        first = _block_offset(reader, names)
    else:
        sizes = (max(side // block[0], 1) * block[0], max(side // block[1], 1) * block[1])
    rows, cols = (_edges(n, f, s) for n, f, s in zip(reader.spec.shape, first, sizes, strict=True))
    return [Extent(y0, y1, x0, x1) for y0, y1 in rows for x0, x1 in cols]


def _edges(length: int, first: int, size: int) -> list[tuple[int, int]]:
    ends = [0, *range(first % size or size, length, size), length]
    return [(a, b) for a, b in pairwise(ends) if b > a]


def _block_offset(reader: StackReader, names: list[str]) -> tuple[int, int]:
    """Return where the files' blocks begin on the grid: of those that are copied, the most common place."""
    from geotoolz.io._gdal import read_from
    from geotoolz.io._pixels import _whole_shift

    places: Counter[tuple[int, int]] = Counter()
    for scene in (scene for date in reader.dates for scene in date):
        for name, band in getattr(scene.reader, "_bands", {}).items():
            grid = band.source.grid
            if name not in names or grid.crs != reader.geobox.crs:
                continue
            shift = _whole_shift(grid.affine, reader.geobox.affine)
            if shift is not None:
                shapes = read_from(band.source.path, band.source.sign, lambda raster: raster.block_shapes)
                rows, cols = shapes[band.source.index - 1]
                if math.prod((rows, cols)) <= _LARGEST**2:
                    places[-shift[0] % rows, -shift[1] % cols] += 1
            break  # the bands of a scene lie on one grid or on whole multiples of it
    return places.most_common(1)[0][0] if places else (0, 0)
