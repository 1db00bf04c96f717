"""Run a program on one window: the heart of every driver."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from geotoolz.core._builder import Instruction, Reduction
from geotoolz.core._compile import Program
from geotoolz.core._errors import TileError
from geotoolz.core._extent import Extent

Array = np.ndarray[Any, Any]
Fetch = Callable[[int, Extent], Array]
"""``fetch(slot, extent)`` returns the pixels of an input slot."""


def native(array: Array) -> Array:
    """Return an array in the byte order of this machine; kernels know no other."""
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


@dataclass(frozen=True)
class Job:
    """What is to be computed on every window: some slots and some statistics of one grid shape."""

    program: Program
    shape: tuple[int, int]
    wanted: tuple[int, ...]
    instructions: tuple[Instruction, ...]
    reductions: tuple[Reduction, ...]
    pointwise: bool
    last_use: Mapping[int, int]

    @classmethod
    def of(
        cls,
        program: Program,
        wanted: Iterable[int],
        reductions: Sequence[Reduction],
        shape: tuple[int, int],
    ) -> Job:
        """Collect the calls that lead to the wanted slots and statistics."""
        wanted = tuple(wanted)
        live = set(wanted).union(*(r.reads for r in reductions)) if reductions else set(wanted)
        kept: list[Instruction] = []
        for step in reversed(program.instructions):
            if live.intersection(step.writes):
                live.update(step.reads)
                kept.append(step)
        kept.reverse()
        last: dict[int, int] = {}
        for index, step in enumerate(kept):
            last.update(dict.fromkeys((*step.reads, *step.writes), index))
        for slot in (*wanted, *(s for r in reductions for s in r.reads)):
            last[slot] = len(kept)
        pointwise = all(step.footprint.is_pointwise for step in kept)
        return cls(program, shape, wanted, tuple(kept), tuple(reductions), pointwise, last)

    @property
    def needs_whole(self) -> Instruction | None:
        """The first call that looks at the whole tile, if there is one."""
        return next((s for s in self.instructions if not s.footprint.is_finite), None)

    def input_extents(self, extent: Extent) -> dict[int, Extent]:
        """Return which pixels of every slot are needed to compute a window, inputs included."""
        needed: dict[int, Extent] = dict.fromkeys(self.wanted, extent)
        for reduction in self.reductions:
            needed.update(dict.fromkeys((s for s in reduction.reads if s not in needed), extent))
        offset = next(iter(self.program.inputs_spec.values())).offset
        for step in reversed(self.instructions):
            outs = [needed[slot] for slot in step.writes if slot in needed]
            total = outs[0]
            for other in outs[1:]:
                total = total.union(other)
            needed.update((slot, total) for slot in step.writes)
            reads = total.grow(step.footprint, self.shape, offset)
            for slot in step.reads:
                needed[slot] = needed[slot].union(reads) if slot in needed else reads
        return needed


def run_window(job: Job, fetch: Fetch, extent: Extent, states: list[Any] | None = None) -> dict[int, Array]:
    """Compute the wanted slots of a window from no more pixels than it depends on.

    Parameters
    ----------
    job : Job
        The calls.
    fetch : callable
        Returns the pixels of an input slot; called once per slot.
    extent : Extent
        The window.
    states : list, optional
        One state per reduction of the job; updated in place with the window's pixels.

    Returns
    -------
    dict of int to array
        The wanted slots, cropped to the window.
    """
    needed = None if job.pointwise else job.input_extents(extent)
    sources = job.program.sources
    live: dict[int, Array] = {}

    def get(slot: int) -> Array:
        if slot not in live:
            live[slot] = fetch(slot, extent if needed is None else needed[slot])
        return live[slot]

    offset = (0, 0) if needed is None else next(iter(job.program.inputs_spec.values())).offset
    for index, step in enumerate(job.instructions):
        arrays = [get(slot) for slot in step.reads]
        if needed is None:
            results = _invoke(job, step, arrays, extent)
        else:
            results = _call(job, step, arrays, needed, offset)
        if not isinstance(results, tuple):
            results = (results,)
        _store(job.program, step, results, live, extent if needed is None else None)
        for slot in {*step.reads, *step.writes}:
            if job.last_use[slot] == index:
                del live[slot]
    if states is not None:
        for number, reduction in enumerate(job.reductions):
            arrays = [_crop(get(slot), needed, slot, extent) for slot in reduction.reads]
            states[number] = reduction.op.update(states[number], *arrays)
    return {slot: _crop(get(slot), needed, slot, extent) for slot in job.wanted if slot not in sources}


def _invoke(job: Job, step: Instruction, arrays: list[Array], extent: Extent) -> Any:
    """Call a kernel, telling it where it is if it asks."""
    if not step.located:
        return step.kernel(*arrays, *step.args)
    y, x = next(iter(job.program.inputs_spec.values())).offset
    here = Extent(extent.y0 + y, extent.y1 + y, extent.x0 + x, extent.x1 + x)
    return step.kernel(*arrays, *step.args, extent=here)


def _call(
    job: Job,
    step: Instruction,
    arrays: list[Array],
    needed: Mapping[int, Extent],
    offset: tuple[int, int],
) -> tuple[Array, ...]:
    """Call a kernel on the pixels it needs and crop what it returns to the pixels asked for."""
    out = needed[step.writes[0]] if step.writes else Extent(0, *job.shape[:1], 0, *job.shape[1:])
    read = out.grow(step.footprint, job.shape, offset)
    cut = [needed[slot].cut(array, read) for slot, array in zip(step.reads, arrays, strict=True)]
    results = _invoke(job, step, cut, read)
    if not isinstance(results, tuple):
        results = (results,)
    for result in results:
        _check_shape(step, result, read)
    return tuple(read.cut(result, out) for result in results)


def _check_shape(step: Instruction, result: Any, read: Extent) -> None:
    if not isinstance(result, np.ndarray) or result.shape[-2:] != read.shape:
        got = f"shape {result.shape}" if isinstance(result, np.ndarray) else f"a {type(result).__name__}"
        raise TileError(
            f"the kernel of {step.path or 'this step'} returned {got}",
            expected=f"an array (…, {read.shape[0]}, {read.shape[1]}) as its input",
        )


def _store(
    program: Program,
    step: Instruction,
    results: tuple[Array, ...],
    live: dict[int, Array],
    extent: Extent | None,
) -> None:
    if len(results) != len(step.writes):
        raise TileError(
            f"the kernel of {step.path or 'this step'} returned {len(results)} arrays",
            expected=f"{len(step.writes)}, as its plan says",
        )
    for slot, array in zip(step.writes, results, strict=True):
        if extent is not None:
            _check_shape(step, array, extent)
        promised, lead = program.slots[slot].dtype, program.leads[slot]
        if array.shape[:-2] != lead and slot not in program.temporaries:
            raise TileError(
                f"the kernel of {step.path or 'this step'} returned shape {array.shape}",
                expected=f"dims {program.slots[slot].dims} as its plan says",
            )
        if array.dtype != promised and slot not in program.temporaries:
            raise TileError(
                f"the kernel of {step.path or 'this step'} returned {array.dtype}",
                expected=f"{promised}, as its plan says",
            )
        live[slot] = array


def _crop(array: Array, needed: Mapping[int, Extent] | None, slot: int, extent: Extent) -> Array:
    return array if needed is None else needed[slot].cut(array, extent)
