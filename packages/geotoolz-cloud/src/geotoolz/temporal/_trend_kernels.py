"""Trends of pixels: arrays in, arrays out; the loops are imported when a pixel needs them."""

from __future__ import annotations

from typing import Any

import numpy as np


def theil_sen(
    values: Any,
    nodata: Any,
    years: tuple[float, ...],
    since: float,
    min_obs: int,
    z: float | None,
    dtype: Any,
) -> Any:
    """Return slope and intercept of every pixel, with `z` also the bounds of the slope."""
    from geotoolz.temporal import _trend_loops as loops

    out = np.full((2 if z is None else 4, *values.shape[1:]), np.nan, dtype)
    loops.theil_sen(_read_only(values), nodata, np.asarray(years), since, min_obs, z or 0.0, out)
    return tuple(out)


def mann_kendall(values: Any, nodata: Any, seasons: tuple[int, ...], min_obs: int) -> Any:
    """Return S, tau and the p-value of every pixel."""
    from geotoolz.temporal import _trend_loops as loops

    out = np.full((3, *values.shape[1:]), np.nan, np.float32)
    loops.mann_kendall(_read_only(values), nodata, np.asarray(seasons, np.float64), min_obs, out)
    return tuple(out)


def _read_only(values: Any) -> Any:
    """Return an array that is compiled for once, writeable or not, cut or not."""
    values = np.ascontiguousarray(values).view()
    values.flags.writeable = False
    return values
