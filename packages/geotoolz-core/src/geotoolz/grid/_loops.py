"""Resampling kernels, compiled when the first pixel is resampled.

``block`` holds planes of source pixels whose first lies at (`r0`, `c0`) of the source lattice;
``rows`` and ``cols`` are positions on that lattice in float64, NaN where a pixel has none. What lies
outside the block lies outside the source. Every output pixel is computed by itself, in float64 and
in fixed order, so a window has the bits of the whole.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from geotoolz.core._jit import compiled

_A = -0.5  # Keys' parameter: Catmull-Rom, exact to third order


@compiled
def interpolate(nodes: Any, step: int, k0: int, l0: int, v0: int, u0: int, shift: float, out: Any) -> None:
    """Fill `out` with values between the nodes of a control lattice, cell by cell.

    `step` is a power of two: multiplying by its inverse gives the bits of the division.
    """
    height, width = out.shape
    part = 1.0 / step
    across = nodes.shape[1]
    line = np.empty(across, np.float64)
    for i in range(height):
        k = (v0 + i) // step
        t = (v0 + i - k * step + shift) / step
        for n in range(across):
            line[n] = nodes[k - k0, n] + (nodes[k - k0 + 1, n] - nodes[k - k0, n]) * t
        j = 0
        while j < width:  # cells, so that the loop inside has nothing to look up
            cell = (u0 + j) // step
            end = min(width, (cell + 1) * step - u0)
            left, first = line[cell - l0], u0 - cell * step
            rise = line[cell - l0 + 1] - left
            for m in range(j, end):
                out[i, m] = left + rise * ((first + m + shift) * part)
            j = end


@compiled
def nearest(out: Any, block: Any, r0: int, c0: int, rows: Any, cols: Any, fill: Any) -> None:
    """Take the pixel that holds each position."""
    planes, height, width = block.shape
    for i in range(rows.shape[0]):
        for j in range(rows.shape[1]):
            r, c = rows[i, j] - r0, cols[i, j] - c0
            inside = (r >= 0.0) & (c >= 0.0) & (r < height) & (c < width)
            for p in range(planes):
                if inside:
                    out[p, i, j] = block[p, int(r), int(c)]
                else:
                    out[p, i, j] = fill


@compiled
def _finished(value: float, whole: bool, low: float, high: float, nodata: float) -> float:
    """Round for integers, keep inside the data type and off the no-data value."""
    if not whole:
        return value
    rounded: float = min(max(np.rint(value), low), high)
    if rounded == nodata:
        rounded = rounded + 1.0 if rounded < high else rounded - 1.0
    return rounded


@compiled
def _weighed(plane: Any, top: int, left: int, part_y: float, part_x: float, nodata: float) -> float:
    """Weigh the four pixels from (`top`, `left`); those without data or outside do not count."""
    height, width = plane.shape
    total = 0.0
    weight = 0.0
    for dy in range(2):
        for dx in range(2):
            y, x = top + dy, left + dx
            if y < 0 or x < 0 or y >= height or x >= width:
                continue
            value = float(plane[y, x])
            if value != value or value == nodata:
                continue
            w = (part_y if dy else 1.0 - part_y) * (part_x if dx else 1.0 - part_x)
            total += w * value
            weight += w
    return total / weight


@compiled
def _linear(plane: Any, r: float, c: float, nodata: float) -> float:
    """Interpolate between the four pixels around a position."""
    height, width = plane.shape
    y, x = r - 0.5, c - 0.5
    top, left = math.floor(y), math.floor(x)
    part_y, part_x = y - top, x - left
    if (top >= 0) & (left >= 0) & (top + 1 < height) & (left + 1 < width):
        a, b = float(plane[top, left]), float(plane[top, left + 1])
        d, e = float(plane[top + 1, left]), float(plane[top + 1, left + 1])
        if not ((a == nodata) | (b == nodata) | (d == nodata) | (e == nodata)):
            upper, lower = a + (b - a) * part_x, d + (e - d) * part_x
            value = upper + (lower - upper) * part_y
            if value == value:
                return value
    return _weighed(plane, top, left, part_y, part_x, nodata)


@compiled
def _keys(distance: float) -> float:
    d = abs(distance)
    if d <= 1.0:
        return ((_A + 2.0) * d - (_A + 3.0)) * d * d + 1.0
    if d < 2.0:
        return ((_A * d - 5.0 * _A) * d + 8.0 * _A) * d - 4.0 * _A
    return 0.0


@compiled
def _convolved(plane: Any, r: float, c: float, nodata: float) -> float:
    """Convolve 4 × 4 pixels; interpolate linearly where one of them has no data or lies outside."""
    height, width = plane.shape
    y, x = r - 0.5, c - 0.5
    top, left = math.floor(y) - 1, math.floor(x) - 1
    if top < 0 or left < 0 or top + 3 >= height or left + 3 >= width:
        return _linear(plane, r, c, nodata)
    x0, x1, x2, x3 = _keys(x - left), _keys(x - left - 1), _keys(x - left - 2), _keys(x - left - 3)
    total = 0.0
    for dy in range(4):
        a, b = float(plane[top + dy, left]), float(plane[top + dy, left + 1])
        d, e = float(plane[top + dy, left + 2]), float(plane[top + dy, left + 3])
        line = a * x0 + b * x1 + d * x2 + e * x3
        bad = (a == nodata) | (b == nodata) | (d == nodata) | (e == nodata)
        if bad or line != line:
            return _linear(plane, r, c, nodata)
        total += _keys(y - (top + dy)) * line
    return total


@compiled
def bilinear(
    out: Any, block: Any, r0: int, c0: int, rows: Any, cols: Any, fill: Any,
    nodata: float, whole: bool, low: float, high: float,
) -> None:  # fmt: skip
    """Interpolate between the four pixels around each position; its own pixel must have data."""
    planes, height, width = block.shape
    for p in range(planes):
        plane = block[p]
        for i in range(rows.shape[0]):
            for j in range(rows.shape[1]):
                r, c = rows[i, j] - r0, cols[i, j] - c0
                out[p, i, j] = fill
                if (r >= 0.0) & (c >= 0.0) & (r < height) & (c < width):
                    own = float(plane[int(r), int(c)])
                    if (own == own) & (own != nodata):
                        out[p, i, j] = _finished(_linear(plane, r, c, nodata), whole, low, high, nodata)


@compiled
def cubic(
    out: Any, block: Any, r0: int, c0: int, rows: Any, cols: Any, fill: Any,
    nodata: float, whole: bool, low: float, high: float,
) -> None:  # fmt: skip
    """Convolve the sixteen pixels around each position; its own pixel must have data."""
    planes, height, width = block.shape
    for p in range(planes):
        plane = block[p]
        for i in range(rows.shape[0]):
            for j in range(rows.shape[1]):
                r, c = rows[i, j] - r0, cols[i, j] - c0
                out[p, i, j] = fill
                if (r >= 0.0) & (c >= 0.0) & (r < height) & (c < width):
                    own = float(plane[int(r), int(c)])
                    if (own == own) & (own != nodata):
                        out[p, i, j] = _finished(_convolved(plane, r, c, nodata), whole, low, high, nodata)


@compiled
def _span(a: float, b: float, d: float, e: float, origin: int, size: int) -> tuple[float, float]:
    """Return the interval between four corners, cut to the block; empty for NaN."""
    low, high = min(a, b, d, e) - origin, max(a, b, d, e) - origin
    if not (high - low >= 0.0):
        return 0.0, 0.0
    return max(low, 0.0), min(high, float(size))


@compiled
def average(
    out: Any, block: Any, r0: int, c0: int, rows: Any, cols: Any, fill: Any,
    nodata: float, whole: bool, low: float, high: float,
) -> None:  # fmt: skip
    """Average the pixels with data under the box around each pixel's corners, by area."""
    planes, height, width = block.shape
    for p in range(planes):
        plane = block[p]
        for i in range(out.shape[1]):
            for j in range(out.shape[2]):
                y0, y1 = _span(rows[i, j], rows[i, j + 1], rows[i + 1, j], rows[i + 1, j + 1], r0, height)
                x0, x1 = _span(cols[i, j], cols[i, j + 1], cols[i + 1, j], cols[i + 1, j + 1], c0, width)
                total = 0.0
                weight = 0.0
                for y in range(int(y0), math.ceil(y1)):
                    tall = min(y1, y + 1.0) - max(y0, float(y))
                    for x in range(int(x0), math.ceil(x1)):
                        value = float(plane[y, x])
                        if (value == value) & (value != nodata):
                            w = tall * (min(x1, x + 1.0) - max(x0, float(x)))
                            total += w * value
                            weight += w
                if weight > 0.0:
                    out[p, i, j] = _finished(total / weight, whole, low, high, nodata)
                else:
                    out[p, i, j] = fill


