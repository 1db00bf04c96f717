"""Exponential, logarithm and roots for compiled formulas.

The C library's functions are calls, one per pixel, and other machines have others. These are plain
arithmetic in float64: the compiler turns them into vector instructions, and every machine gives the
same bits. Good to 2e-12 of the value, a hundred-thousandth of the float32 that is written. Imported when
the first formula is compiled: this brings numba.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any, TypeVar

import numba
import numpy as np
from numba.core import config
from numba.extending import intrinsic

from geotoolz.core._choose import choose, teach_choose
from geotoolz.core._jit import _OPTIONS, _cached

F = TypeVar("F", bound=Callable[..., Any])

_NAN = np.nan
_LOG2E = 1.4426950408889634
_LN2_HIGH = 0.6931471803691238  # the first 32 bits of ln 2: its multiples are exact
_LN2_LOW = 1.9082149292705877e-10
_ROUND = 6755399441055744.0  # 1.5 · 2^52: adding it leaves the nearest integer in the low bits
_TWO52 = 4503599627370496.0
_BITS52 = np.int64(0x4330000000000000)
_THIRD = 1.0 / 3.0
_CBRT = 1430192664.0  # the first guess is off by 5 % at most


def inlined(fn: F) -> F:
    """Compile a function into the loops that call it: a call would keep them from vector instructions."""
    if vars(config).get("DISABLE_JIT"):
        return fn
    teach_choose()
    built: F = _cached(numba.njit, fn, {**_OPTIONS, "forceinline": True})
    return built


def _exact_fma(a: float, b: float, c: float) -> float:
    """Return a · b + c, rounded once, where no processor does it: without the compiler."""
    if not (math.isfinite(a) and math.isfinite(b) and math.isfinite(c)):
        return a * b + c
    try:
        return float(Fraction(a) * Fraction(b) + Fraction(c)) or a * b + c  # a zero keeps its sign
    except OverflowError:
        return math.copysign(math.inf, a * b + c)


@intrinsic
def _compiled_fma(context: Any, a: Any, b: Any, c: Any) -> Any:
    """Return a · b + c, rounded once: half the instructions of a polynomial."""
    number = numba.types.float64

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fma(*arguments)

    return number(number, number, number), generate


fma: Any = _exact_fma if vars(config).get("DISABLE_JIT") else _compiled_fma


@inlined
def exp(x: Any) -> Any:
    """Return e to the power of x; 0 below −708, infinite above 709."""
    y = min(max(x, -708.0), 709.0)
    shifted = fma(y, _LOG2E, _ROUND)
    whole = shifted - _ROUND
    r = fma(whole, -_LN2_LOW, fma(whole, -_LN2_HIGH, y))
    # (e^r − 1 − r) / r²: the polynomial of degree 6 whose largest error is smallest, weighted with r² / e^r
    p = 2.4708277901578724e-05
    p = fma(p, r, 0.00019908935937744182)
    p = fma(p, r, 0.0013889197122835227)
    p = fma(p, r, 0.008333281813156027)
    p = fma(p, r, 0.04166666440538602)
    p = fma(p, r, 0.1666666678442239)
    p = fma(p, r, 0.5000000000426716)
    p = fma(p, r * r, 1.0 + r)
    # 2^whole, made of its bits
    bits = np.float64(shifted).view(np.int64)
    scale = np.int64((bits - np.int64(0x4338000000000000) + np.int64(1023)) << np.int64(52)).view(np.float64)
    value: Any = p * scale
    value = choose(x < -708.0, 0.0, value)
    value = choose(x > 709.0, np.inf, value)
    return choose(x != x, _NAN, value)


@inlined
def log(x: Any) -> Any:
    """Return the natural logarithm; NaN where x is not positive and finite."""
    fine = (x > 0.0) & (x < np.inf)
    y = np.float64(choose(fine, x, 1.0))
    bits = y.view(np.int64)
    exponent = np.int64((bits >> np.int64(52)) | _BITS52).view(np.float64)
    exponent = exponent - _TWO52 - 1023.0
    low = np.int64((bits & np.int64(0x000FFFFFFFFFFFFF)) | np.int64(0x3FF0000000000000))
    m = low.view(np.float64)
    above = m > 1.4142135623730951
    m = choose(above, 0.5 * m, m)
    exponent = choose(above, exponent + 1.0, exponent)
    s = (m - 1.0) / (m + 1.0)
    z = s * s
    # 2 · artanh(s)
    p = 1.0 / 13.0
    p = fma(p, z, 1.0 / 11.0)
    p = fma(p, z, 1.0 / 9.0)
    p = fma(p, z, 1.0 / 7.0)
    p = fma(p, z, 1.0 / 5.0)
    p = fma(p, z, _THIRD)
    twice = 2.0 * s
    value = fma(exponent, _LN2_HIGH, fma(exponent, _LN2_LOW, fma(twice * z, p, twice)))
    return choose(fine, value, _NAN)


@inlined
def power(x: Any, exponent: Any) -> Any:
    """Return x to a positive power that is no integer; NaN where x is negative."""
    value = exp(exponent * log(x))
    return choose(x == 0.0, 0.0, value)


@inlined
def cbrt(x: Any) -> Any:
    """Return the cube root; NaN where x is negative, as powers of 1/3 have it."""
    fine = (x > 0.0) & (x < np.inf)
    y = np.float64(choose(fine, x, 1.0))
    # a third of the exponent, in the high bits, begins the iteration of y^(-1/3), which needs no division
    high = np.int64((y.view(np.int64) >> np.int64(32)) | _BITS52).view(np.float64) - _TWO52
    guess = np.float64(_CBRT - high * _THIRD + _TWO52).view(np.int64) << np.int64(32)
    r = np.int64(guess).view(np.float64)
    r = r * fma(y * r, r * r * -_THIRD, 4.0 * _THIRD)
    r = r * fma(y * r, r * r * -_THIRD, 4.0 * _THIRD)
    r = r * fma(y * r, r * r * -_THIRD, 4.0 * _THIRD)
    r = r * fma(y * r, r * r * -_THIRD, 4.0 * _THIRD)
    value: Any = y * r * r
    value = choose(x == 0.0, 0.0, value)
    return choose(fine | (x == 0.0), value, _NAN)
