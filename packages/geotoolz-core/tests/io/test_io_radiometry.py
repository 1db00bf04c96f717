"""Which scale and offset, and who said so."""

import math

import numpy as np
import pytest
from _rasters import write

from geotoolz.core import ParameterError, QuantityError
from geotoolz.io import MetadataWarning, forget_notices, open_tile
from geotoolz.io._bands import TABLES, band_of_asset, identify
from geotoolz.io._product import Product, baseline_number, from_identifier
from geotoolz.io._radiometry import Declared, check_offset, decide

RED = TABLES["sentinel-2"]["red"]


def s2(**more):
    return Product(tile_id="x", platform="sentinel-2a", level="L2A", **more)


@pytest.mark.parametrize(
    ("product", "declared", "offset", "add", "said_by"),
    [
        (s2(baseline="05.09"), Declared(), None, -0.1, "baseline"),
        (s2(baseline="04.00"), Declared(), None, -0.1, "baseline"),
        (s2(baseline="03.01"), Declared(1e-4, -0.1), None, 0.0, "baseline"),
        (s2(baseline="10.00"), Declared(), None, -0.1, "baseline"),  # as strings "10.00" < "04.00"
        (s2(baseline="05.09", offset_applied=True), Declared(1e-4, -0.1), None, 0.0, "boa_offset_applied"),
        (s2(baseline="05.09", offset_applied=False), Declared(1e-4, 0.0), None, -0.1, "baseline"),
        (s2(baseline="05.09", collection="COPERNICUS/S2_SR_HARMONIZED"), Declared(), None, 0.0, "collection"),
        (s2(baseline="05.09", add_offsets={"B04": -500.0}), Declared(), None, -0.05, "product metadata"),
        (
            s2(baseline="05.09", add_offsets={"B04": -500.0}, offset_applied=True),
            Declared(),
            None,
            0.0,
            "boa_",
        ),
        (s2(baseline="05.09", offset_applied=True), Declared(), -1000.0, -0.1, "offset="),
        (s2(), Declared(1e-4, -0.1), None, -0.1, "raster:bands"),
        (s2(when="2023-01-01T00:00:00Z"), Declared(), None, -0.1, "acquisition date"),
        (s2(when="2021-01-01T00:00:00Z"), Declared(), None, 0.0, "acquisition date"),
    ],
)
def test_sentinel2_offset_order(product, declared, offset, add, said_by):
    found = decide(product, RED, declared, offset)
    assert found.scale == 1e-4
    assert found.add == pytest.approx(add)
    assert found.said_by.startswith(said_by)
    assert found.quantity == "surface_reflectance"
    assert bool(found.doubt) == (said_by == "acquisition date")


def test_l1c_is_toa():
    assert decide(Product(platform="sentinel-2b", level="L1C"), RED, Declared()).quantity == "toa_reflectance"


def test_no_data_is_tested_before_the_offset():
    found = decide(s2(baseline="05.09"), RED, Declared())
    values = found.values(np.array([[0, 1000, 500, 11000]], "u2"))
    np.testing.assert_array_equal(values, np.array([[np.nan, 0.0, -0.05, 1.0]], "f4"))
    assert values.dtype == np.float32


def test_table_and_formula_agree_bit_by_bit():
    found = decide(s2(baseline="05.09"), RED, Declared())
    every = np.arange(65536, dtype="u2").reshape(256, 256)
    by_table = found.values(every)
    by_formula = np.concatenate([found.values(row[None]) for row in every])
    np.testing.assert_array_equal(by_table, by_formula)
    signed = every.view("i2")
    negative = decide(s2(baseline="05.09"), RED, Declared(nodata=-9999)).values(signed)
    assert negative[signed == -1] == np.float32(-1e-4 - 0.1)


def test_landsat_level2():
    product = Product(platform="landsat-8", level="L2SP")
    red = decide(product, identify("SR_B4", "landsat-8"), Declared())
    assert (red.scale, red.add, red.nodata) == (2.75e-5, -0.2, 0)
    thermal = decide(product, identify("ST_B10", "landsat-8"), Declared())
    assert (thermal.scale, thermal.add, thermal.units) == (0.00341802, 149.0, "K")


def test_landsat_level1_divides_by_the_sine_of_the_elevation_once():
    product = Product(
        tile_id="LC08_L1TP_008059_20191201_20200825_02_T1",
        platform="landsat-8",
        level="L1TP",
        sun_elevation=30.0,
    )
    found = decide(product, identify("B4", "landsat-8"), Declared())
    assert found.quantity == "toa_reflectance"
    assert found.values(np.array([[10_000]], "u2"))[0, 0] == pytest.approx((2e-5 * 10_000 - 0.1) / 0.5)


def test_landsat_level1_without_sun_elevation_is_refused():
    product = Product(tile_id="LC08_L1TP_008059_20191201_20200825_02_T1", platform="landsat-8", level="L1TP")
    with pytest.raises(QuantityError, match="sun elevation"):
        decide(product, identify("B4", "landsat-8"), Declared())


