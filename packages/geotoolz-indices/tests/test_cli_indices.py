from __future__ import annotations

import subprocess
import sysconfig
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def scene(tmp_path):
    from geotoolz.core.testing import write_scene

    return write_scene({"shape": (96, 80), "bands": ("green", "red", "nir", "scl")}, tmp_path / "scenes")


def call(capfd, *args):
    from geotoolz.indices._cli import main

    capfd.readouterr()
    code = main([str(arg) for arg in args])
    return code, *capfd.readouterr()


def test_the_script_and_the_group_are_one_app(scene, tmp_path):
    for prefix in (["geotoolz", "indices"], ["geotoolz-indices"]):
        script = str(Path(sysconfig.get_path("scripts"), prefix[0]))
        command = [script, *prefix[1:], "compute", "ndvi", str(scene), str(tmp_path / prefix[0])]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"{tmp_path / prefix[0] / scene.name}_ndvi.tif\n"


@pytest.mark.parametrize("index", ["NDVI", "ndwi", "nir/green"])
def test_what_is_written_is_what_the_operator_gives(scene, tmp_path, capfd, index):
    from geotoolz.indices import NDVI, NDWI, NormalizedDifference
    from geotoolz.io import open_tile

    op = {"NDVI": NDVI(), "ndwi": NDWI(), "nir/green": NormalizedDifference("nir", "green")}[index]
    code, out, err = call(capfd, "compute", index, scene, tmp_path / "out")
    assert code == 0, err
    np.testing.assert_array_equal(
        open_tile(out.strip())[op.name].values, op(open_tile(scene))[op.name].values
    )


def test_a_name_and_the_list(scene, tmp_path, capfd):
    code, out, _ = call(capfd, "compute", "ndvi", scene, tmp_path / "x_{band}.tif", "--name", "green_ness")
    assert code == 0 and out == f"{tmp_path}/x_green_ness.tif\n"
    code, out, _ = call(capfd, "list")
    assert code == 0 and "ndvi" in out and "ndwi" in out


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("compute", "ndvj", "SCENE", "out"), ["ndvj", "did you mean 'ndvi'"]),
        (("compute", "nir/swir16", "SCENE", "out"), ["swir16", "green, red, nir"]),
        (("compute", "nir/", "SCENE", "out"), ["nir/"]),
        (("compute", "ndvi", "nowhere", "out"), ["nowhere"]),
        (("compute", "ndvi", "SCENE", "out", "--res", "-1"), ["resolution"]),
    ],
    ids=lambda value: " ".join(value),
)
def test_mistakes(scene, tmp_path, monkeypatch, capfd, args, said):
    monkeypatch.chdir(tmp_path)
    code, out, err = call(capfd, *(arg.replace("SCENE", str(scene)) for arg in args))
    assert code == 2 and not out and "Traceback" not in err
    assert all(part in err for part in said), err
    assert not (tmp_path / "out").exists()
