"""Areas of classes and their uncertainty, from a probability sample stratified by the map."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from geotoolz.core import ParameterError, nearest
from geotoolz.metrics import ConfusionCounts

Array = np.ndarray[Any, Any]
Floats = tuple[float, ...]


@dataclass(frozen=True)
class AreaEstimates:
    """Error-adjusted areas and accuracies with standard errors; one number per class, in the map's order.

    Areas are in the unit that the mapped areas were given in. Accuracies here are of the *map*, weighted by
    area; those of the bare sample are in `AccuracyReport`.

    Attributes
    ----------
    classes : tuple of int
        The classes.
    labels : tuple of str
        Their names.
    mapped_area : tuple of float
        Area that the map gives to each class.
    area, area_se : tuple of float
        Estimated area of each class, and its standard error.
    matrix : tuple of tuple of float
        Estimated shares of area; a row per mapped class, a column per true one.
    overall_accuracy, overall_accuracy_se : float
        Share of the area that is mapped correctly.
    users_accuracy, users_accuracy_se, producers_accuracy, producers_accuracy_se : tuple of float
        Per class; NaN where a class is not mapped, or does not occur.
    confidence : float
        Of the intervals: 0.95.
    """

    classes: tuple[int, ...]
    labels: tuple[str, ...]
    mapped_area: Floats
    area: Floats
    area_se: Floats
    matrix: tuple[Floats, ...]
    overall_accuracy: float
    overall_accuracy_se: float
    users_accuracy: Floats
    users_accuracy_se: Floats
    producers_accuracy: Floats
    producers_accuracy_se: Floats
    confidence: float = 0.95

    @property
    def total_area(self) -> float:
        """Area of the whole map."""
        return math.fsum(self.mapped_area)

    @property
    def share(self) -> Floats:
        """Estimated area of each class as a share of the map."""
        return tuple(value / self.total_area for value in self.area)

    @property
    def share_se(self) -> Floats:
        """Standard error of `share`."""
        return tuple(value / self.total_area for value in self.area_se)

    def half_width(self, standard_error: float) -> float:
        """Return half the width of the confidence interval (normal approximation)."""
        return NormalDist().inv_cdf((1 + self.confidence) / 2) * standard_error

    @property
    def area_interval(self) -> tuple[tuple[float, float], ...]:
        """Confidence interval of each area; the lower end may be negative where a sample is small."""
        pairs = zip(self.area, self.area_se, strict=True)
        return tuple((value - self.half_width(se), value + self.half_width(se)) for value, se in pairs)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values; what is not finite is None."""
        names = (
            "mapped_area", "area", "area_se", "share", "share_se", "overall_accuracy", "overall_accuracy_se",
            "users_accuracy", "users_accuracy_se", "producers_accuracy", "producers_accuracy_se", "matrix",
        )  # fmt: skip
        return {
            "estimator": "stratified",
            "classes": list(self.classes),
            "labels": list(self.labels),
            "confidence": self.confidence,
            **{name: plain(getattr(self, name)) for name in names},
            "area_interval": plain(self.area_interval),
        }

    def __str__(self) -> str:
        rows = [f"overall accuracy {_with(self.overall_accuracy, self.half_width(self.overall_accuracy_se))}"]
        for i, label in enumerate(self.labels):
            errors = (self.area_se[i], self.users_accuracy_se[i], self.producers_accuracy_se[i])
            half, users, producers = map(self.half_width, errors)
            rows.append(
                f"{label}: mapped {self.mapped_area[i]:,.6g}, area {self.area[i]:,.6g} ± {half:,.6g}, "
                f"user's {_with(self.users_accuracy[i], users)}, "
                f"producer's {_with(self.producers_accuracy[i], producers)}"
            )
        return "\n".join(rows)


def _with(value: float, half: float) -> str:
    return f"{value:.3f} ± {half:.3f}"


def plain(value: Any) -> Any:
    """Return numbers as JSON can hold them; what is not finite is None."""
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return value if not isinstance(value, float) or math.isfinite(value) else None


