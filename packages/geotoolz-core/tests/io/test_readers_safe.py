"""Sentinel-2 in SAFE format: what is read, from which of its files, and what is refused."""

from __future__ import annotations

import shutil
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import rasterio

from geotoolz.core._errors import MissingVariableError, ParameterError, ReadError, TileError
from geotoolz.core.testing import data_path, write_safe
from geotoolz.io import close_handles, describe, open_scene, open_tile
from geotoolz.io._metadata import s2_granule, s2_product, xml_root
from geotoolz.io._readers import reader_for
from geotoolz.io._readers._s2_angles import angle_grid

SCENE = {"shape": (120, 120), "seed": 3, "cloud_cover": 0.3, "nodata_edge": True}
BANDS_L2A = [
    "coastal", "blue", "green", "red", "rededge071", "rededge075", "rededge078", "nir", "nir08", "nir09",
    "swir16", "swir22", "scl",
]  # fmt: skip


@pytest.fixture(scope="module")
def products(tmp_path_factory):
    """Products by level and names; never changed by a test."""
    folder = tmp_path_factory.mktemp("safe")
    made = {}
    for level in ("L2A", "L1C"):
        made[level, "folder"] = write_safe(SCENE, folder, level=level)
        made[level, "zip"] = write_safe(SCENE, folder / "zips", level=level, zipped=True)
        made[level, "long"] = write_safe(SCENE, folder, level=level, baseline="02.01", names="long")
    return made


@pytest.fixture
def safe(products, tmp_path):
    """A product that a test may damage."""
    source = products["L2A", "folder"]
    return Path(shutil.copytree(source, tmp_path / source.name))


def image(safe: Path, end: str) -> Path:
    (found,) = safe.glob(f"GRANULE/*/IMG_DATA/**/*{end}.jp2")
    return found


def pixels(path: Path) -> np.ndarray:
    with rasterio.open(path) as raster:
        return raster.read(1)


# ---- what is read ------------------------------------------------------------------------------------------


def test_a_level_2_product_is_one_tile_at_its_finest_pixels(products):
    safe = products["L2A", "folder"]
    ds = open_tile(safe)
    assert list(ds) == BANDS_L2A
    assert ds.sizes == {"y": 120, "x": 120}
    stored = pixels(image(safe, "B04_10m")).astype(np.float64)
    wanted = np.where(stored == 0, np.nan, (stored - 1000) / 10_000).astype(np.float32)
    np.testing.assert_allclose(ds.red, wanted, rtol=0, atol=1e-7)
    assert ds.red.dtype == np.float32
    assert np.isnan(ds.red).any()
    assert ds.red.attrs["quantity"] == "surface_reflectance"
    assert ds.red.attrs["offset_source"] == "product metadata"
    # classes are picked, at 20 m: every class of four pixels of 10 m
    np.testing.assert_array_equal(ds.scl, pixels(image(safe, "SCL_20m")).repeat(2, 0).repeat(2, 1))


def test_what_the_metadata_says_stands_in_the_attributes(products):
    attrs = open_tile(products["L2A", "folder"], ["red"]).attrs
    assert attrs["tile_id"] == "S2A_MSIL2A_20230618T100031_N0509_R079_T33TWL_20230618T140031"
    assert attrs["datetime"] == "2023-06-18T10:00:31.024000Z"
    assert attrs["platform"] == "sentinel-2a"
    assert attrs["instrument"] == "msi"
    assert (attrs["processing_level"], attrs["processing_baseline"]) == ("L2A", "05.09")
    assert attrs["sun_elevation"] == pytest.approx(64.262415)
    assert attrs["sun_azimuth"] == pytest.approx(146.508567)
    # the means of 6.5 + 0.05 i and 106 + 0.25 i over the thirteen bands
    assert attrs["view_zenith"] == pytest.approx(6.8)
    assert attrs["view_azimuth"] == pytest.approx(107.5)


