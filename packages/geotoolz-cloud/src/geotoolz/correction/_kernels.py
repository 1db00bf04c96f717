"""Kernels: arrays in, arrays out."""

from __future__ import annotations

from typing import Any

import numpy as np

from geotoolz.core import elementwise


@elementwise
def subtract_floor(value: Any, nodata: Any, haze: Any) -> Any:
    """Return ``max(value − haze, 0)`` as float32, NaN for no-data."""
    v = np.float64(value) - haze
    if value == nodata or v != v:
        return np.float32(np.nan)
    return np.float32(max(v, 0.0))
