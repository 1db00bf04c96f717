"""Bands, scaling and smoothing, by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.ndimage
import xarray as xr

from geotoolz.core import MissingVariableError, ParameterError, QuantityError, run
from geotoolz.radiometry import BoxMean, DNToReflectance, SelectBands, ToFloat32, select_bands, smooth_box

One = Callable[..., xr.Dataset]
LST = {
    "quantity": "dn",
    "scaled_units": "K",
    "scaled_quantity": "brightness_temperature",
    "scale_factor": 0.00341802,
    "add_offset": 149.0,
}
S2 = {"quantity": "dn", "scale_factor": 1e-4, "add_offset": -0.1}


def test_reflectance_of_sentinel_2(one: One) -> None:
    ds = one(np.array([[0, 1, 500, 1000, 1400, 4000, 65535]], "u2"), 0, S2, processing_level="L2A")
    out = DNToReflectance()(ds).red
    # no-data is tested on the digital number: 0 is no-data, 1000 is the reflectance 0
    np.testing.assert_array_equal(
        out.values[0], np.array([np.nan, -0.0999, -0.05, 0.0, 0.04, 0.3, 6.4535], "f4")
    )
    assert out.dtype == np.float32
    assert out.attrs["quantity"] == "surface_reflectance"
    assert out.attrs["units"] == "1"
    assert np.isnan(out.attrs["_FillValue"])
    assert "scale_factor" not in out.attrs
    assert "add_offset" not in out.attrs


def test_reflectance_of_landsat(one: One) -> None:
    ds = one(
        np.array([[0, 7273, 43636]], "u2"), 0, {"quantity": "dn", "scale_factor": 2.75e-5, "add_offset": -0.2}
    )
    out = DNToReflectance()(ds).red
    np.testing.assert_array_equal(
        out.values[0], np.array([np.nan, 7273 * 2.75e-5 - 0.2, 43636 * 2.75e-5 - 0.2], "f4")
    )
    assert out.attrs["quantity"] == "reflectance"  # nothing said which
    assert (
        DNToReflectance()(ds.assign_attrs(processing_level="L1TP")).red.attrs["quantity"] == "toa_reflectance"
    )


def test_temperature_stays_a_temperature(one: One) -> None:
    ds = one(np.array([[0, 44000]], "u2"), 0, LST, "lwir11")
    out = DNToReflectance()(ds).lwir11
    assert out.attrs["units"] == "K"
    assert out.attrs["quantity"] == "brightness_temperature"
    assert out.values[0, 1] == np.float32(44000 * 0.00341802 + 149.0)


def test_given_coefficients_override(one: One) -> None:
    ds = one(np.array([[100]], "u2"), None, S2)
    assert DNToReflectance(0.001, 0.0)(ds).red.values.tolist() == [[np.float32(0.1)]]


def test_a_band_named_twice_is_scaled_once(one: One) -> None:
    ds = one(np.array([[1400]], "u2"), 0, S2, platform="sentinel-2a")
    out = DNToReflectance(bands=("red", "B04"))(ds).red
    assert out.values.tolist() == [[np.float32(0.04)]]


def test_what_is_no_digital_number(one: One) -> None:
    for attrs, text in (
        ({"quantity": "surface_reflectance"}, "no band of the tile holds digital numbers"),
        ({"quantity": "dn"}, "no attribute 'scale_factor'"),
        ({}, "no attribute 'scale_factor'"),
    ):
        with pytest.raises(QuantityError, match=text):
            DNToReflectance()(one(np.ones((1, 1), "u2"), None, attrs))
    with pytest.raises(QuantityError, match="holds stretched"):
        DNToReflectance(bands=("red",))(one(np.ones((1, 1), "f4"), None, {"quantity": "stretched"}))


def test_flags_are_left_alone(one: One) -> None:
    ds = one(np.array([[1, 2]], "u2"), 0, S2)
    ds["scl"] = (("y", "x"), np.array([[3, 4]], "u1"))
    for op in (DNToReflectance(), ToFloat32(), BoxMean(1)):
        out = op(ds)
        assert out.red.dtype == np.float32
        xr.testing.assert_identical(out.scl, ds.scl)


@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "i4", "f4", "f8"])
def test_to_float32(one: One, dtype: str) -> None:
    out = ToFloat32()(one(np.array([[0, 1, 100]], dtype), 1, {"quantity": "dn", "a": 1}))
    np.testing.assert_array_equal(out.red.values, np.array([[0, np.nan, 100]], "f4"))
    assert out.red.dtype == np.float32
    assert {k: v for k, v in out.red.attrs.items() if k != "_FillValue"} == {"quantity": "dn", "a": 1}


def test_select_bands(one: One) -> None:
    ds = one(np.ones((2, 2), "u2"), platform="sentinel-2a")
    ds["nir"] = ds.red * 2
    ds["scl"] = ds.red * 3
    assert list(SelectBands("B08")(ds).data_vars) == ["nir"]  # type: ignore[arg-type]
    assert list(select_bands(ds, ["scl", "nir"]).data_vars) == ["scl", "nir"]
    assert list(SelectBands(["red", "B04"])(ds).data_vars) == ["red"]
    assert list(SelectBands(["red", "B04"])(ds[["red"]]).data_vars) == ["red"]
    with pytest.raises(MissingVariableError, match="did you mean 'nir'"):
        SelectBands(["nirr"])(ds)


def brute(values: np.ndarray[Any, Any], radius: int) -> np.ndarray[Any, Any]:
    out = np.full(values.shape, np.nan, "f4")
    for i, j in np.ndindex(*values.shape):
        if not np.isnan(values[i, j]):
            square = values[max(i - radius, 0) : i + radius + 1, max(j - radius, 0) : j + radius + 1]
            out[i, j] = np.nanmean(square.astype("f8"))
    return out


@pytest.mark.parametrize("radius", [0, 1, 2, 5, 50])
def test_box_mean_against_a_loop(one: One, radius: int) -> None:
    values = np.random.default_rng(3).random((12, 9)).astype("f4")
    values[[0, 3, 3, 7], [0, 3, 4, 8]] = np.nan
    np.testing.assert_allclose(BoxMean(radius)(one(values)).red.values, brute(values, radius), rtol=3e-7)


def test_box_mean_against_scipy_in_the_interior(one: One) -> None:
    values = np.random.default_rng(4).random((30, 40)).astype("f4")
    peer = scipy.ndimage.uniform_filter(values.astype("f8"), 7)[3:-3, 3:-3]
    np.testing.assert_allclose(BoxMean(3)(one(values)).red.values[3:-3, 3:-3], peer, rtol=2e-7)


def test_box_mean_of_integers_and_no_data(one: One) -> None:
    ds = one(np.array([[60000, 60000, 0, 60003]], "u2"), 0)
    np.testing.assert_array_equal(smooth_box(ds, radius=1).red.values, [[60000, 60000, np.nan, 60003]])
    np.testing.assert_array_equal(
        BoxMean(2)(ds).red.values, np.array([[60000, 60001, np.nan, 60001.5]], "f4")
    )
    alone = one(np.array([[5]], "u2"), 5)
    assert BoxMean(3)(alone).red.isnull().all()


def test_box_mean_of_each_date_alone(one: One) -> None:
    ds = one(np.zeros((3, 4)))
    ds["red"] = (("time", "y", "x"), np.random.default_rng(0).random((2, 3, 4)).astype("f4"))
    out = BoxMean(1)(ds).red.values
    for date in range(2):
        np.testing.assert_allclose(out[date], brute(ds.red.values[date], 1), rtol=3e-7)


def test_box_mean_takes_views_of_any_stride(one: One) -> None:
    values = np.random.default_rng(3).random((12, 20)).astype("f4")
    view = values[::2, ::-2]
    out = run(BoxMean(1), one(view), window=(2, 3))
    np.testing.assert_array_equal(out.red, BoxMean(1)(one(view.copy())).red)  # type: ignore[union-attr]


def test_box_mean_refuses_a_negative_radius() -> None:
    with pytest.raises(ParameterError, match="radius=-1"):
        BoxMean(-1)
