"""Kernels of the gap filling: a stack in, a stack out."""

from __future__ import annotations

from typing import Any

import numpy as np

from geotoolz.core import kernel

LANES = 256
"""Pixels of a row that are treated together for all dates: what is kept of them stays in the cache."""


@kernel
def fill_floats(values: Any, days: Any, nodata: Any, max_gap: Any, lanes: Any) -> Any:
    """Return a stack with its inner gaps filled.

    One pass back in time for what follows, one forth to fill. No branch depends on a pixel, so both
    become vector instructions.
    """
    dates, height, width = values.shape
    out = np.empty(values.shape, values.dtype)
    next_value, next_day = np.empty((dates, lanes)), np.empty((dates, lanes))
    last_value, last_day = np.empty(lanes), np.empty(lanes)
    empty = out.dtype.type(nodata)
    for y in range(height):
        for x0 in range(0, width, lanes):
            n = min(lanes, width - x0)
            for i in range(n):
                last_value[i], last_day[i] = np.nan, np.inf
            for back in range(dates):
                t = dates - 1 - back
                row, day = values[t, y, x0 : x0 + n], days[t]
                keep_value, keep_day = next_value[t], next_day[t]
                for i in range(n):
                    v = row[i]
                    valid = (v == v) & (v != nodata)
                    value = np.float64(v) if valid else last_value[i]
                    when = day if valid else last_day[i]
                    last_value[i] = keep_value[i] = value
                    last_day[i] = keep_day[i] = when
            for i in range(n):
                last_value[i], last_day[i] = np.nan, -np.inf
            for t in range(dates):
                row, new, day = values[t, y, x0 : x0 + n], out[t, y, x0 : x0 + n], days[t]
                after, then = next_value[t], next_day[t]
                for i in range(n):
                    v = row[i]
                    valid = (v == v) & (v != nodata)
                    value = np.float64(v) if valid else last_value[i]
                    when = day if valid else last_day[i]
                    last_value[i], last_day[i] = value, when
                    gap = then[i] - when  # infinite before the first and after the last date with data
                    filled = value + (after[i] - value) * ((day - when) / gap)
                    good = (gap <= max_gap) & (filled == filled)
                    new[i] = v if valid else (out.dtype.type(filled) if good else empty)
    return out


@kernel
def fill_integers(values: Any, days: Any, nodata: Any, max_gap: Any, lanes: Any) -> Any:
    """Return a stack of integers with its inner gaps filled, rounded half to even.

    A number that would be rounded onto the no-data value becomes its neighbour on the unrounded
    number's side; that neighbour lies between the two dates too.
    """
    dates, height, width = values.shape
    out = np.empty(values.shape, values.dtype)
    next_value, next_day = np.empty((dates, lanes)), np.empty((dates, lanes))
    last_value, last_day = np.empty(lanes), np.empty(lanes)
    empty = np.float64(nodata)
    for y in range(height):
        for x0 in range(0, width, lanes):
            n = min(lanes, width - x0)
            for i in range(n):
                last_value[i], last_day[i] = 0.0, np.inf
            for back in range(dates):
                t = dates - 1 - back
                row, day = values[t, y, x0 : x0 + n], days[t]
                keep_value, keep_day = next_value[t], next_day[t]
                for i in range(n):
                    valid = row[i] != nodata
                    value = np.float64(row[i]) if valid else last_value[i]
                    when = day if valid else last_day[i]
                    last_value[i] = keep_value[i] = value
                    last_day[i] = keep_day[i] = when
            for i in range(n):
                last_value[i], last_day[i] = 0.0, -np.inf
            for t in range(dates):
                row, new, day = values[t, y, x0 : x0 + n], out[t, y, x0 : x0 + n], days[t]
                after, then = next_value[t], next_day[t]
                for i in range(n):
                    valid = row[i] != nodata
                    value = np.float64(row[i]) if valid else last_value[i]
                    when = day if valid else last_day[i]
                    last_value[i], last_day[i] = value, when
                    gap = then[i] - when
                    filled = value + (after[i] - value) * ((day - when) / gap)
                    whole = np.rint(filled)
                    aside = whole + (1.0 if filled >= whole else -1.0)
                    whole = aside if whole == empty else whole
                    whole = whole if gap <= max_gap else empty
                    new[i] = row[i] if valid else out.dtype.type(whole)
    return out


def fill_gaps(values: Any, days: tuple[float, ...], nodata: Any, max_gap: float) -> Any:
    """Return a stack with its inner gaps filled.

    Contiguous pixels cost a copy of a window and save a multiple of it: with strides that are only
    known at run time nothing becomes a vector instruction.
    """
    values = np.ascontiguousarray(values).view()
    values.flags.writeable = False
    fill = fill_floats if values.dtype.kind == "f" else fill_integers
    lanes = min(LANES, max(values.shape[-1], 1))
    return fill(values, np.asarray(days), nodata, max_gap, lanes)
