"""Kernels of the comparison: arrays in, whole numbers out, in any order."""

from __future__ import annotations

from typing import Any

import numpy as np

from geotoolz.core import kernel

LARGEST = float(np.finfo(np.float32).max)
BINS = 1 << 16
"""The upper 16 bits of a float32: sign, exponent and 7 bits of the mantissa."""


@kernel
def subtract(
    a: Any, b: Any, nodata_a: Any, nodata_b: Any, scale_a: Any, scale_b: Any, out: Any, lone: Any
) -> Any:
    """Write ``b − a`` as float32 where both are valid and finite; return how many there are.

    `lone` counts the pixels that only one of them has, and those that none has or that are further apart
    than float32 can tell.
    """
    n = only_a = only_b = np.int64(0)
    for i in range(a.size):
        x, y = np.float64(a[i]) * scale_a, np.float64(b[i]) * scale_b
        has_a = (a[i] != nodata_a) & (np.abs(x) < np.inf)
        has_b = (b[i] != nodata_b) & (np.abs(y) < np.inf)
        # written in any case and overwritten where it does not count: no branch in the loop
        fits = np.abs(y - x) <= LARGEST
        out[n] = np.float32(y - x) if fits else np.float32(0)
        n += np.int64(has_a & has_b & fits)
        only_a += np.int64(has_a & (not has_b))
        only_b += np.int64(has_b & (not has_a))
    lone[0] += only_a
    lone[1] += only_b
    lone[2] += a.size - n - only_a - only_b
    return n


@kernel
def tally(words: Any, table: Any) -> None:
    """Count float32 numbers, given by their bits, by their upper 16 bits, and sum up the lower 16.

    Every row of `table` takes count, sum and sum of squares of the lower bits: from these follow the
    sums of the numbers and of their squares without any rounding.
    """
    for i in range(words.size):
        word = np.int64(words[i])
        row, low = word >> 16, word & 0xFFFF
        table[row, 0] += 1
        table[row, 1] += low
        table[row, 2] += low * low


@kernel
def divergences(
    a: Any,
    b: Any,
    nodata_a: Any,
    nodata_b: Any,
    scale_a: Any,
    scale_b: Any,
    entropy: Any,
    kl: Any,
    js: Any,
    told: Any,
) -> Any:
    """Write cross-entropy, Kullback–Leibler and Jensen–Shannon divergence of every pixel, in nats.

    Both arrays are the probability of one outcome, `a` the reference. Where `b` says impossible of
    what `a` holds possible the first two are infinite: such pixels are counted in `told`, and so are
    those outside 0 … 1. Returns how many pixels are written to the first two, and to the third.
    """
    n, k, impossible, outside = 0, 0, 0, 0
    half, one, zero = np.float64(0.5), np.float64(1.0), np.float64(0.0)
    for i in range(a.size):
        p, q = np.float64(a[i]) * scale_a, np.float64(b[i]) * scale_b
        if (a[i] == nodata_a) | (b[i] == nodata_b) | (np.abs(p) == np.inf) | (np.abs(q) == np.inf):
            continue
        if (p != p) | (q != q):
            continue
        if (p < zero) | (p > one) | (q < zero) | (q > one):
            outside += 1
            continue
        r, s = one - p, one - q
        m = half * (p + q)
        between = half * p * np.log(p / m) if p > zero else zero
        between += half * q * np.log(q / m) if q > zero else zero
        between += half * r * np.log(r / (one - m)) if r > zero else zero
        between += half * s * np.log(s / (one - m)) if s > zero else zero
        js[k] = np.float32(max(between, zero))
        k += 1
        if ((q == zero) & (p > zero)) | ((s == zero) & (r > zero)):
            impossible += 1
            continue
        cross = -p * np.log(q) if p > zero else zero
        cross -= r * np.log(s) if r > zero else zero
        apart = p * np.log(p / q) if p > zero else zero
        apart += r * np.log(r / s) if r > zero else zero
        entropy[n] = np.float32(max(cross, zero))
        kl[n] = np.float32(max(apart, zero))
        n += 1
    told[0] += impossible
    told[1] += outside
    return n, k


@kernel
def count_pairs(a: Any, b: Any, nodata_a: Any, nodata_b: Any, table: Any, lone: Any) -> None:
    """Count pairs of values from 0 to 255 where both are valid."""
    only_a = only_b = neither = np.int64(0)
    for i in range(a.size):
        no_a, no_b = a[i] == nodata_a, b[i] == nodata_b
        if no_a | no_b:
            only_a += np.int64(no_b & (not no_a))
            only_b += np.int64(no_a & (not no_b))
            neither += np.int64(no_a & no_b)
            continue
        table[np.int64(a[i]), np.int64(b[i])] += 1
    lone[0] += only_a
    lone[1] += only_b
    lone[2] += neither
