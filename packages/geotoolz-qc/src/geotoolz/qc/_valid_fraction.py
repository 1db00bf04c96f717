"""Whether enough pixels are valid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from geotoolz.core import Assertion, ParameterError, Plan, TileSpec, chosen_bands, flat_view
from geotoolz.qc import _kernels
from geotoolz.qc._base import OnFail, fail


@dataclass
class _Counts:
    nodata: dict[str, float]
    valid: dict[str, int]
    total: dict[str, int]


class AssertValidFraction(Assertion):
    """Let a tile pass only if enough of its pixels are valid.

    The share is taken per band; every chosen band must reach it. Counting is exact and decided
    when all pixels are seen, before a sink commits. An empty tile has no valid pixels.

    Parameters
    ----------
    min_valid : float
        Smallest acceptable share, 0 to 1.
    bands : sequence of str, optional
        By default all bands that hold measurements.
    on_fail : {"raise", "warn"}
        Raise `QCError`, or warn `QCWarning` and go on.

    Raises
    ------
    QCError
        If a band has too few valid pixels.
    ParameterError
        If the share is not between 0 and 1.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.qc import AssertValidFraction
    >>> tile = simulate_scene((16, 16))
    >>> AssertValidFraction(0.9)(tile).equals(tile)
    True
    """

    min_valid: float = 0.5
    bands: tuple[str, ...] | None = None
    on_fail: OnFail = "raise"

    def validate(self) -> None:
        """Check the share."""
        if not 0 <= self.min_valid <= 1:
            raise ParameterError(f"min_valid={self.min_valid}", expected="a share from 0 to 1")

    def plan(self, tile: TileSpec) -> Plan:
        """Read the bands."""
        return Plan(chosen_bands(tile, self.bands, type(self).__name__))

    def init(self, tile: TileSpec, previous: Any = None) -> _Counts:
        """Return empty counts."""
        names = chosen_bands(tile, self.bands, type(self).__name__)
        return _Counts(
            {n: tile.variables[n].nodata_scalar for n in names},
            dict.fromkeys(names, 0),
            dict.fromkeys(names, 0),
        )

    def update(self, state: _Counts, *arrays: np.ndarray[Any, Any]) -> _Counts:
        """Count a block."""
        for (name, nodata), array in zip(state.nodata.items(), arrays, strict=True):
            state.valid[name] += int(_kernels.count_valid(flat_view(array), nodata))
            state.total[name] += array.size
        return state

    def merge(self, a: _Counts, b: _Counts) -> _Counts:
        """Add counts."""
        for name in a.valid:
            a.valid[name] += b.valid[name]
            a.total[name] += b.total[name]
        return a

    def finish(self, state: _Counts) -> dict[str, float]:
        """Return the share of valid pixels per band."""
        return {n: state.valid[n] / state.total[n] if state.total[n] else 0.0 for n in state.valid}

    def decide(self, result: dict[str, float], tile: TileSpec) -> None:
        """Fail for the bands below the share."""
        poor = {name: share for name, share in result.items() if share < self.min_valid}
        if poor:
            found = ", ".join(f"{name} has {share:.1%} valid pixels" for name, share in poor.items())
            fail(self, found, f"at least {self.min_valid:.1%}", self.on_fail, tile)
