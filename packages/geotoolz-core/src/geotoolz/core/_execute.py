"""Run a program on one window: the heart of every driver."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from geotoolz.core._builder import Instruction, Reduction
from geotoolz.core._compile import Program
from geotoolz.core._errors import ExecutorError, TileError
from geotoolz.core._extent import Extent
from geotoolz.core._footprint import ALL
from geotoolz.core._jit import PixelKernel
from geotoolz.core._scratch import Scratch

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
    frees: tuple[tuple[int, ...], ...]
    """After each call, the slots that nobody needs any more."""

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
        _require_aligned(program, kept)
        if len(kept) > 2:
            kept = _depth_first(program, kept)
        used = {*wanted, *(s for r in reductions for s in r.reads)}
        frees: list[tuple[int, ...]] = []
        for step in reversed(kept):
            gone = {*step.reads, *step.writes} - used
            used |= gone
            frees.append(tuple(gone))
        frees.reverse()
        pointwise = all(step.is_pointwise for step in kept)
        return cls(program, shape, wanted, tuple(kept), tuple(reductions), pointwise, tuple(frees))

    @property
    def whole_axes(self) -> tuple[bool, bool]:
        """Whether some call looks at whole columns (along y), and at whole rows (along x)."""
        reaches = [step.footprint for step in self.instructions]
        return any(f.y == ALL for f in reaches), any(f.x == ALL for f in reaches)

    @property
    def needs_whole(self) -> Instruction | None:
        """The call that makes the whole tile necessary, if there is one."""
        if self.whole_axes != (True, True):
            return None
        both = (s for s in self.instructions if s.footprint.y == ALL and s.footprint.x == ALL)
        unbounded = (s for s in reversed(self.instructions) if not s.footprint.is_finite)
        return next(both, None) or next(unbounded)

    def input_extents(self, extent: Extent) -> dict[int, Extent]:
        """Return which pixels of every slot are needed to compute a window, inputs included."""
        needed: dict[int, Extent] = dict.fromkeys(self.wanted, extent)
        for reduction in self.reductions:
            needed.update(dict.fromkeys((s for s in reduction.reads if s not in needed), extent))
        for step in reversed(self.instructions):
            outs = [needed[slot] for slot in step.writes if slot in needed]
            total = outs[0]
            for other in outs[1:]:
                total = total.union(other)
            needed.update((slot, total) for slot in step.writes)
            reads = self.domain(step, total)
            for slot in step.reads:
                needed[slot] = needed[slot].union(reads) if slot in needed else reads
        return needed

    def domain(self, step: Instruction, out: Extent) -> Extent:
        """Return the pixels that a call reads to make `out`, on the lattice of what it reads."""
        if step.change is not None:
            return step.change.needed(out)
        slot = step.writes[0]
        return out.grow(step.footprint, self.program.shapes[slot], self.program.offsets[slot])


def run_window(
    job: Job,
    fetch: Fetch,
    extent: Extent,
    states: list[Any] | None = None,
    into: Mapping[int, Array] | None = None,
    scratch: Scratch | None = None,
) -> dict[int, Array]:
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
    into : mapping of int to array, optional
        Arrays of the whole output that the wanted slots' pixels are written into.
    scratch : Scratch, optional
        Buffers of this worker, for what lies between the input and the output.

    Returns
    -------
    dict of int to array
        The wanted slots, cropped to the window; none with `into`.
    """
    needed = None if job.pointwise else job.input_extents(extent)
    sources = job.program.sources
    live: dict[int, Array] = {}

    def get(slot: int) -> Array:
        if slot not in live:
            array = fetch(slot, extent if needed is None else needed[slot])
            live[slot] = array if needed is not None or scratch is None else scratch.contiguous(array)
        return live[slot]

    for index, step in enumerate(job.instructions):
        arrays = [get(slot) for slot in step.reads]
        places = None
        if needed is None and scratch is not None:
            places = _written_in_place(job, step, arrays, extent, into or {}, scratch)
        if places is not None:
            live.update(zip(step.writes, places, strict=True))
            del places, arrays  # only what nobody holds is used again
            _forget(job.frees[index], live, scratch)
            continue
        results = _invoke(job, step, arrays, extent) if needed is None else _call(job, step, arrays, needed)
        if not isinstance(results, tuple):
            results = (results,)
        _store(job.program, step, results, live, extent if needed is None else None)
        del results, arrays
        _forget(job.frees[index], live, scratch)
    if states is not None:
        for number, reduction in enumerate(job.reductions):
            arrays = [_crop(get(slot), needed, slot, extent) for slot in reduction.reads]
            where = {"extent": extent.moved(reduction.spec.offset)} if reduction.op.located else {}
            update: Callable[..., Any] = reduction.op.update
            states[number] = update(states[number], *arrays, **where)
    made = {slot: _crop(get(slot), needed, slot, extent) for slot in job.wanted if slot not in sources}
    if into is None:
        return made
    for slot, array in made.items():
        target = extent.of(into[slot])
        if array.base is not into[slot]:  # else a kernel has written it there
            target[...] = array
    return {}


