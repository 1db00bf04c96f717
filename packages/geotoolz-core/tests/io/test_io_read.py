"""Reading: grids, windows, resampling, what the tile says."""

import json

import numpy as np
import pystac
import pytest
from _rasters import UTM33, dn, s2_item, write
from affine import Affine
from odc.geo.geobox import GeoBox
from odc.geo.geom import BoundingBox, box

from geotoolz.core import (
    GridMismatchError,
    MissingCRSError,
    MissingVariableError,
    OutsideError,
    ParameterError,
    QuantityError,
    TileError,
    TileSpec,
)
from geotoolz.core._grid import geobox_of
from geotoolz.io import MetadataWarning, SuspiciousValuesWarning, describe, open_scene, open_tile


@pytest.fixture
def scene(tmp_path):
    """A Sentinel-2 scene with bands of 10, 20 and 60 m."""
    scl = np.random.default_rng(9).integers(0, 12, (60, 90)).astype("u1")
    bands = {
        "red": write(tmp_path / "B04.tif", dn(120, 180)),
        "nir": write(tmp_path / "B08.tif", dn(120, 180, 1)),
        "swir16": write(tmp_path / "B11.tif", dn(60, 90, 2), Affine(20, 0, 500_000, 0, -20, 5_000_000)),
        "coastal": write(tmp_path / "B01.tif", dn(20, 30, 3), Affine(60, 0, 500_000, 0, -60, 5_000_000)),
        "scl": write(tmp_path / "SCL.tif", scl, Affine(20, 0, 500_000, 0, -20, 5_000_000)),
    }
    return s2_item(tmp_path, bands, **{"s2:processing_baseline": "05.09", "view:sun_elevation": 40.0})


def test_reflectance_flags_and_attributes(scene):
    ds = open_tile(scene)
    assert ds.sizes == {"y": 120, "x": 180}
    assert {name: v.dtype.name for name, v in ds.items()} == {
        **dict.fromkeys(["red", "nir", "swir16", "coastal"], "float32"),
        "scl": "uint8",
    }
    stored = dn(120, 180)
    wanted = np.where(stored == 0, np.nan, (stored * 1e-4 - 0.1)).astype("f4")
    np.testing.assert_array_equal(ds.red, wanted)
    assert ds.red.attrs["quantity"] == "surface_reflectance"
    assert ds.red.attrs["units"] == "1"
    assert np.isnan(ds.red.attrs["_FillValue"])
    assert ds.scl.attrs["_FillValue"] == 0
    assert ds.scl.attrs["flag_meanings"].split()[9] == "cloud_high_probability"
    assert ds.attrs["platform"] == "sentinel-2a"
    assert ds.attrs["processing_level"] == "L2A"
    assert ds.attrs["processing_baseline"] == "05.09"
    assert ds.attrs["datetime"] == "2023-01-01T10:00:00Z"
    assert ds.attrs["sun_elevation"] == 40.0
    assert geobox_of(ds) == GeoBox((120, 180), Affine(10, 0, 500_000, 0, -10, 5_000_000), UTM33)


def test_raw_keeps_dn_with_scale(scene):
    ds = open_tile(scene, ["red", "swir16"], raw=True)
    assert ds.red.dtype == np.uint16
    np.testing.assert_array_equal(ds.red, dn(120, 180))
    assert ds.red.attrs["quantity"] == "dn"
    assert ds.red.attrs["scale_factor"] == 1e-4
    assert ds.red.attrs["add_offset"] == pytest.approx(-0.1)
    assert ds.red.attrs["_FillValue"] == 0
    # resampled DN are whole numbers, no-data stays no-data
    assert ds.swir16.dtype == np.uint16
    assert (ds.swir16.values[:20, :30] == 0).all()
    assert (ds.swir16.values[40:] > 0).all()


