"""Kernels of percentiles: count the digits of numbers, draw pixels."""

from __future__ import annotations

from typing import Any

import numpy as np

from geotoolz.core import kernel

DIGITS = 1 << 16
SPARE = 4
"""Places behind the digits where no-data is counted; several, so that one pixel need not wait for another."""
POSITIVE = 1 << 40
"""Added to cells, which may lie left of the origin: plain Python has no unsigned −1."""


@kernel
def count_digits(values: Any, bits: Any, nodata: Any, shift: Any, counts: Any) -> None:
    """Count the 16 bits of every value that start at bit `shift`; no-data goes to the spare places.

    `bits` are the raw bits of the values. There is no branch: NaN come in any pattern.
    """
    step = np.uint64(shift)
    for i in range(values.size):
        v = values[i]
        bad = (v == nodata) | (v != v)
        digit = np.int64((np.uint64(bits[i]) >> step) & np.uint64(0xFFFF))
        slot = DIGITS + (i & 3) if bad else digit
        counts[slot] += 1


@kernel
def count_digits_below(
    values: Any, bits: Any, nodata: Any, shift: Any, top: Any, table: Any, prefixes: Any, counts: Any
) -> None:
    """Count the 16 bits from bit `shift` of the values whose higher bits are one of some prefixes.

    `table` says for the 16 bits from bit `top` whether a prefix begins with them: one look tells
    for nearly every pixel that it does not matter.
    """
    step, first, above = np.uint64(shift), np.uint64(top), np.uint64(shift + 16)
    for i in range(values.size):
        word = np.uint64(bits[i])
        if table[word >> first]:
            v = values[i]
            if (v == nodata) | (v != v):
                continue
            for t in range(prefixes.size):
                if prefixes[t] == word >> above:
                    counts[t, np.int64((word >> step) & np.uint64(0xFFFF))] += 1
                    break


@kernel
def draw_pixels(values: Any, y: Any, x: Any, power: Any, key: Any, out: Any) -> Any:
    """Copy one pixel of every square cell of ``2**power`` pixels to `out`; return how many there are.

    `y` and `x` place the first pixel on an absolute lattice of cells. Which pixel of a cell it is
    follows from `key`, plane and cell alone (counter-based, SplitMix64's mixing function: Steele,
    Lea & Flood 2014, "Fast splittable pseudorandom number generators", OOPSLA). Places are drawn
    for a row of cells before the first is read, so that the reads need not wait for each other.
    """
    planes, height, width = values.shape
    flat = values.reshape(-1)
    low = np.uint64((1 << power) - 1)
    first = x >> power
    cells = ((x + width - 1) >> power) + 1 - first
    places = np.empty(max(cells, 0), np.int64)
    n = 0
    for p in range(planes):
        for cy in range(y >> power, ((y + height - 1) >> power) + 1):
            line = np.uint64(key) + np.uint64(p) * np.uint64(0xD1342543DE82EF95)
            line = (line ^ (line >> np.uint64(29))) + np.uint64(cy + POSITIVE) * np.uint64(0xBF58476D1CE4E5B9)
            line = (line ^ (line >> np.uint64(32))) * np.uint64(0xD6E8FEB86659FD93)
            for j in range(cells):
                h = line + np.uint64(first + j + POSITIVE) * np.uint64(0x9E3779B97F4A7C15)
                h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
                h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
                h ^= h >> np.uint64(31)
                row = (cy << power) + np.int64(h & low) - y
                col = ((first + j) << power) + np.int64((h >> np.uint64(32)) & low) - x
                inside = (row >= 0) & (row < height) & (col >= 0) & (col < width)
                places[j] = (p * height + row) * width + col if inside else -1
            for j in range(cells):
                if places[j] >= 0:
                    out[n] = flat[np.uint64(places[j])]
                    n += 1
    return n
