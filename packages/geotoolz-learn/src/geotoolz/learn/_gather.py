"""From planes of pixels to rows of features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Planes = Sequence[tuple[Array, float]]
"""Flat pixels of every feature, with the value that means no-data (NaN: none)."""

_ROWS = 4096  # rows written at a time: those of some dozen features stay in the cache


def missing(values: Array, nodata: float, dtype: np.dtype[Any]) -> Array:
    """Return where pixels have no data: the no-data value, NaN, or what is no number in `dtype`."""
    gone: Array = values == nodata  # NaN equals nothing
    if values.dtype.kind == "f":
        if values.dtype.itemsize > dtype.itemsize:
            with np.errstate(over="ignore"):
                values = values.astype(dtype)
        gone |= ~np.isfinite(values)
    return gone


def validity(planes: Planes, dtype: np.dtype[Any]) -> tuple[Array, Array]:
    """Return which pixels have every feature, and which have one at least."""
    size = planes[0][0].size
    every, some = np.ones(size, bool), np.zeros(size, bool)
    for values, nodata in planes:
        gone = missing(values, nodata, dtype)
        every &= ~gone
        some |= ~gone
    return every, some


def fill_rows(planes: Planes, index: Array, out: Array, *, blank: bool) -> None:
    """Write the features of some pixels into rows.

    Parameters
    ----------
    planes : sequence of (array, float)
        The features.
    index : array of int
        The pixels.
    out : array
        ``(rows, features)``, overwritten.
    blank : bool
        Write NaN where a feature is missing; otherwise none may be.
    """
    for first in range(0, index.size, _ROWS):
        mine = index[first : first + _ROWS]
        part = out[first : first + mine.size]
        for number, (values, nodata) in enumerate(planes):
            taken = values[mine]
            if not blank:
                part[:, number] = taken
                continue
            gone = missing(taken, nodata, out.dtype)
            with np.errstate(over="ignore"):
                part[:, number] = taken
            part[gone, number] = np.nan


def gather(planes: Planes, dtype: np.dtype[Any]) -> tuple[Array, Array]:
    """Return which pixels have every feature, and those as rows."""
    every, _ = validity(planes, dtype)
    index = np.flatnonzero(every)
    out = np.empty((index.size, len(planes)), dtype)
    fill_rows(planes, index, out, blank=False)
    return every, out
