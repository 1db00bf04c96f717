"""Kernels that score dates: vegetation, quality, closeness to a day, distance from what has no data."""

from __future__ import annotations

from typing import Any

import numpy as np

from geotoolz.core import kernel
from geotoolz.temporal._bin_kernels import contiguous


@kernel
def _and_valid(valid: Any, values: Any, nodata: Any) -> None:
    dates, height, width = values.shape
    for t in range(dates):
        for y in range(height):
            flags, row = valid[t, y], values[t, y]
            for x in range(width):
                flags[x] &= (row[x] == row[x]) & (row[x] != nodata)


def all_valid(*arguments: Any) -> Any:
    """Return on which dates every band has data; the arguments are the bands and their no-data values."""
    *bands, nodata = arguments
    valid = np.ones(bands[0].shape, np.bool_)
    for band, empty in zip(bands, nodata, strict=True):
        _and_valid(valid, contiguous(band), empty)
    return valid


@kernel
def _ndvi(red: Any, nir: Any, valid: Any, out: Any) -> None:
    dates, height, width = red.shape
    for t in range(dates):
        for y in range(height):
            one, two, flags, line = red[t, y], nir[t, y], valid[t, y], out[t, y]
            for x in range(width):
                r, n = np.float64(one[x]), np.float64(two[x])
                v = (n - r) / (n + r)
                # beyond -1 and 1 one of the two is negative: noise over dark ground, not plants
                flags[x] &= (n + r > 0.0) & (v >= -1.0) & (v <= 1.0)
                line[x] = v


def ndvi(valid: Any, red: Any, nir: Any) -> tuple[Any, Any]:
    """Return ``(nir − red) / (nir + red)`` in float64, and on which valid dates it lies in −1 … 1."""
    out, usable = np.empty(red.shape), valid.copy()
    _ndvi(contiguous(red), contiguous(nir), usable, out)
    return out, usable


@kernel
def _add_clear(valid: Any, rows: Any, cols: Any, height: Any, width: Any, enough: Any, out: Any) -> None:
    dates, n_rows, n_cols = valid.shape
    above = np.empty((n_rows, n_cols), np.int64)
    square = np.empty((n_rows, n_cols))
    for t in range(dates):
        for x in range(n_cols):
            count = rows + 1
            for y in range(n_rows):
                count = min(count + 1, rows + 1) if valid[t, y, x] else 0
                above[y, x] = count
            count = rows + 1
            for back in range(n_rows):
                y = n_rows - 1 - back
                count = min(count + 1, rows + 1) if valid[t, y, x] else 0
                steps = min(count, above[y, x])
                square[y, x] = (steps * height) ** 2 if steps <= rows else np.inf
        for y in range(n_rows):
            line, total = square[y], out[t, y]
            for x in range(n_cols):
                nearest = line[x]
                for d in range(1, cols + 1):
                    side = (d * width) ** 2
                    if side >= nearest:
                        break
                    if x >= d:
                        nearest = min(nearest, line[x - d] + side)
                    if x + d < n_cols:
                        nearest = min(nearest, line[x + d] + side)
                total[x] += min(np.sqrt(nearest) / enough, 1.0)


@kernel
def _add_values(values: Any, nodata: Any, factor: Any, out: Any) -> None:
    dates, height, width = values.shape
    for t in range(dates):
        for y in range(height):
            row, line = values[t, y], out[t, y]
            for x in range(width):
                v = np.float64(row[x])
                line[x] += np.nan if row[x] == nodata else factor * v


def scores(*arguments: Any) -> Any:
    """Return the sum of the terms that score a date.

    The arguments are which dates are valid, the quality variable if there is one, its no-data value
    and factor (or None), a number for every date, and the distance: rows, columns, metres of a
    row and a column, metres that are enough (or None).
    """
    valid, *quality, coding, by_date, distance = arguments
    out = np.empty(valid.shape)
    out[:] = np.asarray(by_date)[:, None, None]
    if quality:
        _add_values(contiguous(quality[0]), *coding, out)
    if distance is not None:
        _add_clear(valid, *distance, out)
    return out
