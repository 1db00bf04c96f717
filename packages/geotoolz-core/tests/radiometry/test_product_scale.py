"""Scale and offset of digital numbers: by the band, by the product, by the date."""

from __future__ import annotations

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
from geotoolz.core import ParameterError, QuantityError, TileError, TileSpec, tile_from_arrays
from geotoolz.core.testing import data_path
from geotoolz.radiometry import DNToReflectance, assign_mtl, convert_to_reflectance

One = Callable[..., xr.Dataset]
DN = {"quantity": "dn"}
S2 = {"platform": "sentinel-2a", "processing_level": "L2A"}
L8 = "LC08_L1TP_008059_20191201_20200825_02_T1"


def value_of(ds: xr.Dataset, **options: Any) -> float:
    return float(DNToReflectance(**options)(ds).red.values[0, -1])


@pytest.mark.parametrize(
    ("baseline", "offset"),
    [("02.04", 0.0), ("03.01", 0.0), ("04.00", -0.1), ("05.09", -0.1), ("10.00", -0.1), ("N0400", -0.1)],
)
@pytest.mark.parametrize("level", ["L1C", "L2A"])
def test_sentinel_2_by_its_baseline(one: One, baseline: str, offset: float, level: str) -> None:
    ds = one(np.array([[0, 1500]], "u2"), 0, DN, platform="sentinel-2b", processing_level=level,
             processing_baseline=baseline)  # fmt: skip
    out = DNToReflectance()(ds).red
    assert np.isnan(out.values[0, 0])
    assert out.values[0, 1] == np.float32(1500 * 1e-4 + offset)
    expected = {"L1C": "toa_reflectance", "L2A": "surface_reflectance"}[level]
    assert (out.attrs["quantity"], out.attrs["units"]) == (expected, "1")
    assert out.attrs["offset_source"] == f"baseline {baseline}"


@pytest.mark.parametrize(
    ("baseline", "expected"),
    [(5.0, 0.05), (5.1, 0.05), (4.0, 0.05), ("5.0", 0.05), ("05.00.0", 0.05), (3.1, 0.15), ("2.4", 0.15)],
)
def test_a_baseline_that_became_a_number(one: One, baseline: Any, expected: float) -> None:
    # the date says the opposite, and does not count
    when = "2020-06-01T10:00:00Z" if expected == 0.05 else "2023-06-01T10:00:00Z"
    ds = one(np.array([[1500]], "u2"), 0, DN, **S2, processing_baseline=baseline, datetime=when)
    assert value_of(ds) == pytest.approx(expected)
    assert DNToReflectance().plan(TileSpec.of(ds)).notes == ()


@pytest.mark.parametrize("baseline", ["new", "2023-01-01", "05-09", "N"])
def test_a_baseline_that_cannot_be_read_is_refused(one: One, baseline: str) -> None:
    ds = one(np.array([[1500]], "u2"), 0, DN, **S2, processing_baseline=baseline, datetime="2023-06-01")
    with pytest.raises(QuantityError, match=f"baseline '{baseline}' cannot be read.*'05.09'"):
        DNToReflectance()(ds)
    assert value_of(ds, scale=1e-4, offset=-0.1) == pytest.approx(0.05)


@pytest.mark.parametrize(("told", "expected"), [("N0500", 0.05), ("N0301", 0.15)])
def test_the_products_name_tells_the_baseline(one: One, told: str, expected: float) -> None:
    # a reprocessed scene of 2018 has the offset, whatever its date
    name = f"S2A_MSIL2A_20180801T094549_{told}_R079_T33TWL_20230820T124817"
    ds = one(np.array([[1500]], "u2"), 0, DN, **S2, tile_id=name, datetime="2018-08-01T09:45:49Z")
    assert value_of(ds) == pytest.approx(expected)
    assert value_of(ds.assign_attrs(processing_baseline="04.00")) == pytest.approx(0.05)


@pytest.mark.parametrize(
    "product", ["HLS.S30.T33TWL.2023232T094549.v2.0", "HLS.L30.T33TWL.2023232T094549.v2.0"]
)
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"platform": "sentinel-2a", "processing_level": "L2A", "processing_baseline": "05.09"},
        {"platform": "landsat-8", "processing_level": "L2SP"},
        {"platform": "landsat-9", "processing_level": "L1TP", "datetime": "2023-08-20"},
    ],
)
def test_hls_has_one_scale_and_no_offset(one: One, product: str, more: dict[str, Any]) -> None:
    out = DNToReflectance()(one(np.array([[-9999, 1500]], "i2"), None, DN, tile_id=product, **more)).red
    assert np.isnan(out.values[0, 0]) and out.values[0, 1] == np.float32(0.15)
    assert out.attrs["quantity"] == "surface_reflectance" and out.attrs["offset_source"] == "HLS"


