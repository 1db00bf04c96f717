"""Whitening by a covariance, in a fixed order of operations: threads of a BLAS would change bits."""

from __future__ import annotations

from typing import Any

import numpy as np

from geotoolz.core import TileError, kernel

Array = np.ndarray[Any, Any]


@kernel
def factor(matrix: Any, smallest: Any) -> Any:
    """Return the Cholesky factor of a correlation matrix, and how many of its pivots are large enough."""
    size = matrix.shape[0]
    lower = np.zeros((size, size))
    for j in range(size):
        pivot = matrix[j, j]
        for k in range(j):
            pivot -= lower[j, k] * lower[j, k]
        if not pivot > smallest:
            return lower, j
        root = np.sqrt(pivot)
        lower[j, j] = root
        for i in range(j + 1, size):
            total = matrix[i, j]
            for k in range(j):
                total -= lower[i, k] * lower[j, k]
            lower[i, j] = total / root
    return lower, size


@kernel
def lower_inverse(lower: Any) -> Any:
    """Return the inverse of a lower triangular matrix."""
    size = lower.shape[0]
    out = np.zeros((size, size))
    for j in range(size):
        out[j, j] = 1.0 / lower[j, j]
        for i in range(j + 1, size):
            total = 0.0
            for k in range(j, i):
                total += lower[i, k] * out[k, j]
            out[i, j] = -total / lower[i, i]
    return out


@kernel
def times(matrix: Any, vector: Any) -> Any:
    """Return ``matrix · vector``, added up from the first column on."""
    out = np.zeros(matrix.shape[0])
    for i in range(matrix.shape[0]):
        for k in range(matrix.shape[1]):
            out[i] += matrix[i, k] * vector[k]
    return out


def whitening(covariance: Array, shrinkage: float, needed_by: str, pixels: int | None = None) -> Array:
    """Return the lower triangular ``W`` with ``W · S · Wᵀ = 1`` of a covariance, shrunk to its diagonal.

    Parameters
    ----------
    covariance : array
        Symmetric.
    shrinkage : float
        ``S = (1 − shrinkage) · covariance + shrinkage · diagonal``.
    needed_by : str
        Who asks.
    pixels : int, optional
        How many pixels the covariance is of, for the message.

    Raises
    ------
    TileError
        If it is singular; says the rank.
    """
    spread = np.sqrt(np.diagonal(covariance))
    if not (spread > 0).all():
        raise _singular(covariance, needed_by, pixels)
    # bands of different brightness are brought to one scale: what is singular does not depend on units
    correlation = covariance / np.outer(spread, spread) * (1.0 - shrinkage)
    np.fill_diagonal(correlation, 1.0)
    size = len(spread)
    lower, good = factor(correlation, size * np.finfo(np.float64).eps)
    if good < size:
        raise _singular(correlation, needed_by, pixels)
    white: Array = lower_inverse(lower) / spread
    return white


def _singular(matrix: Array, needed_by: str, pixels: int | None) -> TileError:
    size = len(matrix)
    scale = np.sqrt(np.maximum(np.diagonal(matrix), 0))
    scaled = np.divide(matrix, np.outer(scale, scale), out=np.zeros_like(matrix), where=matrix != 0)
    rank = int(np.linalg.matrix_rank(scaled, hermitian=True)) if np.isfinite(scaled).all() else 0
    of = "" if pixels is None else f", from {pixels} pixels"
    return TileError(
        f"{needed_by}: the covariance of {size} bands is singular: rank {rank}{of}",
        expected=f"rank {size}: more pixels than bands, and no band that others add up to",
        fix="leave bands out with ranges=, take more pixels, or give shrinkage=0.01",
    )
