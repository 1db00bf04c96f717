"""Division by the sun's cosine, once."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox

from geotoolz.core import (
    ParameterError,
    QuantityError,
    Sequential,
    TileError,
    dump,
    from_config,
    load,
    tile_from_arrays,
)
from geotoolz.correction import SunZenithNormalize, normalize_sun_zenith

VALUES = np.array([[0.1, 0.2, np.nan]], "f4")


def tile(quantity: str | None = "reflectance", values: Any = VALUES, **attrs: Any) -> xr.Dataset:
    box = GeoBox(np.shape(values)[-2:], Affine(30, 0, 5e5, 0, -30, 5e6), "EPSG:32633")
    dims = ("time", "y", "x")[-np.ndim(values) :]
    own = {"units": "1"} if quantity is None else {"quantity": quantity, "units": "1"}
    given = {"platform": "landsat-8", "processing_level": "L1TP", "sun_elevation": 30.0} | attrs
    return tile_from_arrays({"red": (dims, np.asarray(values))}, box, attrs=given, var_attrs={"red": own})


def test_by_hand() -> None:
    out = SunZenithNormalize()(tile())  # sin 30° = cos 60° = 1/2
    np.testing.assert_allclose(out.red.values, [[0.2, 0.4, np.nan]], rtol=1e-6)
    assert out.red.attrs["quantity"] == "toa_reflectance" and out.red.dtype == np.float32
    np.testing.assert_array_equal(normalize_sun_zenith(tile(), sun_elevation=90.0).red.values, VALUES)
    assert SunZenithNormalize()(tile(None)).red.attrs["quantity"] == "toa_reflectance"


def test_every_date_has_its_own_sun() -> None:
    stack = tile(values=np.stack([VALUES, VALUES])).assign_coords(sun_elevation=("time", [90.0, 30.0]))
    out = SunZenithNormalize()(stack).red.values
    np.testing.assert_allclose(out[0], VALUES)
    np.testing.assert_allclose(out[1], 2 * VALUES, rtol=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.floats(0.5, 90), st.floats(-0.125, 1.5, width=32))
def test_against_the_formula(elevation: float, value: float) -> None:
    ds = tile(values=np.array([[value]], "f4"), sun_elevation=elevation)
    expected = np.float32(float(np.float32(value)) / math.cos(math.radians(90 - elevation)))
    assert SunZenithNormalize()(ds).red.values[0, 0] == expected


@pytest.mark.parametrize(
    ("ds", "text"),
    [
        (tile("toa_reflectance"), "already"),
        (tile("surface_reflectance"), "already"),
        (tile(None, processing_level="L2SP"), "already"),
        (tile(None, platform="sentinel-2a", processing_level="L1C"), r"already \(Sentinel-2 L1C\)"),
        (tile("reflectance", platform="sentinel-2b", processing_level="L1C"), r"already \(Sentinel-2 L1C\)"),
        (tile("dn", platform="sentinel-2b", processing_level="L1C"), "holds dn"),
        (tile("brightness_temperature"), "holds brightness_temperature"),
        (tile("stretched"), "stretched"),
    ],
)
def test_a_second_division_and_what_is_no_reflectance(ds: xr.Dataset, text: str) -> None:
    with pytest.raises(QuantityError, match=text):
        SunZenithNormalize()(ds)


def test_twice_is_refused() -> None:
    with pytest.raises(QuantityError, match="divided by the sun's cosine already"):
        Sequential([SunZenithNormalize(), SunZenithNormalize()])(tile())


def test_missing_and_wrong_angles() -> None:
    ds = tile()
    del ds.attrs["sun_elevation"]
    with pytest.raises(TileError, match=r"needs sun_elevation.*SunZenithNormalize\(sun_elevation=…\)"):
        SunZenithNormalize()(ds)
    with pytest.raises(TileError, match="sun_elevation is -4"):
        SunZenithNormalize()(tile(sun_elevation=-4.0))
    with pytest.raises(ParameterError, match="sun_elevation=0"):
        SunZenithNormalize(sun_elevation=0.0)


def test_the_old_name_loads() -> None:
    op = SunZenithNormalize(("red",), sun_elevation=40.0)
    assert from_config({**op.config(), "_target_": "geotoolz.correction.TOAToBOA"}) == op
    assert load(dump(op).replace("SunZenithNormalize", "TOAToBOA")) == op