def test_without_baseline_and_date_nothing_is_guessed(one: One) -> None:
    ds = one(np.array([[1500]], "u2"), 0, DN, **S2)
    with pytest.raises(QuantityError, match=r"neither a processing baseline nor a date.*processing_baseline"):
        DNToReflectance()(ds)
    assert value_of(ds.assign_attrs(processing_baseline="05.09")) == pytest.approx(0.05)
    assert value_of(ds.assign_attrs(boa_offset_applied=True)) == pytest.approx(0.15)
    assert value_of(ds.assign_attrs(datetime="2023-06-01")) == pytest.approx(0.05)


def test_what_was_shifted_already_is_not_shifted_again(one: One) -> None:
    ds = one(np.array([[1500]], "u2"), 0, DN, **S2, processing_baseline="05.09")
    assert value_of(ds) == pytest.approx(0.05)
    assert value_of(ds.assign_attrs(boa_offset_applied="true")) == pytest.approx(0.15)
    assert value_of(ds.assign_attrs(boa_offset_applied=False)) == pytest.approx(0.05)
    assert value_of(ds.assign_attrs(collection="COPERNICUS/S2_SR_HARMONIZED")) == pytest.approx(0.15)


@pytest.mark.parametrize(("when", "expected"), [("2021-06-01", 0.15), ("2022-06-01", 0.05)])
def test_without_a_baseline_the_date_decides_and_that_is_said(one: One, when: str, expected: float) -> None:
    ds = one(np.array([[1500]], "u2"), 0, DN, **S2, datetime=f"{when}T10:00:00Z")
    assert value_of(ds) == pytest.approx(expected)
    (note,) = DNToReflectance().plan(TileSpec.of(ds)).notes
    assert "no processing baseline" in note
    assert "'red'" in note


def test_a_scale_of_one_says_nothing_on_a_known_product(one: One) -> None:
    attrs = {**DN, "scale_factor": 1.0, "add_offset": 0.0}  # rioxarray.open_rasterio writes these
    ds = one(np.array([[1500]], "u2"), 0, attrs, **S2, processing_baseline="05.09")
    assert value_of(ds) == pytest.approx(0.05)
    alone = one(np.array([[1500]], "u2"), 0, attrs)  # nothing known: it may be meant
    assert value_of(alone) == 1500


def test_zero_without_a_fill_value_is_no_data_of_a_known_product(one: One) -> None:
    ds = one(np.array([[0, 1500]], "u2"), None, DN, **S2, processing_baseline="03.01")
    assert np.isnan(DNToReflectance()(ds).red.values[0, 0])
    assert "0 is taken as no-data" in " ".join(DNToReflectance().plan(TileSpec.of(ds)).notes)
    stranger = one(np.array([[0]], "u2"), None, {**DN, "scale_factor": 0.5})
    assert DNToReflectance()(stranger).red.values.tolist() == [[0.0]]


def test_saturated_numbers(one: One) -> None:
    ds = one(np.array([[0, 65534, 65535]], "u2"), 0, DN, **S2, processing_baseline="03.01")
    kept, gone = DNToReflectance()(ds).red.values[0], DNToReflectance(saturated="nodata")(ds).red.values[0]
    assert np.isnan(kept).tolist() == [True, False, False]
    assert np.isnan(gone).tolist() == [True, False, True]
    assert kept[1] == gone[1]
    byte = one(np.array([[254, 255]], "u1"), 0, {**DN, "scale_factor": 0.001})
    assert np.isnan(DNToReflectance(saturated="nodata")(byte).red.values[0]).tolist() == [False, True]


def test_landsat_by_its_product(one: One) -> None:
    l2 = one(np.array([[0, 7273, 43636]], "u2"), 0, DN, platform="landsat-9", processing_level="L2SP")
    np.testing.assert_array_equal(
        DNToReflectance()(l2).red.values[0], np.float32([np.nan, 7273 * 2.75e-5 - 0.2, 43636 * 2.75e-5 - 0.2])
    )
    l1 = one(np.array([[0, 10000]], "u2"), 0, DN, platform="landsat-8", processing_level="L1TP", tile_id=L8,
             sun_elevation=30.0)  # fmt: skip
    out = DNToReflectance()(l1).red
    assert out.values[0, 1] == np.float32((2e-5 * 10000 - 0.1) / 0.5)
    assert out.attrs["quantity"] == "toa_reflectance"


