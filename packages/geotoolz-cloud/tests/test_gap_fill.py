"""Gap filling, by hand and against interpolation written out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox

from geotoolz.core import MissingVariableError, ParameterError, TileError, check, tile_from_arrays
from geotoolz.core.testing import contract_tile
from geotoolz.temporal import LinearGapFill, fill_gaps_linearly

DATES = ["2024-01-01", "2024-01-02", "2024-01-11", "2024-02-10"]  # after 1, 9 and 30 days


def series(
    values: Any, dtype: Any = "f4", nodata: Any = np.nan, dates: Any = DATES, **attrs: Any
) -> xr.Dataset:
    """A stack of one pixel."""
    values = np.asarray(values, dtype).reshape(-1, 1, 1)
    box = GeoBox((1, 1), Affine(10, 0, 5e5, 0, -10, 5e6), "EPSG:32633")
    ds = tile_from_arrays(
        {"ndvi": (("time", "y", "x"), values)},
        box,
        nodata={} if nodata is None else {"ndvi": nodata},
        var_attrs={"ndvi": {"quantity": "index", **attrs}},
    )
    return ds if dates is None else ds.assign_coords(time=np.array(dates[: len(values)], "datetime64[ns]"))


def filled(values: Any, op: LinearGapFill = LinearGapFill(), **about: Any) -> list[Any]:  # noqa: B008
    return op(series(values, **about)).ndvi.values[:, 0, 0].tolist()  # type: ignore[no-any-return]


def test_the_real_times_count_and_not_the_positions() -> None:
    assert filled([0.0, np.nan, 10.0, np.nan]) == [0.0, 1.0, 10.0, pytest.approx(np.nan, nan_ok=True)]
    assert filled([0.0, np.nan, np.nan, 40.0]) == [0.0, 1.0, 10.0, 40.0]


def test_hours_count_too() -> None:
    dates = ["2024-01-01T00:00", "2024-01-01T06:00", "2024-01-02T00:00"]
    assert filled([0.0, np.nan, 8.0], dates=dates) == [0.0, 2.0, 8.0]


def test_what_lies_before_the_first_and_after_the_last_date_with_data_stays() -> None:
    np.testing.assert_array_equal(filled([np.nan, 2.0, np.nan, np.nan]), [np.nan, 2, np.nan, np.nan])
    np.testing.assert_array_equal(filled([np.nan] * 4), [np.nan] * 4)


@pytest.mark.parametrize(("days", "expected"), [(39.9, np.nan), (40.0, 1.0), (np.inf, 1.0)])
def test_gaps_longer_than_max_gap_stay(days: float, expected: float) -> None:
    found = filled([0.0, np.nan, np.nan, 40.0], LinearGapFill(max_gap=days))
    np.testing.assert_array_equal(found[1], expected)
    # a short gap beside a long one is filled
    assert filled([0.0, np.nan, 10.0, 3.0], LinearGapFill(max_gap=10.0))[1] == 1.0


def test_integers_keep_their_type_and_are_rounded_half_to_even() -> None:
    dates = ["2024-01-01", "2024-01-02", "2024-01-03"]
    for before, after, expected in ((2, 3, 2), (3, 4, 4), (4, 3, 4), (65534, 1, 32768), (1, 65534, 32768)):
        assert filled([before, 65535, after], dtype="u2", nodata=65535, dates=dates) == [
            before,
            expected,
            after,
        ]
    out = LinearGapFill()(series([1, 0, 5, 9], "u2", 0))
    assert out.ndvi.dtype == np.uint16
    assert out.ndvi.attrs["_FillValue"] == 0


@pytest.mark.parametrize(("before", "after", "expected"), [(-5, 5, 1), (-6, 5, -1), (-1, 1, 1), (5, -6, -1)])
def test_a_filled_integer_is_never_the_no_data_value(before: int, after: int, expected: int) -> None:
    # half way from -6 to 5 lies -0.5: rounded it would be 0, no-data
    dates = ["2024-01-01", "2024-01-02", "2024-01-03"]
    assert filled([before, 0, after], dtype="i2", nodata=0, dates=dates) == [before, expected, after]


def test_no_data_of_floats_may_be_a_number() -> None:
    assert filled([0.0, -9999.0, np.nan, 40.0], nodata=-9999.0) == [0.0, 1.0, 10.0, 40.0]
    assert filled([0.0, -9999.0, np.nan, -9999.0], nodata=-9999.0) == [0.0, -9999.0, -9999.0, -9999.0]


def test_infinite_values_are_data_and_make_none() -> None:
    np.testing.assert_array_equal(filled([np.inf, np.nan, 1.0, 2.0]), [np.inf, np.nan, 1, 2])


def test_everything_along_time_stays() -> None:
    tile = contract_tile((5, 6), times=4).assign_coords(sun_elevation=("time", [30.0, 31.0, 33.0, 36.0]))
    out = fill_gaps_linearly(tile, bands=("red",))
    xr.testing.assert_identical(out.drop_vars("red"), tile.drop_vars("red"))
    assert "foreign" in out
    assert LinearGapFill().plan.__doc__


def test_bands_without_time_are_left_alone() -> None:
    tile = series([0.0, np.nan, 10.0, 1.0]).assign(dem=(("y", "x"), np.full((1, 1), np.nan, "f4")))
    assert np.isnan(LinearGapFill()(tile).dem.item())
    with pytest.raises(TileError, match=r"'dem', which has dims \('y', 'x'\)"):
        LinearGapFill(("dem",))(tile)


@pytest.mark.parametrize(
    ("tile", "text"),
    [
        (series([1, 2, 3], dates=["2024-01-02", "2024-01-01", "2024-01-03"]), "go back after position 0"),
        (series([1, 2, 3], dates=["2024-01-01", "2024-01-01", "2024-01-03"]), "same time at positions 0"),
        (series([1, 2], dates=["2024-01-01", "NaT"]), "no date at position 1"),
        (series([1, 2], dates=None), r"coordinate 'time'.*assign_coords\(time="),
        (series([1, 2], dates=None).assign_coords(time=[3, 4]), "found 'time' as int64"),
        (series([1, 2]).isel(time=0, drop=True), "works along 'time', and the tile has"),
        (series([1, 2]).isel(time=[]), "a stack of 0 dates"),
        (series([1, 2], "u2", None), "no no-data value"),
        (series([1, 2], "u1", 999), "the no-data value 999"),
        (series([1, 2], "i8", 0), "int64"),
        (series([1, 2], quantity="flags"), "no band along 'time'"),
    ],
    ids=["unsorted", "twice", "NaT", "missing", "numbers", "no dim", "no dates", "no no-data", "unfit",
         "int64", "flags"],
)  # fmt: skip
def test_unsorted_and_missing_times_are_refused(tile: xr.Dataset, text: str) -> None:
    with pytest.raises(TileError, match=f"(?s){text}"):
        LinearGapFill()(tile)
    assert [finding.level for finding in check(LinearGapFill(), tile)] == ["error"]


def test_the_advice_for_times_as_text_works_on_our_own() -> None:
    import pandas

    texts = ["2024-01-01T10:00:00Z", "2024-01-02T10:00:00Z"]
    tile = series([0.0, 1.0]).assign_coords(time=texts)
    with pytest.raises(TileError) as error:
        LinearGapFill()(tile)
    assert "pandas.to_datetime([…], utc=True).tz_localize(None)" in str(error.value)
    LinearGapFill()(tile.assign_coords(time=pandas.to_datetime(texts, utc=True).tz_localize(None)))


def test_flags_unknown_bands_and_gaps_are_refused() -> None:
    with pytest.raises(TileError, match="'scl', which holds flags"):
        LinearGapFill(("scl",))(contract_tile((3, 3), times=2))
    with pytest.raises(MissingVariableError, match="'swir'"):
        LinearGapFill(("swir",))(series([1, 2]))
    for days in (0.0, -1.0, float("nan")):
        with pytest.raises(ParameterError, match="max_gap"):
            LinearGapFill(max_gap=days)


def test_all_positions_out_of_order_are_named() -> None:
    dates = np.array(["2024-01-01"], "datetime64[ns]") - np.arange(9) * np.timedelta64(1, "D")
    with pytest.raises(TileError, match=r"0, 1, 2, 3, 4, … \(8 in all\)"):
        LinearGapFill()(series(np.arange(9), dates=dates))


def interpolated(values: Any, days: Any, nodata: Any, max_gap: float) -> Any:
    """One pixel's series in float64, date by date."""
    valid = [i for i, v in enumerate(values) if v == v and v != nodata]
    out = [float(v) for v in values]
    for i in range(len(values)):
        if i in valid:
            continue
        before, after = [k for k in valid if k < i], [k for k in valid if k > i]
        out[i] = np.nan
        if before and after and days[after[0]] - days[before[-1]] <= max_gap:
            a, b = before[-1], after[0]
            share = (days[i] - days[a]) / (days[b] - days[a])
            out[i] = float(values[a]) + (float(values[b]) - float(values[a])) * share
    return np.array(out)


