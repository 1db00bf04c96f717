"""fit_rows: estimators fitted on rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from geotoolz.core import Operator, ParameterError, TileError
from geotoolz.learn._adapters import Adapter, ToPixelMajor
from geotoolz.learn._classes import plain_labels
from geotoolz.learn._estimators import (
    Kind,
    cloned,
    fit_parameter,
    kind_of,
    needs_encoding,
    seeded,
    takes_groups,
    takes_nan,
)
from geotoolz.learn._make import make_model
from geotoolz.learn._model import FittedPixelModel
from geotoolz.learn._nodata import NanPolicy
from geotoolz.learn._seen import places_of
from geotoolz.learn._summary import Summary
from geotoolz.learn._training import TrainingRows

Array = np.ndarray[Any, Any]


def fit_rows(
    estimator: Any,
    rows: TrainingRows,
    *,
    nodata_policy: NanPolicy | None = None,
    adapter: Adapter | None = None,
    pipeline: Operator | None = None,
    sample_weight: str | None = None,
    cv: Any = None,
    random_state: int = 0,
) -> FittedPixelModel:
    """Fit an estimator on rows: of `training_rows`, or of a table of `geotoolz.vector.sample_training`.

    Parameters
    ----------
    estimator : object
        Anything with the scikit-learn API; it is cloned, never changed.
    rows : TrainingRows
        The rows; ``TrainingRows.from_table(table)`` makes them of a table.
    nodata_policy : NanPolicy, optional
        What happens to rows without a feature.
    adapter : Adapter, optional
        How tiles become such rows.
    pipeline : Operator, optional
        The pipeline that made the features.
    sample_weight : {"balanced"}, optional
        Every class weighs the same; without it the rows' own weights are taken, where they have any.
    cv : object, optional
        A cross-validation whose scores stand in ``model.metrics["cv"]``.
    random_state : int
        Seed of every ``random_state`` of the estimator that is None.

    Returns
    -------
    FittedPixelModel

    Raises
    ------
    TileError, ParameterError
        As `fit_pixelwise`.

    Examples
    --------
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from geotoolz.learn import TrainingRows, fit_rows
    >>> rows = TrainingRows(X=[[0.1], [0.4]], features=("nir",), y=["soil", "wood"])
    >>> fit_rows(DecisionTreeClassifier(), rows).predict_rows([[0.3]]).tolist()
    ['wood']
    """
    policy = nodata_policy if nodata_policy is not None else NanPolicy()
    how = adapter if adapter is not None else ToPixelMajor()
    fresh = seeded(cloned(estimator), random_state)
    kind = kind_of(fresh, rows.y is not None)
    rows = _valid(rows, policy, fresh)
    y, labels = _labels(rows, kind, needs_encoding(fresh))
    X = how.shaped(rows.X, rows.features)
    params = _fit_params(fresh, rows, y, sample_weight, kind)
    metrics: dict[str, Any] = {"rows": len(rows)}
    if rows.asked is not None:
        metrics.update(asked=rows.asked, shortfall=rows.shortfall)
    if cv is not None:
        from geotoolz.learn._scores import cross_validated, groups_for

        metrics["cv"] = cross_validated(fresh, X, y, groups_for(cv, rows), cv, _without_groups(params), kind)
    fitted = _fitted(fresh, X, y, params)
    if hasattr(fitted, "best_params_"):
        metrics["search"] = {
            "best_params": _plain(fitted.best_params_),
            "best_score": float(fitted.best_score_),
        }
    return make_model(
        fitted, replace(Summary.of(rows), seen=places_of(rows)), kind=kind, sample=rows.X, adapter=how,
        nodata_policy=policy, labels=labels, pipeline=pipeline, metrics=metrics,
    )  # fmt: skip


def _fitted(estimator: Any, X: Array, y: Array | None, params: Mapping[str, Any]) -> Any:
    fitted = estimator.fit(X, **params) if y is None else estimator.fit(X, y, **params)
    return estimator if fitted is None else fitted


def _valid(rows: TrainingRows, policy: NanPolicy, estimator: Any) -> TrainingRows:
    """Return the rows that the policy keeps."""
    finite = np.isfinite(rows.X)
    if policy.on_input == "propagate":
        rows = rows if finite.any(axis=1).all() else rows.take(finite.any(axis=1))
        finite = np.isfinite(rows.X)
        if not finite.all() and not takes_nan(estimator):
            raise ParameterError(
                f"{int((~finite.all(axis=1)).sum())} of {len(rows)} rows lack a feature, and "
                f"{type(estimator).__name__} takes no NaN",
                expected="one that does: HistGradientBoosting, or a pipeline with SimpleImputer",
                fix="NanPolicy(on_input='drop')",
            )
        if np.isinf(rows.X).any():
            rows = replace(rows, X=np.where(finite, rows.X, np.nan))
    elif not finite.all():
        if policy.on_input == "raise":
            raise TileError(f"{int((~finite.all(axis=1)).sum())} of {len(rows)} rows lack a feature",
                            expected="none, as NanPolicy(on_input='raise') asks for")  # fmt: skip
        rows = rows.take(finite.all(axis=1))
    if not len(rows):
        raise TileError("no row has every feature", expected="at least one valid pixel")
    return rows


def _labels(rows: TrainingRows, kind: Kind, encode: bool) -> tuple[Array | None, list[Any] | None]:
    """Return labels as the estimator takes them, and the classes where it gets their numbers."""
    if rows.y is None:
        if kind in ("classifier", "regressor"):
            raise ParameterError(f"a {kind} without labels", expected="a y_pipeline")
        return None, None
    if kind != "classifier":
        if kind == "regressor" and rows.y.dtype.kind not in "biuf":
            raise ParameterError(f"a regressor is given labels of {rows.y.dtype}", expected="numbers")
        return rows.y.astype(np.float64) if rows.y.dtype.kind in "biu" else rows.y, None
    if rows.y.ndim > 1:
        raise ParameterError(f"a classifier is given {rows.y.shape[1]} labels per pixel", expected="one",
                             fix="name the label, and the group_band")  # fmt: skip
    y = plain_labels(rows.y)
    classes, numbers = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise ParameterError(
            f"all {len(rows)} rows are of the class {classes[0]}", expected="two classes or more",
            fix="sample where other classes are, or use an anomaly detector",
        )  # fmt: skip
    return (numbers, classes.tolist()) if encode else (y, None)


def _fit_params(
    estimator: Any, rows: TrainingRows, y: Array | None, sample_weight: str | None, kind: Kind
) -> dict[str, Any]:
    params: dict[str, Any] = {}
    weights = rows.weights
    if sample_weight == "balanced":
        if kind != "classifier":
            raise ParameterError("sample_weight='balanced' without classes", expected="a classifier")
        from sklearn.utils.class_weight import compute_sample_weight

        weights = compute_sample_weight("balanced", y)
    elif sample_weight is not None:
        raise ParameterError(f"sample_weight={sample_weight!r}", expected="'balanced'",
                             fix="weights of your own belong into TrainingRows.weights")  # fmt: skip
    if weights is not None:
        name = fit_parameter(estimator, "sample_weight")
        if name is None:
            raise ParameterError(
                f"{type(estimator).__name__} takes no weights", fix="leave sample_weight out"
            )
        params[name] = weights
    if takes_groups(estimator):
        from geotoolz.learn._scores import groups_for, looks_at_groups

        groups = groups_for(estimator.cv, rows)
        if groups is not None and looks_at_groups(estimator.cv, groups, type(estimator).__name__):
            params["groups"] = groups
    return params


def _plain(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters as JSON values."""
    return {
        k: v if v is None or isinstance(v, bool | int | float | str) else repr(v) for k, v in params.items()
    }


def _without_groups(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if name != "groups"}