def test_mean_azimuths_meet_across_north():
    angles = "".join(
        f'<Mean_Viewing_Incidence_Angle bandId="{i}"><ZENITH_ANGLE>4</ZENITH_ANGLE>'
        f"<AZIMUTH_ANGLE>{a}</AZIMUTH_ANGLE></Mean_Viewing_Incidence_Angle>"
        for i, a in enumerate((350, 20))
    )
    found = s2_granule(xml_root(f"<T>{angles}</T>".encode(), "MTD_TL.xml"))
    assert found["view_azimuth"] == pytest.approx(5.0)


def test_a_level_1_product_has_thirteen_bands_of_toa_reflectance(products):
    ds = open_tile(products["L1C", "folder"])
    assert list(ds) == [*BANDS_L2A[:-3], "cirrus", *BANDS_L2A[-3:-1]]
    assert {v.attrs["quantity"] for v in ds.values()} == {"toa_reflectance"}
    assert ds.attrs["processing_level"] == "L1C"


@pytest.mark.parametrize("level", ["L2A", "L1C"])
def test_a_zip_and_the_old_names_give_the_same_pixels(products, level):
    folder, zipped, old = (open_tile(products[level, kind]) for kind in ("folder", "zip", "long"))
    assert zipped.identical(folder)
    assert list(old) == list(folder)
    for name in folder:
        if name != "coastal":  # since 04.00 also at 20 m
            np.testing.assert_array_equal(old[name], folder[name])
    assert old.attrs["processing_baseline"] == "02.01"
    assert old.attrs["tile_id"].endswith("_T33TWL_N02.01")


def test_nothing_is_unpacked(products, tmp_path):
    zipped = Path(shutil.copy(products["L2A", "zip"], tmp_path))
    open_tile(zipped, ["red", "scl"])
    assert [path.name for path in tmp_path.iterdir()] == [zipped.name]


def test_a_zip_with_any_name_is_recognised_and_others_are_not(products, tmp_path):
    renamed = Path(shutil.copy(products["L2A", "zip"], tmp_path / "download.zip"))
    assert open_tile(renamed, ["red"]).attrs["tile_id"].startswith("S2A_MSIL2A")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("GRANULE/readme.txt", "no product")
    assert reader_for(tmp_path / "other.zip") is None


