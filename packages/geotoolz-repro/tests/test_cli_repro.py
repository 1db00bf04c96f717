from __future__ import annotations

import json
import subprocess
import sysconfig
from pathlib import Path

import numpy as np
import pytest

import geotoolz as gz
from geotoolz.core.testing import write_scene
from geotoolz.indices import NDVI


def call(*args, program="geotoolz"):
    script = str(Path(sysconfig.get_path("scripts"), program))
    command = [script, *(["repro"] if program == "geotoolz" else []), *map(str, args)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    options = {"shape": (60, 50), "bands": ("red", "nir", "scl"), "raw": True}
    return write_scene(options, tmp_path_factory.mktemp("scenes"))


@pytest.fixture(scope="module")
def frozen(scene, tmp_path_factory):
    path = tmp_path_factory.mktemp("frozen") / "ndvi.gtar"
    lock = path.with_name("uv.lock")
    lock.write_text("version = 1\n")
    code, out, err = call(
        "freeze", "ndvi", scene, "-o", path, "--lock", lock, "--meta", "author=A", "--meta", "doi=10.1/x"
    )
    assert code == 0 and not err, err
    return path, next(line.split()[-1] for line in out.splitlines() if line.startswith("id"))


def test_fine_is_0(frozen, tmp_path):
    path, own = frozen
    code, out, err = call("verify", path, "--id", own)
    assert code == 0 and out.startswith("intact") and not err
    code, out, _ = call("rerun", path, tmp_path / "w", "--threads", "2", "--json", program="geotoolz-repro")
    told = json.loads(out)
    assert code == 0 and told["tier"] == "bit-exact" and Path(told["paths"][0]).is_file()


def test_a_tolerance_that_is_told_takes_the_place_of_the_frozen_one(scene, tmp_path, capfd):
    from geotoolz.repro import Tolerance, freeze
    from geotoolz.repro._cli import main

    near = NDVI()(gz.open_tile(scene))[["ndvi"]].copy(deep=True)
    near.ndvi.values[3, 4] += np.float32(1e-4)
    path = freeze(NDVI(), scene, outputs=near, tolerance=Tolerance(atol=1e-3)).save(tmp_path / "a.gtar")
    again = ["rerun", str(path), str(tmp_path / "w")]
    assert main(again) == 0 and capfd.readouterr().out.startswith("within tolerance")
    assert main([*again, "--atol", "0"]) == 4 and main([*again, "--atol", "0.01"]) == 0


def test_different_is_4(frozen, tmp_path):
    path, own = frozen
    code, out, err = call("verify", path, "--id", "0" * 64)
    assert code == 4 and own in out and not err
    bad = tmp_path / "bad.gtar"
    data = bytearray(path.read_bytes())
    place = data.index(b'"author":"A"') + 10
    data[place : place + 1] = b"B"
    bad.write_bytes(data)
    code, out, _ = call("verify", bad, "--json")
    told = json.loads(out)
    assert code == 4 and [one["subject"] for one in told["findings"] if one["weight"] == "difference"] == [
        "metadata.json"
    ]
    assert call("rerun", bad, tmp_path / "w")[0] == 4
    bad.write_bytes(bytes(data[:1000]))
    code, out, _ = call("verify", bad)
    assert code == 4 and "truncated" in out


def test_wrong_is_2(frozen, scene, tmp_path, capfd):
    from geotoolz.repro._cli import main

    path, _ = frozen
    (tmp_path / "text").write_text("x" * 600)
    in_process = [
        ("rerun", path),
        ("rerun", path, tmp_path / "w", "--input", "a=b"),
        ("freeze", "ndvy", scene, "-o", tmp_path / "x.gtar"),
        ("freeze", "ndvi", tmp_path / "none", "-o", tmp_path / "x.gtar"),
        ("freeze", "ndvi", scene, "-o", tmp_path / "x.gtar", "--meta", tmp_path / "none.json"),
        ("freeze", "ndvi", scene, "-o", tmp_path / "x.gtar", "--embed-below", "much"),
        ("trace", tmp_path / "none.tif"),
    ]
    for args in (("verify", tmp_path / "none.gtar"), ("show", tmp_path / "text")):
        code, out, err = call(*args)
        assert code == 2 and err and not out, args
    for args in in_process:
        capfd.readouterr()
        code = main([str(arg) for arg in args])
        out, err = capfd.readouterr()
        assert code == 2 and err and not out, args
    assert not list(tmp_path.glob("*.gtar"))


def test_what_is_shown(frozen):
    path, own = frozen
    code, out, _ = call("show", path)
    assert code == 0 and own in out and "uv.lock" in out and "10.1/x" in out and "60 × 50" in out
    code, out, _ = call("show", path, "--config")
    assert code == 0 and out.startswith("_target_: geotoolz.core.Sequential")
    told = json.loads(call("show", path, "--json")[1])
    assert (
        told["id"] == own and told["metadata"]["author"] == "A" and told["environment"]["packages"]["numpy"]
    )


def test_trace_and_freeze(scene, tmp_path):
    script = str(Path(sysconfig.get_path("scripts"), "geotoolz"))
    subprocess.run(
        [script, "run", "ndvi", str(scene), str(tmp_path / "out")], check=True, capture_output=True
    )
    (path,) = (tmp_path / "out").glob("*.tif")
    code, out, _ = call("trace", path)
    assert code == 0 and str(scene) in out and "B08.tif" in out and "geotoolz.indices.NDVI" in out
    told = json.loads(call("trace", path, "--json")[1])
    assert told["source"].startswith(str(scene)) and told["told_by"] == "tags"
    code, out, _ = call("trace", path, "--freeze", tmp_path / "a.gtar", "--meta", "author=A")
    assert code == 0 and told["config_hash"] in out and "\nembedded  input scene, output ndvi\n" in out
    assert call("rerun", tmp_path / "a.gtar", tmp_path / "w")[0] == 0
    code, out, _ = call("trace", path, "--freeze", tmp_path / "b.gtar", "--embed-below", "0")
    assert "\nby hash   input scene, output ndvi\n" in out and "embedded" not in out
