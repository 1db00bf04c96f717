"""Kernels: arrays in, arrays out."""

from __future__ import annotations

from typing import Any

import numpy as np

from geotoolz.core import choose, flat_view, kernel, pixelwise

Array = np.ndarray[Any, Any]


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
def unpack(out: Any, values: Any, nodata: Any, lowest: Any, highest: Any, factor: Any, offset: Any) -> None:
    """Write ``value · factor + offset``, rounded once to float32; NaN for no-data and what is not valid."""
    for i in range(out.size):
        v = values[i]
        scaled = np.float32(np.float64(v) * factor + offset)
        gone = (v == nodata) | (v < lowest) | (v > highest)
        out[i] = np.float32(np.nan) if gone else scaled


@pixelwise(np.float32)
def calibrate(out: Any, values: Any, nodata: Any, saturated: Any, factor: Any, offset: Any) -> None:
    """Write ``value · factor + offset``, rounded once to float32; NaN for no-data and saturation."""
    for i in range(out.size):
        v = values[i]
        scaled = np.float32(np.float64(v) * factor + offset)
        out[i] = np.float32(np.nan) if (v == nodata) | (v == saturated) else scaled


@pixelwise(np.float32)
def temperature(out: Any, values: Any, nodata: Any, factor: Any, offset: Any, k1: Any, k2: Any) -> None:
    """Write ``k2 / ln(k1 / L + 1)`` of the radiance ``L = value · factor + offset`` as float32.

    NaN for no-data and for a radiance of 0 or less, which no body has.
    """
    for i in range(out.size):
        v = values[i]
        radiance = np.float64(v) * factor + offset
        bad = (v == nodata) | (not radiance > 0.0)
        out[i] = np.float32(np.nan) if bad else np.float32(k2 / np.log(k1 / radiance + 1.0))


@pixelwise(np.float32)
def power(out: Any, values: Any, nodata: Any, exponent: Any) -> None:
    """Write values limited to 0 … 1 to a power as float32; NaN for no-data."""
    # exp and log take half the time of a general power, and are exact to far more than float32 here
    for i in range(out.size):
        v = np.float64(values[i])
        limited = 0.0 if v < 0.0 else v
        limited = 1.0 if limited > 1.0 else limited
        bad = (values[i] == nodata) | (v != v)
        out[i] = np.float32(np.nan) if bad else np.float32(np.exp(exponent * np.log(limited)))


@pixelwise(np.float32)
def clip(out: Any, values: Any, nodata: Any, low: Any, high: Any) -> None:
    """Write values limited to ``low … high`` as float32; NaN for no-data and unknown limits."""
    lowest, highest = np.float32(low), np.float32(high)
    for i in range(out.size):
        v = np.float32(values[i])
        bad = (values[i] == nodata) | (v != v) | (lowest != lowest)
        limited = choose(v < lowest, lowest, v)
        limited = choose(limited > highest, highest, limited)
        out[i] = choose(bad, np.float32(np.nan), limited)


@pixelwise(np.float32)
def stretch(out: Any, values: Any, nodata: Any, low: Any, high: Any, limit: Any) -> None:
    """Write ``(value − low) / (high − low)`` as float32; NaN for no-data and for 0/0."""
    width = high - low
    # the product with the inverse is off by a unit of float64 at most, far below float32's
    inverse = np.nan if width == 0 else 1.0 / width
    lowest = np.float32(0.0) if limit else np.float32(-np.inf)
    highest = np.float32(1.0) if limit else np.float32(np.inf)
    for i in range(out.size):
        # limited after rounding: it comes to the same, and float32 takes half the time
        r = np.float32((np.float64(values[i]) - low) * inverse)
        r = choose(r < lowest, lowest, r)
        r = choose(r > highest, highest, r)
        out[i] = choose(values[i] == nodata, np.float32(np.nan), r)


@pixelwise(np.float32)
def standardize(out: Any, values: Any, nodata: Any, mean: Any, std: Any) -> None:
    """Write ``(value − mean) / std`` as float32; NaN for no-data and for 0/0."""
    for i in range(out.size):
        v = np.float64(values[i])
        bad = (values[i] == nodata) | (v != v) | (std != std) | (std == 0)
        out[i] = np.float32(np.nan) if bad else np.float32((v - mean) / std)


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
def _classify(values: Any, nodata: Any, breaks: Any, out: Any) -> None:
    for i in range(values.size):
        v = values[i]
        above = 0
        for k in range(breaks.size):
            above += v >= breaks[k]
        out[i] = 0 if (v == nodata) | (v != v) else above + 1


def classify(values: Array, nodata: Any, breaks: Array) -> Array:
    """Return how many breaks each value reaches, plus 1; 0 for no data."""
    out = np.empty(values.shape, np.uint8)
    _classify(flat_view(values), nodata, breaks, out.reshape(-1))
    return out
