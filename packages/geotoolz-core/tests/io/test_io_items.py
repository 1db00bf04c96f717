"""Items as the providers write them."""

import numpy as np
import pytest
from _rasters import UTM33, dn, write

from geotoolz.core._grid import geobox_of
from geotoolz.io import open_tile, write_tile
from geotoolz.io._item import from_item
from geotoolz.io._radiometry import decide


def item(properties, assets, identifier="x", collection=""):
    return {
        "type": "Feature",
        "id": identifier,
        "collection": collection,
        "properties": properties,
        "assets": assets,
    }


def names(info):
    return {asset.key: asset.name for asset in info.assets}


def radiometry(info, name):
    asset = next(a for a in info.assets if a.name == name)
    return decide(info.product, asset.band, asset.declared)


TIFF = "image/tiff; application=geotiff; profile=cloud-optimized"


def test_earth_search_v0():
    info = from_item(
        item(
            {
                "datetime": "2022-06-01T10:00:00Z",
                "platform": "sentinel-2a",
                "sentinel:boa_offset_applied": True,
            },
            {
                "B05": {
                    "href": "https://x/B05.tif",
                    "type": TIFF,
                    "eo:bands": [{"name": "B05", "common_name": "rededge"}],
                },
                "B06": {
                    "href": "https://x/B06.tif",
                    "type": TIFF,
                    "eo:bands": [{"name": "B06", "common_name": "rededge"}],
                },
                "visual": {"href": "https://x/TCI.tif", "type": TIFF, "roles": ["overview"]},
                "SCL": {"href": "https://x/SCL.tif", "type": TIFF},
            },
            "S2A_33TWL_20220601_0_L2A",
            "sentinel-s2-l2a-cogs",
        )
    )
    assert names(info) == {"B05": "rededge071", "B06": "rededge075", "SCL": "scl"}
    assert radiometry(info, "rededge071").add == 0
    assert info.product.level == "L2A"


def test_earth_search_v1_collection_1():
    scale = {"raster:bands": [{"nodata": 0, "scale": 0.0001, "offset": -0.1}]}
    info = from_item(
        item(
            {
                "datetime": "2018-06-01T10:00:00Z",
                "platform": "sentinel-2a",
                "s2:processing_baseline": "05.00",
                "earthsearch:boa_offset_applied": False,
            },
            {
                "rededge1": {"href": "https://x/B05.tif", "type": TIFF, **scale},
                "nir08": {"href": "https://x/B8A.tif", "type": TIFF, **scale},
                "cloud": {"href": "https://x/CLD.tif", "type": TIFF},
                "red-jp2": {"href": "s3://x/B04.jp2", "type": "image/jp2"},
                "thumbnail": {"href": "https://x/p.jpg", "type": "image/jpeg"},
            },
            "S2A_T33TWL_20180601T100000_L2A",
            "sentinel-2-c1-l2a",
        )
    )
    assert names(info) == {"rededge1": "rededge071", "nir08": "nir08", "cloud": "cloud_probability"}
    assert [a.name for a in info.select(None)] == ["rededge071", "nir08"]
    assert radiometry(info, "nir08").add == pytest.approx(-0.1)


def test_planetary_computer_sentinel2():
    info = from_item(
        item(
            {
                "datetime": "2023-06-01T10:00:00Z",
                "platform": "Sentinel-2B",
                "s2:processing_baseline": "05.09",
                "s2:mean_solar_zenith": 30.0,
                "s2:mean_solar_azimuth": 150.0,
            },
            {k: {"href": f"https://x/{k}.tif", "type": TIFF} for k in ("B04", "B8A", "SCL", "visual")}
            | {"preview": {"href": "https://x/p.tif", "type": TIFF, "roles": ["thumbnail"]}},
            "S2B_MSIL2A_20230601T100000_R079_T33TWL_20230601T120000",
            "sentinel-2-l2a",
        )
    )
    assert names(info) == {"B04": "red", "B8A": "nir08", "SCL": "scl"}
    assert info.product.platform == "sentinel-2b"
    assert info.product.sun_elevation == 60.0
    assert radiometry(info, "red").add == pytest.approx(-0.1)


