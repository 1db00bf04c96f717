"""Composites, by hand and by brute force."""

from __future__ import annotations

import itertools
import math
import warnings
from typing import Any

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox

from geotoolz.core import (
    MissingVariableError,
    ParameterError,
    QuantityError,
    Sequential,
    TileError,
    TileSpec,
    image_bands,
    run,
    tile_from_arrays,
)
from geotoolz.core.testing import contract_tile
from geotoolz.temporal import Composite, LinearGapFill, ResampleTime, compose_dates
from geotoolz.temporal._bin_kernels import sorting_network

NAN = np.nan
BOX = Affine(10, 0, 5e5, 0, -10, 5e6)


def stack(nodata: Any = NAN, crs: str = "EPSG:32633", dates: bool = True, **bands: Any) -> xr.Dataset:
    """A stack of one row, or of what is given; bands as (time, x) or (time, y, x)."""
    arrays = {}
    for name, values in bands.items():
        values = np.asarray(values)
        arrays[name] = ("time", "y", "x"), values if values.ndim == 3 else values[:, None, :]
    first = next(iter(arrays.values()))[1]
    about = {name: {"quantity": "surface_reflectance", "units": "1"} for name in arrays}
    ds = tile_from_arrays(
        arrays,
        GeoBox(first.shape[1:], BOX, crs),
        var_attrs=about,
        nodata=dict.fromkeys(arrays, nodata) if nodata is not None else {},
    )
    times = np.datetime64("2024-05-01T10:00", "ns") + 10 * np.arange(len(first)) * np.timedelta64(1, "D")
    return ds.assign_coords(time=times) if dates else ds


def f4(values: Any) -> Any:
    return np.array(values, np.float32)


# --- band by band -------------------------------------------------------------------------------------
def test_median_and_mean_by_hand() -> None:
    tile = stack(a=f4([[3, 1, NAN, NAN], [1, NAN, NAN, NAN], [8, 4, NAN, 5]]))
    median = Composite()(tile)
    np.testing.assert_array_equal(median.a.values, f4([[3, 2.5, NAN, 5]]))
    np.testing.assert_array_equal(median["count"].values, [[3, 2, 0, 1]])
    mean = compose_dates(tile, "mean")
    np.testing.assert_array_equal(mean.a.values, f4([[4, 2.5, NAN, 5]]))
    assert (mean.a.dims, mean.a.dtype, mean["count"].dtype) == (("y", "x"), np.float32, np.uint16)
    assert mean.a.attrs["units"] == "1"


def test_integers_become_floats_and_do_not_wrap() -> None:
    tile = stack(0, a=np.array([[65535, 0], [65534, 0]], "u2"))
    for method in ("median", "mean"):
        np.testing.assert_array_equal(Composite(method)(tile).a.values, f4([[65534.5, NAN]]))
    wide = stack(0, a=np.array([[2**31 - 1], [2**31 - 2]], "i4"))
    assert Composite()(wide).a.item() == 2**31 - 1.5
    assert Composite()(wide).a.dtype == np.float64


def test_infinite_values_sort_like_any_other() -> None:
    tile = stack(a=f4([[np.inf, -np.inf], [1, np.inf], [np.inf, NAN]]))
    np.testing.assert_array_equal(Composite()(tile).a.values, f4([[np.inf, NAN]]))
    assert Composite()(tile)["count"].values.tolist() == [[3, 2]]


def test_the_count_is_that_of_the_band_with_most() -> None:
    tile = stack(a=f4([[1], [NAN], [NAN]]), b=f4([[1], [2], [NAN]]))
    assert Composite()(tile)["count"].item() == 2
    assert "count" not in Composite(count=None)(tile)
    assert image_bands(TileSpec.of(Composite()(tile))) == ("a", "b")  # no later step takes it for a band


@pytest.mark.parametrize("n", range(1, 8))
def test_the_network_sorts_everything(n: int) -> None:
    for values in itertools.product((0, 1), repeat=n):  # the zero-one principle
        array = list(values)
        for i, j in sorting_network(n):
            array[i], array[j] = min(array[i], array[j]), max(array[i], array[j])
        assert array == sorted(values)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**32),
    dates=st.integers(1, 40),
    dtype=st.sampled_from(["f4", "f8", "u1", "i2", "i4"]),
)
def test_median_and_mean_equal_numpy(seed: int, dates: int, dtype: str) -> None:
    rng = np.random.default_rng(seed)
    values = (rng.normal(0, 50, (dates, 2, 23)) + 60).astype(dtype)
    empty = rng.random(values.shape) < rng.random()
    nodata: Any = 5 if np.dtype(dtype).kind in "iu" else NAN
    values[empty] = nodata
    real = np.where(values == nodata, NAN, values.astype("f8"))
    tile = stack(nodata, a=values)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # columns without data
        median, mean = np.nanmedian(real, axis=0), np.nanmean(real, axis=0)
    out = Composite()(tile)
    np.testing.assert_array_equal(out.a.values, median.astype(out.a.dtype))
    np.testing.assert_array_equal(out["count"].values, (~np.isnan(real)).sum(axis=0))
    np.testing.assert_allclose(
        Composite("mean")(tile).a.values, mean, rtol=1e-7 if dtype[-1] in "12" else 2e-7
    )


