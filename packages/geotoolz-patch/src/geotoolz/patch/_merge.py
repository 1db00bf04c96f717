"""Putting the chips of a regular grid together, row of chips by row of chips."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from geotoolz.core import Extent, TileError, VarSpec
from geotoolz.patch._accumulators import Accumulator, CopyAccumulator, Ring
from geotoolz.patch._line import Profile, Share
from geotoolz.patch._place import Across, Along, Array, Place
from geotoolz.patch._stitcher import Stitcher

Rows = Callable[[int, dict[str, Array]], None]
"""Takes finished rows: the first row, and the pixels (…, rows, columns) of every variable.

They are good until it returns: the next chips are written over them.
"""


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
        self._last, self._reached = -1, 0
        self._until = cols.until(self.region.x0, self.region.x1)
        self._across = Across(cols.total, cols.count, cols.deep)
        self._along_y: Along  # that of the last row
        self._along_x: dict[int, tuple[Along, Across]] = {}
        stitcher.check_names(layers.specs)
        self._how = {} if copy else {name: stitcher.of(name, spec) for name, spec in layers.specs.items()}
        self._held = min(rows.rows, self.region.shape[0])
        self._groups: dict[tuple[str, ...], Accumulator] = {}
        self._kept: dict[str, Array] = {}
        for name, spec in layers.specs.items():
            names = (name,) if copy else self._how[name].group(name, layers.specs)
            if names in self._groups:
                continue
            ring = self._ring(names[0], put is None and (copy or self._how[name].stays(spec)))
            self._groups[names] = (
                CopyAccumulator(spec, ring)
                if copy
                else self._how[name].accumulator(names, layers.specs, ring)
            )

    def _ring(self, name: str, stays: bool) -> Ring:
        height, width = self.region.shape
        overlap, chip = self._rows.overlap * self._cols.overlap, (self._rows.chip, self._cols.chip)
        partial = self.region.shape != (self._rows.length, self._cols.length)
        rows = height if stays else self._held
        return Ring(self.layers.planes(name), rows, width, overlap, chip, self._held, partial)

    def checked(self, chip: Mapping[str, Array], place: tuple[int, int]) -> dict[str, Array]:
        """Return the variables of a chip as `add` takes them: planes, rows, columns.

        Raises
        ------
        TileError
            If it lacks a variable, has another size or type than the others, or labels that are no class.
        """
        y, x = self._rows.shares[place[0]], self._cols.shares[place[1]]
        size = (y.skip + len(y.weights), x.skip + len(x.weights))
        found = {}
        for name, spec in self.layers.specs.items():
            array = found[name] = self._planes(name, chip, size)
            how = self._how.get(name)
            if how is not None and how.checks:
                how.check(name, array[:, : size[0], : size[1]], spec)
        return found

    def add(self, row: int, col: int, chip: Mapping[str, Array]) -> None:
        """Add the chip in a row and column of the grid, as `checked` returned it."""
        y, x = self._rows.shares[row], self._cols.shares[col]
        top, bottom = max(y.first, self.region.y0), min(y.end, self.region.y1)
        left, right = max(x.first, self.region.x0), min(x.end, self.region.x1)
        if bottom <= top or right <= left:
            return
        if row != self._last:
            if self._last < 0:
                self._done = top  # chips above were left out: nobody asks for their pixels
            else:
                self.end_row(self._last)
            self._last, self._reached = row, left
            self._along_y = _along(y, top, bottom)
        if col not in self._along_x:
            self._along_x[col] = _along(x, left, right), Across(*(v[left:right] for v in self._across))
        place = Place(
            y.skip + top - y.first, x.skip + left - x.first, top - self.region.y0, left - self.region.x0,
            self._along_y, *self._along_x[col],
            max(min(self._reached, right) - left, 0), min(self._until[col], right) - left,
        )  # fmt: skip
        self._reached = max(self._reached, right)
        for names, accumulator in self._groups.items():
            accumulator.add(tuple(chip[name] for name in names), place)

    def _planes(self, name: str, chip: Mapping[str, Array], size: tuple[int, int]) -> Array:
        """Return a variable of a chip with its planes on one axis."""
        if name not in chip:
            have = ", ".join(self.layers.specs)
            raise TileError(f"a chip has no {name!r}", expected=f"the variables {have}")
        array, spec, lead = chip[name], self.layers.specs[name], self.layers.leads[name]
        shape = array.shape
        if shape[-2] < size[0] or shape[-1] < size[1] or shape[:-2] != lead:
            raise TileError(f"a chip's {name!r} has shape {shape}", expected="that of all other chips")
        if array.dtype != spec.dtype:
            raise TileError(
                f"a chip's {name!r} is {array.dtype}", expected=f"{spec.dtype}, as in all other chips"
            )
        return array[np.newaxis] if not lead else array.reshape(self.layers.planes(name), *shape[-2:])

    def end_row(self, row: int) -> None:
        """Say that all chips of a row have been added: rows that no later one reaches are handed on."""
        self._advance(min(self._rows.finished(row), self.region.y1))

    def _advance(self, end: int) -> None:
        while self._done < end:  # up to where the ring begins anew
            at = (self._done - self.region.y0) % self._held
            count = min(end - self._done, self._held - at)
            if self._put is not None:
                self._put(self._done, self._taken(self._done, count))
            else:
                self._keep(self._done - self.region.y0, count)
            self._done += count

    def _keep(self, first: int, count: int) -> None:
        """Copy finished rows out of the rings that will be written over."""
        for names, accumulator in self._groups.items():
            if accumulator.ring.rows == self.region.shape[0]:
                continue
            for name, rows in zip(names, accumulator.take(first, count), strict=True):
                if name not in self._kept:
                    shape = (rows.shape[0], self.region.shape[0], rows.shape[2])
                    make = np.zeros if accumulator.ring.partial else np.empty
                    self._kept[name] = make(shape, rows.dtype)
                self._kept[name][:, first : first + count] = rows

    def result(self) -> dict[str, Array]:
        """Return all rows."""
        self._advance(self.region.y1)
        height = self.region.shape[0]
        found = dict(self._kept)
        for names, accumulator in self._groups.items():
            if names[0] not in found:
                found.update(zip(names, accumulator.take(0, height), strict=True))
        return {name: self._shaped(name, found[name]) for name in self.layers.specs}

    def _taken(self, first: int, count: int) -> dict[str, Array]:
        found: dict[str, Array] = {}
        for names, accumulator in self._groups.items():
            found.update(zip(names, accumulator.take(first - self.region.y0, count), strict=True))
        return {name: self._shaped(name, found[name]) for name in self.layers.specs}

    def _shaped(self, name: str, rows: Array) -> Array:
        """Return rows with the dimensions of their variable."""
        return rows.reshape(*self.layers.leads[name], *rows.shape[1:])


def _along(share: Share, low: int, high: int) -> Along:
    part = slice(low - share.first, high - share.first)
    ratio = share.ratio[part]
    return Along(
        share.weights[part], share.before[part], ratio, ratio.astype(np.float32),
        share.edge[part], share.count[part], share.deep[part],
    )  # fmt: skip


def merger_bytes(stitcher: Stitcher, layers: Layers, rows: Profile, cols: Profile, copy: bool) -> int:
    """Return the bytes that a `Merger` with `put` holds, finished rows included."""
    total, seen = 0, set()
    for name, spec in layers.specs.items():
        how = stitcher.of(name, spec)
        names = (name,) if copy else how.group(name, layers.specs)
        overlap, chip = rows.overlap * cols.overlap, (rows.chip, cols.chip)
        ring = Ring(layers.planes(name), rows.rows, cols.length, overlap, chip, rows.rows)
        total += ring.pixels * spec.dtype.itemsize  # rows on their way out
        if names in seen:
            continue
        seen.add(names)
        specs = tuple(layers.specs[n] for n in names)
        total += ring.pixels * spec.dtype.itemsize if copy else how.held(specs, ring)
    return total
