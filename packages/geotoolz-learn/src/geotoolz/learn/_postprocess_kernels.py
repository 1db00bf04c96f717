"""Kernels of postprocessing: arrays in, arrays out."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
NO_PERCENT = 255


def percent(probabilities: Array, *rest: Any) -> Array:
    """Return probabilities as whole percent, 255 where there are none or no-data is near.

    After the probabilities come a mask of valid pixels, if there is one, then no-data and the erosion.
    """
    *masks, nodata, erosion = rest
    with np.errstate(invalid="ignore"):
        valid = (probabilities >= 0) & (probabilities <= 1) & (probabilities != nodata)
    for mask in masks:
        valid &= mask.astype(bool)
    valid = _eroded(valid, erosion)
    out = np.full(probabilities.shape, NO_PERCENT, np.uint8)
    # in float64 a float32 times 100 is exact: ties are those of the probability itself
    out[valid] = np.rint(probabilities[valid].astype(np.float64) * 100.0).astype(np.uint8)
    return out


def above(probabilities: Array, percents: Array, threshold: float) -> Array:
    """Return where a probability that counts reaches the threshold."""
    with np.errstate(invalid="ignore"):
        found: Array = (probabilities >= threshold) & (percents != NO_PERCENT)
    return found


def objects(found: Array, least: int, diagonal: bool) -> Array:
    """Return 1 in the connected areas that have at least some number of pixels, plane by plane."""
    from scipy import ndimage

    out = found.astype(np.uint8)
    if least == 1:
        return out
    structure = np.ones((3, 3)) if diagonal else None
    for plane in _planes(out):
        labels, count = ndimage.label(plane, structure)
        sizes = np.bincount(labels.ravel(), minlength=count + 1)
        plane[sizes[labels] < least] = 0
    return out


def _eroded(valid: Array, radius: int) -> Array:
    """Return the valid pixels that have no invalid one within a radius, centre to centre."""
    from scipy import ndimage

    if radius == 0 or valid.all():
        return valid
    out = np.empty_like(valid)
    for source, plane in zip(_planes(valid), _planes(out), strict=True):
        # without an invalid pixel there is no distance
        plane[...] = source if source.all() else ndimage.distance_transform_edt(source) > radius
    return out


def _planes(array: Array) -> Array:
    return array.reshape((math.prod(array.shape[:-2]), *array.shape[-2:]))
