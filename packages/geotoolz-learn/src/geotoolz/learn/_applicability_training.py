"""How unlike each other training rows are, across the folds of a cross-validation."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from geotoolz.core import FrozenArray, ParameterError
from geotoolz.learn._adapters import Adapter, ToPixelMajor
from geotoolz.learn._applicability import AreaOfApplicability
from geotoolz.learn._folds_base import check_count
from geotoolz.learn._model import FittedPixelModel
from geotoolz.learn._training import TrainingRows, require_features

Array = np.ndarray[Any, Any]
_AT_ONCE = 1 << 22


@dataclass(frozen=True)
class TrainingDissimilarity:
    """The dissimilarity index of training rows, and the threshold that follows from it.

    Attributes
    ----------
    features : tuple of str
        Names of the features.
    points : numpy.ndarray
        The rows used: standardised, weighted, and divided by their mean distance.
    center, factor : tuple of float
        How a feature becomes a column of `points`: ``(value − center) · factor``.
    di : numpy.ndarray
        Per row used, the distance to the nearest row that its fold trains on; NaN for a row that no fold
        tests.
    threshold : float
        Largest `di` without outliers: ``min(max, Q75 + 1.5 · (Q75 − Q25))``.
    mean_distance : float
        Mean distance between the standardised, weighted rows.
    rows : numpy.ndarray
        Numbers of the rows used.
    quantities : mapping of str to str
        Feature → what its values are, where the rows say it.
    """

    features: tuple[str, ...]
    points: Array = field(repr=False)
    center: tuple[float, ...]
    factor: tuple[float, ...]
    di: Array = field(repr=False)
    threshold: float
    mean_distance: float
    rows: Array = field(repr=False)
    quantities: Mapping[str, str] = field(default_factory=dict)

    def operator(
        self, di: str = "di", aoa: str = "aoa", adapter: Adapter | None = None
    ) -> AreaOfApplicability:
        """Return the operator that writes index and area of a tile.

        Parameters
        ----------
        di, aoa : str
            Names of the new variables.
        adapter : Adapter, optional
            How tiles become rows: that of the model; `ToPixelMajor` by default.
        """
        return AreaOfApplicability(
            self.features, FrozenArray(self.points), self.center, self.factor, self.threshold,
            ToPixelMajor() if adapter is None else adapter, di, aoa, dict(self.quantities) or None,
        )  # fmt: skip


def training_dissimilarity(
    X: Any,
    features: str | Sequence[str] | None = None,
    *,
    importances: Sequence[float] | Any = None,
    folds: Any = None,
    groups: Any = None,
    max_rows: int = 10_000,
    seed: int = 0,
) -> TrainingDissimilarity:
    """Measure how unlike training rows are, and find the threshold of the area of applicability.

    Parameters
    ----------
    X : TrainingRows or array_like
        The rows that the model was trained on, ``(rows, features)``.
    features : str or sequence of str, optional
        Names of the columns; `TrainingRows` know them.
    importances : sequence of float, or fitted model or estimator, optional
        Weight of each feature; negative ones count as 0. Of a model its ``feature_importances_``. By
        default all features weigh alike.
    folds : splitter, or array_like, optional
        The cross-validation of the model: something with ``split``, or the fold of every row. The threshold
        then fits what the cross-validated error means. By default each row is compared with all others, which
        draws a narrower area.
    groups : array_like, optional
        For a splitter that wants them; by default those of the rows, for a splitter that holds no points or
        dates.
    max_rows : int
        With more rows, use this many, drawn by the seed: all distances between them are computed.
    seed : int
        Another seed draws other rows.

    Returns
    -------
    TrainingDissimilarity

    Raises
    ------
    ParameterError
        If rows are not finite, a feature does not vary, weights do not fit, or a row is tested twice.

    References
    ----------
    Meyer, H., Pebesma, E. (2021). Predicting into unknown space? Estimating the area of applicability of
    spatial prediction models. Methods in Ecology and Evolution 12, 1620–1633. The threshold and the standard
    deviation (divisor ``n − 1``) are those of the authors' R package CAST.

    Examples
    --------
    >>> from geotoolz.learn import training_dissimilarity
    >>> found = training_dissimilarity([[0.0], [1.0], [3.0], [4.0]], ["ndvi"])
    >>> [round(float(v), 3) for v in found.di], round(found.threshold, 3)
    ([0.429, 0.429, 0.429, 0.429], 0.429)
    """
    held: Mapping[str, str] = {}
    if isinstance(X, TrainingRows):
        features = X.features if features is None else features
        require_features(features, X.features, "the rows")
        groups = X.groups if groups is None and _wants_groups(folds) else groups
        held, X = X.quantities, X.X
    if isinstance(features, str):
        features = (features,)
    if features is None:
        raise ParameterError("the features have no names", fix="training_dissimilarity(X, features=(…))")
    if isinstance(importances, FittedPixelModel):
        require_features(features, importances.features, "the rows")
    values = _checked(X, features)
    weights = _weights(importances, len(features))
    rows = _drawn(len(values), max_rows, seed)
    deviation = values[rows].std(axis=0, ddof=1)
    for name, spread in zip(features, np.ptp(values[rows], axis=0), strict=True):
        if not spread > 0:
            raise ParameterError(
                f"the feature {name!r} has one value in all rows",
                expected="features that vary",
                fix="leave it out",
            )
    center, scale = values[rows].mean(axis=0), weights / deviation
    mean = _mean_distance((values[rows] - center) * scale)
    factor = scale / mean
    points = (values[rows] - center) * factor  # as the operator makes them of pixels
    di = _nearest(points, _restricted(_pairs(folds, values, groups), rows, len(values)))
    return TrainingDissimilarity(
        tuple(features), points, tuple(map(float, center)), tuple(map(float, factor)),
        di, _threshold(di), mean, rows, dict(held),
    )  # fmt: skip


def _wants_groups(folds: Any) -> bool:
    return getattr(folds, "points", None) is None and getattr(folds, "times", None) is None


def _checked(X: Any, features: Sequence[str]) -> Array:
    values = np.asarray(X, np.float64)
    if values.ndim != 2 or values.shape[1] != len(features) or not len(features):
        raise ParameterError(
            f"X has shape {values.shape} for {len(features)} feature(s)", expected="(rows, features)"
        )
    if len(values) < 2:
        raise ParameterError(f"there are {len(values)} row(s)", expected="two at least")
    bad = len(values) - int(np.isfinite(values).all(axis=1).sum())
    if bad:
        raise ParameterError(f"{bad} row(s) are not finite", fix="drop rows without data, as for the fit")
    return values


def _weights(importances: Any, count: int) -> Array:
    if importances is None:
        return np.ones(count)
    if isinstance(importances, FittedPixelModel) or hasattr(importances, "fit"):
        importances = _told_by(importances)
    weights = np.asarray(importances, np.float64)
    if weights.shape != (count,) or not np.isfinite(weights).all():
        raise ParameterError(f"importances have shape {weights.shape}", expected=f"{count} numbers")
    weights = np.maximum(weights, 0.0)
    if not weights.any():
        raise ParameterError("no importance is positive", expected="one at least")
    return weights


def _told_by(model: Any) -> Any:
    """Return the importances that a fitted model, estimator or search knows."""
    estimator = model.estimator if isinstance(model, FittedPixelModel) else model
    estimator = getattr(estimator, "best_estimator_", estimator)
    found = getattr(estimator, "feature_importances_", None)
    if found is None:
        raise ParameterError(
            f"{type(estimator).__name__} has no feature_importances_",
            expected="a fitted forest or boosting, or numbers",
            fix="sklearn.inspection.permutation_importance(…).importances_mean",
        )
    return found


def _drawn(there: int, most: int, seed: int) -> Array:
    check_count(most, "max_rows", 2)
    if there <= most:
        return np.arange(there)
    order = np.random.default_rng(np.random.SeedSequence(seed)).permutation(there)
    return np.sort(order[:most])


def _pairs(folds: Any, values: Array, groups: Any) -> Iterable[tuple[Array, Array]] | None:
    """Return what is trained on and tested per fold, as row numbers."""
    if folds is None:
        return None
    if callable(getattr(folds, "split", None)):
        pairs: Iterable[tuple[Array, Array]] = folds.split(values, None, groups)
        return pairs
    ids = np.asarray(folds)
    if ids.shape != (len(values),):
        raise ParameterError(f"folds have shape {ids.shape}", expected=f"one per row, ({len(values)},)")
    if np.unique(ids).size < 2:
        raise ParameterError("all rows are in one fold", expected="two folds at least")
    return ((np.flatnonzero(ids != one), np.flatnonzero(ids == one)) for one in np.unique(ids))


def _restricted(
    pairs: Iterable[tuple[Array, Array]] | None, rows: Array, there: int
) -> Iterable[tuple[Array, Array]] | None:
    """Return the same folds of the rows that were drawn."""
    if pairs is None:
        return None
    place = np.full(there, -1)
    place[rows] = np.arange(rows.size)
    return (tuple(found[found >= 0] for found in (place[a], place[b])) for a, b in pairs)  # type: ignore[misc]


def _blocks(rows: int, others: int) -> Iterable[slice]:
    step = max(1, _AT_ONCE // max(others, 1))
    return (slice(start, min(start + step, rows)) for start in range(0, rows, step))


def _mean_distance(points: Array) -> float:
    """Return the mean distance between different rows."""
    from scipy.spatial.distance import cdist

    n = len(points)
    sums = [cdist(points[block], points).sum(axis=1) for block in _blocks(n, n)]
    mean = math.fsum(map(float, np.concatenate(sums))) / (n * (n - 1))
    if not mean > 0:
        raise ParameterError("all rows are the same", expected="rows that differ")
    return mean


def _nearest(points: Array, pairs: Iterable[tuple[Array, Array]] | None) -> Array:
    """Return the distance of every row to the nearest one that its fold trains on."""
    from scipy.spatial.distance import cdist

    found = np.full(len(points), np.nan)
    if pairs is None:
        for block in _blocks(len(points), len(points)):
            distance = cdist(points[block], points)
            distance[np.arange(len(distance)), np.arange(len(points))[block]] = np.inf
            found[block] = distance.min(axis=1)
        return found
    for train, test in pairs:
        if np.isfinite(found[test]).any():
            raise ParameterError("a row is tested by several folds", expected="folds without repetition")
        if train.size:
            for block in _blocks(test.size, train.size):
                found[test[block]] = cdist(points[test[block]], points[train]).min(axis=1)
    if not np.isfinite(found).any():
        raise ParameterError(
            "no fold tests a row that others are trained for", expected="folds of these rows"
        )
    return found


def _threshold(di: Array) -> float:
    there = di[np.isfinite(di)]
    low, high = np.quantile(there, [0.25, 0.75])
    return float(min(there.max(), high + 1.5 * (high - low)))
