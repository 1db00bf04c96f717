"""From a fitted estimator to a FittedPixelModel."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.core import Operator, ParameterError
from geotoolz.learn._adapters import Adapter, ToPixelMajor
from geotoolz.learn._calls import predict, probabilities
from geotoolz.learn._classes import codes_of, names_of, plain_class
from geotoolz.learn._estimators import (
    Kind,
    final,
    is_estimator,
    is_exact_family,
    kind_of,
    methods_of,
    takes_columns,
    takes_nan,
    versions_of,
)
from geotoolz.learn._model import FittedPixelModel
from geotoolz.learn._nodata import NanPolicy
from geotoolz.learn._summary import Summary
from geotoolz.learn._training import require_features

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

Array = np.ndarray[Any, Any]
_SAMPLE = 4096  # rows on which the deviation between cuts is measured
_CUTS = (1, 2, 9, 40, 137, 640, 2000)


def make_model(
    estimator: Any,
    summary: Summary,
    *,
    kind: Kind,
    sample: Array,
    adapter: Adapter | None = None,
    nodata_policy: NanPolicy | None = None,
    labels: Sequence[Any] | None = None,
    pipeline: Operator | None = None,
    metrics: Mapping[str, Any] | None = None,
) -> FittedPixelModel:
    """Return the model of a fitted estimator.

    Parameters
    ----------
    estimator : object
        Fitted; taken as it is.
    summary : Summary
        What it was fitted on.
    kind : str
        What it is.
    sample : array
        Some rows that it was fitted on, on which its rounding is measured.
    adapter, nodata_policy
        What it was fitted with.
    labels : sequence, optional
        The labels whose numbers the estimator was given instead of them.
    pipeline : Operator, optional
        What made the features.
    metrics : mapping, optional
        Scores and the like.
    """
    model = FittedPixelModel(
        estimator=estimator, kind=kind, features=summary.features, dtype=summary.dtype,
        adapter=adapter if adapter is not None else ToPixelMajor(),
        nodata_policy=nodata_policy if nodata_policy is not None else NanPolicy(),
        takes_nan=takes_nan(estimator), methods=methods_of(estimator), encoded=labels is not None,
        quantities=dict(summary.quantities), target_units=dict(summary.target_units),
        pipeline=None if pipeline is None else _config(pipeline),
        pipeline_hash=None if pipeline is None else _hash(pipeline),
        extent=summary.extent, dates=summary.dates, n_rows=summary.n_rows, seen=summary.seen,
        versions=versions_of(estimator), metrics=dict(metrics or {}), targets=summary.targets,
    )  # fmt: skip
    model = replace(model, **_classes(model, labels, summary), token=model.token)
    targets = _targets(model, sample)
    units = summary.target_units.get(summary.targets[0]) if len(summary.targets) == 1 else None
    if units is not None and model.kind == "regressor":
        model = replace(model, target_units=dict.fromkeys(targets, units), token=model.token)
    model = replace(model, targets=targets, token=model.token)
    exact = is_exact_family(estimator)
    return replace(model, exact=exact, deviation={} if exact else measured(model, sample), token=model.token)


def wrap_estimator(
    estimator: Any,
    features: Sequence[str] | None = None,
    *,
    class_names: Mapping[Any, str] | None = None,
    target: str = "label",
    dtype: str = "float32",
    adapter: Adapter | None = None,
    pipeline: Operator | None = None,
    sample: ArrayLike | None = None,
) -> FittedPixelModel:
    """Return the model of an estimator that was fitted elsewhere.

    Parameters
    ----------
    estimator : object
        Fitted, with the scikit-learn API; it is not changed.
    features : sequence of str, optional
        The features, in the order in which it was fitted; needed unless it was fitted on a DataFrame.
    class_names : mapping, optional
        Label → name.
    target : str
        Name of what it predicts.
    dtype : {"float32", "float64"}
        What features are converted to.
    adapter : Adapter, optional
        How tiles become rows; `ToPixelMajor` by default.
    pipeline : Operator, optional
        The pipeline that made the features.
    sample : array_like, optional
        Some rows, on which the rounding of a model that is not exact is measured.

    Returns
    -------
    FittedPixelModel

    Raises
    ------
    ParameterError
        If it is not fitted, or the number of features differs from what it was fitted on.

    Examples
    --------
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> tree = DecisionTreeClassifier().fit([[0.1, 0.4], [0.3, 0.2]], [3, 7])
    >>> wrap_estimator(tree, ["red", "nir"], class_names={3: "wood"}).class_names
    ('wood', 'class_7')
    """
    _require_fitted(estimator)
    known = _known_names(estimator)
    if features is None and known is None:
        raise ParameterError(
            "the estimator does not say which features it was fitted on",
            expected="features=[…], in their order",
        )
    names = known or () if features is None else tuple(features)
    if known is not None:
        require_features(names, known, "the model")
    count = getattr(estimator, "n_features_in_", len(names))
    if count != len(names):
        raise ParameterError(
            f"{len(names)} features are named", expected=f"{count}, as the estimator was fitted on"
        )
    supervised = hasattr(final(estimator), "classes_") or kind_of(estimator, True) == "regressor"
    kind = kind_of(estimator, supervised)
    rows = np.zeros((2, len(names)), dtype) if sample is None else np.ascontiguousarray(sample, dtype)
    summary = Summary(
        features=names, dtype=np.dtype(dtype).name, targets=(target,), class_names=class_names or {}
    )
    return make_model(estimator, summary, kind=kind, sample=rows, adapter=adapter, pipeline=pipeline)


def _known_names(estimator: Any) -> tuple[str, ...] | None:
    """Return the features that an estimator was fitted on, where it was told."""
    known = getattr(estimator, "feature_names_in_", None)
    if known is None or all(str(name) == f"Column_{k}" for k, name in enumerate(known)):  # lightgbm's own
        return None
    return tuple(str(name) for name in known)


def _require_fitted(estimator: Any) -> None:
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    if not is_estimator(estimator):
        raise ParameterError(f"the estimator is {type(estimator).__name__}", expected="a fitted estimator")
    try:
        check_is_fitted(estimator)
    except NotFittedError as error:
        raise ParameterError(
            f"the {type(estimator).__name__} is not fitted", expected="a fitted estimator", fix="fit_rows(…)"
        ) from error


def _config(pipeline: Operator) -> dict[str, Any] | None:
    """Return a pipeline's configuration; None where a part of it exists in memory only."""
    from geotoolz.core import ConfigError

    try:
        return pipeline.config(defaults=False)
    except ConfigError:
        return None