def test_offset_can_be_said(scene):
    with_offset, without = open_tile(scene, "red"), open_tile(scene, "red", offset=0)
    difference = (without.red - with_offset.red).values
    np.testing.assert_allclose(difference[np.isfinite(difference)], 0.1, atol=1e-6)
    assert without.red.attrs["offset_source"] == "offset="


def test_every_source_gives_the_same_pixels(scene):
    held = json.loads(scene.read_text())
    held["links"] = [{"rel": "self", "href": str(scene)}]
    item = pystac.Item.from_file(scene)
    wanted = open_tile(scene, ["red", "scl"])
    for source in (str(scene), scene.parent, held, item):
        assert open_tile(source, ["red", "scl"]).equals(wanted)
    alone = open_tile(scene.parent / "B04.tif")
    assert alone.red.identical(wanted.red)


def test_describe_says_what_open_tile_gives(scene):
    for options in ({}, {"raw": True}, {"resolution": 40}, {"bands": ["scl", "B11"]}):
        spec, real = describe(scene, **options), TileSpec.of(open_tile(scene, **options))
        assert list(spec.variables) == list(real.variables)
        for name in spec.variables:
            one, other = spec.variables[name], real.variables[name]
            assert (one.dims, one.dtype, repr(one.nodata)) == (other.dims, other.dtype, repr(other.nodata))
            assert dict(one.attrs) == dict(other.attrs)
        assert dict(spec.sizes) == dict(real.sizes)
        assert spec.geobox == real.geobox
        assert dict(spec.attrs) == dict(real.attrs)


@pytest.mark.parametrize(
    "options", [{}, {"raw": True}, {"resolution": 60}, {"resolution": 35}, {"resolution": 7}]
)
def test_any_window_has_the_bits_of_the_whole(scene, options):
    reader = open_scene(scene, **options)
    whole = reader.read()
    rng = np.random.default_rng(4)
    height, width = whole.sizes["y"], whole.sizes["x"]
    for _ in range(15):
        r0, r1 = sorted(rng.integers(0, height + 1, 2))
        c0, c1 = sorted(rng.integers(0, width + 1, 2))
        part = reader.read(rows=slice(r0, r1), cols=slice(c0, c1))
        wanted = whole.isel(y=slice(r0, r1), x=slice(c0, c1))
        for name in whole:
            np.testing.assert_array_equal(part[name].values, wanted[name].values)
        if r1 > r0 and c1 > c0:
            assert geobox_of(part) == geobox_of(wanted)


def test_a_geobox_window_has_the_bits_of_the_whole(scene):
    target = GeoBox((70, 90), Affine(0.0002, 0, 15.001, 0, -0.00015, 45.152), "EPSG:4326")
    whole = open_tile(scene, geobox=target)
    assert np.isfinite(whole.red).mean() > 0.5
    reader = open_scene(scene, geobox=target)
    for window in (
        (slice(3, 40), slice(7, 80)),
        (slice(20, 21), slice(0, 1)),
        (slice(30, 70), slice(88, 90)),
    ):
        part = reader.read(rows=window[0], cols=window[1])
        cut = open_tile(scene, geobox=target[window])
        wanted = whole.isel(y=window[0], x=window[1])
        for name in whole:
            np.testing.assert_array_equal(part[name].values, wanted[name].values)
            np.testing.assert_array_equal(cut[name].values, wanted[name].values)


def test_coarser_is_the_area_mean_and_finer_keeps_the_mean(scene):
    ds = open_tile(scene, ["red", "scl"], resolution=20)
    stored = dn(120, 180).astype("f8")
    stored[stored == 0] = np.nan
    blocks = stored.reshape(60, 2, 90, 2)
    wanted = np.nanmean(blocks[20:], axis=(1, 3)) * 1e-4 - 0.1
    np.testing.assert_allclose(ds.red.values[20:], wanted, rtol=1e-6)
    scl = np.random.default_rng(9).integers(0, 12, (60, 90)).astype("u1")
    np.testing.assert_array_equal(ds.scl, scl)  # the same lattice: copied
    fine = open_tile(scene, ["scl", "red"])
    np.testing.assert_array_equal(fine.scl, scl.repeat(2, 0).repeat(2, 1))


