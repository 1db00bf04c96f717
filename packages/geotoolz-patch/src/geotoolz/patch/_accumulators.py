"""Rings of unfinished rows that chips are added to, one per output variable."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import numpy as np

from geotoolz.core import VarSpec
from geotoolz.patch import _kernels
from geotoolz.patch._place import Array, Place


class Ring(NamedTuple):
    """Shape of the rows that are held: planes before y and x, rows, columns; and of what is added.

    Attributes
    ----------
    planes, rows, cols : int
        Planes, rows, columns.
    overlap : int
        Chips over a pixel, at most.
    chip : tuple of int
        Rows and columns of a chip.
    unfinished : int
        Rows that chips are still added to, at most: all of the ring, or fewer where finished rows stay.
    partial : bool
        Whether rows and columns at the edges may be handed on although no chip was added to them.
    """

    planes: int
    rows: int
    cols: int
    overlap: int
    chip: tuple[int, int]
    unfinished: int
    partial: bool = False

    @property
    def shape(self) -> tuple[int, int, int]:
        """Planes, rows, columns."""
        return (self.planes, self.rows, self.cols)

    @property
    def pixels(self) -> int:
        """Values that are held."""
        return self.planes * self.rows * self.cols

    @property
    def stash(self) -> tuple[int, int, int]:
        """Planes, rows and columns of what a chip leaves to the next of its row, at most."""
        return (self.planes, *self.chip)


class Accumulator(ABC):
    """Puts chips together; asked for rows when no further chip reaches them.

    Chips come in the order of the grid, so sums are taken in one order, however the work was cut.
    """

    def __init__(self, spec: VarSpec, ring: Ring) -> None:
        self.spec, self.ring = spec, ring
        self.nodata = known_scalar(spec)

    @abstractmethod
    def add(self, chips: tuple[Array, ...], place: Place) -> None:
        """Add a chip (plane, row, column) of every variable of the group."""

    @abstractmethod
    def take(self, row: int, count: int) -> tuple[Array, ...]:
        """Return finished rows of every variable of the group, and forget them.

        The rows lie in the ring without a break. What is returned may be a view of it: it is good until the
        next chip is added.
        """

    def rows(self, ring: Array, row: int, count: int) -> Array:
        """Return rows of a ring, as a view."""
        first = row % ring.shape[1] if ring.shape[1] else 0
        return ring[:, first : first + count]

    def finished(self, values: Array, missing: Array | None = None) -> Array:
        """Return values in the output's type, with no-data where they are missing."""
        dtype, nodata = self.spec.dtype, self.spec.nodata
        if values.dtype != dtype and dtype.kind in "iu" and values.dtype.kind == "f":
            missing = np.isnan(values) if missing is None else missing
            limits = np.iinfo(dtype)
            rounded = np.rint(np.where(missing, 0, values))
            out = np.clip(rounded, limits.min, limits.max).astype(dtype)
        else:
            out = values if values.dtype == dtype else values.astype(dtype)
            if missing is None and nodata is not None and nodata == nodata and dtype.kind == "f":
                missing = np.isnan(out)
        if missing is not None and nodata is not None and missing.any():
            out = np.where(missing, dtype.type(nodata), out)
        return out


def known_scalar(spec: VarSpec) -> Any:
    """Return a variable's no-data value in a type that kernels know."""
    return np.float32(spec.nodata_scalar) if spec.dtype == np.float16 else spec.nodata_scalar


def known(chip: Array) -> Array:
    """Return a chip in a type that kernels know."""
    return chip.astype(np.float32) if chip.dtype == np.float16 else chip


def of_chip(nodata: Any, dtype: np.dtype[Any]) -> tuple[Any, bool]:
    """Return a no-data value in the type of a chip, and whether there is one: NaN in floats is.

    Comparing with a number of another type would widen every pixel first.
    """
    if dtype.kind == "f":
        return dtype.type(nodata), True
    fits = nodata == nodata and np.iinfo(dtype).min <= nodata <= np.iinfo(dtype).max
    return (dtype.type(nodata), True) if fits and nodata == int(nodata) else (dtype.type(0), False)


