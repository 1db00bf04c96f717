"""Rings of unfinished rows that chips are added to, one per output variable."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import numpy as np

from geotoolz.core import VarSpec
from geotoolz.patch import _kernels

Array = np.ndarray[Any, Any]


class Place(NamedTuple):
    """Where a chip goes, and how much its pixels count; see `geotoolz.patch._line.Share`."""

    top: int
    left: int
    row: int
    col: int
    wy: Array
    py: Array
    ey: Array
    wx: Array
    px: Array
    ex: Array
    tx: Array

    def of(self, chip: Array) -> Array:
        """Return the part of a whole chip that goes here."""
        return chip[:, self.top : self.top + self.wy.size, self.left : self.left + self.wx.size]


class Ring(NamedTuple):
    """Shape of the rows that are held: planes before y and x, rows, columns, and chips over a pixel."""

    planes: int
    rows: int
    cols: int
    overlap: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """Planes, rows, columns."""
        return (self.planes, self.rows, self.cols)

    @property
    def pixels(self) -> int:
        """Values that are held."""
        return self.planes * self.rows * self.cols


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
        """Return finished rows of every variable of the group, and forget them."""

    def rows(self, ring: Array, row: int, count: int) -> Array:
        """Return rows of a ring; a view where they lie together."""
        size = ring.shape[1]
        if size == 0:
            return ring
        first = row % size
        if first + count <= size:
            return ring[:, first : first + count]
        return np.concatenate([ring[:, first:], ring[:, : first + count - size]], axis=1)

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


def mean_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the type in which a mean is kept: one that holds every value of `dtype` exactly."""
    if dtype.kind in "iu" and dtype.itemsize == 8:
        return dtype
    small = dtype == np.float16 or dtype == np.float32 or (dtype.kind in "iu" and dtype.itemsize <= 2)
    return np.dtype(np.float32 if small else np.float64)


class MeanAccumulator(Accumulator):
    """Running weighted mean of what is valid; values that agree stay what they are, bit for bit."""

    def __init__(self, spec: VarSpec, ring: Ring, joint: bool = False) -> None:
        super().__init__(spec, ring)
        self._acc = np.empty(ring.shape, mean_dtype(spec.dtype))
        self._acc.fill(0)  # faster than zeros, whose pages come one by one
        self._wide = self._acc.dtype.kind in "iu"
        self._joint = joint
        self._lost = np.zeros(ring.shape) if self._wide else None

    def add(self, chips: tuple[Array, ...], place: Place) -> None:
        """Move the means towards a chip."""
        chip = known(chips[0])
        weights = (place.wy, place.py, place.wx, place.px, place.tx)
        if self._wide:
            part = place.of(chip)
            _kernels.mean_add_wide(self._acc, self._lost, part, self.nodata, place.row, place.col, *weights)
            return
        can_miss = chip.dtype.kind == "f" or self.spec.nodata is not None
        missing = can_miss and _kernels.has_missing(chip, self.nodata)
        if missing and self._joint:
            chip = self._jointly(chip)
        if missing and self._lost is None:
            self._lost = np.zeros(self.ring.shape)  # only for chips with gaps: most scenes need none
        if self._lost is None:
            corner = (place.top, place.left, place.row, place.col)
            _kernels.mean_add(self._acc, chip, *corner, *weights)
        else:
            _kernels.mean_add_missing(
                self._acc, self._lost, place.of(chip), self.nodata, place.row, place.col, *weights
            )

    def _jointly(self, chip: Array) -> Array:
        gone = (np.isnan(chip) | (chip == self.nodata)).any(axis=0)
        return np.where(gone, chip.dtype.type(np.nan), chip)

    def take(self, row: int, count: int) -> tuple[Array, ...]:
        """Return the means."""
        held = self.rows(self._acc, row, count)
        out = self.finished(held)
        # a ring is written over while the rows are still being written out
        whole = count == self.ring.rows
        return (out if whole or not np.shares_memory(out, self._acc) else out.copy(),)


class CopyAccumulator(Accumulator):
    """Takes pixels as they are: for chips that do not overlap, or agree where they do."""

    def __init__(self, spec: VarSpec, ring: Ring) -> None:
        super().__init__(spec, ring)
        self._acc = np.zeros(ring.shape, spec.dtype)

    def add(self, chips: tuple[Array, ...], place: Place) -> None:
        """Write a chip into its place."""
        part = place.of(chips[0])
        _, height, width = part.shape
        rows = (place.row + np.arange(height)) % self._acc.shape[1]
        self._acc[:, rows, place.col : place.col + width] = part

    def take(self, row: int, count: int) -> tuple[Array, ...]:
        """Return the pixels."""
        held = self.rows(self._acc, row, count)
        return (held if count == self.ring.rows else held.copy(),)


class ExtremeAccumulator(Accumulator):
    """Lowest or highest valid value."""

    def __init__(self, spec: VarSpec, ring: Ring, highest: bool) -> None:
        super().__init__(spec, ring)
        self._highest = highest
        self._acc = np.zeros(ring.shape, np.float32 if spec.dtype == np.float16 else spec.dtype)

    def add(self, chips: tuple[Array, ...], place: Place) -> None:
        """Compare with a chip."""
        where = (place.row, place.col, place.py, place.px)
        _kernels.extreme_add(self._acc, place.of(known(chips[0])), self.nodata, *where, self._highest)

    def take(self, row: int, count: int) -> tuple[Array, ...]:
        """Return the values."""
        return (self.rows(self._acc, row, count).astype(self.spec.dtype),)


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
        rows = (row + np.arange(count)) % max(self.ring.rows, 1)
        self._acc[:, rows], self._count[:, rows] = 0, 0
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
        return (out.astype(self.spec.dtype),)
