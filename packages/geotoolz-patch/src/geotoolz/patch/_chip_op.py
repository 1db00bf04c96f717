"""A chip operator planned for chips of one size, and run on their arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any, Protocol, runtime_checkable

import numpy as np

from geotoolz.core import (
    ExecutorError,
    Extent,
    Operator,
    ParameterError,
    Program,
    TileError,
    TileSpec,
    compile,
)
from geotoolz.core._execute import Job, run_window
from geotoolz.core._lazy import xr
from geotoolz.patch._chip import Chip, chip_dataset, chip_spec
from geotoolz.patch._merge import Layers
from geotoolz.patch._sampler import chip_at

Array = np.ndarray[Any, Any]
Zoom = tuple[int, int]


@runtime_checkable
class TakesBatches(Protocol):
    """What a chip operator has that can treat several chips at once, such as a network on a GPU."""

    def map_batch(self, chips: Sequence[xr.Dataset]) -> Sequence[xr.Dataset]:
        """Return what each chip becomes, in their order."""


def require_batch(op: Operator, batch_size: int) -> None:
    """Raise for a batch size that would do nothing."""
    if batch_size < 1:
        raise ParameterError(f"batch_size={batch_size}", expected="1 chip or more")
    if batch_size > 1 and not isinstance(op, TakesBatches):
        raise ParameterError(
            f"batch_size={batch_size}, and {type(op).__name__} treats one chip at a time",
            expected="an operator with a method map_batch(chips)",
            fix="leave batch_size out",
        )


def require_plain(program: Program, who: str = "ApplyToChips") -> Program:
    """Raise for a pipeline that a chip cannot run alone: statistics of the scene, sinks, several outputs."""
    program.refuse_unfrozen("a chip sees a part of the scene; freeze the chip operator first")
    if program.reductions:
        raise ExecutorError(
            f"{program.reductions[0].path or 'the chip operator'} gathers a statistic of the whole scene",
            fix=f"put it before or behind {who}",
        )
    if program.sinks:
        raise ExecutorError(f"the chip operator of {who} writes files", fix=f"put the sink behind {who}")
    if len(program.states) != 1:
        raise ExecutorError(f"the chip operator has the outputs {', '.join(program.states)}", expected="one")
    return program


def made_by(program: Program) -> dict[str, int]:
    """Return the variables that a program computes, with their slots; the others pass through."""
    state = next(iter(program.states.values()))
    return {name: slot for name, slot in state.slots.items() if slot not in program.sources}


class ChipOp:
    """A chip operator for chips that are tiles of their own.

    Parameters
    ----------
    op : Operator
        What to do with a chip.
    scene : TileSpec
        The scene.
    size : tuple of int
        Rows and columns of a chip.
    """

    def __init__(self, op: Operator, scene: TileSpec, size: tuple[int, int]) -> None:
        self.op, self.scene, self.size = op, scene, size
        first = chip_spec(scene, chip_at(0, 0, size))
        whole = require_plain(compile(op, first))
        self.names = tuple(made_by(whole))
        self._program = compile(op, first, self.names)
        self.reads = self._program.inputs
        self.spec = whole.output
        self.zoom = _zoom(first, self.spec, type(op).__name__)
        slots = made_by(self._program)
        self.layers = Layers(
            {n: self._program.slots[slots[n]] for n in self.names},
            {n: self._program.leads[slots[n]] for n in self.names},
        )
        self._job = Job.of(self._program, slots.values(), (), self.spec.shape)
        steps = self._program.instructions
        self._somewhere = any(step.located or step.change is not None for step in steps)

    def run(self, arrays: Mapping[str, Array], chip: Chip) -> dict[str, Array]:
        """Return what a chip becomes; it may be a view of the pixels given, and is not to be written to."""
        job = self._job
        if self._somewhere or chip.extent.shape != self.size:
            program = compile(self.op, chip_spec(self.scene, chip), self.names)
            job = Job.of(program, made_by(program).values(), (), program.output.shape)
        sources, slots = job.program.sources, made_by(job.program)

        def fetch(slot: int, extent: Extent) -> Array:
            return extent.of(arrays[sources[slot][1]])

        found = run_window(job, fetch, Extent(0, job.shape[0], 0, job.shape[1]))
        return {name: found[slots[name]] for name in self.names}

    def run_batch(self, batch: Sequence[tuple[Mapping[str, Array], Chip]]) -> list[dict[str, Array]]:
        """Return what several chips become, all at once if the operator can."""
        if len(batch) == 1 or not isinstance(self.op, TakesBatches):
            return [self.run(arrays, chip) for arrays, chip in batch]
        tiles = [chip_dataset(chip_spec(self.scene, chip, self.reads), arrays) for arrays, chip in batch]
        results = list(self.op.map_batch(tiles))
        if len(results) != len(tiles):
            raise TileError(
                f"map_batch returned {len(results)} chips", expected=f"{len(tiles)}, one for each"
            )
        return [{name: _values(one, name) for name in self.names} for one in results]


def _values(ds: xr.Dataset, name: str) -> Array:
    if name not in ds.data_vars:
        raise TileError(f"a chip has no {name!r}", expected="what the operator's plan says")
    return np.asarray(ds.variables[name].values)


def _zoom(chip: TileSpec, out: TileSpec, who: str) -> Zoom:
    """Return how many output pixels a pixel of the chip becomes."""
    if out.shape == chip.shape and out.grid is chip.grid and out.offset == chip.offset:
        return (1, 1)
    y, x = (Fraction(o, c) if c else Fraction(1) for o, c in zip(out.shape, chip.shape, strict=True))
    zoom = (y.numerator, y.denominator)
    here, there = chip.window_geobox, out.window_geobox
    if y != x or (here is not None and there != zoomed(here, zoom)):
        raise TileError(
            f"{who} makes {out.shape[0]} × {out.shape[1]} pixels of {chip.shape[0]} × {chip.shape[1]}, "
            "and not in the same place",
            expected="the same corner and CRS, and pixels that divide into, or are made of, the old ones",
            fix="regrid the scene before or behind ApplyToChips",
        )
    return zoom


def zoomed(box: Any, zoom: Zoom) -> Any:
    """Return a grid with `zoom` pixels for one, from the same corner."""
    from odc.geo.geobox import GeoBox

    (up, down), t = zoom, box.affine
    shape = (box.shape[0] * up // down, box.shape[1] * up // down)
    return GeoBox(shape, type(t)(t.a * down / up, t.b, t.c, t.d, t.e * down / up, t.f), box.crs)


def zoomed_spec(scene: TileSpec, zoom: Zoom) -> TileSpec:
    """Return the scene on the grid that zoomed chips make together."""
    up, down = zoom
    box = scene.window_geobox
    shape = {"y": scene.shape[0] * up // down, "x": scene.shape[1] * up // down}
    grid = None if box is None else zoomed(box, zoom)
    return replace(scene, sizes={**scene.sizes, **shape}, grid=grid, offset=(0, 0))
