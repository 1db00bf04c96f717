"""The smallest and the largest number of an array, at the speed of memory."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from geotoolz.core import flat_view, kernel

_TOP = 0x7FFFFFFFFFFFFFFF


@kernel
def key_extremes(values: Any, words: Any, nodata: Any, limit: Any, fold: Any, flip: Any) -> Any:
    """Return the extremes of whole numbers that are in the order of the valid values.

    Compilers turn comparisons of integers into vector instructions, those of floats not: NaN.
    """
    low, high = np.int64(_TOP), np.int64(-_TOP)
    for i in range(values.size):
        v = values[i]
        good = (v != nodata) & (np.abs(v) <= limit)
        word = np.int64(words[i]) ^ flip
        key = word ^ ((word >> np.int64(63)) & fold)
        low = min(low, key if good else np.int64(_TOP))
        high = max(high, key if good else np.int64(-_TOP))
    return low, high


def extremes(array: np.ndarray[Any, Any], nodata: float, *, finite: bool = False) -> tuple[float, float]:
    """Return the smallest and largest valid value (inf, −inf if there is none).

    NaN and no-data are not valid; infinities are, unless only what is finite counts.
    """
    flat = flat_view(array if array.dtype != np.bool_ else np.asarray(array).view(np.uint8))
    dtype, limit, fold, flip = flat.dtype, math.inf, np.int64(0), np.int64(0)
    words = flat
    if dtype.kind == "f":  # the bits of floats are in their order, but for the negative ones
        words = flat.view(f"i{dtype.itemsize}")
        fold = np.int64((1 << (8 * dtype.itemsize - 1)) - 1)
        limit = float(np.finfo(dtype).max) if finite else math.inf
    elif dtype == np.uint64:
        words, flip = flat.view(np.int64), np.int64(-_TOP - 1)
    low, high = key_extremes(flat, words, nodata, limit, fold, flip)
    if low > high:
        return (math.inf, -math.inf)
    return (_value(int(low), dtype, int(fold), int(flip)), _value(int(high), dtype, int(fold), int(flip)))


def _value(key: int, dtype: np.dtype[Any], fold: int, flip: int) -> float:
    word = (key ^ (fold if key < 0 else 0)) ^ flip
    if dtype.kind == "f":
        return float(np.array([word], f"i{dtype.itemsize}").view(dtype)[0]) + 0.0  # −0 is 0
    return float(word & 0xFFFFFFFFFFFFFFFF if dtype == np.uint64 else word)
