"""Calls of the estimator's own methods."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.core import ParameterError
from geotoolz.learn._one_thread_each import one_thread_each

if TYPE_CHECKING:
    from geotoolz.learn._model import FittedPixelModel

Array = np.ndarray[Any, Any]


@contextmanager
def in_order() -> Iterator[None]:
    """Let scikit-learn work through an ensemble in its order, in this thread.

    With ``n_jobs`` above 1 a forest adds its trees' votes in the order in which threads are done, and the
    last bits change from call to call. The runner's own threads keep the cores busy.
    """
    import joblib

    with joblib.parallel_config(backend="sequential"), one_thread_each():
        yield


def known_finite(estimator: Any) -> AbstractContextManager[Any]:
    """Spare an estimator the look for NaN and infinity in rows that have been looked at.

    Only one of scikit-learn's own that is handed the rows itself: what a step of a pipeline makes of them is
    looked at by the next one.
    """
    if not type(estimator).__module__.startswith(("sklearn.linear_model.", "sklearn.tree.")):
        return nullcontext()
    from sklearn import config_context

    spared: AbstractContextManager[Any] = config_context(assume_finite=True)
    return spared


def shaped(model: FittedPixelModel, X: Array) -> Any:
    """Return rows as the estimator was given them at fitting."""
    rows = model.adapter.shaped(X, model.features)
    names = getattr(model.estimator, "feature_names_in_", None) if rows.ndim == 2 else None
    if names is None:
        return rows
    import pandas as pd

    return pd.DataFrame(rows, columns=list(names), copy=False)


def predict(model: FittedPixelModel, X: Array) -> Array:
    """Return labels, clusters, values, components or scores of rows."""
    rows, estimator = shaped(model, X), model.estimator
    if not len(X):
        return _nothing(model)
    with in_order():
        if model.kind == "transformer":
            found = estimator.transform(rows)
        elif model.kind == "anomaly":
            found = strangeness(estimator, rows)
        else:
            found = estimator.predict(rows)
    values = np.asarray(found.toarray() if hasattr(found, "toarray") else found)
    return np.asarray(model.classes)[values] if model.encoded else values


def _nothing(model: FittedPixelModel) -> Array:
    if model.kind == "classifier":
        return np.asarray(model.classes)[:0]
    several = model.kind == "transformer" or len(model.targets) > 1
    return np.empty((0, len(model.targets)) if several else (0,), model.dtype)


def strangeness(estimator: Any, rows: Any) -> Array:
    """Return how strange rows are: larger is stranger."""
    method = getattr(estimator, "score_samples", None) or estimator.decision_function
    return -np.asarray(method(rows))


def probabilities(model: FittedPixelModel, X: Array) -> Array:
    """Return the probabilities of the classes, ``(rows, classes)``."""
    if "predict_proba" not in model.methods:
        raise ParameterError(
            f"{type(model.estimator).__name__} has no probabilities",
            expected="an estimator with predict_proba",
            fix="CalibratedClassifierCV(estimator) adds them",
        )
    if not len(X):
        return np.empty((0, len(model.classes)))
    with in_order():
        return np.asarray(model.estimator.predict_proba(shaped(model, X)))