class CopyAccumulator(Accumulator):
    """Takes pixels as they are: for chips that do not overlap, or agree where they do."""

    def __init__(self, spec: VarSpec, ring: Ring) -> None:
        super().__init__(spec, ring)
        self._acc = np.empty(ring.shape, spec.dtype)

    def add(self, chips: tuple[Array, ...], place: Place) -> None:
        """Write a chip into its place."""
        height, width = place.shape
        part = chips[0][:, place.top : place.top + height, place.left : place.left + width]
        row, cols = place.row % self.ring.rows, slice(place.col, place.col + width)
        until = min(height, self.ring.rows - row)
        self._acc[:, row : row + until, cols] = part[:, :until]
        self._acc[:, : height - until, cols] = part[:, until:]

    def take(self, row: int, count: int) -> tuple[Array, ...]:
        """Return the pixels."""
        return (self.rows(self._acc, row, count),)


class ExtremeAccumulator(Accumulator):
    """Lowest or highest valid value."""

    def __init__(self, spec: VarSpec, ring: Ring, highest: bool) -> None:
        super().__init__(spec, ring)
        self._highest = highest
        self._acc = np.zeros(ring.shape, np.float32 if spec.dtype == np.float16 else spec.dtype)

    def add(self, chips: tuple[Array, ...], place: Place) -> None:
        """Compare with a chip."""
        where = (place.row, place.col, place.y.before, place.x.before)
        _kernels.extreme_add(self._acc, place.of(known(chips[0])), self.nodata, *where, self._highest)

    def take(self, row: int, count: int) -> tuple[Array, ...]:
        """Return the values."""
        return (self.rows(self._acc, row, count).astype(self.spec.dtype, copy=False),)


class SumAccumulator(Accumulator):
    """Sum of the valid values of all chips, in float64 or integers."""

    def __init__(self, spec: VarSpec, ring: Ring, nodata: Any) -> None:
        super().__init__(spec, ring)
        self._acc = np.zeros(ring.shape, np.float64 if spec.dtype.kind == "f" else spec.dtype)
        self._count = np.zeros(ring.shape, np.uint16)
        self._nodata = nodata

    def add(self, chips: tuple[Array, ...], place: Place) -> None:
        """Add a chip."""
        chip = place.of(known(chips[0]))
        _kernels.sum_add(self._acc, self._count, chip, self._nodata, place.row, place.col)

    def take(self, row: int, count: int) -> tuple[Array, ...]:
        """Return the sums."""
        sums, counts = self.rows(self._acc, row, count), self.rows(self._count, row, count)
        out = np.where(counts == 0, self.nodata, sums) if self.spec.nodata is not None else sums
        result = out.astype(self.spec.dtype)
        sums[...], counts[...] = 0, 0
        return (result,)


class MedianAccumulator(Accumulator):
    """Median of the valid values; holds as many planes as chips lie over a pixel."""

    def __init__(self, spec: VarSpec, ring: Ring) -> None:
        super().__init__(spec, ring)
        dtype = np.float32 if spec.dtype == np.float16 else spec.dtype
        self._ring = np.zeros((ring.overlap, *ring.shape), dtype)
        self._count = np.zeros(ring.shape, np.uint16)

    def add(self, chips: tuple[Array, ...], place: Place) -> None:
        """Keep a chip's values."""
        chip = place.of(known(chips[0]))
        _kernels.median_add(self._ring, self._count, chip, self.nodata, place.row, place.col)

    def take(self, row: int, count: int) -> tuple[Array, ...]:
        """Return the medians."""
        out = np.empty((self.ring.planes, count, self.ring.cols), self._ring.dtype)
        empty = np.nan if out.dtype.kind == "f" and self.spec.nodata is None else (self.spec.nodata or 0)
        _kernels.median_rows(out, self._ring, self._count, row, out.dtype.type(empty))
        return (out.astype(self.spec.dtype, copy=False),)
