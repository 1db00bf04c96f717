"""The plan of a stream: windows, threads, and the memory that it will take."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from geotoolz.core import ExecutorError, Sink
from geotoolz.core._blocks import blocks
from geotoolz.core._execute import Job
from geotoolz.core._extent import Extent
from geotoolz.core._memory import MB
from geotoolz.core._stream import job_inputs
from geotoolz.io import _stream_memory as memory
from geotoolz.io._stream_source import SceneInput

READ_CACHE = 32 * MB
"""GDAL's block cache while windows are read."""
_POINTWISE = 2**20  # pixels of a window; more does not read less
_NEIGHBOURS = 2**22  # pixels of a window whose neighbourhood is read again by the next
_LARGEST_UNIT = 2048
_SMALLEST = 64
_SLACK = 5  # MB: what the process holds differs a little from one moment to the next


@dataclass(frozen=True)
class StreamPlan:
    """What a stream will do and take.

    Attributes
    ----------
    reads, outputs : tuple of str
        Variables that are read, and written.
    shape : tuple of int
        Rows and columns of the output.
    window : tuple of int
        Rows and columns of a window.
    windows : int
        How many windows there are.
    threads : int
        Threads that read and compute; one more writes.
    streaming, encoding : mapping of str to int
        Bytes by purpose, while windows are treated, and while the files are encoded from the staging
        files.
    baseline : int
        Bytes that the process holds before it starts.
    """

    reads: tuple[str, ...]
    outputs: tuple[str, ...]
    shape: tuple[int, int]
    window: tuple[int, int]
    windows: int
    threads: int
    baseline: int
    streaming: Mapping[str, int]
    encoding: Mapping[str, int]

    @property
    def memory(self) -> int:
        """Most bytes that the process will hold."""
        return self.baseline + max(sum(self.streaming.values()), sum(self.encoding.values()))

    def __str__(self) -> str:
        rows, cols = self.window
        lines = [
            f"stream {', '.join(self.reads) or 'nothing'} -> {', '.join(self.outputs) or 'statistics'}: "
            f"{self.shape[0]} x {self.shape[1]} pixels in {self.windows} windows of {rows} x {cols}, "
            f"{self.threads} thread{'s' if self.threads != 1 else ''}",
            f"memory {self.memory / 1e6:.0f} MB: process {self.baseline / 1e6:.0f} MB, and the larger of",
        ]
        for name, parts in (("windows", self.streaming), ("encoding", self.encoding)):
            told = " + ".join(f"{what} {size / 1e6:.0f}" for what, size in parts.items() if size >= 5e5)
            lines.append(f"  {name} {sum(parts.values()) / 1e6:.0f} MB" + (f" = {told}" if told else ""))
        return "\n".join(lines)


@dataclass(frozen=True)
class Work:
    """What is known before windows are chosen."""

    jobs: tuple[Job, ...]
    source: SceneInput
    sink: Sink | None
    block: tuple[int, int]
    cache: int
    raw: int
    reads: tuple[str, ...]
    outputs: tuple[str, ...]


def plan_windows(
    work: Work,
    baseline: int,
    *,
    window: tuple[int, int] | None,
    threads: int,
    fixed_threads: bool,
    max_memory: int | None,
) -> StreamPlan:
    """Choose windows and threads so that the memory stays within the limit.

    Raises
    ------
    ExecutorError
        If it cannot, saying what would fit.
    """
    least: StreamPlan | None = None
    for count in [threads] if fixed_threads else range(threads, 0, -1):
        for size in [window] if window is not None else _candidates(work, count):
            plan = _plan(work, baseline, size, count)
            if max_memory is None or plan.memory <= max_memory:
                return plan
            if least is None or plan.memory < least.memory:
                least = plan
    if least is None:
        raise ExecutorError("there is nothing to stream", expected="a window of one pixel at least")
    given = [f"window={window}"] * (window is not None) + [f"threads={threads}"] * fixed_threads
    fix = "raise max_memory" + (f", or leave {' and '.join(given)} to the planner" if given else "")
    raise ExecutorError(
        f"the stream would take {least.memory / 1e6:.0f} MB, with windows of {least.window[0]} x "
        f"{least.window[1]} and {least.threads} thread(s); max_memory is {max_memory / 1e6:.0f} MB"
        if max_memory is not None
        else "the stream cannot be planned",
        expected=f"max_memory of {math.ceil(least.memory / 1e6) + _SLACK} MB or more "
        f"(the process alone holds {baseline / 1e6:.0f} MB)",
        fix=fix,
    )


