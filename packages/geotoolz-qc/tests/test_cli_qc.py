from __future__ import annotations

import json
import subprocess
import sysconfig
from pathlib import Path

import pytest


@pytest.fixture
def scene(tmp_path):
    from geotoolz.core.testing import write_scene

    options = {"shape": (96, 80), "bands": ("red", "nir", "scl"), "nodata_edge": True}
    return write_scene(options, tmp_path / "scenes")


def call(capfd, *args):
    from geotoolz.qc._cli import main

    capfd.readouterr()
    code = main([str(arg) for arg in args])
    return code, *capfd.readouterr()


def test_the_script_and_the_group_are_one_app(scene):
    said = []
    for prefix in (["geotoolz", "qc"], ["geotoolz-qc"]):
        script = str(Path(sysconfig.get_path("scripts"), prefix[0]))
        command = [script, *prefix[1:], "check", str(scene), "--min-valid", "0.1"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0 and not done.stderr, done.stderr
        said.append(done.stdout)
    assert said[0] == said[1] and "red" in said[0] and "%" in said[0]


def test_figures_and_exit_code(scene, capfd):
    from geotoolz.io import open_tile

    share = float(open_tile(scene, ["red"]).red.notnull().mean())
    assert 0.1 < share < 1
    code, out, _ = call(
        capfd, "check", scene, "--min-valid", "0.1", "--bands", "red", "--range=-0.5,2", "--json"
    )
    told = json.loads(out)
    assert code == 0 and told["passed"] and told["bands"][0]["valid"] == share
    code, out, err = call(capfd, "check", scene, "--min-valid", "0.999", "--json")
    told = json.loads(out)
    assert code == 4 and not told["passed"] and len(told["failed"]) == 2 and not err
    code, out, err = call(capfd, "check", scene, "--min-valid", "0", "--range", "0,0.01")
    assert code == 4 and "outside" in out and "AssertValueRange: red" in err and scene.name in err
    code, _, _ = call(capfd, "check", scene, "--min-valid", "0", "--range", "0,0.01", "--max-outside", "1")
    assert code == 0


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("check", "nowhere"), ["nowhere"]),
        (("check", "SCENE", "--min-valid", "2"), ["min_valid", "0 to 1"]),
        (("check", "SCENE", "--range", "1"), ["MIN,MAX"]),
        (("check", "SCENE", "--range", "2,1"), ["min_val ≤ max_val"]),
        (("check", "SCENE", "--bands", "rad"), ["rad", "did you mean 'red'"]),
    ],
    ids=lambda value: " ".join(value),
)
def test_mistakes(scene, capfd, args, said):
    code, out, err = call(capfd, *(arg.replace("SCENE", str(scene)) for arg in args))
    assert code == 2 and not out and "Traceback" not in err
    assert all(part in err for part in said), err
