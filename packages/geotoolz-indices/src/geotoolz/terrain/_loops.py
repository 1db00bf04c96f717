"""Loops over elevation models, compiled when the first pixel is computed.

Heights are widened to float64 before anything is added: four heights above 8191 m overflow int16.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from geotoolz.core._jit import compiled

_F = np.float32
_ZERO, _ONE, _EIGHTH, _QUARTER = _F(0), _F(1), _F(45), _F(90)
_TAN_EIGHTH, _TAN_THREE_EIGHTHS = _F(math.tan(math.pi / 8)), _F(math.tan(3 * math.pi / 8))
# arctan(x) / x in degrees as a polynomial in x², through the Chebyshev nodes of 0 … tan²(π/8)
_A, _B, _C, _D, _E, _G, _H = (
    _F(math.degrees(c))
    for c in (
        0.9999999999791287, -0.33333332127877213, 0.1999988589854206, -0.14281639256031686,
        0.11041054122671246, -0.0845910897166654, 0.04712996997680518,
    )
)  # fmt: skip


@compiled
def arctangent(t: Any) -> Any:
    """Return the angle of a float32 tangent from 0 to infinity in degrees, within 2 units of float32.

    Brought to within tan(π/8) of 0 by the addition theorem. Written out, because compilers make vector
    instructions of it and not of a call.
    """
    steep, middle = t > _TAN_THREE_EIGHTHS, t > _TAN_EIGHTH
    above = -_ONE if steep else (t - _ONE if middle else t)
    below = t if steep else (t + _ONE if middle else _ONE)
    x = above / below
    z = x * x
    p = ((((_H * z + _G) * z + _E) * z + _D) * z + _C) * z + _B
    return (_QUARTER if steep else (_EIGHTH if middle else _ZERO)) + x * (p * z + _A)


@compiled
def take_row(line: Any, nodata: Any, row: Any) -> None:
    """Widen a row of heights, with a pixel of no-data on either side."""
    row[0] = row[line.size + 1] = np.nan
    for j in range(line.size):
        v = np.float64(line[j])
        good = (line[j] != nodata) & (v > -np.inf) & (v < np.inf)
        row[j + 1] = v if good else np.nan


@compiled
def take_next(plane: Any, i: Any, nodata: Any, rows: Any) -> Any:
    """Return the rows of heights above, at and below row `i`.

    `rows` holds three of them; the slot of a row is its number modulo 3.
    """
    if i == 0:
        rows[2, :] = np.nan
        take_row(plane[0], nodata, rows[0])
    if i + 1 < plane.shape[0]:
        take_row(plane[i + 1], nodata, rows[(i + 1) % 3])
    else:
        rows[(i + 1) % 3, :] = np.nan
    return rows[(i + 2) % 3], rows[i % 3], rows[(i + 1) % 3]


@compiled
def gradient(up: Any, mid: Any, down: Any, j: Any, x_scale: Any, y_scale: Any) -> Any:
    """Return the slopes of the ground along columns and rows; one is NaN where a height is missing."""
    a, c, g, k = up[j], up[j + 2], down[j], down[j + 2]
    missing = 0.0 * mid[j + 1]  # NaN where the pixel itself has no data
    p = ((c - a) + 2.0 * (mid[j + 2] - mid[j]) + (k - g)) * x_scale + missing
    q = ((g - a) + 2.0 * (down[j + 1] - up[j + 1]) + (k - c)) * y_scale
    return p, q


@compiled
def along(one: Any, other: Any, centre: Any) -> Any:
    """Return how much a line rises per step from one neighbour to the opposite; NaN without both."""
    if one != one:
        return other - centre
    return centre - one if other != other else 0.5 * (other - one)


@compiled
def across(known: Any, other: Any) -> Any:
    """Return the mean of two guesses at a slope, the one there is, or 0: level ground."""
    if known == known:
        return 0.5 * (known + other) if other == other else known
    return other if other == other else 0.0


@compiled
def completed(up: Any, mid: Any, down: Any, j: Any, x_scale: Any, y_scale: Any) -> Any:
    """Return the slopes where neighbours are missing, exact on every plane that the others determine.

    The four lines through the pixel rise by ``u`` along the row, ``v`` along the column, ``v + u`` and
    ``v − u`` along the diagonals: a line without neighbours follows from the others.
    """
    e = mid[j + 1]
    u, v = along(mid[j], mid[j + 2], e), along(up[j + 1], down[j + 1], e)
    falling, rising = along(up[j], down[j + 2], e), along(up[j + 2], down[j], e)
    if u != u and v != v:
        if falling != falling or rising != rising:  # of one diagonal: level across it
            v = 0.5 * across(falling, rising)
            u = -v if falling != falling else v
        else:
            u, v = 0.5 * (falling - rising), 0.5 * (falling + rising)
    elif u != u:
        u = across(falling - v, v - rising)
    elif v != v:
        v = across(falling - u, rising + u)
    falling = u + v if falling != falling else falling
    rising = v - u if rising != rising else rising
    return (2.0 * (falling - rising) + 4.0 * u) * x_scale, (2.0 * (falling + rising) + 4.0 * v) * y_scale


@compiled
def slope(out: Any, values: Any, nodata: Any, x_scale: Any, y_scale: Any, edges: Any, percent: Any) -> None:
    """Write the angle (or the tangent times 100) of the steepest descent."""
    rows, squares = np.empty((3, values.shape[2] + 2)), np.empty(values.shape[2])
    for n in range(values.shape[0]):
        for i in range(values.shape[1]):
            up, mid, down = take_next(values[n], i, nodata, rows)
            line = out[n, i]
            for j in range(line.size):
                p, q = gradient(up, mid, down, j, x_scale, y_scale)
                squares[j] = p * p + q * q
            if edges:
                for j in range(line.size):
                    if squares[j] != squares[j] and mid[j + 1] == mid[j + 1]:
                        p, q = completed(up, mid, down, j, x_scale, y_scale)
                        squares[j] = p * p + q * q
            if percent:
                for j in range(line.size):
                    line[j] = np.float32(100.0 * np.sqrt(squares[j]))
            else:  # on its own in float32: twice as many pixels in a vector
                for j in range(line.size):
                    line[j] = np.float32(squares[j])
                for j in range(line.size):
                    line[j] = arctangent(np.sqrt(line[j]))


@compiled
def direction(p: Any, q: Any) -> Any:
    """Return the direction of the steepest descent, clockwise from north; NaN on level ground."""
    east, north = -p, -q
    wide, tall = (
        np.float64(abs(east)),
        np.float64(abs(north)),
    )  # of NumPy: 0/0 is NaN without the compiler, too
    # the angle from the nearer axis, 0 to 45 degrees, and then into its octant
    angle = arctangent(np.float32((tall if wide > tall else wide) / (wide if wide > tall else tall)))
    angle = np.float32(90) - angle if wide > tall else angle
    angle = np.float32(180) - angle if north < 0 else angle
    angle = np.float32(360) - angle if east < 0 else angle
    angle = np.float32(0) if angle >= np.float32(360) else angle
    return angle if wide + tall > 0 else np.float32(np.nan)


@compiled
def aspect(out: Any, values: Any, nodata: Any, x_scale: Any, y_scale: Any, edges: Any) -> None:
    """Write the direction that the ground falls towards."""
    rows = np.empty((3, values.shape[2] + 2))
    for n in range(values.shape[0]):
        for i in range(values.shape[1]):
            up, mid, down = take_next(values[n], i, nodata, rows)
            line = out[n, i]
            for j in range(line.size):
                p, q = gradient(up, mid, down, j, x_scale, y_scale)
                line[j] = direction(p, q)
            if edges:
                for j in range(line.size):
                    p, q = gradient(up, mid, down, j, x_scale, y_scale)
                    # level ground, NaN as well, has all its neighbours
                    if p + q != p + q and mid[j + 1] == mid[j + 1]:
                        p, q = completed(up, mid, down, j, x_scale, y_scale)
                        line[j] = direction(p, q)


@compiled
def light(p: Any, q: Any, east: Any, north: Any, up: Any) -> Any:
    """Return the cosine between the ground's normal and the direction of the sun, 0 in shade."""
    lit = (up - p * east - q * north) / np.sqrt(1.0 + p * p + q * q)
    return np.float32(0.0 if lit < 0 else lit)


@compiled
def hillshade(
    out: Any,
    values: Any,
    nodata: Any,
    x_scale: Any,
    y_scale: Any,
    edges: Any,
    east: Any,
    north: Any,
    sky: Any,
) -> None:
    """Write the light on the ground."""
    rows = np.empty((3, values.shape[2] + 2))
    for n in range(values.shape[0]):
        for i in range(values.shape[1]):
            up, mid, down = take_next(values[n], i, nodata, rows)
            line = out[n, i]
            for j in range(line.size):
                p, q = gradient(up, mid, down, j, x_scale, y_scale)
                line[j] = light(p, q, east, north, sky)
            if edges:
                for j in range(line.size):
                    if line[j] != line[j] and mid[j + 1] == mid[j + 1]:
                        p, q = completed(up, mid, down, j, x_scale, y_scale)
                        line[j] = light(p, q, east, north, sky)
