"""Kernels of means and covariances: numbers on a fixed-point scale, whose sums are exact."""

from __future__ import annotations

from typing import Any

import numpy as np

from geotoolz.core import kernel

CHUNK = 512
"""Pixels of one matrix product: with `GRAM_LEVELS` its sums stay below 2**53, exact in float64."""


@kernel
def mark_valid(mask: Any, values: Any, nodata: Any) -> None:
    """Clear the mask where a value is no-data, NaN or infinite."""
    for i in range(mask.size):
        v = np.float64(values[i])
        mask[i] &= (v != nodata) & (np.abs(v) < np.inf)


@kernel
def valid_extremes(values: Any, mask: Any) -> Any:
    """Return the smallest and largest value where the mask is set (inf, −inf if nowhere)."""
    low, high = np.inf, -np.inf
    for i in range(values.size):
        v = np.float64(values[i])
        low = v if mask[i] & (v < low) else low
        high = v if mask[i] & (v > high) else high
    return low, high


@kernel
def fixed_points(out: Any, row: Any, values: Any, mask: Any, centre: Any, scale: Any) -> None:
    """Write ``rint((value − centre) · scale)`` to a row of every chunk, 0 where there is no value."""
    chunks, _, length = out.shape
    for c in range(chunks):
        begin = c * length
        end = min(values.size - begin, length)
        for i in range(end):
            q = np.rint((np.float64(values[begin + i]) - centre) * scale)
            out[c, row, i] = q if mask[begin + i] else 0.0
        for i in range(max(end, 0), length):
            out[c, row, i] = 0.0


@kernel
def fixed_sums(values: Any, nodata: Any, centre: Any, scale: Any) -> Any:
    """Return count, sum, and sum of squares (in two parts of 30 bits) of fixed-point values."""
    n = total = high = low = np.int64(0)
    for i in range(values.size):
        v = np.float64(values[i])
        valid = (v != nodata) & (np.abs(v) < np.inf)
        q = np.int64(np.rint((v - centre) * scale)) if valid else np.int64(0)
        square = q * q
        n += np.int64(valid)
        total += q
        high += square >> 30
        low += square & 0x3FFFFFFF
    return n, total, high, low