@pytest.mark.parametrize("resolution", [20, 60])
def test_one_wanted_grid_for_all_bands(products, resolution):
    ds = open_tile(products["L2A", "folder"], resolution=resolution)
    assert ds.sizes == {"y": 1200 // resolution, "x": 1200 // resolution}
    if resolution == 20:  # a band of that size is copied
        stored = pixels(image(products["L2A", "folder"], "B11_20m")).astype(np.float64)
        wanted = np.where(stored == 0, np.nan, stored / 10_000 - 0.1)
        np.testing.assert_allclose(ds.swir16, wanted, atol=1e-7)


def test_auxiliary_bands_are_read_by_name_in_their_units(products):
    safe = products["L2A", "folder"]
    ds = open_tile(safe, ["aot", "wvp", "cloud_probability", "snow_probability"])
    np.testing.assert_allclose(ds.aot, pixels(image(safe, "AOT_10m")) / 1000, atol=1e-6)
    np.testing.assert_allclose(ds.wvp, pixels(image(safe, "WVP_10m")) / 1000, atol=1e-6)
    assert ds.wvp.attrs["units"] == "cm"
    assert ds.aot.attrs["offset_source"] == "product metadata"
    (stored,) = safe.glob("GRANULE/*/QI_DATA/MSK_CLDPRB_20m.jp2")
    assert set(np.unique(pixels(stored))) > {0}
    native = open_tile(safe, ["cloud_probability"])
    np.testing.assert_array_equal(native.cloud_probability, pixels(stored))
    assert open_tile(products["L2A", "long"], ["cloud_probability"]).equals(native)


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_angles_per_pixel_are_interpolated_between_the_nodes_of_5_km(products, kind):
    ds = open_tile(products["L2A", kind], ["red", "sun_zenith", "sun_azimuth", "view_zenith"])
    east, south = np.meshgrid((np.arange(120) + 0.5) * 10 / 5000, (np.arange(120) + 0.5) * 10 / 5000)
    # the simulated grids are planes: what they are at the corner, and per step east and south
    np.testing.assert_allclose(ds.sun_zenith, 90 - 64.262415 - 0.2 * east + 0.3 * south, atol=2e-4)
    np.testing.assert_allclose(ds.sun_azimuth, 146.508567 + 0.4 * east, atol=1e-3)
    np.testing.assert_allclose(ds.view_zenith, 6.8 - 0.2 * east + 0.3 * south, atol=1e-5)
    assert ds.sun_zenith.attrs["units"] == "degree"
    assert ds.sun_zenith.attrs["long_name"] == "Sun zenith angle"
    part = open_scene(products["L2A", kind], ["red", "view_zenith"]).read(rows=slice(40, 90))
    np.testing.assert_array_equal(part.view_zenith, ds.view_zenith[40:90])


def test_angles_of_a_real_granule_are_near_their_means():
    path = data_path("s2_l2a_33TWL_croatia") / "S2B_33TWL_20230820_0_L2A" / "granule_metadata.xml"
    root = xml_root(path.read_bytes(), str(path))
    facts = s2_granule(root)
    sun, azimuth, view = (angle_grid(root, name) for name in ("sun_zenith", "sun_azimuth", "view_zenith"))
    assert sun.shape == azimuth.shape == view.shape == (23, 23)
    assert float(sun[0, 0]) == pytest.approx(36.3368)
    assert float(sun.mean()) == pytest.approx(90 - facts["sun_elevation"], abs=0.02)
    assert float(azimuth.mean()) == pytest.approx(facts["sun_azimuth"], abs=0.02)
    assert float(np.nanmean(view)) == pytest.approx(facts["view_zenith"], abs=0.2)
    assert float(np.nanmin(view)) >= 0
    assert float(np.nanmax(view)) < 13  # the field of view is 20.6°


def test_azimuths_are_continuous_across_north():
    rows = "<VALUES>358 359 1</VALUES><VALUES>357 0 2</VALUES>"
    text = f"<T><Sun_Angles_Grid><Azimuth><Values_List>{rows}</Values_List></Azimuth></Sun_Angles_Grid></T>"
    found = angle_grid(xml_root(text.encode(), "MTD_TL.xml"), "sun_azimuth")
    np.testing.assert_array_equal(found, [[358, 359, 361], [357, 360, 362]])


def test_windows_have_the_bits_of_the_whole(products):
    scene = open_scene(products["L2A", "zip"])
    part, whole = scene.read(rows=slice(31, 77), cols=slice(5, 119)), scene.read()
    for name in whole:
        np.testing.assert_array_equal(part[name], whole[name][31:77, 5:119])


def test_parts_of_a_product_open_too(products):
    safe = products["L2A", "folder"]
    (granule,) = safe.glob("GRANULE/*")
    whole = open_tile(safe, ["red"])
    for path in (granule, safe / "MTD_MSIL2A.xml", granule / "MTD_TL.xml"):
        assert open_tile(path, ["red"]).identical(whole)
    band = open_tile(image(safe, "B04_20m"))
    assert list(band) == ["red"]
    assert band.sizes == {"y": 60, "x": 60}
    assert band.red.attrs["quantity"] == "surface_reflectance"


def test_a_renamed_folder_is_recognised_by_its_metadata(safe):
    renamed = safe.rename(safe.with_name("july"))
    assert open_tile(renamed, ["red"]).attrs["tile_id"].startswith("S2A_MSIL2A")


def test_a_changed_zip_is_read_anew(products, tmp_path):
    path = Path(shutil.copy(products["L2A", "zip"], tmp_path / "one.zip"))
    before = open_tile(path, ["red"], raw=True)
    other = write_safe({**SCENE, "seed": 4}, tmp_path, zipped=True)
    shutil.move(other, path)
    assert not np.array_equal(open_tile(path, ["red"], raw=True).red, before.red)


def test_the_metadata_wins_over_the_baseline_band_by_band(safe):
    path = safe / "MTD_MSIL2A.xml"
    text = path.read_text().replace('<BOA_ADD_OFFSET band_id="3">-1000', '<BOA_ADD_OFFSET band_id="3">-500')
    path.write_text(text.replace('VALUE unit="none">10000<', 'VALUE unit="none">20000<'))
    ds = open_tile(safe, ["red", "green"])
    for name, band, offset in (("red", "B04_10m", -500), ("green", "B03_10m", -1000)):
        stored = pixels(image(safe, band)).astype(np.float64)
        wanted = np.where(stored == 0, np.nan, (stored + offset) / 20_000)
        np.testing.assert_allclose(ds[name], wanted, atol=1e-7)


def test_the_offset_can_be_given(products):
    given = open_tile(products["L2A", "folder"], ["red"], offset=0)
    told = open_tile(products["L2A", "folder"], ["red"])
    np.testing.assert_allclose(given.red - told.red, np.where(np.isnan(told.red), np.nan, 0.1), atol=1e-6)


# ---- what other software reads -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["folder", "long"])
@pytest.mark.parametrize("level", ["L2A", "L1C"])
def test_gdal_reads_the_simulated_product_alike(products, level, kind):
    safe = products[level, kind]
    (metadata,) = safe.glob("*MTD_*.xml")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with rasterio.open(metadata) as whole:
            assert whole.driver == "SENTINEL2"
            fine = next(name for name in whole.subdatasets if ":10m:" in name)
        with rasterio.open(fine) as raster:
            names = [str(text).split(",")[0] for text in raster.descriptions]
            stored = dict(zip(names, raster.read(), strict=True))
            assert raster.crs.to_epsg() == 32633
    ours = open_tile(safe, ["red", "green", "blue", "nir"], raw=True)
    for name, band in {"red": "B4", "green": "B3", "blue": "B2", "nir": "B8"}.items():
        np.testing.assert_array_equal(ours[name], stored[band])


# ---- bad products ------------------------------------------------------------------------------------------


def test_missing_product_metadata(safe):
    (safe / "MTD_MSIL2A.xml").unlink()
    with pytest.raises(ReadError, match=r"has no MTD_MSIL1C\.xml or MTD_MSIL2A\.xml.*download it again"):
        open_tile(safe)


def test_without_granule_metadata_only_the_angles_are_unknown(safe):
    (found,) = safe.glob("GRANULE/*/MTD_TL.xml")
    whole = open_tile(safe)
    found.unlink()
    ds = open_tile(safe)
    assert ds.equals(whole)
    assert "sun_elevation" not in ds.attrs
    assert ds.attrs["processing_baseline"] == "05.09"


def test_metadata_that_was_cut_off(safe):
    path = safe / "MTD_MSIL2A.xml"
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(ReadError, match=r"MTD_MSIL2A\.xml is no readable XML"):
        open_tile(safe)


def test_a_missing_band_is_named_when_it_is_asked_for(safe):
    gone = image(safe, "B04_10m")
    gone.unlink()
    for bands in (None, ["red", "nir"], "B04"):
        with pytest.raises(
            ReadError, match=rf"incomplete: 1 of its bands .* {gone.name}.*bands=\["
        ) as caught:
            open_tile(safe, bands)
        assert "MTD_MSIL2A.xml lists" in str(caught.value)
    assert set(open_tile(safe, ["nir", "scl"])) == {"nir", "scl"}
    with pytest.raises(MissingVariableError, match=r"has no band 'reed' .did you mean 'red'"):
        open_tile(safe, ["reed"])


def test_a_missing_band_in_a_zip(safe):
    image(safe, "B08_10m").unlink()
    path = safe.with_name("cut.zip")
    with zipfile.ZipFile(path, "w") as archive:
        for file in safe.rglob("*"):
            archive.write(file, f"{safe.name}/{file.relative_to(safe).as_posix()}")
    with pytest.raises(ReadError, match=r"B08_10m\.jp2"):
        open_tile(path)
    assert open_tile(path, ["red"]).sizes["x"] == 120


@pytest.mark.parametrize("kept", [0, 200, 0.6])
def test_a_truncated_band(safe, kept):
    path = image(safe, "B04_10m")
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content)) if isinstance(kept, float) else kept])
    with pytest.raises(ReadError, match=r"B04_10m\.jp2.*download"):
        open_tile(safe)


