"""Spectra of several bands, in pieces that stay in the cache, handed to the kernels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from geotoolz.temporal._bin_kernels import as_bins, contiguous, float_type

_BUFFER_BYTES = 1 << 20
_LANES = 16
"""Pixels that are treated together, by vector instructions."""


def _pieces(bands: tuple[Any, ...], nodata: tuple[Any, ...], treat: Callable[[Any, int, int], None]) -> None:
    """Hand the spectra of some rows at a time to `treat`, with the first row and the one after the last."""
    from geotoolz.temporal._spectral_kernels import gather

    bands = tuple(contiguous(band) for band in bands)
    dates, height, width = bands[0].shape
    dtype = np.result_type(*(float_type(band.dtype) for band in bands))
    rows = max(_BUFFER_BYTES // max(dates * len(bands) * width * dtype.itemsize, 1), 1)
    spectra = np.empty((dates, len(bands), min(rows, height) * width), dtype)
    for y0 in range(0, height, rows):
        y1 = min(y0 + rows, height)
        if (y1 - y0) * width < spectra.shape[2]:
            spectra = np.empty((dates, len(bands), (y1 - y0) * width), dtype)
        for b, band in enumerate(bands):
            gather(spectra, b, band, nodata[b], y0, y1)
        treat(spectra, y0, y1)


def geometric_medians(*arguments: Any) -> tuple[Any, ...]:
    """Return the geometric median of every band, and the number of observations.

    The arguments are the bands, then no-data values, bins, `flat`, data types, tolerance and rounds.
    """
    from geotoolz.temporal._spectral_kernels import weiszfeld

    *bands, nodata, bins, flat, dtypes, tolerance, rounds = arguments
    shape = (len(bins), *bands[0].shape[1:])
    out = tuple(np.empty(shape, dtype) for dtype in dtypes)
    count = np.empty(shape, np.uint16)
    edges = as_bins(bins)

    def treat(spectra: Any, y0: int, y1: int) -> None:
        found, number = weiszfeld(spectra, edges, tolerance, rounds, _LANES)
        part = (len(bins), y1 - y0, shape[2])
        for b, array in enumerate(out):
            array[:, y0:y1] = found[:, b].reshape(part)
        count[:, y0:y1] = number.reshape(part)

    _pieces(tuple(bands), nodata, treat)
    return tuple(array[0] for array in (*out, count)) if flat else (*out, count)


def medoid_dates(*arguments: Any) -> tuple[Any, Any]:
    """Return the date of the medoid, and the number of observations.

    The arguments are the bands, then no-data values, bins, `flat` and the order of the dates, of which
    the first of equal ones is taken; the dates keep their bins.
    """
    from geotoolz.temporal._spectral_kernels import medoids

    *bands, nodata, bins, flat, order = arguments
    shape = (len(bins), *bands[0].shape[1:])
    index, count = np.empty(shape, np.int16), np.empty(shape, np.uint16)
    edges, dates = as_bins(bins), np.array(order, np.int64)

    def treat(spectra: Any, y0: int, y1: int) -> None:
        found, number = medoids(spectra, edges, dates, _LANES)
        part = (len(bins), y1 - y0, shape[2])
        index[:, y0:y1], count[:, y0:y1] = found.reshape(part), number.reshape(part)

    _pieces(tuple(bands), nodata, treat)
    return index, count[0] if flat else count
