"""Tiles become rows, and rows become tiles."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from gtz_learn import scene
from hypothesis import given
from hypothesis import strategies as st

from geotoolz.core import (
    MissingVariableError,
    ParameterError,
    Sequential,
    TileError,
    TileSpec,
    from_config,
    geobox_of,
)
from geotoolz.core.testing import contract_tile
from geotoolz.learn import FromPixelMajor, NanPolicy, ToPixelMajor, ToTemporalPixelMajor


def test_rows_are_the_pixels_that_have_every_feature():
    tile = scene()
    table = ToPixelMajor(("nir", "red"))(tile)
    whole = np.stack([tile.nir.values.ravel(), tile.red.values.ravel()], axis=1)
    keep = np.isfinite(whole).all(axis=1)
    assert table.features == ("nir", "red") and table.X.dtype == np.float32 and table.X.flags.c_contiguous
    np.testing.assert_array_equal(table.X, whole[keep])
    np.testing.assert_array_equal(table.valid.ravel(), keep)


def test_all_measurements_by_default_but_no_flags():
    spec = TileSpec.of(scene())
    assert ToPixelMajor().layout(spec).features == ("red", "nir")


def test_integer_nodata_and_infinity_are_missing():
    tile = scene(gaps=False)
    tile["red"] = (
        ("y", "x"),
        np.where(np.arange(60 * 80).reshape(60, 80) % 7, 300, 0).astype(np.uint16),
        {"_FillValue": 0},
    )
    tile["nir"][3, 4] = np.inf
    table = ToPixelMajor()(tile)
    expected = (tile.red.values != 0) & np.isfinite(tile.nir.values)
    np.testing.assert_array_equal(table.valid, expected)
    assert table.X.dtype == np.float32


def test_types_that_float32_cannot_hold_become_float64():
    tile = scene(gaps=False)
    tile["dem"] = (("y", "x"), np.full((60, 80), 123456789, np.int32))
    assert ToPixelMajor(("dem",))(tile).X.dtype == np.float64
    assert ToPixelMajor(("dem",))(tile).X[0, 0] == 123456789


def test_a_cube_gives_a_feature_per_band():
    cube = np.random.default_rng(0).random((5, 4, 6), np.float32)
    tile = scene(shape=(4, 6), gaps=False)
    tile["cube"] = (("wavelength", "y", "x"), cube)
    table = ToPixelMajor(("cube", "red"))(tile)
    assert table.features == ("cube_0", "cube_1", "cube_2", "cube_3", "cube_4", "red")
    np.testing.assert_array_equal(table.X[:, :5], cube.reshape(5, -1).T)
    assert ToPixelMajor(("cube_3",))(tile).features == ("cube_3",)
    with pytest.raises(TileError, match="has 5 planes, and the model was fitted on 4"):
        ToPixelMajor().layout(TileSpec.of(tile), [f"cube_{k}" for k in range(4)])
    with pytest.raises(TileError, match="'cube_7'"):
        ToPixelMajor(("cube_7",))(tile)


def test_dates_are_features_samples_or_a_panel():
    stack = contract_tile((4, 5), times=3, gaps=False)
    red, nir = stack.red.values, stack.nir.values
    features = ToTemporalPixelMajor("features", ("red", "nir"))(stack)
    np.testing.assert_array_equal(features.X, np.concatenate([red.reshape(3, -1), nir.reshape(3, -1)]).T)
    assert features.dims == ("y", "x")
    samples = ToTemporalPixelMajor("samples", ("red", "nir"))(stack)
    np.testing.assert_array_equal(samples.X, np.stack([red.ravel(), nir.ravel()], axis=1))
    assert samples.dims == ("time", "y", "x") and samples.valid.shape == (3, 4, 5)
    panel = ToTemporalPixelMajor("panel", ("red", "nir"))
    shaped = panel.shaped(panel(stack).X, panel(stack).features)
    assert shaped.shape == (20, 2, 3)
    np.testing.assert_array_equal(shaped[:, 1, 2], nir[2].ravel())


def test_what_has_no_time_is_the_same_on_all_dates():
    stack = contract_tile((4, 5), times=3, gaps=False)[["red"]]
    stack["dem"] = (("y", "x"), np.arange(20, dtype=np.float32).reshape(4, 5))
    samples = ToTemporalPixelMajor("samples", ("red", "dem"))(stack)
    np.testing.assert_array_equal(samples.X[:, 1], np.tile(np.arange(20), 3))
    assert ToTemporalPixelMajor("features", ("red", "dem"))(stack).features == (
        "red_0",
        "red_1",
        "red_2",
        "dem",
    )
    with pytest.raises(TileError, match="dates"):
        panel = ToTemporalPixelMajor("panel", ("red", "dem"))
        panel.shaped(panel(stack).X, ("red_0", "red_1", "red_2", "dem"))


@given(st.integers(1, 6), st.integers(1, 7), st.integers(1, 4), st.integers(0, 2**32 - 1), st.booleans())
def test_there_and_back_is_the_tile(height, width, bands, seed, integers):
    rng = np.random.default_rng(seed)
    names = [f"b{k}" for k in range(bands)]
    data = {}
    for name in names:
        values = rng.integers(1, 99, (height, width))
        values[rng.random((height, width)) < 0.2] = 0
        plane = values.astype(np.int16) if integers else np.where(values, values, np.nan).astype(np.float32)
        data[name] = (("y", "x"), plane, {"_FillValue": 0 if integers else np.nan})
    tile = scene(shape=(height, width), gaps=False).drop_vars(["red", "nir", "crop"]).assign(data)
    table = ToPixelMajor(tuple(names))(tile)
    again = FromPixelMajor(tuple(names), 0 if integers else float("nan"))(table.X.astype(plane.dtype), table)
    for name in names:
        expected = np.where(table.valid, tile[name].values, tile[name].attrs["_FillValue"])
        np.testing.assert_array_equal(again[name].values, expected)
    assert geobox_of(again) == geobox_of(tile)


def test_bad_rows_are_refused():
    tile = scene()
    table = ToPixelMajor(("red",))(tile)
    with pytest.raises(ParameterError, match="the values have shape"):
        FromPixelMajor("a")(np.zeros(3), table)
    with pytest.raises(ParameterError, match="uint8 cannot hold the no-data value nan"):
        FromPixelMajor("a")(np.zeros(len(table.X), np.uint8), table)
    with pytest.raises(MissingVariableError, match=r"'rad'.*did you mean 'red'"):
        ToPixelMajor(("rad",))(tile)
    with pytest.raises(ParameterError, match="named twice"):
        ToPixelMajor(("red", "red"))(tile)
    with pytest.raises(TileError, match="works along 'time'"):
        ToTemporalPixelMajor()(tile)
    with pytest.raises(TileError, match="finds no feature"):
        ToPixelMajor()(tile[["crop"]])
    with pytest.raises(TileError, match="numbers with the dims"):
        ToPixelMajor(("odd",))(tile.assign(odd=xr.Variable(("x", "y"), np.zeros((80, 60)))))


def test_parts_stand_in_a_configuration_and_are_no_steps():
    for part in (
        ToPixelMajor(("red",)),
        ToTemporalPixelMajor("panel"),
        FromPixelMajor("a", 255),
        NanPolicy("raise"),
    ):
        assert from_config(part.config()) == part
    with pytest.raises(ParameterError, match="ToPixelMajor is no step"):
        Sequential([ToPixelMajor()])(scene())
    with pytest.raises(ParameterError, match="NanPolicy cannot be made"):
        NanPolicy("ignore")
