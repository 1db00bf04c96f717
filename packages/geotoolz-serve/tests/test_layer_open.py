"""What a layer is, and what is refused when it is opened."""

from __future__ import annotations

import os
import threading

import numpy as np
import pytest
import rasterio
from affine import Affine

from geotoolz.core import (
    ExecutorError,
    NotFrozenError,
    ParameterError,
    ReadError,
    Sequential,
    freeze,
    geobox_of,
    tile_from_arrays,
    to_config,
)
from geotoolz.core.testing import data_path, simulate_scene
from geotoolz.io import WriteCOG, write_tile
from geotoolz.radiometry import BandMath, MinMax, RenameBands, SelectBands
from geotoolz.serve import _render_scene
from geotoolz.serve._blocks import BlockCache
from geotoolz.serve._layer import Layer
from geotoolz.serve._registry import Registry
from geotoolz.serve._settings import LayerSettings, load_settings
from geotoolz.viz import CategoricalColormap, Colormap, FalseColor, TrueColor

pytestmark = pytest.mark.filterwarnings("ignore::geotoolz.io.MetadataWarning")
NDVI = BandMath({"ndvi": "(nir - red) / (nir + red)"})


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    path = tmp_path_factory.mktemp("scene") / "scene.tif"
    write_tile(simulate_scene((700, 800), bands=("blue", "green", "red", "nir", "swir16")), path)
    return path


def open_layer(source, op=None, cache=None, **settings):
    pipelines = [] if op is None else [{"name": "p", "config": to_config(op)}]
    registry = Registry.open(load_settings({"pipelines": pipelines}))
    one = LayerSettings(name="x", source=str(source), pipeline=None if op is None else "p", **settings)
    return Layer.open(one, registry.pipelines.get("p"), cache or BlockCache(16 << 20))


