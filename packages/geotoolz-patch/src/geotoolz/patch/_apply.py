"""ApplyToChips: an operator chip by chip, as a step of a pipeline."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from geotoolz.core import (
    Call,
    Footprint,
    Map,
    Operator,
    ParameterError,
    Plan,
    Program,
    TileSpec,
    compile,
    join_path,
)
from geotoolz.core._build import build_dataset
from geotoolz.core._execute import Job
from geotoolz.core._lazy import xr
from geotoolz.core._threads import thread_count
from geotoolz.patch._chip_kernels import (
    BlendChange,
    BlendKernel,
    ExactChange,
    ExactChangeKernel,
    ExactKernel,
    Settle,
)
from geotoolz.patch._chip_op import made_by, require_batch, require_plain, zoomed_spec
from geotoolz.patch._regular import GridSampler
from geotoolz.patch._source import concrete
from geotoolz.patch._stitcher import Stitcher

if TYPE_CHECKING:
    from collections.abc import Callable

    from geotoolz.core import Builder, State


class ApplyToChips(Map):
    """Apply an operator chip by chip, and put the chips together again.

    Where the operator's plan says how far it looks (its footprint), every chip is read with that halo and
    cropped, and the result is that of the whole scene, bit for bit; chips are then cells of
    ``min(stride, size - 2 · halo)`` pixels, and one that looks at single pixels needs no chips at all. An
    operator without a bounded footprint (an attention network, statistics of the chip), or a stitcher with
    a halo of its own, sees chips as tiles: they are blended by the stitcher's window, and the result is an
    approximation of the whole scene, yet the same for any cut of the work.

    What is written, its types, names, number and grid, is what the chip operator writes. A finer or coarser
    grid is taken over where every chip keeps its corner.

    Parameters
    ----------
    sampler : GridSampler
        The chips.
    chip_op : Operator
        What to do with a chip; frozen, without sinks.
    stitcher : Stitcher
        How chips become a scene again.
    batch_size : int
        Chips that an operator with a method ``map_batch(chips)`` is handed at once.
    zoom : float
        Output pixels per input pixel of a chip operator that is a Python function; other operators say it
        in their plan.

    Raises
    ------
    ParameterError
        If the chips do not cover the scene, are smaller than the halo, or do not begin where an aligned
        operator (a network's total stride) needs it.
    NotFrozenError
        If the operator needs statistics of the scene.
    TileError
        If overlapping chips of whole numbers that may be labels have no aggregation by name.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.patch import ApplyToChips, GridSampler
    >>> from geotoolz.radiometry import BoxMean
    >>> scene = simulate_scene((100, 80), bands=("red",))
    >>> smooth = BoxMean(2)
    >>> bool((ApplyToChips(GridSampler(32), smooth)(scene).red == smooth(scene).red).all())
    True
    """

    version: ClassVar[int] = 2  # 2: blended along x before y; chips beyond the scene mirror the scene

    sampler: GridSampler
    chip_op: Operator
    stitcher: Stitcher = Stitcher()
    batch_size: int = 1
    zoom: float = 1.0

    def validate(self) -> None:
        """Check batch and zoom."""
        require_batch(self.chip_op, self.batch_size)
        if not 0 < self.zoom < math.inf:
            raise ParameterError(f"zoom={self.zoom}", expected="above 0")

    def __call__(self, tile: Any, /, *more: Any) -> Any:
        """Apply the operator to a tile, or add it to a graph.

        Chips of a whole tile in memory that are blended are computed once each; in a longer pipeline, whose
        blocks of rows share chips, some are computed twice.
        """
        if isinstance(tile, xr.Dataset) and not self._opaque and not _lazy(tile):
            program = compile(self, TileSpec.of(tile))
            if any(isinstance(step.kernel, BlendKernel) for step in program.instructions):
                return self._stitched(tile, program)
        return super().__call__(tile, *more)

    @property
    def _opaque(self) -> bool:
        return any(getattr(child, "opaque", False) for _, child in self.walk())

    def _stitched(self, tile: xr.Dataset, program: Program) -> xr.Dataset:
        from geotoolz.patch._drive import run_chips

        threads = thread_count(None, math.prod(program.output.shape))
        found = run_chips(self, tile, workers=threads).tile
        arrays = {slot: found.variables[name].values for name, slot in made_by(program).items()}
        return build_dataset(program, {"": tile}, arrays, None)[""]

    def align(self, program: Program) -> int:
        """Return the blocks that a chip operator works in."""
        return math.lcm(*(step.footprint.align for step in program.instructions))

    def is_exact(self, program: Program) -> bool:
        """Whether chips of this operator give what the whole scene gives, bit for bit."""
        given = [self.stitcher.given(name) for name in made_by(program)]
        agree = all(one is None or one.agrees for one in given)
        return self.stitcher.halo is None and agree and program.footprint.is_finite

    def emit(self, builder: Builder, state: State, path: str) -> State:
        """Emit the chips; an operator on single pixels needs none and stands for itself."""
        whole = require_plain(compile(self.chip_op, state.spec))
        self.require_plan()
        self.sampler.require_cover(self.align(whole))
        asked = any(self.stitcher.given(name) is not None for name in made_by(whole))
        if whole.is_pointwise and self.is_exact(whole) and not asked:
            return builder.emit(self.chip_op, state, join_path(path, "chip_op"))
        return super().emit(builder, state, path)

    def interpret(
        self, tile: xr.Dataset, path: str, step: Callable[[Operator, xr.Dataset, str], xr.Dataset]
    ) -> xr.Dataset:
        """Apply a chip operator that is only known by running it, or any other under observers."""
        from geotoolz.core import run
        from geotoolz.patch._drive import run_chips

        if self._opaque:
            return run_chips(self, tile).tile
        result = run(self, tile)
        return result if isinstance(result, xr.Dataset) else result[""]

    def plan(self, tile: TileSpec) -> Plan:
        """Plan the chips of a tile."""
        scene = concrete(tile)
        whole = require_plain(compile(self.chip_op, scene))
        self.require_plan()
        self.sampler.require_cover(self.align(whole))
        return self._exact(scene, whole) if self.is_exact(whole) else self._blended(scene, whole)

    def require_plan(self) -> None:
        """Raise for dates in blocks, and for a zoom beside an operator that says it in its plan."""
        if self.sampler.geometry.time is not None:
            raise ParameterError(
                f"chips of {self.sampler.geometry.time} dates inside a pipeline",
                expected="a geometry without time",
                fix="run_chips(…) cuts along time too",
            )
        if self.zoom != 1:
            raise ParameterError(
                f"zoom={self.zoom}, and {type(self.chip_op).__name__} says in its plan what grid it makes",
                fix="leave zoom out",
            )

    def cell(self, footprint: Footprint) -> tuple[int, int]:
        """Return the pixels that a chip contributes where its operator's footprint is cropped."""
        found = []
        for what, size, stride, reach in zip(
            ("rows", "columns"), self.sampler.geometry.size, self.sampler.steps,
            (footprint.y, footprint.x), strict=True,
        ):  # fmt: skip
            cell = min(stride, size - 2 * int(reach)) // footprint.align * footprint.align
            if cell < 1:
                raise ParameterError(
                    f"chips of {size} {what}, and the operator looks {reach} pixels far",
                    expected=f"chips of more than {2 * int(reach)} {what}",
                )
            found.append(cell)
        return found[0], found[1]

    def _exact(self, scene: TileSpec, whole: Program) -> Plan:
        names = tuple(made_by(whole))
        program = compile(self.chip_op, scene, names)
        slots = made_by(program)
        specs = {name: program.slots[slots[name]] for name in names}
        self.stitcher.check_names(specs)
        how = {n: one for n in names if (one := self.stitcher.given(n)) is not None}
        settle = Settle(how, specs)
        writes = {n: how[n].output(n, s) if n in how else s for n, s in specs.items()}
        cell = self.cell(program.footprint)
        out = whole.output
        if out.grid is scene.grid:
            kernel = ExactKernel(self.chip_op, scene, program.inputs, names, cell, settle)
            call = Call(program.inputs, names, kernel, footprint=program.footprint, located=True)
            return _described(scene, whole, Plan(writes=writes, calls=(call,)))
        job = Job.of(program, slots.values(), (), out.shape)
        box = out.geobox
        if box is None:
            raise ParameterError("the chip operator changes the grid and does not say to which")
        change = ExactChange(box, out.shape, out.offset, scene.shape, (1.0, 1.0), job)
        scale = (scene.shape[0] / max(out.shape[0], 1), scene.shape[1] / max(out.shape[1], 1))
        change = replace(change, scale=(max(scale[0], 1.0), max(scale[1], 1.0)))
        moved = ExactChangeKernel(job, program.inputs, names, (scene.offset, out.offset), cell, settle)
        call = Call(program.inputs, names, moved, located=True)
        return _described(scene, whole, Plan(writes=writes, calls=(call,), grid=change))

    def _blended(self, scene: TileSpec, whole: Program) -> Plan:
        sampler = self.sampler
        lines = sampler.lines(scene.shape)
        sampler.require_aligned(lines, self.align(whole))
        kernel = BlendKernel(self.chip_op, scene, self.stitcher, *lines, sampler.boundary, self.batch_size)
        op = kernel.chip_op
        rows, cols = kernel.profiles  # chips that leave something out are told now
        writes = self.stitcher.outputs(op.layers.specs, rows.overlap * cols.overlap)
        h, w = sampler.geometry.size
        footprint = Footprint(h - 1, w - 1, "all" if "time" in scene.sizes else 0)
        call = Call(op.reads, op.names, kernel, footprint=footprint, located=True)
        change = None
        if op.zoom != (1, 1):
            out, (up, down) = zoomed_spec(scene, op.zoom), op.zoom
            box = out.require_geobox("ApplyToChips")
            ratio = max(down / up, 1.0)
            change = BlendChange(box, out.shape, (0, 0), scene.shape, (ratio, ratio), kernel)
        return _described(scene, whole, Plan(writes=writes, calls=(call,), grid=change))


def _lazy(tile: xr.Dataset) -> bool:
    return any(tile.variables[name].chunks is not None for name in tile.data_vars)


def _described(scene: TileSpec, whole: Program, plan: Plan) -> Plan:
    """Add what the chip operator does to other variables, to attributes and to other dimensions."""
    state = next(iter(whole.states.values()))
    out, made = state.spec, made_by(whole)
    passed = {n: whole.sources[slot][1] for n, slot in state.slots.items() if slot in whole.sources}
    renames = {old: new for new, old in passed.items() if old != new}
    kept = {*passed.values(), *(n for n in made if n in scene.variables)}
    drops = tuple(n for n in scene.variables if n not in kept)
    attrs: dict[str, Any] = {
        k: v for k, v in out.attrs.items() if k not in scene.attrs or scene.attrs[k] is not v
    }
    attrs.update(dict.fromkeys((k for k in scene.attrs if k not in out.attrs), None))
    coords: dict[str, Any] = {}
    if out.coords is not scene.coords:
        coords = {n: c for n, c in out.coords.items() if scene.coords.get(n) is not c}
        coords.update({d: None for d in scene.sizes if d not in out.sizes})
    back = {new: old for old, new in renames.items()}
    order = [back.get(n, n) for n in out.variables if back.get(n, n) in kept]
    own = tuple(n for n in scene.variables if n in kept)
    return replace(
        plan, drops=drops, renames=renames, attrs=attrs, coords=coords,
        order=() if tuple(order) == own else tuple(order),
    )  # fmt: skip
