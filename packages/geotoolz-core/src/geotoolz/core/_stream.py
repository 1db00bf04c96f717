"""From windows to windows: the scheduler of streams. It knows neither files nor formats.

Some threads read and compute, each a window at a time; the calling thread writes. Between them lie a fixed
number of output buffers, so a slow writer holds the readers back and memory stays what it was at the start.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import Queue
from typing import Any, Protocol

import numpy as np

from geotoolz.core._blocks import BLOCK_PIXELS
from geotoolz.core._execute import Array, Fetch, Job, run_window
from geotoolz.core._extent import Extent, windows
from geotoolz.core._memory import buffer
from geotoolz.core._run import merge_states

AHEAD = 1
"""Output buffers beyond one per thread."""
_OVERLAP = 1.15  # how much more than the window its blocks may read together


class Input(Protocol):
    """Where pixels come from; called by several threads at once."""

    def load(self, extents: Mapping[int, Extent]) -> Fetch:
        """Read pixels of input slots; the answer cuts parts out of them until this thread's next call."""

    def release(self) -> None:
        """Close what the calling thread keeps open."""


class Output(Protocol):
    """Where pixels go; called by one thread."""

    def put(self, slot: int, extent: Extent, pixels: Array) -> None:
        """Take the pixels of a window; they are overwritten afterwards."""