# --- chosen dates -------------------------------------------------------------------------------------
def test_max_ndvi_takes_the_whole_observation() -> None:
    tile = stack(
        0,
        red=np.array([[500, 900, 0, 1], [100, 900, 500, 1], [100, 100, 0, 0]], "u2"),
        nir=np.array([[600, 900, 9, 1], [900, 901, 600, 1], [900, 0, 3, 0]], "u2"),
        swir16=np.array([[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]], "u2"),
    )
    out = Composite("max_ndvi", date="chosen")(tile)
    # column 0: dates 1 and 2 are equal, the earlier wins; 1: date 2 lacks nir; 3: dates 0 and 1 are equal
    assert out.chosen.values.tolist() == [[1, 1, 1, 0]]
    assert out.swir16.values.tolist() == [[5, 6, 7, 4]]
    assert out["count"].values.tolist() == [[3, 2, 1, 2]]
    assert out.swir16.dtype == np.uint16
    assert out.chosen.attrs["flag_meanings"] == "2024-05-01 2024-05-11 2024-05-21"
    assert out.chosen.attrs["flag_values"] == [0, 1, 2]


def test_a_date_without_ndvi_is_no_observation() -> None:
    tile = stack(red=f4([[0.0], [-0.1], [0.2]]), nir=f4([[0.0], [0.1], [0.1]]))
    out = Composite("max_ndvi", date="chosen")(tile)
    assert out.chosen.item() == 2  # neither 0 / 0 nor 0.2 / 0, but −0.33
    assert out["count"].item() == 1
    empty = Composite("max_ndvi", date="chosen")(stack(red=f4([[0.0]]), nir=f4([[0.0]])))
    assert empty.chosen.item() == -1
    assert np.isnan(empty.red.item())
    assert empty["count"].item() == 0


def test_ndvi_beyond_its_range_does_not_win() -> None:
    # columns: NDVI .6, 0.02/0, .82, .2; and .82, 0.011/0.001 = 11; the third has none within −1 … 1
    red = f4([[0.1, 0.05, -0.005], [-0.01, -0.005, -0.2], [0.05, NAN, 0.01], [0.2, NAN, NAN]])
    nir = f4([[0.4, 0.5, 0.006], [0.01, 0.006, 0.1], [0.5, NAN, -0.005], [0.3, NAN, NAN]])
    tile = stack(red=red, nir=nir)
    out = Composite("max_ndvi", date="chosen")(tile)
    assert out.chosen.values.tolist() == [[2, 0, -1]]
    assert out["count"].values.tolist() == [[3, 1, 0]]
    np.testing.assert_array_equal(out.nir.values, f4([[0.5, 0.5, NAN]]))
    monthly = ResampleTime("yearly", "max_ndvi")(tile)
    np.testing.assert_array_equal(monthly.nir.values[0], out.nir.values)
    assert monthly["count"].values[0].tolist() == [[3, 1, 0]]


@pytest.mark.parametrize(
    "op",
    [
        Composite("max_ndvi", ("red", "nir", "tag"), date="c"),
        Composite("medoid", ("red", "nir"), date="c"),
        Composite("best_pixel", ("red",), quality="nir", date="c"),
    ],
)
def test_of_equal_observations_the_earliest_date_wins(op: Composite) -> None:
    ones = f4([[0.1], [0.1], [0.1]])
    tile = stack(red=ones, nir=4 * ones, tag=f4([[6], [1], [4]]))
    dates = np.array(["2024-06-01", "2024-01-01", "2024-04-01"], "datetime64[ns]")
    assert op(tile.assign_coords(time=dates)).c.item() == 1
    assert op(tile.assign_coords(time=dates[[0, 0, 0]])).c.item() == 0  # of one date the first position
    assert op(tile.drop_vars("time")).c.item() == 0


@pytest.mark.parametrize("times", [["b", "a"], [2, 1], [np.datetime64("2024-01-01"), np.datetime64("NaT")]])
@pytest.mark.parametrize("method", ["median", "max_ndvi"])
def test_coordinates_that_are_no_dates_are_refused(times: Any, method: Any) -> None:
    tile = stack(red=f4([[0.1], [0.2]]), nir=f4([[0.4], [0.3]])).assign_coords(time=times)
    with pytest.raises(TileError, match="'time'"):
        Composite(method)(tile)


