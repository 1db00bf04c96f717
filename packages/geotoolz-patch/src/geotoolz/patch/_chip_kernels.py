"""Kernels that cut what they are given into chips; they know arrays and where these lie, no Dataset."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from geotoolz.core import Extent, GridChange, Operator, TileSpec, VarSpec, compile
from geotoolz.core._execute import Job, run_window
from geotoolz.core._run import compute
from geotoolz.patch._aggregations import Aggregation
from geotoolz.patch._chip import Chip, padded
from geotoolz.patch._chip_op import ChipOp, made_by
from geotoolz.patch._edge import reach
from geotoolz.patch._line import Line, Profile, profile
from geotoolz.patch._merge import Merger
from geotoolz.patch._stitcher import Stitcher

Array = np.ndarray[Any, Any]


def cells(extent: Extent, origin: tuple[int, int], cell: tuple[int, int]) -> list[Extent]:
    """Cut an extent at the multiples of a cell, counted from an origin.

    Examples
    --------
    >>> cells(Extent(0, 5, 2, 4), (0, 0), (3, 8))
    [Extent(y0=0, y1=3, x0=2, x1=4), Extent(y0=3, y1=5, x0=2, x1=4)]
    """
    rows = _cuts(extent.y0, extent.y1, origin[0], cell[0])
    cols = _cuts(extent.x0, extent.x1, origin[1], cell[1])
    return [Extent(a, b, c, d) for a, b in rows for c, d in cols]


def _cuts(low: int, high: int, origin: int, step: int) -> list[tuple[int, int]]:
    first = low + step - (low - origin) % step
    edges = [low, *range(first, high, step), high] if high > low else [low, high]
    return list(pairwise(edges))


@dataclass(frozen=True)
class Settle:
    """What aggregations make of chips that agree."""

    how: Mapping[str, Aggregation]
    specs: Mapping[str, VarSpec]

    def __call__(self, name: str, values: Array) -> Array:
        """Return a variable's pixels."""
        return self.how[name].settle(name, values, self.specs[name]) if name in self.how else values


@dataclass(frozen=True)
class ExactKernel:
    """Runs an operator with a bounded footprint cell by cell; what it is given is the tile.

    Parameters
    ----------
    op : Operator
        The chip operator.
    scene : TileSpec
        The scene.
    reads, writes : tuple of str
        Variables in the order of the plan.
    cell : tuple of int
        Rows and columns of a cell.
    settle : Settle
        What happens to finished cells.
    """

    op: Operator
    scene: TileSpec
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    cell: tuple[int, int]
    settle: Settle

    def __call__(self, *arrays: Array, extent: Extent) -> tuple[Array, ...]:
        """Return the outputs for the same pixels."""
        sizes = {**self.scene.sizes, "y": extent.shape[0], "x": extent.shape[1]}
        first = (extent.y0, extent.x0)
        tile = TileSpec(
            self.scene.variables, sizes, self.scene.geobox, first, self.scene.attrs, self.scene.coords
        )
        program = compile(self.op, tile, self.writes)
        held = dict(zip(self.reads, arrays, strict=True))
        own = self.scene.offset
        lattice = [e.moved((-extent.y0, -extent.x0)) for e in cells(extent, own, self.cell)]

        def fetch(slot: int, e: Extent) -> Array:
            return e.of(held[program.sources[slot][1]])

        found, _ = compute(program, fetch, cut=lambda job: [list(lattice)])
        slots = made_by(program)
        return tuple(self.settle(name, found[slots[name]]) for name in self.writes)


@dataclass(frozen=True)
class ExactChange(GridChange):
    """The grid change of a whole chip operator: what a window needs is what its calls need."""

    job: Job | None = None

    def backward(self, extent: Extent) -> Extent:
        """Return the input pixels that these output pixels depend on."""
        total = Extent(0, 0, 0, 0)
        if self.job is not None:
            needed = self.job.input_extents(extent)
            for slot in self.job.program.sources:
                total = total.union(needed[slot]) if slot in needed else total
        return total


@dataclass(frozen=True)
class ExactChangeKernel:
    """Like `ExactKernel` for an operator that changes the grid; cells lie on the output."""

    job: Job
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    offsets: tuple[tuple[int, int], tuple[int, int]]
    cell: tuple[int, int]
    settle: Settle

    def __call__(self, *arrays: Array, extent: Extent, source: Extent) -> tuple[Array, ...]:
        """Return the outputs for the pixels asked for."""
        (iy, ix), (oy, ox) = self.offsets
        out, given = extent.moved((-oy, -ox)), source.moved((-iy, -ix))
        held = dict(zip(self.reads, arrays, strict=True))
        program = self.job.program
        slots = made_by(program)
        made = {
            name: np.empty((*program.leads[slots[name]], *out.shape), program.slots[slots[name]].dtype)
            for name in self.writes
        }

        def fetch(slot: int, e: Extent) -> Array:
            return given.cut(held[program.sources[slot][1]], e)

        for cell in cells(out, (0, 0), self.cell):
            found = run_window(self.job, fetch, cell)
            for name, target in made.items():
                cell.moved((-out.y0, -out.x0)).of(target)[...] = self.settle(name, found[slots[name]])
        return tuple(made[name] for name in self.writes)


