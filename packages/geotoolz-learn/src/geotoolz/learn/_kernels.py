"""Kernels on planes of pixels, and on rows of probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np

from geotoolz.core import kernel


@kernel
def count_valid(values: Any, nodata: Any, counts: Any) -> None:
    """Add one to `counts` (flat, whole numbers) where a pixel is a number and not `nodata`."""
    for i in range(values.size):
        x = values[i]
        counts[i] += np.uint8((x - x == 0) & (x != nodata))  # ∞ less ∞ is NaN, and NaN equals nothing


@kernel
def take_rows(planes: Any, index: Any, out: Any) -> None:
    """Write pixels `index` of every plane into rows, a few planes and few rows at a time.

    Reading many planes at once drives them out of the cache, writing many rows in parts drives out these.
    """
    for first in range(0, index.size, 64):
        end = min(first + 64, index.size)
        for low in range(0, len(planes), 10):
            high = min(low + 10, len(planes))
            for j in range(first, end):
                i = index[j]
                for k in range(low, high):
                    out[j, k] = planes[k][i]


@kernel
def take_columns(planes: Any, index: Any, out: Any) -> None:
    """Write pixels `index` of every plane into columns, ``(features, rows)``: each is written in one go."""
    for k in range(len(planes)):
        plane = planes[k]
        for j in range(index.size):
            out[k, j] = plane[index[j]]


@kernel
def entropy(probabilities: Any) -> Any:
    """Return ``-Σ p · ln p`` of every row, in float64; 0 · ln 0 is 0."""
    rows, classes = probabilities.shape
    out = np.empty(rows, np.float64)
    for i in range(rows):
        total = 0.0
        for k in range(classes):
            p = np.float64(probabilities[i, k])
            if p > 0.0:
                total -= p * np.log(p)
        out[i] = total
    return out


@kernel
def margin(probabilities: Any) -> Any:
    """Return the largest less the second largest of every row, in float64; of one class its probability."""
    rows, classes = probabilities.shape
    out = np.empty(rows, np.float64)
    for i in range(rows):
        first, second = 0.0, 0.0
        for k in range(classes):
            p = np.float64(probabilities[i, k])
            if p > first:
                first, second = p, first
            elif p > second:
                second = p
        out[i] = first - second
    return out
