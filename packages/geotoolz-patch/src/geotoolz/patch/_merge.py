"""Putting the chips of a regular grid together, row of chips by row of chips."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from geotoolz.core import Extent, TileError, VarSpec
from geotoolz.patch._accumulators import Accumulator, Array, CopyAccumulator, Place, Ring
from geotoolz.patch._line import Profile, Share
from geotoolz.patch._stitcher import Stitcher

Rows = Callable[[int, dict[str, Array]], None]
"""Takes finished rows: the first row, and the pixels (…, rows, columns) of every variable."""


@dataclass(frozen=True)
class Layers:
    """What the chips hold.

    Parameters
    ----------
    specs : mapping of str to VarSpec
        The variables of a chip.
    leads : mapping of str to tuple of int
        Lengths of the dimensions before ``y`` and ``x``.
    """

    specs: Mapping[str, VarSpec]
    leads: Mapping[str, tuple[int, ...]]

    def planes(self, name: str) -> int:
        """Return the number of planes of a variable."""
        return math.prod(self.leads[name])


class Merger:
    """Adds chips in the order of their grid and hands on rows when no further chip reaches them.

    Parameters
    ----------
    stitcher : Stitcher
        Window and aggregations.
    layers : Layers
        What the chips hold.
    rows, cols : Profile
        What chips contribute along y and x.
    region : Extent, optional
        Part of the output to make; all of it by default.
    put : callable, optional
        Takes finished rows; without it all rows are held for `result`.
    copy : bool
        Take pixels as they are, for chips that do not overlap.
    """

    def __init__(
        self,
        stitcher: Stitcher,
        layers: Layers,
        rows: Profile,
        cols: Profile,
        region: Extent | None = None,
        put: Rows | None = None,
        copy: bool = False,
    ) -> None:
        self.layers, self._rows, self._cols, self._put = layers, rows, cols, put
        self.region = region or Extent(0, rows.length, 0, cols.length)
        self._done = self.region.y0
        self._overlap = rows.overlap * cols.overlap
        chip = (max((s.skip + len(s.weights) for s in rows.shares), default=1),
                max((s.skip + len(s.weights) for s in cols.shares), default=1))  # fmt: skip
        stitcher.check_names(layers.specs)
        self._groups: dict[tuple[str, ...], Accumulator] = {}
        for name, spec in layers.specs.items():
            how = stitcher.of(name, spec)
            names = (name,) if copy else how.group(name, layers.specs)
            if names in self._groups:
                continue
            ring = self._ring(names[0])
            self._groups[names] = (
                CopyAccumulator(spec, ring) if copy else how.accumulator(names, layers.specs, ring, chip)
            )

    def _ring(self, name: str) -> Ring:
        height, width = self.region.shape
        rows = height if self._put is None else min(self._rows.rows, height)
        return Ring(self.layers.planes(name), rows, width, self._overlap)

    def add(self, row: int, col: int, chip: Mapping[str, Array]) -> None:
        """Add the chip in a row and column of the grid.

        Raises
        ------
        TileError
            If the chip lacks a variable, or has another size or type than the others.
        """
        y, x = self._rows.shares[row], self._cols.shares[col]
        top, bottom = max(y.first, self.region.y0), min(y.end, self.region.y1)
        left, right = max(x.first, self.region.x0), min(x.end, self.region.x1)
        if bottom <= top or right <= left:
            return
        place = _place(y, x, top, bottom, left, right, self.region, self._cols)
        for names, accumulator in self._groups.items():
            accumulator.add(tuple(self._part(name, chip, place) for name in names), place)

    def _part(self, name: str, chip: Mapping[str, Array], place: Place) -> Array:
        if name not in chip:
            have = ", ".join(self.layers.specs)
            raise TileError(f"a chip has no {name!r}", expected=f"the variables {have}")
        array, spec = chip[name], self.layers.specs[name]
        height, width = place.top + len(place.wy), place.left + len(place.wx)
        small = array.shape[-2] < height or array.shape[-1] < width
        if small or array.shape[:-2] != self.layers.leads[name]:
            raise TileError(f"a chip's {name!r} has shape {array.shape}", expected="that of all other chips")
        if array.dtype != spec.dtype:
            raise TileError(
                f"a chip's {name!r} is {array.dtype}", expected=f"{spec.dtype}, as in all other chips"
            )
        whole = np.ascontiguousarray(array)  # what the kernels are compiled for, and what they are fast on
        return whole.reshape(self.layers.planes(name), *array.shape[-2:])

    def end_row(self, row: int) -> None:
        """Say that all chips of a row have been added."""
        if self._put is None:
            return
        end = min(self._rows.finished(row), self.region.y1)
        if end > self._done:
            self._put(self._done, self._taken(self._done, end - self._done))
            self._done = end

    def result(self) -> dict[str, Array]:
        """Return all rows."""
        return self._taken(self.region.y0, self.region.shape[0])

    def _taken(self, first: int, count: int) -> dict[str, Array]:
        found: dict[str, Array] = {}
        for names, accumulator in self._groups.items():
            for name, rows in zip(names, accumulator.take(first - self.region.y0, count), strict=True):
                found[name] = rows.reshape(*self.layers.leads[name], count, rows.shape[-1])
        return {name: found[name] for name in self.layers.specs}


def _place(
    y: Share, x: Share, top: int, bottom: int, left: int, right: int, region: Extent, cols: Profile
) -> Place:
    v, h = slice(top - y.first, bottom - y.first), slice(left - x.first, right - x.first)
    return Place(
        y.skip + v.start, x.skip + h.start, top - region.y0, left - region.x0,
        y.weights[v], y.before[v], y.edge[v],
        x.weights[h], x.before[h], x.edge[h], cols.total[left:right],
    )  # fmt: skip


def merger_bytes(stitcher: Stitcher, layers: Layers, rows: Profile, cols: Profile, copy: bool) -> int:
    """Return the bytes that a `Merger` with `put` holds, finished rows included."""
    total, seen = 0, set()
    for name, spec in layers.specs.items():
        how = stitcher.of(name, spec)
        names = (name,) if copy else how.group(name, layers.specs)
        ring = Ring(layers.planes(name), rows.rows, cols.length, rows.overlap * cols.overlap)
        total += ring.pixels * spec.dtype.itemsize  # rows on their way out
        if names in seen:
            continue
        seen.add(names)
        specs = tuple(layers.specs[n] for n in names)
        total += ring.pixels * spec.dtype.itemsize if copy else how.held(specs, ring)
    return total


def pad(array: Array, before: tuple[int, int], after: tuple[int, int], how: str, fill: float) -> Array:
    """Return an array with rows and columns added: reflected without the edge itself, or filled."""
    if not any((*before, *after)):
        return array
    height, width = array.shape[-2:]
    if how == "fill":
        shape = (*array.shape[:-2], before[0] + height + after[0], before[1] + width + after[1])
        out = np.full(shape, _fill_of(array.dtype, fill), array.dtype)
        out[..., before[0] : before[0] + height, before[1] : before[1] + width] = array
        return out
    if before[0] or after[0]:
        array = array.take(_reflected(height, before[0], after[0]), axis=-2)
    if before[1] or after[1]:
        array = array.take(_reflected(width, before[1], after[1]), axis=-1)
    return array


def _reflected(size: int, before: int, after: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return which of `size` positions stand at each padded one; the edge is not repeated."""
    period = max(2 * size - 2, 1)
    k = np.arange(-before, size + after) % period
    return np.where(k < size, k, period - k)


def _fill_of(dtype: np.dtype[np.generic], nodata: float) -> float:
    return 0 if nodata != nodata and dtype.kind not in "fc" else nodata
