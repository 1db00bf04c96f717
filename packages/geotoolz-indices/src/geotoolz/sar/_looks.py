"""How many looks an image has."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from geotoolz.core import Plan, QuantityError, TileSpec
from geotoolz.radiometry import MeanStd
from geotoolz.sar._quantity import backscatter_bands


class EquivalentNumberOfLooks(MeanStd):
    """Equivalent number of looks of each band: ``mean² / variance`` over all valid pixels.

    A statistic of plain ground: crop the tile to water, ice or a desert first, because texture lowers
    the number. Reads linear power (units 1); no-data, values below 0, NaN and infinities do not count (and
    where more than half of what has data is below 0, the band is in decibels and refused), the dates of a
    stack are more pixels, and the variance is that of the population. The result is a mapping of band
    to number, NaN where no pixel was valid and infinite where all are equal; it does not depend on
    order, windows or threads, bit for bit (see `geotoolz.radiometry.MeanStd`).

    Parameters
    ----------
    bands : sequence of str, optional
        By default all backscatter: variables with that quantity, and ``vv``, ``vh``, ``hh``, ``hv``.

    Raises
    ------
    MissingVariableError
        If the tile has no backscatter, or lacks a band.
    QuantityError
        If a band is in decibels, or is no backscatter, or most of its values are below 0.

    References
    ----------
    Oliver, C., Quegan, S. (2004). Understanding synthetic aperture radar images. SciTech, section 4.3.

    Examples
    --------
    >>> from geotoolz.core.testing import contract_tile
    >>> from geotoolz.sar import EquivalentNumberOfLooks
    >>> tile = contract_tile((2, 1), gaps=False)[["red"]].rename(red="vv")
    >>> tile.vv.attrs["quantity"] = "backscatter"
    >>> tile.vv[:, 0] = [1, 3]
    >>> EquivalentNumberOfLooks()(tile)
    {'vv': 4.0}
    """

    bands: tuple[str, ...] | None = None

    def plan(self, tile: TileSpec) -> Plan:
        """Read the bands."""
        names, notes = self._names(tile)
        return Plan(names, notes=notes)

    def _names(self, tile: TileSpec) -> tuple[tuple[str, ...], tuple[str, ...]]:
        return backscatter_bands(tile, self.bands, "linear", type(self).__name__)

    def init(self, tile: TileSpec, previous: Any = None) -> dict[str, Any]:
        """Return empty sums for every band."""
        sums = MeanStd(self._names(tile)[0]).init(tile, previous)
        return {name: _Power(own) for name, own in sums.items()}

    def finish(self, state: dict[str, Any]) -> dict[str, Any]:
        """Return the ranges after the first pass, the numbers of looks after the second."""
        for name, own in state.items():
            if 2 * own.negative > own.valid:
                raise QuantityError(
                    f"{type(self).__name__} found {own.negative} of {own.valid} values of {name!r} below 0",
                    expected="linear power",
                    fix=f"ds[{name!r}].attrs['units'] = 'dB' and DBToLinear first, if these are decibels",
                )
        found = super().finish(state)
        if any(own.sums.points is None for own in state.values()):
            return found
        return {name: _looks(mean, std) for name, (mean, std) in found.items()}


class _Power:
    """Sums of a band without its negative values, and how many of the values with data these are."""

    def __init__(self, sums: Any) -> None:
        self.sums = sums
        self.valid = self.negative = 0

    def take(self, array: Any) -> None:
        """Take in the pixels of a block."""
        if array.dtype.kind != "u":
            below = array < 0
            has_data = np.isfinite(array) & (array != self.sums.nodata)
            self.valid += int(np.count_nonzero(has_data))
            self.negative += int(np.count_nonzero(below & has_data))
            array = np.where(below, np.nan, array)
        self.sums.take(array)

    def add(self, other: _Power) -> None:
        """Add what another worker has found."""
        self.sums.add(other.sums)
        self.valid, self.negative = self.valid + other.valid, self.negative + other.negative

    def finish(self) -> Any:
        """Return what the sums say."""
        return self.sums.finish()


def _looks(mean: float, std: float) -> float:
    if std > 0:
        return (mean / std) ** 2
    return math.nan if mean != mean else math.inf
