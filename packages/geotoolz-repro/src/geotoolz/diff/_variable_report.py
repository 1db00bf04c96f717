"""What an A/B says of one variable."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from geotoolz.diff._bimodal import Bimodality
from geotoolz.diff._drift import Drift
from geotoolz.diff._kinds import HIGHER_IS_BETTER

Array = np.ndarray[Any, Any]
Pairs = Mapping[tuple[float, float], int]


@dataclass(frozen=True)
class TileRow:
    """What was found of one variable of one tile.

    Attributes
    ----------
    tile_id : str
    datetime : str
    place : (float, float) or None
        Longitude and latitude of the centre.
    metrics : mapping of str to float
    sums : mapping of str to float
        From which metrics of several tiles follow.
    pairs : mapping or None
        Of classes: how often the second pipeline says one where the first says another.
    """

    tile_id: str
    datetime: str
    place: tuple[float, float] | None
    metrics: Mapping[str, float]
    sums: Mapping[str, float]
    pairs: Pairs | None = None


@dataclass(frozen=True)
class ClassRow:
    """What became of one class.

    Attributes
    ----------
    value : int or float
    name : str
    pixels_a, pixels_b, both : int
        Pixels of this class in the first, in the second, in both.
    share_a, share_b : float
        Of the pixels that both have.
    """

    value: float
    name: str
    pixels_a: int
    pixels_b: int
    both: int
    share_a: float
    share_b: float

    @property
    def shift(self) -> float:
        """By how much its share grew."""
        return self.share_b - self.share_a

    @property
    def iou(self) -> float:
        """Pixels of both over pixels of either; NaN of a class that neither has."""
        either = self.pixels_a + self.pixels_b - self.both
        return self.both / either if either else math.nan


@dataclass(frozen=True)
class WorstTile:
    """A tile that differs much, with pictures of it.

    Attributes
    ----------
    tile_id : str
    value : float
        Of the metric that tiles are ranked by.
    kind : str
        What the variable holds.
    thumbs : array
        Every n-th pixel of both: (2, rows, columns), NaN for no-data.
    attrs : mapping
        Of the variable.
    """

    tile_id: str
    value: float
    kind: str
    thumbs: Array = field(repr=False, compare=False)
    attrs: Mapping[str, Any] = field(repr=False)

    @cached_property
    def pictures(self) -> dict[str, bytes]:
        """PNG files: a, b and their difference; drawn when they are asked for."""
        from geotoolz.diff._pictures import pictures_of

        return pictures_of(self.kind, self.thumbs, self.attrs)


@dataclass(frozen=True)
class VariableReport:
    """What an A/B says of one variable.

    Attributes
    ----------
    name : str
    kind : str
        "continuous", "probability" or "classes".
    metric : str
        What tiles are ranked by.
    n, only_a, only_b : int
        Pixels that both pipelines give a value, and that one of them does.
    metrics : mapping of str to float
        Of all pixels of all tiles together.
    intervals : mapping of str to (float, float)
        Of those metrics that follow from sums over tiles.
    tiles : tuple of TileRow
    bimodality : Bimodality
        Of the tiles' values.
    drifts : tuple of Drift
    worst : tuple of WorstTile
    pairs : mapping of (value, value) to int
        The confusion matrix, of classes.
    names : mapping of int to str
        What classes are called.
    by : mapping of str to mapping of str to float
        Pixels and metrics for each class of another variable (``AB(by=…)``).
    """

    name: str
    kind: str
    metric: str
    n: int
    only_a: int
    only_b: int
    metrics: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    tiles: tuple[TileRow, ...] = field(repr=False)
    bimodality: Bimodality
    drifts: tuple[Drift, ...]
    worst: tuple[WorstTile, ...]
    pairs: Pairs = field(default_factory=dict)
    names: Mapping[int, str] = field(default_factory=dict)
    by: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def values(self) -> tuple[float, ...]:
        """The metric of every tile."""
        return tuple(row.metrics[self.metric] for row in self.tiles)

    @property
    def distribution(self) -> dict[str, float]:
        """Smallest, quartiles, largest and mean of the tiles' values."""
        known = np.array([value for value in self.values if not math.isnan(value)])
        if not known.size:
            return {}
        marks = ("min", "q25", "median", "q75", "max")
        quartiles = np.quantile(known, [0, 0.25, 0.5, 0.75, 1], method="linear")
        return {**dict(zip(marks, map(float, quartiles), strict=True)), "mean": float(known.mean())}

    @property
    def classes(self) -> tuple[ClassRow, ...]:
        """What became of every class; empty of what has none."""
        values = sorted({value for pair in self.pairs for value in pair})
        return tuple(self._class(value) for value in values)

    def _class(self, value: float) -> ClassRow:
        first = sum(count for (a, _), count in self.pairs.items() if a == value)
        second = sum(count for (_, b), count in self.pairs.items() if b == value)
        name = self.names.get(int(value), f"{value:g}")
        both = self.pairs.get((value, value), 0)
        return ClassRow(value, name, first, second, both, first / self.n, second / self.n)

    def confusion(self) -> Array:
        """Return the confusion matrix: a row per class of the first, a column per class of the second."""
        values = [row.value for row in self.classes]
        counts = [[self.pairs.get((a, b), 0) for b in values] for a in values]
        return np.array(counts, np.int64).reshape(len(values), len(values))

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values; pictures are left out."""
        return {
            "kind": self.kind,
            "metric": self.metric,
            "pixels": {"both": self.n, "only_a": self.only_a, "only_b": self.only_b},
            "metrics": dict(self.metrics),
            "intervals": {name: list(ends) for name, ends in self.intervals.items()},
            "distribution": self.distribution,
            "two_groups": {
                "flagged": self.bimodality.flagged,
                "coefficient": self.bimodality.coefficient,
                "split": self.bimodality.split,
                "worse": list(self.bimodality.worse) if self.bimodality.flagged else [],
            },
            "drift": [{**vars(one), "per": one.unit, "clear": one.is_clear} for one in self.drifts],
            "worst": [{"tile": one.tile_id, "value": one.value} for one in self.worst],
            "classes": [{**vars(one), "shift": one.shift, "iou": one.iou} for one in self.classes],
            "by": {name: dict(metrics) for name, metrics in self.by.items()},
            "confusion": self.confusion().tolist(),
            "tiles": {row.tile_id: dict(row.metrics) for row in self.tiles},
        }


def badness(metric: str, value: float) -> float:
    """Return a number that is larger for a worse value; NaN is the least of worries.

    Examples
    --------
    >>> badness("rmse", 0.2) > badness("rmse", 0.1), badness("kappa", 0.2) > badness("kappa", 0.9)
    (True, True)
    """
    if math.isnan(value):
        return -math.inf
    return -value if metric in HIGHER_IS_BETTER else abs(value)


def worst_first(metric: str, rows: Sequence[TileRow]) -> list[TileRow]:
    """Return tiles in order of how bad they are; equal ones by their names."""
    return sorted(rows, key=lambda row: (-badness(metric, row.metrics[metric]), row.tile_id))
