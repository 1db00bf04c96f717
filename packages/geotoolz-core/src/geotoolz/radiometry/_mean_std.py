"""Mean and standard deviation of single bands."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from geotoolz.core import Plan, Reduce, TileSpec, chosen_bands, flat_view
from geotoolz.radiometry import _moment_kernels as kernels
from geotoolz.radiometry._extremes import extremes
from geotoolz.radiometry._fixed_point import SUM_LEVELS, FixedPoint

Array = np.ndarray[Any, Any]


class MeanStd(Reduce):
    """Mean and standard deviation of each band's valid pixels, independent of order, bit for bit.

    The first visit of the pixels finds a band's range, the second puts every value on a scale of
    2³¹ steps over it and sums whole numbers, which is exact in any order. Mean and standard
    deviation of these are rounded once. So a result differs from the exact one by at most the
    rounding of a value, 2⁻³⁰ of the range, and not at all (but for the last rounding) for integers
    of 16 bits. The standard deviation is that of the population (divided by n, not n − 1).

    No-data, NaN and infinities do not count.

    Parameters
    ----------
    bands : sequence of str, optional
        By default all bands that hold measurements.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.radiometry import MeanStd
    >>> tile = simulate_scene((64, 64))
    >>> mean, std = MeanStd(("red",))(tile)["red"]
    >>> abs(mean - float(tile.red.astype("f8").mean())) < 1e-6
    True
    """

    bands: tuple[str, ...] | None = None

    passes: ClassVar[int] = 2
    block_pixels: ClassVar[int] = 1 << 20

    def plan(self, tile: TileSpec) -> Plan:
        """Read the bands."""
        return Plan(chosen_bands(tile, self.bands, type(self).__name__))

    def init(self, tile: TileSpec, previous: Any = None) -> dict[str, BandSum]:
        """Return empty sums for every band."""
        names = chosen_bands(tile, self.bands, type(self).__name__)
        return {n: BandSum(tile.variables[n].nodata_scalar, (previous or {}).get(n)) for n in names}

    def update(self, state: dict[str, BandSum], *arrays: Array) -> dict[str, BandSum]:
        """Take in the pixels of a block."""
        for own, array in zip(state.values(), arrays, strict=True):
            own.take(array)
        return state

    def merge(self, a: dict[str, BandSum], b: dict[str, BandSum]) -> dict[str, BandSum]:
        """Add the sums."""
        for name, own in a.items():
            own.add(b[name])
        return a

    def finish(self, state: dict[str, BandSum]) -> dict[str, Any]:
        """Return ``{band: (mean, std)}`` after the last pass, NaN where no pixel was valid."""
        return {name: own.finish() for name, own in state.items()}


class BandSum:
    """Range of a band in the first pass, sums on a fixed-point scale in the second."""

    def __init__(self, nodata: float, interval: tuple[float, float] | None) -> None:
        self.nodata = nodata
        self.low, self.high = math.inf, -math.inf
        self.points = None if interval is None else FixedPoint.over(*interval, SUM_LEVELS)
        self.n = self.total = self.squares = 0

    def take(self, array: Array) -> None:
        """Take in the pixels of a block."""
        flat = flat_view(array)
        if self.points is None:
            low, high = extremes(flat, self.nodata, finite=True)
            self.low, self.high = min(self.low, low), max(self.high, high)
            return
        sums = kernels.fixed_sums(flat, self.nodata, self.points.centre, self.points.scale)
        n, total, high_part, low_part = map(int, sums)
        self.n, self.total = self.n + n, self.total + total
        self.squares += (high_part << 30) + low_part

    def add(self, other: BandSum) -> None:
        """Add what another worker has found."""
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)
        self.n, self.total = self.n + other.n, self.total + other.total
        self.squares += other.squares

    def finish(self) -> tuple[float, float]:
        """Return the range after the first pass, mean and standard deviation after the second."""
        if self.points is None:
            return (self.low, self.high)
        n = self.n
        if n == 0:
            return (math.nan, math.nan)
        spread = math.sqrt((n * self.squares - self.total**2) / n**2)
        return (self.points.mean(self.total, n), math.ldexp(spread, self.points.exponent))
