"""Kernels per pixel: arrays in, arrays out."""

from __future__ import annotations

from typing import Any

import numpy as np

from geotoolz.core import choose, kernel, pixelwise


@pixelwise(np.bool_)
def decode(out: Any, values: Any, bits: Any, masks: Any, targets: Any, fill: Any, at_fill: Any) -> None:
    """Write whether any of some bits is set, or any of some fields of bits makes its target.

    All numbers come in the layer's own type. `fill` is an empty array, or holds the value that is no code.
    One loop per code: the compiler makes vector instructions of each.
    """
    for i in range(out.size):
        out[i] = (values[i] & bits) != 0
    for k in range(masks.size):
        mask, target = masks[k], targets[k]
        for i in range(out.size):
            out[i] = out[i] | ((values[i] & mask) == target)
    for k in range(fill.size):
        empty = fill[k]
        for i in range(out.size):
            out[i] = (out[i] & (values[i] != empty)) | (at_fill & (values[i] == empty))


@pixelwise(np.int32)
def to_codes(out: Any, values: Any, top: Any, empty: Any) -> None:
    """Write the codes that floats stand for, -1 for NaN, for what is no code, and for `empty`."""
    for i in range(out.size):
        v = np.float64(values[i])
        code = (v >= 0.0) & (v <= top) & (v == np.floor(v)) & (v != empty)
        # the cast sees numbers only that it is defined for
        out[i] = np.int32(v) if code else np.int32(-1)


@pixelwise(arrays=2)
def fill_where(out: Any, values: Any, mask: Any, fill: Any) -> None:
    """Write `fill` where the mask is set, the value elsewhere."""
    for i in range(out.size):
        out[i] = choose(mask[i], fill, values[i])


@kernel
def count_flagged(mask: Any, left_out: Any) -> Any:
    """Return how many pixels count, and how many of them are flagged; flat arrays."""
    counted, flagged = 0, 0
    for i in range(mask.size):
        counted += not left_out[i]
        flagged += mask[i] & (not left_out[i])
    return counted, flagged


@pixelwise(np.bool_)
def is_nodata(out: Any, values: Any, nodata: Any) -> None:
    """Write whether a value is no-data."""
    for i in range(out.size):
        out[i] = (values[i] == nodata) | (values[i] != values[i])
