"""The members of an ensemble: what each of them predicts, and how far they disagree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from geotoolz.learn._estimators import steps_of

Array = np.ndarray[Any, Any]
_ROWS = 8192  # rows whose predictions by all members are held at once


def has_members(estimator: Any) -> bool:
    """Whether an estimator averages independent members: forests and bagging, also behind others."""
    return _members(_last(estimator)) is not None


def _last(estimator: Any) -> Any:
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif hasattr(estimator, "steps") and isinstance(estimator.steps, list):
            estimator = estimator.steps[-1][1]
        else:
            return estimator


def _before(estimator: Any, X: Array) -> Array:
    """Return rows as the last step of a pipeline gets them."""
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif hasattr(estimator, "steps") and isinstance(estimator.steps, list):
            for step in steps_of(estimator)[:-1]:
                X = step.transform(X)
            estimator = estimator.steps[-1][1]
        else:
            return X


def _members(last: Any) -> list[tuple[Any, Any]] | None:
    """Return members with the columns that they take (None: all); None where there are none."""
    from sklearn.ensemble import BaggingClassifier, BaggingRegressor
    from sklearn.ensemble._forest import ForestClassifier, ForestRegressor

    if isinstance(last, ForestClassifier | ForestRegressor):
        return [(tree, None) for tree in getattr(last, "estimators_", ())]
    if isinstance(last, BaggingClassifier | BaggingRegressor):
        voting = isinstance(last, BaggingClassifier) and not hasattr(last.estimators_[0], "predict_proba")
        if voting:
            return None
        pairs = zip(getattr(last, "estimators_", ()), getattr(last, "estimators_features_", ()), strict=True)
        return [(one, np.asarray(columns)) for one, columns in pairs]
    return None


def _each(estimator: Any, X: Array, method: str) -> tuple[int, Callable[[int, Array], Array], Array]:
    last = _last(estimator)
    members = _members(last) or []
    rows = np.ascontiguousarray(_before(estimator, X))
    if not hasattr(last, "estimators_features_"):
        rows = rows.astype(np.float32, copy=False)  # what trees compare with

    def one(number: int, part: Array) -> Array:
        member, columns = members[number]
        found: Array = getattr(member, method)(part if columns is None else part[:, columns])
        if method == "predict_proba" and found.shape[1] != len(last.classes_):
            known, found = found, np.zeros((len(part), len(last.classes_)))
            found[:, member.classes_.astype(np.int64)] = known  # its draw held some of the classes only
        return found

    return len(members), one, rows


def probability_variance(estimator: Any, X: Array, mean: Array) -> Array:
    """Return the variance, over the members, of the probability of the most probable class.

    Parameters
    ----------
    estimator : object
        With members.
    X : array
        Rows.
    mean : array
        The ensemble's probabilities of these rows.

    Returns
    -------
    array of float64
        ``(rows,)``; between 0 (all agree) and 0.25.
    """
    count, one, rows = _each(estimator, X, "predict_proba")
    chosen = np.argmax(mean, axis=1)
    at = np.arange(len(rows))
    middle = mean[at, chosen]
    total = np.zeros(len(rows))
    for number in range(count):  # in the order of the members: the sum is the same for any cut
        apart = one(number, rows)[at, chosen] - middle
        total += apart * apart
    return total / count


def value_variance(estimator: Any, X: Array, mean: Array) -> Array:
    """Return the variance of the members' values, ``(rows,)`` or ``(rows, targets)``, in float64."""
    count, one, rows = _each(estimator, X, "predict")
    total = np.zeros(mean.shape)
    for number in range(count):
        apart = one(number, rows) - mean
        total += apart * apart
    return total / count


def value_quantiles(estimator: Any, X: Array, quantiles: Sequence[float]) -> Array:
    """Return quantiles of the members' values: ``(rows, quantiles)`` in float64, of a single target."""
    count, one, rows = _each(estimator, X, "predict")
    out = np.empty((len(rows), len(quantiles)))
    for first in range(0, len(rows), _ROWS):
        part = rows[first : first + _ROWS]
        values = np.empty((count, len(part)))
        for number in range(count):
            values[number] = one(number, part)
        out[first : first + len(part)] = np.quantile(values, quantiles, axis=0).T
    return out