def test_bilinear_is_linear(tmp_path):
    ramp = np.tile(np.arange(40, dtype="f4") * 20 + 10, (40, 1))  # x of the pixel centres
    write(tmp_path / "a.tif", ramp, Affine(20, 0, 0, 0, -20, 0))
    ds = open_tile(tmp_path / "a.tif", resolution=5)
    inner = ds.band_1.values[10:-10, 10:-10]
    np.testing.assert_allclose(inner, np.broadcast_to(ds.x.values[10:-10], inner.shape), rtol=1e-6)


def test_reprojection_places_pixels(tmp_path):
    x = 500_000 + 10 * np.arange(200) + 5
    y = 5_000_000 - 10 * np.arange(200) - 5
    write(
        tmp_path / "a.tif",
        np.stack(np.broadcast_arrays(x[None], y[:, None])).astype("f8"),
        names=["east", "north"],
    )
    from pyproj import Transformer

    target = GeoBox((50, 60), Affine(1e-4, 0, 15.005, 0, -1e-4, 45.148), "EPSG:4326")
    ds = open_tile(tmp_path / "a.tif", geobox=target)
    lon, lat = np.meshgrid(ds.x, ds.y)
    east, north = Transformer.from_crs(4326, 32633, always_xy=True).transform(lon, lat)
    inside = np.isfinite(ds.east.values)
    assert inside.mean() > 0.8
    np.testing.assert_allclose(ds.east.values[inside], east[inside], atol=0.01)
    np.testing.assert_allclose(ds.north.values[inside], north[inside], atol=0.01)


def test_aoi_forms(scene):
    utm = box(500_205, 4_999_395, 500_598, 4_999_801, UTM33)
    ds = open_tile(scene, "red", aoi=utm)
    assert geobox_of(ds) == GeoBox((42, 40), Affine(10, 0, 500_200, 0, -10, 4_999_810), UTM33)
    bounds = BoundingBox(500_205, 4_999_395, 500_598, 4_999_801, UTM33)
    assert open_tile(scene, "red", aoi=bounds).identical(ds)
    assert open_tile(scene, "red", aoi=geobox_of(ds)).identical(ds)
    assert open_tile(scene, "red", geobox=geobox_of(ds)).identical(ds)
    lonlat = utm.to_crs("EPSG:4326").boundingbox.bbox
    by_tuple = open_tile(scene, "red", aoi=lonlat)
    assert by_tuple.x[0] <= ds.x[0] and by_tuple.x[-1] >= ds.x[-1]
    shapely_box = utm.to_crs("EPSG:4326").geom
    assert open_tile(scene, "red", aoi=shapely_box).sizes["x"] >= 40
    import geopandas

    frame = geopandas.GeoDataFrame(geometry=[utm.geom], crs=UTM33)
    assert open_tile(scene, "red", aoi=frame).identical(ds)


def test_aoi_cuts_bands_of_all_sizes_to_one_grid(scene):
    utm = box(500_215, 4_999_395, 500_598, 4_999_801, UTM33)
    whole = open_tile(scene)
    part = open_tile(scene, aoi=utm)
    wanted = whole.sel(x=part.x, y=part.y)
    for name in whole:
        np.testing.assert_array_equal(part[name].values, wanted[name].values)


@pytest.mark.parametrize(
    "aoi", [(10, 10, 10.1, 10.1), box(0, 0, 10, 10, UTM33), box(0, 0, 1, 1, "EPSG:3857")]
)
def test_outside_is_said(scene, aoi):
    with pytest.raises(OutsideError, match="outside"):
        open_tile(scene, "red", aoi=aoi)


