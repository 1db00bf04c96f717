"""Confidence intervals from drawing whole groups again and again."""

from __future__ import annotations

from typing import Any

import numpy as np

from geotoolz.core import ParameterError
from geotoolz.learn._accuracy_rows import Coded
from geotoolz.learn._folds_base import check_count

Array = np.ndarray[Any, Any]
_AT_ONCE = 1 << 22


def bootstrap_intervals(
    rows: Coded, place: Array, groups: int, times: int, confidence: float, seed: int
) -> dict[str, tuple[float, float]]:
    """Return percentile intervals of accuracies from a bootstrap of groups.

    Every replicate draws as many groups as there are, with replacement, with all their rows.

    Parameters
    ----------
    rows : Coded
        True and predicted classes.
    place : array of int
        Group of every row.
    groups : int
        Number of groups.
    times : int
        Number of replicates.
    confidence : float
        Share of the replicates that an interval holds.
    seed : int
        Another seed, other replicates.

    Raises
    ------
    ParameterError
        For fewer than two groups or replicates.
    """
    check_count(times, "bootstrap", 2)
    if groups < 2:
        raise ParameterError(f"a bootstrap of {groups} group", expected="two groups at least")
    size = len(rows.classes)
    cells, cell = np.unique((place * size + rows.true) * size + rows.said, return_counts=True)
    group, entry = np.divmod(cells, size * size)
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    scores: list[Array] = []
    step = max(1, _AT_ONCE // max(groups, cells.size))
    for first in range(0, times, step):
        drawn = rng.multinomial(groups, np.full(groups, 1 / groups), size=min(step, times - first))
        weighted = drawn[:, group] * cell
        matrices = np.zeros((len(drawn), size * size))
        for number in range(size * size):
            matrices[:, number] = weighted[:, entry == number].sum(axis=1)
        scores.append(_scores(matrices.reshape(-1, size, size)))
    return _intervals(np.concatenate(scores), rows.labels, confidence)


def _scores(matrices: Array) -> Array:
    """Return overall, user's and producer's accuracies and F1 of matrices; NaN for 0/0."""
    right = np.diagonal(matrices, axis1=1, axis2=2)
    true, said = matrices.sum(axis=2), matrices.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        overall = right.sum(axis=1) / matrices.sum(axis=(1, 2))
        return np.column_stack([overall, right / said, right / true, 2 * right / (true + said)])


def _intervals(scores: Array, labels: tuple[str, ...], confidence: float) -> dict[str, tuple[float, float]]:
    kinds = ("users_accuracy", "producers_accuracy", "f1")
    names = ["overall_accuracy", *(f"{kind}[{label}]" for kind in kinds for label in labels)]
    tails = [(1 - confidence) / 2, (1 + confidence) / 2]
    found = {}
    for name, column in zip(names, scores.T, strict=True):
        there = column[np.isfinite(column)]  # a class may be missing from a replicate
        if there.size:
            low, high = np.quantile(there, tails)
            found[name] = (float(low), float(high))
    return found
