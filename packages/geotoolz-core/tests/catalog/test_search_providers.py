"""Whose items they are stays known: through a search, a saved catalog, and files that were brought here."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import rasterio
from _file_server import serving_files
from _stac_servers import faking, item
from rasterio.transform import from_origin

from geotoolz.catalog import GeoCatalog, acquire, search
from geotoolz.io import close_handles, describe, open_tile
from geotoolz.io._item import from_item
from geotoolz.io._providers import collection_of

pytest.importorskip("pystac_client", reason="pystac-client is not installed")

#: provider: collection, where its items live, asset keys with what they are, DN 1500 as reflectance
PROVIDERS: dict[str, tuple[str, str, dict[str, str], dict[str, Any], float]] = {
    "earth-search": (
        "sentinel-2-l2a",
        "https://earth-search.aws.element84.com/v1/collections/sentinel-2-l2a/items/x",
        {"red": "red", "rededge1": "rededge071", "rededge2": "rededge075", "nir08": "nir08"},
        {"earthsearch:boa_offset_applied": True, "s2:processing_baseline": "05.09"},
        0.15,
    ),
    "planetary-computer": (
        "sentinel-2-l2a",
        "https://planetarycomputer.microsoft.com/api/stac/v1/collections/sentinel-2-l2a/items/x",
        {"B04": "red", "B05": "rededge071", "B06": "rededge075", "B8A": "nir08", "AOT": "aot"},
        {"s2:processing_baseline": "05.09"},
        0.05,
    ),
    "cdse": (
        "sentinel-2-l2a",
        "https://stac.dataspace.copernicus.eu/v1/collections/sentinel-2-l2a/items/x",
        {"B04_10m": "red", "B05_20m": "rededge071", "B06_20m": "rededge075", "B8A_20m": "nir08"},
        {"processing:version": "05.09", "product:type": "S2MSI2A"},
        0.05,
    ),
}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_band_tables_and_offsets_survive_search_save_and_copy(provider: str, tmp_path) -> None:
    collection, home, keys, properties, reflectance = PROVIDERS[provider]
    files = tmp_path / "files"
    files.mkdir()
    profile = {"driver": "GTiff", "count": 1, "dtype": "uint16", "crs": "EPSG:32633", "nodata": 0}
    for key in keys:
        place = from_origin(500_000, 5_000_000, 10, 10)
        size = {"width": 32, "height": 32, "transform": place}
        with rasterio.open(files / f"{key}.tif", "w", **size, **profile) as made:
            made.write(np.full((1, 32, 32), 1500, np.uint16))
    told = {"datetime": "2023-08-10T10:00:00Z", "platform": "sentinel-2a", "instruments": ["msi"]}
    told |= properties
    with serving_files(files) as server:
        # common names collide: three bands of Sentinel-2 are "rededge" everywhere
        assets = {
            key: {"href": f"{server.url}/{key}.tif", "type": "image/tiff", "eo:bands": [{"name": key}]}
            for key in keys
        }
        one = item(
            "S2A_MSIL2A_x", collection, assets=assets, properties=told, links=[{"rel": "self", "href": home}]
        )
        with faking([[one]]) as api:
            found = search(api.url, collection)
        saved = GeoCatalog.open(found.save(tmp_path / "scenes.parquet"))
        here = acquire(saved, tmp_path / "here", bands=list(keys)).catalog
    close_handles()
    for catalog in (found, saved, here):
        (kept,) = catalog.to_items()
        table = collection_of(kept)
        assert table is not None and table.provider == provider
        assert {asset.key: asset.name for asset in from_item(kept).assets} == keys
    (row,) = here.iter_rows()
    assert set(describe(here.source_of(row), list(keys)).variables) == set(keys.values())
    tile = open_tile(here.source_of(row), ["red", "rededge071"])
    np.testing.assert_allclose(tile.red.values, reflectance, rtol=1e-6)
    np.testing.assert_allclose(tile.rededge071.values, reflectance, rtol=1e-6)