def _plan(work: Work, baseline: int, window: tuple[int, int], threads: int) -> StreamPlan:
    parts: list[dict[str, int]] = []
    windows, shape, chosen, count = 0, (0, 0), window, 1
    for number, job in enumerate(work.jobs):
        extents = blocks(job, fitted(job, window))
        some = memory.some_extents(extents)
        count = min(threads, len(extents))
        parts.append(
            {
                "input": count * memory.input_bytes(job, work.source, some),
                "compute": count * memory.compute_bytes(job, some),
                "output": memory.output_bytes(job, some, count),
            }
        )
        if number == 0:
            windows, shape, chosen = len(extents), job.shape, max(e.shape for e in some)
    itemsize = max((job.program.slots[s].dtype.itemsize for job in work.jobs for s in job.wanted), default=0)
    most = max(parts, key=lambda part: sum(part.values()), default={})
    most["cache"] = min(READ_CACHE, work.source.decoded_bytes())
    most["files"] = memory.reader_bytes(work.source, count)
    most["chunks"] = memory.region_bytes(work.sink, itemsize)
    most["statistics"] = memory.state_bytes(work.jobs, count)
    encoding = {}
    if work.cache:
        encoding["encoder"] = memory.encoder_bytes(work.cache, threads, work.raw)
    return StreamPlan(work.reads, work.outputs, shape, chosen, windows, threads, baseline, most, encoding)


def fitted(job: Job, window: tuple[int, int]) -> tuple[int, int]:
    """Return a window's size, no larger than the output and as long as an axis that a call sees whole."""
    along_y, along_x = job.whole_axes
    height, width = (max(size, 1) for size in job.shape)
    return (height if along_y else min(window[0], height), width if along_x else min(window[1], width))


def _candidates(work: Work, threads: int) -> Iterator[tuple[int, int]]:
    """Yield sizes of windows from the best to the smallest: whole blocks of both, of the source, parts."""
    job = work.jobs[0]
    source, unit = _units(work, job)
    height, width = (max(size, 1) for size in job.shape)
    area = _POINTWISE if job.pointwise else _NEIGHBOURS
    area = max(min(area, height * width // (2 * threads)), unit[0] * unit[1])
    rows, cols = unit
    if not job.pointwise:
        while 2 * rows < height and 4 * rows * rows <= area:
            rows *= 2
    while 2 * rows * cols <= area and cols < width:
        cols += unit[1]
    smallest = (min(_SMALLEST, height), min(_SMALLEST, width))
    for floor in (unit, source, smallest):
        while True:
            size = fitted(job, (rows, cols))
            if _loaded(job, size) <= 4 * area or floor == smallest:
                yield size
            if rows > floor[0] and (rows >= cols or cols <= floor[1]):
                rows = _smaller(rows, floor[0])
            elif cols > floor[1]:
                cols = _smaller(cols, floor[1])
            else:
                break


def _smaller(size: int, floor: int) -> int:
    """Return about half a size, in whole multiples of the smallest one wanted."""
    return max(size // 2 // floor * floor, floor)


def _loaded(job: Job, size: tuple[int, int]) -> int:
    """Return the most pixels of an input that a window from the middle needs."""
    y, x = (job.shape[0] - size[0]) // 2, (job.shape[1] - size[1]) // 2
    needed = job.input_extents(Extent(y, y + size[0], x, x + size[1]))
    return max((math.prod(needed[slot].shape) for slot in job_inputs(job)), default=0)


def _units(work: Work, job: Job) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return rows and columns of whole blocks of the source, and of whole blocks of source and sink."""
    shapes = list(work.source.block_shapes(job_inputs(job)).values()) or [(1, 1)]
    source, unit = [], []
    for axis in (0, 1):
        sizes = [max(min(shape[axis], job.shape[axis]), 1) for shape in (*shapes, work.block)]
        source.append(max(sizes[:-1]))
        together = math.lcm(*sizes)
        unit.append(together if together <= _LARGEST_UNIT else max(sizes))
    return (source[0], source[1]), (unit[0], unit[1])
