"""The presets, on a Sentinel-2 product and a Landsat product as they are downloaded."""

from __future__ import annotations

import json
import subprocess
import sysconfig
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

SCRIPT = str(Path(sysconfig.get_path("scripts"), "geotoolz"))
pytestmark = pytest.mark.skipif(
    find_spec("geotoolz.cloud") is None or find_spec("geotoolz.indices") is None,
    reason="the presets' operators come with geotoolz-cloud and geotoolz-indices",
)
PRESETS = ("ndvi", "true-color", "cloud-mask", "monthly-composite", "burn-severity", "water")
SCENE = {"shape": (120, 120), "seed": 3, "cloud_cover": 0.2, "datetime": "2023-07-01T10:00:00Z"}


@pytest.fixture(scope="module")
def products(tmp_path_factory):
    """One product of each sensor; nobody changes them."""
    from geotoolz.core.testing import write_landsat, write_safe

    folder = tmp_path_factory.mktemp("presets")
    return {"s2": write_safe(SCENE, folder), "landsat": write_landsat(SCENE, folder)}


def call(capfd, *args):
    """Call the script's main in this process."""
    from geotoolz._cli import main

    capfd.readouterr()
    code = main([str(arg) for arg in args])
    out, err = capfd.readouterr()
    assert "Traceback" not in err, err
    return code, out, err


def run(capfd, preset, product, out, *more):
    code, text, err = call(capfd, "run", preset, product, out, "-q", *more)
    assert code == 0, text + err
    (path,) = out.glob("*.tif")
    return path


