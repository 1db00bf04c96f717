"""Loops over pixels, prepared once and replayed on every block: a call costs its loop, and little else.

`run_window` asks of every array of every call whether it fits. In a job of compiled loops over pixels the
answers are the same for every block; here they are found beforehand, from the program alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from geotoolz.core._builder import Instruction
from geotoolz.core._execute import Array, Fetch, Job
from geotoolz.core._extent import Extent
from geotoolz.core._jit import PixelKernel, flat_view

_MOST_SIZES = 8  # sizes of blocks whose buffers' views are kept: a tile has four, at most


@dataclass(frozen=True)
class _Kind:
    """What the array of a slot is: its dtype, and how many planes it has."""

    dtype: np.dtype[Any]
    lead: tuple[int, ...]

    @property
    def planes(self) -> int:
        return math.prod(self.lead)


@dataclass(frozen=True)
class _Step:
    """One loop, with the buffers that it writes to, and the slots that are read for the last time."""

    loop: Callable[..., Any]
    reads: tuple[int, ...]
    writes: tuple[tuple[int, int], ...]
    args: tuple[Any, ...]
    frees: tuple[int, ...]


class Replay:
    """The calls of a job, ready to be run on any block by one worker.

    Made by `of`, which returns None for jobs that need `run_window`.
    """

    def __init__(self, job: Job, kinds: Mapping[int, _Kind]) -> None:
        self._job = job
        self._kinds = kinds
        self._buffers: list[Array | None] = []
        self._buffer_kinds: list[_Kind] = []
        self._views: dict[int, list[tuple[Array, Array] | None]] = {}
        self._steps = self._allocated()

    @classmethod
    def of(cls, job: Job) -> Replay | None:
        """Prepare a job, if all its calls are compiled loops over the pixels of arrays of one shape."""
        kinds = _kinds(job) if job.pointwise and job.instructions else None
        return None if kinds is None else cls(job, kinds)

    def run(self, fetch: Fetch, extent: Extent, states: list[Any] | None, into: Mapping[int, Array]) -> bool:
        """Compute a window as `run_window` does; False if an input is not what the program says."""
        pixels = math.prod(extent.shape)
        flat: dict[int, Array] = {}
        held: dict[int, Array] = {}
        for step in self._steps:
            for slot in step.reads:
                if slot not in flat and not self._read(slot, fetch, extent, flat, held):
                    return False
            outs = []
            for slot, number in step.writes:
                out, seen = self._place(slot, number, extent, pixels, into)
                outs.append(out)
                flat[slot] = seen
            step.loop(*outs, *[flat[slot] for slot in step.reads], *step.args)
            for slot in step.frees:
                flat.pop(slot, None)
                held.pop(slot, None)
        for slot in self._job.wanted:
            if slot in flat and flat[slot].base is not into[slot]:
                extent.of(into[slot])[...] = self._shaped(slot, flat, extent)
        return self._reduced(fetch, extent, states, flat, held)

    def _reduced(
        self,
        fetch: Fetch,
        extent: Extent,
        states: list[Any] | None,
        flat: dict[int, Array],
        held: dict[int, Array],
    ) -> bool:
        """Hand the block's pixels to the statistics."""
        reductions = self._job.reductions if states is not None else ()
        arrays: list[list[Array]] = []
        for reduction in reductions:  # everything is read before the first state changes
            for slot in reduction.reads:
                if slot not in flat and not self._read(slot, fetch, extent, flat, held):
                    return False
            arrays.append([held[s] if s in held else self._shaped(s, flat, extent) for s in reduction.reads])
        for number, (reduction, given) in enumerate(zip(reductions, arrays, strict=True)):
            where = {"extent": extent.moved(reduction.spec.offset)} if reduction.op.located else {}
            update: Callable[..., Any] = reduction.op.update
            if states is not None:
                states[number] = update(states[number], *given, **where)
        return True

    def _read(
        self, slot: int, fetch: Fetch, extent: Extent, flat: dict[int, Array], held: dict[int, Array]
    ) -> bool:
        """Fetch an input; its pixels in one piece, copied once where they are not."""
        kind, array = self._kinds[slot], fetch(slot, extent)
        if array.dtype != kind.dtype or array.shape != (*kind.lead, *extent.shape):
            return False
        held[slot], flat[slot] = array, flat_view(array)
        return True

    def _place(
        self, slot: int, number: int, extent: Extent, pixels: int, into: Mapping[int, Array]
    ) -> tuple[Array, Array]:
        """Return where a loop writes a slot, flat: to be written, and to be read."""
        if slot in into:
            target = extent.of(into[slot])
            if target.flags.c_contiguous:
                out = target.reshape(-1)
                seen = out.view()
                seen.flags.writeable = False
                return out, seen
        views = self._views.get(pixels)
        if views is None:
            if len(self._views) >= _MOST_SIZES:
                self._views.clear()
            views = self._views[pixels] = [None] * len(self._buffers)
        made = views[number]
        if made is None:
            made = views[number] = self._view(number, pixels)
        return made

    def _view(self, number: int, pixels: int) -> tuple[Array, Array]:
        kind, buffer = self._buffer_kinds[number], self._buffers[number]
        size = kind.planes * pixels
        if buffer is None or buffer.size < size:
            buffer = self._buffers[number] = np.empty(size, kind.dtype)
            for views in self._views.values():  # those of the smaller buffer
                views[number] = None
        out = buffer[:size]
        seen = out.view()
        seen.flags.writeable = False
        return out, seen

    def _shaped(self, slot: int, flat: Mapping[int, Array], extent: Extent) -> Array:
        return flat[slot].reshape(*self._kinds[slot].lead, *extent.shape)

    def _allocated(self) -> tuple[_Step, ...]:
        """Give every slot that is written a buffer; one is used again once nobody reads its slot any more."""
        job, free = self._job, dict[_Kind, list[int]]()
        numbers: dict[int, int] = {}
        steps = []
        for step, frees in zip(job.instructions, job.frees, strict=True):
            kernel: Any = step.kernel
            for slot in step.writes:
                kind = self._kinds[slot]
                if free.get(kind):
                    numbers[slot] = free[kind].pop()
                else:
                    numbers[slot] = len(self._buffers)
                    self._buffers.append(None)
                    self._buffer_kinds.append(kind)
            loop = kernel.compile()
            writes = tuple((slot, numbers[slot]) for slot in step.writes)
            steps.append(_Step(loop, step.reads, writes, step.args, frees))
            for slot in frees:
                if slot in numbers:
                    free.setdefault(self._kinds[slot], []).append(numbers[slot])
        return tuple(steps)