def test_a_geobox_outside_is_said_and_one_beside_is_filled(scene):
    away = GeoBox((10, 10), Affine(10, 0, 700_000, 0, -10, 5_000_000), UTM33)
    with pytest.raises(OutsideError):
        open_tile(scene, geobox=away)
    beside = GeoBox((20, 20), Affine(10, 0, 499_900, 0, -10, 4_999_000), UTM33)
    ds = open_tile(scene, ["red", "scl"], geobox=beside)
    assert np.isnan(ds.red.values[:, :10]).all() and np.isfinite(ds.red.values[:, 10:]).all()
    assert (ds.scl.values[:, :10] == 0).all()
    assert ds.scl.dtype == np.uint8


@pytest.mark.parametrize(
    "aoi", [(500_000, 4_900_000, 500_100, 5_000_000), (15, 46, 16, 45), "15,45,16,46", (1, 2, 3)]
)
def test_an_area_that_is_none_is_refused(scene, aoi):
    with pytest.raises(ParameterError):
        open_tile(scene, "red", aoi=aoi)


def test_missing_band_names_what_is_there(scene):
    with pytest.raises(
        MissingVariableError, match=r"no band 'reed' \(did you mean 'red'\?\); it has red, nir"
    ):
        open_tile(scene, ["reed"])
    with pytest.raises(MissingVariableError, match=r"sentinel-2\w? has this band: is its file there"):
        open_tile(scene, ["swir22"])
    with pytest.raises(ParameterError, match="twice"):
        open_tile(scene, ["red", "B04"])
    with pytest.raises(ParameterError, match="empty"):
        open_tile(scene, [])


def test_names_can_be_given(scene, tmp_path):
    ds = open_tile(scene, {"r": "B04", "n": "nir"})
    assert list(ds) == ["r", "n"]
    write(tmp_path / "rgb.tif", np.stack([dn(10, 12, i) for i in range(3)]))
    assert list(open_tile(tmp_path / "rgb.tif")) == ["band_1", "band_2", "band_3"]
    assert list(open_tile(tmp_path / "rgb.tif", ["red", "green", "blue"])) == ["red", "green", "blue"]
    ds = open_tile(tmp_path / "rgb.tif", {"blue": 3})
    np.testing.assert_array_equal(ds.blue, dn(10, 12, 2))
    with pytest.raises(MissingVariableError):
        open_tile(tmp_path / "rgb.tif", {"blue": 4})
    with pytest.raises(MissingVariableError):
        open_tile(tmp_path / "rgb.tif", ["red", "green"])


def test_generic_rasters_keep_dtype_and_scale(tmp_path):
    write(tmp_path / "dem.tif", np.array([[-9999, 100], [200, 300]], "i2"), nodata=-9999, names=["dem"])
    ds = open_tile(tmp_path / "dem.tif")
    assert ds.dem.dtype == np.int16
    assert ds.dem.attrs["_FillValue"] == -9999
    write(tmp_path / "f.tif", np.array([[-99, 1.5]], "f4"), nodata=-99)
    ds = open_tile(tmp_path / "f.tif")
    np.testing.assert_array_equal(ds.band_1, np.array([[np.nan, 1.5]], "f4"))
    raw = open_tile(tmp_path / "f.tif", raw=True)
    np.testing.assert_array_equal(raw.band_1, np.array([[-99, 1.5]], "f4"))
    assert raw.band_1.attrs["_FillValue"] == -99


def test_bands_in_different_reference_systems(tmp_path):
    red = write(tmp_path / "B04.tif", dn(30, 30))
    nir = write(tmp_path / "B08.tif", dn(30, 30), crs="EPSG:32634")
    item = s2_item(tmp_path, {"red": red, "nir": nir})
    with pytest.raises(GridMismatchError, match="EPSG:32634"):
        open_tile(item, offset=0)


