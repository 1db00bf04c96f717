"""Packing values into integers: arrays in, arrays out."""

from __future__ import annotations

from typing import Any

import numpy as np

from geotoolz.core import kernel


@kernel
def encode(
    out: Any,
    values: Any,
    nodata: Any,
    inverse: Any,
    offset: Any,
    low: Any,
    high: Any,
    lowest: Any,
    highest: Any,
    fill: Any,
    clip: Any,
) -> Any:
    """Write ``round((value − offset) · inverse)`` into a flat array of integers.

    Numbers between `lowest` and `low` (and `high` and `highest`) become `low` (`high`): that is
    where no-data lies. Those further outside become `low` or `high` too if `clip`, else `fill`.
    Returns how many pixels had no data and how many lay outside.
    """
    missing, outside = 0, 0
    for i in range(out.size):
        v = values[i]
        bad = (v == nodata) | (v != v)
        number = np.rint((np.float64(v) - offset) * inverse)
        out_of_range = (number < lowest) | (number > highest)
        limited = low if number < low else number
        limited = high if limited > high else limited
        missing += bad
        outside += out_of_range & (not bad)
        empty = bad | (out_of_range & (not clip))
        out[i] = fill if empty else limited
    return missing, outside