def test_best_pixel_by_quality() -> None:
    tile = stack(a=f4([[1, 1], [2, 2], [3, NAN]]), clp=f4([[0.5, 0.9], [0.2, NAN], [0.2, 0.1]]))
    low = Composite("best_pixel", ("a",), quality="clp", prefer="lowest")(tile)
    np.testing.assert_array_equal(low.a.values, f4([[2, 1]]))
    assert low["count"].values.tolist() == [[3, 1]]
    assert "clp" not in low
    assert Composite("best_pixel", ("a",), quality="clp")(tile).a.values.tolist() == [[1, 1]]


def test_best_pixel_by_date() -> None:
    tile = stack(a=f4([[1, 1], [2, NAN], [3, 3]]))  # May 1, 11, 21
    near = Composite("best_pixel", target_date="2024-05-12", date="chosen")
    assert near(tile).chosen.values.tolist() == [[1, 2]]
    assert near.replace(target_date="2024-05-16T10:00:00Z")(tile).chosen.values.tolist() == [[1, 2]]
    assert near.replace(target_date="2024-05-11T09:00")(tile).chosen.values.tolist() == [[1, 0]]
    # closeness and quality add up: 0.4 better outweighs ten days of a wide window, not of a narrow one
    rated = tile.assign(q=(("time", "y", "x"), f4([[[0, 0]], [[0, 0]], [[0.4, 0.4]]])))
    rated.q.attrs.update(quantity="index", _FillValue=NAN)
    for width, expected in ((30.0, 2), (5.0, 1)):
        op = Composite(
            "best_pixel", ("a",), date="c", quality="q", target_date="2024-05-11T10:00", date_width=width
        )
        assert op(rated).c.values[0, 0] == expected


def test_best_pixel_by_distance_from_what_has_no_data() -> None:
    values = f4(np.ones((2, 9, 9)))
    values[0, 4, 4] = NAN
    tile = stack(a=values)
    chosen = Composite("best_pixel", clear_distance=25.0, date="chosen")(tile).chosen.values
    rows, cols = np.indices((9, 9)) - 4
    np.testing.assert_array_equal(chosen, (np.hypot(rows, cols) * 10 < 25).astype("i2"))


def test_best_pixel_equals_brute_force() -> None:
    rng = np.random.default_rng(4)
    values = f4(rng.random((5, 14, 17)))
    values[rng.random(values.shape) < 0.1] = NAN
    quality = f4(rng.random(values.shape))
    tile = stack(a=values, q=quality)
    op = Composite(
        "best_pixel",
        ("a",),
        date="c",
        quality="q",
        target_date="2024-05-14T10:00",
        date_width=9.0,
        clear_distance=42.0,
    )
    score = quality.astype("f8")
    rows, cols = np.indices((14, 17))
    for t in range(5):
        score[t] += math.exp(-0.5 * ((10 * t - 13) / 9.0) ** 2)
        away = np.full((14, 17), np.inf)
        for y, x in zip(*np.nonzero(np.isnan(values[t])), strict=True):
            away = np.minimum(away, np.hypot(rows - y, cols - x) * 10)
        score[t] += np.minimum(away / 42.0, 1)
    score[np.isnan(values)] = -np.inf
    np.testing.assert_array_equal(op(tile).c.values, score.argmax(axis=0))
    xr.testing.assert_identical(run(op, tile, window=(3, 4)), op(tile))


# --- the tile -----------------------------------------------------------------------------------------
def test_what_becomes_of_time() -> None:
    tile = contract_tile((4, 5), times=3).assign_coords(sun_elevation=("time", [30.0, 31.0, 33.0]))
    tile = tile.assign(dem=(("y", "x"), f4(np.ones((4, 5)))), offsets=("time", [1, 2, 3]))
    out = Composite(bands=("red", "nir"))(tile)
    assert set(out.coords) == {"x", "y", "spatial_ref"}
    assert list(out.data_vars) == ["red", "nir", "dem", "count"]
    assert out.attrs["datetime"] == out.attrs["start_datetime"] == "2024-06-01T00:00:00Z"
    assert out.attrs["end_datetime"] == "2024-06-11T00:00:00Z"
    assert out.attrs["tile_id"] == "contract_median"
    assert set(out.sizes) == {"y", "x"}