def test_no_crs(tmp_path):
    bare = write(tmp_path / "a" / "x.tif", dn(30, 30), crs=None)
    with pytest.raises(MissingCRSError, match="no CRS"):
        open_tile(bare)
    red = write(tmp_path / "b" / "B04.tif", dn(30, 30), crs=None)
    item = s2_item(
        tmp_path / "b", {"red": red}, **{"proj:code": "EPSG:32633", "s2:processing_baseline": "05.00"}
    )
    with pytest.warns(MetadataWarning, match="no CRS"):
        ds = open_tile(item)
    assert geobox_of(ds).crs.epsg == 32633
    assert "no CRS" in ds.attrs["metadata_notes"]


def test_said_once(tmp_path, recwarn):
    red = write(tmp_path / "B04.tif", dn(30, 30))
    item = s2_item(tmp_path, {"red": red})
    with pytest.warns(MetadataWarning, match="acquisition date"):
        open_tile(item)
    open_tile(item)
    assert not recwarn.list


def test_suspicious_values_are_named(tmp_path):
    pixels = dn(50, 50)
    pixels[20:] = 40_000
    item = s2_item(
        tmp_path, {"red": write(tmp_path / "B04.tif", pixels)}, **{"s2:processing_baseline": "05.09"}
    )
    with pytest.warns(SuspiciousValuesWarning, match=r"\d+\.\d% of red lies outside"):
        open_tile(item)


def test_several_scenes_in_a_folder_are_refused(tmp_path):
    for day in ("01", "02"):
        write(tmp_path / f"LC08_L2SP_008059_202001{day}_20200825_02_T1_SR_B4.TIF", dn(20, 20))
    with pytest.raises(TileError, match="2 files of band 'red'"):
        open_tile(tmp_path)


def test_landsat_folder_without_mtl(tmp_path):
    stem = "LC09_L2SP_008059_20220101_20220825_02_T1"
    for band in ("SR_B4", "SR_B5"):
        write(tmp_path / f"{stem}_{band}.TIF", dn(20, 20), nodata=0)
    ds = open_tile(tmp_path, ["red", "nir"])
    assert list(ds) == ["red", "nir08"]
    assert ds.attrs["platform"] == "landsat-9"
    assert ds.attrs["datetime"] == "2022-01-01T00:00:00Z"
    assert float(np.nanmin(ds.red)) >= -0.2
    assert ds.red.attrs["offset_source"] == "Collection 2 Level-2"


def test_level1_without_sun_elevation(tmp_path):
    path = write(tmp_path / "LC08_L1TP_008059_20200101_20200825_02_T1_B4.TIF", dn(20, 20))
    with pytest.raises(QuantityError, match="raw=True"):
        open_tile(tmp_path)
    assert open_tile(path, raw=True).red.attrs["quantity"] == "dn"


def test_threads_share_a_reader(scene):
    from concurrent.futures import ThreadPoolExecutor

    reader = open_scene(scene)
    whole = reader.read()
    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(lambda r: reader.read(rows=slice(r, r + 10)), range(0, 120, 10)))
    for i, part in enumerate(parts):
        assert part.equals(whole.isel(y=slice(10 * i, 10 * i + 10)))


def test_a_float_file_holds_values(tmp_path):
    values = np.random.default_rng(0).random((20, 20)).astype("f4")
    values[0, 0], values[1, 1] = np.nan, 0.0
    item = s2_item(
        tmp_path, {"red": write(tmp_path / "B04.tif", values)}, **{"s2:processing_baseline": "05.09"}
    )
    ds = open_tile(item)
    np.testing.assert_array_equal(ds.red, values)
    assert ds.red.attrs["quantity"] == "surface_reflectance"
    assert open_tile(item, raw=True).red.attrs["quantity"] == "surface_reflectance"
    held = json.loads(item.read_text())
    held["assets"]["red"]["raster:bands"] = [{"scale": 1e-4, "offset": -0.1}]
    item.write_text(json.dumps(held))
    with pytest.warns(MetadataWarning, match="holds floats"):
        np.testing.assert_array_equal(open_tile(item).red, values)


