"""Products through odc-stac: the values are those of the files, scale, offset and no-data are in the item."""

from __future__ import annotations

import numpy as np
import pytest

from geotoolz.batch import CatalogPipeline
from geotoolz.core import Sequential
from geotoolz.core.testing import data_path, write_scene
from geotoolz.io import WriteCOG, open_tile
from geotoolz.radiometry import BandMath, Encode

odc_stac = pytest.importorskip("odc.stac", reason="odc-stac is not installed")
pystac = pytest.importorskip("pystac", reason="pystac is not installed")


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    spec = {"shape": (80, 120), "bands": ("red", "green", "nir", "scl"), "cloud_cover": 0.2}
    return write_scene(spec, tmp_path_factory.mktemp("scenes"))


def products(scene, out, *steps):
    report = CatalogPipeline([scene], Sequential(steps), out, progress="none", quicklook=True).run()
    assert report.counts == {"done": 1}, [row.message for row in report.failed]
    collection = pystac.Collection.from_file(str(out / "collection.json"))
    return list(collection.get_items())


def test_floats_and_classes_are_equal(scene, tmp_path):
    items = products(
        scene,
        tmp_path,
        BandMath("(nir - red) / (nir + red)", "ndvi"),
        WriteCOG("{item_id}_{band}.tif", bands=("ndvi", "scl", "red")),
    )
    loaded = odc_stac.load(items)
    assert set(loaded.data_vars) == {"ndvi", "scl", "red"}  # no picture, no style
    for name in loaded.data_vars:
        made = open_tile(tmp_path / f"{items[0].id}_{name}.tif")[name]
        np.testing.assert_array_equal(loaded[name][0].values, made.values)
        assert loaded[name].dtype == made.dtype
        np.testing.assert_array_equal(loaded[name].attrs["nodata"], made.attrs["_FillValue"])
    np.testing.assert_array_equal(loaded.x.values, made.x.values)
    np.testing.assert_array_equal(loaded.y.values, made.y.values)
    lazy = odc_stac.load(items, bands=["ndvi"], chunks={"x": 32, "y": 32})
    np.testing.assert_array_equal(lazy.ndvi.compute().values, loaded.ndvi.values)


def test_packed_values_unpack_by_the_item(scene, tmp_path):
    items = products(
        scene,
        tmp_path,
        BandMath("(nir - red) / (nir + red)", "ndvi"),
        Encode("index_int16", bands=("ndvi",)),
        WriteCOG("{item_id}_{band}.tif", bands=("ndvi",)),
    )
    (band,) = items[0].assets["ndvi"].to_dict()["bands"]
    made = open_tile(tmp_path / f"{items[0].id}_ndvi.tif").ndvi
    assert made.dtype.kind == "i" and band["data_type"] == made.dtype.name
    assert (band["raster:scale"], band["raster:offset"]) == (
        made.attrs["scale_factor"],
        made.attrs.get("add_offset", 0.0),
    )
    loaded = odc_stac.load(items).ndvi[0]
    np.testing.assert_array_equal(loaded.values, made.values)
    assert loaded.attrs["nodata"] == band["nodata"] == made.attrs["_FillValue"]
    clear = loaded.values != band["nodata"]
    ndvi = loaded.values * band["raster:scale"] + band["raster:offset"]
    whole = BandMath("(nir - red) / (nir + red)", "ndvi")(open_tile(scene)).ndvi.values
    assert np.abs(ndvi - whole)[clear].max() <= band["raster:scale"] / 2 * (1 + 1e-6)


def test_several_bands_of_one_file_by_number(scene, tmp_path):
    names = ("red", "green", "nir")
    items = products(scene, tmp_path, WriteCOG("{item_id}.tif", bands=names))
    listed = items[0].assets["data"].to_dict()["bands"]
    assert [band["name"] for band in listed] == list(names)
    loaded = odc_stac.load(items, bands=["data.1", "data.2", "data.3"])
    made = open_tile(tmp_path / f"{items[0].id}.tif")
    for (_, found), name in zip(loaded.data_vars.items(), names, strict=True):
        np.testing.assert_array_equal(found[0].values, made[name].values)


def test_real_scenes_are_equal_too(tmp_path):
    """Whole tiles of Croatia: the scene classification holds a value that is no class."""
    folder = data_path("s2_l2a_33TWL_croatia")
    scenes = sorted(folder.glob("*/*_stac_item.json"))[:2]
    pipeline = Sequential(
        [BandMath("(nir - red) / (nir + red)", "ndvi"), WriteCOG("{date}_{band}.tif", bands=("ndvi", "scl"))]
    )
    report = CatalogPipeline(scenes, pipeline, tmp_path, progress="none").run()
    assert report.counts == {"done": 2}, [row.message for row in report.failed]
    items = list(pystac.Collection.from_file(str(tmp_path / "collection.json")).get_items())
    loaded = odc_stac.load(items, bands=["ndvi", "scl"])
    assert loaded.sizes["time"] == 2
    for index, item in enumerate(sorted(items, key=lambda item: item.datetime)):
        made = open_tile(tmp_path / "items" / f"{item.id}.json")
        for name in ("ndvi", "scl"):
            np.testing.assert_array_equal(loaded[name][index].values, made[name].values)
    assert int(loaded.scl.max()) == 12
