"""Kernels of truth values: arrays in, arrays out."""

from __future__ import annotations

from typing import Any

import numpy as np

from geotoolz.core import pixelwise


@pixelwise(np.bool_)
def truth(out: Any, values: Any, nodata: Any, unknown: Any) -> None:
    """Write whether a value is other than 0, `unknown` where there is none."""
    for i in range(out.size):
        missing = (values[i] == nodata) | (values[i] != values[i])
        out[i] = unknown if missing else values[i] != 0


@pixelwise(np.bool_, arrays=2)
def either(out: Any, one: Any, other: Any) -> None:
    """Write whether one of two masks is set."""
    for i in range(out.size):
        out[i] = one[i] | other[i]


@pixelwise(np.bool_, arrays=2)
def both(out: Any, one: Any, other: Any) -> None:
    """Write whether both masks are set."""
    for i in range(out.size):
        out[i] = one[i] & other[i]


@pixelwise(np.bool_)
def inverse(out: Any, mask: Any) -> None:
    """Write whether a mask is not set."""
    for i in range(out.size):
        out[i] = not mask[i]