def test_an_empty_granule(safe):
    (granule,) = safe.glob("GRANULE/*")
    shutil.rmtree(granule / "IMG_DATA")
    shutil.rmtree(granule / "QI_DATA")
    with pytest.raises(ReadError, match=f"the granule {granule.name} without a band"):
        open_tile(safe)
    shutil.rmtree(granule)
    with pytest.raises(ReadError, match="has no granule"):
        open_tile(safe)


def test_two_granules_open_one_by_one(safe):
    (first,) = safe.glob("GRANULE/*")
    second = first.with_name("L2A_T33TWM_A041716_20230618T100031")
    shutil.copytree(first, second)
    with pytest.raises(TileError, match=f"2 granules: .*{second.name}.*open one by its folder") as caught:
        open_tile(safe)
    assert str(first) in str(caught.value)
    assert open_tile(first, ["red"]).equals(open_tile(second, ["red"]))


def test_two_granules_of_the_old_names_are_two_tiles(products, tmp_path):
    safe = Path(shutil.copytree(products["L1C", "long"], tmp_path / products["L1C", "long"].name))
    (first,) = safe.glob("GRANULE/*")
    second = first.with_name(first.name.replace("T33TWL", "T33TWM"))
    shutil.copytree(first, second)
    names = {open_tile(granule, ["red"]).attrs["tile_id"] for granule in (first, second)}
    assert names == {first.name, second.name}


