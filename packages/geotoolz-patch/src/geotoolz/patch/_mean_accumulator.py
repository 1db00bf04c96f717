"""Rings of running means."""

from __future__ import annotations

from typing import Any

import numpy as np

from geotoolz.core import VarSpec
from geotoolz.patch import _kernels
from geotoolz.patch._accumulators import Accumulator, Ring, known, of_chip
from geotoolz.patch._place import Array, Memory, Place


def mean_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the type in which a mean is kept: one that holds every value of `dtype` exactly."""
    if dtype.kind in "iu" and dtype.itemsize == 8:
        return dtype
    small = dtype == np.float16 or dtype == np.float32 or (dtype.kind in "iu" and dtype.itemsize <= 2)
    return np.dtype(np.float32 if small else np.float64)


def mean_bytes(dtype: np.dtype[Any], ring: Ring) -> int:
    """Return the bytes of the means, of what waits for the next chip, and of weights where gaps are."""
    stash = ring.stash[0] * ring.stash[1] * ring.stash[2]
    return (ring.pixels + stash) * (mean_dtype(dtype).itemsize + 8)


class MeanAccumulator(Accumulator):
    """Running weighted mean of what is valid; values that agree stay what they are, bit for bit.

    Parameters
    ----------
    spec : VarSpec
        The variable.
    ring : Ring
        The rows that are held.
    joint : bool
        A pixel counts only if all its planes are valid.
    """

    def __init__(self, spec: VarSpec, ring: Ring, joint: bool = False) -> None:
        super().__init__(spec, ring)
        dtype = mean_dtype(spec.dtype)
        # every pixel is written before it is read; zeros come page by page, which takes longer
        self._acc = np.zeros(ring.shape, dtype) if ring.partial else np.empty(ring.shape, dtype)
        self._stash = np.empty(ring.stash, dtype)
        self._line = np.empty(ring.chip[1], dtype)
        self._joint = joint
        self._kept: Array | None = None
        self._stash_kept: Array | None = None

    def add(self, chips: tuple[Array, ...], place: Place) -> None:
        """Move the means towards a chip."""
        chip = known(chips[0])
        if self._joint and _kernels.has_missing(chip, self.nodata):
            gone = (np.isnan(chip) | (chip == self.nodata)).any(axis=0)
            chip = np.where(gone, chip.dtype.type(np.nan), chip)
        memory = Memory.of(chip)
        nodata, check = of_chip(self.nodata, chip.dtype)
        at = (memory.values, memory.plane, memory.step, memory.first(place), nodata)
        ratios = place.ratios(self._acc.dtype)
        ends, corner, begin = (place.shared, place.done), (place.row, place.col), 0
        if self._kept is None or not check:
            rings = (self._acc, self._stash, self._line)
            begin = _kernels.mean_add(*rings, *at, check, *corner, *ratios, *ends)
        if begin == self.ring.planes * place.shape[0]:
            return
        if self._kept is None or self._stash_kept is None:  # only for chips with gaps: most scenes need none
            rows = (self.ring.planes, self.ring.unfinished, self.ring.cols)
            self._kept, self._stash_kept = np.zeros(rows), np.zeros(self.ring.stash)
        weights = (place.y.weights, place.y.before, place.x.weights, place.x.before, place.every.total)
        _kernels.mean_add_missing(
            self._acc,
            self._stash,
            self._kept,
            self._stash_kept,
            *at,
            *corner,
            *ratios,
            *weights,
            begin,
            *ends,
        )

    def take(self, row: int, count: int) -> tuple[Array, ...]:
        """Return the means."""
        return (self.finished(self.rows(self._acc, row, count)),)


class WideMeanAccumulator(Accumulator):
    """Running mean of integers that no float holds: every step is rounded to an integer."""

    def __init__(self, spec: VarSpec, ring: Ring) -> None:
        super().__init__(spec, ring)
        self._acc, self._lost = np.zeros(ring.shape, spec.dtype), np.zeros(ring.shape)

    def add(self, chips: tuple[Array, ...], place: Place) -> None:
        """Move the means towards a chip."""
        weights = (place.y.weights, place.y.before, place.x.weights, place.x.before, place.every.total)
        where = (self.nodata, place.row, place.col)
        _kernels.mean_add_wide(self._acc, self._lost, place.of(chips[0]), *where, *weights)

    def take(self, row: int, count: int) -> tuple[Array, ...]:
        """Return the means."""
        return (self.rows(self._acc, row, count),)
