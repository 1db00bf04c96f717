"""What the operators of geotoolz.vector are compared with."""

from __future__ import annotations

import numpy as np
import rasterio.io
import rasterio.mask
import shapely
from shapely.geometry import Polygon

from geotoolz.core import geobox_of
from geotoolz.core.testing import Reference, ReferenceSuite, simulate_scene
from geotoolz.io import Area
from geotoolz.vector import ClipToArea, MaskArea


def _star(tile, points=9):
    """A star with corners that lie on no pixel's centre."""
    left, bottom, right, top = geobox_of(tile).boundingbox.bbox
    turn = np.linspace(0, 2 * np.pi, 2 * points, endpoint=False) + 0.1234
    radius = np.where(np.arange(2 * points) % 2, 0.21, 0.47)
    x = (left + right) / 2 + radius * (right - left) * np.cos(turn)
    y = (bottom + top) / 2 + radius * (top - bottom) * np.sin(turn)
    return Polygon(np.column_stack([x, y]))


def mask_against_shapely() -> float:
    """Every pixel's centre, asked one by one."""
    tile = simulate_scene((120, 130), bands=("red",), cloud_cover=0)
    star = _star(tile)
    wanted = shapely.contains_xy(star, *np.meshgrid(tile.x.values, tile.y.values))
    found = MaskArea(Area.of(star, crs=32633))(tile).red.notnull().values
    return float((found != wanted).sum())


def clip_against_rasterio() -> float:
    """rasterio.mask with crop and all_touched."""
    tile = simulate_scene((120, 130), bands=("red",), cloud_cover=0)
    star, grid = _star(tile), geobox_of(tile)
    profile = {"driver": "GTiff", "count": 1, "dtype": "float32", "height": 120, "width": 130}
    place = {"transform": grid.affine, "crs": "EPSG:32633", "nodata": np.nan}
    with rasterio.io.MemoryFile() as memory:
        with memory.open(**profile, **place) as raster:
            raster.write(tile.red.values, 1)
        with memory.open() as raster:
            wanted, transform = rasterio.mask.mask(raster, [star], crop=True, all_touched=True)
    found = ClipToArea(Area.of(star, crs=32633), all_touched=True)(tile)
    if found.red.shape != wanted.shape[1:] or geobox_of(found).affine != transform:
        return float("inf")
    return float(
        (~((found.red.values == wanted[0]) | np.isnan(found.red.values) & np.isnan(wanted[0]))).sum()
    )


class TestVector(ReferenceSuite):
    module = "geotoolz.vector"
    references = (
        Reference(MaskArea, "shapely.contains_xy for every pixel’s centre", mask_against_shapely, 0,
                  "pixels that differ", "test_clip.py::test_what_is_refused"),
        Reference(ClipToArea, "rasterio.mask.mask", clip_against_rasterio, 0, "pixels that differ",
                  "test_clip.py::test_what_is_refused"),
    )  # fmt: skip
