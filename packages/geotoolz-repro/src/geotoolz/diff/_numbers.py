"""Sums, quantiles and extremes of many float32 numbers, from counts: exact, in any order.

A float32 is put into the row of its upper 16 bits (sign, exponent, 7 bits of the mantissa). A row
counts its numbers and sums up their lower 16 bits and the squares of these, all whole numbers. So
one visit of the pixels gives the sum, the sum of sizes and the sum of squares without rounding, and
quantiles to within the width of a row: at most 1/128 of the value. The digits are those of a radix
sort; how the sums follow from them is worked out at `Numbers`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from geotoolz.diff import _kernels

Array = np.ndarray[Any, Any]
_HALF = 0xFFFFFFFF


class Tally:
    """Counts of float32 numbers; the state of one worker."""

    __slots__ = ("largest", "smallest", "table")

    def __init__(self) -> None:
        self.table = np.zeros((_kernels.BINS, 3), np.int64)
        self.smallest, self.largest = math.inf, -math.inf

    def take(self, values: Array) -> None:
        """Take in the numbers of a flat array."""
        if not values.size:
            return
        self.smallest = min(self.smallest, float(values.min()))
        self.largest = max(self.largest, float(values.max()))
        words = values.view(np.uint32)
        words.flags.writeable = False
        _kernels.tally(words, self.table)

    def merge(self, other: Tally) -> None:
        """Add what another worker has counted."""
        self.table += other.table
        self.smallest, self.largest = (
            min(self.smallest, other.smallest),
            max(self.largest, other.largest),
        )

    def numbers(self) -> Numbers:
        """Return what was counted, without the rows that are empty."""
        rows = np.flatnonzero(self.table[:, 0])
        held = self.table[rows]
        cells = np.stack([held[:, 0], held[:, 1], held[:, 2] >> 32, held[:, 2] & _HALF], axis=1)
        return Numbers(rows.astype(np.int32), cells, self.smallest, self.largest)


@dataclass(frozen=True)
class Numbers:
    """Counts of float32 numbers, merged exactly.

    With ``e`` the exponent of a row, ``h`` its mantissa with the lower bits 0 and ``l`` the lower
    bits of a number, the number is ``±(h + l) · 2**(e − 150)``; so ``Σ(h + l) = n·h + Σl`` and
    ``Σ(h + l)² = n·h² + 2h·Σl + Σl²``.

    Attributes
    ----------
    rows : array of int
    cells : array of int
        Per row: count, sum of lower bits, sum of their squares in two parts of 32 bits.
    smallest, largest : float
        inf and −inf of no number.
    """

    rows: Array
    cells: Array
    smallest: float
    largest: float

    @property
    def n(self) -> int:
        """How many numbers there are."""
        return int(self.cells[:, 0].sum())

    def _parts(self) -> tuple[Array, Array, Array, Array]:
        """Return sign, shift, sum of mantissas and sum of their squares of every row, exactly."""
        exponent = (self.rows >> 7) & 0xFF
        high = ((self.rows & 0x7F) << 16) + np.where(exponent > 0, 1 << 23, 0)
        count, low, upper, lower = (column.astype(object) for column in self.cells.T)
        h = high.astype(object)
        sums = count * h + low
        squares = count * h * h + 2 * h * low + upper * (1 << 32) + lower
        sign = np.where(self.rows >> 15, -1, 1)
        return sign, np.maximum(exponent, 1) - 1, sums, squares

    @cached_property
    def sums(self) -> tuple[Fraction, Fraction, Fraction]:
        """The sum, the sum of sizes and the sum of squares, without rounding."""
        sign, shift, sums, squares = self._parts()
        total = size = square = 0
        for s, k, m, m2 in zip(sign.tolist(), shift.tolist(), sums.tolist(), squares.tolist(), strict=True):
            total += s * (m << k)
            size += m << k
            square += m2 << (2 * k)
        unit = Fraction(1, 1 << 149)
        return total * unit, size * unit, square * unit * unit

    def quantile(self, q: float) -> float:
        """Return a quantile, interpolated like `numpy.quantile`, to within 1/128 of the value."""
        n = self.n
        if not n:
            return math.nan
        negative = self.rows >> 15 == 1
        order = np.concatenate([np.flatnonzero(negative)[::-1], np.flatnonzero(~negative)])
        ends = np.cumsum(self.cells[order, 0])
        place = (n - 1) * q
        below, above = (self._at(order, ends, rank) for rank in (math.floor(place), math.ceil(place)))
        return below + (above - below) * (place - math.floor(place))

    def _at(self, order: Array, ends: Array, rank: int) -> float:
        """Return the mean of the row that holds a rank."""
        if rank == 0:
            return self.smallest
        if rank == int(ends[-1]) - 1:
            return self.largest
        place = int(order[int(np.searchsorted(ends, rank, side="right"))])
        one = Numbers(self.rows[place : place + 1], self.cells[place : place + 1], math.inf, -math.inf)
        return float(one.sums[0] / one.n)


class Pool:
    """The numbers of many tiles together."""

    __slots__ = ("largest", "smallest", "table")

    def __init__(self) -> None:
        self.table = np.zeros((_kernels.BINS, 4), np.int64)
        self.smallest, self.largest = math.inf, -math.inf

    def add(self, numbers: Numbers) -> None:
        """Add the numbers of a tile."""
        self.table[numbers.rows] += numbers.cells  # every row stands once
        self.smallest = min(self.smallest, numbers.smallest)
        self.largest = max(self.largest, numbers.largest)

    def numbers(self) -> Numbers:
        """Return all of them."""
        rows = np.flatnonzero(self.table[:, 0])
        cells = self.table[rows]
        cells[:, 2] += cells[:, 3] >> 32  # carried, so that equal sums are written alike
        cells[:, 3] &= _HALF
        return Numbers(rows.astype(np.int32), cells, self.smallest, self.largest)
