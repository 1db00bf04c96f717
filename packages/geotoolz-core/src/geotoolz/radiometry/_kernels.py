"""Kernels: arrays in, arrays out."""

from __future__ import annotations

from typing import Any

import numpy as np

from geotoolz.core import elementwise, kernel


@elementwise
def to_float32(value: Any, nodata: Any) -> Any:
    """Return a value as float32, NaN for no-data."""
    return np.float32(np.nan) if value == nodata else np.float32(value)


@elementwise
def scale(value: Any, nodata: Any, factor: Any, offset: Any) -> Any:
    """Return ``value · factor + offset`` rounded once to float32, NaN for no-data."""
    return np.float32(np.nan) if value == nodata else np.float32(np.float64(value) * factor + offset)


@elementwise
def clip(value: Any, nodata: Any, low: Any, high: Any) -> Any:
    """Return a value limited to ``low … high`` as float32, NaN for no-data."""
    v = np.float32(value)
    if value == nodata or v != v:
        return np.float32(np.nan)
    if low != low:
        return np.float32(np.nan)
    return min(max(v, np.float32(low)), np.float32(high))


@elementwise
def stretch(value: Any, nodata: Any, low: Any, high: Any, limit: Any) -> Any:
    """Return ``(value − low) / (high − low)`` as float32, NaN for no-data and for 0/0."""
    v = np.float64(value)
    width = high - low
    if value == nodata or v != v or width != width or width == 0:
        return np.float32(np.nan)
    r = (v - low) / width
    if limit:
        r = min(max(r, 0.0), 1.0)
    return np.float32(r)


@kernel
def box_mean(values: Any, nodata: Any, radius: Any) -> Any:
    """Return the mean of the valid neighbours of every valid pixel, over the last two axes.

    Sums run in float64 in a fixed order around each pixel, never as running sums, whose rounding
    would depend on where a window starts.
    """
    planes, height, width = values.shape
    out = np.empty(values.shape, np.float32)
    sums = np.empty((height, width), np.float64)
    counts = np.empty((height, width), np.int64)
    for p in range(planes):
        for i in range(height):
            for j in range(width):
                total, n = 0.0, 0
                for k in range(max(j - radius, 0), min(j + radius + 1, width)):
                    v = values[p, i, k]
                    if v != nodata and v == v:
                        total += np.float64(v)
                        n += 1
                sums[i, j] = total
                counts[i, j] = n
        for i in range(height):
            for j in range(width):
                v = values[p, i, j]
                if v == nodata or v != v:
                    out[p, i, j] = np.nan
                    continue
                total, n = 0.0, 0
                for k in range(max(i - radius, 0), min(i + radius + 1, height)):
                    total += sums[k, j]
                    n += counts[k, j]
                out[p, i, j] = np.float32(total / n)
    return out


@kernel
def count_keys(values: Any, bits: Any, nodata: Any, flip: Any, shift: Any, prefixes: Any, counts: Any) -> Any:
    """Count the 16-bit digits of order-preserving keys below some prefixes; return the valid pixels.

    `bits` are the values' raw bits; `flip` is 0 for unsigned integers, 1 for signed ones, 2 for
    floats (whose negative numbers sort backwards).
    """
    size = bits.size
    width = np.uint64(bits.itemsize * 8)
    top = np.uint64(1) << (width - np.uint64(1))
    every = np.uint64(0xFFFFFFFFFFFFFFFF) >> (np.uint64(64) - width)
    step = np.uint64(shift)
    above = np.uint64(shift + 16)
    n = 0
    for i in range(size):
        v = values[i]
        if v == nodata or v != v:
            continue
        n += 1
        key = np.uint64(bits[i])
        if flip == 1:
            key ^= top
        elif flip == 2:
            key = key ^ every if key & top else key | top
        digit = np.int64((key >> step) & np.uint64(0xFFFF))
        prefix = key >> above if above < width else np.uint64(0)
        for t in range(prefixes.size):
            if prefixes[t] == prefix:
                counts[t, digit] += 1
    return n


@kernel
def extremes(values: Any, nodata: Any) -> Any:
    """Return the smallest and largest valid value of a flat array (inf, −inf if there is none)."""
    low, high = np.inf, -np.inf
    for i in range(values.size):
        v = values[i]
        if v == nodata or v != v:
            continue
        low = min(low, np.float64(v))
        high = max(high, np.float64(v))
    return low, high
