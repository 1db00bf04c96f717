"""What is done with the chips of a scene: read, compute, in any order and any process."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from geotoolz.core import (
    ExecutorError,
    Extent,
    GridMismatchError,
    TileError,
    TileSpec,
    VarSpec,
    compile,
    geobox_of,
)
from geotoolz.core._execute import Job, run_window
from geotoolz.patch._chip import Chip, chip_dataset, chip_spec, read_chip
from geotoolz.patch._chip_kernels import BlendKernel, Settle
from geotoolz.patch._chip_op import (
    made_by,
    require_plain,
    stitched_specs,
    zoomed,
    zoomed_spec,
)
from geotoolz.patch._line import Line, Profile, profile, regular_line
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


def _bytes_of(specs: Mapping[str, VarSpec], sizes: Mapping[str, int], shape: tuple[int, int]) -> int:
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
        self.out = lead.evolve(stitched_specs(op.layers, apply.stitcher), op.spec.attrs)

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
            _bytes_of(reads, op.scene.sizes, op.size) + _bytes_of(op.layers.specs, op.spec.sizes, shape)
        )


class OpaqueWork(Work):
    """Chips of an operator that is only known by running it; the first chip says what becomes of them."""

    def __init__(self, apply: ApplyToChips, source: Source) -> None:
        scene = source.spec
        self._op, self._source, self._boundary = apply.chip_op, source, apply.sampler.boundary
        self._lines: tuple[Line, Line] = apply.sampler.lines(scene.shape)
        zoom = Fraction(apply.zoom).limit_denominator(1000)
        self._zoom = (zoom.numerator, zoom.denominator)
        weights, halo = apply.stitcher.window.weights, apply.stitcher.halo or 0
        self.rows, self.cols = (profile(line, weights, halo, self._zoom) for line in self._lines)
        if not self.places():
            raise TileError(f"the scene is empty: {scene.shape[0]} × {scene.shape[1]} pixels")
        self.same: tuple[str, ...] = ()
        first = self._result((0, 0))
        self.layers = _layers(first)
        stitched = stitched_specs(self.layers, apply.stitcher)
        base = scene if self._zoom == (1, 1) else zoomed_spec(scene, self._zoom)
        found = TileSpec.of(first)
        sizes = {**found.sizes, "y": base.shape[0], "x": base.shape[1]}
        attrs = {k: v for k, v in first.attrs.items() if k != "geotoolz:config_hash"}
        self.out = TileSpec(stitched, sizes, base.geobox, base.offset, attrs, dict(found.coords))

    def run(self, places: Sequence[Place]) -> Results:
        """Read and compute some chips."""
        return [{n: np.asarray(a.values) for n, a in self._result(p).data_vars.items()} for p in places]  # type: ignore[misc]

    def _result(self, place: Place) -> xr.Dataset:
        y, x = (line.starts[n] for line, n in zip(self._lines, place, strict=True))
        chip = Chip(Extent(y, y + self._lines[0].size, x, x + self._lines[1].size))
        spec = chip_spec(self._source.spec, chip)
        tile = chip_dataset(spec, read_chip(self._source, chip, tuple(spec.variables), self._boundary))
        call: Any = self._op
        result = call(tile)
        if not isinstance(result, xr.Dataset):
            raise TileError(
                f"the chip operator returned {type(result).__name__}", expected="an xarray.Dataset"
            )
        if not hasattr(self, "layers"):
            self.same = tuple(
                str(n) for n, a in result.data_vars.items()
                if n in tile.data_vars and a.variable._data is tile[n].variable._data
            )  # fmt: skip
        self._require_place(tile, result)
        return result.drop_vars(list(self.same))

    def _require_place(self, tile: xr.Dataset, result: xr.Dataset) -> None:
        up, down = self._zoom
        wanted = {d: tile.sizes[d] * up // down for d in ("y", "x")}
        if any(result.sizes.get(d) != n for d, n in wanted.items()):
            got = " × ".join(str(result.sizes.get(d)) for d in ("y", "x"))
            raise TileError(
                f"the chip operator returned {got} pixels for {tile.sizes['y']} × {tile.sizes['x']}",
                expected=f"{wanted['y']} × {wanted['x']} pixels",
                fix="ApplyToChips(zoom=…) declares chips of another size",
            )
        if self._source.spec.geobox is None:
            return
        here, there = geobox_of(tile), geobox_of(result)
        if there != (here if self._zoom == (1, 1) else zoomed(here, self._zoom)):
            raise GridMismatchError(
                "the chip operator moved a chip: its grid is not that of the chip it was given",
                expected="the same corner and CRS",
            )

    def chip_bytes(self) -> int:
        """Return the bytes of what a chip reads and writes, and as much again for what lies between."""
        size = (self._lines[0].size, self._lines[1].size)
        up, down = self._zoom
        grown = (size[0] * up // down, size[1] * up // down)
        spec = self._source.spec
        return 2 * (
            _bytes_of(spec.variables, spec.sizes, size) + _bytes_of(self.layers.specs, self.out.sizes, grown)
        )


def _layers(result: xr.Dataset) -> Layers:
    spec = TileSpec.of(result)
    if not spec.variables:
        raise TileError("the chip operator made no variable", expected="at least one")
    for name, var in spec.variables.items():
        if var.dims[-2:] != ("y", "x"):
            raise TileError(f"the chip operator made {name!r} with dims {var.dims}", expected="(…, y, x)")
    leads = {n: tuple(spec.sizes[d] for d in v.dims[:-2]) for n, v in spec.variables.items()}
    return Layers(dict(spec.variables), leads)


def work_of(apply: ApplyToChips, source: Source) -> Work:
    """Return what is to be done with a scene's chips.

    Raises
    ------
    ExecutorError
        If a chip operator that is only known by running it stands beside an option that needs its plan.
    """
    if any(getattr(child, "opaque", False) for _, child in apply.walk()):
        apply.sampler.require_cover(1)
        return OpaqueWork(apply, source)
    whole = require_plain(compile(apply.chip_op, source.spec), "run_chips")
    apply.sampler.require_cover(apply.align(whole))
    apply.require_plan()
    if not made_by(whole):
        raise ExecutorError("the chip operator makes no variable", expected="at least one")
    return ExactWork(apply, source) if apply.is_exact(whole) else BlendWork(apply, source)
