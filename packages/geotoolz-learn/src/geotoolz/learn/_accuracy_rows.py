"""Labels of any kind as numbers of classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from geotoolz.core import ParameterError, nearest

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Coded:
    """True and predicted classes of the rows that have both.

    Attributes
    ----------
    true, said : numpy.ndarray
        Positions in `classes`.
    kept : numpy.ndarray
        Which of the given rows those are.
    classes : tuple of int
        The classes; positions where labels are text.
    labels : tuple of str
        Their names.
    """

    true: Array
    said: Array
    kept: Array
    classes: tuple[int, ...]
    labels: tuple[str, ...]

    @property
    def left_out(self) -> int:
        """Rows that lack one of both."""
        return int(self.kept.size - self.kept.sum())


def coded(y_true: Any, y_pred: Any, classes: Sequence[Any] | None, names: Mapping[Any, str] | None) -> Coded:
    """Return true and predicted labels as positions in a list of classes.

    Raises
    ------
    ParameterError
        If rows differ in number, labels are no classes, or none is left.
    """
    true, said = _labels(y_true, "y_true"), _labels(y_pred, "y_pred")
    if len(true) != len(said):
        raise ParameterError(
            f"{len(true)} true and {len(said)} predicted labels", expected="one each per row"
        )
    kept = np.array([a is not None and b is not None for a, b in zip(true, said, strict=True)], np.bool_)
    if not kept.any():
        raise ParameterError(f"none of the {len(true)} rows has both labels", expected="one at least")
    pairs = [(a, b) for a, b in zip(true, said, strict=True) if a is not None and b is not None]
    occurring = {label for pair in pairs for label in pair}
    if len({isinstance(label, str) for label in occurring}) > 1:
        raise ParameterError("some labels are text and some are numbers", expected="one kind, on both sides")
    known = sorted(occurring) if classes is None else _listed(classes, occurring)
    place = {label: i for i, label in enumerate(known)}
    codes = np.array([(place[a], place[b]) for a, b in pairs], np.int64)
    called = tuple(str((names or {}).get(label, label)) for label in known)
    numbers = tuple(range(len(known))) if isinstance(known[0], str) else tuple(map(int, known))
    return Coded(codes[:, 0], codes[:, 1], kept, numbers, called)


def _listed(classes: Sequence[Any], occurring: set[Any]) -> list[Any]:
    known = [label for label in _labels(list(classes), "classes") if label is not None]
    if len(set(known)) < len(known) or not known:
        raise ParameterError(f"classes={list(classes)!r}", expected="one class at least, each once")
    others = sorted(map(str, occurring - set(known)))
    if others:
        hint = nearest(others[0], map(str, known))
        raise ParameterError(
            f"labels that are none of the classes: {', '.join(others[:5])}{hint}",
            expected=", ".join(map(str, known)),
            fix="name all classes",
        )
    return known


def _labels(values: Any, what: str) -> list[Any]:
    """Return labels as int or str; None where there is none."""
    found = np.asarray(values)
    if found.ndim != 1:
        raise ParameterError(f"{what} has shape {found.shape}", expected="one label per row")
    if found.dtype.kind in "biu":
        return [int(value) for value in found.tolist()]
    if found.dtype.kind == "f":
        return [_whole(value, what) for value in found.tolist()]
    if found.dtype.kind not in "OUT":
        raise ParameterError(f"{what} is {found.dtype}", expected="whole numbers or text")
    return [_label(value, what) for value in found.tolist()]


def _label(value: Any, what: str) -> Any:
    if value is None or value != value:
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, int | float | np.number | np.bool_):
        return _whole(float(value), what)
    raise ParameterError(f"{what} holds {value!r}", expected="whole numbers or text")


def _whole(value: float, what: str) -> int | None:
    if value != value:
        return None
    if value != int(value):
        raise ParameterError(
            f"{what} holds {value}, which is no class",
            expected="whole numbers or text",
            fix="measurements are compared with regression_report",
        )
    return int(value)


def group_names(groups: Any, kept: Array) -> tuple[tuple[str, ...], Array]:
    """Return the groups that are left, ascending, and the position of the group of every row left.

    Raises
    ------
    ParameterError
        If there is not one group per row.
    """
    found = np.asarray(groups)
    if found.shape != kept.shape:
        raise ParameterError(f"groups have shape {found.shape}", expected=f"one per row, ({kept.size},)")
    labels, place = np.unique(found[kept], return_inverse=True)
    return tuple(map(str, labels.tolist())), place
