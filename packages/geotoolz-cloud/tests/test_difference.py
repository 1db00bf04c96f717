"""Differences between two dates, by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox

from geotoolz.core import ParameterError, QuantityError, TileError, tile_from_arrays
from geotoolz.temporal import Difference, subtract_dates

DATES = ["2024-07-01T10:00", "2024-07-11T10:00", "2024-07-11T10:05", "2024-08-01T10:00"]


def stack(values: Any, nodata: Any = np.nan, dates: Any = None, **attrs: Any) -> xr.Dataset:
    """A stack of one row, (time, x)."""
    array = np.asarray(values)[:, None, :]
    box = GeoBox(array.shape[1:], Affine(10, 0, 5e5, 0, -10, 5e6), "EPSG:32633")
    about = {"quantity": "index", "units": "1", **attrs}
    ds = tile_from_arrays(
        {"nbr": (("time", "y", "x"), array)}, box, nodata={"nbr": nodata}, var_attrs={"nbr": about},
        attrs={"datetime": "2024-07-01T00:00:00Z", "tile_id": "t"},
    )  # fmt: skip
    return ds.assign_coords(time=np.array(dates or DATES[: len(array)], "datetime64[ns]"))


FOUR = np.array([[0.5, 0.0, np.nan], [0.25, 1, 1], [0.75, 1, 1], [0.2, -0.5, 1]], "f4")


def test_after_minus_before() -> None:
    out = Difference()(stack(FOUR))
    np.testing.assert_array_equal(out.nbr.values, np.array([[np.float32(0.2) - 0.5, -0.5, np.nan]], "f4"))
    assert out.nbr.dims == ("y", "x")
    assert out.nbr.attrs["long_name"] == "change of nbr, after minus before"
    assert out.attrs["start_datetime"] == "2024-07-01T10:00:00Z"
    assert out.attrs["datetime"] == out.attrs["end_datetime"] == "2024-08-01T10:00:00Z"
    assert "time" not in out.coords


def test_dnbr_is_before_minus_after() -> None:
    tile = stack(FOUR)
    burnt = Difference(sign="before-after")(tile)
    np.testing.assert_array_equal(burnt.nbr.values, -Difference()(tile).nbr.values)
    assert burnt.nbr.values[0, 0] > 0  # NBR fell


def test_relative_to_the_value_before() -> None:
    out = Difference(relative=True)(
        stack(np.array([[-2, 4, 0], [-1, 3, 3]], "f4"), dates=DATES[:1] + DATES[3:])
    )
    np.testing.assert_array_equal(out.nbr.values, np.array([[0.5, -0.25, np.nan]], "f4"))
    assert out.nbr.attrs["units"] == "1"


def test_integers_do_not_wrap() -> None:
    out = subtract_dates(stack(np.array([[10, 5, 65535], [3, 0, 1]], "u2"), 0), 0, 1)
    np.testing.assert_array_equal(out.nbr.values, np.array([[-7, np.nan, -65534]], "f4"))


def test_dates_by_day_time_position_and_nearness() -> None:
    tile = stack(FOUR)

    def after(**about: Any) -> float:
        return round(float(Difference(0, **about)(tile).nbr.values[0, 0]) + 0.5, 6)

    assert after(after="2024-08-01") == 0.2
    assert after(after="2024-07-11T10:05:00Z") == 0.75
    assert after(after=1) == 0.25
    assert after(after="2024-07-11T10:01", max_days=1.0) == 0.25
    assert after(after="2024-07-25", max_days=7.0) == 0.2
    for wanted, days, text in (
        ("2024-07-25", 6.9, "no scene of 2024-07-25; the nearest is 2024-08-01T10:00:00Z"),
        ("2024-07-11T10:01", 0.0, "no scene of"),
        ("2024-07-11", 0.0, r"2 scenes of 2024-07-11 at positions \[1, 2\]"),
        ("2024-07-02", 1.0, "are the same date, position 0"),
        (4, 0.0, "after=4 in a stack of 4 dates"),
        (-5, 0.0, "after=-5"),
        (0, 0.0, "same date"),
    ):
        with pytest.raises(TileError, match=text):
            after(after=wanted, max_days=days)


def test_of_two_equally_near_scenes_the_earlier_is_taken() -> None:
    tile = stack(FOUR[:3], dates=["2024-07-05", "2024-07-01", "2024-06-01"])  # unsorted is no matter
    out = Difference(2, "2024-07-03", max_days=9.0)(tile)
    assert out.attrs["end_datetime"] == "2024-07-01T00:00:00Z"
    assert out.attrs["start_datetime"] == "2024-06-01T00:00:00Z"


def test_positions_need_no_times() -> None:
    out = Difference(0, 1)(stack(FOUR).drop_vars("time"))
    assert out.attrs["datetime"] == "2024-07-01T00:00:00Z"
    with pytest.raises(TileError, match="coordinate 'time'"):
        Difference("2024-07-01", 1)(stack(FOUR).drop_vars("time"))


def test_a_missing_stack_and_wrong_values_are_refused() -> None:
    with pytest.raises(TileError, match="works along 'time'"):
        Difference()(stack(FOUR).isel(time=0, drop=True))
    with pytest.raises(TileError, match="same date"):
        Difference()(stack(FOUR[:1]))
    with pytest.raises(QuantityError, match="stretched"):
        Difference()(stack(FOUR, quantity="stretched"))
    with pytest.raises(QuantityError, match=r"offset of -0\.1"):
        Difference()(stack(FOUR, quantity="dn", add_offset=-0.1))
    with pytest.raises(TileError, match="flags"):
        Difference(bands=("nbr",))(stack(FOUR, quantity="flags"))
    for values in ({"before": "never"}, {"max_days": -1.0}, {"sign": "minus"}):
        with pytest.raises(ParameterError):
            Difference(**values)  # type: ignore[arg-type]


@given(seed=st.integers(0, 2**32), relative=st.booleans(), dtype=st.sampled_from(["f4", "f8", "i2", "u2"]))
def test_equals_numpy(seed: int, relative: bool, dtype: str) -> None:
    rng = np.random.default_rng(seed)
    values = (rng.random((2, 9)) * 9).astype(dtype)
    nodata: Any = 3 if dtype[0] in "iu" else np.nan
    values[rng.random(values.shape) < 0.2] = nodata
    out = Difference(relative=relative)(stack(values, nodata)).nbr
    a, b = np.where(values == nodata, np.nan, values.astype("f8"))
    with np.errstate(all="ignore"):
        expected = (b - a) / np.abs(a) if relative else b - a
    expected[~np.isfinite(expected)] = np.nan
    np.testing.assert_array_equal(out.values[0], expected.astype(out.dtype))


def test_stacks_out_of_order_are_refused() -> None:
    backwards = stack(FOUR).isel(time=slice(None, None, -1))
    with pytest.raises(TileError, match=r"before=0 is 2024-08-01.*later than after=-1.*sortby"):
        Difference()(backwards)
    np.testing.assert_array_equal(Difference()(backwards.sortby("time")).nbr, Difference()(stack(FOUR)).nbr)
    asked = Difference("2024-08-01", "2024-07-01")(stack(FOUR))  # backwards, in so many words
    np.testing.assert_array_equal(asked.nbr.values, -Difference()(stack(FOUR)).nbr.values)
