"""How sure a number is that many tiles give together: the bootstrap, tile by tile."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from geotoolz.diff._measures import margins

Array = np.ndarray[Any, Any]
Moments = Mapping[str, Array]


class TileValues(Protocol):
    """What is kept of a variable of a tile."""

    @property
    def sums(self) -> Mapping[str, float]:
        """Sums, by name."""

    @property
    def pairs(self) -> Mapping[tuple[float, float], int] | None:
        """Pairs of classes, counted; None of what has no classes."""


def resamples(tiles: int, times: int, seed: int) -> Array:
    """Return how often each tile is drawn in every resample: (times, tiles).

    Counter-based (Philox): the draws follow from the seed and the number of tiles alone, and fewer
    resamples are the first of more.
    """
    drawn = np.random.Generator(np.random.Philox(key=seed)).integers(0, max(tiles, 1), (times, tiles))
    places = drawn + np.arange(times)[:, None] * tiles
    return np.bincount(places.ravel(), minlength=times * tiles).reshape(times, tiles)


def moments_of(tiles: Sequence[TileValues]) -> dict[str, Array]:
    """Return the sums of every tile from which metrics of many tiles follow, by name."""
    moments = {name: np.array([tile.sums[name] for tile in tiles]) for name in tiles[0].sums}
    if tiles[0].pairs is None:
        return moments
    counts = [tile.pairs or {} for tile in tiles]
    classes = sorted({value for pairs in counts for both in pairs for value in both})
    ends = [margins(pairs, classes) for pairs in counts]
    same = [sum(count for (a, b), count in pairs.items() if a == b) for pairs in counts]
    return {
        **moments,
        "same": np.array(same, np.float64),
        "rows": np.array([first for first, _ in ends], np.float64),
        "cols": np.array([second for _, second in ends], np.float64),
    }


def _kappa(m: Moments) -> Array:
    chance = (m["rows"] * m["cols"]).sum(axis=-1)
    found: Array = (m["n"] * m["same"] - chance) / (m["n"] ** 2 - chance)
    return found


FORMULAS: dict[str, Callable[[Moments], Array]] = {
    "bias": lambda m: m["sum"] / m["n"],
    "mae": lambda m: m["size"] / m["n"],
    "rmse": lambda m: np.sqrt(m["square"] / m["n"]),
    "brier": lambda m: m["square"] / m["n"],
    "jensen_shannon": lambda m: m["jensen_shannon"] / m["n_jensen_shannon"],
    "kl": lambda m: m["kl"] / m["n_kl"],
    "cross_entropy": lambda m: m["cross_entropy"] / m["n_cross_entropy"],
    "agreement": lambda m: m["same"] / m["n"],
    "kappa": _kappa,
    "shift": lambda m: np.abs(m["rows"] - m["cols"]).sum(axis=-1) / (2 * m["n"]),
    "gained": lambda m: m["only_b"] / (m["n"] + m["only_a"] + m["only_b"]),
    "lost": lambda m: m["only_a"] / (m["n"] + m["only_a"] + m["only_b"]),
}
"""Metrics of many tiles, from sums over them."""


def intervals(
    moments: Moments, metrics: Sequence[str], drawn: Array, confidence: float
) -> dict[str, tuple[float, float]]:
    """Return a percentile interval of every metric that follows from sums.

    Tiles, not pixels, are drawn again: pixels of one tile resemble each other.

    References
    ----------
    Efron, B., Tibshirani, R. J. (1993). An Introduction to the Bootstrap. Chapman & Hall; chapter 13.
    """
    if drawn.shape[1] < 2:
        return {}
    totals = {name: _summed(values, drawn) for name, values in moments.items()}
    found = {}
    for name in metrics:
        if name not in FORMULAS:
            continue
        with np.errstate(invalid="ignore", divide="ignore"):
            values = FORMULAS[name](totals)
        values = values[~np.isnan(values)]
        if values.size and np.isfinite(values).all():
            found[name] = limits(values, confidence)
    return found


def limits(values: Array, confidence: float) -> tuple[float, float]:
    """Return the percentiles between which a share of the values lies."""
    aside = (1 - confidence) / 2
    low, high = np.quantile(values, [aside, 1 - aside])
    return float(low), float(high)


def _summed(values: Array, drawn: Array) -> Array:
    """Sum over the tiles of every resample; no product of matrices, whose rounding has no order."""
    axes = "t,rt->r" if values.ndim == 1 else "tk,rt->rk"
    finite = np.isfinite(values)
    total: Array = np.einsum(axes, np.where(finite, values, 0.0), drawn.astype(np.float64))
    if not finite.all():  # 0 · inf is no number: whoever draws such a tile is infinite
        total[(drawn[:, ~finite] > 0).any(axis=1)] = np.inf
    return total
