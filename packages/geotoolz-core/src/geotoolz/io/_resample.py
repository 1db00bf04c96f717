"""Resampling between lattices whose every pixel depends on its absolute position alone.

Positions are counted in pixels of the source from the lattice's own origin and rounded to 2⁻¹⁶ of
a pixel; sums run in fixed order. A window therefore has the bits that the whole has.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
_QUANTUM = 65536.0


def quantised(positions: Array) -> Array:
    """Round positions to 2⁻¹⁶ of a pixel: below any shift that matters, above any rounding."""
    return np.round(positions * _QUANTUM) / _QUANTUM


@dataclass(frozen=True)
class Axis:
    """How the pixels of one axis are made of a source's pixels.

    Parameters
    ----------
    index : array of int, shape (taps, n)
        Source pixels, clipped into the source.
    weight : array of float, shape (taps, n)
        Their weights; 0 outside the source.
    centre : array of int, shape (n,)
        The source pixel that holds each target pixel's centre, -1 outside the source.
    average : bool
        Whether areas are averaged (the target is coarser).
    """

    index: Array
    weight: Array
    centre: Array
    average: bool

    @property
    def span(self) -> tuple[int, int]:
        """First and one past the last source pixel that is needed."""
        used = self.index[self.weight > 0]
        inside = self.centre[self.centre >= 0]
        every = np.concatenate([used, inside])
        return (int(every.min()), int(every.max()) + 1) if every.size else (0, 0)

    def within(self, first: int, last: int) -> Axis:
        """Return the same axis counted within source pixels first … last - 1, which hold its span."""
        centre = np.where(self.centre >= 0, self.centre - first, -1)
        return Axis(np.clip(self.index, first, last - 1) - first, self.weight, centre, self.average)


def axis(offset: float, ratio: float, start: int, count: int, size: int, nearest: bool) -> Axis:
    """Relate target pixels to source pixels along one axis.

    Parameters
    ----------
    offset : float
        Position of the target lattice's origin in source pixels.
    ratio : float
        Source pixels per target pixel, signed.
    start, count : int
        The wanted target pixels.
    size : int
        Length of the source.
    nearest : bool
        Take the pixel that holds the centre, and nothing else.

    Returns
    -------
    Axis
    """
    i = np.arange(start, start + count, dtype=np.float64)
    middle = quantised(offset + (i + 0.5) * ratio)
    centre = np.floor(middle).astype(np.int64)
    centre[(centre < 0) | (centre >= size)] = -1
    average = not nearest and abs(ratio) > 1 + 1e-9
    if nearest:
        index = np.floor(middle).astype(np.int64)[None]
        weight = np.ones_like(index, dtype=np.float64)
    elif average:
        ends = np.stack([quantised(offset + i * ratio), quantised(offset + (i + 1) * ratio)])
        low, high = ends.min(axis=0), ends.max(axis=0)
        first = np.floor(low).astype(np.int64)
        index = first + np.arange(math.ceil(abs(ratio)) + 1)[:, None]
        weight = np.clip(np.minimum(high, index + 1.0) - np.maximum(low, index), 0.0, None)
    else:
        low = np.floor(middle - 0.5)
        part = middle - 0.5 - low
        index = low.astype(np.int64) + np.arange(2)[:, None]
        weight = np.stack([1.0 - part, part])
    weight = np.where((index < 0) | (index >= size), 0.0, weight)
    return Axis(np.clip(index, 0, max(size - 1, 0)), weight, centre, average)


def resampled(block: Array, valid: Array | None, rows: Axis, cols: Axis) -> tuple[Array, Array]:
    """Resample a block of source pixels.

    Parameters
    ----------
    block : array
        Source pixels.
    valid : array of bool or None
        Which of them have data; None for all.
    rows, cols : Axis
        Counted from the block's first pixel.

    Returns
    -------
    values : array of float64
        Weighted means of the pixels with data.
    valid : array of bool
        For averages: some pixel has data. Otherwise: the pixel under the centre has data.
    """
    values = block.astype(np.float64)
    if valid is None:
        total = _apply(values, rows, cols)
        weight = rows.weight.sum(axis=0)[:, None] * cols.weight.sum(axis=0)[None, :]
    else:
        values[~valid] = 0.0
        total = _apply(values, rows, cols)
        weight = _apply(valid.astype(np.float64), rows, cols)
    has = weight > 0
    if not (rows.average and cols.average):
        has &= (rows.centre >= 0)[:, None] & (cols.centre >= 0)[None, :]
        if valid is not None:
            has &= valid[np.maximum(rows.centre, 0)[:, None], np.maximum(cols.centre, 0)[None, :]]
    with np.errstate(divide="ignore", invalid="ignore"):
        return total / weight, has


def _apply(values: Array, rows: Axis, cols: Axis) -> Array:
    tall = values[rows.index[0]] * rows.weight[0][:, None]
    for k in range(1, len(rows.index)):
        tall += values[rows.index[k]] * rows.weight[k][:, None]
    wide: Array = tall[:, cols.index[0]] * cols.weight[0]
    for k in range(1, len(cols.index)):
        wide += tall[:, cols.index[k]] * cols.weight[k]
    return wide


def picked(block: Array, rows: Axis, cols: Axis) -> tuple[Array, Array | None]:
    """Pick the pixel under each centre; the second array tells which lie inside, None for all."""
    values = block[np.maximum(rows.centre, 0)[:, None], np.maximum(cols.centre, 0)[None, :]]
    if (rows.centre >= 0).all() and (cols.centre >= 0).all():
        return values, None
    return values, (rows.centre >= 0)[:, None] & (cols.centre >= 0)[None, :]