def middle(layer, zoom=None):
    """Return the tile in the middle of a layer."""
    z = layer.native_zoom if zoom is None else zoom
    grid, first = layer.content.zoom_target(z), layer.tile_target(z, 0, 0).extent
    return z, (int(grid.shape[1]) // 2 - first.x0) // 256, (int(grid.shape[0]) // 2 - first.y0) // 256


def test_a_step_that_is_not_frozen_is_refused_by_name(scene):
    for op in (Sequential([NDVI, MinMax(("ndvi",))]), Sequential([NDVI, Colormap("ndvi")])):
        with pytest.raises(NotFrozenError, match=r"MinMax|Colormap"):
            open_layer(scene, op)
    with pytest.raises(NotFrozenError, match="MinMax"):  # per tile is no limit that tiles share
        open_layer(scene, Sequential([NDVI, MinMax(("ndvi",), scope="tile")]))


def test_a_frozen_one_is_shown(scene):
    op = freeze(
        Sequential([NDVI, MinMax(("ndvi",), clip=True)]), simulate_scene((64, 64), bands=("red", "nir"))
    )
    layer = open_layer(scene, op, rescale=(0.0, 1.0))
    values = layer.warped(layer.tile_target(*middle(layer))).arrays["ndvi"]
    assert 0 <= np.nanmin(values) < np.nanmax(values) <= 1


def test_a_sink_at_the_end_is_left_out(scene, tmp_path):
    layer = open_layer(scene, Sequential([NDVI, WriteCOG(str(tmp_path / "{item_id}.tif"))]))
    assert layer.warped(layer.tile_target(*middle(layer))) is not None
    assert layer.steps == ["BandMath"] and not list(tmp_path.iterdir())


def test_only_the_bands_that_lead_to_the_picture_are_read(scene):
    cache = BlockCache(64 << 20)
    layer = open_layer(scene, Sequential([BandMath({"double": "swir16 * 2"}), NDVI]), cache, bands=["ndvi"])
    layer.warped(layer.tile_target(*middle(layer)))
    with rasterio.open(scene) as raster:
        names = dict(zip(raster.indexes, raster.descriptions, strict=True))
    assert {names[index] for _, index, _ in cache._kept} == {"red", "nir"}


def test_the_cache_of_blocks_is_bounded_and_read_once(scene):
    cache = BlockCache(3 * 512 * 512 * 4)
    layer = open_layer(scene, NDVI, cache)
    target = layer.tile_target(*middle(layer))
    threads = [threading.Thread(target=layer.warped, args=(target,)) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    z = layer.native_zoom
    for x in range(4):
        for y in range(4):
            layer.warped(layer.tile_target(z, middle(layer)[1] - 2 + x, middle(layer)[2] - 2 + y))
            assert cache.bytes == sum(block.nbytes for block in cache._kept.values()) <= cache.max_bytes


def test_whole_rows_of_a_large_scene_are_refused_by_name(scene, monkeypatch):
    from geotoolz.core import ALL, Footprint
    from geotoolz.radiometry import BoxMean

    monkeypatch.setattr(BoxMean, "plan", _looking_along_rows(BoxMean.plan, Footprint(y=0, x=ALL)))
    op = Sequential([BoxMean(1, ("red",))])
    assert open_layer(scene, op).native_zoom > 0
    monkeypatch.setattr(_render_scene, "MOST_SOURCE_PIXELS", 1000)
    with pytest.raises(ExecutorError, match="looks at whole rows"):
        open_layer(scene, op)


def _looking_along_rows(plan, footprint):
    from dataclasses import replace

    def changed(self, tile):
        found = plan(self, tile)
        calls = tuple(replace(call, footprint=footprint) for call in found.calls)
        return replace(found, footprint=footprint, calls=calls)

    return changed


def test_a_scene_without_overviews_is_shown_from_a_zoom_level_that_can_be_afforded(tmp_path, monkeypatch):
    path = tmp_path / "flat.tif"
    profile = {
        "driver": "GTiff", "height": 600, "width": 600, "count": 1, "dtype": "uint16", "crs": "EPSG:32633",
        "transform": Affine(10, 0, 500000, 0, -10, 5000000), "tiled": True, "blockxsize": 256,
        "blockysize": 256,
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as raster:
        raster.write(np.arange(360000, dtype=np.uint16).reshape(1, 600, 600))
    assert open_layer(path, rescale=(0, 65535)).min_zoom == 0
    monkeypatch.setattr(_render_scene, "MOST_SOURCE_PIXELS", 600 * 300)
    layer = open_layer(path, rescale=(0, 65535))
    assert 0 < layer.min_zoom <= layer.native_zoom
    layer.warped(layer.tile_target(*middle(layer, layer.min_zoom)))  # can be drawn
    with pytest.raises(ExecutorError, match="would be read"):
        layer.warped(layer.preview_target(16))
    assert not layer.has_tile(0, 0, 0)


# ---- colours -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("op", "settings", "kind", "bands"),
    [
        (None, {}, "composite", ("red", "green", "blue")),
        (NDVI, {}, "ramp", ("ndvi",)),
        (NDVI, {"bands": ["nir"]}, "ramp", ("nir",)),
        (None, {"bands": ["nir", "red", "green"]}, "composite", ("nir", "red", "green")),
        (Sequential([NDVI, Colormap("ndvi", vmin=0, vmax=1)]), {}, "ramp", ("ndvi",)),
        (
            Sequential([NDVI, Sequential([Colormap("ndvi", vmin=0, vmax=1, rgba=False)])]),
            {},
            "ramp",
            ("ndvi",),
        ),
        (TrueColor(), {}, "composite", ("red", "green", "blue")),
        (FalseColor(), {}, "composite", ("nir", "red", "green")),
        (SelectBands(("nir",)), {}, "ramp", ("nir",)),
    ],
)
def test_what_is_drawn(scene, op, settings, kind, bands):
    layer = open_layer(scene, op, **settings)
    assert (layer.style.kind, layer.style.bands) == (kind, bands)
    painted = layer.style.paint(layer.warped(layer.tile_target(*middle(layer)))).pixels()
    assert painted.shape == (256, 256, 4) and painted[..., 3].any()
    assert len(np.unique(painted[..., 0])) > 1
    assert layer.style.legend.to_dict()["title"]


def test_a_colouring_step_is_the_picture_of_the_pipeline(scene):
    """Nearest pixels: the step's own picture, reprojected."""
    op = Sequential([TrueColor(gamma=1.4)])
    layer = open_layer(scene, op, resampling="nearest")
    target = layer.tile_target(*middle(layer))
    pixels = layer.style.paint(layer.warped(target)).pixels()
    from geotoolz.grid import Reproject
    from geotoolz.io import open_tile
    from geotoolz.serve._render_grid import resolution

    planes = ["red", "green", "blue", "alpha"]
    size = resolution(layer.native_zoom)
    web = Reproject("EPSG:3857", resolution=size, method="nearest", fill=dict.fromkeys(planes, 0))
    picture = op(open_tile(scene))[planes]
    expected = web(picture)
    inner = target.extent.clipped(expected.red.shape)
    assert inner == target.extent
    for channel, name in enumerate(("red", "green", "blue", "alpha")):
        np.testing.assert_array_equal(pixels[..., channel], target.extent.of(expected[name].values))


def test_bands_without_names_are_named_in_the_pipeline(tmp_path):
    path, values = tmp_path / "bare.tif", np.full((4, 32, 32), 0.2, "float32")
    values[3] = 0.6
    place = Affine(10, 0, 500_000, 0, -10, 5_100_000)
    shape = {"width": 32, "height": 32, "count": 4, "dtype": "float32"}
    with rasterio.open(path, "w", driver="GTiff", crs="EPSG:32633", transform=place, **shape) as bare:
        bare.write(values)
    recipe = {"_target_": "geotoolz.indices.NDVI", "red": "band_3", "nir": "band_4"}  # as the README has it
    settings = {
        "pipelines": [{"name": "ndvi", "config": recipe}],
        "layers": [{"name": "ndvi", "source": str(path), "pipeline": "ndvi"}],
    }
    layer = Registry.open(load_settings(settings)).layers["ndvi"]
    found = layer.warped(layer.native_target((500_000, 5_099_900, 500_100, 5_100_000), "EPSG:32633", 64))
    np.testing.assert_allclose(found.arrays["ndvi"], np.full((10, 10), 0.5), rtol=1e-6)


def test_limits_that_nobody_gives_are_percentiles_of_the_coarsest_level():
    layer = open_layer(data_path("cogs_for_tile_server/cog.tif"))
    low, high = layer.style.legend.vmin, layer.style.legend.vmax
    with rasterio.open(data_path("cogs_for_tile_server/cog.tif"), OVERVIEW_LEVEL=1) as raster:
        values = raster.read(1)
    assert (low, high) == pytest.approx(np.percentile(values, [2, 98]), rel=1e-6)


def test_limits_and_colours_of_the_settings(scene):
    layer = open_layer(scene, NDVI, rescale=(-0.5, 0.5), colormap="magma")
    assert (layer.style.legend.vmin, layer.style.legend.vmax) == (-0.5, 0.5)
    three = open_layer(scene, bands=["nir", "red", "green"], rescale=[(0, 0.5), (0, 0.3), (0, 0.2)])
    assert three.style.args[1:3] == ((0, 0, 0), (0.5, 0.3, 0.2))


@pytest.mark.parametrize(
    "settings",
    [
        {"rescale": (1.0, 0.0)},
        {"rescale": [(0.0, 1.0), (0.0, 1.0)]},
        {"bands": ["red", "nir"]},
        {"colormap": "nope", "bands": ["red"]},
        {"time": "2023"},
    ],
)
def test_settings_that_cannot_be(scene, settings):
    with pytest.raises(ParameterError):
        open_layer(scene, **settings)


def test_classes_keep_their_colours_and_are_never_mixed():
    source = data_path("s2_l2a_33TWL_croatia/S2B_33TWL_20230820_0_L2A")
    layer = open_layer(source, bands=["scl"], resampling="bilinear")
    assert layer.style.kind == "classes"
    z, x, y = middle(layer, layer.native_zoom + 2)
    found = layer.warped(layer.tile_target(z, x, y))
    assert set(np.unique(found.arrays["scl"])) <= set(range(13))
    colours = {entry["color"] for entry in layer.style.legend.to_dict()["classes"]}
    shown = {
        "#" + bytes(pixel[:3]).hex() for pixel in layer.style.paint(found).pixels().reshape(-1, 4) if pixel[3]
    }
    assert shown <= colours
    own = open_layer(
        source, Sequential([CategoricalColormap("scl", {4: ("green", "#00ff00")}, "transparent")])
    )
    painted = own.style.paint(own.warped(own.tile_target(*middle(own)))).pixels()
    assert {tuple(pixel) for pixel in painted.reshape(-1, 4).tolist()} == {(0, 255, 0, 255), (0, 0, 0, 0)}


def test_a_band_without_a_no_data_value_is_transparent_beyond_the_scene():
    layer = open_layer(data_path("cogs_for_tile_server/cog.tif"))
    z = layer.native_zoom - 3
    found = layer.warped(layer.tile_target(*middle(layer, z)))
    alpha = layer.style.paint(found).pixels()[..., 3]
    assert found.inside is not None and not alpha[~found.inside].any() and alpha[found.inside].all()


# ---- names of answers --------------------------------------------------------------------------------------


def test_the_etag_follows_settings_pipeline_and_source(scene, tmp_path):
    copy = tmp_path / "copy.tif"
    copy.write_bytes(scene.read_bytes())
    one = open_layer(copy, NDVI)
    assert one.etag("tile", 1, 2, 3) == open_layer(copy, NDVI).etag("tile", 1, 2, 3)
    others = {
        one.etag("tile", 1, 2, 3),
        one.etag("tile", 1, 2, 4),
        open_layer(copy, NDVI, colormap="magma").etag("tile", 1, 2, 3),
        open_layer(copy, BandMath({"ndvi": "nir - red"})).etag("tile", 1, 2, 3),
    }
    os.utime(copy, ns=(1, 1))
    others.add(open_layer(copy, NDVI).etag("tile", 1, 2, 3))
    assert len(others) == 5


def test_a_file_that_was_replaced_is_not_mixed_with_the_old_one(scene, tmp_path):
    copy = tmp_path / "copy.tif"
    copy.write_bytes(scene.read_bytes())
    layer = open_layer(copy, NDVI, BlockCache(0))
    target = layer.tile_target(*middle(layer))
    before = layer.warped(target).arrays["ndvi"]
    other = tmp_path / "other.tif"
    write_tile(simulate_scene((700, 800), bands=("red", "nir"), seed=5), other)
    other.replace(copy)
    np.testing.assert_array_equal(layer.warped(target).arrays["ndvi"], before)  # this thread's handle
    raised = []

    def elsewhere():
        try:
            layer.warped(target)
        except ReadError as error:
            raised.append(error)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert "another file" in str(raised[0])


def test_bands_of_different_size_lie_on_the_finest_grid(tmp_path):
    fine = simulate_scene((512, 512), bands=("red",))
    folder = tmp_path / "scene"
    folder.mkdir()
    write_tile(fine, folder / "red.tif")
    nir = simulate_scene((512, 512), bands=("nir",)).nir
    coarse = {"nir": nir.values[::2, ::2]}
    grid, about = geobox_of(fine).zoom_out(2), {"nir": nir.attrs}
    write_tile(tile_from_arrays(coarse, grid, attrs=fine.attrs, var_attrs=about), folder / "nir.tif")
    layer = open_layer(folder, NDVI)
    assert [round(stage.level.factor) for stage in layer.scene.stages][:1] == [1]
    from geotoolz.grid import Reproject
    from geotoolz.io import open_tile
    from geotoolz.serve._render_grid import resolution

    expected = Reproject("EPSG:3857", resolution=resolution(layer.native_zoom))(
        NDVI(open_tile(folder))[["ndvi"]]
    )
    target = layer.tile_target(*middle(layer))
    inner = target.extent.clipped(expected.ndvi.shape)
    found = target.extent.cut(layer.warped(target).arrays["ndvi"], inner)
    np.testing.assert_array_equal(found, inner.of(expected.ndvi.values))


def test_renamed_bands_of_a_plain_raster():
    op = Sequential([RenameBands({"band_1": "red", "band_2": "green", "band_3": "blue"})])
    layer = open_layer(data_path("cogs_for_tile_server/TCI.tif"), op)
    assert layer.style.kind == "composite"
    assert layer.style.bands == ("red", "green", "blue")
