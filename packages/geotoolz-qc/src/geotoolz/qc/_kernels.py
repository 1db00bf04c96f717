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
    """Return the valid values of a flat array, and those outside a range; no branch: it vectorises."""
    n, outside = 0, 0
    for i in range(values.size):
        v = np.float64(values[i])
        valid = (values[i] != nodata) & (v == v)
        n += valid
        outside += valid & ((v < low) | (v > high))
    return n, outside
