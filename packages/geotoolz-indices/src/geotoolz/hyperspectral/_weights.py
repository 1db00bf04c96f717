"""What the bands of one wavelength grid contribute to a band of another."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Weights = tuple[list[int], list[float]]

_REACH = 2.0
"""A Gaussian is cut off at two full widths: less than 3e-6 of its area lies outside."""


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


def gaussian(source: Array, centre: float, fwhm: float) -> Weights | None:
    """Return the weights of a Gaussian response, normalised; None where half of it would lie outside."""
    if not source.size or not reaches(source, centre):
        return None
    steps = spacing(source)
    bands = [int(k) for k in np.flatnonzero(np.abs(source - centre) <= _REACH * fwhm)]
    # math.exp, one by one: NumPy picks its code by CPU
    raw = [
        math.exp(-4.0 * math.log(2.0) * ((float(source[k]) - float(centre)) / float(fwhm)) ** 2)
        * float(steps[k])
        for k in bands
    ]
    total = math.fsum(raw)
    return (bands, [w / total for w in raw]) if total > 0 else None


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