def test_landsat_level1_thermal_is_a_temperature():
    product = Product(
        platform="landsat-8",
        level="L1TP",
        rescaling={"B10": (3.342e-4, 0.1)},
        thermal={"B10": (774.8853, 1321.0789)},
    )
    found = decide(product, identify("B10", "landsat-8"), Declared())
    kelvin = found.values(np.array([[25_000, 0]], "u2"))
    radiance = 25_000 * 3.342e-4 + 0.1
    assert kelvin[0, 0] == pytest.approx(1321.0789 / math.log(774.8853 / radiance + 1), rel=1e-6)
    assert np.isnan(kelvin[0, 1])


@pytest.mark.parametrize("offset", [-0.1, 0.1, float("nan"), {"red": -0.1}])
def test_an_offset_in_reflectance_is_refused(offset):
    with pytest.raises(ParameterError, match="DN"):
        check_offset(offset)


def test_raw_attributes_say_how_to_scale():
    attrs = decide(s2(baseline="05.09"), RED, Declared()).attrs(raw=True)
    assert attrs["quantity"] == "dn"
    assert (attrs["scale_factor"], attrs["add_offset"]) == (1e-4, pytest.approx(-0.1))
    assert attrs["scaled_quantity"] == "surface_reflectance"


@pytest.mark.parametrize(
    ("platform", "keys", "name"),
    [
        ("sentinel-2a", ["B05", "B05_20m", "rededge1", "b05"], "rededge071"),
        ("sentinel-2c", ["B8A", "nir08", "B8A_20m"], "nir08"),
        ("sentinel-2b", ["B08", "nir", "B08_10m", "B8"], "nir"),
        ("landsat-9", ["SR_B5", "SR_B5.TIF", "nir08", "nir", "B5"], "nir08"),
        ("landsat-5", ["SR_B4", "B4", "nir08"], "nir08"),
        ("landsat-7", ["ST_B6", "B6_VCID_1", "lwir"], "lwir"),
        ("sentinel-1a", ["VV", "vv"], "vv"),
    ],
)
def test_provider_keys(platform, keys, name):
    assert {identify(key, platform).name for key in keys} == {name}


@pytest.mark.parametrize(
    ("told", "number"),
    [
        ("5.0", 500), (5.1, 510), (4.0, 400), ("05.09", 509), ("05.00.0", 500), ("N0500", 500), (10.0, 1000),
        ("", None), (None, None), (float("nan"), None),
    ],
)  # fmt: skip
def test_baselines_are_read_however_they_are_written(told, number):
    assert baseline_number(told) == number


def test_a_baseline_that_is_none_is_refused_unless_the_offset_is_given():
    with pytest.raises(QuantityError, match="baseline 'latest' cannot be read"):
        decide(s2(baseline="latest", when="2023-01-01T00:00:00Z"), RED, Declared())
    assert decide(s2(baseline="latest"), RED, Declared(), -1000.0).add == pytest.approx(-0.1)
    assert decide(s2(baseline="latest", offset_applied=True), RED, Declared()).add == 0.0


@pytest.mark.parametrize(
    "name", ["LM05_L1TP_008059_19900701_20200825_02_T2", "LM04_L1TP_008059_19900701_20200825_02_T2"]
)
def test_mss_is_not_tm(name):
    product = Product(tile_id=name, **from_identifier(name))
    assert (product.platform, product.instrument) == (f"landsat-{name[3]}", "mss")
    names = {key: identify(key, product.sensor).name for key in ("B1", "B2", "B3", "B4")}
    assert names == {"B1": "green", "B2": "red", "B3": "nir", "B4": "nir08"}
    assert identify("B5", product.sensor) is None
    assert from_identifier("LM50080591990182AAA03")["instrument"] == "mss"
    assert from_identifier("LT05_L1TP_008059_19900701_20200825_02_T1")["instrument"] == "tm"
    # the USGS calls them nir08 and nir09
    assert [band_of_asset(key, "", product.sensor).sensor_name for key in ("nir08", "nir09")] == ["B3", "B4"]


@pytest.mark.filterwarnings("error::geotoolz.io.MetadataWarning")
def test_reading_sentinel_2_without_baseline_and_date_warns(tmp_path):
    forget_notices()
    path = write(tmp_path / "S2A_33TWL_L2A_B04.tif", np.full((16, 16), 1500, "u2"))
    with pytest.raises(MetadataWarning, match=r"no processing baseline and no offset.*unknown"):
        open_tile(path)


def test_a_folder_of_mss_bands_is_named_by_colour(tmp_path):
    name = "LM05_L1TP_008059_19900701_20200825_02_T2"
    for number in (1, 2, 3, 4):
        write(tmp_path / name / f"{name}_B{number}.TIF", np.full((16, 16), number, "u1"))
    tile = open_tile(tmp_path / name, raw=True)
    assert {band: int(tile[band][0, 0]) for band in tile.data_vars} == {
        "green": 1,
        "red": 2,
        "nir": 3,
        "nir08": 4,
    }
    assert tile.attrs["instrument"] == "mss"


def test_one_scale_does_not_fit_the_scenes_of_tm_and_etm():
    name = "LE07_L1TP_008059_20011201_20200825_02_T1"
    product = Product(tile_id=name, platform="landsat-7", level="L1TP", sun_elevation=50.0)
    found = decide(product, identify("B3", "landsat-7"), Declared())
    assert found.quantity == "dn" and "no scale in the metadata" in found.doubt
