"""Whether values are where they should be."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from geotoolz.core import Extent, ParameterError, Plan, TileSpec, chosen_bands, flat_view
from geotoolz.qc import _kernels
from geotoolz.qc._base import OnFail, TileAssertion, Verdict
from geotoolz.qc._sample import Looked, share_error
from geotoolz.radiometry._extremes import extremes
from geotoolz.radiometry._percentiles import check_sample_cell

Array = np.ndarray[Any, Any]


@dataclass
class RangeCount:
    """Counts of one band.

    Attributes
    ----------
    valid, outside : int
        Valid pixels that were looked at, and those outside the range.
    low, high : float
        Smallest and largest valid value; inf and −inf if there is none.
    cells : int
        Cells that one pixel each was drawn from; without sampling the number of pixels.
    cell : int
        Side of a cell in pixels; 1 where every pixel was counted.
    """

    nodata: float = field(repr=False)
    valid: int = 0
    outside: int = 0
    low: float = math.inf
    high: float = -math.inf
    cells: int = field(default=0, repr=False)
    cell: int = field(default=1, repr=False)

    def add(self, valid: int, outside: int, low: float, high: float, cells: int) -> None:
        """Take in the counts of a block."""
        self.valid += int(valid)
        self.outside += int(outside)
        self.low, self.high = min(self.low, float(low)), max(self.high, float(high))
        self.cells += cells

    @property
    def share(self) -> float:
        """Share of the valid pixels that lie outside; 0 where no pixel is valid."""
        return self.outside / self.valid if self.valid else 0.0

    def error(self, confidence: float = 0.99) -> float:
        """Return by how much `share` may be off, with this probability; 0 without sampling.

        Hoeffding's inequality (1963): ``sqrt(cells · ln(2 / (1 − confidence)) / 2) / valid``.
        """
        return share_error(self.cells, self.valid, self.cell, confidence)


class _State:
    """Counts per band."""

    def __init__(self, tile: TileSpec, names: tuple[str, ...], cell: int) -> None:
        self.looked: Looked = Looked(tile, cell)
        self.counts: dict[str, RangeCount] = {
            n: RangeCount(tile.variables[n].nodata_scalar, cell=cell) for n in names
        }


class AssertValueRange(TileAssertion):
    """Let a tile pass only if its valid values lie within a range: ``min_val ≤ value ≤ max_val``.

    No-data and NaN do not count, infinities do; a band without a valid pixel passes. Values are
    compared as they are stored, in the unit of the variable; decided when all pixels are seen, before
    a sink commits; pixels pass unchanged. Bands may have any dims and data type.

    For hot paths (a tile server) ``sample_cell=8`` looks at one pixel of every 8 × 8, drawn from the
    cell's place on the absolute lattice of the grid and the tile's ``tile_id`` and ``datetime``: the
    same pixels, and the same verdict, however the tile is cut. A share ``s`` of pixels outside then
    goes unseen with a probability of at most ``exp(−n·s)``, ``n`` being the pixels looked at; the
    result's ``error()`` says how far the found share may be off.

    Parameters
    ----------
    min_val, max_val : float
        The range, ends included.
    bands : sequence of str, optional
        By default all bands that hold measurements.
    max_outside : float
        Share of valid pixels that may lie outside.
    sample_cell : int
        Side in pixels of the cells of which one pixel each is looked at; a power of two. 1 looks at
        every pixel.
    on_fail : {"raise", "warn", "tag"}
        Raise `QCError`; warn `QCWarning` and go on; or go on and write what was found into the tile's
        attribute ``qc_failed``, which a lazy tile cannot have before its pixels are seen.

    Raises
    ------
    QCError
        If too many values lie outside; the error names band, extremes and share.
    ParameterError
        If the range is empty, the share not between 0 and 1, or the cell's side no power of two.

    References
    ----------
    Hoeffding, W. (1963). Probability inequalities for sums of bounded random variables. J. Am. Stat.
    Assoc. 58, 13–30 (the sample's error).

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.qc import AssertValueRange
    >>> tile = simulate_scene((16, 16))
    >>> AssertValueRange(-0.2, 1.6)(tile).equals(tile)
    True
    """

    min_val: float
    max_val: float
    bands: tuple[str, ...] | None = None
    max_outside: float = 0.0
    sample_cell: int = 1
    on_fail: OnFail = "raise"

    located: ClassVar[bool] = True
    block_pixels: ClassVar[int] = 1 << 18

    def validate(self) -> None:
        """Check the range."""
        if not self.min_val <= self.max_val:
            raise ParameterError(
                f"min_val={self.min_val}, max_val={self.max_val}", expected="min_val ≤ max_val"
            )
        if not 0 <= self.max_outside <= 1:
            raise ParameterError(f"max_outside={self.max_outside}", expected="a share from 0 to 1")
        check_sample_cell(self.sample_cell)

    def plan(self, tile: TileSpec) -> Plan:
        """Read the bands."""
        return Plan(chosen_bands(tile, self.bands, type(self).__name__))

    def init(self, tile: TileSpec, previous: Any = None) -> _State:
        """Return empty counts."""
        return _State(tile, chosen_bands(tile, self.bands, type(self).__name__), self.sample_cell)

    def update(self, state: _State, *arrays: Array, extent: Extent | None = None) -> _State:
        """Count a block."""
        for count, array in zip(state.counts.values(), arrays, strict=True):
            pixels, cells = state.looked.at(array, extent)
            flat = flat_view(pixels)
            valid, outside = _kernels.count_outside(flat, count.nodata, self.min_val, self.max_val)
            count.add(valid, outside, *extremes(flat, count.nodata), cells=cells)
        return state

    def merge(self, a: _State, b: _State) -> _State:
        """Add counts."""
        for name, count in a.counts.items():
            other = b.counts[name]
            count.add(other.valid, other.outside, other.low, other.high, other.cells)
        return a

    def finish(self, state: _State) -> dict[str, RangeCount]:
        """Return the counts per band."""
        return state.counts

    def judge(self, result: dict[str, RangeCount], tile: TileSpec) -> Verdict:
        """Compare every band's share of values outside."""
        bad = {n: c for n, c in result.items() if c.outside > self.max_outside * c.valid}
        found = ", ".join(f"{n} {_described(c)}" for n, c in (bad or result).items())
        allowed = f", but for {self.max_outside:.2%}" if self.max_outside else ""
        return Verdict(not bad, found or "no bands", f"{self.min_val:g} … {self.max_val:g}{allowed}")


def _described(count: RangeCount) -> str:
    if not count.valid:
        return "has no valid pixel"
    kind = "sampled pixels" if count.cell > 1 else "pixels"
    return f"lies in {count.low:.4g} … {count.high:.4g}, {count.outside} of {count.valid} {kind} outside"