def test_copernicus_data_space():
    def asset(key, size, **more):
        return {
            "href": f"s3://eodata/{key}.jp2",
            "type": "image/jp2",
            "proj:code": "EPSG:32633",
            "proj:shape": [109800 // size, 109800 // size],
            "proj:transform": [size, 0, 499980, 0, -size, 5100000],
            **more,
        }

    band = {
        "bands": [{"name": "B02", "eo:common_name": "blue"}],
        "raster:scale": 0.0001,
        "raster:offset": -0.1,
    }
    info = from_item(
        item(
            {
                "datetime": "2024-06-01T10:00:00Z",
                "platform": "sentinel-2a",
                "processing:version": "05.10",
                "product:type": "S2MSI2A",
            },
            {
                "B02_20m": asset("B02_20m", 20, **band),
                "B02_10m": asset("B02_10m", 10, **band, nodata=0),
                "SCL_20m": asset("SCL_20m", 20),
                "TCI_10m": asset("TCI_10m", 10, roles=["visual"]),
            },
            "S2A_MSIL2A_20240601T100000_N0510_R079_T33TWL_20240601T120000",
            "sentinel-2-l2a",
        )
    )
    assert names(info) == {"B02_10m": "blue", "SCL_20m": "scl"}
    assert info.assets[0].path == "s3://eodata/B02_10m.jp2"
    assert info.product.crs == "EPSG:32633"
    assert radiometry(info, "blue").said_by == "baseline 05.10"


def test_planetary_computer_landsat():
    red = {"raster:bands": [{"nodata": 0, "scale": 2.75e-05, "offset": -0.2}]}
    info = from_item(
        item(
            {
                "datetime": "2021-06-01T10:00:00Z",
                "platform": "landsat-8",
                "instruments": ["oli", "tirs"],
                "landsat:correction": "L2SP",
                "view:sun_elevation": 50.0,
            },
            {
                "red": {"href": "https://x/a_SR_B4.TIF", "type": TIFF, **red},
                "lwir11": {"href": "https://x/a_ST_B10.TIF", "type": TIFF},
                "qa_pixel": {"href": "https://x/a_QA_PIXEL.TIF", "type": TIFF},
                "cdist": {"href": "https://x/a_ST_CDIST.TIF", "type": TIFF},
            },
            "LC08_L2SP_008059_20210601_02_T1",
            "landsat-c2-l2",
        )
    )
    assert [a.name for a in info.select(None)] == ["red", "lwir11", "qa_pixel"]
    assert info.select(["cdist"])[0].name == "cdist"
    assert info.product.instrument == "oli"
    assert radiometry(info, "red").quantity == "surface_reflectance"
    assert radiometry(info, "lwir11").quantity == "surface_temperature"


def test_sentinel1_rtc():
    info = from_item(
        item(
            {"datetime": "2021-06-01T10:00:00Z", "platform": "SENTINEL-1A"},
            {
                p: {"href": f"https://x/{p}.rtc.tiff", "type": TIFF, "raster:bands": [{"nodata": -32768}]}
                for p in ("vv", "vh")
            },
            collection="sentinel-1-rtc",
        )
    )
    assert names(info) == {"vv": "vv", "vh": "vh"}
    assert info.product.level == "RTC"
    assert radiometry(info, "vv").quantity == "backscatter"


def test_unknown_sensors_keep_colliding_names_apart():
    eo = {"eo:bands": [{"name": "a", "common_name": "rededge"}]}
    assets = {"re1": {"href": "https://x/1.tif", **eo}, "re2": {"href": "https://x/2.tif", **eo}}
    info = from_item(item({"datetime": None, "start_datetime": "2021-06-01T10:00:00+02:00"}, assets))
    assert [a.name for a in info.assets] == ["rededge", "re2"]
    assert info.product.when == "2021-06-01T08:00:00Z"


def test_an_item_over_our_own_outputs_gives_the_tile_back(tmp_path):
    write(tmp_path / "in" / "a.tif", np.stack([dn(40, 50), dn(40, 50, 1)]), names=["red", "nir"])
    tile = open_tile(tmp_path / "in" / "a.tif").assign_attrs(tile_id="T1", platform="sentinel-2a")
    tile["ndvi"] = ((tile.nir - tile.red.astype("f4")) / (tile.nir + tile.red)).astype("f4")
    tile["ndvi"].attrs.update(_FillValue=np.nan, quantity="index", units="1")
    paths = write_tile(tile, tmp_path / "{item_id}_{band}.tif")
    assets = {p.rsplit("_", 1)[1][:-4]: {"href": p, "type": TIFF, "roles": ["data"]} for p in paths}
    found = open_tile(item({"datetime": None, "platform": "sentinel-2a"}, assets, "T1"))
    assert found.identical(tile)
    assert geobox_of(found).crs == UTM33
