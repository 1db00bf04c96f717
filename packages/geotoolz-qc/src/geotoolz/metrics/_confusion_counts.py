"""A confusion matrix, and what follows from it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from geotoolz.core import ParameterError
from geotoolz.metrics._result import plain

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class ConfusionCounts:
    """How often a class was predicted where another one is true.

    Every share is made of whole numbers and rounded once; 0/0 (a class that never occurs) is NaN.
    Matrices of several tiles are added: ``one + other``.

    Attributes
    ----------
    classes : tuple of int
        The classes, ascending, or in the order that was asked for.
    matrix : tuple of tuple of int
        Pixels; a row per true class, a column per predicted one.
    labels : tuple of str
        Names of the classes, where the variable says them.
    left_out : int
        Pixels without data in one of the variables.

    References
    ----------
    Congalton, R. G. (1991). A review of assessing the accuracy of classifications of remotely sensed
    data. Remote Sensing of Environment 37, 35–46. Cohen, J. (1960). A coefficient of agreement for
    nominal scales. Educational and Psychological Measurement 20, 37–46.

    Examples
    --------
    >>> found = ConfusionCounts((0, 1), ((50, 10), (5, 35)))
    >>> found.overall_accuracy, round(found.kappa, 4), found.users_accuracy
    (0.85, 0.6939, (0.9090909090909091, 0.7777777777777778))
    """

    classes: tuple[int, ...]
    matrix: tuple[tuple[int, ...], ...]
    labels: tuple[str, ...] = ()
    left_out: int = 0

    def __add__(self, other: ConfusionCounts) -> ConfusionCounts:
        if not isinstance(other, ConfusionCounts):
            return NotImplemented
        if self.classes != other.classes:
            raise ParameterError(
                f"classes {self.classes} and {other.classes}",
                expected="matrices of the same classes",
                fix="ConfusionMatrix(…, classes=…)",
            )
        rows = zip(self.matrix, other.matrix, strict=True)
        matrix = tuple(tuple(a + b for a, b in zip(*pair, strict=True)) for pair in rows)
        return ConfusionCounts(
            self.classes, matrix, self.labels or other.labels, self.left_out + other.left_out
        )

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        """Return the matrix."""
        return self.to_array().astype(dtype or np.int64)

    def to_array(self) -> Array:
        """Return the matrix as an array of int64; rows are true classes."""
        size = len(self.classes)
        return np.array(self.matrix, np.int64).reshape(size, size)

    @property
    def n(self) -> int:
        """Pixels that counted."""
        return sum(map(sum, self.matrix))

    @property
    def _right(self) -> tuple[int, ...]:
        return tuple(row[i] for i, row in enumerate(self.matrix))

    @property
    def _true(self) -> tuple[int, ...]:
        return tuple(map(sum, self.matrix))

    @property
    def _said(self) -> tuple[int, ...]:
        return tuple(map(sum, zip(*self.matrix, strict=True))) if self.matrix else ()

    def _each(self, share: Callable[[int, int, int], float]) -> tuple[float, ...]:
        """Return a number per class, made of pixels that are right, true and said."""
        return tuple(map(share, self._right, self._true, self._said))

    @property
    def overall_accuracy(self) -> float:
        """Share of the pixels that are right."""
        return ratio(sum(self._right), self.n)

    @property
    def producers_accuracy(self) -> tuple[float, ...]:
        """Share of each true class that was found (recall); one minus the error of omission."""
        return self._each(lambda right, true, said: ratio(right, true))

    @property
    def users_accuracy(self) -> tuple[float, ...]:
        """Share of each predicted class that is true (precision); one minus the error of commission."""
        return self._each(lambda right, true, said: ratio(right, said))

    @property
    def f1(self) -> tuple[float, ...]:
        """Harmonic mean of both, per class: ``2 · right / (true + predicted)``."""
        return self._each(lambda right, true, said: ratio(2 * right, true + said))

    @property
    def iou(self) -> tuple[float, ...]:
        """Intersection over union (Jaccard index), per class."""
        return self._each(lambda right, true, said: ratio(right, true + said - right))

    @property
    def mean_iou(self) -> float:
        """Mean of `iou` over the classes that occur."""
        return mean_of(self.iou)

    @property
    def mean_f1(self) -> float:
        """Mean of `f1` over the classes that occur."""
        return mean_of(self.f1)

    @property
    def kappa(self) -> float:
        """Cohen's kappa: ``(accuracy − chance) / (1 − chance)``; NaN where there is one class only."""
        by_chance = sum(true * said for true, said in zip(self._true, self._said, strict=True))
        return ratio(self.n * sum(self._right) - by_chance, self.n**2 - by_chance)

    def to_dict(self) -> dict[str, Any]:
        """Return matrix and shares as plain values; what is not finite is None."""
        shares = ("overall_accuracy", "kappa", "mean_iou", "mean_f1")
        each = ("producers_accuracy", "users_accuracy", "f1", "iou")
        return {
            "metric": "confusion",
            "classes": list(self.classes),
            "labels": list(self.labels),
            "matrix": [list(row) for row in self.matrix],
            "n": self.n,
            "left_out": self.left_out,
            **{name: plain(getattr(self, name)) for name in (*shares, *each)},
        }

    def __str__(self) -> str:
        names = self.labels or tuple(map(str, self.classes))
        width = max(
            (len(text) for text in (*names, *(str(v) for row in self.matrix for v in row))), default=1
        )
        lines = [" ".join([" " * width, *(name.rjust(width) for name in names)])]
        for name, row in zip(names, self.matrix, strict=True):
            lines.append(" ".join([name.ljust(width), *(str(value).rjust(width) for value in row)]))
        return "\n".join(lines)


def ratio(part: int, whole: int) -> float:
    """Return a quotient of whole numbers, rounded once; NaN for 0/0."""
    return part / whole if whole else math.nan


def mean_of(values: tuple[float, ...]) -> float:
    """Return the mean of the numbers that are none of them NaN; NaN if there is none."""
    there = [value for value in values if value == value]
    return math.fsum(there) / len(there) if there else math.nan
