"""From counts to metrics."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from geotoolz.diff._counts import QUANTILES, Gathered, mean
from geotoolz.diff._numbers import Numbers, Pool

Array = np.ndarray[Any, Any]
_ENDLESS = ("cross_entropy", "kl")
"""What is infinite where an impossible thing happens."""


def measure(kind: str, found: Gathered) -> dict[str, float]:
    """Return the metrics of what was gathered.

    Parameters
    ----------
    kind : str
        "continuous", "probability" or "classes".
    found : Gathered

    Returns
    -------
    dict of str to float
        NaN where no pixel is valid in both.
    """
    seen = found.n + found.only_a + found.only_b
    shares = {
        "gained": found.only_b / seen if seen else math.nan,
        "lost": found.only_a / seen if seen else math.nan,
    }
    if kind == "classes":
        return {**agreement_of(found.pairs), **shares}
    return {**_losses(found), **_differences(found.differences), **shares}


def _differences(numbers: Numbers | None) -> dict[str, float]:
    if numbers is None:
        return {}
    n = numbers.n
    total, size, square = numbers.sums
    return {
        "rmse": math.sqrt(mean(square, n)) if n else math.nan,
        "bias": mean(total, n),
        "mae": mean(size, n),
        "max_abs": max(abs(numbers.smallest), abs(numbers.largest)) if n else math.nan,
        **{name: numbers.quantile(q) for name, q in QUANTILES.items()},
    }


def _losses(found: Gathered) -> dict[str, float]:
    """Return the metrics of probabilities; two are infinite where an impossible thing happens."""
    if not found.losses:
        return {}
    values = {name: mean(numbers.sums[0], numbers.n) for name, numbers in found.losses.items()}
    if found.impossible:
        values.update(dict.fromkeys(_ENDLESS, math.inf))
    numbers = found.differences
    brier = mean(numbers.sums[2], numbers.n) if numbers is not None else math.nan
    return {**values, "brier": brier, "impossible": float(found.impossible)}


def agreement_of(pairs: Mapping[tuple[float, float], int]) -> dict[str, float]:
    """Return agreement, Cohen's kappa, and the share of pixels whose class moved (half the sum of shifts).

    References
    ----------
    Cohen, J. (1960). A coefficient of agreement for nominal scales. Educational and Psychological
    Measurement 20, 37–46.
    Pontius, R. G., Millones, M. (2011). Death to Kappa: birth of quantity disagreement and allocation
    disagreement for accuracy assessment. International Journal of Remote Sensing 32, 4407–4429
    (``shift`` is their quantity disagreement).
    """
    classes = sorted({value for pair in pairs for value in pair})
    rows, cols = margins(pairs, classes)
    n, same = sum(pairs.values()), sum(count for (a, b), count in pairs.items() if a == b)
    return {
        "agreement": same / n if n else math.nan,
        "kappa": _kappa(n, same, rows, cols),
        "shift": sum(abs(r - c) for r, c in zip(rows, cols, strict=True)) / (2 * n) if n else math.nan,
    }


def _kappa(n: int, same: int, rows: Sequence[int], cols: Sequence[int]) -> float:
    """Return kappa; NaN where both know one class only, and chance alone explains all (0/0)."""
    chance = sum(r * c for r, c in zip(rows, cols, strict=True))
    return (n * same - chance) / (n * n - chance) if n * n > chance else math.nan


def margins(
    pairs: Mapping[tuple[float, float], int], classes: Sequence[float]
) -> tuple[list[int], list[int]]:
    """Return how many pixels each class has in the first and in the second."""
    first, second = dict.fromkeys(classes, 0), dict.fromkeys(classes, 0)
    for (a, b), count in pairs.items():
        first[a] += count
        second[b] += count
    return list(first.values()), list(second.values())


def sums_of(found: Gathered) -> dict[str, float]:
    """Return the sums of a tile from which metrics of several tiles follow."""
    sums = {"n": float(found.n), "only_a": float(found.only_a), "only_b": float(found.only_b)}
    if found.differences is not None:
        totals = found.differences.sums
        sums.update(zip(("sum", "size", "square"), map(float, totals), strict=True))
    for name, numbers in found.losses.items():
        endless = found.impossible if name in _ENDLESS else 0
        sums[name] = math.inf if endless else float(numbers.sums[0])
        sums[f"n_{name}"] = float(numbers.n + endless)
    return sums


class Pooled:
    """What the tiles of a run have gathered of one variable, taken together."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.counts = np.zeros(6, object)
        self.differences = Pool()
        self.losses: dict[str, Pool] = {}
        self.pairs: dict[tuple[float, float], int] = {}

    def add(self, found: Gathered) -> None:
        """Add a tile."""
        counts = (found.n, found.only_a, found.only_b, found.neither, found.impossible, found.outside)
        self.counts = self.counts + np.array(counts, object)
        if found.differences is not None:
            self.differences.add(found.differences)
        for name, numbers in found.losses.items():
            self.losses.setdefault(name, Pool()).add(numbers)
        for pair, count in found.pairs.items():
            self.pairs[pair] = self.pairs.get(pair, 0) + count

    def gathered(self) -> Gathered:
        """Return everything."""
        n, only_a, only_b, neither, impossible, outside = map(int, self.counts)
        if self.kind == "classes":
            return Gathered(n, only_a, only_b, neither, pairs=dict(sorted(self.pairs.items())))
        losses = {name: pool.numbers() for name, pool in self.losses.items()}
        ends = (n, only_a, only_b, neither, self.differences.numbers())
        return Gathered(*ends, losses, impossible, outside)
