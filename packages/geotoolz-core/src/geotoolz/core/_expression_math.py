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

IN_FORMULAS = ("cbrt", "decay", "exp", "log", "power", "root")
"""The functions that the source of a loop calls by name."""

_NAN = np.nan
_LOG2E = 1.4426950408889634
_LN2 = 0.6931471805599453
_ROUND = 6755399441055744.0  # 1.5 · 2^52: adding it leaves the nearest integer in the low bits
_BIASED = _ROUND + 1023.0  # the same, with the exponent of a float64 in the low bits
_TWO52 = 4503599627370496.0
_BITS52 = np.int64(0x4330000000000000)
_MANTISSA = np.int64(0x000FFFFFFFFFFFFF)
_ROOT_HALF = np.int64(0x3FE6A09E667F3BCD)  # the bits of √½
_CARRY = np.int64(0x00095F619980C433)  # from the bits of √½ to those of 1: carries at every √½ · 2^k
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
def _exp2(y: Any) -> Any:
    """Return 2 to the power of y, at most 8e-13 of it off: 0 below −1022.5, infinite from 1023.5."""
    y = choose(y < -1023.0, -1023.0, y)  # NaN is neither, and stays
    y = choose(y > 1024.0, 1024.0, y)
    shifted = y + _BIASED
    return _scaled(y - (shifted - _BIASED), shifted)


@inlined
def _scaled(r: Any, shifted: Any) -> Any:
    """Return 2 to the power of r, |r| ≤ ½, and of the whole number in the low bits of `shifted`."""
    # 2^r = 1 + r · (polynomial of degree 7), whose largest error is smallest
    p = 1.317893137603303e-06
    p = fma(p, r, 1.5309156104221423e-05)
    p = fma(p, r, 0.000154038254704941)
    p = fma(p, r, 0.0013333454860869729)
    p = fma(p, r, 0.009618128616117192)
    p = fma(p, r, 0.05550410935265866)
    p = fma(p, r, 0.24022650698110598)
    p = fma(p, r, 0.6931471805482124)
    p = fma(p, r, 1.0)
    # the whole power is made of its bits; those of 2^-1023 are 0, those of 2^1024 infinite
    return p * np.int64(np.float64(shifted).view(np.int64) << np.int64(52)).view(np.float64)


@inlined
def _log2(x: Any) -> Any:
    """Return the logarithm to the base of 2 of what is positive and finite, and nonsense of all else."""
    # x = 2^whole · m, √½ ≤ m < √2
    carried = np.int64(np.float64(x).view(np.int64) + _CARRY)
    whole = np.int64((carried >> np.int64(52)) | _BITS52).view(np.float64) - (_TWO52 + 1023.0)
    m = np.int64((carried & _MANTISSA) + _ROOT_HALF).view(np.float64)
    s = (m - 1.0) / (m + 1.0)
    z = s * s
    # 2 / ln 2 · artanh(s) / s: the polynomial whose largest error, 3e-14 of it, is smallest
    p = 0.282899281459652
    p = fma(p, z, 0.31990575510624353)
    p = fma(p, z, 0.4122092510534761)
    p = fma(p, z, 0.5770779423768015)
    p = fma(p, z, 0.9617966941133066)
    p = fma(p, z, 2.88539008177785)
    return fma(s, p, whole)


@inlined
def exp(x: Any) -> Any:
    """Return e to the power of x; 0 below −708.8, infinite from 709.5."""
    return _exp2(x * _LOG2E)


@inlined
def decay(square: Any, rate: Any) -> Any:
    """Return 2 to the power of rate · square, for a square and a negative rate: never large."""
    y = rate * square
    y = choose(y < -1023.0, -1023.0, y)
    shifted = y + _BIASED
    return _scaled(y - (shifted - _BIASED), shifted)


@inlined
def log(x: Any) -> Any:
    """Return the natural logarithm; NaN where x is not positive and finite."""
    return choose((x > 0.0) & (x < np.inf), _log2(x) * _LN2, _NAN)


@inlined
def power(x: Any, exponent: Any) -> Any:
    """Return x to a positive power that is no integer; NaN where x is negative or not finite."""
    value = _exp2(exponent * _log2(x))
    return choose((x > 0.0) & (x < np.inf), value, choose(x == 0.0, 0.0, _NAN))


@inlined
def root(x: Any, exponent: Any) -> Any:
    """Return the same for an exponent up to 0.9, whose powers are never too large or too small."""
    logarithm = _log2(x)
    shifted = fma(exponent, logarithm, _BIASED)
    value = _scaled(fma(exponent, logarithm, -(shifted - _BIASED)), shifted)
    return choose((x > 0.0) & (x < np.inf), value, choose(x == 0.0, 0.0, _NAN))


@inlined
def cbrt(x: Any) -> Any:
    """Return the cube root; NaN where x is negative, as powers of 1/3 have it."""
    fine = (x > 0.0) & (x < np.inf)
    y = np.float64(choose(fine, x, 1.0))
    # a third of the exponent, in the high bits, begins the iteration of r = y^(-1/3), which needs no division
    high = np.int64((y.view(np.int64) >> np.int64(32)) | _BITS52).view(np.float64) - _TWO52
    guess = np.float64(_CBRT - high * (1.0 / 3.0) + _TWO52).view(np.int64) << np.int64(32)
    r = np.int64(guess).view(np.float64)
    # the series of (1 - h)^(-1/3), h = 1 - y · r³: an error of 5 % becomes 7e-5, that one 3e-16
    for _ in range(2):
        h = fma(-(r * r), y * r, 1.0)
        r = fma(r * h, fma(fma(h, 14.0 / 81.0, 2.0 / 9.0), h, 1.0 / 3.0), r)
    return choose(fine, y * r * r, choose(x == 0.0, 0.0, _NAN))
