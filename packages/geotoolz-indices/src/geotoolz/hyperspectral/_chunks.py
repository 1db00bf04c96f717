"""Cubes in pieces that fit the cache: bands × pixels, contiguous, whatever the window is a view of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Place = tuple[Any, ...]

CACHED = 1 << 18
"""Values per piece that stay in a core's cache while several bands are added up."""


def chunks(array: Array, bands: Array, values: int = CACHED) -> Iterator[tuple[Place, Array]]:
    """Yield places and the pixels there, as bands × pixels.

    Only the chosen bands are copied, a piece at a time: memory stays bounded whatever the window.
    A place indexes an array of the cube's shape without its bands.
    """
    height, width = array.shape[-2:]
    pixels = max(values // max(bands.size, 1), 1)
    rows, cols = max(pixels // max(width, 1), 1), min(pixels, width) or 1
    every = bands.size == array.shape[-3]
    for lead in np.ndindex(array.shape[:-3]):
        cube = array[lead]
        for y in range(0, height, rows):
            for x in range(0, width, cols):
                ys, xs = slice(y, y + rows), slice(x, x + cols)
                part = np.ascontiguousarray(cube[:, ys, xs]) if every else cube[:, ys, xs][bands]
                part = part.reshape(bands.size, -1)
                part.flags.writeable = False
                yield (*lead, ys, xs), part


def per_pixel(array: Array, bands: Array, kernel: Any, *args: Any) -> Array:
    """Return one float32 per pixel: ``kernel(out, pixels, *args)`` over all pieces; NaN without bands."""
    out = np.empty((*array.shape[:-3], *array.shape[-2:]), np.float32)
    if not bands.size:
        out[...] = np.nan
        return out
    for place, part in chunks(array, bands):
        made = np.empty(part.shape[1], np.float32)
        kernel(made, part, *args)
        target = out[place]
        target[...] = made.reshape(target.shape)
    return out
