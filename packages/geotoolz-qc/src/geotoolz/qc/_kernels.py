"""Kernels: arrays in, numbers out."""

from __future__ import annotations

from typing import Any

import numpy as np

from geotoolz.core import kernel


@kernel
def count_valid(values: Any, nodata: Any) -> Any:
    """Return the number of valid values of a flat array."""
    n = 0
    for i in range(values.size):
        v = values[i]
        n += not (v == nodata or v != v)
    return n


@kernel
def count_outside(values: Any, nodata: Any, low: Any, high: Any) -> Any:
    """Return valid values, those outside a range, the smallest and the largest."""
    n, outside = 0, 0
    smallest, largest = np.inf, -np.inf
    for i in range(values.size):
        v = np.float64(values[i])
        if values[i] == nodata or v != v:
            continue
        n += 1
        outside += (v < low) | (v > high)
        smallest = min(smallest, v)
        largest = max(largest, v)
    return n, outside, smallest, largest
