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
    code, out, err = call(
        capfd, "check", scene, "--min-valid", "0.1", "--bands", "red", "--range=-0.5,2", "--json"
    )
    told = json.loads(out)
    assert code == 0 and told["passed"] and not err
    assert told["entries"][0]["found"] == f"red has {share:.1%} valid pixels"
    code, out, err = call(capfd, "check", scene, "--valid-fraction", "0.999", "--json")
    told = json.loads(out)
    assert code == 4 and not told["passed"] and told["counts"]["failed"] == 1 and not err
    assert all(name in told["entries"][0]["found"] for name in ("red", "nir"))
    code, out, err = call(capfd, "check", scene, "--min-valid", "0", "--range", "0,0.01")
    assert code == 4 and "outside" in out and "AssertValueRange" in err and "red" in err
    code, _, _ = call(capfd, "check", scene, "--min-valid", "0", "--range", "0,0.01", "--max-outside", "1")
    assert code == 0


def test_every_check_is_made_and_reported(scene, capfd, tmp_path):
    args = ("check", scene, "--valid-fraction", "0", "--schema", "red,B08,swir16", "--crs", "EPSG:32630",
            "--resolution", "9.5,10.5", "--aligned", "0,0", "--range", "red:-0.2:1.6",
            "--range", "nir:5:6", "--sample-cell", "2")  # fmt: skip
    for suffix in ("html", "json"):
        code, out, _ = call(capfd, *args, "--report", tmp_path / f"out.{suffix}")
        assert code == 4
    told = json.loads((tmp_path / "out.json").read_text("utf-8"))
    results = [(entry["check"], entry["result"]) for entry in told["entries"]]
    assert results == [
        ("AssertSchema", "failed"),
        ("AssertCRSEquals", "failed"),
        ("AssertResolutionWithin", "passed"),
        ("AssertGridAligned", "passed"),
        ("AssertValidFraction", "passed"),
        ("AssertValueRange", "passed"),
        ("AssertValueRange", "failed"),
    ]
    assert "<table>" in (tmp_path / "out.html").read_text("utf-8")
    assert "swir16 is missing" in out


def test_a_folder_and_the_checks_of_a_pipeline(scene, capfd, tmp_path):
    from geotoolz.core.testing import write_scene

    options = {"shape": (40, 50), "bands": ("red", "nir"), "datetime": "2024-07-01T10:00:00Z"}
    other = write_scene(options, scene.parent)
    file = tmp_path / "checks.yaml"
    file.write_text(
        "_target_: geotoolz.core.Sequential\noperators:\n"
        "- {_target_: geotoolz.qc.AssertSchema, bands: [scl]}\n"
        "- _target_: geotoolz.qc.AssertValidFraction\n  min_valid: ${least}\n"
    )
    code, out, err = call(capfd, "check", scene.parent, "--pipeline", file, "--set", "least=0.1", "--json")
    told = json.loads(out)
    assert code == 4 and told["tiles"] == 2 and told["counts"] == {"passed": 3, "failed": 1, "error": 0}, err
    bad = next(entry for entry in told["entries"] if entry["result"] == "failed")
    assert bad["check"] == "AssertSchema" and bad["path"] == "operators[0]" and bad["tile"] == other.name


def test_a_scene_that_cannot_be_read_is_a_failure_and_the_others_go_on(scene, capfd):
    from geotoolz.core.testing import write_scene

    options = {"shape": (40, 50), "bands": ("red", "nir"), "datetime": "2024-07-01T10:00:00Z"}
    broken = write_scene(options, scene.parent)
    nir = broken / "B08.tif"
    nir.write_bytes(nir.read_bytes()[:900])
    code, out, _ = call(capfd, "check", scene.parent, "--min-valid", "0", "--json")
    told = json.loads(out)
    results = {entry["tile"]: entry["result"] for entry in told["entries"]}
    assert code == 4 and results == {scene.name: "passed", broken.name: "error"}


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("check", "nowhere"), ["nowhere"]),
        (("check", "SCENE", "--min-valid", "2"), ["min_valid", "0 to 1"]),
        (("check", "SCENE", "--range", "1"), ["MIN,MAX"]),
        (("check", "SCENE", "--range", "red:1"), ["BAND:MIN:MAX"]),
        (("check", "SCENE", "--range", "2,1"), ["min_val ≤ max_val"]),
        (("check", "SCENE", "--bands", "rad"), ["rad", "did you mean 'red'"]),
        (("check", "SCENE", "--crs", "EPSG:1"), ["names no CRS"]),
        (("check", "SCENE", "--resolution", "10"), ["9.5,10.5"]),
        (("check", "SCENE", "--aligned", "a,b"), ["0,0"]),
        (("check", "SCENE", "--sample-cell", "3"), ["--sample-cell 3"]),
        (("check", "SCENE", "--report", "out.txt"), [".html or .json"]),
        (("check", "SCENE", "--pipeline", "no.yaml"), ["no.yaml"]),
    ],
    ids=lambda value: " ".join(value),
)
def test_mistakes(scene, capfd, args, said):
    code, out, err = call(capfd, *(arg.replace("SCENE", str(scene)) for arg in args))
    assert code == 2 and not out and "Traceback" not in err
    assert all(part in err for part in said), err