def test_two_products_in_one_zip(products, tmp_path):
    with zipfile.ZipFile(tmp_path / "both.zip", "w") as archive:
        for kind in ("folder", "long"):
            safe = products["L2A", kind]
            for file in safe.rglob("*"):
                archive.write(file, f"{safe.name}/{file.relative_to(safe).as_posix()}")
    with pytest.raises(TileError, match="holds 2 products"):
        open_tile(tmp_path / "both.zip")


def test_a_zip_that_was_cut_off(products, tmp_path):
    path = tmp_path / "S2A_MSIL2A_20230618T100031_N0509_R079_T33TWL_20230618T140031.SAFE.zip"
    path.write_bytes(products["L2A", "zip"].read_bytes()[:20_000])
    with pytest.raises(ReadError, match=r"expected a complete archive; .*download it again"):
        open_tile(path)


def test_an_empty_safe_folder(tmp_path):
    safe = tmp_path / "S2A_MSIL2A_20230618T100031_N0509_R079_T33TWL_20230618T140031.SAFE"
    safe.mkdir()
    with pytest.raises(ReadError, match="has no MTD_MSIL1C"):
        describe(safe)


def test_a_quantification_that_is_no_number_is_left_to_the_default():
    text = "<P><BOA_QUANTIFICATION_VALUE>none</BOA_QUANTIFICATION_VALUE></P>"
    assert "quantification" not in s2_product(xml_root(text.encode(), "MTD_MSIL2A.xml"))


# ---- the simulation ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scene", "options", "said"),
    [
        ({"shape": (100, 120)}, {}, "multiples of 6"),
        ({"crs": 3035, "origin": (4_000_000, 3_000_000)}, {}, "a UTM zone on WGS 84"),
        ({"level": "L1C"}, {}, "give level="),
        ({}, {"level": "L3"}, "'L1C' or 'L2A'"),
        ({}, {"names": "short"}, "'compact' or 'long'"),
        ({}, {"baseline": "new"}, "two numbers"),
    ],
)
def test_arguments_of_the_simulation(tmp_path, scene, options, said):
    with pytest.raises(ParameterError, match=said):
        write_safe(scene, tmp_path, **options)


def test_the_tile_is_named_after_its_place(tmp_path):
    # the corners of 32UQD and 56HLH, as the tiling grid of Sentinel-2 has them
    north = write_safe({"shape": (6, 6), "crs": 32632, "origin": (699960, 5900040)}, tmp_path, level="L1C")
    south = write_safe(
        {"shape": (6, 6), "crs": 32756, "origin": (300000, 6300040), "datetime": "2023-06-18T00:10:00Z"},
        tmp_path,
        level="L1C",
    )
    assert "_T32UQD_" in north.name
    assert "_T56HLH_" in south.name
    close_handles()
