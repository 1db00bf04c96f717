"""Files that begin with their southern row are read, and so written, with the northern row first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox

from geotoolz._cli import main
from geotoolz.catalog import GeoCatalog
from geotoolz.core import geobox_of, tile_from_arrays
from geotoolz.core.testing import simulate_scene
from geotoolz.io import describe, open_scene, open_tile, stream, write_tile
from geotoolz.radiometry import BoxMean

SHAPE = (14, 17)
NORTH = GeoBox(SHAPE, Affine(20, 0, 500_000, 0, -20, 5_000_000), "EPSG:32633")


def values() -> np.ndarray[Any, Any]:
    """Return pixels as they lie on the ground, the northern row first."""
    return np.random.default_rng(3).random(SHAPE, np.float32)


def store(path: Path, pixels: np.ndarray[Any, Any]) -> Path:
    """Write a store whose y ascends."""
    pytest.importorskip("h5netcdf" if path.suffix == ".nc" else "zarr")
    tile = tile_from_arrays({"red": pixels}, NORTH)
    south = xr.Dataset(
        {"red": (("y", "x"), pixels[::-1], {"grid_mapping": "spatial_ref"})},
        coords={"y": tile.y.values[::-1], "x": tile.x.values},
    )
    attrs = {k: v for k, v in tile.spatial_ref.attrs.items() if k != "GeoTransform"}
    south = south.assign_coords(spatial_ref=((), 0, attrs))
    if path.suffix == ".zarr":
        south.to_zarr(path, zarr_format=3, consolidated=False)
    else:
        south.to_netcdf(path, engine="h5netcdf")
    return path


def raster(path: Path, pixels: np.ndarray[Any, Any]) -> Path:
    """Write a GeoTIFF of two bands whose rows go north."""
    box = NORTH.boundingbox
    profile = {"driver": "GTiff", "height": SHAPE[0], "width": SHAPE[1], "count": 2, "dtype": "float32"}
    turned = Affine(20, 0, box.left, 0, 20, box.bottom)
    with rasterio.open(path, "w", **profile, crs="EPSG:32633", transform=turned) as file:
        file.write(pixels[::-1], 1)
        file.write(2 * pixels[::-1], 2)
        file.descriptions = ("red", "nir")
    return path


@pytest.fixture(params=["south.nc", "south.zarr", "south.tif"])
def south(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A file of every kind, with one ground."""
    make = raster if request.param.endswith(".tif") else store
    return make(tmp_path / request.param, values())


def test_the_tile_is_north_up(south: Path) -> None:
    tile = open_tile(south)
    assert geobox_of(tile) == describe(south).geobox == NORTH
    assert (np.diff(tile.y) < 0).all()
    np.testing.assert_array_equal(tile.red.values, values())
    assert tile.red.values.flags.c_contiguous


def test_windows_areas_and_pixel_sizes(south: Path) -> None:
    scene = open_scene(south)
    window = scene.arrays(["red"], slice(2, 9), slice(3, 12))["red"]
    np.testing.assert_array_equal(window, values()[2:9, 3:12])
    part = open_tile(south, ["red"], aoi=NORTH[1:5, 2:10])
    np.testing.assert_array_equal(part.red.values, values()[1:5, 2:10])
    coarse = open_tile(south, ["red"], resolution=40.0)
    wanted = values()[:, :16].reshape(7, 2, 8, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(coarse.red.values[:, :8], wanted, rtol=1e-6)
    beyond = GeoBox((20, 20), Affine(20, 0, 500_000 - 40, 0, -20, 5_000_000 + 60), "EPSG:32633")
    moved = open_tile(south, ["red"], geobox=beyond).red.values
    np.testing.assert_array_equal(moved[3:17, 2:19], values())
    assert np.isnan(moved[:3]).all() and np.isnan(moved[17:]).all()


def test_what_is_written_is_north_up(south: Path, tmp_path: Path) -> None:
    (path,) = write_tile(open_tile(south, ["red"]), tmp_path / "out.tif")
    with rasterio.open(path) as file:
        assert file.transform == NORTH.affine
        np.testing.assert_array_equal(file.read(1), values())
    if south.suffix != ".tif":  # cubes are not streamed
        return
    stream(BoxMean(1, ("red",)), open_scene(south, ["red"]), tmp_path / "stream.tif", window=(5, 6))
    wanted = BoxMean(1, ("red",))(open_tile(south, ["red"]))
    np.testing.assert_array_equal(open_tile(tmp_path / "stream.tif").red, wanted.red)


def test_on_the_command_line(south: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "_target_: geotoolz.radiometry.BoxMean\nradius: 0\nbands: [red]\n"
    (tmp_path / "p.yaml").write_text(text, "utf-8")
    assert main(["run", str(tmp_path / "p.yaml"), str(south), str(tmp_path / "out"), "-q"]) == 0
    (path,) = (tmp_path / "out").glob("*.tif")
    with rasterio.open(path) as file:
        assert file.transform.e < 0
        np.testing.assert_array_equal(file.read(1), values())


def test_catalogs_stack_them(south: Path) -> None:
    catalog = GeoCatalog.build(south).assign(season="dry")
    (row,) = catalog.iter_rows()
    part = catalog.slice_of(row)
    assert part.geobox == NORTH
    np.testing.assert_array_equal(part.load(["red"]).red.values, values())


def test_a_mirrored_tile_comes_back_as_it_was(tmp_path: Path) -> None:
    """What geotoolz wrote upside down was meant so: decision 0017."""
    tile = simulate_scene((12, 10), bands=("red",), cloud_cover=0).isel(y=slice(None, None, -1))
    (path,) = write_tile(tile, tmp_path / "mirrored.tif")
    again = open_tile(path)
    np.testing.assert_array_equal(again.y, tile.y)
    np.testing.assert_array_equal(again.red, tile.red)