def test_a_field_of_a_product_in_one_line(products, tmp_path):
    gpd = pytest.importorskip("geopandas")
    shapely = pytest.importorskip("shapely")
    from geotoolz.io import describe, open_tile

    box = describe(products["s2"]).geobox.boundingbox
    field = shapely.box(box.left + 215, box.bottom + 303, box.left + 640, box.bottom + 790)
    gpd.GeoDataFrame(geometry=[field], crs="EPSG:32633").to_file(tmp_path / "farm.gpkg")
    command = [SCRIPT, "run", "ndvi", products["s2"], "out/", "--aoi", "farm.gpkg", "--res", "10", "-q"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = (tmp_path / "out").glob("*_ndvi.tif")
    ndvi = open_tile(path)
    assert ndvi.ndvi.shape == (49, 43)  # every pixel that the field touches
    whole = open_tile(products["s2"], ["red", "nir"], geobox=describe(path).geobox)
    expected = (whole.nir - whole.red) / (whole.nir + whole.red)
    clear = ~np.isnan(ndvi.ndvi.values)
    assert 0.2 < clear.mean() <= 1
    np.testing.assert_allclose(ndvi.ndvi.values[clear], expected.values[clear], atol=1e-6)


@pytest.mark.parametrize("sensor", ["s2", "landsat"])
def test_true_color(products, sensor, tmp_path, capfd):
    import rasterio

    from geotoolz.io import open_tile
    from geotoolz.viz import TrueColor

    path = run(capfd, "true-color", products[sensor], tmp_path, "--set", "vmax=0.4")
    assert path.name.endswith("_true_color.tif")
    with rasterio.open(path) as file:
        assert (file.count, set(file.dtypes)) == (4, {"uint8"})
        picture = file.read()
    expected = TrueColor(vmax=0.4)(open_tile(products[sensor], ["red", "green", "blue"]))
    for i, name in enumerate(("red", "green", "blue", "alpha")):
        np.testing.assert_array_equal(picture[i], expected[name].values)


@pytest.mark.parametrize("sensor", ["s2", "landsat"])
def test_cloud_mask(products, sensor, tmp_path, capfd):
    from geotoolz.cloud import MaskFromFlags
    from geotoolz.io import describe, open_tile

    path = run(capfd, "cloud-mask", products[sensor], tmp_path)
    layer = "scl" if sensor == "s2" else "qa_pixel"
    expected = MaskFromFlags()(open_tile(products[sensor], [layer], geobox=describe(path).geobox))
    found = open_tile(path)["cloud_mask"].values
    assert 0.01 < (found == 1).mean() < 0.9 and (found > 0).all()
    np.testing.assert_array_equal(found == 1, expected["mask"].values)


@pytest.mark.parametrize("sensor", ["s2", "landsat"])
def test_water(products, sensor, tmp_path, capfd):
    import rasterio

    from geotoolz.io import open_tile

    path = run(capfd, "water", products[sensor], tmp_path)
    bands = open_tile(products[sensor], ["green", "swir16"])
    mndwi = (bands.green - bands.swir16) / (bands.green + bands.swir16)
    with rasterio.open(path) as file:
        water, colours = file.read(1), file.colormap(1)
        assert (file.dtypes[0], file.nodata) == ("uint8", 0)
    clear = water > 0
    assert 0.2 < clear.mean() <= 1
    np.testing.assert_array_equal(water[clear] == 2, mndwi.values[clear] >= 0)
    assert colours[2] == (0x1F, 0x78, 0xB4, 255)
    assert "water" in Path(f"{path}.aux.xml").read_text(encoding="utf-8")


def test_a_preset_of_several_scenes_names_its_command(products, tmp_path, capfd):
    for command in ("run", "plan"):
        code, _, err = call(capfd, command, "burn-severity", products["s2"], tmp_path / "out")
        assert code == 2
        assert "takes several scenes together" in err
        assert "geotoolz temporal burn-severity BEFORE AFTER OUT" in err
    for command in ("check", "stream"):
        code, _, err = call(capfd, command, "monthly-composite", products["s2"])
        assert code == 2 and "geotoolz temporal monthly-composite CATALOG OUT" in err
    assert not (tmp_path / "out").exists()


def test_presets_are_listed_and_shown(capfd):
    code, text, _ = call(capfd, "pipeline", "list", "--json")
    about = json.loads(text)
    assert code == 0 and set(PRESETS) <= set(about)
    assert call(capfd, "pipeline", "show", "--json")[1] == text
    code, text, _ = call(capfd, "pipeline", "list")
    assert code == 0 and text.startswith("preset")
    code, text, _ = call(capfd, "pipeline", "show", "water")
    assert code == 0 and text.startswith(f"# {about['water']}\n")
    assert "_target_: geotoolz.indices.MNDWI" in text


# ---- no data is not clear ----------------------------------------------------------------------------------


def no_data_in_a_corner(tile, layer, fill):
    """Empty the upper left corner of a raw tile: 0 in the bands, the layer's own fill."""
    for name in tile:
        tile[name][:30, :40] = fill if name == layer else 0
    return tile


@pytest.mark.parametrize(
    "sensor, layer, fill",
    [("sentinel-2a", "scl", 0), ("landsat-8", "qa_pixel", 1), ("L1C", "qa60", 0)],
)
def test_no_data_is_not_clear(sensor, layer, fill, tmp_path, capfd):
    import rasterio

    from geotoolz.core.testing import simulate_scene, write_scene

    bands = ("blue", "green", "red", "nir", "nir08", "swir16", layer)
    known = {"sensor": sensor} if layer == "qa_pixel" else {"level": "L1C" if layer == "qa60" else "L2A"}
    bands = tuple(band for band in bands if layer == "qa_pixel" or band != "nir08")
    bands = tuple(band for band in bands if layer != "qa_pixel" or band != "nir")
    tile = simulate_scene((60, 80), bands=bands, cloud_cover=0.3, raw=True, seed=5, **known)
    scene = write_scene(no_data_in_a_corner(tile, layer, fill), tmp_path / "in")
    code, text, err = call(capfd, "run", "cloud-mask", scene, tmp_path / "out", "-q")
    assert code == 0, text + err
    (path,) = (tmp_path / "out").glob("*_cloud_mask.tif")
    with rasterio.open(path) as file:
        assert (file.nodata, file.dtypes[0]) == (0, "uint8")
        found, colours = file.read(1), file.colormap(1)
    assert (found[:30, :40] == 0).all()
    assert (found[30:] > 0).all() and {1, 2} == set(found[30:].ravel().tolist())
    assert colours[1] != colours[2]
    assert "cloud" in Path(f"{path}.aux.xml").read_text(encoding="utf-8")