def _kinds(job: Job) -> dict[int, _Kind] | None:
    """Return what every slot of a job holds, or None where a call has to be looked at every time."""
    program = job.program
    kinds = {
        slot: _Kind(np.dtype(program.slots[slot].dtype).newbyteorder("="), program.leads[slot])
        for slot in program.sources
    }
    for step in job.instructions:
        kernel = step.kernel
        if type(kernel).into is not PixelKernel.into if isinstance(kernel, PixelKernel) else True:
            return None
        made = _made(step, kernel, kinds)
        if made is None:
            return None
        for slot in step.writes:
            promised = _Kind(np.dtype(program.slots[slot].dtype), program.leads[slot])
            if made != promised and slot not in program.temporaries:
                return None
            kinds[slot] = made
    return kinds


def _made(step: Instruction, kernel: Any, kinds: Mapping[int, _Kind]) -> _Kind | None:
    """Return what a call writes, or None if its arrays do not all have one shape."""
    if step.located or len(step.reads) != kernel.arrays or len(step.writes) != kernel.outputs:
        return None
    given = [kinds[slot] for slot in step.reads]
    if any(one.lead != given[0].lead for one in given):
        return None
    return _Kind(given[0].dtype if kernel.dtype is None else kernel.dtype, given[0].lead)
