"""Whether tiles fall into two groups: most are fine, and some are not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
THRESHOLD = 5 / 9
"""The coefficient of a uniform distribution; larger ones point to two modes."""
FEWEST = 10


@dataclass(frozen=True)
class Bimodality:
    """What the values of tiles look like.

    Attributes
    ----------
    coefficient : float
        Sarle's; NaN with fewer than 4 values, or where all are equal.
    flagged : bool
        Whether it lies above 5/9, with 10 tiles or more.
    split : float
        The value between the two groups.
    worse : tuple of str
        The tiles of the worse group.
    """

    coefficient: float
    flagged: bool
    split: float
    worse: tuple[str, ...]


def bimodality(
    values: Sequence[float], names: Sequence[str], *, higher_is_better: bool = False
) -> Bimodality:
    """Test the values of tiles for two groups, and tell them apart.

    Sarle's bimodality coefficient is ``(s² + 1) / (k + 3 (n − 1)² / ((n − 2)(n − 3)))`` with the
    sample skewness ``s`` and excess kurtosis ``k``, both corrected for bias. It comes near 1 where a
    few values lie far from the others, and is 5/9 of a uniform distribution. A long tail raises it as
    well: a flag is a reason to look at the tiles, no proof. The two groups are those between which the
    variance is largest (Otsu).

    Parameters
    ----------
    values : sequence of float
        Not finite ones are left out.
    names : sequence of str
        The tiles.
    higher_is_better : bool
        Whether the worse group is the lower one.

    Returns
    -------
    Bimodality

    References
    ----------
    Pfister, R., Schwarz, K. A., Janczyk, M., Dale, R., Freeman, J. B. (2013). Good things peak in pairs: a
    note on the bimodality coefficient. Frontiers in Psychology 4, 700.
    Otsu, N. (1979). A threshold selection method from gray-level histograms. IEEE Transactions on
    Systems, Man, and Cybernetics 9, 62–66.

    Examples
    --------
    >>> found = bimodality([0.1] * 8 + [0.9] * 2, list("abcdefghij"))
    >>> found.flagged, found.split, found.worse
    (True, 0.5, ('i', 'j'))
    """
    kept = [(float(v), name) for v, name in zip(values, names, strict=True) if math.isfinite(v)]
    found = np.array([value for value, _ in kept])
    coefficient = sarle(found)
    split = otsu(found)
    worse = tuple(name for value, name in kept if (value < split if higher_is_better else value > split))
    return Bimodality(coefficient, len(kept) >= FEWEST and coefficient > THRESHOLD, split, worse)


def sarle(values: Array) -> float:
    """Return the bimodality coefficient; NaN where it is not defined."""
    n = values.size
    if n < 4 or values.min() == values.max():
        return math.nan
    off = values - values.mean()
    m2, m3, m4 = ((off**power).mean() for power in (2, 3, 4))
    skew = m3 / m2**1.5 * math.sqrt(n * (n - 1)) / (n - 2)
    excess = (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * (m4 / m2**2 - 3) + 6)
    return float((skew**2 + 1) / (excess + 3 * (n - 1) ** 2 / ((n - 2) * (n - 3))))


def otsu(values: Array) -> float:
    """Return the middle of the gap between the two groups with the largest variance between them."""
    ordered = np.sort(values)
    if ordered.size < 2 or ordered[0] == ordered[-1]:
        return math.nan
    n = ordered.size
    below = np.cumsum(ordered)[:-1] / np.arange(1, n)
    above = (ordered.sum() - np.cumsum(ordered)[:-1]) / np.arange(n - 1, 0, -1)
    between = np.arange(1, n) * np.arange(n - 1, 0, -1) * (above - below) ** 2
    between[ordered[1:] == ordered[:-1]] = -1.0  # equal values belong together
    cut = int(between.argmax())
    return float((ordered[cut] + ordered[cut + 1]) / 2)
