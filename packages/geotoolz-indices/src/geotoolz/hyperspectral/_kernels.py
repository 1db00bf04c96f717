"""Kernels of detectors: bands × pixels in, one number per pixel out; sums in float64, band after band."""

from __future__ import annotations

from typing import Any

import numpy as np

from geotoolz.core import kernel

# Every pixel is summed up on its own, in the order of the bands: how many pixels come together
# cannot matter. No-data becomes NaN and stays NaN.


@kernel
def matched(out: Any, values: Any, nodata: Any, mean: Any, weights: Any) -> None:
    """Write ``Σ weight · (value − mean)``; NaN where a band has no valid value."""
    bands, pixels = values.shape
    total = np.zeros(pixels)
    for b in range(bands):
        centre, weight = mean[b], weights[b]
        for i in range(pixels):
            v = np.float64(values[b, i])
            bad = (values[b, i] == nodata) | (np.abs(v) == np.inf)
            total[i] += weight * ((np.nan if bad else v) - centre)
    for i in range(pixels):
        out[i] = np.float32(total[i])


@kernel
def cosine(out: Any, values: Any, nodata: Any, mean: Any, white: Any, target: Any) -> None:
    """Write the squared cosine between ``white · (value − mean)`` and a whitened target of length 1.

    `white` is lower triangular, its lines and columns padded with zeros to multiples of 4.
    """
    bands, pixels = values.shape
    lines = white.shape[0]
    piece = 64
    centred = np.zeros((lines, piece))
    one, two = np.zeros(piece), np.zeros(piece)
    along, total = np.zeros(piece), np.zeros(piece)
    for begin in range(0, pixels, piece):
        count = min(piece, pixels - begin)
        for b in range(bands):
            for i in range(count):
                v = np.float64(values[b, begin + i])
                bad = (values[b, begin + i] == nodata) | (np.abs(v) == np.inf)
                centred[b, i] = (np.nan if bad else v) - mean[b]
        for i in range(piece):
            along[i] = total[i] = 0.0
        for r in range(0, lines, 2):
            for i in range(piece):
                one[i] = two[i] = 0.0
            for c in range(0, r + 2, 4):
                a0, a1, a2, a3 = white[r, c], white[r, c + 1], white[r, c + 2], white[r, c + 3]
                b0, b1, b2, b3 = (
                    white[r + 1, c],
                    white[r + 1, c + 1],
                    white[r + 1, c + 2],
                    white[r + 1, c + 3],
                )
                for i in range(piece):
                    x0, x1, x2, x3 = centred[c, i], centred[c + 1, i], centred[c + 2, i], centred[c + 3, i]
                    one[i] = (((one[i] + a0 * x0) + a1 * x1) + a2 * x2) + a3 * x3
                    two[i] = (((two[i] + b0 * x0) + b1 * x1) + b2 * x2) + b3 * x3
            t0, t1 = target[r], target[r + 1]
            for i in range(piece):
                along[i] = (along[i] + t0 * one[i]) + t1 * two[i]
                total[i] = (total[i] + one[i] * one[i]) + two[i] * two[i]
        for i in range(count):
            out[begin + i] = np.float32(min(along[i] * along[i] / total[i], 1.0))


@kernel
def angle(out: Any, values: Any, nodata: Any, target: Any, factor: Any) -> None:
    """Write ``factor · arccos`` of the cosine between a pixel and a target of length 1."""
    bands, pixels = values.shape
    along, total = np.zeros(pixels), np.zeros(pixels)
    for b in range(bands):
        t = target[b]
        for i in range(pixels):
            v = np.float64(values[b, i])
            bad = (values[b, i] == nodata) | (np.abs(v) == np.inf)
            v = np.float64(np.nan) if bad else v
            along[i] += t * v
            total[i] += v * v
    for i in range(pixels):
        c = along[i] / np.sqrt(total[i])
        c = 1.0 if c > 1.0 else c
        c = -1.0 if c < -1.0 else c
        out[i] = np.float32(factor * np.arccos(c))


@kernel
def banded(out: Any, values: Any, nodata: Any, starts: Any, source: Any, weights: Any, least: Any) -> None:
    """Write weighted means of bands; NaN where the valid ones weigh less than `least` of all."""
    _, pixels = values.shape
    total, valid = np.zeros(pixels), np.zeros(pixels)
    for o in range(out.shape[0]):
        missing = np.zeros(pixels, np.bool_)
        for i in range(pixels):
            total[i] = valid[i] = 0.0
        for k in range(starts[o], starts[o + 1]):
            b, w = source[k], weights[k]
            for i in range(pixels):
                v = np.float64(values[b, i])
                good = (values[b, i] != nodata) & (np.abs(v) < np.inf)
                total[i] += w * v if good else 0.0
                valid[i] += w if good else 0.0
                missing[i] |= not good
        for i in range(pixels):
            enough = (not missing[i]) | ((valid[i] >= least) & (least < 1.0) & (valid[i] > 0.0))
            mean = total[i] / valid[i] if missing[i] else total[i]
            out[o, i] = np.float32(mean) if enough else np.float32(np.nan)
