"""Sums of products of all pairs of bands, exact: kernels of means and covariances."""

from __future__ import annotations

from typing import Any

import numpy as np

from geotoolz.core import kernel

# A matrix product of BLAS would do, but not of pieces as small as exact sums need them: its threads
# wait for each other. This one is symmetric, serial, and about as fast as one thread of BLAS.


@kernel
def valid_range(values: Any, nodata: Any) -> Any:
    """Return the smallest and largest valid value of a flat array (inf, −inf if there is none)."""
    lanes = 64  # minima side by side: one alone would be compared value after value
    low, high = np.full(lanes, np.inf), np.full(lanes, -np.inf)
    whole = values.size // lanes * lanes
    for begin in range(0, whole, lanes):
        for k in range(lanes):
            v = np.float64(values[begin + k])
            good = (values[begin + k] != nodata) & (np.abs(v) < np.inf)
            low[k] = v if good & (v < low[k]) else low[k]
            high[k] = v if good & (v > high[k]) else high[k]
    for i in range(whole, values.size):
        v = np.float64(values[i])
        good = (values[i] != nodata) & (np.abs(v) < np.inf)
        low[0] = v if good & (v < low[0]) else low[0]
        high[0] = v if good & (v > high[0]) else high[0]
    return low.min(), high.max()


@kernel
def add_products(sums: Any, values: Any, nodata: Any, centre: Any, scale: Any) -> None:  # noqa: C901
    """Add ``Σ q_i q_j`` over the pixels that are valid in all bands to the lower triangle of sums.

    ``q = rint((value − centre) · scale)`` is at most 2²² in size; a last line of ones counts and adds
    up. Products of 512 pixels stay below 2⁵³: exact in float64 in whatever order.
    """
    bands, pixels = values.shape
    piece, panel = 512, 64
    size = (bands + 4) // 4 * 4
    q, total = np.zeros((piece, size)), np.zeros((size, size))
    valid = np.zeros(piece, np.bool_)
    for begin in range(0, pixels, piece):
        count = min(piece, pixels - begin)
        valid[:] = False
        valid[:count] = True
        for b in range(bands):
            for i in range(count):
                v = values[b, begin + i]
                valid[i] &= (v != nodata) & (np.abs(np.float64(v)) < np.inf)
        for b in range(bands):
            c, s = centre[b], scale[b]
            for i in range(count):
                step = np.rint((np.float64(values[b, begin + i]) - c) * s)
                q[i, b] = step if valid[i] else 0.0
        for i in range(piece):
            q[i, bands] = 1.0 if valid[i] else 0.0
        for i in range(count, piece):
            q[i, :] = 0.0
        total[:, :] = 0.0
        for first in range(0, piece, panel):
            for r in range(0, size, 4):
                for p in range(first, first + panel, 4):
                    a0, a1, a2, a3 = q[p, r], q[p + 1, r], q[p + 2, r], q[p + 3, r]
                    b0, b1, b2, b3 = q[p, r + 1], q[p + 1, r + 1], q[p + 2, r + 1], q[p + 3, r + 1]
                    c0, c1, c2, c3 = q[p, r + 2], q[p + 1, r + 2], q[p + 2, r + 2], q[p + 3, r + 2]
                    d0, d1, d2, d3 = q[p, r + 3], q[p + 1, r + 3], q[p + 2, r + 3], q[p + 3, r + 3]
                    for k in range(r + 4):
                        x0, x1, x2, x3 = q[p, k], q[p + 1, k], q[p + 2, k], q[p + 3, k]
                        total[r, k] = (((total[r, k] + a0 * x0) + a1 * x1) + a2 * x2) + a3 * x3
                        total[r + 1, k] = (((total[r + 1, k] + b0 * x0) + b1 * x1) + b2 * x2) + b3 * x3
                        total[r + 2, k] = (((total[r + 2, k] + c0 * x0) + c1 * x1) + c2 * x2) + c3 * x3
                        total[r + 3, k] = (((total[r + 3, k] + d0 * x0) + d1 * x1) + d2 * x2) + d3 * x3
        for r in range(bands + 1):
            for k in range(r + 1):
                sums[r, k] += np.int64(total[r, k])
