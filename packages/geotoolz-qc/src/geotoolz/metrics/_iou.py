"""How far two masks overlap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from geotoolz.core import Plan, Role, TileSpec
from geotoolz.metrics._confusion import PairCounts
from geotoolz.metrics._confusion_counts import ratio
from geotoolz.metrics._meanings import require_same_meanings
from geotoolz.metrics._pairs import PairReduce
from geotoolz.metrics._result import Numbers

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Overlap(Numbers):
    """Pixels of two masks; ``float(overlap)`` is the intersection over union.

    Attributes
    ----------
    both, only_predicted, only_true, neither : int
        True positives, false positives, false negatives and true negatives.
    left_out : int
        Pixels without data in one of the masks.

    Examples
    --------
    >>> found = Overlap(both=30, only_predicted=10, only_true=20, neither=40)
    >>> found.iou, found.precision, found.recall, round(found.f1, 3)
    (0.5, 0.75, 0.6, 0.667)
    """

    both: int = 0
    only_predicted: int = 0
    only_true: int = 0
    neither: int = 0
    left_out: int = 0

    def __float__(self) -> float:
        return self.iou

    def __add__(self, other: Overlap) -> Overlap:
        if not isinstance(other, Overlap):
            return NotImplemented
        return Overlap(
            self.both + other.both,
            self.only_predicted + other.only_predicted,
            self.only_true + other.only_true,
            self.neither + other.neither,
            self.left_out + other.left_out,
        )

    @property
    def n(self) -> int:
        """Pixels that counted."""
        return self.both + self.only_predicted + self.only_true + self.neither

    @property
    def iou(self) -> float:
        """Intersection over union; NaN where both masks are empty."""
        return ratio(self.both, self.both + self.only_predicted + self.only_true)

    @property
    def f1(self) -> float:
        """Dice coefficient; NaN where both masks are empty."""
        return ratio(2 * self.both, 2 * self.both + self.only_predicted + self.only_true)

    @property
    def precision(self) -> float:
        """Share of the predicted pixels that are true; NaN where nothing was predicted."""
        return ratio(self.both, self.both + self.only_predicted)

    @property
    def recall(self) -> float:
        """Share of the true pixels that were predicted; NaN where nothing is true."""
        return ratio(self.both, self.both + self.only_true)

    def to_dict(self) -> dict[str, Any]:
        """Return counts and shares as plain values."""
        from geotoolz.metrics._result import plain

        shares = {name: plain(getattr(self, name)) for name in ("iou", "f1", "precision", "recall")}
        return {"metric": "iou", **super().to_dict(), "n": self.n, **shares}


class IoU(PairReduce):
    """Intersection over union of a class: ``|predicted ∩ truth| / |predicted ∪ truth|``.

    Reads two variables of equal dims that hold masks or classes, writes nothing. The result is 0 to
    1; NaN where the class is in neither. Counting is exact, whatever the order and the cut. Pixels
    without data in one of them are left out and counted.

    Parameters
    ----------
    predicted, truth : str
        Roles or names of the variables. ``IoU()(a, b)`` compares two tiles instead.
    positive : int
        The class; 1 is True of a mask.

    Returns
    -------
    Overlap

    Raises
    ------
    MissingVariableError
        If the tile lacks a variable.
    TileError
        If a value is no whole number: probabilities need a threshold first.
    QuantityError
        If ``flag_values`` and ``flag_meanings`` of the variables call one number by two names.

    References
    ----------
    Jaccard, P. (1912). The distribution of the flora in the alpine zone. New Phytologist 11, 37–50.

    Examples
    --------
    >>> from geotoolz.core.testing import contract_tile
    >>> from geotoolz.metrics import IoU
    >>> float(IoU("mask", "mask")(contract_tile()))
    1.0
    """

    predicted: Role = "predicted"
    truth: Role = "truth"
    positive: int = 1

    label: ClassVar[str] = "iou"

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

    def finish(self, state: PairCounts) -> Overlap:
        """Return the overlap."""
        found = {(True, True): 0, (True, False): 0, (False, True): 0, (False, False): 0}
        for (true, said), count in state.pairs().items():
            found[said == self.positive, true == self.positive] += count
        both, said, true, neither = found.values()
        return Overlap(both, said, true, neither, state.left_out)
