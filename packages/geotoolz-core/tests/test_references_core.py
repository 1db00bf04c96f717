"""What the operators of core, grids, files and labels are compared with."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pyproj
import rasterio.io
import shapely
import zarr
from rasterio import features
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT

from geotoolz.catalog import ReadLabel
from geotoolz.core import geobox_of
from geotoolz.core.testing import Reference, ReferenceSuite, simulate_scene
from geotoolz.grid import Crop, MatchGrid, Reproject, Resample
from geotoolz.io import WriteCOG, WriteZarr


def _memory(shape: tuple[int, int], box: Any) -> dict[str, Any]:
    rows, cols = shape
    place = {"transform": box.affine, "crs": str(box.crs), "height": rows, "width": cols}
    return {"driver": "GTiff", "count": 1, "dtype": "float32", "nodata": np.nan, **place}


def _on(affine: Any, x: Any, y: Any) -> tuple[Any, Any]:
    return affine.a * x + affine.b * y + affine.c, affine.d * x + affine.e * y + affine.f


def bilinear_against_gdal() -> float:
    """GDAL's warper with a transformer that is exact to a millionth of a pixel (its default is 1/8)."""
    scene = simulate_scene((200, 220), bands=("nir",))
    ours = Reproject("EPSG:3857", method="bilinear")(scene)
    source, target = geobox_of(scene), geobox_of(ours)
    rows, cols = map(int, target.shape)
    with rasterio.io.MemoryFile() as memory:
        with memory.open(**_memory((200, 220), source)) as raster:
            raster.write(scene.nir.values, 1)
        with memory.open() as raster, WarpedVRT(
            raster, crs=str(target.crs), transform=target.affine, height=rows, width=cols, nodata=np.nan,
            resampling=Resampling.bilinear, tolerance=1e-6,
        ) as warped:  # fmt: skip
            theirs = warped.read(1)
    off = np.abs(theirs - ours.nir.values)[4:-4, 4:-4]
    return float(np.nanmax(off))


def nearest_against_proj() -> float:
    """Every pixel's centre through PROJ, one by one; what lies within 1/256 pixel of an edge may differ."""
    scene = simulate_scene((120, 130), bands=("red",))
    like = geobox_of(Reproject("EPSG:3857")(scene))
    ours = MatchGrid.like(like, method="nearest")(scene)
    source = geobox_of(scene)
    rows, cols = np.mgrid[: int(like.shape[0]), : int(like.shape[1])] + 0.5
    x, y = _on(like.affine, cols, rows)
    x, y = pyproj.Transformer.from_crs(str(like.crs), str(source.crs), always_xy=True).transform(x, y)
    col, row = _on(~source.affine, x, y)
    inside = (row >= 0) & (col >= 0) & (row < 120) & (col < 130)
    wanted = np.full(row.shape, np.nan, "f4")
    wanted[inside] = scene.red.values[row[inside].astype(int), col[inside].astype(int)]
    near = (np.abs(row - np.round(row)) < 1 / 256) | (np.abs(col - np.round(col)) < 1 / 256)
    same = (ours.red.values == wanted) | (np.isnan(ours.red.values) & np.isnan(wanted))
    return float((~same & ~near).sum())


def average_against_gdal() -> float:
    """GDAL's average of three by three pixels."""
    scene = simulate_scene((90, 120), bands=("red",))
    ours = Resample(factor=3)(scene).red.values
    with rasterio.io.MemoryFile() as memory:
        with memory.open(**_memory((90, 120), geobox_of(scene))) as raster:
            raster.write(scene.red.values, 1)
        with memory.open() as raster:
            theirs = raster.read(1, out_shape=(30, 40), resampling=Resampling.average)
    return float(np.nanmax(np.abs(ours - theirs)))


def crop_against_slices() -> float:
    """The rows and columns counted by hand."""
    scene = simulate_scene((30, 40), bands=("red",))
    x, y = scene.x.values, scene.y.values
    box = (x[5] - 5, y[20] - 5, x[24] + 5, y[8] + 5)  # pixel edges: columns 5…24, rows 8…20
    ours = Crop(tuple(map(float, box)), crs="EPSG:32633")(scene)
    wanted = scene.isel(y=slice(8, 21), x=slice(5, 25))
    return float("inf") if ours.red.shape != wanted.red.shape else float((ours.red != wanted.red).sum())


