"""Where the sun stands and how far it is, by a tile's metadata."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import numpy as np

from geotoolz.core import ParameterError, QuantityError, TileError, TileSpec, VarSpec

_J2000 = datetime(2000, 1, 1, 12, tzinfo=UTC)


def earth_sun_distance(when: str | datetime | np.datetime64) -> float:
    """Return the distance of the earth from the sun, in astronomical units.

    ``1.00014 − 0.01671 cos g − 0.00014 cos 2g`` with the mean anomaly ``g = 357.529° + 0.98560028° n``
    and n days since 2000-01-01 12:00. Right to 1e-4 in our century (the moon's pull is left out).

    Parameters
    ----------
    when : str, datetime or numpy.datetime64
        A date or time; without a zone UTC is meant.

    Returns
    -------
    float

    Raises
    ------
    ParameterError
        If it is no date.

    References
    ----------
    U.S. Naval Observatory, Approximate Solar Coordinates; The Astronomical Almanac, section C
    (low-precision formulas for the sun).

    Examples
    --------
    The MTL file of a Landsat-8 scene of that day says 0.9860755:

    >>> from geotoolz.radiometry import earth_sun_distance
    >>> round(earth_sun_distance("2019-12-01T15:13:51Z"), 4)
    0.9861
    """
    try:
        text = str(when.astype("datetime64[us]")) if isinstance(when, np.datetime64) else str(when)
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ParameterError(
            f"{when!r} is no date", expected="ISO 8601, as 2019-12-01 or 2019-12-01T15:13:51Z"
        ) from error
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    days = (moment - _J2000).total_seconds() / 86400.0
    anomaly = math.radians(357.529 + 0.98560028 * days)
    return 1.00014 - 0.01671 * math.cos(anomaly) - 0.00014 * math.cos(2 * anomaly)


def is_dated(spec: VarSpec) -> bool:
    """Whether a variable is a stack of dates.

    Raises
    ------
    TileError
        If the dates do not come first.
    """
    if "time" not in spec.dims:
        return False
    if spec.dims[0] != "time":
        raise TileError(
            f"a variable has dims {spec.dims}", expected="time first", fix="ds.transpose('time', ...)"
        )
    return True


def along_time(tile: TileSpec, spec: VarSpec, name: str) -> tuple[Any, ...] | None:
    """Return what a stack says of each date by a coordinate along ``time``, or None."""
    coord = tile.coords.get(name)
    if coord is None or not is_dated(spec) or coord.dim != "time":
        return None
    return tuple(coord.values.tolist()) if coord.values.dtype.kind != "M" else tuple(coord.values)


def sun_elevations(
    tile: TileSpec, spec: VarSpec, given: float | None, needed_by: str
) -> tuple[tuple[float, ...], tuple[str, ...]]:
    """Return the sun's elevation in degrees, one for all dates or one for each, and doubts.

    Raises
    ------
    TileError
        If nothing tells it.
    QuantityError
        If the sun is not above the horizon.
    """
    found = (given,) if given is not None else along_time(tile, spec, "sun_elevation")
    notes: tuple[str, ...] = ()
    if found is None and "sun_elevation" in tile.attrs:
        found = (tile.attrs["sun_elevation"],)
        if tile.sizes.get("time", 1) > 1 and "time" in spec.dims:
            notes = ("one sun elevation for all dates: give a coordinate 'sun_elevation' along time",)
    if found is None:
        raise TileError(
            f"{needed_by} needs the sun's elevation, and the tile has no attribute 'sun_elevation'",
            expected="degrees above the horizon (SUN_ELEVATION of a Landsat MTL; 90 − zenith angle)",
            fix="ds.attrs['sun_elevation'] = …, a coordinate 'sun_elevation' on time, or sun_elevation=…",
        )
    return tuple(_above_horizon(value, needed_by) for value in found), notes


def _above_horizon(value: Any, needed_by: str) -> float:
    try:
        elevation = float(value)
    except (TypeError, ValueError):
        elevation = math.nan
    if not 0 < elevation <= 90:
        below = "the sun is below the horizon" if elevation <= 0 else "no elevation of a sun"
        raise QuantityError(
            f"{needed_by}: sun_elevation is {value!r}: {below}",
            expected="degrees above the horizon, more than 0 and at most 90",
            fix="leave night scenes out; a zenith angle z is the elevation 90 − z",
        )
    return elevation


def sun_distances(tile: TileSpec, spec: VarSpec, given: float | None, needed_by: str) -> tuple[float, ...]:
    """Return the distance to the sun in astronomical units, one for all dates or one for each.

    Raises
    ------
    TileError
        If neither a distance nor a date is known.
    QuantityError
        If a distance is none of the earth's.
    """
    found = (given,) if given is not None else along_time(tile, spec, "earth_sun_distance")
    if found is None and is_dated(spec) and "time" in tile.coords:
        return tuple(earth_sun_distance(t) for t in tile.coordinate("time", needed_by))
    if found is None and "earth_sun_distance" in tile.attrs:
        found = (tile.attrs["earth_sun_distance"],)
    if found is None and tile.attrs.get("datetime"):
        return (earth_sun_distance(str(tile.attrs["datetime"])),)
    if found is None:
        raise TileError(
            f"{needed_by} needs the distance to the sun, and the tile has no attribute 'datetime'",
            expected="the date of acquisition, or 'earth_sun_distance' in astronomical units",
            fix="ds.attrs['datetime'] = '2019-12-01T15:13:51Z', or distance=…",
        )
    return tuple(_of_the_earth(value, needed_by) for value in found)


def _of_the_earth(value: Any, needed_by: str) -> float:
    try:
        distance = float(value)
    except (TypeError, ValueError):
        distance = math.nan
    if not 0.98 <= distance <= 1.02:
        raise QuantityError(
            f"{needed_by}: the distance to the sun is {value!r}",
            expected="astronomical units, 0.983 … 1.017",
            fix="divide kilometres by 149597870.7, or leave it out: the date tells it",
        )
    return distance
