"""Labels, their names, and the numbers that stand for them in a raster."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from geotoolz.core import ParameterError

Array = np.ndarray[Any, Any]


def plain_labels(y: Array) -> Array:
    """Return labels as integers or text: what estimators and files keep as it is.

    Raises
    ------
    ParameterError
        For labels that are neither.
    """
    values = np.asarray(y)
    if values.dtype.kind in "iu":
        return values
    if values.dtype.kind == "b":
        return values.astype(np.uint8)
    if values.dtype.kind == "f":
        whole = values.astype(np.int64)
        if not (whole == values).all():
            wrong = values[whole != values][0]
            raise ParameterError(
                f"a classifier is given the label {wrong}", expected="whole numbers or text",
                fix="for values use a regressor",
            )  # fmt: skip
        return whole
    if all(isinstance(v, str) for v in values.tolist()):
        return values.astype(np.str_)
    if all(isinstance(v, int | np.integer) for v in values.tolist()):
        return values.astype(np.int64)
    raise ParameterError(f"the labels are {values.dtype}", expected="whole numbers or text, not both")


def codes_of(classes: Sequence[Any]) -> tuple[int, ...]:
    """Return the numbers of classes in a raster: whole numbers stand for themselves, text is counted from 1.

    Examples
    --------
    >>> codes_of([2, 5]), codes_of(["forest", "water"])
    ((2, 5), (1, 2))
    """
    if all(isinstance(c, int | np.integer) for c in classes):
        return tuple(int(c) for c in classes)
    return tuple(range(1, len(classes) + 1))


def names_of(classes: Sequence[Any], known: Mapping[Any, str]) -> tuple[str, ...]:
    """Return the names of classes, in one word each.

    Raises
    ------
    ParameterError
        If two classes have one name.
    """
    names = tuple(_word(known.get(c, c if isinstance(c, str) else f"class_{c}")) for c in classes)
    for name in names:
        if names.count(name) > 1:
            same = [c for c, other in zip(classes, names, strict=True) if other == name]
            raise ParameterError(
                f"the classes {same[0]!r} and {same[1]!r} are both called {name!r}",
                expected="a name of its own for each",
                fix="rename one of them",
            )
    return names


def _word(name: str) -> str:
    """Return a name as CF's flag_meanings and the names of variables and files can have it."""
    return re.sub(r"[^\w.+@-]+", "_", str(name)).strip("_") or "_"


def plain_class(label: Any) -> Any:
    """Return a class of a fitted estimator as an integer where it is a whole number."""
    value = label.item() if isinstance(label, np.generic) else label
    return int(value) if isinstance(value, float) and value.is_integer() else value


def flag_attrs(codes: Sequence[int], names: Sequence[str], dtype: np.dtype[Any]) -> dict[str, Any]:
    """Return CF attributes of a class map, in ascending order of the codes."""
    order = np.argsort(np.asarray(codes, np.int64), kind="stable")
    return {
        "quantity": "flags",
        "flag_values": np.asarray(codes, np.int64)[order].astype(dtype),
        "flag_meanings": " ".join(names[i] for i in order),
    }


def require_codes(codes: Sequence[int], dtype: np.dtype[Any], fill: int, who: str) -> None:
    """Raise unless a raster of this type holds the codes and the fill, each for itself.

    Raises
    ------
    ParameterError
        Naming the type that would do.
    """
    limits = np.iinfo(dtype)
    wrong = [c for c in (*codes, fill) if not limits.min <= c <= limits.max]
    if wrong:
        wide = "uint16" if min(*codes, fill) >= 0 and max(*codes, fill) <= 65535 else "int32"
        raise ParameterError(
            f"{who} writes {dtype}, which cannot hold {wrong[0]}",
            expected=f"values from {limits.min} to {limits.max}",
            fix=f'dtype="{wide}", fill={np.iinfo(wide).max}' if wrong[0] != fill else "another fill",
        )
    if fill in codes:
        raise ParameterError(
            f"{who} has fill={fill}, which is the code of a class",
            expected="a value of its own for pixels without data",
        )


def flag_names(attrs: Mapping[str, Any]) -> dict[int, str]:
    """Return code → name of a variable's CF flags; empty where it has none."""
    values, meanings = attrs.get("flag_values"), attrs.get("flag_meanings")
    if values is None or not isinstance(meanings, str):
        return {}
    codes = [int(v) for v in np.atleast_1d(np.asarray(values)).tolist()]
    names = meanings.split()
    return dict(zip(codes, names, strict=True)) if len(codes) == len(names) else {}


def same_names(first: Mapping[int, str], other: Mapping[int, str], where: str) -> None:
    """Raise where one code means two classes.

    Raises
    ------
    ParameterError
        Naming code, both names and the scene.
    """
    for code, name in other.items():
        if code in first and first[code] != name:
            raise ParameterError(
                f"code {code} means {first[code]!r} in the scenes before, and {name!r} in {where}",
                expected="one meaning per code",
                fix="give the classes their codes: ReadLabel(…, classes={…})",
            )


class Coder:
    """Turns what a classifier predicts into codes."""

    def __init__(self, classes: Sequence[Any], codes: Sequence[int], dtype: np.dtype[Any]) -> None:
        labels = np.asarray(classes)
        self._order = np.argsort(labels, kind="stable")
        self._sorted = labels[self._order]
        self._codes = np.asarray(codes, np.int64)[self._order].astype(dtype)
        self._same = labels.dtype.kind in "iu" and np.array_equal(self._sorted, np.sort(np.asarray(codes)))

    def __call__(self, labels: Array) -> Array:
        """Return the codes of labels."""
        if self._same:
            return labels.astype(self._codes.dtype)
        return self._codes[np.searchsorted(self._sorted, labels)]
