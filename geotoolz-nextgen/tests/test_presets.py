"""Presets with a version: their names and hashes do not change, and they do what they say on real scenes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio

import geotoolz as gz
from geotoolz import presets
from geotoolz.catalog import GeoCatalog
from geotoolz.core import ConfigError, RaisedError
from geotoolz.core.testing import data_path, simulate_scene, write_scene
from geotoolz.indices import compute_ndvi
from geotoolz.io import MetadataWarning

#: What was published does not change. A new hash (another parameter, or an operator whose `version` was
#: raised because its pixels changed) is another product: give it a file and a name with the next version, and
#: keep this one.
PUBLISHED = {
    "LANDSAT_C2L2_FALSE_COLOR_v1": "eb9068682ac1928c5e36fa1b1890141c9d1c0e24288455dc39c5fcead2f0a651",
    "LANDSAT_C2L2_NDVI_v1": "ad7d93556cf14b8ad2592750f6dbdd448d3752e5278d194b8c54202fda2f2136",
    "LANDSAT_C2L2_RGB_v1": "b1892e2bd2c3177830f5f46a2b5dee1dfe2fcb34eecfebd99c57256e5fb6fcff",
    "S1_RTC_DB_v1": "dc0724666808376f26a5810f12efda1ed87f784084feb0d75ae0f6705eabbc27",
    "S2_L2A_FALSE_COLOR_v1": "80ee1439581cf39df8d34b161340e8505eaccb64cf50509ab0aae3a6e0dd95ab",
    "S2_L2A_NDVI_v1": "e1b86b3da76cfc67ced629f077c39ff8be1a6afa5ee74bebab7c418bab967669",
    "S2_L2A_RGB_v1": "f5f2f630bdefa9c64b987f0536bfa26842bf2066bd1207fdbb0e54b763d267c6",
}
quiet = pytest.mark.filterwarnings(f"ignore::{MetadataWarning.__module__}.MetadataWarning")


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_preset_does_not_change(name):
    assert getattr(presets, name).config_hash() == PUBLISHED[name]
    cli_name = name.lower().replace("_", "-")
    assert gz.preset(cli_name) == getattr(presets, name)
    assert gz.preset(cli_name, sink=True).config_hash() == PUBLISHED[name]


def test_every_preset_of_the_folder_has_its_hash_here():
    folder = Path(presets.__file__).parent / "pipelines"
    names = {path.stem.replace("-", "_") for path in folder.glob("*.yaml")}
    assert names == {name.lower() for name in PUBLISHED}
    assert set(PUBLISHED) < set(presets.__all__)
    with pytest.raises(AttributeError, match="S2_L2A_RGB_v9"):
        presets.S2_L2A_RGB_v9


def test_importing_the_module_imports_no_operator():
    code = (
        "import sys, geotoolz.presets\n"
        "print([m for m in sys.modules if m in ('torch', 'ray', 'geotoolz.indices', 'geotoolz.learn')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.strip() == "[]"


def test_colours_are_reflectance_on_a_fixed_scale():
    tile = simulate_scene((16, 16), bands=("blue", "green", "red", "nir"))

    def shown(band, vmax):
        return np.clip(tile[band].values.astype(float) / vmax, 0, 1) * 255

    for picture, expected in (
        (presets.S2_L2A_RGB_v1(tile), shown("red", 0.3)),
        (gz.preset("s2-l2a-rgb-v1", vmax=0.15)(tile), shown("red", 0.15)),
        (presets.S2_L2A_FALSE_COLOR_v1(tile), shown("nir", 0.4)),
    ):
        assert np.abs(picture.red.values - expected).max() <= 0.501  # ties in float32


@pytest.mark.parametrize("name", ["S2_L2A_RGB_v1", "LANDSAT_C2L2_NDVI_v1", "S1_RTC_DB_v1"])
def test_a_tile_of_another_level_is_refused(name):
    tile = simulate_scene((8, 8), bands=("blue", "green", "red", "nir", "scl"))
    tile.attrs["processing_level"] = "L1C"
    with pytest.raises(RaisedError, match="the tile is of level L1C"):
        getattr(presets, name)(tile)


def test_a_value_that_a_preset_has_no_place_for():
    with pytest.raises(ConfigError, match=r"no \${vmx} \(did you mean 'vmax'"):
        gz.preset("s2-l2a-rgb-v1", vmx=1)


@quiet
@pytest.mark.realdata
def test_on_a_real_scene_of_sentinel_2():
    scene = data_path("s2_l2a_33TWL_croatia") / "S2A_33TWL_20230815_0_L2A"
    tile = gz.open_tile(scene)
    out = presets.S2_L2A_NDVI_v1(tile)
    cloudy = np.isin(tile.scl, (3, 8, 9, 10))
    assert np.isnan(out.ndvi.values[cloudy]).all() and not np.isnan(out.ndvi.values[~cloudy]).all()
    plain = compute_ndvi(tile).ndvi.values
    kept = ~np.isnan(out.ndvi.values)
    assert np.array_equal(out.ndvi.values[kept], plain[kept])


@quiet
@pytest.mark.realdata
def test_on_a_real_scene_of_landsat():
    tile = gz.open_tile(data_path("ls8_c2l2_colombia_008059_cloudy"))
    out = presets.LANDSAT_C2L2_NDVI_v1(tile)
    cloud = (tile.qa_pixel.values & (1 << 3)) > 0
    assert np.isnan(out.ndvi.values[cloud]).all() and np.isfinite(out.ndvi.values).any()
    assert presets.LANDSAT_C2L2_RGB_v1(tile).red.dtype == np.uint8


@quiet
@pytest.mark.realdata
def test_on_a_real_scene_of_sentinel_1():
    catalog = GeoCatalog.build(data_path("s1_rtc_california_open"))
    tile = gz.open_tile(catalog.source_of(next(catalog.iter_rows())))
    out = presets.S1_RTC_DB_v1(tile)
    assert out.vv.attrs["units"] == "dB"
    np.testing.assert_allclose(out.vv, 10 * np.log10(tile.vv), rtol=1e-5)


def test_the_command_line_runs_and_lists_them(tmp_path):
    scene = {"shape": (32, 32), "bands": ("blue", "green", "red", "nir", "scl"), "raw": True, "tile_id": "T1"}
    write_scene(scene, tmp_path)
    program = str(Path(sys.executable).parent / "geotoolz")
    words = [program, "run", "s2-l2a-rgb-v1", str(tmp_path / "T1"), str(tmp_path / "out"), "--json"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    with rasterio.open(tmp_path / "out/T1_rgb.tif") as file:
        assert (file.count, file.dtypes[0]) == (4, "uint8")
    item = json.loads((tmp_path / "out/items/T1.json").read_text())
    assert item["properties"]["geotoolz:config_hash"] == PUBLISHED["S2_L2A_RGB_v1"]
    listed = subprocess.run(
        [program, "pipeline", "list"], capture_output=True, text=True, timeout=120, check=True
    )
    assert "s2-l2a-rgb-v1" in listed.stdout and "ndvi" in listed.stdout.split()
