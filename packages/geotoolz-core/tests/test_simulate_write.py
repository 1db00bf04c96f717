"""`write_scene`: what it writes reads back, and its item tells the truth."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import rasterio

from geotoolz.core._errors import ParameterError
from geotoolz.core.testing import simulate_scene, write_scene


def item_of(folder):
    return json.loads((folder / f"{folder.name}.json").read_text())


def test_files_hold_the_scene(tmp_path):
    ds = simulate_scene((70, 300), cloud_cover=0.3, nodata_edge=True, raw=True)
    out = write_scene(ds, tmp_path)
    assert out == tmp_path / ds.attrs["tile_id"]
    names = {p.name for p in out.glob("*.tif")}
    assert names == {f"B{b}.tif" for b in ("02", "03", "04", "05", "06", "07", "08", "8A", "11", "12")} | {
        "SCL.tif", "QA60.tif",
    }  # fmt: skip
    with rasterio.open(out / "B04.tif") as src:
        np.testing.assert_array_equal(src.read(1), ds.red)
        assert (src.nodata, src.scales, src.offsets) == (0, (1e-4,), (-0.1,))
        assert src.crs.to_epsg() == 32633 and tuple(src.transform)[:6] == (10, 0, 499980, 0, -10, 5100000)
        assert src.descriptions == ("red",) and src.profile["tiled"] and src.compression.name == "deflate"
        assert src.tags()["TIFFTAG_DATETIME"] == "2023:06:18 10:00:31"
    with rasterio.open(out / "SCL.tif") as src:
        assert src.dtypes == ("uint8",) and src.nodata == 0
    with rasterio.open(out / "QA60.tif") as src:
        assert src.nodata is None


def test_the_item_tells_what_was_simulated(tmp_path):
    ds = simulate_scene((120, 120), cloud_cover=0.3, truth=True, nodata_edge=True, raw=True)
    item = item_of(write_scene(ds, tmp_path))
    p = item["properties"]
    valid = ds.scl.values != 0
    assert p["eo:cloud_cover"] == pytest.approx(100 * ds.truth_cloud.values[valid].mean(), abs=1e-3)
    assert p["s2:nodata_pixel_percentage"] == pytest.approx(100 * (1 - valid.mean()), abs=1e-3)
    assert p["proj:code"] == "EPSG:32633" and p["s2:processing_baseline"] == "05.09"
    assert p["view:sun_elevation"] == ds.attrs["sun_elevation"] and p["datetime"] == ds.attrs["datetime"]
    assert p["platform"] == "sentinel-2a" and p["instruments"] == ["msi"]
    red = item["assets"]["red"]
    assert red["href"] == "./B04.tif" and red["eo:common_name"] == "red"
    assert red["raster:bands"] == [
        {"data_type": "uint16", "spatial_resolution": 10.0, "nodata": 0, "scale": 1e-4, "offset": -0.1}
    ]
    assert red["proj:shape"] == [120, 120] and red["proj:transform"] == [
        10.0,
        0.0,
        499980.0,
        0.0,
        -10.0,
        5100000.0,
    ]
    assert "truth" in item["assets"]["truth_cloud"]["roles"]
    left, bottom, right, top = item["bbox"]
    assert 14.99 < left < 15.0 < right < 15.02 and 46.03 < bottom < top < 46.06
    ring = np.array(item["geometry"]["coordinates"][0])
    assert (ring[0] == ring[-1]).all()
    assert (
        0.5 * float((ring[:-1, 0] * ring[1:, 1] - ring[1:, 0] * ring[:-1, 1]).sum()) > 0
    )  # counter-clockwise


def test_pystac_reads_the_item(tmp_path):
    pystac = pytest.importorskip("pystac")
    out = write_scene({"shape": (20, 20), "bands": ("red",)}, tmp_path)
    item = pystac.Item.from_file(str(out / f"{out.name}.json"))
    assert item.id == out.name and item.assets["red"].get_absolute_href().endswith("B04.tif")


def test_native_scene_and_no_item(tmp_path):
    tiles = simulate_scene((60, 60), native=True, bands=("red", "scl", "qa60"))
    out = write_scene(tiles, tmp_path, item=False)
    assert {p.name for p in out.iterdir()} == {"B04.tif", "SCL.tif", "QA60.tif"}
    sizes = {}
    for p in out.iterdir():
        with rasterio.open(p) as src:
            sizes[p.name] = src.shape
    assert sizes == {"B04.tif": (60, 60), "SCL.tif": (30, 30), "QA60.tif": (10, 10)}
    item = item_of(write_scene(tiles, tmp_path))
    assert item["properties"]["gsd"] == 10.0 and item["assets"]["qa60"]["gsd"] == 60.0


def test_reflectance_is_written_as_float(tmp_path):
    ds = simulate_scene(
        (40, 40), raw=False, bands=("red", "qa60"), level="L1C", nodata_edge=True, cloud_cover=0.5
    )
    out = write_scene(ds, tmp_path)
    with rasterio.open(out / "B04.tif") as src:
        assert src.dtypes == ("float32",) and math.isnan(src.nodata)
        np.testing.assert_array_equal(src.read(1), ds.red)
    item = item_of(out)
    assert item["assets"]["red"]["raster:bands"][0]["nodata"] == "nan"
    # QA60 does not code missing data: the share is still one of the pixels that have data
    valid = ~np.isnan(ds.red.values)
    wanted = 100 * (ds.qa60.values != 0)[valid].mean()
    assert item["properties"]["eo:cloud_cover"] == pytest.approx(wanted, abs=1e-3)


def test_landsat_names(tmp_path):
    out = write_scene({"shape": (20, 20), "sensor": "landsat-8"}, tmp_path)
    assert {"SR_B4.tif", "QA_PIXEL.tif"} <= {p.name for p in out.iterdir()}
    item = item_of(out)
    assert item["assets"]["nir08"]["href"] == "./SR_B5.tif"
    assert (
        item["properties"]["platform"] == "landsat-8" and "s2:processing_baseline" not in item["properties"]
    )


def test_nothing_to_write_is_refused(tmp_path):
    ds = simulate_scene((4, 4), bands=("red",)).drop_vars("red")
    with pytest.raises(ParameterError, match="without variables"):
        write_scene(ds, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_arguments_are_written_strip_by_strip_to_the_same_files(tmp_path):
    options = {"shape": (530, 40), "cloud_cover": 0.4, "truth": True, "nodata_edge": True, "raw": True}
    whole = write_scene(simulate_scene(**options), tmp_path / "whole")
    strips = write_scene(options, tmp_path / "strips")
    names = {p.name for p in whole.iterdir()}
    assert names == {p.name for p in strips.iterdir()} and len(names) == 16
    assert item_of(whole) == item_of(strips)
    for name in names - {f"{whole.name}.json"}:
        with rasterio.open(whole / name) as a, rasterio.open(strips / name) as b:
            assert a.profile == b.profile
            np.testing.assert_array_equal(a.read(1), b.read(1), err_msg=name)


def test_a_window_of_a_scene_is_written_alone(tmp_path):
    out = write_scene({"shape": (64, 64), "bands": ("red",), "window": (10, 30, 4, 64)}, tmp_path)
    whole = simulate_scene((64, 64), bands=("red",), raw=True)
    with rasterio.open(out / "B04.tif") as src:
        np.testing.assert_array_equal(src.read(1), whole.red[10:30, 4:])
        assert (src.transform.c, src.transform.f) == (499980 + 40, 5100000 - 100)
