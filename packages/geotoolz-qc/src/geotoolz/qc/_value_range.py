"""Whether values are where they should be."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from geotoolz.core import Assertion, ParameterError, Plan, TileSpec, chosen_bands, flat_view
from geotoolz.qc import _kernels
from geotoolz.qc._base import OnFail, fail


@dataclass
class RangeCount:
    """Counts of one band.

    Attributes
    ----------
    valid, outside : int
        Valid pixels, and those outside the range.
    low, high : float
        Smallest and largest valid value.
    """

    nodata: float = field(repr=False)
    valid: int = 0
    outside: int = 0
    low: float = math.inf
    high: float = -math.inf

    def add(self, valid: int, outside: int, low: float, high: float) -> None:
        """Take in the counts of a block."""
        self.valid += int(valid)
        self.outside += int(outside)
        self.low, self.high = min(self.low, float(low)), max(self.high, float(high))


class AssertValueRange(Assertion):
    """Let a tile pass only if its valid values lie within a range.

    Parameters
    ----------
    min_val, max_val : float
        The range, ends included.
    bands : sequence of str, optional
        By default all bands that hold measurements.
    max_outside : float
        Share of valid pixels that may lie outside.
    on_fail : {"raise", "warn"}
        Raise `QCError`, or warn `QCWarning` and go on.

    Raises
    ------
    QCError
        If too many values lie outside; the error names band, extremes and share.
    ParameterError
        If the range is empty.

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
    on_fail: OnFail = "raise"

    def validate(self) -> None:
        """Check the range."""
        if not self.min_val <= self.max_val:
            raise ParameterError(
                f"min_val={self.min_val}, max_val={self.max_val}", expected="min_val ≤ max_val"
            )
        if not 0 <= self.max_outside <= 1:
            raise ParameterError(f"max_outside={self.max_outside}", expected="a share from 0 to 1")

    def plan(self, tile: TileSpec) -> Plan:
        """Read the bands."""
        return Plan(chosen_bands(tile, self.bands, type(self).__name__))

    def init(self, tile: TileSpec, previous: Any = None) -> dict[str, RangeCount]:
        """Return empty counts."""
        names = chosen_bands(tile, self.bands, type(self).__name__)
        return {n: RangeCount(tile.variables[n].nodata_scalar) for n in names}

    def update(self, state: dict[str, RangeCount], *arrays: np.ndarray[Any, Any]) -> dict[str, RangeCount]:
        """Count a block."""
        for count, array in zip(state.values(), arrays, strict=True):
            flat = flat_view(array)
            count.add(*_kernels.count_outside(flat, count.nodata, self.min_val, self.max_val))
        return state

    def merge(self, a: dict[str, RangeCount], b: dict[str, RangeCount]) -> dict[str, RangeCount]:
        """Add counts."""
        for name, count in a.items():
            other = b[name]
            count.add(other.valid, other.outside, other.low, other.high)
        return a

    def finish(self, state: dict[str, RangeCount]) -> dict[str, RangeCount]:
        """Return the counts per band."""
        return state

    def decide(self, result: dict[str, RangeCount], tile: TileSpec) -> None:
        """Fail for the bands with too many values outside."""
        bad = {n: c for n, c in result.items() if c.outside > self.max_outside * c.valid}
        if bad:
            found = ", ".join(
                f"{n} lies in {c.low:.4g} … {c.high:.4g}, {c.outside} of {c.valid} pixels outside"
                for n, c in bad.items()
            )
            allowed = f", but for {self.max_outside:.2%}" if self.max_outside else ""
            fail(self, found, f"{self.min_val:g} … {self.max_val:g}{allowed}", self.on_fail, tile)
