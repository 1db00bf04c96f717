"""How right a classification is: what is found, for whom, and how sure that is."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from geotoolz.core import ParameterError, WriteError
from geotoolz.learn._accuracy_bootstrap import bootstrap_intervals
from geotoolz.learn._accuracy_rows import Coded, coded, group_names
from geotoolz.learn._area_estimates import AreaEstimates, area_estimates, plain
from geotoolz.metrics import ConfusionCounts

Array = np.ndarray[Any, Any]
_FEW = 50
_FEW_GROUPS = 20

KAPPA = (
    "kappa is given for comparison with older work only: its chance agreement answers no question of a map, "
    "and overall, user's and producer's accuracy say more (Pontius and Millones 2011, Foody 2020)"
)


@dataclass(frozen=True)
class GroupAccuracy:
    """The rows of one group: how many there are, and which share of them is right."""

    group: str
    n: int
    overall_accuracy: float


@dataclass(frozen=True)
class AccuracyReport:
    """The accuracy of predicted classes, as a confusion matrix and what follows from it.

    Attributes
    ----------
    confusion : ConfusionCounts
        A row per true class, a column per predicted one. Overall, user's and producer's accuracy, F1 and
        kappa are its properties.
    by_group : tuple of GroupAccuracy
        Accuracy within each group (fold, region, date), where groups were given.
    intervals : mapping of str to tuple of float
        Confidence intervals of accuracies by a bootstrap of whole groups: ``"overall_accuracy"``, and
        ``"users_accuracy[forest]"``; empty unless asked for.
    areas : AreaEstimates, optional
        Design-based areas and accuracies, where the mapped areas were given.
    cautions : tuple of str
        What a reader of the numbers should know.
    confidence : float
        Of all intervals.
    """

    confusion: ConfusionCounts
    by_group: tuple[GroupAccuracy, ...] = ()
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    areas: AreaEstimates | None = None
    cautions: tuple[str, ...] = ()
    confidence: float = 0.95

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self.confusion.labels or tuple(map(str, self.confusion.classes))

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values; what is not finite is None."""
        return {
            "report": "classification",
            "confidence": self.confidence,
            "confusion": self.confusion.to_dict(),
            "by_group": [
                {"group": one.group, "n": one.n, "overall_accuracy": plain(one.overall_accuracy)}
                for one in self.by_group
            ],
            "intervals": {name: plain(pair) for name, pair in self.intervals.items()},
            "areas": None if self.areas is None else self.areas.to_dict(),
            "cautions": list(self.cautions),
        }

    def to_json(self) -> str:
        """Return the report as JSON text."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def to_html(self) -> str:
        """Return the report as a page that loads nothing."""
        from geotoolz.learn._accuracy_html import classification_page

        return classification_page(self)

    def write(self, path: str | Path) -> Path:
        """Write the report; the name's end says how: ``.json`` or ``.html``.

        Raises
        ------
        ParameterError
            For another ending.
        WriteError
            If the file cannot be written.
        """
        return write_report(self, path)

    def __str__(self) -> str:
        found = self.confusion
        first = f"{found.n} rows, overall accuracy {found.overall_accuracy:.3f}{self._within()}"
        lines = [f"{first}, kappa {found.kappa:.3f}", str(found)]
        each = zip(self.labels, found.users_accuracy, found.producers_accuracy, found.f1, strict=True)
        lines += [f"{name}: user's {ua:.3f}, producer's {pa:.3f}, F1 {f1:.3f}" for name, ua, pa, f1 in each]
        if self.areas is not None:
            lines += ["of the map, weighted by area:", str(self.areas)]
        return "\n".join([*lines, *(f"note: {text}" for text in self.cautions)])

    def _within(self) -> str:
        pair = self.intervals.get("overall_accuracy")
        return "" if pair is None else f" ({pair[0]:.3f} … {pair[1]:.3f})"

    def _repr_html_(self) -> str:
        return self.to_html()


def accuracy_report(
    y_true: Any,
    y_pred: Any,
    *,
    classes: Sequence[Any] | None = None,
    names: Mapping[Any, str] | None = None,
    groups: Any = None,
    mapped_area: Mapping[Any, float] | Sequence[float] | None = None,
    bootstrap: int = 0,
    confidence: float = 0.95,
    seed: int = 0,
) -> AccuracyReport:
    """Compare predicted with true classes.

    Parameters
    ----------
    y_true, y_pred : array_like
        Labels of the same rows: whole numbers or text. Rows where one is missing (NaN, None) are left out and
        counted.
    classes : sequence, optional
        All classes, in the order of the tables; by default those that occur, ascending. Another label is
        refused.
    names : mapping of label to str, optional
        What classes are called.
    groups : array_like, optional
        What rows belong together: folds, regions, polygons. Gives the accuracy within each.
    mapped_area : mapping of label to float, or sequence of float, optional
        Area that the map gives to each class. The rows must then be a probability sample of the map,
        stratified by its classes: gives design-based areas (`area_estimates`).
    bootstrap : int
        Draw whole groups this many times, with replacement, for confidence intervals: 1000 is usual. Rows
        of one group are alike, and single rows drawn would make intervals too narrow.
    confidence : float
        Of the intervals.
    seed : int
        Of the bootstrap.

    Returns
    -------
    AccuracyReport

    Raises
    ------
    ParameterError
        If the rows differ in number, no row is left, a label is none of the classes, or a bootstrap has no
        two groups to draw from.

    References
    ----------
    Congalton, R. G. (1991). A review of assessing the accuracy of classifications of remotely sensed data.
    Remote Sensing of Environment 37, 35–46. Pontius, R. G., Millones, M. (2011). Death to kappa.
    International Journal of Remote Sensing 32, 4407–4429. Foody, G. M. (2020). Explaining the unsuitability
    of the kappa coefficient. Remote Sensing of Environment 239, 111630.

    Examples
    --------
    >>> from geotoolz.learn import accuracy_report
    >>> found = accuracy_report(["field", "field", "wood"], ["field", "wood", "wood"])
    >>> found.labels, found.confusion.matrix, round(found.confusion.overall_accuracy, 3)
    (('field', 'wood'), ((1, 1), (0, 1)), 0.667)
    """
    if not 0 < confidence < 1:
        raise ParameterError(f"confidence={confidence}", expected="between 0 and 1")
    rows = coded(y_true, y_pred, classes, names)
    confusion = ConfusionCounts(rows.classes, _matrix(rows), rows.labels, rows.left_out)
    by_group: tuple[GroupAccuracy, ...] = ()
    intervals: dict[str, tuple[float, float]] = {}
    if groups is not None:
        labels, place = group_names(groups, rows.kept)
        by_group = _by_group(rows, labels, place)
    if bootstrap:
        if groups is None:
            raise ParameterError("a bootstrap without groups", fix="say which rows belong together: groups=…")
        intervals = bootstrap_intervals(rows, place, len(labels), bootstrap, confidence, seed)
    areas = None if mapped_area is None else area_estimates(confusion, mapped_area, confidence=confidence)
    cautions = _cautions(confusion, areas, groups)
    if bootstrap and len(by_group) < _FEW_GROUPS:
        cautions += (f"the intervals come from {len(by_group)} groups: so few say little about others",)
    return AccuracyReport(confusion, by_group, intervals, areas, cautions, confidence)


def _matrix(rows: Coded) -> tuple[tuple[int, ...], ...]:
    size = len(rows.classes)
    counts = np.bincount(rows.true * size + rows.said, minlength=size * size).reshape(size, size)
    return tuple(tuple(map(int, row)) for row in counts)


def _by_group(rows: Coded, labels: Sequence[str], place: Array) -> tuple[GroupAccuracy, ...]:
    n = np.bincount(place, minlength=len(labels))
    right = np.bincount(place[rows.true == rows.said], minlength=len(labels))
    return tuple(
        GroupAccuracy(label, int(there), int(good) / int(there))
        for label, there, good in zip(labels, n, right, strict=True)
    )


def _cautions(confusion: ConfusionCounts, areas: AreaEstimates | None, groups: Any) -> tuple[str, ...]:
    found = [KAPPA]
    labels = confusion.labels or tuple(map(str, confusion.classes))
    few = [name for name, row in zip(labels, confusion.matrix, strict=True) if sum(row) < _FEW]
    if few:
        found.append(f"fewer than {_FEW} rows are truly {', '.join(few)} (Congalton 1991 asks for that many)")
    if areas is None:
        found.append("counts of rows are no areas: give mapped_area for a probability sample of a map")
    if groups is None and areas is None:  # a sample of the map that was drawn is independent
        found.append("no groups were given: rows that lie together are counted as if they were independent")
    return tuple(found)


def write_report(report: Any, path: str | Path) -> Path:
    """Write a report as JSON or HTML."""
    place = Path(path)
    makers = {".json": report.to_json, ".html": report.to_html}
    if place.suffix.lower() not in makers:
        raise ParameterError(f"{place.name!r} ends in {place.suffix!r}", expected="a name in .json or .html")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(makers[place.suffix.lower()](), encoding="utf-8")
    except OSError as error:
        raise WriteError(f"{place} cannot be written: {error.strerror}") from error
    return place
