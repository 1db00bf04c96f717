"""Packing values into integers, and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import rasterio
import rioxarray
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

import geotoolz as gz
from geotoolz.core import PREPROCESSED, ParameterError, QuantityError, VarSpec, load
from geotoolz.core.testing import simulate_scene
from geotoolz.io import WriteCOG
from geotoolz.radiometry import PACKINGS, Decode, DNToReflectance, Encode, Packing, decode, encode

One = Callable[..., xr.Dataset]
INDEX = {"quantity": "index", "units": "1", "long_name": "NDVI", "data_source": "hand"}


def packed(one: One, values: Any, packing: Any, **options: Any) -> np.ndarray[Any, Any]:
    found: np.ndarray[Any, Any] = Encode(packing, **options)(
        one(np.asarray(values, "f4"), None, INDEX)
    ).red.values[0]
    return found


def test_scaled_ndvi_keeps_minus_one(one: One) -> None:
    values = [-1.0, -0.9999, -0.99995, 0.0, 0.5, 1.0, np.nan]
    assert packed(one, values, "ndvi_uint16").tolist() == [1, 1, 1, 10000, 15000, 20000, 0]


def test_what_lies_outside(one: One) -> None:
    values = [-1.2, 1.2, -np.inf, np.inf, -1.0, 0.0, np.nan]
    assert packed(one, values, "ndvi_uint16").tolist() == [1, 20000, 1, 20000, 1, 10000, 0]
    assert packed(one, values, "ndvi_uint16", outside="nodata").tolist() == [0, 0, 0, 0, 1, 10000, 0]
    with pytest.raises(QuantityError, match=r"4 values of 'red'.*-0\.9999 … 1.*outside='clip'"):
        packed(one, values, "ndvi_uint16", outside="raise")
    inside = [-1.0, 0.0, 1.00004, np.nan]
    assert packed(one, inside, "ndvi_uint16", outside="raise").tolist() == [1, 10000, 20000, 0]


def test_halves_go_to_the_even_number(one: One) -> None:
    assert packed(one, [0.5, 1.5, 2.5, -0.5, -1.5], Packing("int8")).tolist() == [0, 2, 2, 0, -2]
    numpy = np.rint(np.float32([0.5, 1.5, 2.5, -0.5, -1.5])).tolist()
    assert numpy == [0, 2, 2, 0, -2]


def test_no_data_at_either_end(one: One) -> None:
    high = Packing("uint8", 0.01, nodata=255)
    assert packed(one, [-0.1, 2.55, 2.54, 9.0, np.nan], high).tolist() == [0, 254, 254, 254, 255]
    assert packed(one, [2.55, 2.56], high, outside="nodata").tolist() == [254, 255]


def test_without_no_data(one: One) -> None:
    out = Encode("tasselled_cap_uint8")(one(np.array([[0.5, np.nan]], "f4"), None, INDEX)).red
    assert out.values.tolist() == [[150, 0]]
    assert "_FillValue" not in out.attrs
    again = Decode()(Encode("tasselled_cap_uint8")(one(np.array([[0.5, np.nan]], "f4"), None, INDEX))).red
    np.testing.assert_allclose(again.values, [[0.5, np.nan]])  # 0 lies outside valid_range
    with pytest.raises(QuantityError, match="1 pixels without data"):
        packed(one, [0.5, np.nan], Packing("uint8", 0.01))
    with pytest.raises(ParameterError, match="which has no no-data"):
        Encode(Packing("uint8"), outside="nodata")  # type: ignore[arg-type]


def test_attributes_follow_cf(one: One) -> None:
    ds = one(np.array([[0.25]], "f4"), None, {**INDEX, "standard_name": "x"})
    out = encode(ds, "ndvi_uint16").red.attrs
    assert out == {
        "quantity": "dn", "units": "1", "long_name": "NDVI", "data_source": "hand", "scale_factor": 1e-4,
        "add_offset": -1.0, "valid_range": [1, 20000], "scaled_units": "1", "scaled_quantity": "index",
        "_FillValue": 0,
        "standard_name": "x",
    }  # fmt: skip
    again = decode(encode(ds, "ndvi_uint16")).red.attrs
    assert np.isnan(again.pop("_FillValue"))
    assert again == {**INDEX, "standard_name": "x"}
    thermal = {"quantity": "dn", "scale_factor": 0.1, "scaled_quantity": "radiance", "scaled_units": "K"}
    assert decode(one(np.ones((1, 1), "u1"), 0, thermal)).red.attrs["units"] == "W m-2 sr-1 um-1"


@pytest.mark.parametrize("name", sorted(PACKINGS))
@given(data=st.data())
def test_round_trip_within_half_a_step(name: str, data: st.DataObject) -> None:
    packing = PACKINGS[name]
    low, high = np.float32(packing.smallest), np.float32(packing.largest)
    values = data.draw(
        npst.arrays(
            np.float32, (1, 7), elements=st.floats(float(low), float(high), width=32, allow_subnormal=False)
        )
    )
    before = values.copy()
    ds = _tile(values)
    again = Decode()(Encode(name)(ds)).red.values
    exact = abs(again.astype("f8") - values.astype("f8"))
    float32 = np.spacing(np.float32(max(abs(low), abs(high))))
    assert (exact <= packing.scale / 2 + float32).all()
    np.testing.assert_array_equal(ds.red.values, before)


@given(npst.arrays(np.float32, (1, 9), elements=st.floats(width=32)))
def test_no_value_becomes_no_data_and_none_wraps(values: np.ndarray[Any, Any]) -> None:
    numbers = Encode("ndvi_uint16")(_tile(values)).red.values
    np.testing.assert_array_equal(numbers == 0, np.isnan(values))
    assert numbers.max() <= 20000
    with np.errstate(invalid="ignore"):
        brute = np.clip(np.rint((values.astype("f8") + 1) * 1e4), 1, 20000)
    np.testing.assert_array_equal(numbers[~np.isnan(values)], brute[~np.isnan(values)])


def _tile(values: Any) -> xr.Dataset:
    from affine import Affine
    from odc.geo.geobox import GeoBox

    from geotoolz.core import tile_from_arrays

    box = GeoBox(values.shape, Affine(10, 0, 500_000, 0, -10, 5_100_000), "EPSG:32633")
    return tile_from_arrays({"red": values}, box, var_attrs={"red": dict(INDEX)})


def test_every_cf_reader_unpacks_it(tmp_path: Any) -> None:
    tile = simulate_scene((64, 64), bands=("red", "nir"))
    coded = Encode("reflectance_int16")(tile)
    WriteCOG(str(tmp_path / "{band}.tif"), bands=("red", "nir")).write(coded)
    with rioxarray.open_rasterio(tmp_path / "red.tif", mask_and_scale=True) as foreign:
        np.testing.assert_allclose(foreign.values[0], tile.red.values, atol=0.5e-4)
    ours = gz.open_tile(tmp_path)
    xr.testing.assert_identical(ours.red.variable, coded.red.variable)
    for op in (Decode(), DNToReflectance()):
        back = op(ours)
        np.testing.assert_allclose(back.red.values, tile.red.values, atol=0.5e-4)
        assert back.red.attrs["quantity"] == tile.red.attrs["quantity"]
    coded.drop_vars("spatial_ref").to_netcdf(tmp_path / "tile.nc")
    with xr.open_dataset(tmp_path / "tile.nc") as netcdf:
        np.testing.assert_allclose(netcdf.red.values, tile.red.values, atol=0.5e-4)


def test_open_tile_unpacks_a_file_that_has_lost_our_tags(tmp_path: Any) -> None:
    tile = simulate_scene((64, 64), bands=("red",))
    coded = Encode("reflectance_uint16")(tile).red
    profile = {"driver": "GTiff", "count": 1, "height": 64, "width": 64, "dtype": "uint16", "nodata": 0,
               "crs": "EPSG:32633", "transform": tile.rio.transform()}  # fmt: skip
    with rasterio.open(tmp_path / "plain.tif", "w", **profile) as file:
        file.write(coded.values, 1)
        file.scales, file.offsets = (coded.attrs["scale_factor"],), (coded.attrs["add_offset"],)
    (read,) = gz.open_tile(tmp_path / "plain.tif").data_vars.values()
    np.testing.assert_allclose(read.values, tile.red.values, atol=0.5e-4)


def test_what_cannot_be_packed(one: One) -> None:
    stored = one(np.ones((1, 1), "u2"), 0, {"quantity": "dn", "scale_factor": 1e-4})
    with pytest.raises(QuantityError, match=r"stored numbers.*put Decode"):
        Encode("reflectance_uint16")(stored)
    with pytest.raises(QuantityError, match="flags or a mask"):
        Encode("reflectance_uint16", ("red",))(one(np.ones((1, 1), "u1"), 0, {"quantity": "flags"}))
    with pytest.raises(QuantityError, match="no band of the tile is packed"):
        Decode()(one(np.ones((1, 1))))
    with pytest.raises(QuantityError, match=r"'red' is not packed.*\['scale_factor'\]"):
        Decode(("red",))(one(np.ones((1, 1))))


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Encode("ndvi_unit16"), "did you mean 'ndvi_uint16'"),
        (lambda: Encode({"scale": 1.0}), "expected dtype"),
        (lambda: Encode({"dtype": "uint8", "gain": 1.0}), "expected dtype"),
        (lambda: Encode({"dtype": "uint8", "scale": "a"}), "scale='a'"),
        (lambda: Packing("float32"), "floats keep values without packing"),
        (lambda: Packing("uint8", 0.0), "the scale not 0"),
        (lambda: Packing("uint8", 1.0, nodata=300), "numbers from 0 to 255"),
        (lambda: Packing("int16", 1.0, nodata=0), "nodata=0 lies among the values"),
        (lambda: Packing("uint8", 1.0, valid_range=(9, 3)), "the lower first"),
    ],
)
def test_packings_that_are_none(make: Callable[[], Any], text: str) -> None:
    with pytest.raises(ParameterError, match=text):
        make()


def test_a_packing_stands_in_yaml_by_name_or_by_its_numbers() -> None:
    text = (
        "_target_: geotoolz.radiometry.Encode\n"
        "packing: {dtype: int16, scale: 0.001, nodata: -9999, valid_range: [-2000, 2000]}\n"
    )
    op = load(text)
    own = Packing("int16", 0.001, nodata=-9999, valid_range=(-2000, 2000))
    assert op == Encode(own)  # type: ignore[arg-type]
    assert op.resolved == own  # type: ignore[attr-defined]
    assert Encode("index_int16").config()["packing"] == "index_int16"


@pytest.mark.parametrize(
    ("variable", "name"),
    [
        ("red", "reflectance_uint16"),
        ("ndvi", "ndvi_uint16"),
        ("relative_elevation", "relative_elevation_int16"),
        ("tc_wetness", "tasselled_cap_uint8"),
    ],
)
def test_packings_of_the_preprocessing_stage(variable: str, name: str) -> None:
    schema, packing = PREPROCESSED.variables[variable], PACKINGS[name]
    attrs = dict.fromkeys(schema.attrs, "")
    assert (
        schema.problems(variable, VarSpec(dtype=np.dtype(packing.dtype), nodata=packing.nodata, attrs=attrs))
        == []
    )
    assert schema.valid_range in (None, packing.limits)
