"""Cross-validated scores of a fit."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np

from geotoolz.core import ParameterError
from geotoolz.learn._estimators import Kind
from geotoolz.learn._training import TrainingRows

if TYPE_CHECKING:
    from geotoolz.learn._folds_base import Folds

Array = np.ndarray[Any, Any]


class GroupsIgnoredWarning(UserWarning):
    """A cross-validation tears groups apart, and its scores will be too good."""


def folds_of(cv: Any, groups: Array | None) -> Any:
    """Return a cross-validation: a number of folds keeps groups together where there are any."""
    from sklearn.model_selection import GroupKFold

    if isinstance(cv, int) and not isinstance(cv, bool) and groups is not None:
        return GroupKFold(cv)
    return cv


def groups_for(cv: Any, rows: TrainingRows) -> Array | None:
    """Return the groups of rows, or what folds of ours look at in their place (places, dates)."""
    return cv.groups_of(rows) if _is_ours(cv) else rows.groups


def _is_ours(cv: Any) -> TypeGuard[Folds]:
    from geotoolz.learn._folds_base import Folds

    return isinstance(cv, Folds)


def looks_at_groups(cv: Any, groups: Array, who: str) -> bool:
    """Return whether a cross-validation keeps groups together; warn where it does not.

    Raises
    ------
    ParameterError
        If there are fewer groups than folds.

    Warns
    -----
    GroupsIgnoredWarning
        If it deals the pixels of one group to both sides.
    """
    if _is_ours(cv):  # they look, and check, themselves
        return True
    count = len(np.unique(groups))
    wanted = cv if isinstance(cv, int) else getattr(cv, "n_splits", None)
    if isinstance(wanted, int) and count < wanted:
        raise ParameterError(
            f"{count} groups for {wanted} folds", expected=f"at least {wanted} groups",
            fix="fewer folds, smaller blocks, or more places",
        )  # fmt: skip
    name = type(cv).__name__
    if cv is None or isinstance(cv, int) or name in ("KFold", "StratifiedKFold", "ShuffleSplit"):
        told = f"cv={cv!r}" if cv is None or isinstance(cv, int) else name
        warnings.warn(
            f"{who}: {told} does not look at the groups; its scores will be too good. Use GroupKFold",
            GroupsIgnoredWarning,
            stacklevel=4,
        )
        return False
    return True


def cross_validated(
    estimator: Any,
    X: Array,
    y: Array | None,
    groups: Array | None,
    cv: Any,
    params: Mapping[str, Any],
    kind: Kind,
) -> dict[str, Any]:
    """Return scores per fold and their mean: accuracy of a classifier, R² of a regressor, else its own score.

    Parameters
    ----------
    estimator : object
        Not fitted; clones of it are.
    X, y, groups : array
        The rows.
    cv : int or object
        A number of folds, or a splitter.
    params : mapping
        Of ``fit``, per row.
    kind : str
        What the estimator is.
    """
    from sklearn.model_selection import cross_val_score

    folds = folds_of(cv, groups)
    if groups is not None and not looks_at_groups(folds, groups, "cv"):
        groups = None
    scores = cross_val_score(estimator, X, y, groups=groups, cv=folds, params=dict(params))
    names = {"classifier": "accuracy", "regressor": "r2"}
    return {
        "scoring": names.get(kind, "score"), "splitter": type(folds).__name__,
        "folds": [float(s) for s in scores], "mean": float(np.mean(scores)),
    }  # fmt: skip
