"""Instants and intervals as STAC speaks of them: ISO 8601, UTC, closed at both ends, ``..`` for open."""

from __future__ import annotations

import calendar
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from geotoolz.core._errors import ParameterError

Interval = tuple[datetime | None, datetime | None]

# Catalogs keep microseconds: the last instant of a period is one microsecond before the next period.
RESOLUTION = timedelta(microseconds=1)

_PARTIAL = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?")
_FRACTION = re.compile(r"(\.\d{6})\d+")
_EXPECTED = "an ISO 8601 instant, a period such as '2023', '2023-08' or '2023-08-15', or 'start/end'"


def parse_instant(value: object) -> datetime:
    """Return an aware UTC datetime; a time without a zone is taken as UTC.

    Parameters
    ----------
    value : str, datetime, date, numpy.datetime64 or pandas.Timestamp
        A date means its midnight. More than six decimals of a second are cut.

    Raises
    ------
    ParameterError
        If it is no point in time.

    Examples
    --------
    >>> parse_instant("2023-08-20T09:58:11.072000Z").isoformat()
    '2023-08-20T09:58:11.072000+00:00'
    """
    if isinstance(value, datetime):
        return _utc(value)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if type(value).__name__ == "datetime64":
        value = str(value)
    if not isinstance(value, str):
        raise ParameterError(f"{value!r} is not a time", expected="an ISO 8601 string or a datetime")
    text = _FRACTION.sub(r"\1", value.strip())
    try:
        return _utc(datetime.fromisoformat(text))
    except ValueError:
        start, _ = _period(text, value)
        return start


def _utc(value: datetime) -> datetime:
    # a pandas.Timestamp is a datetime too; a plain one compares and pickles the same everywhere
    to_plain = getattr(value, "to_pydatetime", None)
    if to_plain is not None:
        value = to_plain(warn=False)
    if value != value:
        raise ParameterError("NaT is not a time", expected="an ISO 8601 string or a datetime")
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _period(text: str, shown: object) -> tuple[datetime, datetime]:
    """Return first and last instant of a year, month or day."""
    match = _PARTIAL.fullmatch(text)
    if match is None:
        raise ParameterError(f"{shown!r} is not a time", expected=_EXPECTED)
    year, month, day = (int(part) if part else None for part in match.groups())
    try:
        if month is None:
            first, last = datetime(int(year or 0), 1, 1), datetime(int(year or 0), 12, 31)
        elif day is None:
            first = datetime(int(year or 0), month, 1)
            last = first.replace(day=calendar.monthrange(first.year, month)[1])
        else:
            first = last = datetime(int(year or 0), month, day)
    except (ValueError, calendar.IllegalMonthError):
        raise ParameterError(f"{shown!r} is no date of the calendar", expected=_EXPECTED) from None
    start = first.replace(tzinfo=UTC)
    return start, last.replace(hour=23, minute=59, second=59, microsecond=999_999, tzinfo=UTC)


def _span(value: object) -> tuple[datetime, datetime]:
    """Return first and last instant of what may be a period."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return _period(value.isoformat(), value)
    if isinstance(value, str) and _PARTIAL.fullmatch(value.strip()):
        return _period(value.strip(), value)
    instant = parse_instant(value)
    return instant, instant


def _open(value: object) -> bool:
    return value is None or (isinstance(value, str) and value.strip() in ("", ".."))


def parse_interval(value: object) -> Interval:
    """Return the closed interval that a text, an instant or a pair means.

    Parameters
    ----------
    value : str, datetime, date, or pair of those
        ``"2023-08"`` is the whole month, ``"2023-08-01/2023-08-31"`` includes the last day,
        ``"2023-08-01/.."`` is open; a pair takes None for open.

    Returns
    -------
    tuple
        Start and end; None where open.

    Raises
    ------
    ParameterError
        If a part is no time, both ends are open, or the end is before the start.

    Examples
    --------
    >>> start, end = parse_interval("2023-08")
    >>> start.isoformat(), end.isoformat()
    ('2023-08-01T00:00:00+00:00', '2023-08-31T23:59:59.999999+00:00')
    """
    parts: Sequence[Any]
    if isinstance(value, str) and "/" in value:
        parts = value.split("/")
    elif isinstance(value, (tuple, list)):
        parts = value
    else:
        return _span(value)
    if len(parts) != 2:
        raise ParameterError(f"{value!r} has {len(parts)} parts", expected="'start/end' or (start, end)")
    start = None if _open(parts[0]) else _span(parts[0])[0]
    end = None if _open(parts[1]) else _span(parts[1])[1]
    if start is None and end is None:
        raise ParameterError(
            f"{value!r} is open at both ends", expected="at least one end", fix="pass time=None"
        )
    if start is not None and end is not None and end < start:
        raise ParameterError(f"{value!r} ends before it starts", fix="swap the two ends")
    return start, end


def iso(value: datetime) -> str:
    """Return ISO 8601 in UTC, with as many decimals as are needed to be exact.

    Examples
    --------
    >>> iso(datetime(2023, 8, 20, 9, 58, tzinfo=UTC))
    '2023-08-20T09:58:00Z'
    """
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