def test_landsat_with_the_coefficients_of_its_mtl(one: One) -> None:
    attrs = {**DN, "reflectance_mult": 1.2e-3, "reflectance_add": -0.004}
    ds = one(np.array([[0, 100]], "u1"), 0, attrs, platform="landsat-5", processing_level="L1TP",
             sun_elevation=30.0)  # fmt: skip
    assert value_of(ds) == pytest.approx((1.2e-3 * 100 - 0.004) / 0.5)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"sun_elevation": None}, "attrs..sun_elevation"),
        ({"sun_elevation": -3.0}, "above the horizon"),
        ({"sun_elevation": 0.0}, "above the horizon"),
        ({"platform": "landsat-5"}, "differ from scene to scene.*reflectance_mult"),
        ({"tile_id": ""}, "'tile_id' among the tile's attributes"),
        ({"platform": "aqua"}, "no attribute 'scale_factor'"),
        ({"platform": None}, "no attribute 'scale_factor'"),
    ],
)
def test_missing_metadata_is_named_with_where_to_give_it(one: One, change: dict[str, Any], text: str) -> None:
    given = {"platform": "landsat-8", "processing_level": "L1TP", "tile_id": L8, "sun_elevation": 30.0}
    attrs = {k: v for k, v in {**given, **change}.items() if v is not None}
    with pytest.raises(QuantityError, match=text):
        DNToReflectance()(one(np.array([[100]], "u2"), 0, DN, **attrs))


def test_an_offset_in_digital_numbers_is_refused(one: One) -> None:
    ds = one(np.array([[1500]], "u2"), 0, DN, **S2)
    with pytest.raises(ParameterError, match=r"offset=-1000 .*offset=-0\.1 if"):
        DNToReflectance(1e-4, -1000.0)(ds)


def test_what_overrides_the_metadata_is_said(one: One) -> None:
    ds = one(np.array([[1500]], "u2"), 0, {**DN, "scale_factor": 1e-4, "add_offset": -0.1})
    assert value_of(ds, scale=1e-4, offset=0.0) == pytest.approx(0.15)
    (note,) = DNToReflectance(1e-4, 0.0).plan(TileSpec.of(ds)).notes
    assert "add_offset -0.1" in note
    assert DNToReflectance(1e-4, -0.1).plan(TileSpec.of(ds)).notes == ()


def test_attributes_that_are_no_numbers(one: One) -> None:
    with pytest.raises(QuantityError, match="scale_factor='a lot'"):
        DNToReflectance()(one(np.ones((1, 1), "u2"), 0, {**DN, "scale_factor": "a lot"}))


@given(
    npst.arrays(np.uint16, (1, 6)),
    st.floats(1e-5, 1),
    st.floats(-0.9, 0.9),
    st.sampled_from(["keep", "nodata"]),
)
def test_against_numpy(numbers: Any, scale: float, offset: float, saturated: Any) -> None:
    attrs = {**DN, "scale_factor": scale, "add_offset": offset}
    box = GeoBox(numbers.shape, Affine(10, 0, 500_000, 0, -10, 5_100_000), "EPSG:32633")
    ds = tile_from_arrays({"red": numbers}, box, var_attrs={"red": attrs}, nodata={"red": 0})
    expected = (numbers.astype("f8") * scale + offset).astype("f4")
    expected[(numbers == 0) | ((numbers == 65535) & (saturated == "nodata"))] = np.nan
    np.testing.assert_array_equal(DNToReflectance(saturated=saturated)(ds).red.values, expected)


# ---- stacks ----------------------------------------------------------------------------------------------


def stack(one: One, attrs: Any, **coords: Any) -> xr.Dataset:
    dates = [one(np.array([[0, 1500]], "u2"), 0, attrs, **S2) for _ in range(2)]
    time = np.array(["2021-12-01", "2022-03-01"], "datetime64[ns]")
    ds = xr.concat(dates, "time").assign_coords(time=time)
    return ds.assign_coords({name: ("time", values) for name, values in coords.items()})


def test_every_date_has_the_offset_of_its_baseline(one: One) -> None:
    ds = stack(one, DN, processing_baseline=["03.01", "04.00"])
    out = convert_to_reflectance(ds).red
    assert out.dims == ("time", "y", "x")
    np.testing.assert_array_equal(out.values[:, 0, 1], np.float32([0.15, 0.05]))
    assert np.isnan(out.values[:, 0, 0]).all()
    assert out.attrs["offset_source"] == "each date's metadata"


