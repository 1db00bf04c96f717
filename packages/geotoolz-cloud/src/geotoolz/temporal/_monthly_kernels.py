"""Kernels of `monthly_composite`: counts of dates, and what too few of them leave."""

from __future__ import annotations

from typing import Any

import numpy as np

from geotoolz.core import kernel
from geotoolz.temporal._bin_kernels import contiguous


@kernel
def _counted(values: Any, nodata: Any, out: Any) -> None:
    dates, height, width = values.shape
    for t in range(dates):
        for y in range(height):
            row, line = values[t, y], out[y]
            for x in range(width):
                line[x] += np.uint16((row[x] == row[x]) & (row[x] != nodata))


def counted_dates(values: Any, nodata: Any) -> Any:
    """Return on how many dates every pixel has data."""
    out = np.zeros(values.shape[1:], np.uint16)
    _counted(contiguous(values), nodata, out)
    return out


def share(part: Any, whole: Any) -> Any:
    """Return a ratio of counts as float32, NaN for 0/0."""
    out = np.full(part.shape, np.nan, np.float32)
    np.divide(part, whole, out=out, where=whole > 0, casting="unsafe")
    return out


def kept_where_enough(values: Any, count: Any, least: int, empty: Any) -> Any:
    """Return values where there are enough observations, else `empty`."""
    return np.where(count >= least, values, empty)
