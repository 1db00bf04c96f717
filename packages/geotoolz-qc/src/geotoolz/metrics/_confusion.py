"""Which classes are taken for which."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np

from geotoolz.core import ParameterError, Plan, Role, TileError, TileSpec, VarSpec, flat_view
from geotoolz.metrics import _kernels
from geotoolz.metrics._confusion_counts import ConfusionCounts
from geotoolz.metrics._meanings import meanings, require_same_meanings
from geotoolz.metrics._pairs import PairReduce

Array = np.ndarray[Any, Any]
_MOST_PAIRS = 1 << 20
_SIDE = 384
"""Values that bytes can have, −128 … 255."""


class ConfusionMatrix(PairReduce):
    """Confusion matrix of a classification: pixels by true and predicted class.

    Reads two variables of equal dims that hold whole numbers or booleans, writes nothing. Counting
    is exact, whatever the order and the cut. Pixels without data in one of them are left out and
    counted. From the result follow overall, producer's and user's accuracy, kappa, F1 and IoU.

    Parameters
    ----------
    predicted, truth : str
        Roles or names of the variables. ``ConfusionMatrix()(a, b)`` compares two tiles instead.
    classes : sequence of int, optional
        The classes, in the order of the matrix; a pixel of another one is an error. By default
        those that the variables' ``flag_values`` say and those that occur.

    Returns
    -------
    ConfusionCounts

    Raises
    ------
    MissingVariableError
        If the tile lacks a variable.
    TileError
        If a value is no whole number, or none of the classes; names value and number of pixels.
    QuantityError
        If ``flag_values`` and ``flag_meanings`` of the variables call one number by two names.
    ParameterError
        If a class is given twice, or none.

    References
    ----------
    Congalton, R. G. (1991). A review of assessing the accuracy of classifications of remotely sensed
    data. Remote Sensing of Environment 37, 35–46.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.metrics import ConfusionMatrix
    >>> found = ConfusionMatrix("scl", "scl")(simulate_scene((32, 32), bands=("red", "scl")))
    >>> found.overall_accuracy, found.n
    (1.0, 1024)
    """

    predicted: Role = "predicted"
    truth: Role = "truth"
    classes: tuple[int, ...] | None = None

    label: ClassVar[str] = "confusion"

    def validate(self) -> None:
        """Check the classes."""
        if self.classes is not None and (not self.classes or len(set(self.classes)) < len(self.classes)):
            raise ParameterError(f"classes={self.classes}", expected="one class at least, each once")

    def plan(self, tile: TileSpec) -> Plan:
        """Read both variables, whose classes must mean the same."""
        require_same_meanings(tile, self.names(tile))
        return super().plan(tile)

    def init(self, tile: TileSpec, previous: Any = None) -> PairCounts:
        """Return empty counts."""
        return PairCounts(self.names(tile), [tile.variables[name] for name in self.names(tile)])

    def update(self, state: PairCounts, *arrays: Array) -> PairCounts:
        """Count the pairs of a block."""
        state.take(arrays[0], arrays[1])
        return state

    def merge(self, a: PairCounts, b: PairCounts) -> PairCounts:
        """Add counts."""
        a.merge(b)
        return a

    def finish(self, state: PairCounts) -> ConfusionCounts:
        """Return the matrix."""
        pairs = state.pairs()
        classes = self.classes
        if classes is None:
            said = {
                int(value) for spec in state.specs for value in np.ravel(spec.attrs.get("flag_values", ()))
            }
            valid = said - {
                int(s.nodata) for s in state.specs if s.nodata is not None and s.nodata == s.nodata
            }
            classes = tuple(sorted({value for pair in pairs for value in pair} | valid))
        else:
            state.refuse_others(classes, pairs)
        place = {value: i for i, value in enumerate(classes)}
        matrix = [[0] * len(classes) for _ in classes]
        for (true, said_class), count in pairs.items():
            matrix[place[true]][place[said_class]] = count
        rows = tuple(tuple(row) for row in matrix)
        return ConfusionCounts(classes, rows, state.labels(classes), state.left_out)


class PairCounts:
    """Counts by pairs of true and predicted class."""

    def __init__(self, names: tuple[str, ...], specs: list[VarSpec]) -> None:
        self.names, self.specs = names, specs
        self.nodata = tuple(spec.nodata_scalar for spec in specs)
        self.bytes = all(spec.dtype.itemsize == 1 for spec in specs)
        self.table = np.zeros((_SIDE, _SIDE) if self.bytes else (0, 0), np.int64)
        self.counts: Counter[tuple[int, int]] = Counter()
        self.left_out = 0
        self.broken = [0, 0]
        """Values that are no whole numbers, of the predicted and of the true variable."""

    def take(self, predicted: Array, truth: Array) -> None:
        """Count the pairs of a block."""
        a, b = flat_view(predicted), flat_view(truth)
        if self.bytes:
            n = int(_kernels.count_pairs(a, b, *self.nodata, self.table, -128))
            self.left_out += a.size - n
            return
        valid = (a == a) & (b == b) & (a != self.nodata[0]) & (b != self.nodata[1])
        self.left_out += a.size - int(valid.sum())
        sides = [_whole(one[valid]) for one in (a, b)]
        for i, (_, fine) in enumerate(sides):
            self.broken[i] += fine.size - int(fine.sum())
        both = sides[0][1] & sides[1][1]
        self._count(sides[0][0][both], sides[1][0][both])

    def _count(self, predicted: Array, truth: Array) -> None:
        said, where_said = np.unique(predicted, return_inverse=True)
        true, where_true = np.unique(truth, return_inverse=True)
        codes, counts = np.unique(where_true * max(said.size, 1) + where_said, return_counts=True)
        for code, count in zip(codes.tolist(), counts.tolist(), strict=True):
            i, j = divmod(code, said.size)
            self.counts[int(true[i]), int(said[j])] += count
        self._require_classes()

    def _require_classes(self) -> None:
        if len(self.counts) > _MOST_PAIRS:  # the whole tile has more, too: the same for every cut
            raise TileError(
                f"{self.names[0]} and {self.names[1]} hold more than {_MOST_PAIRS} different pairs of values",
                expected="classes",
                fix="compare measurements with RMSE, MAE, Bias or R2",
            )

    def merge(self, other: PairCounts) -> None:
        """Add what another worker has counted."""
        self.table += other.table
        self.counts.update(other.counts)
        self.left_out += other.left_out
        self.broken = [a + b for a, b in zip(self.broken, other.broken, strict=True)]
        self._require_classes()

    def pairs(self) -> dict[tuple[int, int], int]:
        """Return the counts by (true, predicted), ascending."""
        for name, count in zip(self.names, self.broken, strict=True):
            if count:
                raise TileError(
                    f"{name} has {count} pixels whose value is no whole number",
                    expected="classes",
                    fix="compare measurements with RMSE, MAE, Bias or R2",
                )
        if not self.bytes:
            return dict(sorted(self.counts.items()))
        rows, columns = np.nonzero(self.table)
        found = zip(rows.tolist(), columns.tolist(), strict=True)
        return {(i - 128, j - 128): int(self.table[i, j]) for i, j in found}

    def refuse_others(self, classes: Iterable[int], pairs: dict[tuple[int, int], int]) -> None:
        """Raise for a class that is none of those asked for."""
        known = set(classes)
        for place, name in ((1, self.names[0]), (0, self.names[1])):
            others: Counter[int] = Counter()
            for pair, count in pairs.items():
                if pair[place] not in known:
                    others[pair[place]] += count
            if others:
                told = ", ".join(f"{value} ({count} pixels)" for value, count in sorted(others.items())[:5])
                raise TileError(
                    f"{name} holds {told}",
                    expected=f"the classes {', '.join(map(str, sorted(known)))}",
                    fix="name all classes, or make the others no-data",
                )

    def labels(self, classes: tuple[int, ...]) -> tuple[str, ...]:
        """Return the names of the classes, if a variable says them all."""
        for spec in reversed(self.specs):
            known = meanings(spec)
            if classes and all(value in known for value in classes):
                return tuple(known[value] for value in classes)
        return ()


def _whole(values: Array) -> tuple[Array, Array]:
    """Return values as whole numbers, and which of them are whole."""
    if values.dtype.kind != "f":
        return values.astype(np.int64), np.ones(values.size, np.bool_)
    fine = np.isfinite(values) & (values == np.rint(values)) & (np.abs(values) < 2.0**53)
    return np.where(fine, values, 0).astype(np.int64), fine
