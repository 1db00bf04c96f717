"""Kernels: arrays in, arrays out."""

from __future__ import annotations

from typing import Any

import numpy as np

from geotoolz.core import pixelwise


@pixelwise(np.bool_)
def any_bit(out: Any, values: Any, bits: Any) -> None:
    """Write whether any of the bits is set; bit 15 of a signed 16-bit number counts as such."""
    for i in range(out.size):
        out[i] = (np.int64(values[i]) & bits) != 0


@pixelwise(np.bool_)
def in_classes(out: Any, values: Any, classes: Any) -> None:
    """Write whether a class number from 0 to 62 is among those whose bit is set in `classes`."""
    for i in range(out.size):
        v = np.int64(values[i])
        out[i] = (v >= 0) & (v < 63) & (((np.int64(1) << (v & 63)) & classes) != 0)


@pixelwise(arrays=2)
def fill_where(out: Any, values: Any, mask: Any, fill: Any) -> None:
    """Write `fill` where the mask is set, the value elsewhere."""
    for i in range(out.size):
        out[i] = fill if mask[i] else values[i]