@compiled
def _heaviest(values: Any, weights: Any, count: int) -> int:
    """Return the place of the largest weight; of equals the smallest value's."""
    best = 0
    for n in range(1, count):
        if weights[n] > weights[best] or (weights[n] == weights[best] and values[n] < values[best]):
            best = n
    return best


@compiled
def mode(
    out: Any, block: Any, r0: int, c0: int, rows: Any, cols: Any, fill: Any, nodata: float, most: int
) -> None:
    """Take the value with the largest area under the box around each pixel's corners.

    `most` is the largest number of pixels that a box touches.
    """
    planes, height, width = block.shape
    values = np.empty(most, block.dtype)
    weights = np.empty(most, np.float64)
    for p in range(planes):
        plane = block[p]
        for i in range(out.shape[1]):
            for j in range(out.shape[2]):
                y0, y1 = _span(rows[i, j], rows[i, j + 1], rows[i + 1, j], rows[i + 1, j + 1], r0, height)
                x0, x1 = _span(cols[i, j], cols[i, j + 1], cols[i + 1, j], cols[i + 1, j + 1], c0, width)
                count = 0
                for y in range(int(y0), math.ceil(y1)):
                    tall = min(y1, y + 1.0) - max(y0, float(y))
                    for x in range(int(x0), math.ceil(x1)):
                        value = plane[y, x]
                        if value != value or float(value) == nodata:
                            continue
                        w = tall * (min(x1, x + 1.0) - max(x0, float(x)))
                        n = 0
                        while n < count and values[n] != value:
                            n += 1
                        if n == count:
                            values[n] = value
                            weights[n] = 0.0
                            count += 1
                        weights[n] += w
                if count > 0:
                    out[p, i, j] = values[_heaviest(values, weights, count)]
                else:
                    out[p, i, j] = fill