@settings(max_examples=60, deadline=None)
@given(
    data=st.data(),
    dates=st.integers(1, 12),
    dtype=st.sampled_from(["f4", "f8", "u2", "i2", "u1"]),
    max_gap=st.none() | st.floats(0.5, 40),
)
def test_equals_interpolation_written_out(data: Any, dates: int, dtype: str, max_gap: float | None) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    shape = (dates, 3, data.draw(st.sampled_from([1, 7, 300])))
    steps = rng.integers(1, 400, dates)
    times = np.datetime64("2020-01-01", "ns") + np.cumsum(steps) * np.timedelta64(1, "h")
    values = (rng.random(shape) * 200).astype(dtype)
    nodata: Any = 7 if np.dtype(dtype).kind in "iu" else np.nan
    values[rng.random(shape) < rng.random()] = nodata
    box = GeoBox(shape[1:], Affine(10, 0, 5e5, 0, -10, 5e6), "EPSG:32633")
    tile = tile_from_arrays({"a": (("time", "y", "x"), values)}, box, nodata={"a": nodata})
    found = LinearGapFill(max_gap=max_gap)(tile.assign_coords(time=times)).a.values
    days = (times - times[0]) / np.timedelta64(1, "D")
    for y in range(shape[1]):
        for x in range(0, shape[2], 37):
            expected = interpolated(values[:, y, x], days, nodata, np.inf if max_gap is None else max_gap)
            got = found[:, y, x].astype("f8")
            if nodata == nodata:
                got[found[:, y, x] == nodata] = np.nan
                np.testing.assert_allclose(got, expected, atol=1.0)
                exact = np.rint(expected)
                sure = (np.abs(expected - exact) < 0.499) & (exact != nodata)
                np.testing.assert_array_equal(got[sure], exact[sure])
            else:
                np.testing.assert_allclose(got, expected, rtol=1e-7 if dtype == "f4" else 1e-13)
