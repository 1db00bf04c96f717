"""Kernels that turn the dates of a bin into one: each band by itself, or dates that were chosen."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from geotoolz.core import kernel

Bins = tuple[tuple[int, int], ...]
"""First date of every bin, and the one after its last."""

_SORTED_BYTES = 16384
"""What is sorted at a time: half of a small first-level cache."""


@cache
def sorting_network(n: int) -> Any:
    """Return the comparisons of Batcher's merge exchange, which sorts any `n` numbers.

    The same comparisons for every pixel: many pixels are sorted at a time, by vector instructions.

    Knuth, The Art of Computer Programming 3, 5.2.2, algorithm M.
    """
    pairs: list[tuple[int, int]] = []
    top = 1 << max((n - 1).bit_length() - 1, 0)
    p = top if n > 1 else 0
    while p:
        q, r, d = top, 0, p
        while True:
            pairs.extend((i, i + d) for i in range(n - d) if i & p == r)
            if q == p:
                break
            d, q, r = q - p, q >> 1, p
        p >>= 1
    return np.array(pairs, np.int64).reshape(-1, 2)


@kernel
def sorted_medians(
    values: Any, nodata: Any, bins: Any, network: Any, firsts: Any, work: Any, out: Any
) -> Any:
    """Write the median of each bin's valid values, the mean of the middle two; return their numbers."""
    _, height, width = values.shape
    count = np.empty(out.shape, np.uint16)
    lanes = work.shape[1]
    valid_of = np.empty(lanes, np.int64)
    for b in range(bins.shape[0]):
        start, dates = bins[b, 0], bins[b, 1] - bins[b, 0]
        for y in range(height):
            for x0 in range(0, width, lanes):
                n = min(lanes, width - x0)
                valid_of[:] = 0
                for t in range(dates):
                    row, line = values[start + t, y, x0 : x0 + n], work[t]
                    for i in range(n):
                        valid = (row[i] == row[i]) & (row[i] != nodata)
                        line[i] = work.dtype.type(row[i]) if valid else work.dtype.type(np.inf)
                        valid_of[i] += valid
                for k in range(firsts[b], firsts[b + 1]):
                    low, high = work[network[k, 0]], work[network[k, 1]]
                    for i in range(n):
                        one, two = low[i], high[i]
                        low[i] = one if one < two else two
                        high[i] = two if one < two else one
                for i in range(n):
                    m = valid_of[i]
                    middle = np.float64(work[(m - 1) // 2, i]) + np.float64(work[m // 2, i]) if m else np.nan
                    out[b, y, x0 + i] = out.dtype.type(0.5 * middle)
                    count[b, y, x0 + i] = np.uint16(m)
    return count


@kernel
def means(values: Any, nodata: Any, bins: Any, out: Any) -> Any:
    """Write the mean of each bin's valid values, summed in date order; return their numbers."""
    _, height, width = values.shape
    count = np.empty(out.shape, np.uint16)
    total, valid_of = np.empty(width), np.empty(width)
    for b in range(bins.shape[0]):
        for y in range(height):
            total[:] = 0.0
            valid_of[:] = 0.0
            for t in range(bins[b, 0], bins[b, 1]):
                row = values[t, y]
                for i in range(width):
                    valid = (row[i] == row[i]) & (row[i] != nodata)
                    total[i] += np.float64(row[i]) if valid else 0.0
                    valid_of[i] += 1.0 if valid else 0.0
            line, numbers = out[b, y], count[b, y]
            for i in range(width):
                line[i] = out.dtype.type(total[i] / valid_of[i])  # 0/0 is NaN
                numbers[i] = np.uint16(valid_of[i])
    return count


@kernel
def chosen(values: Any, index: Any, empty: Any) -> Any:
    """Return the values of the chosen dates; `empty` where none was."""
    bins, height, width = index.shape
    out = np.empty(index.shape, values.dtype)
    for b in range(bins):
        for y in range(height):
            for x in range(width):
                t = index[b, y, x]
                out[b, y, x] = values[t, y, x] if t >= 0 else empty
    return out


@kernel
def best_dates(score: Any, valid: Any, bins: Any, order: Any) -> Any:
    """Return each bin's date of the highest score, the first in order of equal ones; −1 without any."""
    _, height, width = score.shape
    out = np.empty((bins.shape[0], height, width), np.int16)
    highest = np.empty(width)
    for b in range(bins.shape[0]):
        for y in range(height):
            line = out[b, y]
            highest[:] = -np.inf
            line[:] = -1
            for k in range(bins[b, 0], bins[b, 1]):
                t = order[k]
                row, usable = score[t, y], valid[t, y]
                for x in range(width):
                    s = row[x]
                    better = usable[x] & (s == s) & ((s > highest[x]) | (line[x] < 0))
                    highest[x] = s if better else highest[x]
                    line[x] = np.int16(t) if better else line[x]
    return out


@kernel
def sums_of_flags(valid: Any, bins: Any) -> Any:
    """Return how many dates of each bin are valid."""
    _, height, width = valid.shape
    out = np.zeros((bins.shape[0], height, width), np.uint16)
    for b in range(bins.shape[0]):
        for t in range(bins[b, 0], bins[b, 1]):
            for y in range(height):
                for x in range(width):
                    out[b, y, x] += np.uint16(valid[t, y, x])
    return out


def contiguous(values: Any) -> Any:
    """Return pixels contiguous and read-only: one compiled kernel per data type, and a vector one."""
    values = np.ascontiguousarray(values).view()
    values.flags.writeable = False
    return values


def float_type(dtype: Any) -> Any:
    """Return the float type that holds a band's values exactly, float32 if it does."""
    return np.result_type(dtype, np.float32)


def medians(values: Any, nodata: Any, bins: Bins, flat: bool) -> tuple[Any, Any]:
    """Return the medians of the dates of each bin, and of how many values; `flat`: of the only bin."""
    values = contiguous(values)
    dtype = float_type(values.dtype)
    networks = [sorting_network(stop - start) for start, stop in bins]
    firsts = np.cumsum([0, *map(len, networks)])
    longest = max(1, *(stop - start for start, stop in bins))
    lanes = max(_SORTED_BYTES // (longest * dtype.itemsize) // 16 * 16, 16)
    work = np.empty((longest, lanes), dtype)
    out = np.empty((len(bins), *values.shape[1:]), dtype)
    count = sorted_medians(values, nodata, as_bins(bins), np.concatenate(networks), firsts, work, out)
    return (out[0], count[0]) if flat else (out, count)


def averages(values: Any, nodata: Any, bins: Bins, flat: bool) -> tuple[Any, Any]:
    """Return the means of the dates of each bin, and of how many values; `flat`: of the only bin."""
    values = contiguous(values)
    out = np.empty((len(bins), *values.shape[1:]), float_type(values.dtype))
    count = means(values, nodata, as_bins(bins), out)
    return (out[0], count[0]) if flat else (out, count)


def largest(*counts: Any) -> Any:
    """Return the largest of the bands' counts."""
    return np.maximum.reduce(counts)


def best(score: Any, valid: Any, bins: Bins, order: tuple[int, ...]) -> Any:
    """Return the date of the highest score of each bin; of equal ones the first in `order`."""
    return best_dates(contiguous(score), contiguous(valid), as_bins(bins), np.array(order, np.int64))


def counted(valid: Any, bins: Bins, flat: bool) -> Any:
    """Return how many dates of each bin are valid."""
    count = sums_of_flags(contiguous(valid), as_bins(bins))
    return count[0] if flat else count


def taken(values: Any, index: Any, empty: Any, flat: bool) -> Any:
    """Return a band's values on the chosen dates."""
    found = chosen(contiguous(values), index, empty)
    return found[0] if flat else found


def named(index: Any, flat: bool) -> Any:
    """Return the chosen dates as they are written."""
    return index[0] if flat else index


def as_bins(bins: Bins) -> Any:
    """Return the first date of every bin and the one after its last, for kernels."""
    return np.array(bins, np.int64).reshape(-1, 2)
