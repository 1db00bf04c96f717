"""Whether a difference grows along time or space."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from geotoolz.diff._resample import limits

Array = np.ndarray[Any, Any]
_YEAR = 365.25 * 86_400.0
FEWEST = 3


@dataclass(frozen=True)
class Drift:
    """The slope of a metric of tiles.

    Attributes
    ----------
    along : str
        "time", "longitude" or "latitude".
    slope : float
        Per year, or per degree.
    low, high : float
        Its interval.
    tiles : int
    """

    along: str
    slope: float
    low: float
    high: float
    tiles: int

    @property
    def unit(self) -> str:
        """What the slope is per."""
        return "year" if self.along == "time" else "degree"

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low > 0 or self.high < 0


def drift(
    along: str, x: Sequence[float], y: Sequence[float], drawn: Array, confidence: float
) -> Drift | None:
    """Fit a line by least squares; its interval comes from drawing the tiles again.

    Parameters
    ----------
    along : str
    x, y : sequence of float
        NaN where not known.
    drawn : array
        See `resamples`.
    confidence : float

    Returns
    -------
    Drift or None
        None with fewer than three tiles, or without any spread along `x`.
    """
    xs, ys = np.array(x, np.float64), np.array(y, np.float64)
    known = np.isfinite(xs) & np.isfinite(ys)
    if known.sum() < FEWEST or np.ptp(xs[known]) == 0:
        return None
    xs, ys, weights = xs[known], ys[known], drawn[:, known].astype(np.float64)
    xs = xs - xs.mean()  # far from 0 the sums would lose digits
    slopes = _slopes(xs, ys, weights)
    slopes = slopes[np.isfinite(slopes)]
    if not slopes.size:
        return None
    here = float(_slopes(xs, ys, np.ones((1, xs.size)))[0])
    return Drift(along, here, *limits(slopes, confidence), int(known.sum()))


def _slopes(x: Array, y: Array, weights: Array) -> Array:
    """Return the slope of the regression line under every row of weights; NaN without spread."""
    total = weights.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean_x = (weights * x).sum(axis=1) / total
        mean_y = (weights * y).sum(axis=1) / total
        off = x - mean_x[:, None]
        spread = (weights * off**2).sum(axis=1)
        slope = (weights * off * (y - mean_y[:, None])).sum(axis=1) / spread
    # a resample of tiles of one moment has no slope; what is left of it is rounding
    distinct = np.array([np.unique(x[row > 0]).size for row in weights])
    found: Array = np.where(distinct > 1, slope, np.nan)
    return found


def years(text: str) -> float:
    """Return a moment in years since 1970; NaN where it is none.

    Examples
    --------
    >>> years("1971-01-01T06:00:00Z"), years("")
    (1.0, nan)
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return math.nan
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment.timestamp() / _YEAR
