"""How many looks an image has."""

from __future__ import annotations

import math
from typing import Any

from geotoolz.core import Plan, TileSpec
from geotoolz.radiometry import MeanStd
from geotoolz.sar._quantity import backscatter_bands


class EquivalentNumberOfLooks(MeanStd):
    """Equivalent number of looks of each band: ``mean² / variance`` over all valid pixels.

    A statistic of plain ground: crop the tile to water, ice or a desert first, because texture lowers
    the number. Reads linear power (units 1); no-data, NaN and infinities do not count, the dates of a
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
        If a band is in decibels, or is no backscatter.

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
        return MeanStd(self._names(tile)[0]).init(tile, previous)

    def finish(self, state: dict[str, Any]) -> dict[str, Any]:
        """Return the ranges after the first pass, the numbers of looks after the second."""
        found = super().finish(state)
        if any(own.points is None for own in state.values()):
            return found
        return {name: _looks(mean, std) for name, (mean, std) in found.items()}


def _looks(mean: float, std: float) -> float:
    if std > 0:
        return (mean / std) ** 2
    return math.nan if mean != mean else math.inf
