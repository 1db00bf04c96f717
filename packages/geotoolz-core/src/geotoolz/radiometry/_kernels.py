"""Kernels: arrays in, arrays out."""

from __future__ import annotations

from typing import Any

import numpy as np

from geotoolz.core import kernel, pixelwise


@pixelwise(np.float32)
def to_float32(out: Any, values: Any, nodata: Any) -> None:
    """Write values as float32, NaN for no-data."""
    for i in range(out.size):
        v = values[i]
        out[i] = np.float32(np.nan) if v == nodata else np.float32(v)


@pixelwise(np.float32)
def scale(out: Any, values: Any, nodata: Any, factor: Any, offset: Any) -> None:
    """Write ``value · factor + offset``, rounded once to float32; NaN for no-data."""
    for i in range(out.size):
        v = values[i]
        scaled = np.float32(np.float64(v) * factor + offset)
        out[i] = np.float32(np.nan) if v == nodata else scaled


@pixelwise(np.float32)
def clip(out: Any, values: Any, nodata: Any, low: Any, high: Any) -> None:
    """Write values limited to ``low … high`` as float32; NaN for no-data and unknown limits."""
    lowest, highest = np.float32(low), np.float32(high)
    for i in range(out.size):
        v = np.float32(values[i])
        bad = (values[i] == nodata) | (v != v) | (lowest != lowest)
        limited = lowest if v < lowest else v
        limited = highest if limited > highest else limited
        out[i] = np.float32(np.nan) if bad else limited


@pixelwise(np.float32)
def stretch(out: Any, values: Any, nodata: Any, low: Any, high: Any, limit: Any) -> None:
    """Write ``(value − low) / (high − low)`` as float32; NaN for no-data and for 0/0."""
    width = high - low
    for i in range(out.size):
        v = np.float64(values[i])
        r = (v - low) / width
        if limit:
            r = 0.0 if r < 0.0 else r
            r = 1.0 if r > 1.0 else r
        bad = (values[i] == nodata) | (v != v) | (width != width) | (width == 0)
        out[i] = np.float32(np.nan) if bad else np.float32(r)


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
