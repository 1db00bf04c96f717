"""Kernels: arrays in, numbers out."""

from __future__ import annotations

from typing import Any

import numpy as np

from geotoolz.core import kernel


@kernel
def differences(a: Any, b: Any, nodata_a: Any, nodata_b: Any, out: Any, truth: Any) -> Any:
    """Write ``a − b`` and ``b`` where both are valid and finite, in float64; return how many there are."""
    n = 0
    for i in range(a.size):
        x, y = np.float64(a[i]), np.float64(b[i])
        valid = (a[i] != nodata_a) & (b[i] != nodata_b) & (np.abs(x) < np.inf) & (np.abs(y) < np.inf)
        if valid:
            out[n] = x - y
            truth[n] = y
            n += 1
    return n


@kernel
def valid_values(values: Any, nodata: Any, out: Any) -> Any:
    """Write the valid and finite values in float64; return how many there are."""
    n = 0
    for i in range(values.size):
        v = np.float64(values[i])
        if (values[i] != nodata) & (np.abs(v) < np.inf):
            out[n] = v
            n += 1
    return n


@kernel
def squares(values: Any, high: Any, low: Any) -> None:
    """Write squares as two numbers each whose sum is exact (Dekker 1971, Veltkamp's splitting)."""
    for i in range(values.size):
        v = values[i]
        c = v * np.float64(134217729.0)
        head = c - (c - v)
        tail = v - head
        square = v * v
        rest = ((head * head - square) + np.float64(2.0) * head * tail) + tail * tail
        high[i] = square
        # beyond float64's range the splitting overflows; the square is infinite there, or nearly so
        low[i] = rest if np.abs(rest) < np.inf else np.float64(0.0)


@kernel
def count_pairs(a: Any, b: Any, nodata_a: Any, nodata_b: Any, table: Any, first: Any) -> Any:
    """Count pairs of small whole numbers in a table; return how many pairs are valid."""
    n = 0
    for i in range(a.size):
        x, y = a[i], b[i]
        if (x == nodata_a) | (y == nodata_b) | (x != x) | (y != y):
            continue
        table[np.int64(y) - first, np.int64(x) - first] += 1
        n += 1
    return n


@kernel
def count_bins(values: Any, edges: Any, scale: Any, counts: Any) -> None:
    """Count values in bins as `numpy.histogram` does; those below and above come first and last."""
    bins = edges.size - 1
    low, high = edges[0], edges[bins]
    for i in range(values.size):
        v = values[i]
        if v < low:
            counts[0] += 1
        elif v > high:
            counts[bins + 1] += 1
        else:
            k = min(max(np.int64((v - low) * scale), 0), bins - 1)
            # the edges decide, not the rounding of the division
            while k > 0 and v < edges[k]:
                k -= 1
            while k < bins - 1 and v >= edges[k + 1]:
                k += 1
            counts[k + 1] += 1


@kernel
def entropies(
    predicted: Any, truth: Any, nodata: Any, classes: Any, tolerance: Any, out: Any, told: Any
) -> Any:
    """Write ``−ln p`` of the true class; return pixels that count, lack data, have no class, sum up wrongly.

    `predicted` is classes × pixels in float64, NaN where there is none. `told` takes the smallest
    and largest sum, and the smallest and largest class that is none.
    """
    n, missing, strange, wrong = 0, 0, 0, 0
    for i in range(truth.size):
        t = np.float64(truth[i])
        total, off = np.float64(0.0), False
        for c in range(classes.size):
            p = predicted[c, i]
            total += p
            off |= (p < 0) | (p > np.float64(1.0) + tolerance)
        if (truth[i] == nodata) | (t != t) | (total != total):
            missing += 1
            continue
        told[0], told[1] = min(told[0], total), max(told[1], total)
        if off | (np.abs(total - np.float64(1.0)) > tolerance):
            wrong += 1
            continue
        mine = -1
        for c in range(classes.size):
            mine = c if t == classes[c] else mine
        if mine < 0:
            strange += 1
            told[2], told[3] = min(told[2], t), max(told[3], t)
            continue
        out[n] = -np.log(predicted[mine, i])
        n += 1
    return n, missing, strange, wrong


@kernel
def divergences(p: Any, q: Any, tolerance: Any, out: Any, told: Any) -> Any:
    """Write ``Σ p ln(p / q)`` of every pixel; return pixels that counted, are left out, sum up wrongly.

    `p` and `q` are classes × pixels in float64, NaN where there is none. `told` takes the smallest
    and largest sum.
    """
    n, missing, wrong = 0, 0, 0
    classes, pixels = p.shape
    for i in range(pixels):
        sum_p, sum_q, found, off = np.float64(0.0), np.float64(0.0), np.float64(0.0), False
        for c in range(classes):
            x, y = p[c, i], q[c, i]
            off |= (x < 0) | (y < 0)
            sum_p += x
            sum_q += y
            found += x * np.log(x / y) if x > 0 else np.float64(0.0)
        if (sum_p != sum_p) | (sum_q != sum_q):
            missing += 1
            continue
        told[0] = min(told[0], sum_p, sum_q)
        told[1] = max(told[1], sum_p, sum_q)
        high = max(np.abs(sum_p - np.float64(1.0)), np.abs(sum_q - np.float64(1.0)))
        if off | (high > tolerance):
            wrong += 1
            continue
        out[n] = found
        n += 1
    return n, missing, wrong
