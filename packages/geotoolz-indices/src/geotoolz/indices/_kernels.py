"""Kernels: arrays in, arrays out."""

from __future__ import annotations

from typing import Any

import numpy as np

from geotoolz.core import pixelwise


@pixelwise(np.float32, arrays=2)
def normalized_difference(out: Any, a: Any, b: Any, nodata_a: Any, nodata_b: Any) -> None:
    """Write ``(a − b) / (a + b)`` as float32; NaN for no-data and where the sum is 0."""
    for i in range(out.size):
        x, y = np.float32(a[i]), np.float32(b[i])
        total = x + y
        # `|` and one selection instead of branches: the loop becomes vector instructions
        bad = (a[i] == nodata_a) | (b[i] == nodata_b) | (total == np.float32(0))
        ratio = (x - y) / total
        out[i] = np.float32(np.nan) if bad else ratio
