"""What is done with the chips of a scene: read, compute, in any order and any process."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from geotoolz.core import (
    Extent,
    TileSpec,
    VarSpec,
    compile,
)
from geotoolz.core._execute import Job, run_window
from geotoolz.patch._chip import read_chip
from geotoolz.patch._chip_kernels import BlendKernel, Settle
from geotoolz.patch._chip_op import (
    made_by,
    require_plain,
    zoomed_spec,
)
from geotoolz.patch._line import Profile, profile, regular_line
from geotoolz.patch._merge import Layers
from geotoolz.patch._source import Array, Source
from geotoolz.patch._windows import Boxcar

if TYPE_CHECKING:
    from geotoolz.patch._apply import ApplyToChips

Place = tuple[int, int]
Results = list[dict[str, Array]]


class Work(ABC):
    """The chips of a scene and what becomes of them.

    Attributes
    ----------
    layers : Layers
        What a chip becomes.
    out : TileSpec
        The stitched tile.
    rows, cols : Profile
        What chips contribute along y and x.
    copy : bool
        Whether pixels are taken as they are.
    """

    layers: Layers
    out: TileSpec
    rows: Profile
    cols: Profile
    copy: bool = False

    @abstractmethod
    def run(self, places: Sequence[Place]) -> Results:
        """Read and compute some chips."""

    @abstractmethod
    def chip_bytes(self) -> int:
        """Return the bytes that a chip takes while it is read and computed."""

    def places(self) -> list[Place]:
        """Return row and column of all chips, in order."""
        return [(i, j) for i in range(len(self.rows.shares)) for j in range(len(self.cols.shares))]


def bytes_of(specs: Mapping[str, VarSpec], sizes: Mapping[str, int], shape: tuple[int, int]) -> int:
    total = 0
    for spec in specs.values():
        lead = int(np.prod([sizes[d] for d in spec.dims[:-2]], dtype=np.int64))
        total += lead * shape[0] * shape[1] * spec.dtype.itemsize
    return total


class ExactWork(Work):
    """Cells that do not overlap, each computed with the halo that the operator's plan asks for."""

    copy = True

    def __init__(self, apply: ApplyToChips, source: Source) -> None:
        scene = source.spec
        whole = require_plain(compile(apply.chip_op, scene), "run_chips")
        names = tuple(made_by(whole))
        program = compile(apply.chip_op, scene, names)
        slots = made_by(program)
        self._source, self._slots = source, slots
        specs = {name: program.slots[slots[name]] for name in names}
        apply.stitcher.check_names(specs)
        how = {n: one for n in names if (one := apply.stitcher.given(n)) is not None}
        self._settle = Settle(how, specs)
        settled = {n: how[n].output(n, s) if n in how else s for n, s in specs.items()}
        self.layers = Layers(settled, {n: program.leads[slots[n]] for n in names})
        self.out = whole.output.evolve({n: settled[n] for n in names})
        self._job = Job.of(program, slots.values(), (), self.out.shape)
        cell = apply.cell(program.footprint)
        ones = Boxcar().weights
        lines = [regular_line(n, c, c, "reflect") for n, c in zip(self.out.shape, cell, strict=True)]
        self.rows, self.cols = profile(lines[0], ones), profile(lines[1], ones)
        self._cell = cell

    def run(self, places: Sequence[Place]) -> Results:
        """Read and compute some cells."""
        return [self._one(place) for place in places]

    def _one(self, place: Place) -> dict[str, Array]:
        y, x = self.rows.shares[place[0]], self.cols.shares[place[1]]
        cell = Extent(y.first, y.end, x.first, x.end)
        needed = self._job.input_extents(cell)
        sources = self._job.program.sources
        held: dict[str, tuple[Extent, Array]] = {}

        def fetch(slot: int, extent: Extent) -> Array:
            name = sources[slot][1]
            if name not in held:
                e = needed[slot]
                rows, cols = slice(e.y0, e.y1), slice(e.x0, e.x1)
                held[name] = (e, self._source.arrays([name], rows, cols)[name])
            return held[name][0].cut(held[name][1], extent)

        found = run_window(self._job, fetch, cell)
        return {name: self._settle(name, found[slot]) for name, slot in self._slots.items()}

    def chip_bytes(self) -> int:
        """Return the bytes of what a cell reads and writes, and as much again for what lies between."""
        y0, x0 = (n // 2 for n in self.out.shape)
        shape = self.out.shape
        cell = Extent(y0, min(y0 + self._cell[0], shape[0]), x0, min(x0 + self._cell[1], shape[1]))
        needed = self._job.input_extents(cell)
        program = self._job.program
        total = 0
        for slot, extent in needed.items():
            lead = int(np.prod(program.leads[slot], dtype=np.int64))
            total += lead * extent.shape[0] * extent.shape[1] * program.slots[slot].dtype.itemsize
        return 2 * total


class BlendWork(Work):
    """Overlapping chips of an operator that has a plan."""

    def __init__(self, apply: ApplyToChips, source: Source) -> None:
        scene = source.spec
        sampler = apply.sampler
        lines = sampler.lines(scene.shape)
        sampler.require_aligned(lines, apply.align(compile(apply.chip_op, scene)))
        self._kernel = BlendKernel(
            apply.chip_op, scene, apply.stitcher, *lines, sampler.boundary, apply.batch_size
        )
        op = self._kernel.chip_op
        self._source = source
        self.layers = op.layers
        self.rows, self.cols = self._kernel.profiles
        base = zoomed_spec(scene, op.zoom) if op.zoom != (1, 1) else scene
        lead = replace(
            base, sizes={**op.spec.sizes, "y": base.shape[0], "x": base.shape[1]}, lead=op.spec.lead
        )
        specs = apply.stitcher.outputs(op.layers.specs, self.rows.overlap * self.cols.overlap)
        self.out = lead.evolve(specs, op.spec.attrs)

    def run(self, places: Sequence[Place]) -> Results:
        """Read and compute some chips."""
        op, boundary = self._kernel.chip_op, self._kernel.boundary
        chips = [self._kernel.chip(*place) for place in places]
        return op.run_batch([(read_chip(self._source, chip, op.reads, boundary), chip) for chip in chips])

    def chip_bytes(self) -> int:
        """Return the bytes of what a chip reads and writes, and as much again for what lies between."""
        op = self._kernel.chip_op
        reads = {name: op.scene.variables[name] for name in op.reads}
        up, down = op.zoom
        shape = (op.size[0] * up // down, op.size[1] * up // down)
        return 2 * (
            bytes_of(reads, op.scene.sizes, op.size) + bytes_of(op.layers.specs, op.spec.sizes, shape)
        )
