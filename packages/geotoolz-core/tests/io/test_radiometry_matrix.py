"""One ground, every baseline, every provider: the same reflectance to the last bit.

Earth Search v1 delivers Level-2A from baseline 04.00 on with the offset taken out (its items still declare
one), Level-1C as it is; the Planetary Computer delivers both radiometries as they are, Level-2A alone.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from geotoolz.core.testing import write_safe
from geotoolz.io import open_tile

SCENE = {"shape": (60, 60), "seed": 8, "cloud_cover": 0.4, "nodata_edge": True}
BASELINES = ("02.14", "03.01", "04.00", "05.09", "05.11")
BANDS = {
    "blue": "B02", "green": "B03", "red": "B04", "rededge071": "B05", "rededge075": "B06",
    "rededge078": "B07", "nir": "B08", "nir08": "B8A", "nir09": "B09", "swir16": "B11", "swir22": "B12",
}  # fmt: skip
EARTH_SEARCH = {
    **{name: name for name in BANDS},
    "rededge071": "rededge1",
    "rededge075": "rededge2",
    "rededge078": "rededge3",
}
CELLS = [
    (level, source)
    for level in ("L2A", "L1C")
    for source in ("SAFE", "SAFE.zip", "Earth Search", "Planetary Computer")
    if (level, source) != ("L1C", "Planetary Computer")  # which has no Level-1C
]


@pytest.fixture(scope="module")
def safes(tmp_path_factory) -> dict[tuple[str, str], Path]:
    folder = tmp_path_factory.mktemp("matrix")
    return {
        (level, baseline): write_safe(SCENE, folder, level=level, baseline=baseline)
        for level in ("L2A", "L1C")
        for baseline in BASELINES
    }


@pytest.fixture(scope="module")
def ground(safes) -> dict[str, dict[str, np.ndarray]]:
    """DN without an offset, by hand: reflectance is DN / 10000, 0 is a gap."""
    found: dict[str, dict[str, np.ndarray]] = {}
    for level in ("L2A", "L1C"):
        found[level] = {}
        for name, band in BANDS.items():
            with rasterio.open(finest(safes[level, "02.14"], band)) as raster:
                dn = raster.read(1)
            found[level][name] = np.where(dn == 0, np.nan, dn / 10_000).astype(np.float32)
    return found


def finest(safe: Path, band: str) -> Path:
    return sorted(safe.glob(f"GRANULE/*/IMG_DATA/**/*_{band}*.jp2"))[0]


def opened(safe: Path, level: str, baseline: str, source: str, name: str) -> Any:
    """Read one band at its own pixels."""
    if source == "SAFE":
        return open_tile(safe, [name])
    if source == "SAFE.zip":
        zipped = safe.with_name(f"{safe.name}.zip")
        if not zipped.exists():
            shutil.make_archive(str(safe), "zip", safe.parent, safe.name)
        return open_tile(zipped, [name])
    return open_tile(item(safe, level, baseline, source), [name])


def item(safe: Path, level: str, baseline: str, source: str) -> dict[str, Any]:
    """Return the provider's item over GeoTIFFs with the provider's DN."""
    shifted = float(baseline) >= 4
    taken_out = source == "Earth Search" and level == "L2A" and shifted
    folder = safe.parent / source / safe.stem
    folder.mkdir(parents=True, exist_ok=True)
    assets = {}
    for name, band in BANDS.items():
        path = folder / f"{band}.tif"
        with rasterio.open(finest(safe, band)) as raster:
            dn = raster.read(1)
            profile = {**raster.profile, "driver": "GTiff", "nodata": 0, "tiled": False}
        profile = {
            key: profile[key]
            for key in ("driver", "dtype", "count", "height", "width", "crs", "transform", "nodata")
        }
        with rasterio.open(path, "w", **profile) as raster:
            raster.write(np.where(dn == 0, 0, dn - (1000 if taken_out else 0)).astype("uint16"), 1)
        key = EARTH_SEARCH[name] if source == "Earth Search" else band
        assets[key] = {"href": str(path), "type": "image/tiff; application=geotiff", "roles": ["data"]}
        if source == "Earth Search":
            declared = {"scale": 0.0001, "offset": -0.1 if shifted else 0, "nodata": 0}
            assets[key]["raster:bands"] = [declared]
    properties = {"datetime": "2023-06-18T10:00:31.024Z", "platform": "sentinel-2a"}
    properties |= {"s2:processing_baseline": baseline, "s2:product_uri": safe.name}
    if source == "Earth Search":
        properties |= {"earthsearch:boa_offset_applied": taken_out, "s2:product_type": f"S2MSI{level[1:]}"}
        collection, name = f"sentinel-2-{level.lower()}", f"S2A_33TWL_20230618_0_{level}"
    else:
        collection, name = "sentinel-2-l2a", safe.stem.replace(f"_N{baseline.replace('.', '')}", "")
    return {
        "type": "Feature", "stac_version": "1.0.0", "id": name, "collection": collection, "geometry": None,
        "bbox": [15, 45, 16, 46], "properties": properties, "links": [], "assets": assets,
    }  # fmt: skip


@pytest.mark.parametrize("baseline", BASELINES)
@pytest.mark.parametrize(("level", "source"), CELLS)
def test_the_same_ground_is_the_same_reflectance(safes, ground, level, source, baseline):
    for name in ("red", "nir", "nir08", "swir22", "nir09"):
        ds = opened(safes[level, baseline], level, baseline, source, name)
        assert ds[name].dtype == np.float32
        np.testing.assert_array_equal(ds[name].values, ground[level][name])
        wanted = "surface_reflectance" if level == "L2A" else "toa_reflectance"
        assert ds[name].attrs["quantity"] == wanted
        assert np.isnan(ds[name]).any()
        assert not np.isnan(ds[name]).all()


def test_the_digital_numbers_differ(safes):
    """The matrix would hold of itself if the simulation ignored the baseline."""
    old, new = (
        open_tile(safes["L2A", baseline], ["red"], raw=True).red.values.astype(int)
        for baseline in ("03.01", "04.00")
    )
    np.testing.assert_array_equal(new - old, np.where(old == 0, 0, 1000))


def test_every_digital_number_has_one_reflectance_with_and_without_offset():
    """All 64536 numbers that the offset can be added to, through the code that reads."""
    from geotoolz.io._bands import TABLES
    from geotoolz.io._product import Product
    from geotoolz.io._radiometry import Declared, decide

    band = TABLES["sentinel-2"]["red"]
    facts = {"platform": "sentinel-2a", "level": "L2A"}
    old = decide(Product(**facts, baseline="03.01"), band, Declared())
    new = decide(Product(**facts, baseline="05.09"), band, Declared())
    dn = np.arange(1, 64536, dtype=np.uint16)
    np.testing.assert_array_equal(old.values(dn), new.values(dn + np.uint16(1000)))
