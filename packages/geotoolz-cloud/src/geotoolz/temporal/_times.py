"""The time axis of a stack: what its positions mean, and which variables lie along it."""

from __future__ import annotations

from typing import Any

import numpy as np

from geotoolz.core import ParameterError, TileError, TileSpec, VarSpec, chosen_bands, is_flags

STACK = ("time", "y", "x")
_OF_ONE_DATE = ("sun_elevation", "sun_azimuth", "processing_baseline")
"""Attributes of a scene that mean nothing for several."""
_ALL = slice(None)
_DAY = np.timedelta64(1, "D") / np.timedelta64(1, "ns")


def stacked_bands(tile: TileSpec, bands: tuple[str, ...] | None, needed_by: str) -> tuple[str, ...]:
    """Return the variables that ``bands`` means, all with dims ``(time, y, x)``.

    By default all image bands along time; those without are left alone.

    Raises
    ------
    TileError
        If the tile has no dates, or a named variable does not lie along time.
    """
    if tile.sizes.get("time", 0) == 0:
        tile.coordinate("time", needed_by)  # says what is missing and where to give it
        raise TileError(f"{needed_by} got a stack of 0 dates", expected="one date or more")
    found = chosen_bands(tile, bands, needed_by)
    if bands is None:
        found = tuple(name for name in found if "time" in tile.variables[name].dims)
        if not found:
            raise TileError(
                f"{needed_by} found no band along 'time' among {', '.join(tile.variables)}",
                expected="bands with dims (time, y, x)",
                fix="name the variables with bands=",
            )
    for name in found:
        spec = tile.variables[name]
        if spec.dims != STACK:
            raise TileError(
                f"{needed_by} reads {name!r}, which has dims {spec.dims}", expected="(time, y, x)"
            )
        if spec.dtype.kind not in "iuf":
            raise TileError(f"{needed_by} reads {name!r}, which is {spec.dtype}", expected="numbers")
    return found


def require_measurements(tile: TileSpec, bands: tuple[str, ...], needed_by: str) -> None:
    """Raise for flags and masks: a number between two classes is no class."""
    for name in bands:
        if is_flags(name, tile.variables[name]):
            raise TileError(
                f"{needed_by} reads {name!r}, which holds flags or a mask",
                expected="measurements",
                fix="leave it out of bands=",
            )


def require_nodata(name: str, spec: VarSpec, needed_by: str) -> np.generic[Any]:
    """Return a band's no-data value in its own type; integers without one are refused."""
    if spec.dtype.kind in "iu" and not isinstance(spec.nodata_scalar, spec.dtype.type):
        found = "no no-data value" if spec.nodata is None else f"the no-data value {spec.nodata}"
        raise TileError(
            f"{needed_by} writes {name!r}, which is {spec.dtype} and has {found}",
            expected="a number of that type that means no data",
            fix=f"ds[{name!r}].rio.write_nodata(…), or put ToFloat32 first",
        )
    return spec.dtype.type(spec.nodata if spec.nodata is not None else np.nan)  # type: ignore[no-any-return]


def times_of(tile: TileSpec, needed_by: str) -> Any:
    """Return the dates of a stack as ``datetime64[ns]``.

    Raises
    ------
    TileError
        If they are missing, or no dates.
    """
    times = tile.coordinate("time", needed_by)
    if times.dtype.kind != "M":
        raise TileError(
            f"{needed_by} found 'time' as {times.dtype}, beginning with {times[:1].tolist()}",
            expected="dates (datetime64)",
            # datetimes that end in Z become timezone-aware, which xarray keeps as objects
            fix="tile.assign_coords(time=pandas.to_datetime([…], utc=True).tz_localize(None))",
        )
    missing = np.flatnonzero(np.isnat(times))
    if missing.size:
        raise TileError(
            f"{needed_by} found no date at position {_listed(missing)} of 'time'", expected="dates"
        )
    return times


def ordered_times(tile: TileSpec, needed_by: str) -> Any:
    """Return the dates of a stack, each later than the one before.

    Raises
    ------
    TileError
        With the positions that are not.
    """
    times = times_of(tile, needed_by)
    steps = np.diff(times).astype(np.int64)
    back, same = np.flatnonzero(steps < 0), np.flatnonzero(steps == 0)
    if back.size:
        i = int(back[0])
        raise TileError(
            f"{needed_by} found times that go back after position {_listed(back)} "
            f"({iso(times[i])}, then {iso(times[i + 1])})",
            expected="times in order",
            fix="tile.sortby('time')",
        )
    if same.size:
        raise TileError(
            f"{needed_by} found the same time at positions {_listed(same)} and the next "
            f"({iso(times[int(same[0])])})",
            expected="every time once",
            fix="tile.drop_duplicates('time'), or merge scenes of one time first",
        )
    return times


def date_order(tile: TileSpec, needed_by: str) -> tuple[int, ...]:
    """Return the positions of a stack from the earliest date to the latest, equal dates as they stand.

    A stack that has no coordinate ``time`` is in order as it is.

    Raises
    ------
    TileError
        If the coordinate holds no dates.
    """
    if "time" not in tile.coords:
        return tuple(range(tile.sizes["time"]))
    return tuple(np.argsort(times_of(tile, needed_by), kind="stable").tolist())


def days(times: Any, since: Any = None) -> tuple[float, ...]:
    """Return times as days since one, by default the first, in float64."""
    steps = times - (times[0] if since is None else since)
    return tuple(float(step) / _DAY for step in steps.astype(np.int64))


def iso(time: Any) -> str:
    """Return a time as ISO 8601 in UTC, to the second."""
    return f"{np.datetime_as_string(time, unit='s')}Z"


def parsed(text: str, field: str) -> Any:
    """Return a time given as text, to the nanosecond; refuse what is none."""
    try:
        time = np.datetime64(text.removesuffix("Z"), "ns")
    except ValueError as error:
        raise ParameterError(f"{field}={text!r}", expected="a date such as '2024-07-01'") from error
    if np.isnat(time):
        raise ParameterError(f"{field}={text!r}", expected="a date such as '2024-07-01'")
    return time


def several_dates_attrs(tile: TileSpec, suffix: str, used: slice = _ALL) -> dict[str, Any]:
    """Return what a tile made of several dates says of itself, so that it does not pass for one scene.

    The interval, its start as its own time, and its id with a suffix; what holds for a single date
    (`_OF_ONE_DATE`) goes, and without a coordinate ``time`` the time of the scene as well. `used` are the
    positions that went in.
    """
    attrs: dict[str, Any] = {name: None for name in _OF_ONE_DATE if name in tile.attrs}
    known = tile.coords.get("time")
    if known is not None:
        start, end = iso(known.values[used].min()), iso(known.values[used].max())
        attrs.update(datetime=start, start_datetime=start, end_datetime=end)
    elif "datetime" in tile.attrs:
        attrs["datetime"] = None
    platform = tile.coords.get("platform")
    if platform is not None and "platform" in tile.attrs and len(set(platform.values.tolist())) > 1:
        attrs["platform"] = None
    if "tile_id" in tile.attrs:
        attrs["tile_id"] = f"{tile.attrs['tile_id']}_{suffix}"
    return attrs


def _listed(positions: Any) -> str:
    shown = ", ".join(str(int(p)) for p in positions[:5])
    return shown + (f", … ({positions.size} in all)" if positions.size > 5 else "")
