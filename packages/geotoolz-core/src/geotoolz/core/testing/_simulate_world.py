"""From a scene's own coordinates to the one simulated world, and to the sun."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import TypeAlias

import numpy as np

from geotoolz.core._errors import ParameterError
from geotoolz.core.testing._simulate_noise import F64

ToWorld: TypeAlias = Callable[[F64, F64], tuple[F64, F64]]

_REACH = 120_000.0
_TERMS = 7


def utc(when: str | date | datetime) -> datetime:
    """Return a moment as an aware UTC datetime; a naive one counts as UTC, a date as 10:00.

    Examples
    --------
    >>> utc("2023-06-18").isoformat()
    '2023-06-18T10:00:00+00:00'
    """
    if isinstance(when, str):
        try:
            when = date.fromisoformat(when) if len(when) == 10 else datetime.fromisoformat(when)
        except ValueError as err:
            raise ParameterError(
                f"datetime {when!r} cannot be read", expected="ISO 8601, as in 2023-06-18T10:00:31Z"
            ) from err
    if not isinstance(when, datetime):
        when = datetime(when.year, when.month, when.day, 10)
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)


def iso(moment: datetime) -> str:
    """Return ISO 8601 in UTC with a Z, to the second where there is no fraction.

    Examples
    --------
    >>> iso(utc("2023-06-18T12:00:31+02:00"))
    '2023-06-18T10:00:31Z'
    """
    return moment.isoformat().replace("+00:00", "Z")


def sun_position(moment: datetime, longitude: float, latitude: float) -> tuple[float, float]:
    """Return the sun's azimuth (from north, clockwise) and elevation, in degrees, without refraction.

    The low-precision formulae of the Astronomical Almanac as given by Michalsky (1988), "The Astronomical
    Almanac's algorithm for approximate solar position (1950–2050)", Solar Energy 40(3), 227–235: good to
    about 0.01°.
    """
    days = (moment - datetime(2000, 1, 1, 12, tzinfo=UTC)).total_seconds() / 86400.0
    hour = moment.hour + moment.minute / 60.0 + (moment.second + moment.microsecond * 1e-6) / 3600.0
    mean_longitude = 280.460 + 0.9856474 * days
    anomaly = math.radians(357.528 + 0.9856003 * days)
    ecliptic = math.radians(mean_longitude + 1.915 * math.sin(anomaly) + 0.020 * math.sin(2 * anomaly))
    obliquity = math.radians(23.439 - 4e-7 * days)
    ascension = math.atan2(math.cos(obliquity) * math.sin(ecliptic), math.cos(ecliptic))
    declination = math.asin(math.sin(obliquity) * math.sin(ecliptic))
    # The almanac's constants take the whole moment as `days` and add the hour of the day.
    sidereal = 6.697375 + 0.0657098242 * days + hour
    hour_angle = math.radians(sidereal * 15.0 + longitude) - ascension
    lat = math.radians(latitude)
    up = math.sin(lat) * math.sin(declination) + math.cos(lat) * math.cos(declination) * math.cos(hour_angle)
    east = -math.cos(declination) * math.sin(hour_angle)
    north = math.sin(declination) * math.cos(lat) - math.cos(declination) * math.sin(lat) * math.cos(
        hour_angle
    )
    return math.degrees(math.atan2(east, north)) % 360.0, math.degrees(math.asin(max(-1.0, min(1.0, up))))


@lru_cache(maxsize=64)
def lonlat(crs: str, x: float, y: float) -> tuple[float, float]:
    """Return longitude and latitude (EPSG:4326) of one point."""
    lon, lat = _transformer(crs, "EPSG:4326").transform(x, y)
    return float(lon), float(lat)


@lru_cache(maxsize=64)
def from_lonlat(crs: str, lon: float, lat: float) -> tuple[float, float]:
    """Return the point of a CRS that lies at a longitude and latitude."""
    x, y = _transformer("EPSG:4326", crs).transform(lon, lat)
    return float(x), float(y)


@lru_cache(maxsize=16)
def _transformer(source: str, target: str):  # type: ignore[no-untyped-def]
    from pyproj import Transformer

    return Transformer.from_crs(source, target, always_xy=True)


def to_world(crs: str, world: str, origin: tuple[float, float]) -> ToWorld:
    """Return the function from a scene's coordinates to the world's.

    Between two transverse Mercator zones the mapping is conformal, that is, an analytic function of x + iy.
    A complex polynomial about the scene's corner stands for it (error under a centimetre within 120 km): it
    is elementwise and the same for every window, while a call of PROJ for each pixel would cost more than
    the rest of the simulation.
    """
    if crs == world:
        return lambda x, y: (x, y)
    coefficients = _fit(crs, world, *origin)

    def convert(x: F64, y: F64) -> tuple[F64, F64]:
        re, im = np.broadcast_arrays((x - origin[0]) * (1.0 / _REACH), (y - origin[1]) * (1.0 / _REACH))
        out_re = np.full(re.shape, coefficients[-1].real)
        out_im = np.full(re.shape, coefficients[-1].imag)
        for c in coefficients[-2::-1]:
            out_re, out_im = out_re * re - out_im * im + c.real, out_re * im + out_im * re + c.imag
        return out_re, out_im

    return convert


@lru_cache(maxsize=32)
def _fit(crs: str, world: str, x0: float, y0: float) -> tuple[complex, ...]:
    """Fit the polynomial on a circle around the corner: for an analytic function that is a Fourier sum."""
    n = 32
    turns = [complex(math.cos(2 * math.pi * k / n), math.sin(2 * math.pi * k / n)) for k in range(n)]
    x = np.array([x0 + _REACH * t.real for t in turns])
    y = np.array([y0 + _REACH * t.imag for t in turns])
    # Rounded to a tenth of a millimetre: the last bits of PROJ differ between builds.
    wx, wy = (np.round(v, 4) for v in _transformer(crs, world).transform(x, y))
    values = [complex(a, b) for a, b in zip(wx.tolist(), wy.tolist(), strict=True)]
    return tuple(sum(v * turns[(-m * k) % n] for k, v in enumerate(values)) / n for m in range(_TERMS))
