"""Kernels: arrays in, arrays out."""

from __future__ import annotations

from typing import Any

import numpy as np

from geotoolz.core import elementwise


@elementwise
def normalized_difference(a: Any, b: Any, nodata_a: Any, nodata_b: Any) -> Any:
    """Return ``(a − b) / (a + b)`` as float32; NaN for no-data and where the sum is 0."""
    x, y = np.float32(a), np.float32(b)
    total = x + y
    if a == nodata_a or b == nodata_b or total == np.float32(0):
        return np.float32(np.nan)
    return (x - y) / total
