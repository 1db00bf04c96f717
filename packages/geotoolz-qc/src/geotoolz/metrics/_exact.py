"""Sums of float64 numbers that are exact, so that their order and their cut do not matter.

The "small superaccumulator" of Neal (2015): a number is a whole one times a power of two, and is
added to the 32-bit places where its bits belong. Places are 64 bits wide, so that carries need to be
settled only now and then. A sum is rounded once, when it is asked for.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np

from geotoolz.core import kernel

Array = np.ndarray[Any, Any]
PLACES = 67
"""Places of 32 bits for all of float64's range, and some for carries."""
_OFTEN = 1024
_LOWEST = Fraction(1, 2**1075)


@kernel
def add_exactly(places: Any, words: Any) -> None:
    """Add finite float64 numbers, given by their bits, to a sum; carries are settled afterwards."""
    count = words.size
    for begin in range(0, count, _OFTEN):
        for i in range(begin, min(begin + _OFTEN, count)):
            word = words[i]
            exponent = (word >> 52) & 0x7FF
            mantissa = word & 0xFFFFFFFFFFFFF
            mantissa = mantissa | (np.int64(1) << 52) if exponent else mantissa
            exponent = max(exponent, np.int64(1))
            place, shift = exponent >> 5, exponent & 31
            # the high bits are taken first: shifted up, they would fall off
            high = mantissa >> (32 - shift)
            low = ((mantissa & 0xFFFFFFFF) << shift) & 0xFFFFFFFF
            if word < 0:
                places[place] -= low
                places[place + 1] -= high
            else:
                places[place] += low
                places[place + 1] += high
        carry = np.int64(0)
        for k in range(places.size - 1):
            value = places[k] + carry
            carry = value >> 32
            places[k] = value & 0xFFFFFFFF
        places[places.size - 1] += carry


class ExactSum:
    """A sum of float64 numbers without rounding; infinities and NaN are remembered apart."""

    __slots__ = ("places", "special")

    def __init__(self) -> None:
        self.places = np.zeros(PLACES, np.int64)
        self.special = 0.0

    def add(self, values: Array) -> None:
        """Add the numbers of a flat, contiguous float64 array."""
        words = values.view(np.int64)
        finite = np.isfinite(values)
        if not finite.all():
            self.special += _specials(values[~finite])
            words = words[finite]
        words.flags.writeable = False
        add_exactly(self.places, words)

    def merge(self, other: ExactSum) -> None:
        """Add another sum."""
        self.places += other.places  # both settled: no place comes near its limit
        add_exactly(self.places, np.zeros(1).view(np.int64))
        self.special += other.special

    @property
    def exact(self) -> Fraction:
        """The sum of the finite numbers."""
        whole = 0
        for place in reversed(self.places.tolist()):
            whole = (whole << 32) + place
        return whole * _LOWEST

    @property
    def is_finite(self) -> bool:
        """Whether all numbers were finite."""
        return self.special == 0.0

    def over(self, n: int) -> float:
        """Return the sum divided by a number, rounded once; NaN for 0."""
        if n == 0:
            return math.nan
        return self.special if not self.is_finite else rounded(self.exact / n)


def _specials(values: Array) -> float:
    """Return inf, −inf, or NaN for both."""
    up, down = bool((values == np.inf).any()), bool((values == -np.inf).any())
    return math.nan if up == down else math.inf if up else -math.inf


def rounded(value: Fraction) -> float:
    """Return the nearest float64; infinite where it is too large."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def root(value: Fraction) -> float:
    """Return the square root of a fraction, rounded once."""
    if value <= 0:
        return 0.0
    # an even power of two makes a whole number of some 300 bits; its root has 150
    size = value.numerator.bit_length() - value.denominator.bit_length()
    half = (300 - size) // 2
    scaled = value * Fraction(4) ** half
    whole = math.isqrt(scaled.numerator // scaled.denominator)
    if whole * whole != scaled:  # what was cut off keeps a tie from being one
        whole |= 1
    return rounded(whole / Fraction(2) ** half)
