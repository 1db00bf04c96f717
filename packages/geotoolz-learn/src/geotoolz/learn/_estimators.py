"""What is known of an estimator before and after it is fitted."""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

import numpy as np

from geotoolz.core import ParameterError

Kind = Literal["classifier", "regressor", "transformer", "clusterer", "anomaly"]

# Families whose prediction of a row depends on no other row: comparisons, sums in a fixed order, arithmetic
# element by element. What is not listed may call BLAS, whose rounding depends on how many rows there are.
_EXACT = (
    "sklearn.tree.",
    "sklearn.ensemble._forest.",
    "sklearn.ensemble._gb.",
    "sklearn.ensemble._hist_gradient_boosting.",
    "sklearn.ensemble._iforest.",
    "sklearn.impute._base.SimpleImputer",
    "sklearn.preprocessing._data.StandardScaler",
    "sklearn.preprocessing._data.MinMaxScaler",
    "sklearn.preprocessing._data.MaxAbsScaler",
    "sklearn.preprocessing._data.RobustScaler",
    "sklearn.dummy.",
    "imblearn.ensemble._forest.",
    "lightgbm.",
    "xgboost.",
)


# Families that read rows where they are, row by row or column by column in memory, and copy neither.
_ANY_ORDER = (
    "sklearn.linear_model.",
    "sklearn.naive_bayes.",
    "sklearn.discriminant_analysis.",
    "sklearn.preprocessing._data.StandardScaler",
    "sklearn.preprocessing._data.MinMaxScaler",
    "sklearn.preprocessing._data.RobustScaler",
)


def is_estimator(value: Any) -> bool:
    """Whether something can be fitted."""
    return not isinstance(value, type) and callable(getattr(value, "fit", None))


def cloned(estimator: Any) -> Any:
    """Return an unfitted copy: what was handed in is never fitted, nor changed.

    Raises
    ------
    ParameterError
        If it cannot be fitted.
    """
    if not is_estimator(estimator):
        what = estimator.__name__ if isinstance(estimator, type) else type(estimator).__name__
        raise ParameterError(
            f"the estimator is {what}", expected="an object with the scikit-learn API: fit and predict"
        )
    if callable(getattr(estimator, "get_params", None)):
        from sklearn.base import clone

        return clone(estimator)
    return copy.deepcopy(estimator)


def seeded(estimator: Any, seed: int) -> Any:
    """Give every ``random_state`` that is None a seed of its own, and return the estimator."""
    if not callable(getattr(estimator, "get_params", None)):
        return estimator
    params = estimator.get_params(deep=True)
    free = sorted(n for n, v in params.items() if v is None and n.rpartition("__")[2] == "random_state")
    seeds = np.random.SeedSequence(seed).generate_state(len(free) or 1)
    if free:
        estimator.set_params(**{name: int(s) % 2**31 for name, s in zip(free, seeds, strict=False)})
    return estimator


def final(estimator: Any) -> Any:
    """Return what does the work: the best of a search, the last step of a pipeline."""
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif hasattr(estimator, "steps") and isinstance(estimator.steps, list):
            estimator = estimator.steps[-1][1]
        elif _is_search(estimator):
            estimator = estimator.estimator
        else:
            return estimator


def fit_parameter(estimator: Any, name: str) -> str | None:
    """Return under which name ``fit`` takes a parameter (``"rf__sample_weight"``); None if it does not.

    Of a pipeline it is the last step's, of a search that of what it searches.
    """
    import inspect

    prefix = ""
    while True:
        if _is_search(estimator):
            estimator = estimator.estimator
        elif hasattr(estimator, "steps") and isinstance(estimator.steps, list):
            step, estimator = estimator.steps[-1]
            prefix += f"{step}__"
        else:
            break
    return f"{prefix}{name}" if name in inspect.signature(estimator.fit).parameters else None


def _is_search(estimator: Any) -> bool:
    """Whether an estimator cross-validates others, as ``GridSearchCV`` does."""
    return hasattr(estimator, "cv") and hasattr(estimator, "estimator") and hasattr(estimator, "refit")


def takes_groups(estimator: Any) -> bool:
    """Whether ``fit`` takes ``groups=`` and hands it to a cross-validation."""
    return _is_search(estimator)


def kind_of(estimator: Any, supervised: bool) -> Kind:
    """Return what an estimator is.

    Parameters
    ----------
    estimator : object
        Fitted or not.
    supervised : bool
        Whether it is fitted with labels.

    Raises
    ------
    ParameterError
        If it predicts nothing.
    """
    told = _told_kind(estimator)
    if told == "outlier_detector":
        return "anomaly"
    if told in ("classifier", "regressor"):
        return "classifier" if told == "classifier" else "regressor"
    last = final(estimator)
    if told == "clusterer" or (not supervised and callable(getattr(last, "predict", None))):
        return "clusterer"
    if supervised and callable(getattr(last, "predict", None)):
        return "classifier" if hasattr(last, "predict_proba") else "regressor"
    if callable(getattr(last, "transform", None)):
        return "transformer"
    raise ParameterError(
        f"{type(last).__name__} has neither predict nor transform", expected="an estimator that predicts"
    )


