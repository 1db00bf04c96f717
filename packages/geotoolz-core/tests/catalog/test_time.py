from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest

from geotoolz.catalog._time import iso, parse_instant, parse_interval
from geotoolz.core import ParameterError


@pytest.mark.parametrize(
    ("value", "start", "end"),
    [
        ("2023", "2023-01-01T00:00:00Z", "2023-12-31T23:59:59.999999Z"),
        ("2024-02", "2024-02-01T00:00:00Z", "2024-02-29T23:59:59.999999Z"),
        ("2023-08-15", "2023-08-15T00:00:00Z", "2023-08-15T23:59:59.999999Z"),
        (date(2023, 8, 15), "2023-08-15T00:00:00Z", "2023-08-15T23:59:59.999999Z"),
        ("2023-08-01/2023-08-31", "2023-08-01T00:00:00Z", "2023-08-31T23:59:59.999999Z"),
        ("2023-08-15T10:00:00Z", "2023-08-15T10:00:00Z", "2023-08-15T10:00:00Z"),
        ("2023-08-15T10:00:00+02:00/..", "2023-08-15T08:00:00Z", None),
        ("../2023", None, "2023-12-31T23:59:59.999999Z"),
        ((None, date(2023, 1, 1)), None, "2023-01-01T23:59:59.999999Z"),
        (datetime(2023, 1, 1), "2023-01-01T00:00:00Z", "2023-01-01T00:00:00Z"),
        (pd.Timestamp("2023-01-01"), "2023-01-01T00:00:00Z", "2023-01-01T00:00:00Z"),
        (
            np.datetime64("2023-01-01T00:00:00.5"),
            "2023-01-01T00:00:00.500000Z",
            "2023-01-01T00:00:00.500000Z",
        ),
    ],
)
def test_intervals(value: object, start: str | None, end: str | None) -> None:
    found = parse_interval(value)
    assert tuple(iso(t) if t else None for t in found) == (start, end)


@pytest.mark.parametrize(
    "bad",
    ["", "soon", "2023-13", "2023-02-30", "2023-01-02/2023-01-01", "../..", "a/b/c", 5, None, pd.NaT, (1, 2)],
)
def test_no_times(bad: object) -> None:
    with pytest.raises(ParameterError):
        parse_interval(bad)


def test_nanoseconds_are_cut() -> None:
    assert parse_instant("2019-12-01T15:13:51.8610990Z") == datetime(2019, 12, 1, 15, 13, 51, 861099, UTC)
