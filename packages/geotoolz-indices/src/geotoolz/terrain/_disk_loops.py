"""Sums and extremes over disks and rings, compiled when the first pixel is computed.

A disk is a list of segments of rows. For every row of the image there is a table of the sums (or extremes)
of 1, 2, 4, 8 … neighbours; a segment is put together from at most one of each. So a pixel costs as many
additions as the disk has rows times the logarithm of its width, and the order in which it is summed
depends on nothing but the disk.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from geotoolz.core._jit import compiled


@compiled
def add_up(table: Any) -> None:
    """Fill the table of sums from its first row."""
    for level in range(1, table.shape[0]):
        half = 1 << (level - 1)
        for j in range(table.shape[1] - 2 * half + 1):
            table[level, j] = table[level - 1, j] + table[level - 1, j + half]


@compiled
def take_lowest(table: Any) -> None:
    """Fill the table of lowest values from its first row."""
    for level in range(1, table.shape[0]):
        half = 1 << (level - 1)
        for j in range(table.shape[1] - 2 * half + 1):
            table[level, j] = min(table[level - 1, j], table[level - 1, j + half])


@compiled
def add_segment(table: Any, start: Any, length: Any, total: Any) -> None:
    """Add the sum of a segment to every pixel of a row."""
    at = start
    for level in range(table.shape[0] - 1, -1, -1):
        if (length >> level) & 1:
            part = table[level, at:]
            for j in range(total.size):
                total[j] += part[j]
            at += 1 << level


@compiled
def lower_segment(table: Any, start: Any, length: Any, lowest: Any) -> None:
    """Lower every pixel of a row to the lowest of a segment; two halves may overlap."""
    level = 0
    while (2 << level) <= length:
        level += 1
    one, two = table[level, start:], table[level, start + length - (1 << level) :]
    for j in range(lowest.size):
        lowest[j] = min(lowest[j], one[j], two[j])


@compiled
def tpi(out: Any, values: Any, nodata: Any, reach: Any, segments: Any, levels: Any) -> None:
    """Write height minus the mean height of the segments ``(row, first column, length)``."""
    planes, height, width = values.shape
    ry, rx = reach
    size = 2 * ry + 1
    sums, counts = np.empty((size, levels, width + 2 * rx)), np.empty((size, levels, width + 2 * rx))
    total, number = np.empty(width), np.empty(width)
    for p in range(planes):
        for i in range(-ry, height):
            new = i + ry
            if new < height:
                slot = new % size
                sums[slot, 0, :] = 0.0
                counts[slot, 0, :] = 0.0
                for j in range(width):
                    v = np.float64(values[p, new, j])
                    good = (values[p, new, j] != nodata) & (v > -np.inf) & (v < np.inf)
                    sums[slot, 0, rx + j] = v if good else 0.0
                    counts[slot, 0, rx + j] = 1.0 if good else 0.0
                add_up(sums[slot])
                add_up(counts[slot])
            if i < 0:
                continue
            total[:] = 0.0
            number[:] = 0.0
            for s in range(segments.shape[0]):
                k = i + segments[s, 0]
                if 0 <= k < height:
                    add_segment(sums[k % size], rx + segments[s, 1], segments[s, 2], total)
                    add_segment(counts[k % size], rx + segments[s, 1], segments[s, 2], number)
            for j in range(width):
                v = np.float64(values[p, i, j])
                good = (values[p, i, j] != nodata) & (v > -np.inf) & (v < np.inf) & (number[j] > 0)
                out[p, i, j] = np.float32(v - total[j] / number[j]) if good else np.float32(np.nan)


@compiled
def relative(out: Any, values: Any, nodata: Any, reach: Any, segments: Any, levels: Any, share: Any) -> None:
    """Write height above the lowest of the segments, or its share of the way up to the highest."""
    planes, height, width = values.shape
    ry, rx = reach
    size = 2 * ry + 1
    lows, highs = np.empty((size, levels, width + 2 * rx)), np.empty((size, levels, width + 2 * rx))
    low, high = np.empty(width), np.empty(width)
    for p in range(planes):
        for i in range(-ry, height):
            new = i + ry
            if new < height:
                slot = new % size
                lows[slot, 0, :] = np.inf
                highs[slot, 0, :] = np.inf
                for j in range(width):
                    v = np.float64(values[p, new, j])
                    good = (values[p, new, j] != nodata) & (v > -np.inf) & (v < np.inf)
                    lows[slot, 0, rx + j] = v if good else np.inf
                    highs[slot, 0, rx + j] = -v if good else np.inf  # the highest is the lowest below zero
                take_lowest(lows[slot])
                take_lowest(highs[slot])
            if i < 0:
                continue
            low[:] = np.inf
            high[:] = np.inf
            for s in range(segments.shape[0]):
                k = i + segments[s, 0]
                if 0 <= k < height:
                    lower_segment(lows[k % size], rx + segments[s, 1], segments[s, 2], low)
                    if share:
                        lower_segment(highs[k % size], rx + segments[s, 1], segments[s, 2], high)
            for j in range(width):
                v = np.float64(values[p, i, j])
                good = (values[p, i, j] != nodata) & (v > -np.inf) & (v < np.inf)
                above = v - low[j]
                found = above / (-high[j] - low[j]) if share else above
                out[p, i, j] = np.float32(found) if good else np.float32(np.nan)
