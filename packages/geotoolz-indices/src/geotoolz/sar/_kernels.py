"""Kernels per pixel: arrays in, arrays out."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from geotoolz.core import pixelwise


@pixelwise(np.float32)
def to_decibel(out: Any, values: Any, nodata: Any) -> None:
    """Write ``10 · log10(value)`` as float32; NaN for no-data and for what has no logarithm."""
    for i in range(out.size):
        v = np.float64(values[i])
        good = (values[i] != nodata) & (v > 0) & (v < np.inf)
        out[i] = np.float32(10.0 * math.log10(v)) if good else np.float32(np.nan)


@pixelwise(np.float32)
def to_linear(out: Any, values: Any, nodata: Any) -> None:
    """Write ``10 ** (value / 10)`` as float32; NaN for no-data and infinities."""
    for i in range(out.size):
        v = np.float64(values[i])
        good = (values[i] != nodata) & (v > -np.inf) & (v < np.inf)
        out[i] = np.float32(np.float64(10.0) ** (v / 10.0)) if good else np.float32(np.nan)