def test_every_date_of_landsat_has_its_sun(one: One) -> None:
    ds = stack(one, DN, sun_elevation=[30.0, 90.0]).assign_attrs(
        platform="landsat-8", processing_level="L1TP", tile_id=L8
    )
    np.testing.assert_array_equal(
        DNToReflectance()(ds).red.values[:, 0, 1], np.float32([(2e-5 * 1500 - 0.1) / 0.5, 2e-5 * 1500 - 0.1])
    )


def test_one_offset_for_both_sides_of_baseline_4_is_refused(one: One) -> None:
    scaled = {**DN, "scale_factor": 1e-4, "add_offset": 0.0, "offset_source": "baseline 03.01"}
    mixed = stack(one, scaled, processing_baseline=["03.01", "04.00"])
    with pytest.raises(QuantityError, match=r"before and after processing baseline 04\.00"):
        DNToReflectance()(mixed)
    shifted = {**scaled, "offset_source": "boa_offset_applied"}
    out = DNToReflectance()(stack(one, shifted, processing_baseline=["03.01", "04.00"])).red
    np.testing.assert_array_equal(out.values[:, 0, 1], np.float32([0.15, 0.15]))


# ---- real scenes -----------------------------------------------------------------------------------------

CROATIA = "s2_l2a_33TWL_croatia/S2B_33TWL_20230820_0_L2A"
COLOMBIA = "ls8_c2l2_colombia_008059_cloudy"


@pytest.mark.filterwarnings("ignore::geotoolz.io.MetadataWarning")
@pytest.mark.parametrize("scene", [CROATIA, COLOMBIA])
def test_raw_scenes_become_what_the_reader_returns(scene: str) -> None:
    raw, values = gz.open_tile(data_path(scene), raw=True), gz.open_tile(data_path(scene))
    out = DNToReflectance()(raw)
    for name, variable in values.data_vars.items():
        np.testing.assert_array_equal(out[name].values, variable.values, err_msg=str(name))
        assert out[name].attrs["quantity"] == variable.attrs["quantity"]
        assert out[name].attrs.get("units") == variable.attrs.get("units")


@pytest.mark.filterwarnings("ignore::geotoolz.io.MetadataWarning")
def test_a_real_scene_without_the_readers_attributes() -> None:
    values = gz.open_tile(data_path(COLOMBIA))
    raw = gz.open_tile(data_path(COLOMBIA), raw=True)
    for name in raw.data_vars:
        for key in ("scale_factor", "add_offset", "scaled_units", "scaled_quantity", "offset_source"):
            raw[name].attrs.pop(key, None)
    out = DNToReflectance()(raw)
    for name in ("red", "nir08", "lwir11"):
        np.testing.assert_array_equal(out[name].values, values[name].values)
    assert out.lwir11.attrs["units"] == "K"


@pytest.mark.filterwarnings("ignore::geotoolz.io.MetadataWarning")
def test_a_scene_with_radiances_only_names_the_way() -> None:
    raw = gz.open_tile(data_path("ls5_tm_dem_training_para/raw_dn"), raw=True)
    with pytest.raises(QuantityError, match="DNToRadiance and RadianceToReflectance"):
        DNToReflectance()(raw)


@pytest.mark.filterwarnings("ignore::geotoolz.io.MetadataWarning")
def test_the_level_1_scales_of_a_level_2_mtl_are_left_out() -> None:
    folder = data_path(COLOMBIA)
    (path,) = folder.glob("*MTL.txt")
    bare = gz.open_tile(folder, raw=True).drop_attrs(deep=False)
    marked = assign_mtl(bare, path)
    assert marked.attrs["earth_sun_distance"] == 0.9860755
    assert marked.attrs["sun_elevation"] == pytest.approx(57.08727307)
    assert "radiance_mult" not in marked.red.attrs
    assert bare.attrs == {}


def test_files_that_are_no_mtl(one: One, tmp_path: Any) -> None:
    ds = one(np.ones((1, 1), "u2"), 0, DN, platform="landsat-9")
    with pytest.raises(ParameterError, match="is no file"):
        assign_mtl(ds, tmp_path / "MTL.txt")
    (path,) = data_path(COLOMBIA).glob("*MTL.json")
    with pytest.raises(TileError, match="belongs to landsat-8, and the tile to landsat-9"):
        assign_mtl(ds, path)
