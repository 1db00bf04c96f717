"""Chips that reach beyond the scene: which pixels they need, and what lies outside."""

from __future__ import annotations

from typing import Any

import numpy as np

from geotoolz.core import Extent

Array = np.ndarray[Any, Any]


def reach(extent: Extent, shape: tuple[int, int], boundary: str) -> Extent:
    """Return the pixels of a scene that a chip is made of.

    Examples
    --------
    >>> reach(Extent(96, 128, 0, 32), (100, 80), "fill")
    Extent(y0=96, y1=100, x0=0, x1=32)
    >>> reach(Extent(96, 128, 0, 32), (100, 80), "reflect")
    Extent(y0=71, y1=100, x0=0, x1=32)
    """
    inside = extent.clipped(shape)
    if inside == extent or boundary != "reflect":
        return inside
    rows = reflected(extent.y0, extent.y1, shape[0])
    cols = reflected(extent.x0, extent.x1, shape[1])
    if not rows.size or not cols.size:
        return inside
    return Extent(int(rows.min()), int(rows.max()) + 1, int(cols.min()), int(cols.max()) + 1)


def whole(
    array: Array, extent: Extent, given: Extent, shape: tuple[int, int], boundary: str, nodata: float
) -> Array:
    """Return the pixels of a whole chip.

    Parameters
    ----------
    array : array
        The scene's pixels of `given`.
    extent : Extent
        The chip.
    given : Extent
        What `reach` said.
    shape : tuple of int
        Rows and columns of the scene.
    boundary : str
        ``"reflect"``: the scene is reflected without its edge pixel, as often as it takes; otherwise what
        lies outside has no data.
    nodata : float
        No-data; 0 stands for NaN in integers.
    """
    if given == extent:
        return array
    if boundary == "reflect":
        rows, cols = reflected(extent.y0, extent.y1, shape[0]), reflected(extent.x0, extent.x1, shape[1])
        return array.take(rows - given.y0, axis=-2).take(cols - given.x0, axis=-1)
    fill = 0 if nodata != nodata and array.dtype.kind not in "fc" else nodata
    out = np.full((*array.shape[:-2], *extent.shape), fill, array.dtype)
    given.moved((-extent.y0, -extent.x0)).of(out)[...] = array
    return out


def reflected(first: int, end: int, size: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return which of `size` positions stands at each one from `first` on; the edge is not repeated.

    Examples
    --------
    >>> reflected(-2, 6, 4).tolist()
    [2, 1, 0, 1, 2, 3, 2, 1]
    """
    period = max(2 * size - 2, 1)
    k = np.arange(first, end) % period
    return np.where(k < size, k, period - k)
