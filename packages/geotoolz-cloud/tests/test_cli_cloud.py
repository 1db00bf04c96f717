from __future__ import annotations

import subprocess
import sysconfig
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def scene(tmp_path):
    from geotoolz.core.testing import write_scene

    options = {"shape": (96, 80), "bands": ("red", "nir", "scl"), "cloud_cover": 0.4, "seed": 5}
    return write_scene(options, tmp_path / "scenes")


def call(capfd, *args):
    from geotoolz.cloud._cli import main

    capfd.readouterr()
    code = main([str(arg) for arg in args])
    return code, *capfd.readouterr()


def test_the_script_and_the_group_are_one_app(scene, tmp_path):
    for prefix in (["geotoolz", "cloud"], ["geotoolz-cloud"]):
        script = str(Path(sysconfig.get_path("scripts"), prefix[0]))
        command = [script, *prefix[1:], "mask", str(scene), str(tmp_path / prefix[0]), "--bands", "red"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"{tmp_path / prefix[0] / scene.name}_red.tif\n"
    assert Path(done.stdout.strip()).exists()


def test_what_is_written_is_what_the_operator_gives(scene, tmp_path, capfd):
    from geotoolz.cloud import MaskClouds
    from geotoolz.io import open_tile

    code, out, _ = call(capfd, "mask", scene, tmp_path / "out", "--flags", "cloud,shadow")
    assert code == 0 and len(out.splitlines()) == 2
    expected = MaskClouds(("cloud", "shadow"))(open_tile(scene))
    for path in out.splitlines():
        band = path.rpartition("_")[2].removesuffix(".tif")
        np.testing.assert_array_equal(open_tile(path)[band].values, expected[band].values)
        assert np.isnan(expected[band].values).any()


def test_one_file_for_all_bands_and_an_area(scene, tmp_path, capfd):
    from geotoolz.io import describe

    whole = describe(scene).geobox.geographic_extent.boundingbox
    middle = (whole.left + whole.right) / 2
    aoi = f"{whole.left},{whole.bottom},{middle},{whole.top}"
    target = tmp_path / "{item_id}.tif"
    code, out, err = call(capfd, "mask", scene, target, "--aoi", aoi, "--res", "20")
    assert code == 0, err
    spec = describe(out.strip())
    assert set(spec.variables) == {"red", "nir"} and spec.geobox.resolution.x == 20
    assert spec.shape[1] < 40 < 2 * spec.shape[1]


def test_buffer_and_shadows_are_the_operators(scene, tmp_path, capfd):
    from geotoolz.cloud import ApplyMask, BufferMask, MaskFromFlags, ProjectShadows
    from geotoolz.core import Sequential
    from geotoolz.io import open_tile

    code, out, err = call(
        capfd,
        "mask",
        scene,
        tmp_path / "out",
        "--flags",
        "cloud,cirrus",
        "--buffer",
        "40",
        "--shadows",
        "--bands",
        "red",
    )
    assert code == 0, err
    shadows = [MaskFromFlags(("cloud",)), ProjectShadows(max_nir=0.15, name="mask"), BufferMask(40.0)]
    flagged = [MaskFromFlags(("cloud", "cirrus")), BufferMask(40.0)]
    both = [ApplyMask(Sequential(shadows), ("red",)), ApplyMask(Sequential(flagged), ("red",))]
    expected = Sequential(both)(open_tile(scene)).red.values
    np.testing.assert_array_equal(open_tile(out.strip()).red.values, expected)
    plain = Sequential([ApplyMask(Sequential(flagged[:1]), ("red",))])(open_tile(scene)).red.values
    assert np.isnan(expected).sum() > np.isnan(plain).sum()


def test_the_fraction_of_scenes_and_folders(scene, tmp_path, capfd):
    import json

    from geotoolz.cloud import CloudFraction
    from geotoolz.core.testing import write_scene
    from geotoolz.io import open_tile

    code, out, err = call(capfd, "fraction", scene, "--json")
    assert code == 0, err
    (row,) = json.loads(out)
    assert row["fraction"] == CloudFraction()(open_tile(scene, ["scl"])) and row["datetime"]
    pytest.importorskip("geopandas")
    options = {"shape": (96, 80), "bands": ("red", "scl"), "cloud_cover": 0.1, "seed": 6, "tile_id": "second"}
    write_scene(options, scene.parent)
    code, out, err = call(capfd, "fraction", scene.parent, "--flags", "cloud")
    assert code == 0, err
    assert len([line for line in out.splitlines() if "%" in line]) == 2
    write_scene({**options, "bands": ("red",), "tile_id": "third"}, scene.parent)
    code, out, err = call(capfd, "fraction", scene.parent)
    assert code == 3 and "third: " in err and "no quality layer" in err and "–" in out


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("mask", "nowhere", "out"), ["nowhere"]),
        (("mask", "SCENE", "out", "--flags", "clowd"), ["clowd", "cloud"]),
        (("mask", "SCENE", "out", "--bands", "swir22"), ["swir22", "red"]),
        (("mask", "SCENE/B04.tif", "out"), ["quality layer"]),
        (("mask", "SCENE"), ["OUT"]),
        (("mask", "SCENE", "out", "--flags", "cloud,dilated"), ["dilated", "cloud_medium"]),
        (("mask", "SCENE", "out", "--min-confidence", "high"), ["no confidence", "min_confidence"]),
        (("mask", "SCENE", "out", "--buffer", "-5"), ["metres, 0 or more"]),
        (("fraction", "SCENE", "--flags", "clowd"), ["clowd", "cloud"]),
        (("fraction", "nowhere"), ["nowhere"]),
    ],
    ids=lambda value: " ".join(value),
)
def test_mistakes(scene, tmp_path, monkeypatch, capfd, args, said):
    monkeypatch.chdir(tmp_path)
    code, out, err = call(capfd, *(arg.replace("SCENE", str(scene)) for arg in args))
    assert code == 2 and not out and "Traceback" not in err
    assert all(part in err for part in said), err
    assert not (tmp_path / "out").exists()