def _hash(pipeline: Operator) -> str | None:
    from geotoolz.core import ConfigError

    try:
        return pipeline.config_hash()
    except ConfigError:
        return None


def _classes(model: FittedPixelModel, labels: Sequence[Any] | None, summary: Summary) -> dict[str, Any]:
    if model.kind == "classifier":
        found = model.estimator.classes_ if labels is None else labels
        if isinstance(found, list) and found and isinstance(found[0], np.ndarray):
            raise ParameterError("the classifier has several outputs", expected="one label per pixel")
        classes = tuple(map(plain_class, found))
        return {
            "classes": classes,
            "codes": codes_of(classes),
            "class_names": names_of(classes, summary.class_names),
        }
    if model.kind == "clusterer":
        numbers = tuple(range(_clusters(model.estimator)))
        return {"classes": numbers, "codes": numbers, "class_names": tuple(f"cluster_{k}" for k in numbers)}
    return {}


def _clusters(estimator: Any) -> int:
    last = final(estimator)
    for name in ("n_clusters", "n_components"):
        count = getattr(last, name, None)
        if isinstance(count, int | np.integer):
            return int(count)
    for name in ("cluster_centers_", "subcluster_labels_"):
        if hasattr(last, name):
            return (
                len(getattr(last, name)) if name == "cluster_centers_" else len(set(last.subcluster_labels_))
            )
    raise ParameterError(f"{type(last).__name__} does not say how many clusters it has",
                         expected="n_clusters, or cluster_centers_")  # fmt: skip


def _targets(model: FittedPixelModel, sample: Array) -> tuple[str, ...]:
    """Return names of what is predicted, one per column."""
    if model.kind == "anomaly":
        return ("anomaly_score",)
    if model.kind == "clusterer":
        return ("cluster",)
    if model.kind == "transformer":
        count = predict(model, sample[:2]).shape[1]
        return _component_names(model.estimator, model.features, count)
    if model.kind == "regressor":
        names = getattr(model.estimator, "target_names", None)  # our own meta-estimators tell
        if callable(names) and len(model.targets) == 1:
            return tuple(names(model.targets[0]))
        found = predict(model, sample[:2])
        count = 1 if found.ndim == 1 else found.shape[1]
        return (
            model.targets
            if count == len(model.targets)
            else tuple(f"{model.targets[0]}_{k}" for k in range(count))
        )
    return model.targets


def _component_names(estimator: Any, features: tuple[str, ...], count: int) -> tuple[str, ...]:
    try:
        names = tuple(str(n) for n in estimator.get_feature_names_out())
    except (AttributeError, ValueError, TypeError):  # not every transformer tells
        names = ()
    if len(names) != count or set(names) & {f"x{k}" for k in range(len(features))}:
        return tuple(f"component_{k}" for k in range(count))
    return names


def measured(model: FittedPixelModel, sample: Array) -> dict[str, float]:
    """Return how far predictions of rows in parts are from those of the same rows at once.

    The rows at once lie row by row, as the estimator's own users hand them over, the parts as tiles do.

    Parameters
    ----------
    model : FittedPixelModel
        The model.
    sample : array
        Rows.

    Returns
    -------
    dict of str to float
        Of a classifier the share of ``labels`` that differ, and the largest difference of a
        ``probability``; of a clusterer the share of ``labels``; of others the largest difference of a
        ``value``.
    """
    rows = np.ascontiguousarray(sample[:_SAMPLE])
    parts = np.asfortranarray(rows) if takes_columns(model.estimator) else rows
    if len(rows) < 2 or len(sample) <= 2:
        return {}
    edges = sorted({0, len(rows), *(c for c in _CUTS if c < len(rows))})
    found: dict[str, float] = {}
    for name, call in _calls_of(model).items():
        whole = call(model, rows)
        cut = np.concatenate([call(model, parts[a:b]) for a, b in itertools.pairwise(edges)])
        if name == "labels":
            found[name] = float(np.mean(whole != cut))
        else:
            with np.errstate(invalid="ignore"):
                found[name] = float(np.nanmax(np.abs(whole.astype(np.float64) - cut), initial=0.0))
    return found


def _calls_of(model: FittedPixelModel) -> dict[str, Any]:
    if model.kind not in ("classifier", "clusterer"):
        return {"value": predict}
    if model.kind == "classifier" and "predict_proba" in model.methods:
        return {"labels": predict, "probability": probabilities}
    return {"labels": predict}