def _told_kind(estimator: Any) -> str | None:
    tags = _tags(estimator)
    if tags is not None and tags.estimator_type is not None:
        return str(tags.estimator_type)
    told = getattr(estimator, "_estimator_type", None)
    return told if isinstance(told, str) else None


def _tags(estimator: Any) -> Any:
    """Return scikit-learn's tags; None for estimators that know nothing of them."""
    if not hasattr(estimator, "__sklearn_tags__"):
        return None
    from sklearn.utils import get_tags

    return get_tags(estimator)


def takes_nan(estimator: Any) -> bool:
    """Whether an estimator says that it takes NaN: of a pipeline, whether its steps do up to an imputer."""
    if hasattr(estimator, "best_estimator_"):
        return takes_nan(estimator.best_estimator_)
    if _is_search(estimator):
        return takes_nan(estimator.estimator)
    if hasattr(estimator, "steps") and isinstance(estimator.steps, list):
        for step in steps_of(estimator):
            if not takes_nan(step):
                return False
            if "sklearn.impute." in _path(step):
                return True
        return True
    if _path(estimator).startswith(("lightgbm.", "xgboost.")):
        return True
    tags = _tags(estimator)
    return bool(tags is not None and tags.input_tags.allow_nan)


def is_exact_family(estimator: Any) -> bool:
    """Whether a row's prediction is the same bits whatever other rows are predicted with it."""
    if hasattr(estimator, "best_estimator_"):
        return is_exact_family(estimator.best_estimator_)
    if hasattr(estimator, "steps") and isinstance(estimator.steps, list):
        return all(map(is_exact_family, steps_of(estimator)))
    members = getattr(estimator, "exact_members", None)  # our own meta-estimators tell
    if members is not None:
        return all(is_exact_family(one) for one in members())
    return _path(estimator).startswith(_EXACT)


def takes_columns(estimator: Any) -> bool:
    """Whether an estimator predicts rows that lie column by column in memory without copying them."""
    if hasattr(estimator, "best_estimator_"):
        return takes_columns(estimator.best_estimator_)
    if hasattr(estimator, "steps") and isinstance(estimator.steps, list):
        return all(map(takes_columns, steps_of(estimator)))
    return _path(estimator).startswith(_ANY_ORDER)


def is_tree(estimator: Any) -> bool:
    """Whether an estimator is a single tree of scikit-learn."""
    return _path(getattr(estimator, "best_estimator_", estimator)).startswith("sklearn.tree.")


def _path(estimator: Any) -> str:
    return f"{type(estimator).__module__}.{type(estimator).__qualname__}"


def needs_encoding(estimator: Any) -> bool:
    """Whether a classifier takes no labels but 0, 1, 2, … (xgboost)."""
    return _path(final(estimator)).startswith("xgboost.")


def methods_of(estimator: Any) -> tuple[str, ...]:
    """Return which of the methods that operators use an estimator has."""
    from geotoolz.learn._ensemble import has_members

    names = [n for n in ("predict", "predict_proba", "transform", "score_samples", "decision_function")
             if callable(getattr(estimator, n, None))]  # fmt: skip
    return (*names, *(("members",) if has_members(estimator) else ()))


def steps_of(pipeline: Any) -> list[Any]:
    """Return the steps that a pipeline takes at prediction: no gaps, no samplers (imbalanced-learn)."""
    return [
        step
        for _, step in pipeline.steps
        if step is not None and step != "passthrough" and not hasattr(step, "fit_resample")
    ]


def library_of(estimator: Any) -> str:
    """Return the distribution that an estimator comes from."""
    root = type(estimator).__module__.partition(".")[0]
    return {"sklearn": "scikit-learn", "imblearn": "imbalanced-learn"}.get(root, root)


def versions_of(estimator: Any) -> dict[str, str]:
    """Return the versions of what a model depends on."""
    found = {"python": ".".join(map(str, sys.version_info[:3]))}
    used = dict.fromkeys(map(library_of, walk_steps(estimator)))
    for name in ("numpy", "scikit-learn", "geotoolz-learn", *used):
        text = installed(name)
        if text is not None:
            found[name] = text
    return found


def installed(name: str) -> str | None:
    """Return the version of a distribution, None if it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def walk_steps(estimator: Any) -> Iterator[Any]:
    """Yield an estimator and what it is made of: steps, the best of a search."""
    yield estimator
    if hasattr(estimator, "best_estimator_"):
        yield from walk_steps(estimator.best_estimator_)
    elif hasattr(estimator, "steps") and isinstance(estimator.steps, list):
        for step in steps_of(estimator):
            yield from walk_steps(step)
