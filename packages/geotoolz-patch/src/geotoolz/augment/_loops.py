"""Loops over pixels, and the random numbers that each pixel draws. Imported when the first of them runs.

A pixel's bits are SplitMix64 (Steele, Lea, Flood 2014): every row of every plane is a stream of its own,
begun at a hash of (key, row), and the column counts in it. So a pixel's numbers depend on the key and on its
absolute place, whatever window it is computed in.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from geotoolz.core._expression_math import inlined, log
from geotoolz.core._jit import kernel

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_M1 = np.uint64(0xBF58476D1CE4E5B9)
_M2 = np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)
_UNIT = 2.0**-53


@inlined
def mix(value: Any) -> Any:
    """Scramble 64 bits (SplitMix64's finaliser)."""
    z = (value ^ (value >> _S30)) * _M1
    z = (z ^ (z >> _S27)) * _M2
    return z ^ (z >> _S31)


@inlined
def bits_at(stream: Any, counter: Any) -> Any:
    """Return the number at a place of a stream, counted from 0: SplitMix64 seeded with the stream."""
    return mix(stream + _GAMMA * np.uint64(counter + 1))


@inlined
def unit(bits: Any) -> Any:
    """Turn 64 bits into a number inside (0, 1)."""
    return (np.float64(bits >> _S11) + 0.5) * _UNIT


@inlined
def normal_quantile(u: Any) -> Any:
    """Return the quantile of the standard normal distribution (Wichura 1988, algorithm AS 241, PPND16)."""
    q = u - 0.5
    if abs(q) <= 0.425:
        r = 0.180625 - q * q
        num = 2509.0809287301226727 * r + 33430.575583588128105
        num = (num * r + 67265.770927008700853) * r + 45921.953931549871457
        num = (num * r + 13731.693765509461125) * r + 1971.5909503065514427
        num = (num * r + 133.14166789178437745) * r + 3.387132872796366608
        den = 5226.495278852545925 * r + 28729.085735721942674
        den = (den * r + 39307.89580009271061) * r + 21213.794301586595867
        den = (den * r + 5394.1960214247511077) * r + 687.1870074920579083
        den = (den * r + 42.313330701600911252) * r + 1.0
        return q * num / den
    r = np.sqrt(-log(u if q < 0.0 else 1.0 - u))
    if r <= 5.0:
        r = r - 1.6
        num = 7.7454501427834140764e-4 * r + 0.0227238449892691845833
        num = (num * r + 0.24178072517745061177) * r + 1.27045825245236838258
        num = (num * r + 3.64784832476320460504) * r + 5.7694972214606914055
        num = (num * r + 4.6303378461565452959) * r + 1.42343711074968357734
        den = 1.05075007164441684324e-9 * r + 5.475938084995344946e-4
        den = (den * r + 0.0151986665636164571966) * r + 0.14810397642748007459
        den = (den * r + 0.68976733498510000455) * r + 1.6763848301838038494
        den = (den * r + 2.05319162663775882187) * r + 1.0
    else:
        r = r - 5.0
        num = 2.01033439929228813265e-7 * r + 2.71155556874348757815e-5
        num = (num * r + 0.0012426609473880784386) * r + 0.026532189526576123093
        num = (num * r + 0.29656057182850489123) * r + 1.7848265399172913358
        num = (num * r + 5.4637849111641143699) * r + 6.6579046435011037772
        den = 2.04426310338993978564e-15 * r + 1.4215117583164458887e-7
        den = (den * r + 1.8463183175100546818e-5) * r + 7.868691311456132591e-4
        den = (den * r + 0.0148753612908506148525) * r + 0.13692988092273580531
        den = (den * r + 0.59983220655588793769) * r + 1.0
    return -num / den if q < 0.0 else num / den


@kernel
def add_normal(out: Any, values: Any, nodata: Any, keys: Any, sigma: Any, row: Any, col: Any) -> None:
    """Write ``value + sigma · normal`` over (planes, rows, columns), the first pixel at (row, col)."""
    planes, height, width = values.shape
    for p in range(planes):
        for i in range(height):
            stream = mix(keys[p] + _GAMMA * np.uint64(row + i))
            for j in range(width):
                v = values[p, i, j]
                noisy = np.float64(v) + sigma * normal_quantile(unit(bits_at(stream, col + j)))
                out[p, i, j] = v if v == nodata else noisy


@kernel
def multiply_gamma(
    out: Any, values: Any, nodata: Any, keys: Any, looks: Any, decibel: Any, row: Any, col: Any
) -> None:
    """Write ``value · gamma`` (mean 1, variance 1 / looks), or ``value + 10 · log10 gamma`` for decibels."""
    planes, height, width = values.shape
    per_decibel = 4.342944819032518
    for p in range(planes):
        for i in range(height):
            stream = mix(keys[p] + _GAMMA * np.uint64(row + i))
            for j in range(width):
                v = values[p, i, j]
                total, product = 0.0, 1.0
                for k in range(looks):
                    product *= unit(bits_at(stream, (col + j) * looks + k))
                    if k % 8 == 7 or k == looks - 1:  # eight of them stay far above the smallest number
                        total -= log(product)
                        product = 1.0
                power = total / looks
                wide = np.float64(v)
                spoilt = wide + per_decibel * log(power) if decibel else wide * power
                out[p, i, j] = v if v == nodata else spoilt


@kernel
def scale_shift(out: Any, values: Any, nodata: Any, gain: Any, offset: Any) -> None:
    """Write ``gain · value + offset`` over flat arrays."""
    for i in range(out.size):
        v = values[i]
        out[i] = v if v == nodata else np.float64(v) * gain + offset


@kernel
def add_fractal(out: Any, spacing: Any, weight: Any, key: Any, row: Any, col: Any) -> None:
    """Add one octave of value noise: hashed nodes every `spacing` pixels, smoothly interpolated."""
    height, width = out.shape
    for i in range(height):
        above = (row + i) // spacing
        t = (row + i - above * spacing + 0.5) / spacing
        wy = t * t * (3.0 - 2.0 * t)
        upper, lower = mix(key + _GAMMA * np.uint64(above)), mix(key + _GAMMA * np.uint64(above + 1))
        j = 0
        while j < width:
            before = (col + j) // spacing
            left, right = unit(bits_at(upper, before)), unit(bits_at(upper, before + 1))
            left += (unit(bits_at(lower, before)) - left) * wy
            right += (unit(bits_at(lower, before + 1)) - right) * wy
            stop = min((before + 1) * spacing - col, width)
            for k in range(j, stop):
                t = (col + k - before * spacing + 0.5) / spacing
                out[i, k] += weight * (left + (right - left) * (t * t * (3.0 - 2.0 * t)))
            j = stop


@kernel
def blend(out: Any, values: Any, nodata: Any, cloud: Any, shade: Any, bright: Any, dark: Any) -> None:
    """Write ``(1 − cloud) · (1 − dark · shade) · value + cloud · bright`` over flat arrays."""
    for i in range(out.size):
        v = values[i]
        lit = np.float64(v) * (1.0 - dark * shade[i])
        out[i] = v if v == nodata else lit + cloud[i] * (bright - lit)


@kernel
def mix_two(out: Any, one: Any, two: Any, none_one: Any, none_two: Any, none: Any, weight: Any) -> None:
    """Write ``weight · one + (1 − weight) · two`` over flat arrays; no-data where either has none."""
    for i in range(out.size):
        a, b = one[i], two[i]
        mean = weight * np.float64(a) + (1.0 - weight) * np.float64(b)
        out[i] = none if (a == none_one) | (b == none_two) else mean
