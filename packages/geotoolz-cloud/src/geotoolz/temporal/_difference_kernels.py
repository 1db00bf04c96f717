"""Kernel of differences between two dates."""

from __future__ import annotations

from typing import Any

import numpy as np

from geotoolz.core import kernel


@kernel
def _differences(before: Any, after: Any, nodata: Any, relative: Any, sign: Any, out: Any) -> None:
    height, width = out.shape
    for y in range(height):
        one, two, line = before[y], after[y], out[y]
        for x in range(width):
            a, b = np.float64(one[x]), np.float64(two[x])
            missing = (one[x] == nodata) | (two[x] == nodata)
            by = np.abs(a) if relative else 1.0
            value = sign * (b - a) / by
            line[x] = out.dtype.type(np.nan if missing | (by == 0.0) else value)


def differences(
    values: Any, nodata: Any, before: int, after: int, relative: bool, sign: float, dtype: Any
) -> Any:
    """Return one date of a stack minus another, in float64 and then rounded to `dtype`."""
    out = np.empty(values.shape[1:], dtype)
    one, two = (np.ascontiguousarray(values[i]).view() for i in (before, after))
    one.flags.writeable = two.flags.writeable = False
    _differences(one, two, nodata, relative, sign, out)
    return out
