"""Numbers about chips: means and deviations of inputs, pixels of classes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.core import ParameterError
from geotoolz.learn._checkpoint_config import Normalisation
from geotoolz.learn._gather import missing

if TYPE_CHECKING:
    from geotoolz.learn._geochips import GeoChips

Array = np.ndarray[Any, Any]


def estimate_normalisation(chips: GeoChips, numbers: Iterable[int]) -> Normalisation:
    """Return mean and standard deviation of every input; see `GeoChips.estimate_normalisation`."""
    sums = {name: _Moments() for name in chips.inputs}
    for number in numbers:
        patch = chips.patches[int(number)]
        spec, arrays = chips._chips.spec(patch), chips._chips.read([patch])[patch.index]
        for name, moments in sums.items():
            values = arrays[name]
            gone = missing(values, spec.variables[name].nodata_scalar, np.dtype(np.float32))
            moments.add(values[~gone].astype(np.float64))
    wrong = [name for name, moments in sums.items() if not moments.deviation > 0]
    if wrong:
        raise ParameterError(
            f"{', '.join(wrong)} never changes in the chips", expected="inputs that say something"
        )
    return Normalisation(tuple(m.mean for m in sums.values()), tuple(m.deviation for m in sums.values()))


class _Moments:
    """Mean and standard deviation, merged part by part (Chan et al. 1983)."""

    def __init__(self) -> None:
        self.count, self.mean, self.squares = 0, 0.0, 0.0

    def add(self, values: Array) -> None:
        if not values.size:
            return
        mean = float(values.mean())
        away, total = mean - self.mean, self.count + values.size
        self.squares += float(np.square(values - mean).sum()) + away**2 * self.count * values.size / total
        self.mean += away * values.size / total
        self.count = total

    @property
    def deviation(self) -> float:
        return float(np.sqrt(self.squares / self.count)) if self.count else 0.0


def class_counts(chips: GeoChips) -> Array:
    """Return the pixels of every class in every chip; see `GeoChips.class_counts`."""
    if chips.target is None or chips.codes is None:
        raise ParameterError("the chips have no classes", expected="target=… and codes=…")
    counts = np.zeros((len(chips), len(chips.codes)), np.int64)
    for number in range(len(chips)):
        mask = chips.mask_of(chips.patches[number])
        counts[number] = np.bincount(mask[mask >= 0], minlength=len(chips.codes))
    return counts


def balanced_weights(chips: GeoChips) -> Array:
    """Return how often every chip should be drawn; see `GeoChips.balanced_weights`."""
    counts = class_counts(chips)
    there = counts.sum(axis=0)
    share = counts[:, there > 0] / there[there > 0]
    total = float(share.sum())
    if not total:
        raise ParameterError(
            "no chip has a label", expected="chips with pixels of the classes", fix="check codes"
        )
    weights: Array = share.sum(axis=1) / total
    return weights
