"""How the values of a variable are distributed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from geotoolz.core import ParameterError, Plan, Reduce, Role, TileSpec
from geotoolz.metrics import _kernels
from geotoolz.metrics._pairs import _BATCH, batches, require_numbers
from geotoolz.metrics._result import Numbers

Array = np.ndarray[Any, Any]
_MOST_BINS = 1 << 20


@dataclass(frozen=True)
class HistogramCounts(Numbers):
    """Pixels per bin; histograms with the same edges are added: ``one + other``.

    Attributes
    ----------
    edges : tuple of float
        Edges of the bins, one more than bins. A bin holds its lower edge; the last one both.
    counts : tuple of int
        Pixels per bin.
    below, above : int
        Valid pixels outside the edges.
    left_out : int
        Pixels that are no-data, NaN or infinite.

    Examples
    --------
    >>> found = HistogramCounts((0.0, 0.5, 1.0), (30, 10))
    >>> found.n, found.density
    (40, (1.5, 0.5))
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    below: int = 0
    above: int = 0
    left_out: int = 0

    @property
    def n(self) -> int:
        """Pixels in the bins."""
        return sum(self.counts)

    @property
    def density(self) -> tuple[float, ...]:
        """Share per unit and bin; the bins' areas add up to 1. NaN without a pixel."""
        n = self.n
        widths = np.diff(self.edges).tolist()
        return tuple(c / n / w if n else math.nan for c, w in zip(self.counts, widths, strict=True))

    def __add__(self, other: HistogramCounts) -> HistogramCounts:
        if not isinstance(other, HistogramCounts):
            return NotImplemented
        if self.edges != other.edges:
            raise ParameterError(
                f"bins from {self.edges[0]:g} to {self.edges[-1]:g}, and from {other.edges[0]:g} to "
                f"{other.edges[-1]:g}",
                expected="histograms with the same edges",
                fix="Histogram(…, limits=(low, high))",
            )
        counts = tuple(a + b for a, b in zip(self.counts, other.counts, strict=True))
        return HistogramCounts(
            self.edges,
            counts,
            self.below + other.below,
            self.above + other.above,
            self.left_out + other.left_out,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return edges and counts as plain values."""
        return {"metric": "histogram", **super().to_dict(), "n": self.n}


class Histogram(Reduce):
    """Histogram of one variable: pixels per bin, ``edges[i] ≤ value < edges[i + 1]``.

    Bins are those of `numpy.histogram`: equally wide, the last one with its upper edge. Reads the
    variable, of any dims and data type, in its unit; writes nothing. No-data, NaN and infinities are
    left out and counted, and so are values outside given limits. Counting is exact, whatever the
    order and the cut.

    Parameters
    ----------
    field : str
        Role or name of the variable.
    bins : int
        Number of bins.
    limits : pair of float, optional
        Lowest and highest edge. By default the smallest and largest valid value, which takes a
        visit of the pixels more (and lazy tiles refuse).

    Returns
    -------
    HistogramCounts

    Raises
    ------
    MissingVariableError
        If the tile lacks the variable.
    TileError
        If it holds no numbers.
    ParameterError
        If there are no bins, or the limits are none.

    References
    ----------
    Harris, C. R. et al. (2020). Array programming with NumPy. Nature 585, 357–362 (`numpy.histogram`).

    Examples
    --------
    >>> import numpy as np
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.metrics import Histogram
    >>> tile = simulate_scene((32, 32), bands=("red",))
    >>> found = Histogram("red", 8, (0, 1))(tile)
    >>> found.counts == tuple(np.histogram(tile.red, 8, (0, 1))[0].tolist())
    True
    """

    field: Role
    bins: int = 256
    limits: tuple[float, float] | None = None

    block_pixels: ClassVar[int] = 1 << 20

    def prepare(self, values: dict[str, Any]) -> dict[str, Any]:
        """Accept whole numbers."""
        limits = values["limits"]
        if isinstance(limits, tuple | list) and all(type(edge) in (int, float) for edge in limits):
            return {**values, "limits": tuple(float(edge) for edge in limits)}
        return values

    def validate(self) -> None:
        """Check bins and limits."""
        if not 1 <= self.bins <= _MOST_BINS:
            raise ParameterError(f"bins={self.bins}", expected=f"1 to {_MOST_BINS}")
        if self.limits is not None and not -math.inf < self.limits[0] < self.limits[1] < math.inf:
            raise ParameterError(f"limits={self.limits}", expected="two finite numbers, low < high")

    def plan(self, tile: TileSpec) -> Plan:
        """Read the variable."""
        name = tile.find(self.field, "Histogram")
        require_numbers(name, tile.variables[name], "Histogram")
        return Plan((name,))

    def n_passes(self, tile: TileSpec) -> int:
        """Return one pass for given limits, else two."""
        return 1 if self.limits is not None else 2

    def init(self, tile: TileSpec, previous: Any = None) -> BinCounts:
        """Return empty counts; before the limits are known, an empty interval."""
        name = tile.find(self.field, "Histogram")
        return BinCounts(tile.variables[name].nodata_scalar, self.bins, self.limits or previous)

    def update(self, state: BinCounts, *arrays: Array) -> BinCounts:
        """Take in the pixels of a block."""
        state.take(arrays[0])
        return state

    def merge(self, a: BinCounts, b: BinCounts) -> BinCounts:
        """Add counts."""
        a.merge(b)
        return a

    def finish(self, state: BinCounts) -> Any:
        """Return the limits after a first pass, the histogram after the last."""
        return state.interval() if state.edges is None else state.histogram(state.edges)


class BinCounts:
    """Extremes in a first pass, counts per bin in the second."""

    def __init__(self, nodata: float, bins: int, limits: tuple[float, float] | None) -> None:
        self.nodata = nodata
        self.low, self.high = math.inf, -math.inf
        self.left_out = 0
        self.counts = np.zeros(bins + 2, np.int64)
        self.edges: Array | None = None
        self.scale = 0.0
        if limits is not None:
            self.edges = np.linspace(*limits, bins + 1)
            self.edges.flags.writeable = False
            with np.errstate(over="ignore"):
                self.scale = float(np.float64(bins) / np.float64(limits[1] - limits[0]))

    def take(self, array: Array) -> None:
        """Take in the pixels of a block."""
        buffer = np.empty(min(array.size, _BATCH))
        for (values,) in batches(array):
            n = int(_kernels.valid_values(values, self.nodata, buffer))
            self.left_out += values.size - n
            if self.edges is not None:
                _kernels.count_bins(buffer[:n], self.edges, self.scale, self.counts)
            elif n:
                self.low, self.high = min(self.low, buffer[:n].min()), max(self.high, buffer[:n].max())

    def merge(self, other: BinCounts) -> None:
        """Add what another worker has found."""
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)
        self.left_out += other.left_out
        self.counts += other.counts

    def interval(self) -> tuple[float, float]:
        """Return the limits that `numpy.histogram` takes for these extremes."""
        if self.low > self.high:
            return (0.0, 1.0)
        low, high = float(self.low), float(self.high)
        return (low - 0.5, high + 0.5) if low == high else (low, high)

    def histogram(self, edges: Array) -> HistogramCounts:
        """Return the counts."""
        below, *counts, above = self.counts.tolist()
        return HistogramCounts(tuple(edges.tolist()), tuple(counts), below, above, self.left_out)