@pytest.mark.parametrize("op", [Composite("mean", ("red",)), ResampleTime("yearly", "mean", ("red",))])
def test_the_result_does_not_pass_for_a_scene(op: Any) -> None:
    about = {"sun_elevation": 30.0, "sun_azimuth": 150.0, "processing_baseline": "05.09", "platform": "a"}
    tile = contract_tile((4, 5), times=3).assign_attrs(about)
    one = op(tile).attrs
    assert not {"sun_elevation", "sun_azimuth", "processing_baseline"} & set(one)
    assert one["platform"] == "a"
    assert one["tile_id"].startswith("contract_")
    assert one["tile_id"].endswith("_mean")
    assert (one["start_datetime"], one["end_datetime"]) == ("2024-06-01T00:00:00Z", "2024-06-11T00:00:00Z")
    assert "platform" not in op(tile.assign_coords(platform=("time", ["a", "b", "a"]))).attrs
    if isinstance(op, ResampleTime):
        late = op.replace(start="2024-06-04", every="daily")(tile).attrs  # what went in, not what is there
        assert late["start_datetime"] == "2024-06-06T00:00:00Z"
    else:
        bare = op(tile.drop_vars("time")).attrs
        assert "datetime" not in bare


def test_order_repetition_and_lack_of_times_do_not_matter() -> None:
    tile = stack(a=f4([[3], [1], [2]]))
    assert Composite()(tile.isel(time=[2, 0, 1])).a.item() == 2
    assert Composite()(tile.isel(time=[2, 0, 1])).attrs["end_datetime"] == "2024-05-21T10:00:00Z"
    assert Composite()(tile.isel(time=[0, 0, 1])).a.item() == 3
    bare = Composite("max_ndvi", date="chosen")(stack(dates=False, red=f4([[1]]), nir=f4([[2]])))
    assert "start_datetime" not in bare.attrs
    assert "flag_meanings" not in bare.chosen.attrs


def test_after_a_gap_fill() -> None:
    tile = stack(a=f4([[0], [NAN], [20]]))
    op = Sequential([LinearGapFill(), Composite("mean")])
    assert op(tile).a.item() == 10
    assert op(tile)["count"].item() == 3


def test_an_empty_stack_and_a_missing_dimension_are_refused() -> None:
    with pytest.raises(TileError, match="a stack of 0 dates"):
        Composite()(stack(a=f4([[1]])).isel(time=[]))
    with pytest.raises(TileError, match=r"works along 'time'(?s:.)*xr.concat"):
        Composite()(stack(a=f4([[1]])).isel(time=0))
    with pytest.raises(TileError, match="coordinate 'time'"):
        Composite("best_pixel", target_date="2024-01-01")(stack(dates=False, a=f4([[1]])))


def test_bands_that_do_not_fit_are_refused() -> None:
    tile = contract_tile((3, 3), times=2)
    with pytest.raises(TileError, match="'scl', which holds flags"):
        Composite("median", ("red", "scl"))(tile)
    with pytest.raises(TileError, match="'scl', which is uint8 and has no no-data value"):
        Composite("max_ndvi", ("red", "scl"))(tile)
    with pytest.raises(TileError, match="one band for the geometric median"):
        Composite("geomedian", ("red",))(tile)
    with pytest.raises(MissingVariableError, match="'clp'"):
        Composite("best_pixel", ("red",), quality="clp")(tile)
    with pytest.raises(ParameterError, match="has 'foreign' already"):
        Composite("median", ("red",), count="foreign")(tile)
    raw = tile.assign(red=tile.red.astype("u2"), nir=tile.nir.astype("u2"))
    for name in ("red", "nir"):
        raw[name].attrs.update(quantity="dn", add_offset=-0.1, _FillValue=0)
    with pytest.raises(QuantityError, match=r"offset of -0\.1"):
        Composite("max_ndvi", ("red",))(raw)


def test_distances_in_degrees_are_refused() -> None:
    with pytest.raises(QuantityError, match="degrees"):
        Composite("best_pixel", clear_distance=10.0)(stack(crs="EPSG:4326", a=f4([[1]])))


@pytest.mark.parametrize(
    "values",
    [
        {"method": "best_pixel"},
        {"quality": "clp"},
        {"method": "mean", "target_date": "2024-01-01"},
        {"method": "best_pixel", "target_date": "in May"},
        {"method": "best_pixel", "target_date": "NaT"},
        {"method": "best_pixel", "clear_distance": 0.0},
        {"method": "best_pixel", "quality": "q", "date_width": 0.0},
        {"method": "geomedian", "tolerance": 0.0},
        {"method": "median", "date": "chosen"},
        {"method": "medoid", "date": "count"},
        {"count": ""},
        {"method": "mode"},
    ],
)
def test_parameters(values: Any) -> None:
    with pytest.raises(ParameterError):
        Composite(**values)