@dataclass
class Clock:
    """Seconds spent by all threads together, by what they did."""

    seconds: dict[str, float] = field(default_factory=lambda: {"read": 0.0, "compute": 0.0, "write": 0.0})
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @contextmanager
    def time(self, name: str) -> Iterator[None]:
        """Time what happens inside."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - begin
            with self._lock:
                self.seconds[name] = self.seconds.get(name, 0.0) + spent


def job_inputs(job: Job) -> tuple[int, ...]:
    """Return the input slots that a job needs, those that pass through included."""
    used = [*job.wanted, *(s for r in job.reductions for s in r.reads)]
    used += [slot for step in job.instructions for slot in step.reads]
    return tuple(dict.fromkeys(slot for slot in used if slot in job.program.sources))


def blocks_of(job: Job, extent: Extent, rows: int) -> list[Extent]:
    """Cut a window into blocks of some rows; along an axis that a call sees whole there is no cut."""
    along_y, _ = job.whole_axes
    height, width = extent.shape
    if along_y or rows >= height:
        return [extent]
    cut = windows((height, width), (rows, max(width, 1)))
    return [e.moved((extent.y0, extent.x0)) for e in cut]


def block_rows(job: Job, extent: Extent) -> int:
    """Return how many rows the blocks of a window should have.

    Few enough for the cache, unless the pixels around each block would be computed over and over again.
    """
    height, width = extent.shape
    rows = max(1, _block_pixels(job) // max(width, 1))
    whole = _work(job, extent)
    while rows < height:
        step = Extent(extent.y0, min(extent.y0 + rows, extent.y1), extent.x0, extent.x1)
        middle = step.moved(((height - rows) // 2, 0))
        if _work(job, middle) * height <= _OVERLAP * whole * rows:
            break
        rows *= 2
    return min(rows, max(height, 1))


def _block_pixels(job: Job) -> int:
    """Return the pixels of a block; statistics that make no temporaries may ask for more."""
    if job.instructions or job.wanted:
        return BLOCK_PIXELS
    return min((getattr(r.op, "block_pixels", BLOCK_PIXELS) for r in job.reductions), default=BLOCK_PIXELS)


def _work(job: Job, extent: Extent) -> int:
    """Return the pixels that all calls together treat."""
    if job.pointwise:
        return extent.shape[0] * extent.shape[1]
    needed = job.input_extents(extent)
    return sum(needed[slot].shape[0] * needed[slot].shape[1] for slot in needed)


@dataclass(frozen=True)
class Pass:
    """One visit of all windows of a job."""

    job: Job
    extents: Sequence[Extent]
    threads: int
    previous: Any = None

    def states(self) -> list[Any]:
        """Return empty states."""
        return [r.op.init(r.spec, self.previous) for r in self.job.reductions]


def visit(
    todo: Pass, source: Input, output: Output, clock: Clock, told: Callable[[int], None] | None = None
) -> list[Any]:
    """Compute every window of a job and hand it on; return the merged states of its statistics.

    Parameters
    ----------
    todo : Pass
        The job and its windows.
    source : Input
        Gives pixels.
    output : Output
        Takes pixels; called by this thread only.
    clock : Clock
        Takes the times.
    told : callable, optional
        Called with the number of finished windows after each.
    """
    return _Visit(todo, source, output, clock).run(told)


class _Visit:
    def __init__(self, todo: Pass, source: Input, output: Output, clock: Clock) -> None:
        self.todo, self.job, self.source, self.output, self.clock = todo, todo.job, source, output, clock
        self.threads = max(1, min(todo.threads, len(todo.extents)))
        self.inputs = job_inputs(todo.job)
        self.todo_next = iter(todo.extents)
        self.lock = threading.Lock()
        self.stop = threading.Event()
        self.free: Queue[dict[int, Array] | None] = Queue()
        self.full: Queue[tuple[Extent, dict[int, Array]] | None] = Queue()
        pixels = max((e.shape[0] * e.shape[1] for e in todo.extents), default=0)
        for _ in range(min(self.threads + AHEAD, len(todo.extents))):
            self.free.put({slot: self._buffer(slot, pixels) for slot in self.job.wanted})

    def _buffer(self, slot: int, pixels: int) -> Array:
        program = self.job.program
        planes = int(np.prod(program.leads[slot], dtype=np.int64))
        return buffer((planes * pixels,), program.slots[slot].dtype)

    def run(self, told: Callable[[int], None] | None) -> list[Any]:
        with ThreadPoolExecutor(self.threads, thread_name_prefix="geotoolz-stream") as pool:
            workers = [pool.submit(self._work) for _ in range(self.threads)]
            try:
                self._write(told)
            finally:
                self.stop.set()
                for _ in workers:
                    self.free.put(None)
        return merge_states(self.job.reductions, [worker.result() for worker in workers])

    def _write(self, told: Callable[[int], None] | None) -> None:
        """Write windows as they come until every worker has said that it is done."""
        left, done = self.threads, 0
        while left:
            item = self.full.get()
            if item is None:
                left -= 1
                continue
            if self.stop.is_set():
                continue
            extent, buffers = item
            with self.clock.time("write"):
                for slot, flat in buffers.items():
                    self.output.put(slot, extent, self._shaped(slot, flat, extent))
            self.free.put(buffers)
            done += 1
            if told is not None:
                told(done)

    def _work(self) -> list[Any]:
        """Read and compute windows until there are none left."""
        states = self.todo.states()
        finished = False
        try:
            while (buffers := self.free.get()) is not None and not self.stop.is_set():
                with self.lock:
                    extent = next(self.todo_next, None)
                if extent is None:
                    self.free.put(buffers)
                    break
                self._window(extent, buffers, states)
                self.full.put((extent, buffers))
            finished = True
        finally:
            if not finished:
                self.stop.set()
                for _ in range(self.threads):
                    self.free.put(None)  # who waits for a buffer stops too
            self.source.release()
            self.full.put(None)
        return states

    def _window(self, extent: Extent, buffers: dict[int, Array], states: list[Any]) -> None:
        job = self.job
        needed = job.input_extents(extent)
        with self.clock.time("read"):
            fetch = self.source.load({slot: needed[slot] for slot in self.inputs})
        with self.clock.time("compute"):
            for block in blocks_of(job, extent, block_rows(job, extent)):
                found = run_window(job, fetch, block, states if states else None)
                place = (slice(block.y0 - extent.y0, block.y1 - extent.y0),
                         slice(block.x0 - extent.x0, block.x1 - extent.x0))  # fmt: skip
                for slot, flat in buffers.items():
                    pixels = found[slot] if slot in found else fetch(slot, block)
                    self._shaped(slot, flat, extent)[(..., *place)] = pixels

    def _shaped(self, slot: int, flat: Array, extent: Extent) -> Array:
        shape = (*self.job.program.leads[slot], *extent.shape)
        return flat[: int(np.prod(shape, dtype=np.int64))].reshape(shape)
