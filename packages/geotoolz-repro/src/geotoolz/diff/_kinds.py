"""What a variable's values are, and by what two of them are compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

import numpy as np

from geotoolz.core import ParameterError, TileSpec, VarSpec, is_flags, nearest

Kind = Literal["continuous", "probability", "classes"]

METRICS: dict[str, tuple[str, ...]] = {
    "continuous": ("rmse", "bias", "mae", "max_abs", "q05", "q25", "q50", "q75", "q95"),
    "probability": (
        "jensen_shannon",
        "kl",
        "cross_entropy",
        "brier",
        "impossible",
        "rmse",
        "bias",
        "mae",
        "max_abs",
        "q05",
        "q25",
        "q50",
        "q75",
        "q95",
    ),
    "classes": ("agreement", "kappa", "shift"),
}
"""The metrics of every kind; the first is what tiles are ranked by unless another is named."""
HIGHER_IS_BETTER = frozenset({"agreement", "kappa"})
COMMON = ("gained", "lost")
"""Shares that every kind has: pixels that only the second, only the first pipeline gives a value."""


def kind_of(name: str, spec: VarSpec) -> Kind:
    """Return what a variable holds, by its attributes.

    Classes are flags, masks and what has ``flag_values``. Probabilities are what says so: the
    quantity ``"probability"``, or a name or ``long_name`` with that word, as floats or in per cent.
    Anything else is continuous.

    Examples
    --------
    >>> from geotoolz.core import VarSpec
    >>> [kind_of(name, VarSpec()) for name in ("scl", "probabilities", "ndvi")]
    ['classes', 'probability', 'continuous']
    """
    if is_flags(name, spec):
        return "classes"
    told = f"{name} {spec.attrs.get('long_name', '')}".lower()
    numbers = spec.dtype.kind == "f" or percent(spec)
    if spec.quantity == "probability" or (numbers and "probabilit" in told):
        return "probability"
    return "continuous"


def percent(spec: VarSpec) -> bool:
    """Whether a variable holds per cent."""
    return spec.attrs.get("units") in ("%", "percent")


def scale_of(spec: VarSpec) -> float:
    """Return what a stored probability is multiplied with to lie in 0 … 1."""
    return 0.01 if percent(spec) else 1.0


def metric_of(kind: str, metric: str | Mapping[str, str] | None, variable: str) -> str:
    """Return the metric that tiles are ranked by: the one named, where it fits what the variable holds."""
    named = metric.get(variable) if isinstance(metric, Mapping) else metric
    return named if named in METRICS[kind] else METRICS[kind][0]


def check_metric(metric: Any) -> str | dict[str, str] | None:
    """Return a metric by its name; objects that have a ``label`` (``geotoolz.metrics.RMSE()``) tell theirs.

    Raises
    ------
    ParameterError
        With the nearest name.
    """
    if metric is None:
        return None
    if isinstance(metric, Mapping):
        return {str(variable): _name(one) for variable, one in metric.items()}
    return _name(metric)


def _name(metric: Any) -> str:
    name = metric if isinstance(metric, str) else getattr(metric, "label", None)
    known = tuple(dict.fromkeys(one for names in METRICS.values() for one in names))
    if not isinstance(name, str) or name not in known:
        hint = nearest(name, known) if isinstance(name, str) else ""
        raise ParameterError(f"metric={metric!r}{hint}", expected=f"one of {', '.join(known)}")
    return name


def check_kinds(kinds: Mapping[str, str] | None) -> dict[str, str]:
    """Return what the caller says that variables hold."""
    chosen = dict(kinds or {})
    for variable, kind in chosen.items():
        if kind not in get_args(Kind):
            raise ParameterError(
                f"kinds[{variable!r}]={kind!r}", expected=f"one of {', '.join(get_args(Kind))}"
            )
    return chosen


def class_names(spec: VarSpec) -> dict[int, str]:
    """Return what the values of classes mean, where the variable says it."""
    values, meanings = spec.attrs.get("flag_values"), spec.attrs.get("flag_meanings")
    if values is None or meanings is None or "flag_masks" in spec.attrs:
        return {0: "false", 1: "true"} if spec.dtype == np.bool_ else {}
    words = meanings.split() if isinstance(meanings, str) else list(map(str, meanings))
    return {int(value): word for value, word in zip(np.ravel(values), words, strict=False)}


def same_place(a: TileSpec, b: TileSpec) -> str:
    """Return how the grids of two tiles differ, empty where they do not."""
    if a.shape != b.shape:
        return f"grid: {a.shape[0]} × {a.shape[1]} and {b.shape[0]} × {b.shape[1]} pixels"
    if a.window_geobox != b.window_geobox:
        return "grid: the same number of pixels in another place"
    return ""