def _forget(slots: tuple[int, ...], live: dict[int, Array], scratch: Scratch | None) -> None:
    """Let go of arrays that nobody needs any more."""
    for slot in slots:
        if scratch is None:
            del live[slot]
        else:
            scratch.give(live.pop(slot))


def _written_in_place(
    job: Job,
    step: Instruction,
    arrays: list[Array],
    extent: Extent,
    into: Mapping[int, Array],
    scratch: Scratch,
) -> list[Array] | None:
    """Let a kernel write straight into the outputs, or into buffers, where it can."""
    kernel = step.kernel
    if step.located or not isinstance(kernel, PixelKernel) or len(step.writes) != kernel.outputs:
        return None
    dtype = kernel.dtype or arrays[0].dtype
    places: list[Array] = []
    for slot in step.writes:
        if dtype != job.program.slots[slot].dtype and slot not in job.program.temporaries:
            return None
        target = extent.of(into[slot]) if slot in into else None
        if target is None or not target.flags.c_contiguous:
            target = scratch.take((*job.program.leads[slot], *extent.shape), dtype)
        places.append(target)
    return places if kernel.into(tuple(places), *arrays, *step.args) else None


def _depth_first(program: Program, steps: list[Instruction]) -> list[Instruction]:
    """Let each call be followed by one that reads what it wrote, as far as possible.

    Every slot is written once, so any order that respects the reads is right; in this one pixels are
    still in the cache when they are needed again, and fewer arrays live at a time.
    """
    done, left, ordered = set(program.sources), list(steps), []
    last: tuple[int, ...] = ()
    while left:
        ready = [step for step in left if done.issuperset(step.reads)]
        step = next((s for s in ready if not set(last).isdisjoint(s.reads)), ready[0])
        left.remove(step)
        ordered.append(step)
        done.update(step.writes)
        last = step.writes
    return ordered


def _require_aligned(program: Program, steps: Sequence[Instruction]) -> None:
    """Raise for a tile that begins inside a block of an aligned kernel: its first block would be cut."""
    for step in steps:
        offset = program.offsets[step.writes[0]]
        if any(first % step.footprint.align for first in offset):
            raise ExecutorError(
                f"the tile begins at row and column {offset} of its lattice, and "
                f"{step.path or 'this step'} works in blocks of {step.footprint.align}",
                expected=f"a tile that begins at multiples of {step.footprint.align}",
                fix="read a larger window, and crop the result",
            )


def _invoke(
    job: Job, step: Instruction, arrays: list[Array], extent: Extent, source: Extent | None = None
) -> Any:
    """Call a kernel, telling it where it is if it asks or if the grid changes."""
    if not step.located and source is None:
        return step.kernel(*arrays, *step.args)
    where = {"extent": extent.moved(job.program.offsets[step.writes[0]])}
    if source is not None:
        where["source"] = source.moved(job.program.offsets[step.reads[0]]) if step.reads else source
    return step.kernel(*arrays, *step.args, **where)


def _call(
    job: Job, step: Instruction, arrays: list[Array], needed: Mapping[int, Extent]
) -> tuple[Array, ...]:
    """Call a kernel on the pixels it needs and crop what it returns to the pixels asked for."""
    out = needed[step.writes[0]]
    read = job.domain(step, out)
    cut = [needed[slot].cut(array, read) for slot, array in zip(step.reads, arrays, strict=True)]
    given = read if step.change is None else out  # the pixels that the kernel returns
    results = _invoke(job, step, cut, given, None if step.change is None else read)
    if not isinstance(results, tuple):
        results = (results,)
    for result in results:
        _check_shape(step, result, given)
    return tuple(given.cut(result, out) for result in results)


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
        promised, lead = program.slots[slot].dtype, program.leads[slot]
        live[slot] = array
        if extent is not None:
            try:
                if array.dtype == promised and array.shape == (*lead, *extent.shape):
                    continue
            except AttributeError:  # no array at all
                pass
            _check_shape(step, array, extent)
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


def _crop(array: Array, needed: Mapping[int, Extent] | None, slot: int, extent: Extent) -> Array:
    return array if needed is None else needed[slot].cut(array, extent)
