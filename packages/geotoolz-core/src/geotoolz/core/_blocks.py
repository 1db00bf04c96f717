"""The blocks that a tile in memory is cut into, and which worker treats which."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence

from geotoolz.core._errors import ExecutorError
from geotoolz.core._execute import Job
from geotoolz.core._extent import Extent, check_cover, column_blocks, row_blocks, windows
from geotoolz.core._jit import PixelKernel

BLOCK_PIXELS = 262_144
"""Pixels per block: a handful of float32 planes of this size stay in the cache, and calls cost little."""

_IN_PLACE = 4  # times as many pixels where nothing has to stay in the cache
_LEAST_PIXELS = 32_768
_ONE_BLOCK = 65_536  # not worth a thought
_ROWS_PER_HALO = 4  # rows that two blocks both need are computed twice: half as many as their own, at most
_MOST_PIXELS = 1 << 24

Cut = Callable[[Job], Sequence[Iterable[Extent]]]
"""Says which windows each worker treats, in order."""


def regular_cut(window: tuple[int, int] | None, threads: int) -> Cut:
    """Return the cut into windows of one size, dealt out to threads."""

    def cut(job: Job) -> list[Iterable[Extent]]:
        extents = blocks(job, window, threads)
        check_cover(extents, job.shape)
        workers = min(threads, len(extents))
        return [extents] if workers == 1 else dealt(extents, workers)

    return cut


def dealt(extents: Sequence[Extent], workers: int) -> list[Iterable[Extent]]:
    """Return a share of neighbouring windows for each worker; who is done first helps another.

    Windows that lie side by side are not treated at the same time: their pixels share pages of memory,
    which the system clears when they are first written. Two threads that meet there wait for each other,
    or clear it twice.

    Examples
    --------
    >>> from geotoolz.core._extent import row_blocks
    >>> first, second = map(iter, dealt(row_blocks((50, 10), 100), 2))
    >>> [next(second).y0 for _ in range(4)], next(first).y0
    ([20, 30, 40, 10], 0)
    """
    count = len(extents)
    shares = [deque(extents[i * count // workers : (i + 1) * count // workers]) for i in range(workers)]
    return [_taken(share, shares) for share in shares]


def _taken(own: deque[Extent], shares: Sequence[deque[Extent]]) -> Iterator[Extent]:
    """Yield the windows of a share from its beginning, then those of the longest share from its end."""
    while True:
        try:
            # deques are popped without a lock
            yield own.popleft() if own else max(shares, key=len).pop()
        except IndexError:  # another worker took it meanwhile, or none is left
            if not any(shares):
                return


def blocks(job: Job, window: tuple[int, int] | None, threads: int = 1) -> list[Extent]:
    """Cut the output into windows; along an axis that some call sees whole they are as long as it.

    Parameters
    ----------
    job : Job
        What is to be computed.
    window : tuple of int, optional
        Rows and columns; blocks of a size that suits the cache by default.
    threads : int
        How many workers there will be.

    Raises
    ------
    ExecutorError
        For windows of what some step has to see whole.
    """
    height, width = job.shape
    along_y, along_x = job.whole_axes
    whole = job.needs_whole
    if whole is not None:
        if window is not None and (window[0] < height or window[1] < width):
            raise ExecutorError(
                f"{whole.path or 'this step'} looks at the whole tile and cannot run in windows of {window}",
                fix="run it on whole tiles, or replace the step",
            )
        return [Extent(0, height, 0, width)]
    if window is None:
        if threads == 1 and height * width <= min(_ONE_BLOCK, BLOCK_PIXELS):
            return [Extent(0, height, 0, width)]
        pixels = _pixels(job, threads)
        return column_blocks(job.shape, pixels) if along_y else row_blocks(job.shape, pixels)
    size = (max(window[0], height) if along_y else window[0], max(window[1], width) if along_x else window[1])
    return list(windows(job.shape, size)) or [Extent(0, height, 0, width)]


def _pixels(job: Job, threads: int) -> int:
    """Return how many pixels a block has."""
    height, width = job.shape
    most = BLOCK_PIXELS * (_IN_PLACE if _in_place(job) else 1)
    pixels = max(most // _planes(job), min(BLOCK_PIXELS, _LEAST_PIXELS))
    if not job.instructions and not job.wanted:  # nothing is made that should stay in the cache
        pixels = max(pixels, min((r.op.block_pixels for r in job.reductions), default=0))
    if threads > 1:  # some blocks for every thread, if the tile is small
        pixels = max(min(pixels, height * width // (4 * threads)), _LEAST_PIXELS)
    if not job.whole_axes[0]:
        pixels = max(pixels, min(_halo_rows(job) * _ROWS_PER_HALO * width, _MOST_PIXELS))
        # a kernel that works in bands of rows (a network's patches) computes each of them once
        band = width * max((getattr(step.kernel, "block_rows", 0) for step in job.instructions), default=0)
        pixels = max(pixels // band, 1) * band if band else pixels
    return pixels


def _in_place(job: Job) -> bool:
    """Return whether compiled loops write what is wanted, and nothing that another step reads.

    There is nothing to be kept in the cache then, and a block takes no memory: larger ones, each of which
    costs some ten microseconds of Python.
    """
    if not job.pointwise or job.reductions:
        return False
    wanted = set(job.wanted)
    return all(
        isinstance(step.kernel, PixelKernel) and wanted.issuperset(step.writes) for step in job.instructions
    )


def _planes(job: Job) -> int:
    """Return how many planes the deepest array has: dates of a stack, bands of a cube."""
    used = {slot for step in job.instructions for slot in (*step.reads, *step.writes)}
    return max((math.prod(job.program.leads[slot]) for slot in used), default=1) or 1


def _halo_rows(job: Job) -> int:
    """Return how many rows beyond its own a block of rows needs, on one side, at most."""
    if job.pointwise:
        return 0
    height, width = job.shape
    middle = Extent(height // 2, min(height // 2 + 1, height), 0, width)
    needed = job.input_extents(middle)
    same = [e for slot, e in needed.items() if job.program.shapes[slot] == job.shape]
    return max((max(middle.y0 - e.y0, e.y1 - middle.y1) for e in same), default=0)