def labels_against_rasterize() -> float:
    """rasterio.features.rasterize (GDAL) on the whole tile."""
    scene = simulate_scene((60, 70), bands=("red",))
    box = geobox_of(scene)
    left, bottom, right, top = box.boundingbox.bbox
    triangle = shapely.Polygon([(left + 33, bottom + 41), (right - 95, bottom + 77), (left + 250, top - 52)])
    table = gpd.GeoDataFrame({"code": [3]}, geometry=[triangle], crs=str(box.crs))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "fields.gpkg")
        table.to_file(path)
        ours = ReadLabel(str(path), "code")(scene).label.values
    wanted = features.rasterize([(triangle, 3)], (60, 70), fill=255, transform=box.affine)
    return float((ours != wanted).sum())


def cog_against_rasterio() -> float:
    """What rasterio reads back."""
    scene = simulate_scene((64, 80), bands=("red",))
    with tempfile.TemporaryDirectory() as folder:
        (path,) = WriteCOG(f"{folder}/x.tif", ("red",)).write(scene, created=("red",))
        with rasterio.open(path) as raster:
            found, transform = raster.read(1), raster.transform
    same = (found == scene.red.values) | np.isnan(found) & np.isnan(scene.red.values)
    return float((~same).sum()) if transform == geobox_of(scene).affine else float("inf")


def zarr_against_zarr() -> float:
    """What zarr-python reads back."""
    scene = simulate_scene((64, 80), bands=("red",))
    with tempfile.TemporaryDirectory() as folder:
        (path,) = WriteZarr(f"{folder}/x.zarr", ("red",)).write(scene, created=("red",))
        found = zarr.open_group(path, mode="r")["red"][:]
    return float((~((found == scene.red.values) | np.isnan(found) & np.isnan(scene.red.values))).sum())


PASSES = "arranges other operators, computes no pixel"


class TestCore(ReferenceSuite):
    module = "geotoolz.core"
    exempt = {
        "Branch": PASSES,
        "Graph": PASSES,
        "Sequential": PASSES,
        "Switch": PASSES,
        "Merge": "puts variables side by side, computes no pixel",
        "Raise": "always an error",
        "Tap": "shows tiles to a function",
        "FromFunction": "computes what the function computes",
    }


class TestGrid(ReferenceSuite):
    module = "geotoolz.grid"
    references = (
        Reference(Reproject, "GDAL’s warper with an exact transformer, bilinear", bilinear_against_gdal, 5e-3,
                  "reflectance", "grid/test_operators.py::test_errors_say_what_to_do"),
        Reference(MatchGrid, "PROJ for every pixel, nearest, away from pixel edges", nearest_against_proj, 0,
                  "pixels that differ", "grid/test_operators.py::test_errors_say_what_to_do"),
        Reference(Resample, "GDAL’s average", average_against_gdal, 1e-7, "reflectance",
                  "grid/test_operators.py::test_pixel_sizes_in_other_units_are_refused"),
        Reference(Crop, "rows and columns counted by hand", crop_against_slices, 0, "pixels that differ",
                  "grid/test_operators.py::test_errors_say_what_to_do"),
    )  # fmt: skip


class TestIo(ReferenceSuite):
    module = "geotoolz.io"
    references = (
        Reference(WriteCOG, "rasterio reads it back", cog_against_rasterio, 0, "pixels that differ",
                  "io/test_io_write.py::test_what_cannot_be_written_is_refused"),
        Reference(WriteZarr, "zarr-python reads it back", zarr_against_zarr, 0, "pixels that differ",
                  "io/test_stream.py::test_zarr_sink_round_trip"),
    )  # fmt: skip


class TestCatalog(ReferenceSuite):
    module = "geotoolz.catalog"
    references = (
        Reference(ReadLabel, "rasterio.features.rasterize", labels_against_rasterize, 0, "pixels that differ",
                  "catalog/test_label.py::test_errors"),
    )  # fmt: skip
