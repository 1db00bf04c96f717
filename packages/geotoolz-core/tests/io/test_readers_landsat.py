"""Landsat with its MTL, in a folder or a tar: what is read, and what is refused."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
import rasterio

from geotoolz.core._errors import ParameterError, ReadError, TileError
from geotoolz.core.testing import data_path, write_landsat
from geotoolz.io import open_scene, open_tile
from geotoolz.io._readers import reader_for

SCENE = {"shape": (64, 80), "seed": 5, "cloud_cover": 0.3, "nodata_edge": True}
ALL = [
    ("landsat-9", "L2SP"), ("landsat-8", "L2SP"), ("landsat-8", "L1TP"), ("landsat-7", "L2SP"),
    ("landsat-7", "L1TP"), ("landsat-5", "L2SP"), ("landsat-5", "L1TP"), ("landsat-4", "L1TP"),
    ("landsat-5-mss", "L1TP"), ("landsat-4-mss", "L1TP"),
]  # fmt: skip


@pytest.fixture(scope="module")
def products(tmp_path_factory):
    """Products by platform, level and container; never changed by a test."""
    folder = tmp_path_factory.mktemp("landsat")
    made = {}
    for platform, level in ALL:
        made[platform, level, "folder"] = write_landsat(SCENE, folder, level=level, platform=platform)
        made[platform, level, "tar"] = write_landsat(
            SCENE, folder / "tars", level=level, platform=platform, tarred=True
        )
    return made


@pytest.fixture
def product(products, tmp_path):
    """A product that a test may damage."""
    source = products["landsat-8", "L2SP", "folder"]
    return Path(shutil.copytree(source, tmp_path / source.name))


def stored(folder: Path, band: str) -> np.ndarray:
    with rasterio.open(folder / f"{folder.name}_{band}.TIF") as raster:
        return raster.read(1)


def packed(folder: Path, names: str = "*", where: str = "") -> Path:
    target = folder.with_name(f"{folder.name}.tar")
    with tarfile.open(target, "w") as archive:
        for path in sorted(folder.glob(names)):
            archive.add(path, f"{where}{path.name}")
    return target


# ---- what is read ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("platform", "level"), ALL)
def test_a_tar_gives_the_tile_of_the_folder(products, platform, level):
    folder = open_tile(products[platform, level, "folder"])
    assert open_tile(products[platform, level, "tar"]).identical(folder)
    assert folder.attrs["platform"] == platform.removesuffix("-mss")
    assert folder.attrs["processing_level"] == level
    assert folder.attrs["datetime"] == "2023-06-18T10:00:31Z"
    assert folder.attrs["tile_id"] == products[platform, level, "folder"].name
    assert folder.sizes == {"y": 64, "x": 80}


def test_level_2_is_scaled_by_its_own_parameters_not_those_of_level_1(products):
    path = products["landsat-8", "L2SP", "folder"]
    ds = open_tile(path)
    assert list(ds) == [
        "coastal",
        "blue",
        "green",
        "red",
        "nir08",
        "swir16",
        "swir22",
        "lwir11",
        "qa_pixel",
        "qa_radsat",
    ]
    dn = stored(path, "SR_B4")
    wanted = np.where(dn == 0, np.nan, dn * 2.75e-5 - 0.2)
    np.testing.assert_allclose(ds.red, wanted, atol=1e-7)
    dn = stored(path, "ST_B10")
    np.testing.assert_allclose(ds.lwir11, np.where(dn == 0, np.nan, dn * 0.00341802 + 149.0), rtol=1e-6)
    assert ds.lwir11.attrs["units"] == "K"
    np.testing.assert_array_equal(ds.qa_pixel, stored(path, "QA_PIXEL"))
    assert ds.red.attrs["offset_source"] == "MTL"


def test_level_1_is_divided_by_the_sine_of_the_suns_elevation(products):
    path = products["landsat-8", "L1TP", "folder"]
    ds = open_tile(path, ["red"])
    dn = stored(path, "B4")
    sine = np.sin(np.radians(ds.attrs["sun_elevation"]))
    np.testing.assert_allclose(ds.red, np.where(dn == 0, np.nan, (dn * 2e-5 - 0.1) / sine), atol=1e-6)
    assert ds.red.attrs["quantity"] == "toa_reflectance"


@pytest.mark.parametrize(("platform", "band"), [("landsat-5", "B6"), ("landsat-7", "B6_VCID_1")])
def test_brightness_temperature_of_level_1(products, platform, band):
    path = products[platform, "L1TP", "tar"]
    ds = open_tile(path, ["lwir", "red"])
    radiance = stored(products[platform, "L1TP", "folder"], band) * 0.055 + 1.18
    np.testing.assert_allclose(ds.lwir, 1282.71 / np.log(666.09 / radiance + 1), rtol=1e-6)
    dn = stored(products[platform, "L1TP", "folder"], "B3")
    sine = np.sin(np.radians(ds.attrs["sun_elevation"]))
    np.testing.assert_allclose(ds.red, np.where(dn == 0, np.nan, (dn * 0.0025 - 0.01) / sine), atol=1e-6)


def test_the_bands_of_mss_are_other_colours(products):
    ds = open_tile(products["landsat-5-mss", "L1TP", "tar"])
    assert list(ds) == ["green", "red", "nir", "nir08", "qa_pixel", "qa_radsat"]
    assert ds.green.attrs["sensor_band"] == "B1"


def test_compressed_tars_and_tars_with_a_folder_inside(products, tmp_path):
    zipped = write_landsat(SCENE, tmp_path, tarred="gz")
    wanted = open_tile(products["landsat-8", "L2SP", "folder"])
    assert zipped.name.endswith("_02_T1.tar.gz")
    assert open_tile(zipped).identical(wanted)
    source = products["landsat-8", "L2SP", "folder"]
    copied = Path(shutil.copytree(source, tmp_path / source.name))
    inside = packed(copied, where=f"{source.name}/").rename(tmp_path / "download.tar")
    assert open_tile(inside).identical(wanted)
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == [source.name]


def test_windows_of_a_tar(products):
    scene = open_scene(products["landsat-8", "L2SP", "tar"])
    whole, part = scene.read(), scene.read(rows=slice(7, 50), cols=slice(3, 80))
    for name in whole:
        np.testing.assert_array_equal(part[name], whole[name][7:50, 3:80])


def test_the_mtl_opens_its_product_where_a_folder_has_several(products, tmp_path):
    for platform in ("landsat-8", "landsat-9"):
        for path in products[platform, "L2SP", "folder"].iterdir():
            shutil.copy(path, tmp_path)
    with pytest.raises(TileError, match=r"holds 2 products: LC08.*, LC09.*open one by its MTL"):
        open_tile(tmp_path)
    for platform in ("landsat-8", "landsat-9"):
        source = products[platform, "L2SP", "folder"]
        for end in ("txt", "json"):
            ds = open_tile(tmp_path / f"{source.name}_MTL.{end}")
            assert ds.identical(open_tile(source))


def test_a_band_takes_the_mtl_of_its_own_product(products, tmp_path):
    for platform in ("landsat-8", "landsat-5"):
        for path in products[platform, "L1TP", "folder"].iterdir():
            shutil.copy(path, tmp_path)
    for platform, band in (("landsat-8", "B4"), ("landsat-5", "B3")):
        source = products[platform, "L1TP", "folder"]
        ds = open_tile(tmp_path / f"{source.name}_{band}.TIF")
        np.testing.assert_array_equal(ds.red, open_tile(source, ["red"]).red)


def test_other_files_beside_the_bands_are_read_by_name_alone(product):
    shutil.copy(product / f"{product.name}_SR_B4.TIF", product / "mine.tif")
    assert "mine" not in open_tile(product)
    assert list(open_tile(product, ["mine"])) == ["mine"]


def test_a_real_product_opens_alike_from_a_tar(tmp_path):
    folder = data_path("ls8_c2l2_colombia_008059_cloudy")
    target = tmp_path / "LC08_L2SP_008059_20191201_20200825_02_T1.tar"
    with tarfile.open(target, "w") as archive:
        for path in sorted(folder.glob("LC08*")):
            archive.add(path, path.name)
    names = ["blue", "red", "nir08", "lwir11", "qa_pixel", "qa_aerosol"]
    tar, unpacked = open_tile(target, names), open_tile(folder, names)
    for name in names:
        np.testing.assert_array_equal(tar[name], unpacked[name])
    assert tar.attrs["sun_elevation"] == 57.08727307


# ---- bad products ------------------------------------------------------------------------------------------


def test_a_missing_band_is_named_when_it_is_asked_for(product):
    (product / f"{product.name}_SR_B4.TIF").unlink()
    for path in (product, packed(product)):
        for bands in (None, ["red"], "SR_B4"):
            with pytest.raises(ReadError, match=r"incomplete: 1 of its bands .*_SR_B4\.TIF.*bands="):
                open_tile(path, bands)
        assert list(open_tile(path, ["nir08"])) == ["nir08"]


def test_no_mtl(product):
    with pytest.raises(ReadError, match=r"has no file …_MTL\.txt.*download it again"):
        open_tile(packed(product, "*.TIF"))
    for path in product.glob("*_MTL.*"):
        path.unlink()
    # constants of Collection 2 stand in for the MTL at Level-2; the reader for folders of rasters takes it
    assert open_tile(product, ["red"]).red.attrs["offset_source"] == "Collection 2 Level-2"


def test_no_band(product):
    with pytest.raises(ReadError, match="has an MTL and no band"):
        open_tile(packed(product, "*_MTL.*"))


def test_two_products_in_one_tar(products, tmp_path):
    target = tmp_path / "LC08_L2SP_190028.tar"
    with tarfile.open(target, "w") as archive:
        for platform in ("landsat-8", "landsat-9"):
            folder = products[platform, "L2SP", "folder"]
            archive.add(folder, folder.name)
    with pytest.raises(TileError, match="holds 2 products"):
        open_tile(target)


@pytest.mark.parametrize("kept", [0, 100, 3000])
def test_a_tar_that_was_cut_off(products, tmp_path, kept):
    source = products["landsat-8", "L2SP", "tar"]
    path = tmp_path / source.name
    path.write_bytes(source.read_bytes()[:kept])
    with pytest.raises(ReadError, match="download it again"):
        open_tile(path)


def test_a_compressed_tar_that_was_cut_off(tmp_path):
    path = write_landsat(SCENE, tmp_path, tarred="gz")
    path.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(ReadError, match=r"expected a complete archive; .*download it again"):
        open_tile(path)


def test_an_mtl_that_is_none(product):
    for path in product.glob("*_MTL.*"):
        path.write_text("GROUP = NOTHING\n")
    with pytest.raises(ReadError, match="none of the groups of a Landsat MTL"):
        open_tile(product)


def test_a_tar_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing")
    with tarfile.open(tmp_path / "notes.tar", "w") as archive:
        archive.add(tmp_path / "notes.txt", "notes.txt")
    assert reader_for(tmp_path / "notes.tar") is None


@pytest.mark.parametrize(
    ("scene", "options", "said"),
    [
        ({}, {"platform": "landsat-6"}, "did you mean 'landsat-"),
        ({}, {"platform": "landsat-5-mss"}, "'L1TP' of MSS"),
        ({}, {"level": "L1C"}, "'L2SP' or 'L1TP'"),
        ({"crs": 3035, "origin": (4_000_000, 3_000_000)}, {}, "a UTM zone on WGS 84"),
        ({"sensor": "landsat-8"}, {}, "give level= and platform="),
    ],
)
def test_arguments_of_the_simulation(tmp_path, scene, options, said):
    with pytest.raises(ParameterError, match=said):
        write_landsat(scene, tmp_path, **options)


@pytest.mark.filterwarnings("ignore::geotoolz.io.MetadataWarning")
@pytest.mark.parametrize("raw", [False, True])
def test_fill_of_level_1_without_metadata_is_no_data(raw: bool) -> None:
    """Collection 1: the files declare no no-data, and nearly a third of the scene is fill."""
    folder = data_path("ls8_l1tp_timeseries_ny_thumb/L8NY18/LC08_L1TP_013032_20180131_20180207_01_T1")
    path = folder / "LC08_L1TP_013032_20180131_B4.TIF"
    with rasterio.open(path) as source:
        assert source.nodata is None
        dn = source.read(1)
    tile = open_tile(path, raw=raw)
    (band,) = tile.data_vars.values()
    assert (dn == 0).mean() > 0.25 and band.attrs["_FillValue"] == 0
    np.testing.assert_array_equal(band.values, dn)
