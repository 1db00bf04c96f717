"""What the bands of one wavelength grid contribute to a band of another."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Weights = tuple[list[int], list[float]]

_REACH = 2.0
"""A Gaussian is cut off at two full widths: less than 3e-6 of its area lies outside."""

_GAP = 3.0


def spacing(wavelengths: Array) -> Array:
    """Return how many nanometres each band stands for: half the way to its neighbours on both sides."""
    order = np.argsort(wavelengths, kind="stable")
    ascending = wavelengths[order]
    out = np.ones(wavelengths.size)
    if wavelengths.size > 1:
        gaps = np.diff(ascending)
        left, right = np.concatenate([gaps[:1], gaps]), np.concatenate([gaps, gaps[-1:]])
        out[order] = (left + right) / 2
    return out


def linear(source: Array, centre: float) -> Weights | None:
    """Return the two bands beside a wavelength and their weights; None where it lies outside."""
    order = np.argsort(source, kind="stable")
    ascending = source[order]
    if not ascending.size or not ascending[0] <= centre <= ascending[-1]:
        return None
    at = int(np.searchsorted(ascending, centre))
    if ascending[at] == centre:
        return [int(order[at])], [1.0]
    below, above = float(ascending[at - 1]), float(ascending[at])
    share = (float(centre) - below) / (above - below)
    return [int(order[at - 1]), int(order[at])], [1.0 - share, share]


def extents(source: Array) -> tuple[Array, Array]:
    """Return how far each band reaches below and above its centre.

    Half the way to its neighbours. At both ends, and at gaps (neighbours more than three times the median
    distance apart, as where the bands of water vapour were left out), as far as on its other side.
    """
    below, above = np.full(source.size, 0.5), np.full(source.size, 0.5)
    if source.size > 1:
        order = np.argsort(source, kind="stable")
        steps = np.diff(source[order])
        usual = float(np.median(steps))
        steps = np.where(steps > _GAP * usual, np.nan, steps)
        left, right = np.concatenate([[np.nan], steps]), np.concatenate([steps, [np.nan]])
        alone = np.isnan(left) & np.isnan(right)
        left, right = np.where(np.isnan(left), right, left), np.where(np.isnan(right), left, right)
        below[order] = np.where(alone, usual, left) / 2
        above[order] = np.where(alone, usual, right) / 2
    return below, above


def gaussian(source: Array, centre: float, fwhm: float, least: float = 0.0) -> Weights | None:
    """Return the weights of a Gaussian response, normalised.

    None where its centre lies outside, or where the bands cover less than a share of its area.
    """
    if not source.size or not reaches(source, centre):
        return None
    below, above = extents(source)
    if covered(source - below, source + above, float(centre), float(fwhm)) < least:
        return None
    bands = [int(k) for k in np.flatnonzero(np.abs(source - centre) <= _REACH * fwhm)]
    # math.exp, one by one: NumPy picks its code by CPU
    raw = [
        math.exp(-4.0 * math.log(2.0) * ((float(source[k]) - float(centre)) / float(fwhm)) ** 2)
        * float(below[k] + above[k])
        for k in bands
    ]
    total = math.fsum(raw)
    return (bands, [w / total for w in raw]) if total > 0 else None


def covered(low: Array, high: Array, centre: float, fwhm: float) -> float:
    """Return the share of a Gaussian's area that lies in intervals which do not overlap."""
    scale = 2.0 * math.sqrt(math.log(2.0)) / fwhm
    return 0.5 * math.fsum(
        math.erf((float(b) - centre) * scale) - math.erf((float(a) - centre) * scale)
        for a, b in zip(low, high, strict=True)
    )


def response(source: Array, wavelengths: Array, values: Array) -> Weights | None:
    """Return the weights of a response function given at some wavelengths; None where it reaches outside."""
    order = np.argsort(wavelengths, kind="stable")
    at, height = wavelengths[order], values[order]
    inside = at[height > 0]
    if not inside.size or not reaches(source, float(inside[0])) or not reaches(source, float(inside[-1])):
        return None
    steps = spacing(source)
    raw = np.interp(source, at, height, left=0.0, right=0.0) * steps
    bands = [int(k) for k in np.flatnonzero(raw > 0)]
    total = math.fsum(float(raw[k]) for k in bands)
    return (bands, [float(raw[k]) / total for k in bands]) if total > 0 else None


def reaches(source: Array, wavelength: float) -> bool:
    """Whether a wavelength lies on a grid, or less than half a band beyond its ends."""
    low, high = int(np.argmin(source)), int(np.argmax(source))
    steps = spacing(source)
    return bool(source[low] - steps[low] / 2 <= wavelength <= source[high] + steps[high] / 2)
