"""The law, on maps: a tile has the bits of that window of the whole scene, run and reprojected at once."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
import rasterio
from PIL import Image

from geotoolz.core import Sequential, to_config
from geotoolz.core.testing import data_path, simulate_scene
from geotoolz.grid import Reproject
from geotoolz.io import open_tile, write_tile
from geotoolz.radiometry import BandMath, BoxMean
from geotoolz.serve import _render_grid
from geotoolz.serve._blocks import BlockCache
from geotoolz.serve._layer import Layer
from geotoolz.serve._registry import Registry
from geotoolz.serve._render import drawn
from geotoolz.serve._render_grid import resolution
from geotoolz.serve._settings import LayerSettings, load_settings
from geotoolz.viz import Colormap

pytestmark = pytest.mark.filterwarnings("ignore::geotoolz.io.MetadataWarning")

# a neighbourhood, an index, another neighbourhood: a tile needs a halo of five pixels
PIPELINE = Sequential(
    [
        BoxMean(2, ("red", "nir")),
        BandMath({"ndvi": "(nir - red) / (nir + red)"}),
        BoxMean(3, ("ndvi",)),
    ]
)


def open_layer(source, op=PIPELINE, **settings):
    config = (
        {"pipelines": [], "layers": []}
        if op is None
        else {"pipelines": [{"name": "p", "config": to_config(op)}]}
    )
    registry = Registry.open(load_settings(config))
    one = LayerSettings(name="x", source=str(source), pipeline=None if op is None else "p", **settings)
    return Layer.open(one, registry.pipelines.get("p"), BlockCache(16 << 20))


def tiles_of(layer, z):
    """Yield all tiles of a zoom level."""
    grid = layer.content.zoom_target(z)
    first = layer.tile_target(z, 0, 0).extent
    rows = range(-first.y0 // 256, (int(grid.shape[0]) - first.y0 - 1) // 256 + 1)
    cols = range(-first.x0 // 256, (int(grid.shape[1]) - first.x0 - 1) // 256 + 1)
    for y in rows:
        for x in cols:
            yield x, y


def whole_of(layer, z, name):
    """Put the tiles of a zoom level together, on the lattice of the level."""
    shape = tuple(map(int, layer.content.zoom_target(z).shape))
    out = None
    for x, y in tiles_of(layer, z):
        target = layer.tile_target(z, x, y)
        found = layer.warped(target)
        e = target.extent
        if found is None:
            continue
        plane = found.arrays[name]
        out = np.full(shape, np.nan if plane.dtype.kind == "f" else 0, plane.dtype) if out is None else out
        y0, y1, x0, x1 = max(e.y0, 0), min(e.y1, shape[0]), max(e.x0, 0), min(e.x1, shape[1])
        out[y0:y1, x0:x1] = plane[y0 - e.y0 : y1 - e.y0, x0 - e.x0 : x1 - e.x0]
    return out


def reprojected(op, tile, z, method, name):
    done = tile if op is None else op(tile)
    return Reproject("EPSG:3857", resolution=resolution(z), method=method)(done[[name]])[name].values


def same(one, other):
    assert one.dtype == other.dtype and one.shape == other.shape
    assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize(("method", "nodes"), [("nearest", 0), ("bilinear", 0), ("bilinear", 1 << 16)])
def test_tiles_at_native_zoom_are_the_reprojected_scene(method, nodes, monkeypatch):
    monkeypatch.setattr(_render_grid, "_KEPT_NODES", nodes)  # per tile, or once for the whole lattice
    scene = data_path("s2_l2a_33TWL_croatia/S2B_33TWL_20230820_0_L2A")
    layer = open_layer(scene, resampling=method)
    z = layer.native_zoom
    expected = reprojected(PIPELINE, open_tile(scene, ["red", "nir"]), z, method, "ndvi")
    same(whole_of(layer, z, "ndvi"), expected)
    assert np.isfinite(expected).mean() > 0.8


@pytest.mark.parametrize("beyond", [1, 2])
def test_tiles_beyond_native_zoom_are_the_reprojected_scene_too(beyond):
    scene = data_path("s2_l2a_33TWL_croatia/S2B_33TWL_20230820_0_L2A")
    layer = open_layer(scene, Sequential([BandMath({"v": "nir - red"})]))
    z = layer.native_zoom + beyond
    target = layer.tile_target(
        z, *next(list(tiles_of(layer, z))[n] for n in [len(list(tiles_of(layer, z))) // 2])
    )
    expected = reprojected(layer.scene.op, open_tile(scene, ["red", "nir"]), z, "bilinear", "v")
    same(layer.warped(target).arrays["v"], np.ascontiguousarray(target.extent.of(expected)))


@pytest.fixture(scope="module")
def cog(tmp_path_factory):
    """Write a scene with overviews, and each of them as a file of its own."""
    folder = tmp_path_factory.mktemp("cog")
    path = folder / "scene.tif"
    write_tile(simulate_scene((1111, 1203), bands=("red", "nir")), path)
    with rasterio.open(path) as raster:
        assert raster.overviews(1)[:2] == [2, 4]
    alone = {}
    for level in (0, 1):
        with rasterio.open(path, OVERVIEW_LEVEL=level) as raster:
            alone[level] = folder / f"overview{level}.tif"
            profile = {**raster.profile, "driver": "GTiff"}
            with rasterio.open(alone[level], "w", **profile) as out:
                out.write(raster.read())
                with rasterio.open(path) as whole:
                    out.update_tags(**whole.tags())
                    for band in whole.indexes:
                        out.update_tags(band, **whole.tags(band))
                        out.set_band_description(band, whole.descriptions[band - 1])
    return path, alone


@pytest.mark.parametrize("level", [0, 1])
def test_tiles_at_an_overview_are_the_pipeline_on_that_overview(cog, level):
    path, alone = cog
    layer = open_layer(path)
    factors = {z: layer.scene.zoom_view(z).stage.level.factor for z in range(8, layer.native_zoom)}
    z = max(z for z, factor in factors.items() if round(factor) == 2 ** (level + 1))
    expected = reprojected(PIPELINE, open_tile(alone[level], ["red", "nir"]), z, "bilinear", "ndvi")
    same(whole_of(layer, z, "ndvi"), expected)


def test_a_picture_has_the_colours_of_the_reprojected_values():
    scene = data_path("s2_l2a_33TWL_croatia/S2B_33TWL_20230820_0_L2A")
    paint = Colormap("ndvi", "RdYlGn", vmin=0.0, vmax=1.0)
    layer = open_layer(scene, Sequential([*PIPELINE, paint]))
    z = layer.native_zoom
    tile = Reproject("EPSG:3857", resolution=resolution(z))(
        PIPELINE(open_tile(scene, ["red", "nir"]))[["ndvi"]]
    )
    done = paint(tile)
    expected = np.stack([done[name].values for name in ("red", "green", "blue", "alpha")], axis=-1)
    shape = expected.shape
    for x, y in list(tiles_of(layer, z))[::3]:
        target = layer.tile_target(z, x, y)
        e = target.extent
        found = layer.warped(target)
        pixels = layer.style.paint(found).pixels()
        y0, y1, x0, x1 = max(e.y0, 0), min(e.y1, shape[0]), max(e.x0, 0), min(e.x1, shape[1])
        inner = pixels[y0 - e.y0 : y1 - e.y0, x0 - e.x0 : x1 - e.x0]
        np.testing.assert_array_equal(inner, expected[y0:y1, x0:x1])
        # and so has the file
        with Image.open(io.BytesIO(drawn(layer, target, "png"))) as picture:
            assert picture.mode == "P"
            shown = np.asarray(picture.convert("RGBA"))
        visible = pixels[..., 3] > 0
        np.testing.assert_array_equal(shown[visible], pixels[visible])
        assert not shown[~visible, 3].any()


def test_a_sharp_tile_is_four_tiles_of_the_next_zoom(cog):
    layer = open_layer(cog[0])
    z = layer.native_zoom - 1
    x, y = list(tiles_of(layer, z))[len(list(tiles_of(layer, z))) // 2]
    sharp = layer.warped(layer.tile_target(z, x, y, 2)).arrays["ndvi"]
    quarters = [
        [layer.warped(layer.tile_target(z + 1, 2 * x + i, 2 * y + j)) for i in (0, 1)] for j in (0, 1)
    ]
    for j in (0, 1):
        for i in (0, 1):
            part = np.ascontiguousarray(sharp[256 * j : 256 * (j + 1), 256 * i : 256 * (i + 1)])
            quarter = quarters[j][i]
            if quarter is None:
                assert np.isnan(part).all()
            else:
                same(part, quarter.arrays["ndvi"])


def test_a_changed_grid_within_the_pipeline_keeps_the_law():
    scene = data_path("s2_l2a_33TWL_croatia/S2B_33TWL_20230820_0_L2A")
    op = Sequential(
        [BandMath({"v": "nir - red"}), Reproject("EPSG:4326", method="nearest"), BoxMean(1, ("v",))]
    )
    layer = open_layer(scene, op)
    z = layer.native_zoom
    expected = reprojected(op, open_tile(scene, ["red", "nir"]), z, "bilinear", "v")
    same(whole_of(layer, z, "v"), expected)


def test_the_cache_of_blocks_changes_no_bit(cog):
    path, _ = cog
    layer = open_layer(path)
    z = layer.native_zoom
    all_tiles = list(tiles_of(layer, z))
    first = {t: layer.warped(layer.tile_target(z, *t)).arrays["ndvi"].tobytes() for t in all_tiles}
    tiny = Layer.open(layer.settings, layer.pipeline, BlockCache(0))
    for t in reversed(all_tiles):
        assert tiny.warped(tiny.tile_target(z, *t)).arrays["ndvi"].tobytes() == first[t]
    assert json.loads(layer._base)[1] == json.loads(tiny._base)[1]


def south_up(folder):
    """Write a raster whose first row lies in the south, with overviews."""
    path = folder / "south_up.tif"
    tile = simulate_scene((900, 700), bands=("red", "nir"))
    profile = {
        "driver": "GTiff", "height": 900, "width": 700, "count": 2, "dtype": "float32", "crs": "EPSG:32633",
        "transform": rasterio.Affine(10, 0, 499980, 0, 10, 5091000), "tiled": True, "nodata": np.nan,
        "blockxsize": 128, "blockysize": 128, "interleave": "pixel",
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as raster:
        for number, name in enumerate(("red", "nir"), start=1):
            raster.write(tile[name].values[::-1], number)
            raster.set_band_description(number, name)
    return path


def in_strips(folder):
    """Write a raster that is stored row by row, and has an odd size."""
    path = folder / "strips.tif"
    tile = simulate_scene((611, 1303), bands=("red", "nir"))
    profile = {
        "driver": "GTiff", "height": 611, "width": 1303, "count": 2, "dtype": "uint16", "crs": "EPSG:32733",
        "transform": rasterio.Affine(10, 0, 499980, 0, -10, 9000000), "nodata": 0, "compress": "deflate",
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as raster:
        for number, name in enumerate(("red", "nir"), start=1):
            values = np.nan_to_num(tile[name].values * 10000)
            raster.write(values.astype(np.uint16), number)
            raster.set_band_description(number, name)
    return path


def in_zarr(folder):
    """Write a Zarr store, which no raster driver reads."""
    pytest.importorskip("zarr", reason="zarr is not installed")
    from geotoolz.io import write_zarr

    path = folder / "scene.zarr"
    write_zarr(simulate_scene((400, 500), bands=("red", "nir")), path)
    return path


@pytest.mark.parametrize("make", [south_up, in_strips, in_zarr])
@pytest.mark.filterwarnings("ignore::geotoolz.io.SuspiciousValuesWarning")
def test_it_holds_for_files_that_are_stored_otherwise(make, tmp_path):
    path = make(tmp_path)
    layer = open_layer(path)
    tile = open_tile(path)
    for z in (layer.native_zoom, layer.native_zoom - 2):
        assert layer.scene.zoom_view(z).stage.level.factor == 1.0  # there are no overviews
        same(whole_of(layer, z, "ndvi"), reprojected(PIPELINE, tile, z, "bilinear", "ndvi"))
