"""Two dates of a stack: where they are, and what is said of what is made of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from geotoolz.core import ParameterError, TileError, TileSpec
from geotoolz.temporal._times import iso, parsed, times_of


def check_dates(before: int | str, after: int | str, max_days: float) -> None:
    """Raise unless dates given as text can be read, and the days are some."""
    for name, value in (("before", before), ("after", after)):
        if isinstance(value, str):
            parsed(value, name)
    if not 0 <= max_days < float("inf"):
        raise ParameterError(f"max_days={max_days}", expected="days, 0 or more")


def two_positions(
    tile: TileSpec, before: int | str, after: int | str, max_days: float, needed_by: str
) -> tuple[int, int]:
    """Return the positions of two dates along time.

    Raises
    ------
    TileError
        If one is not there, or both are the same.
    """
    one = _position(tile, before, "before", max_days, needed_by)
    two = _position(tile, after, "after", max_days, needed_by)
    if one == two:
        raise TileError(
            f"{needed_by}: before={before!r} and after={after!r} are the same date, position {one}",
            expected="two dates",
        )
    _require_order(tile, one, two, before, after, needed_by)
    return one, two


def _require_order(
    tile: TileSpec, one: int, two: int, before: int | str, after: int | str, needed_by: str
) -> None:
    """Raise where a position means a date on the wrong side of the other: the stack is not sorted.

    Two dates in so many words are taken as they are said: a change may be asked for backwards.
    """
    known = tile.coords.get("time")
    if (
        known is None
        or known.values.dtype.kind != "M"
        or (isinstance(before, str) and isinstance(after, str))
    ):
        return
    first, second = known.values[one], known.values[two]
    if first > second:
        raise TileError(
            f"{needed_by}: before={before!r} is {iso(first)}, later than after={after!r}, {iso(second)}",
            expected="times in order",
            fix="ds.sortby('time'), or name the two dates",
        )


def interval_attrs(tile: TileSpec, *positions: int) -> dict[str, Any]:
    """Return the attributes that name the dates; nothing for a stack without dates."""
    known = tile.coords.get("time")
    if known is None or known.values.dtype.kind != "M":
        return {}
    start, end = sorted(iso(known.values[i]) for i in positions)
    return {"datetime": end, "start_datetime": start, "end_datetime": end}


def _position(tile: TileSpec, wanted: int | str, field: str, max_days: float, label: str) -> int:
    dates = tile.sizes["time"]
    if isinstance(wanted, int):
        if not -dates <= wanted < dates:
            raise TileError(f"{label}: {field}={wanted} in a stack of {dates} dates", expected="a position")
        return wanted % dates
    times, target = times_of(tile, label), parsed(wanted, field)
    if "T" not in wanted:  # days are compared with days
        times, target = times.astype("datetime64[D]"), target.astype("datetime64[D]")
    away = np.abs((times - target) / np.timedelta64(1, "D"))
    nearest = int(np.argmin(away))
    if away[nearest] > max_days:
        raise TileError(
            f"{label}: no scene of {wanted}; the nearest is {iso(times_of(tile, label)[nearest])}",
            expected=f"one within {max_days:g} days" if max_days else "one of that date",
            fix="give its date, or a larger max_days",
        )
    same = np.flatnonzero(times == times[nearest])
    if same.size > 1:
        raise TileError(
            f"{label}: {same.size} scenes of {wanted} at positions {same.tolist()}",
            expected="one",
            fix=f"{field}= a position, or a time such as '{iso(times_of(tile, label)[nearest])}'",
        )
    earliest = np.flatnonzero(away == away[nearest])
    return int(earliest[np.argmin(times[earliest])])
