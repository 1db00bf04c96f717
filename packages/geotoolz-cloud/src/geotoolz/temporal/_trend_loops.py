"""Kernels of trends along time: one pixel at a time, in scratch memory of one pixel."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from geotoolz.core import kernel
from geotoolz.core._jit import compiled


@compiled
def _gathered(series: Any, nodata: Any, times: Any, found: Any, when: Any) -> Any:
    """Write the finite values of a pixel and their times; return how many there are."""
    n = 0
    for k in range(series.size):
        value = np.float64(series[k])
        if (series[k] != nodata) & (np.abs(value) < np.inf):
            found[n], when[n] = value, times[k]
            n += 1
    return n


@compiled
def _select(a: Any, n: Any, k: Any) -> Any:
    """Return the `k`-th smallest of the first `n` numbers; those before it are no larger afterwards.

    Hoare's algorithm: no sorting, no memory.
    """
    low, high = 0, n - 1
    while low < high:
        pivot = a[(low + high) >> 1]
        i, j = low, high
        while i <= j:
            while a[i] < pivot:
                i += 1
            while a[j] > pivot:
                j -= 1
            if i <= j:
                a[i], a[j] = a[j], a[i]
                i += 1
                j -= 1
        if k <= j:
            high = j
        elif k >= i:
            low = i
        else:
            break
    return a[k]


@compiled
def _median(a: Any, n: Any) -> Any:
    """Return the median of the first `n` numbers, the mean of the middle two; their order changes."""
    half = n >> 1
    upper = _select(a, n, half)
    if n & 1:
        return upper
    lower = a[0]
    for i in range(1, half):
        lower = a[i] if a[i] > lower else lower
    return 0.5 * (lower + upper)


@compiled
def _half_width(values: Any, n: Any, z: Any) -> Any:
    """Return how many slopes, of those in order, lie between both bounds (Sen 1968, equation 2.6)."""
    ties = 0
    for i in range(n):
        equal = 0
        for j in range(n):
            equal += values[i] == values[j]
        ties += (equal - 1) * (2 * equal + 5)
    return z * np.sqrt((n * (n - 1) * (2 * n + 5) - ties) / 18.0)


@kernel
def theil_sen(values: Any, nodata: Any, years: Any, since: Any, min_obs: Any, z: Any, out: Any) -> None:
    dates, height, width = values.shape
    found, when = np.empty(dates), np.empty(dates)
    slopes = np.empty(max(dates * (dates - 1) // 2, 1))
    for y in range(height):
        for x in range(width):
            n = _gathered(values[:, y, x], nodata, years, found, when)
            if n < min_obs:
                continue
            m = 0
            for i in range(n):
                for j in range(i):
                    slopes[m] = (found[i] - found[j]) / (when[i] - when[j])
                    m += 1
            if out.shape[0] > 2:
                between = _half_width(found, n, z)
                first = max(int(np.rint((m - between) / 2.0)) - 1, 0)
                last = min(int(np.rint((m + between) / 2.0)), m - 1)
                out[2, y, x] = _select(slopes, m, first)
                out[3, y, x] = _select(slopes, m, last)
            slope = _median(slopes, m)
            middle = 0.5 * (when[(n - 1) >> 1] + when[n >> 1]) - since
            out[0, y, x] = slope
            out[1, y, x] = _median(found, n) - slope * middle


@kernel
def mann_kendall(values: Any, nodata: Any, seasons: Any, min_obs: Any, out: Any) -> None:
    dates, height, width = values.shape
    found, season = np.empty(dates), np.empty(dates)
    for y in range(height):
        for x in range(width):
            n = _gathered(values[:, y, x], nodata, seasons, found, season)
            if n < min_obs:
                continue
            s, variance, pairs, unequal = 0, 0, 0, 0
            for i in range(n):
                same, equal = 0, 0
                for j in range(n):
                    together = season[i] == season[j]
                    same += together
                    equal += together & (found[i] == found[j])
                    before = together & (j < i)
                    s += int(before & (found[i] > found[j])) - int(before & (found[i] < found[j]))
                # summed over all members of a group of k equal ones: k (k - 1) (2 k + 5)
                variance += (same - 1) * (2 * same + 5) - (equal - 1) * (2 * equal + 5)
                pairs += same - 1
                unequal += same - equal
            score = (abs(s) - 1) / math.sqrt(variance / 18.0) if s != 0 else 0.0
            out[0, y, x] = s
            if unequal > 0:  # else there is no pair to rank
                out[1, y, x] = s / math.sqrt(0.25 * pairs * unequal)
            if pairs > 0:
                out[2, y, x] = math.erfc(score / math.sqrt(2.0))