def area_estimates(
    confusion: ConfusionCounts,
    mapped_area: Mapping[Any, float] | Sequence[float],
    *,
    confidence: float = 0.95,
) -> AreaEstimates:
    """Estimate areas and accuracies of a map from a sample that was stratified by its classes.

    The map's own areas are biased by its errors. The stratified estimator corrects them: each stratum (what
    the map calls a class) counts by its share of the area, however many samples it got. It is valid for a
    *probability sample* of the map, drawn at random within each class, and labelled independently of the
    map; training pixels, cross-validation or points at convenient places are none.

    Parameters
    ----------
    confusion : ConfusionCounts
        Counts of the sample; a row per true class, a column per mapped one.
    mapped_area : mapping of class or label to float, or sequence of float
        Area that the map gives to each class, in any unit (pixels, hectares). All classes must be there.
    confidence : float
        Of the intervals.

    Returns
    -------
    AreaEstimates

    Raises
    ------
    ParameterError
        If an area is missing or negative, or a mapped class has fewer than two samples (its variance is not
        known).

    References
    ----------
    Olofsson, P., Foody, G. M., Herold, M., Stehman, S. V., Woodcock, C. E., Wulder, M. A. (2014). Good
    practices for estimating area and assessing accuracy of land change. Remote Sensing of Environment 148,
    42–57, equations 4–10.

    Examples
    --------
    >>> from geotoolz.learn import area_estimates
    >>> from geotoolz.metrics import ConfusionCounts
    >>> sample = ConfusionCounts((1, 2), ((45, 10), (5, 90)), ("forest", "other"))
    >>> found = area_estimates(sample, {"forest": 200.0, "other": 800.0})
    >>> [round(area, 3) for area in found.area], round(found.area_se[0], 2)
    ([260.0, 740.0], 25.6)
    """
    if not 0 < confidence < 1:
        raise ParameterError(f"confidence={confidence}", expected="between 0 and 1")
    areas = _areas(confusion, mapped_area)
    counts = confusion.to_array().T.astype(np.float64)  # n_ij: mapped class i, true class j
    sampled = counts.sum(axis=1)
    _require_samples(confusion, areas, sampled)
    weight = areas / math.fsum(areas)
    with np.errstate(divide="ignore", invalid="ignore"):
        within = np.where(sampled[:, None] > 0, counts / sampled[:, None], 0.0)
        spread = np.where(sampled[:, None] > 1, within * (1 - within) / (sampled[:, None] - 1), 0.0)
        matrix = weight[:, None] * within
        share = matrix.sum(axis=0)
        users = np.where(sampled > 0, np.diagonal(within), np.nan)
        producers = np.diagonal(matrix) / share
        producers_se = _producers_error(weight, share, producers, spread)
    share_se = np.sqrt((weight[:, None] ** 2 * spread).sum(axis=0))
    own = np.diagonal(spread)
    total = math.fsum(areas)
    return AreaEstimates(
        confusion.classes, _labels(confusion), _floats(areas), _floats(share * total), _floats(share_se *
        total), tuple(map(_floats, matrix)), float(np.trace(matrix)), float(np.sqrt((weight**2 *
        own).sum())), _floats(users), _floats(np.where(sampled > 0, np.sqrt(own), np.nan)),
        _floats(producers), _floats(producers_se), confidence,
    )  # fmt: skip


def _producers_error(weight: Array, share: Array, producers: Array, spread: Array) -> Array:
    """Return the standard error of the producer's accuracies (equation 7)."""
    own = weight**2 * (1 - producers) ** 2 * np.diagonal(spread)
    omitted = weight[:, None] ** 2 * spread
    others = omitted.sum(axis=0) - np.diagonal(omitted)
    found: Array = np.sqrt((own + producers**2 * others) / share**2)
    return found


def _floats(values: Array) -> Floats:
    return tuple(map(float, values))


def _labels(confusion: ConfusionCounts) -> tuple[str, ...]:
    return confusion.labels or tuple(map(str, confusion.classes))


def _areas(confusion: ConfusionCounts, mapped: Mapping[Any, float] | Sequence[float]) -> Array:
    """Return the mapped areas in the order of the classes."""
    labels = _labels(confusion)
    if isinstance(mapped, Mapping):
        known = {*confusion.classes, *labels}
        for name in mapped:
            if name not in known:
                raise ParameterError(
                    f"an area is given for {name!r}{nearest(str(name), labels)}",
                    expected=f"{', '.join(labels)}",
                )
        pairs = list(zip(confusion.classes, labels, strict=True))
        lacking = [label for value, label in pairs if value not in mapped and label not in mapped]
        if lacking:
            raise ParameterError(
                f"no mapped area of {', '.join(lacking)}",
                expected="one per class",
                fix="0 for a class that the map does not have",
            )
        given = [mapped[value] if value in mapped else mapped[label] for value, label in pairs]
    else:
        given = list(mapped)
        if len(given) != len(labels):
            raise ParameterError(
                f"{len(given)} mapped area(s) for {len(labels)} classes", expected="one each"
            )
    areas = np.array(given, np.float64)
    if not np.isfinite(areas).all() or (areas < 0).any() or not areas.any():
        raise ParameterError(f"mapped areas are {given}", expected="numbers of 0 or more, not all 0")
    return areas


def _require_samples(confusion: ConfusionCounts, areas: Array, sampled: Array) -> None:
    for label, area, count in zip(_labels(confusion), areas, sampled, strict=True):
        if area > 0 and count < 2:
            raise ParameterError(
                f"the sample has {count:.0f} row(s) where the map says {label}",
                expected="two at least in every mapped class: the variance is not known otherwise",
                fix="draw more samples there, or merge the class with another",
            )
        if area == 0 and count:
            raise ParameterError(
                f"the sample has {count:.0f} row(s) where the map says {label}, whose mapped area is 0",
                expected="the area that the map gives to it",
            )
