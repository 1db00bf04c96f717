"""Which scenes make one date of a stack."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from geotoolz.catalog._time import parse_instant
from geotoolz.core._errors import CatalogError, ParameterError, nearest

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

GroupBy = Literal["solar_day", "time"] | None
_DEGREES_PER_HOUR = 15


def mid_longitude(geobox: GeoBox) -> float:
    """Return the longitude of a grid's centre, in degrees."""
    ((longitude, _),) = geobox.extent.centroid.to_crs("EPSG:4326").points
    return float(longitude)


def solar_day(instant: datetime, longitude: float) -> date:
    """Return the day of an instant by the sun at a longitude.

    UTC moved by ``trunc(longitude / 15°)`` whole hours, as odc-stac (``groupby="solar_day"``) and the Open
    Data Cube do: a pass over the date line, or over New Zealand at UTC midnight, stays one day.

    Parameters
    ----------
    instant : datetime
        In UTC.
    longitude : float
        In degrees, east positive.

    Examples
    --------
    >>> from datetime import UTC
    >>> solar_day(datetime(2023, 8, 20, 22, 10, tzinfo=UTC), 175.0)
    datetime.date(2023, 8, 21)
    """
    return (instant + timedelta(hours=int(longitude / _DEGREES_PER_HOUR))).date()


def grouped(rows: Iterable[Any], groupby: GroupBy, longitude: float) -> list[list[Any]]:
    """Sort rows into dates.

    Parameters
    ----------
    rows : iterable of named tuples
        As `GeoCatalog.iter_rows` yields them.
    groupby : {"solar_day", "time"} or None
        None makes every scene a date of its own.
    longitude : float
        Where the solar day is told.

    Returns
    -------
    list of list
        The rows of each date, in the order of time and then of id; the dates in the same order. The first
        row that has data at a pixel gives it.

    Raises
    ------
    CatalogError
        If a row has no time.
    ParameterError
        If `groupby` is none of these.
    """
    keys: dict[str | None, Callable[[Any], Any]] = {
        "solar_day": lambda row: solar_day(instant_of(row), longitude),
        "time": instant_of,
        None: lambda row: (instant_of(row), row.id),
    }
    if groupby not in keys:
        raise ParameterError(
            f"groupby={groupby!r}{nearest(str(groupby), ('solar_day', 'time'))}",
            expected='"solar_day", "time" or None',
        )
    ordered = sorted(rows, key=lambda row: (instant_of(row), row.id))
    groups: dict[Any, list[Any]] = {}
    for row in ordered:
        groups.setdefault(keys[groupby](row), []).append(row)
    return list(groups.values())


def instant_of(row: Any) -> datetime:
    """Return when a scene was taken: its time, else the start of its interval.

    Raises
    ------
    CatalogError
        If it has neither.
    """
    for value in (row.datetime, row.start_datetime):
        if value is not None and value == value and type(value).__name__ != "NaTType":
            return parse_instant(value)
    raise CatalogError(
        f"row {row.id!r} has no time",
        expected="a datetime in every row of a stack",
        fix='leave it out: filter("start_datetime is not null")',
    )