def test_the_size_of_a_step_changes_nothing(scene, monkeypatch):
    from geotoolz.io import _pixels

    target = GeoBox((70, 90), Affine(0.0002, 0, 15.001, 0, -0.00015, 45.152), "EPSG:4326")
    coarse = GeoBox((25, 30), Affine(0.0008, 0, 15.0, 0, -0.0006, 45.1525), "EPSG:4326")
    ways = ({}, {"resolution": 35}, {"resolution": 7}, {"geobox": target}, {"geobox": coarse})
    wanted = [open_tile(scene, **way) for way in ways]
    monkeypatch.setattr(_pixels, "_ROWS", 13)
    for way, whole in zip(ways, wanted, strict=True):
        assert open_tile(scene, **way).identical(whole)


@pytest.mark.parametrize("sensor", ["sentinel-2", "landsat-8"])
def test_simulated_scenes_come_back(tmp_path, sensor):
    from geotoolz.core.testing import simulate_scene, write_scene
    from geotoolz.radiometry import DNToReflectance

    made = simulate_scene(shape=(64, 64), sensor=sensor, raw=True)
    folder = write_scene(made, tmp_path)
    raw, values = open_tile(folder, raw=True), open_tile(next(folder.glob("*.json")))
    for name in made:
        np.testing.assert_array_equal(raw[name], made[name])
    scaled = DNToReflectance()(raw)
    for name in values:
        np.testing.assert_array_equal(values[name], scaled[name])  # bit by bit
        assert values[name].attrs.get("quantity") == scaled[name].attrs.get("quantity")


def test_safe_folder(tmp_path):
    safe = tmp_path / "S2A_MSIL2A_20230101T100000_N0509_R079_T33TWL_20230101T120000.SAFE"
    data = safe / "GRANULE" / "L2A_T33TWL" / "IMG_DATA"
    options = {"driver": "JP2OpenJPEG", "QUALITY": "100", "REVERSIBLE": "YES"}
    import rasterio

    for folder, band, size, pixel in (("R10m", "B04_10m", 120, 10), ("R20m", "B04_20m", 60, 20)):
        (data / folder).mkdir(parents=True)
        with rasterio.open(
            data / folder / f"T33TWL_20230101T100000_{band}.jp2",
            "w",
            height=size,
            width=size,
            count=1,
            dtype="uint16",
            crs=UTM33,
            transform=Affine(pixel, 0, 500_000, 0, -pixel, 5_000_000),
            **options,
        ) as raster:
            raster.write(dn(size, size)[None])
    offsets = "".join(f'<BOA_ADD_OFFSET band_id="{i}">-1000</BOA_ADD_OFFSET>' for i in range(13))
    (safe / "MTD_MSIL2A.xml").write_text(
        "<P><PROCESSING_BASELINE>05.09</PROCESSING_BASELINE><SPACECRAFT_NAME>Sentinel-2A</SPACECRAFT_NAME>"
        "<PRODUCT_TYPE>S2MSI2A</PRODUCT_TYPE><PRODUCT_START_TIME>2023-01-01T10:00:00.024Z</PRODUCT_START_TIME>"
        f"<BOA_QUANTIFICATION_VALUE>10000</BOA_QUANTIFICATION_VALUE>{offsets}</P>"
    )
    (safe / "GRANULE" / "L2A_T33TWL" / "MTD_TL.xml").write_text(
        "<T><Mean_Sun_Angle><ZENITH_ANGLE>35</ZENITH_ANGLE><AZIMUTH_ANGLE>150</AZIMUTH_ANGLE></Mean_Sun_Angle></T>"
    )
    ds = open_tile(safe)
    assert ds.sizes == {"y": 120, "x": 120}
    assert ds.red.attrs["offset_source"] == "product metadata"
    assert ds.attrs["sun_elevation"] == 55.0
    assert ds.attrs["tile_id"].startswith("S2A_MSIL2A_20230101T100000")
    stored = dn(120, 120)
    wanted = np.where(stored == 0, np.nan, stored / 10_000 - 0.1)
    np.testing.assert_allclose(ds.red, wanted, atol=1e-6)
