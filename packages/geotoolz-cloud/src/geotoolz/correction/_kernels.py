"""Kernels: arrays in, arrays out."""

from __future__ import annotations

from typing import Any

import numpy as np

from geotoolz.core import pixelwise


@pixelwise(np.float32)
def subtract_floor(out: Any, values: Any, nodata: Any, haze: Any) -> None:
    """Write ``max(value − haze, 0)`` as float32, NaN for no-data."""
    for i in range(out.size):
        v = np.float64(values[i]) - haze
        bad = (values[i] == nodata) | (v != v)
        floored = 0.0 if v < 0.0 else v
        out[i] = np.float32(np.nan) if bad else np.float32(floored)


@pixelwise(np.float32)
def divide(out: Any, values: Any, nodata: Any, by: Any) -> None:
    """Write ``value / by`` as float32, NaN for no-data."""
    for i in range(out.size):
        bad = (values[i] == nodata) | (values[i] != values[i])
        out[i] = np.float32(np.nan) if bad else np.float32(np.float64(values[i]) / by)
