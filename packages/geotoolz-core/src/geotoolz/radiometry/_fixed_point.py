"""A scale of whole steps over the range of a band, on which sums are exact in any order."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

GRAM_LEVELS = 2**22 - 2
"""Steps on each side of the centre: products of two, summed over 512 pixels, stay below 2**53."""
SUM_LEVELS = 2**30 - 2
"""Steps on each side of the centre where squares are summed as 64-bit integers."""
_SMALLEST = -1000


@dataclass(frozen=True, slots=True)
class FixedPoint:
    """Values as whole numbers of steps from a centre.

    A value becomes ``rint((value − centre) / 2**exponent)``. The step is the smallest power of two
    with which the range fits, so that a value is rounded by half a step, at most
    ``range / (2 · levels)``; whole numbers are not rounded at all where the step is at most 1.

    Attributes
    ----------
    centre : float
        A whole number of steps.
    exponent : int
        The step is ``2**exponent``.
    rounding : float
        The largest difference between a value and its place on the scale.
    """

    centre: float
    exponent: int
    rounding: float

    @classmethod
    def over(cls, low: float, high: float, levels: int, whole: bool = False) -> FixedPoint:
        """Return the scale for values, maybe whole numbers, from `low` to `high`."""
        radius = high / 2 - low / 2
        if not radius > 0:  # one value, or none
            return cls(low if math.isfinite(low) else 0.0, 0, 0.0)
        exponent = max(math.frexp(radius / levels)[1], _SMALLEST)
        steps = math.ldexp(low / 2 + high / 2, -exponent)
        centre = math.ldexp(float(round(steps)), exponent) if abs(steps) < 2**53 else low / 2 + high / 2
        rounding = 0.0 if whole and exponent <= 0 else math.ldexp(0.5, exponent)
        return cls(centre, exponent, rounding)

    @property
    def scale(self) -> float:
        """Steps per unit."""
        return math.ldexp(1.0, -self.exponent)

    def mean(self, total: int, n: int) -> float:
        """Return the mean of `n` values whose steps sum up to `total`, rounded once."""
        return float(Fraction(self.centre) + Fraction(2) ** self.exponent * Fraction(total, n))


def scaled(numerator: int, denominator: int, exponent: int) -> float:
    """Return ``numerator / denominator · 2**exponent``, rounded once (inf where it is too large)."""
    try:
        return math.ldexp(numerator / denominator, exponent)
    except OverflowError:
        return math.inf if numerator > 0 else -math.inf
