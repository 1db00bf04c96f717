"""What the values of bands are like, in a few numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from geotoolz.core import Plan, Reduce, Role, TileSpec, chosen_bands
from geotoolz.metrics import _kernels
from geotoolz.metrics._exact import ExactSum, root
from geotoolz.metrics._pairs import _BATCH, batches, require_numbers
from geotoolz.metrics._result import Numbers, Score

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class BandSummary(Numbers):
    """Numbers of one band.

    Attributes
    ----------
    n, left_out : int
        Pixels that counted, and those that are no-data, NaN or infinite.
    low, high : float
        Smallest and largest value; NaN without a valid pixel, as the following.
    mean : float
        Mean.
    std : float
        Standard deviation of the population (divided by n).
    """

    n: int
    left_out: int
    low: float
    high: float
    mean: float
    std: float


class SummaryStats(Reduce):
    """Number of valid pixels, extremes, mean and standard deviation of bands.

    Reads the bands, of any dims and data types, in their units; writes nothing. No-data, NaN and
    infinities are left out and counted; a band without a valid pixel has NaN. Mean and standard
    deviation, ``sqrt(Σ(x − mean)² / n)``, are those of the exact sums, rounded once: order, windows
    and threads change no bit, and a large common offset costs no digits.

    Parameters
    ----------
    bands : sequence of str, optional
        By default all bands that hold measurements.

    Returns
    -------
    dict of str to BandSummary

    Raises
    ------
    MissingVariableError
        If the tile lacks a band.

    References
    ----------
    Neal, R. M. (2015). Fast exact summation using small and large superaccumulators. arXiv:1505.05571.
    Dekker, T. J. (1971). A floating-point technique for extending the available precision.
    Numerische Mathematik 18, 224–242 (exact squares).

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.metrics import SummaryStats
    >>> tile = simulate_scene((32, 32), bands=("red",))
    >>> found, values = SummaryStats()(tile)["red"], tile.red.values.astype("f8")
    >>> found.n, bool(found.low == values.min()), abs(found.mean - float(values.mean())) < 1e-9
    (1024, True, True)
    """

    bands: tuple[str, ...] | None = None

    block_pixels: ClassVar[int] = 1 << 20

    def plan(self, tile: TileSpec) -> Plan:
        """Read the bands."""
        return Plan(chosen_bands(tile, self.bands, type(self).__name__))

    def init(self, tile: TileSpec, previous: Any = None) -> dict[str, BandSums]:
        """Return empty sums."""
        names = chosen_bands(tile, self.bands, type(self).__name__)
        return {name: BandSums(tile.variables[name].nodata_scalar) for name in names}

    def update(self, state: dict[str, BandSums], *arrays: Array) -> dict[str, BandSums]:
        """Take in the pixels of a block."""
        for own, array in zip(state.values(), arrays, strict=True):
            own.take(array)
        return state

    def merge(self, a: dict[str, BandSums], b: dict[str, BandSums]) -> dict[str, BandSums]:
        """Add sums."""
        for name, own in a.items():
            own.merge(b[name])
        return a

    def finish(self, state: dict[str, BandSums]) -> dict[str, BandSummary]:
        """Return the numbers per band."""
        return {name: own.summary() for name, own in state.items()}


class MeanScalar(Reduce):
    """The mean of one variable as one number: ``Σ x / n``.

    Reads the variable, of any dims and data type, in its unit; writes nothing. No-data, NaN and
    infinities are left out and counted; NaN without a valid pixel. The sum is exact and rounded
    once, so that order, windows and threads change no bit.

    Parameters
    ----------
    field : str
        Role or name of the variable.

    Returns
    -------
    Score
        A number that sorts like any other, for rankings of tiles.

    Raises
    ------
    MissingVariableError
        If the tile lacks the variable.
    TileError
        If it holds no numbers.

    References
    ----------
    Neal, R. M. (2015). Fast exact summation using small and large superaccumulators. arXiv:1505.05571.

    Examples
    --------
    >>> from geotoolz.core.testing import contract_tile
    >>> from geotoolz.metrics import MeanScalar
    >>> tile = contract_tile()
    >>> MeanScalar("mask")(tile) == float(tile.mask.mean())
    True
    """

    field: Role

    block_pixels: ClassVar[int] = 1 << 20

    def plan(self, tile: TileSpec) -> Plan:
        """Read the variable."""
        name = tile.find(self.field, "MeanScalar")
        require_numbers(name, tile.variables[name], "MeanScalar")
        return Plan((name,))

    def init(self, tile: TileSpec, previous: Any = None) -> BandSums:
        """Return empty sums."""
        name = tile.find(self.field, "MeanScalar")
        return BandSums(tile.variables[name].nodata_scalar, mean_only=True)

    def update(self, state: BandSums, *arrays: Array) -> BandSums:
        """Take in the pixels of a block."""
        state.take(arrays[0])
        return state

    def merge(self, a: BandSums, b: BandSums) -> BandSums:
        """Add sums."""
        a.merge(b)
        return a

    def finish(self, state: BandSums) -> Score:
        """Return the mean."""
        return Score(state.total.over(state.n), "mean", state.n, state.left_out)


class BandSums:
    """Extremes, sum and sum of squares of one band."""

    def __init__(self, nodata: float, mean_only: bool = False) -> None:
        self.nodata, self.mean_only = nodata, mean_only
        self.n = self.left_out = 0
        self.low, self.high = math.inf, -math.inf
        self.total, self.squares = ExactSum(), ExactSum()

    def take(self, array: Array) -> None:
        """Take in the pixels of a block."""
        room = min(array.size, _BATCH)
        buffer, high, low = np.empty(room), np.empty(room), np.empty(room)
        for (values,) in batches(array):
            n = int(_kernels.valid_values(values, self.nodata, buffer))
            self.n, self.left_out = self.n + n, self.left_out + values.size - n
            self.total.add(buffer[:n])
            if n and not self.mean_only:
                self.low, self.high = min(self.low, buffer[:n].min()), max(self.high, buffer[:n].max())
                _kernels.squares(buffer[:n], high[:n], low[:n])
                self.squares.add(high[:n])
                self.squares.add(low[:n])

    def merge(self, other: BandSums) -> None:
        """Add what another worker has found."""
        self.n, self.left_out = self.n + other.n, self.left_out + other.left_out
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)
        self.total.merge(other.total)
        self.squares.merge(other.squares)

    def summary(self) -> BandSummary:
        """Return the numbers."""
        if not self.n:
            return BandSummary(0, self.left_out, math.nan, math.nan, math.nan, math.nan)
        std = math.inf  # a square beyond float64
        if self.squares.is_finite:
            std = root(self.squares.exact / self.n - (self.total.exact / self.n) ** 2)
        low, high = float(self.low) + 0.0, float(self.high) + 0.0  # −0 is 0
        return BandSummary(self.n, self.left_out, low, high, self.total.over(self.n), std)
