"""Joined tiles beside GDAL's warper and exact copies."""

from __future__ import annotations

import numpy as np
from affine import Affine
from odc.geo.geobox import GeoBox

from geotoolz.core import geobox_of, tile_from_arrays
from geotoolz.core.testing import Reference, ReferenceSuite
from geotoolz.fusion import AlignAndStack


def smooth_tile(name, box, dtype=np.float32):
    """Return a tile whose values are smooth on the map, so that resampling is a matter of position."""
    height, width = box.shape
    y, x = np.mgrid[:height, :width]
    values = 0.3 + 0.2 * np.sin(x / 9) * np.cos(y / 7) + x / width
    return tile_from_arrays({name: values.astype(dtype)}, box, nodata={name: np.nan})


OPTICAL = GeoBox((90, 100), Affine(10, 0, 600000, 0, -10, 5000000), "EPSG:32632")
RADAR = GeoBox((100, 90), Affine(20, 0, 128000, 0, -20, 5010500), "EPSG:32633")
DEM = GeoBox((60, 70), Affine(0.0005, 0, 10.26, 0, -0.0005, 45.16), "EPSG:4326")


def _gdal(method):
    """Return the largest difference to a warp that transforms every pixel, where both have data."""
    from rasterio.enums import Resampling
    from rasterio.io import MemoryFile
    from rasterio.vrt import WarpedVRT

    optical, dem = smooth_tile("red", OPTICAL), smooth_tile("dem", DEM)
    found = AlignAndStack("optical", method=method)({"optical": optical, "dem": dem}).dem.values
    profile = {"driver": "GTiff", "height": 60, "width": 70, "count": 1, "dtype": "float32", "nodata": np.nan}
    with MemoryFile() as memory:
        with memory.open(**profile, crs="EPSG:4326", transform=DEM.affine) as file:
            file.write(dem.dem.values, 1)
        target = {"crs": "EPSG:32632", "transform": OPTICAL.affine, "height": 90, "width": 100}
        with (
            memory.open() as file,
            WarpedVRT(file, resampling=Resampling[method], tolerance=1e-6, **target) as warped,
        ):
            expected = warped.read(1)
    both = np.isfinite(found) & np.isfinite(expected)
    if both.mean() < 0.5:
        raise ValueError("the comparison has hardly any pixels")
    return float(np.abs(found - expected)[both].max())


def _copied():
    """Return how many pixels of an input on the target grid differ afterwards."""
    tiles = {"optical": smooth_tile("red", OPTICAL), "radar": smooth_tile("vv", RADAR)}
    out = AlignAndStack("optical")(tiles)
    assert geobox_of(out) == OPTICAL
    return float((out.red.values != tiles["optical"].red.values).sum())


class TestFusion(ReferenceSuite):
    module = "geotoolz.fusion"
    references = (
        Reference(AlignAndStack, "rasterio's WarpedVRT, bilinear, every pixel transformed",
                  lambda: _gdal("bilinear"), 1e-5, "1", bad_input="test_fusion.py::test_unknown_names"),
        Reference(AlignAndStack, "rasterio's WarpedVRT, cubic, every pixel transformed",
                  lambda: _gdal("cubic"), 1e-5, "1",
                  bad_input="test_fusion.py::test_inputs_that_do_not_touch"),
        Reference(AlignAndStack, "the pixels of the input whose grid is the target", _copied, 0,
                  "pixels that differ", bad_input="test_fusion.py::test_colliding_names"),
    )  # fmt: skip
