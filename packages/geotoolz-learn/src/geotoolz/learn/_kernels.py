"""Kernels on rows of probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np

from geotoolz.core import kernel


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