@dataclass(frozen=True)
class BlendKernel:
    """Runs an operator on overlapping chips and blends them.

    Parameters
    ----------
    op : Operator
        The chip operator.
    scene : TileSpec
        The scene.
    stitcher : Stitcher
        Window and aggregations.
    rows, cols : Line
        The chips.
    boundary : str
        How chips beyond the scene are filled.
    batch_size : int
        Chips that the operator is handed at once.
    """

    op: Operator
    scene: TileSpec
    stitcher: Stitcher
    rows: Line
    cols: Line
    boundary: str
    batch_size: int = 1

    def __reduce__(self) -> tuple[Any, ...]:
        # what is derived is derived again
        return (BlendKernel, (self.op, self.scene, self.stitcher, self.rows, self.cols, self.boundary,
                              self.batch_size))  # fmt: skip

    @cached_property
    def chip_op(self) -> ChipOp:
        """The operator, planned for the chips."""
        return ChipOp(self.op, self.scene, (self.rows.size, self.cols.size))

    @cached_property
    def profiles(self) -> tuple[Profile, Profile]:
        """What the chips contribute along y and x."""
        weights, halo = self.stitcher.window.weights, self.stitcher.halo or 0
        zoom = self.chip_op.zoom
        return profile(self.rows, weights, halo, zoom), profile(self.cols, weights, halo, zoom)

    def chip(self, row: int, col: int) -> Chip:
        """Return a chip of the grid."""
        y, x = self.rows.starts[row], self.cols.starts[col]
        return Chip(Extent(y, y + self.rows.size, x, x + self.cols.size))

    def touching(self, out: Extent) -> Iterator[tuple[int, int]]:
        """Yield row and column of the chips that contribute to some output pixels, in order."""
        ys, xs = self.profiles
        cols = [j for j, s in enumerate(xs.shares) if s.first < out.x1 and s.end > out.x0]
        for i, share in enumerate(ys.shares):
            if share.first < out.y1 and share.end > out.y0:
                yield from ((i, j) for j in cols)

    def needed(self, out: Extent) -> Extent:
        """Return the scene's pixels of all chips that contribute to some output pixels."""
        total = Extent(0, 0, 0, 0)
        for i, j in self.touching(out):
            total = total.union(reach(self.chip(i, j).extent, self.scene.shape, self.boundary))
        return total

    def __call__(self, *arrays: Array, extent: Extent, source: Extent | None = None) -> tuple[Array, ...]:
        """Return the outputs for the pixels asked for; chips that are not wholly given are left out."""
        oy, ox = self.scene.offset
        given = (extent if source is None else source).moved((-oy, -ox))
        out = given if source is None else extent
        held = dict(zip(self.chip_op.reads, arrays, strict=True))
        merger = Merger(self.stitcher, self.chip_op.layers, *self.profiles, region=out)
        places: list[tuple[int, int]] = []
        batch: list[tuple[Mapping[str, Array], Chip]] = []

        def flush() -> None:
            for (i, j), result in zip(places, self.chip_op.run_batch(batch), strict=True):
                merger.add(i, j, merger.checked(result, (i, j)))
            places.clear()
            batch.clear()

        for i, j in self.touching(out):
            chip = self.chip(i, j)
            needs = reach(chip.extent, self.scene.shape, self.boundary)
            if needs.clipped((given.y1, given.x1)) != needs or needs.y0 < given.y0 or needs.x0 < given.x0:
                continue  # beyond what is given: its pixels are not asked for
            parts = {name: given.cut(array, needs) for name, array in held.items()}
            places.append((i, j))
            batch.append((padded(parts, self.scene, chip.extent, needs, self.boundary), chip))
            if len(batch) == self.batch_size:
                flush()
        if batch:
            flush()
        result = merger.result()
        return tuple(result[name] for name in self.chip_op.names)


@dataclass(frozen=True)
class BlendChange(GridChange):
    """The grid change of chips that an operator zooms."""

    kernel: BlendKernel | None = None

    def backward(self, extent: Extent) -> Extent:
        """Return the input pixels that these output pixels depend on."""
        return Extent(0, 0, 0, 0) if self.kernel is None else self.kernel.needed(extent)
