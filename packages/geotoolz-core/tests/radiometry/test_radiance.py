"""Radiance, reflectance from it, and temperatures."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from odc.geo.geobox import GeoBox

import geotoolz as gz
from geotoolz.core import ParameterError, QuantityError, Sequential, TileError, TileSpec, tile_from_arrays
from geotoolz.core.testing import data_path
from geotoolz.radiometry import (
    BrightnessTemperature,
    DNToRadiance,
    RadianceToReflectance,
    assign_mtl,
    compute_brightness_temperature,
    convert_radiance_to_reflectance,
    convert_to_radiance,
    earth_sun_distance,
)

One = Callable[..., xr.Dataset]
DN = {"quantity": "dn"}
RADIANCE = {"quantity": "radiance", "units": "W m-2 sr-1 um-1"}
PARA = "ls5_tm_dem_training_para/raw_dn"
COLOMBIA = "ls8_c2l2_colombia_008059_cloudy"


# ---- radiance --------------------------------------------------------------------------------------------


def test_radiance_by_hand(one: One) -> None:
    ds = one(np.array([[0, 100]], "u1"), 0, {**DN, "radiance_mult": 1.044, "radiance_add": -2.21398})
    out = convert_to_radiance(ds).red
    np.testing.assert_array_equal(out.values[0], np.float32([np.nan, 1.044 * 100 - 2.21398]))
    assert (out.attrs["units"], out.attrs["quantity"]) == ("W m-2 sr-1 um-1", "radiance")
    assert "radiance_mult" not in out.attrs


def test_gains_that_are_given_win_and_choose_the_bands(one: One) -> None:
    ds = one(np.array([[100]], "u1"), 0, {**DN, "radiance_mult": 1.0, "radiance_add": 0.0})
    ds["nir"] = ds.red
    assert DNToRadiance(2.0, 1.0)(ds).red.values.tolist() == [[201.0]]
    out = DNToRadiance({"nir": 2.0}, {"nir": 1.0})(ds)
    assert out.nir.values.tolist() == [[201.0]]
    assert out.red.attrs["quantity"] == "dn"


def test_missing_gains_are_named(one: One) -> None:
    with pytest.raises(QuantityError, match=r"'radiance_mult' and 'radiance_add'.*MTL"):
        DNToRadiance()(one(np.ones((1, 1), "u1"), 0, DN))
    with pytest.raises(QuantityError, match=r"numbers of a reflectance.*DNToReflectance"):
        DNToRadiance()(one(np.ones((1, 1), "u2"), 0, DN, platform="sentinel-2a", processing_level="L1C"))
    with pytest.raises(QuantityError, match="holds surface_reflectance"):
        DNToRadiance(1.0, 0.0, ("red",))(one(np.ones((1, 1)), None, {"quantity": "surface_reflectance"}))
    with pytest.raises(ParameterError, match="both or none"):
        DNToRadiance(gain={"red": 1.0}, bias={"nir": 1.0})
    with pytest.raises(ParameterError, match="gain=0"):
        DNToRadiance(0.0, 1.0)


# ---- the sun ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("when", "distance"),
    [
        # Landsat 7 Science Data Users Handbook: days 1, 91, 182 and 274 of a year
        ("2009-01-01T00:00:00Z", 0.98331),
        ("2009-04-01T00:00:00Z", 0.99926),
        ("2009-07-01T00:00:00Z", 1.01667),
        ("2009-10-01T00:00:00Z", 1.00119),
        # EARTH_SUN_DISTANCE of the MTL file
        ("2019-12-01T15:13:51Z", 0.9860755),
    ],
)
def test_distance_of_the_sun(when: str, distance: float) -> None:
    assert earth_sun_distance(when) == pytest.approx(distance, abs=1e-4)
    assert earth_sun_distance(np.datetime64(when[:-1], "ns")) == earth_sun_distance(when)


def test_a_date_that_is_none() -> None:
    with pytest.raises(ParameterError, match="'last summer' is no date"):
        earth_sun_distance("last summer")


# ---- reflectance -----------------------------------------------------------------------------------------


def test_reflectance_by_hand(one: One) -> None:
    ds = one(np.array([[50.0, np.nan]], "f4"), None, RADIANCE, platform="landsat-5", sun_elevation=30.0,
             datetime="1988-08-14T13:00:47Z")  # fmt: skip
    d = earth_sun_distance("1988-08-14T13:00:47Z")
    out = convert_radiance_to_reflectance(ds).red
    np.testing.assert_array_equal(
        out.values[0], np.float32([math.pi * d * d / (1536 * math.sin(math.pi / 6)) * 50, np.nan])
    )
    assert (out.attrs["units"], out.attrs["quantity"]) == ("1", "toa_reflectance")
    given = RadianceToReflectance(1000.0, 90.0, 1.0)(ds).red.values[0, 0]
    assert given == np.float32(math.pi / 1000 * 50)


def test_an_irradiance_of_the_band_wins_over_the_table(one: One) -> None:
    ds = one(np.array([[50.0]], "f4"), None, {**RADIANCE, "esun": 1000.0}, platform="landsat-5")
    out = RadianceToReflectance(sun_elevation=90.0, distance=1.0)(ds).red
    assert out.values[0, 0] == np.float32(math.pi / 1000 * 50)
    assert "esun" not in out.attrs


@pytest.mark.parametrize(
    ("elevation", "error", "text"),
    [
        (None, TileError, r"no attribute 'sun_elevation'.*ds\.attrs\['sun_elevation'\]"),
        (-5.0, QuantityError, "below the horizon"),
        (0.0, QuantityError, "below the horizon"),
        (120.0, QuantityError, "no elevation of a sun"),
        ("high", QuantityError, "no elevation of a sun"),
    ],
)
def test_a_sun_that_is_missing_or_below_the_horizon(
    one: One, elevation: Any, error: type[Exception], text: str
) -> None:
    attrs = {} if elevation is None else {"sun_elevation": elevation}
    ds = one(np.array([[50.0]], "f4"), None, RADIANCE, platform="landsat-5", datetime="2001-01-01", **attrs)
    with pytest.raises(error, match=text):
        RadianceToReflectance()(ds)


def test_a_date_or_an_irradiance_that_is_missing(one: One) -> None:
    ds = one(np.array([[50.0]], "f4"), None, RADIANCE, platform="landsat-8", sun_elevation=50.0)
    with pytest.raises(QuantityError, match=r"solar irradiance of 'red'.*landsat-8.*assign_mtl"):
        RadianceToReflectance(distance=1.0)(ds)
    with pytest.raises(TileError, match="no attribute 'datetime'"):
        RadianceToReflectance(esun=1000.0)(ds)
    with pytest.raises(QuantityError, match=r"distance to the sun is 149597870\.7.*divide kilometres"):
        RadianceToReflectance(esun=1000.0, distance=149597870.7)(ds)


@pytest.mark.parametrize(
    ("attrs", "text"),
    [
        ({"quantity": "dn"}, "holds dn.*put DNToRadiance first"),
        ({"quantity": "toa_reflectance", "units": "1"}, "holds toa_reflectance"),
        ({"quantity": "radiance", "units": "uW cm-2 sr-1 nm-1"}, "uW cm-2 sr-1 nm-1.*are 10 of them"),
        ({"units": "1"}, "whose units are '1'"),
        ({}, "whose units are None"),
    ],
)
def test_what_is_no_radiance(one: One, attrs: dict[str, str], text: str) -> None:
    ds = one(np.array([[50.0]], "f4"), None, attrs, platform="landsat-5", sun_elevation=50.0)
    with pytest.raises(QuantityError, match=text):
        RadianceToReflectance(distance=1.0, bands=("red",))(ds)
    with (
        pytest.raises(QuantityError, match="no band of the tile holds the radiance")
        if attrs.get("quantity") != "radiance"
        else pytest.raises(QuantityError)
    ):
        RadianceToReflectance(distance=1.0)(ds)


def test_every_date_has_its_sun_and_its_distance(one: One) -> None:
    ds = xr.concat([one(np.array([[50.0]], "f4"), None, RADIANCE)] * 2, "time")
    times = np.array(["2001-01-03", "2001-07-04"], "datetime64[ns]")
    ds = ds.assign_coords(time=times, sun_elevation=("time", [30.0, 60.0]))
    out = RadianceToReflectance(esun=1000.0)(ds).red.values[:, 0, 0]
    for date, elevation in enumerate((30.0, 60.0)):
        d = earth_sun_distance(times[date])
        expected = math.pi * d * d * 50 / (1000 * math.sin(math.radians(elevation)))
        assert out[date] == np.float32(expected)
    one_sun = ds.drop_vars("sun_elevation").assign_attrs(sun_elevation=30.0)
    assert "one sun elevation" in RadianceToReflectance(1000.0).plan(TileSpec.of(one_sun)).notes[0]


def test_dates_that_do_not_come_first(one: One) -> None:
    cube = xr.concat([one(np.array([[50.0]], "f4"), None, RADIANCE)] * 2, "time")
    cube = cube.expand_dims(wavelength=[600.0, 700.0]).assign_coords(sun_elevation=("time", [30.0, 60.0]))
    with pytest.raises(TileError, match="expected time first"):
        RadianceToReflectance(esun=1000.0, distance=1.0)(cube)
    out = RadianceToReflectance(esun=1000.0, distance=1.0)(cube.transpose("time", ...)).red
    assert out.shape == (2, 2, 1, 1)
    assert out.values[0, 1, 0, 0] == np.float32(math.pi * 50 / (1000 * math.sin(math.radians(30))))


# ---- temperature -----------------------------------------------------------------------------------------


@given(st.floats(200, 360), st.sampled_from([(607.76, 1260.56), (774.8853, 1321.0789)]))
def test_temperature_inverts_planck(kelvin: float, constants: tuple[float, float]) -> None:
    k1, k2 = constants
    radiance = k1 / (math.exp(k2 / kelvin) - 1)
    attrs = {**RADIANCE, "k1_constant": k1, "k2_constant": k2}
    ds = _single(radiance, attrs)
    found = float(compute_brightness_temperature(ds).lwir.values[0, 0])
    assert found == pytest.approx(kelvin, rel=3e-7)  # radiance and result are float32


def _single(value: float, attrs: dict[str, Any], **tile_attrs: Any) -> xr.Dataset:
    return _tile(np.array([[value]], "f4"), attrs, "lwir", **tile_attrs)


def _tile(values: Any, attrs: dict[str, Any], name: str = "red", **tile_attrs: Any) -> xr.Dataset:
    box = GeoBox(values.shape, Affine(10, 0, 500_000, 0, -10, 5_100_000), "EPSG:32633")
    nodata = {name: 0 if values.dtype.kind in "iu" else np.nan}
    return tile_from_arrays({name: values}, box, var_attrs={name: attrs}, attrs=tile_attrs, nodata=nodata)


def test_three_ways_to_a_temperature(one: One) -> None:
    k1, k2 = 607.76, 1260.56
    raw = one(np.array([[0, 140]], "u1"), 0, {**DN, "radiance_mult": 0.055, "radiance_add": 1.18243}, "lwir",
              platform="landsat-5")  # fmt: skip
    direct = BrightnessTemperature()(raw).lwir
    expected = k2 / math.log(k1 / (0.055 * 140 + 1.18243) + 1)
    np.testing.assert_array_equal(direct.values[0], np.float32([np.nan, expected]))
    assert (direct.attrs["units"], direct.attrs["quantity"]) == ("K", "brightness_temperature")
    steps = Sequential([DNToRadiance(), BrightnessTemperature()])(raw).lwir
    np.testing.assert_allclose(steps.values, direct.values, rtol=2e-7)
    surface = one(
        np.array([[0, 44000]], "u2"), 0, DN, "lwir11", platform="landsat-8", processing_level="L2SP"
    )
    out = BrightnessTemperature()(surface).lwir11
    np.testing.assert_array_equal(out.values[0], np.float32([np.nan, 0.00341802 * 44000 + 149]))
    assert (out.attrs["long_name"], out.attrs["quantity"]) == ("Surface temperature", "surface_temperature")


def test_no_radiance_no_temperature() -> None:
    for radiance in (0.0, -1.0, np.nan):
        ds = _single(radiance, RADIANCE, platform="landsat-7")
        assert np.isnan(BrightnessTemperature()(ds).lwir.values).all()


def test_what_is_no_thermal_band(one: One) -> None:
    with pytest.raises(QuantityError, match="no thermal band"):
        BrightnessTemperature()(one(np.ones((1, 1), "f4"), None, RADIANCE, platform="landsat-5"))
    with pytest.raises(QuantityError, match=r"thermal constants of 'red'.*k1=…"):
        BrightnessTemperature(bands=("red",))(
            one(np.ones((1, 1), "f4"), None, RADIANCE, platform="landsat-5")
        )
    with pytest.raises(QuantityError, match=r"holds brightness_temperature.*open_tile returns kelvin"):
        BrightnessTemperature(bands=("lwir",))(_single(300.0, {"quantity": "brightness_temperature"}))
    with pytest.raises(QuantityError, match="nothing says their radiance"):
        BrightnessTemperature()(one(np.ones((1, 1), "u1"), 0, DN, "lwir", platform="landsat-5"))
    with pytest.raises(ParameterError, match="both or none"):
        BrightnessTemperature(k1=600.0)
    with pytest.raises(ParameterError, match="k2=-1"):
        BrightnessTemperature(600.0, -1.0)


# ---- against brute force -----------------------------------------------------------------------------

NUMBERS = npst.arrays(
    st.sampled_from(["u1", "u2", "i2"]), npst.array_shapes(min_dims=2, max_dims=2, max_side=5)
)


@given(NUMBERS, st.floats(1e-3, 2), st.floats(-5, 5), st.floats(1, 90), st.floats(80, 2000))
def test_radiance_and_reflectance_against_a_loop(
    dn: np.ndarray[Any, Any], gain: float, bias: float, elevation: float, esun: float
) -> None:
    tile = _tile(dn, {**DN, "radiance_mult": gain, "radiance_add": bias})
    radiance = DNToRadiance()(tile)
    toa = RadianceToReflectance(esun, elevation, 1.01)(radiance)
    for place in np.ndindex(*dn.shape):
        expected = np.float32(gain * int(dn[place]) + bias) if dn[place] != 0 else np.float32(np.nan)
        np.testing.assert_array_equal(radiance.red.values[place], expected)
        rho = math.pi * float(expected) * 1.01**2 / (esun * math.sin(math.radians(elevation)))
        np.testing.assert_allclose(toa.red.values[place], rho, rtol=2e-7, atol=1e-44)


# ---- real scenes -----------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::geotoolz.io.MetadataWarning")
def test_a_landsat_5_scene_from_its_mtl() -> None:
    folder = data_path(PARA)
    (mtl,) = folder.glob("*MTL.txt")
    raw = assign_mtl(gz.open_tile(folder, raw=True), mtl)
    toa = Sequential([DNToRadiance(), RadianceToReflectance(), BrightnessTemperature()])(raw)
    dn = raw.red.values.astype("f8")
    d = earth_sun_distance("1988-08-14T13:00:47Z")
    expected = math.pi * (1.044 * dn - 2.21398) * d * d / (1536 * math.sin(math.radians(49.75588889)))
    np.testing.assert_allclose(toa.red.values, expected, rtol=3e-7)
    # a rain forest: dark in red, bright in the near infrared, and as warm as the tropics are
    assert 0.02 < float(toa.red.median()) < 0.08
    assert 0.15 < float(toa.nir08.median()) < 0.35
    assert 290 < float(toa.lwir.median()) < 300


@pytest.mark.filterwarnings("ignore::geotoolz.io.MetadataWarning")
def test_a_surface_temperature_is_the_readers() -> None:
    raw, values = (gz.open_tile(data_path(COLOMBIA), bands=["lwir11"], raw=raw) for raw in (True, False))
    found = BrightnessTemperature()(raw).lwir11
    np.testing.assert_array_equal(found, values.lwir11)
    assert found.attrs["quantity"] == values.lwir11.attrs["quantity"] == "surface_temperature"


def test_irradiances_of_landsat_8_follow_from_its_two_scales(one: One, tmp_path: Any) -> None:
    lines = ["GROUP = L1_METADATA_FILE", "GROUP = PRODUCT_CONTENTS", 'PROCESSING_LEVEL = "L1TP"', "END_GROUP",
             "GROUP = IMAGE_ATTRIBUTES", 'SPACECRAFT_ID = "LANDSAT_8"', "SUN_ELEVATION = 57.08727307",
             "EARTH_SUN_DISTANCE = 0.9860755", "DATE_ACQUIRED = 2019-12-01", "END_GROUP",
             "GROUP = LEVEL1_RADIOMETRIC_RESCALING", "RADIANCE_MULT_BAND_4 = 1.0275E-02",
             "RADIANCE_ADD_BAND_4 = -51.37390", "REFLECTANCE_MULT_BAND_4 = 2.0000E-05",
             "REFLECTANCE_ADD_BAND_4 = -0.100000", "END_GROUP", "END"]  # fmt: skip
    path = tmp_path / "MTL.txt"
    path.write_text("\n".join(lines))
    raw = assign_mtl(one(np.array([[10000]], "u2"), 0, DN, platform="landsat-8"), path)
    assert raw.red.attrs["esun"] == pytest.approx(1569.3, abs=1)  # published: about 1570
    both = Sequential([DNToRadiance(), RadianceToReflectance()])(raw).red.values[0, 0]
    direct = (2e-5 * 10000 - 0.1) / math.sin(math.radians(57.08727307))
    assert both == pytest.approx(direct, rel=1e-4)  # the file's five digits
