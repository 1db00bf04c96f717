"""Radix search: the values of some ranks, found 16 bits a pass from counts that add in any order."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from geotoolz.core import flat_view
from geotoolz.radiometry import _radix_kernels as kernels
from geotoolz.radiometry._quantiles import Quantiles

Array = np.ndarray[Any, Any]
HELD_BYTES = 5 << 20
"""A sample of up to this size per band and worker is held, so that the pixels are visited once."""


def passes_of(dtype: np.dtype[Any]) -> int:
    """Return how many passes a search takes."""
    return max(1, dtype.itemsize // 2)


class Search:
    """The search for the values of some ranks in one band.

    Digits are counted as they stand in memory; only at the end of a pass are the counts put in the
    order of the numbers they belong to (negative floats sort backwards, signed integers start at
    the sign bit). The lowest 16 bits decide last.

    Parameters
    ----------
    dtype : numpy.dtype
        Of the band.
    nodata : float
        Its no-data value; NaN where there is none.
    known : mapping or Quantiles, optional
        What the pass before has learnt.
    """

    def __init__(
        self, dtype: np.dtype[Any], nodata: float, known: Mapping[str, Any] | Quantiles | None
    ) -> None:
        self.dtype = dtype
        self.nodata = nodata
        self.known = known
        self.digit = passes_of(dtype) - 1 if known is None else 0  # passes that remain after this one
        self.cells = 0
        self.held: list[Array] | None = []  # None once it was counted
        self.held_bytes = 0
        self.prefixes = np.zeros(1, np.uint64)
        if isinstance(known, Quantiles):  # a narrower band, done in fewer passes
            self.prefixes = self.prefixes[:0]
        elif known is not None:
            self.digit = known["digit"] - 1
            self.prefixes = np.array(sorted({prefix for prefix, _ in known["targets"]}), np.uint64)
        self.counts = np.zeros((len(self.prefixes), kernels.DIGITS + kernels.SPARE), np.int64)
        self.table = self._beginnings()

    def _beginnings(self) -> Array:
        """Return for every 16 first bits whether a prefix begins with them."""
        table = np.zeros(kernels.DIGITS, np.uint8)
        longer = np.uint64(max(8 * self.dtype.itemsize - 16 * (self.digit + 2), 0))
        table[self.prefixes >> longer] = 1
        return table

    @property
    def is_done(self) -> bool:
        """Whether the pass before has found everything."""
        return isinstance(self.known, Quantiles)

    def count(self, array: Array, cells: int) -> None:
        """Count one digit of every valid value."""
        self.held = None
        flat = flat_view(array)
        bits = flat.view(f"u{self.dtype.itemsize}")
        shift = 16 * self.digit
        if self.known is None:
            kernels.count_digits(flat, bits, self.nodata, shift, self.counts[0])
            self.cells += cells
            return
        top = 8 * self.dtype.itemsize - 16
        kernels.count_digits_below(
            flat, bits, self.nodata, shift, top, self.table, self.prefixes, self.counts
        )

    def hold(self, array: Array, cells: int) -> None:
        """Keep a small sample; count it once it is large."""
        if self.known is not None or self.held is None:
            self.count(array, cells)
            return
        self.held.append(array)
        self.cells += cells
        self.held_bytes += array.nbytes
        if self.held_bytes > HELD_BYTES:
            self._count_held()

    def _count_held(self) -> None:
        if self.held:
            self.count(np.concatenate(self.held), 0)
        self.held = None

    def add(self, other: Search) -> None:
        """Add the counts of another worker."""
        if self.held is None or other.held is None:
            self._count_held()
            other._count_held()
        else:
            self.held += other.held
            self.held_bytes += other.held_bytes
        self.counts += other.counts
        self.cells += other.cells

    def finish(self, q: Sequence[float], cell: int) -> Mapping[str, Any] | Quantiles:
        """Return the values, or what the next pass needs to know."""
        if isinstance(self.known, Quantiles):
            return self.known
        if self.held:
            return self._at_once(q, cell)
        if self.known is None:
            n, cells = int(self.counts[0, : kernels.DIGITS].sum()), self.cells
            targets = _first_targets(q, n) if n else []
        else:
            n, cells, targets = self.known["n"], self.known["cells"], self.known["targets"]
        if n == 0:
            return Quantiles([math.nan] * len(q), 0, cells, cell)
        narrowed = [self._narrow(prefix, rank) for prefix, rank in targets]
        if self.digit > 0:
            return {"n": n, "cells": cells, "targets": narrowed, "digit": self.digit}
        words = np.array([word for word, _ in narrowed], np.uint64).astype(f"u{self.dtype.itemsize}")
        return Quantiles(_interpolated(q, n, words.view(self.dtype).tolist()), n, cells, cell)

    def _at_once(self, q: Sequence[float], cell: int) -> Mapping[str, Any] | Quantiles:
        """Make all passes over a sample that was held."""
        array = np.concatenate(self.held or [])
        found: Mapping[str, Any] | Quantiles | None = None
        for _ in range(passes_of(self.dtype)):
            search = Search(self.dtype, self.nodata, found)
            search.count(array, self.cells)
            found = search.finish(q, cell)
            if isinstance(found, Quantiles):
                break
        return found or {}

    def _narrow(self, prefix: int, rank: int) -> tuple[int, int]:
        """Return the prefix one digit longer, and the rank below it."""
        row = int(np.searchsorted(self.prefixes, np.uint64(prefix)))
        order = self._order(prefix)
        ends = np.cumsum(self.counts[row, order])
        place = int(np.searchsorted(ends, rank, side="right"))
        before = int(ends[place - 1]) if place else 0
        return (prefix << 16) | int(order[place]), rank - before

    def _order(self, prefix: int) -> Array:
        """Return the digits in the order of the numbers that begin with a prefix."""
        width = 8 * self.dtype.itemsize
        digits = np.arange(min(kernels.DIGITS, 1 << width))
        if self.known is None:
            half = len(digits) // 2
            if self.dtype.kind == "i":
                return np.roll(digits, half)
            return (
                np.concatenate([digits[: half - 1 : -1], digits[:half]]) if self.dtype.kind == "f" else digits
            )
        negative = prefix >> (width - 16 * (self.digit + 1) - 1)
        return digits[::-1] if self.dtype.kind == "f" and negative else digits


def _first_targets(q: Sequence[float], n: int) -> list[tuple[int, int]]:
    positions = [(n - 1) * (value / 100) for value in q]
    return [(0, int(rank)) for p in positions for rank in (math.floor(p), math.ceil(p))]


def _interpolated(q: Sequence[float], n: int, values: Sequence[float]) -> list[float]:
    """Interpolate between neighbouring values, in the way of `numpy.percentile`."""
    found = []
    for index, value in enumerate(q):
        position = (n - 1) * (value / 100)
        t = position - math.floor(position)
        low, high = float(values[2 * index]), float(values[2 * index + 1])
        step = high - low
        if t == 0 or low == high:  # inf − inf is no distance
            found.append(low)
        else:
            found.append(low + step * t if t < 0.5 else high - step * (1 - t))
    return found
