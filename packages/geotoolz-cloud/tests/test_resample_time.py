"""Regular steps in time, by hand and against the calendar."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox

from geotoolz.core import ParameterError, TileError, tile_from_arrays
from geotoolz.core.testing import contract_tile
from geotoolz.temporal import Composite, ResampleTime, resample_time
from geotoolz.temporal._calendar import Every


def stack(dates: Any, values: Any, nodata: Any = np.nan) -> xr.Dataset:
    """A stack of one pixel."""
    box = GeoBox((1, 1), Affine(10, 0, 5e5, 0, -10, 5e6), "EPSG:32633")
    array = np.asarray(values).reshape(-1, 1, 1)
    ds = tile_from_arrays(
        {"a": (("time", "y", "x"), array)}, box, nodata={} if nodata is None else {"a": nodata},
        var_attrs={"a": {"quantity": "index"}},
    )  # fmt: skip
    return ds.assign_coords(time=np.array(dates, "datetime64[ns]"))


def days_of(ds: xr.Dataset) -> list[str]:
    return [str(t)[:10] for t in ds.time.values]


def test_months() -> None:
    dates = ["2023-12-31T23:59:59", "2024-01-01", "2024-01-31T23:59", "2024-03-01", "2024-03-02"]
    tile = stack(dates, np.array([1, 2, 4, 8, 10], "f4"))
    out = ResampleTime("monthly", "mean")(tile)
    assert days_of(out) == ["2023-12-01", "2024-01-01", "2024-02-01", "2024-03-01"]
    np.testing.assert_array_equal(out.a.values[:, 0, 0], [1, 3, np.nan, 9])
    assert out["count"].values[:, 0, 0].tolist() == [1, 2, 0, 2]
    assert out.time.dtype == np.dtype("datetime64[ns]")
    assert days_of(resample_time(tile, "1M")) == days_of(out)
    assert days_of(resample_time(tile, "3M")) == ["2023-10-01", "2024-01-01"]
    assert days_of(resample_time(tile, "yearly")) == ["2023-01-01", "2024-01-01"]


def test_weeks_begin_on_monday() -> None:
    tile = stack(["2024-01-07T23:59", "2024-01-08", "2024-01-21"], np.array([1, 2, 3], "f4"))
    out = ResampleTime("weekly")(tile)  # Sunday, Monday, Sunday
    assert days_of(out) == ["2024-01-01", "2024-01-08", "2024-01-15"]
    assert out.a.values[:, 0, 0].tolist() == [1, 2, 3]


def test_steps_do_not_depend_on_the_first_date() -> None:
    one = ResampleTime("10D")(stack(["2024-01-03", "2024-01-20"], np.array([1, 2], "f4")))
    two = ResampleTime("10D")(stack(["2024-01-05", "2024-01-09"], np.array([1, 2], "f4")))
    assert set(days_of(two)) <= set(days_of(one))
    assert (one.time.values.astype("datetime64[D]").astype(int) % 10 == 0).all()


def test_start_and_end() -> None:
    tile = stack(["2024-01-03", "2024-02-20", "2024-03-01"], np.array([1, 2, 3], "f4"))
    out = ResampleTime("monthly", start="2023-12-24", end="2024-02-01")(tile)
    assert days_of(out) == ["2023-12-01", "2024-01-01", "2024-02-01"]
    np.testing.assert_array_equal(out.a.values[:, 0, 0], [np.nan, 1, 2])
    with pytest.raises(TileError, match="no date from 2025-01-01 to the last"):
        ResampleTime(start="2025-01-01")(tile)
    with pytest.raises(TileError, match="no date"):
        ResampleTime(start="2024-01-04", end="2024-01-05", every="daily")(tile)


def test_before_1970() -> None:
    tile = stack(["1969-12-28", "1969-12-29", "1969-11-30"][::-1], np.array([1, 2, 3], "f4")[::-1])
    tile = tile.sortby("time")
    assert days_of(ResampleTime("weekly")(tile))[-2:] == ["1969-12-22", "1969-12-29"]
    assert days_of(ResampleTime("monthly")(tile)) == ["1969-11-01", "1969-12-01"]


def test_chosen_values_keep_their_type_and_empty_steps_have_no_data() -> None:
    tile = stack(["2024-01-01", "2024-03-01"], np.array([7, 9], "u1"), 255)
    out = ResampleTime("monthly", "medoid")(tile)
    assert out.a.values[:, 0, 0].tolist() == [7, 255, 9]
    assert out.a.dtype == np.uint8


@pytest.mark.parametrize("method", ["median", "mean", "geomedian", "medoid", "max_ndvi"])
def test_every_step_is_a_composite(method: Any) -> None:
    tile = contract_tile((5, 19), times=9)
    bands = ("blue", "red", "nir")
    out = ResampleTime("10D", method, bands)(tile)
    steps = Every.parse("10D").bin_of(tile.time.values)
    for i, step in enumerate(range(steps[0], steps[-1] + 1)):
        part = Composite(method, bands)(tile.isel(time=np.flatnonzero(steps == step)))
        for name in (*bands, "count"):
            np.testing.assert_array_equal(out[name].values[i], part[name].values)


def test_what_becomes_of_other_variables() -> None:
    tile = contract_tile((3, 4), times=3).assign_coords(sun_elevation=("time", [30.0, 31.0, 33.0]))
    tile.time.attrs["long_name"] = "time of acquisition"
    out = ResampleTime("weekly", bands=("red",))(tile)
    assert list(out.data_vars) == ["red", "count"]
    assert "sun_elevation" not in out.coords
    assert out.time.attrs["long_name"] == "time of acquisition"
    assert out.attrs["datetime"] == out.attrs["start_datetime"] == "2024-06-01T00:00:00Z"
    assert out.attrs["end_datetime"] == "2024-06-11T00:00:00Z"
    assert out.attrs["tile_id"] == "contract_weekly_median"


@settings(max_examples=60)
@given(
    moments=st.lists(
        st.datetimes(datetime.datetime(1960, 1, 1), datetime.datetime(2060, 1, 1)), min_size=1, max_size=20
    )
)
def test_bins_are_those_of_the_calendar(moments: list[datetime.datetime]) -> None:
    times = np.array(moments, "datetime64[ns]")
    for text in ("weekly", "monthly", "yearly", "3M", "10D", "daily"):
        every = Every.parse(text)
        for moment, number in zip(moments, every.bin_of(times), strict=True):
            start, after = every.starts(int(number), int(number) + 1)
            assert start <= np.datetime64(moment, "ns") < after
            first = start.astype("datetime64[s]").item()
            if text == "weekly":
                assert first.isocalendar()[:2] == moment.isocalendar()[:2]
                assert first.isoweekday() == 1
            if text in ("monthly", "3M", "yearly"):
                assert (first.day, first.hour) == (1, 0)
                assert first.year == moment.year


def test_unsorted_and_duplicate_times_are_refused() -> None:
    values = np.array([1, 2], "f4")
    with pytest.raises(TileError, match="go back after position 0"):
        ResampleTime()(stack(["2024-01-02", "2024-01-01"], values))
    with pytest.raises(TileError, match="same time at positions 0"):
        ResampleTime()(stack(["2024-01-01", "2024-01-01"], values))
    with pytest.raises(TileError, match="a stack of 0 dates"):
        ResampleTime()(stack(["2024-01-01", "2024-01-02"], values).isel(time=[]))
    with pytest.raises(TileError, match="coordinate 'time'"):
        ResampleTime()(stack(["2024-01-01", "2024-01-02"], values).drop_vars("time"))


def test_integers_without_no_data_cannot_be_empty() -> None:
    tile = stack(["2024-01-01", "2024-03-01"], np.array([7, 9], "u1"), None)
    with pytest.raises(TileError, match="'a', which is uint8 and has no no-data value"):
        ResampleTime("monthly", "medoid")(tile)
    np.testing.assert_array_equal(ResampleTime()(tile).a.values[:, 0, 0], [7, np.nan, 9])


@pytest.mark.parametrize(
    "values",
    [
        {"every": "fortnightly"}, {"every": "5M"}, {"every": "0D"}, {"every": "D"}, {"every": "1.5D"},
        {"start": "2024-02-01", "end": "2024-01-01"}, {"start": "soon"}, {"method": "best_pixel"},
        {"count": ""}, {"tolerance": 1.0},
    ],
)  # fmt: skip
def test_parameters(values: Any) -> None:
    with pytest.raises(ParameterError):
        ResampleTime(**values)


def test_absurdly_many_steps_are_refused() -> None:
    with pytest.raises(ParameterError, match="makes 36525 steps"):
        ResampleTime("daily", start="1950-01-01", end="2049-12-31")(
            stack(["2000-01-01"], np.array([1], "f4"))
        )
