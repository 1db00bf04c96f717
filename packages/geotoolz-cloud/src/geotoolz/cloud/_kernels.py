"""Kernels: arrays in, arrays out."""

from __future__ import annotations

from typing import Any

import numpy as np

from geotoolz.core import elementwise


@elementwise
def any_bit(value: Any, bits: Any) -> Any:
    """Whether any of the bits is set; bit 15 of a signed 16-bit number counts as such."""
    return (np.int64(value) & bits) != 0


@elementwise
def in_classes(value: Any, classes: Any) -> Any:
    """Whether a class number from 0 to 62 is among those whose bit is set in `classes`."""
    v = np.int64(value)
    return (v >= 0) & (v < 63) & (((np.int64(1) << (v & 63)) & classes) != 0)


@elementwise
def fill_where(value: Any, mask: Any, fill: Any) -> Any:
    """Return `fill` where the mask is set, the value elsewhere."""
    return fill if mask else value
