"""The extremes of bands, gathered in any order and exactly."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from geotoolz.core import Plan, Reduce, TileSpec, chosen_bands
from geotoolz.radiometry._extremes import extremes


class Extremes(Reduce):
    """Smallest and largest valid value of each band.

    Parameters
    ----------
    bands : sequence of str, optional
        By default all bands that hold measurements.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.radiometry import Extremes
    >>> low, high = Extremes(("red",))(simulate_scene((64, 64)))["red"]
    >>> low < high
    True
    """

    bands: tuple[str, ...] | None = None

    block_pixels: ClassVar[int] = 1 << 20

    def plan(self, tile: TileSpec) -> Plan:
        """Read the bands."""
        return Plan(chosen_bands(tile, self.bands, type(self).__name__))

    def init(self, tile: TileSpec, previous: Any = None) -> dict[str, list[float]]:
        """Return the empty interval for every band."""
        names = chosen_bands(tile, self.bands, type(self).__name__)
        return {n: [math.inf, -math.inf, tile.variables[n].nodata_scalar] for n in names}

    def update(self, state: dict[str, list[float]], *arrays: np.ndarray[Any, Any]) -> dict[str, list[float]]:
        """Widen the intervals."""
        for own, array in zip(state.values(), arrays, strict=True):
            low, high = extremes(array, own[2])
            own[0], own[1] = min(own[0], low), max(own[1], high)
        return state

    def merge(self, a: dict[str, list[float]], b: dict[str, list[float]]) -> dict[str, list[float]]:
        """Unite the intervals."""
        return {n: [min(a[n][0], b[n][0]), max(a[n][1], b[n][1]), a[n][2]] for n in a}

    def finish(self, state: dict[str, list[float]]) -> dict[str, tuple[float, float]]:
        """Return ``{band: (low, high)}``, NaN where no pixel was valid."""
        return {
            n: (low, high) if low <= high else (math.nan, math.nan) for n, (low, high, _) in state.items()
        }
