"""Kernels: arrays in, arrays out. They bring arrays of any type and depth into the shape of the loops."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from geotoolz.augment._bands import as_stored, room_for
from geotoolz.core import Extent, flat_view

Array = np.ndarray[Any, Any]
ORIGIN = 1 << 32
"""Rows and columns count from here in hashes: those above and left of a lattice's first pixel too."""


def planes_of(values: Array) -> Array:
    """Return an array with exactly one dimension before rows and columns."""
    lead = math.prod(values.shape[:-2])
    return np.ascontiguousarray(values).reshape((lead, *values.shape[-2:]))


def scaled(values: Array, nodata: float, gain: float, offset: float) -> Array:
    """Return ``gain · value + offset`` in the band's own type."""
    from geotoolz.augment import _loops

    out = room_for(values)
    _loops.scale_shift(out.reshape(-1), flat_view(values), nodata, gain, offset)
    return as_stored(out, values, nodata)


def scaled_each(values: Array, nodata: float, gains: tuple[float, ...]) -> Array:
    """Return ``gain · value`` with a gain for each date."""
    return np.stack([scaled(plane, nodata, gain, 0.0) for plane, gain in zip(values, gains, strict=True)])


def stretched_about_mean(values: Array, nodata: float, factor: float) -> Array:
    """Return values moved away from the mean of their plane's valid pixels, or towards it."""
    out = np.empty_like(values)
    planes, written = planes_of(values), out.reshape((math.prod(values.shape[:-2]), *values.shape[-2:]))
    for plane, place in zip(planes, written, strict=True):
        valid = plane[(plane != nodata) & np.isfinite(plane)]
        centre = float(valid.mean(dtype=np.float64)) if valid.size else 0.0
        place[...] = scaled(plane, nodata, factor, (1.0 - factor) * centre)
    return out


def filled(values: Array, nodata: float, value: float) -> Array:
    """Return a band that holds one value wherever it had data."""
    dropped = np.asarray(value).astype(values.dtype)
    return np.where((values == nodata) | (values != values), values, dropped)


def noisy(values: Array, nodata: float, keys: Array, sigma: float, *, extent: Extent) -> Array:
    """Return values with normal noise."""
    from geotoolz.augment import _loops

    planes = planes_of(values)
    out = room_for(planes)
    _loops.add_normal(out, planes, nodata, keys, sigma, extent.y0 + ORIGIN, extent.x0 + ORIGIN)
    return as_stored(out, planes, nodata).reshape(values.shape)


def speckled(
    values: Array, nodata: float, keys: Array, looks: int, decibel: bool, *, extent: Extent
) -> Array:
    """Return backscatter with gamma distributed speckle."""
    from geotoolz.augment import _loops

    planes = planes_of(values)
    out = room_for(planes)
    _loops.multiply_gamma(out, planes, nodata, keys, looks, decibel, extent.y0 + ORIGIN, extent.x0 + ORIGIN)
    return as_stored(out, planes, nodata).reshape(values.shape)


def fractal(extent: Extent, by: tuple[int, int], octaves: tuple[tuple[int, float, int], ...]) -> Array:
    """Return fractal noise around 0.5 at the pixels of `extent`, moved by whole rows and columns."""
    from geotoolz.augment import _loops

    out = np.zeros(extent.shape)
    row, col = extent.y0 - by[0] + ORIGIN, extent.x0 - by[1] + ORIGIN
    for spacing, weight, key in octaves:
        _loops.add_fractal(out, spacing, weight, np.uint64(key), row, col)
    return out


def sky(
    planes: tuple[tuple[tuple[tuple[int, float, int], ...], tuple[int, int]], ...],
    lead: tuple[int, ...],
    limit: float,
    softness: float,
    *,
    extent: Extent,
) -> tuple[Array, Array]:
    """Return how opaque clouds are, and their shadows: 0 (none) to 1."""
    cloud, shade = np.empty((2, len(planes), *extent.shape))
    for k, (octaves, by) in enumerate(planes):
        for out, moved in ((cloud, (0, 0)), (shade, by)):
            t = np.clip((fractal(extent, moved, octaves) - limit) / softness, 0.0, 1.0)
            out[k] = t * t * (3.0 - 2.0 * t)
    shape = (*lead, *extent.shape)
    return cloud.reshape(shape), shade.reshape(shape)


def clouded(values: Array, cloud: Array, shade: Array, nodata: float, bright: float, dark: float) -> Array:
    """Return values below clouds and in their shadows."""
    from geotoolz.augment import _loops

    out = room_for(values)
    _loops.blend(out.reshape(-1), flat_view(values), nodata, flat_view(cloud), flat_view(shade), bright, dark)
    return as_stored(out, values, nodata)


def sky_classes(cloud: Array, shade: Array, shadows: bool) -> Array:
    """Return 1 where there is any cloud, 2 where there is a shadow alone, else 0."""
    below = (shade > 0) & shadows
    return np.where(cloud > 0, np.uint8(1), np.where(below, np.uint8(2), np.uint8(0)))


def pasted(one: Array, two: Array, box: Extent, *, extent: Extent) -> Array:
    """Return the first array with the second in a rectangle of the lattice."""
    y0, y1 = max(box.y0, extent.y0), min(box.y1, extent.y1)
    x0, x1 = max(box.x0, extent.x0), min(box.x1, extent.x1)
    out = one.copy()
    if y0 < y1 and x0 < x1:
        part = Extent(y0, y1, x0, x1).moved((-extent.y0, -extent.x0))
        part.of(out)[...] = part.of(two)
    return out


def inside(lead: tuple[int, ...], box: Extent, *, extent: Extent) -> Array:
    """Return where the rectangle is."""
    none, every = np.zeros((2, *lead, *extent.shape), np.bool_)
    every[...] = True
    return pasted(none, every, box, extent=extent)


def mixed(one: Array, two: Array, none_one: float, none_two: float, weight: float) -> Array:
    """Return the weighted mean of two bands in the type of the first; no-data where either has none."""
    from geotoolz.augment import _loops

    out = room_for(one)
    none = none_one if none_one == none_one else np.nan
    _loops.mix_two(out.reshape(-1), flat_view(one), flat_view(two), none_one, none_two, float(none), weight)
    if one.dtype.kind == "f" or none_one != none_one:
        return as_stored(out, one, np.nan)
    stored = as_stored(out, one, none_one)
    return np.where((one == none_one) | (two == none_two), np.asarray(none_one).astype(one.dtype), stored)
