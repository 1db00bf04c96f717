"""The demo, small and in one process; on Ray it runs in the tests of geotoolz-nextgen."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sysconfig
from importlib.util import find_spec
from pathlib import Path

import pytest

SCRIPT = str(Path(sysconfig.get_path("scripts"), "geotoolz"))
COMPLETE = find_spec("geotoolz.cloud") is not None and find_spec("geotoolz.indices") is not None


def demo(folder, *args):
    command = [SCRIPT, "demo", "--engine", "inline", "--size", "96", *args]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=180, check=False)


@pytest.mark.skipif(COMPLETE, reason="the packages that the demo needs are installed")
def test_without_the_operators_it_says_what_to_install(tmp_path):
    done = demo(tmp_path)
    assert done.returncode == 2 and "pip install geotoolz-cloud geotoolz-indices" in done.stderr
    assert not (tmp_path / "geotoolz-demo").exists()


@pytest.mark.skipif(not COMPLETE, reason="the demo's operators come with geotoolz-cloud and geotoolz-indices")
def test_the_demo_from_the_first_run_to_the_repaired_scene(tmp_path, monkeypatch):
    from geotoolz._cli import main

    monkeypatch.chdir(tmp_path)
    first = demo(tmp_path)
    assert first.returncode == 0, first.stdout + first.stderr
    assert "11 done, 1 failed" in first.stdout and "failed (as expected)" in first.stdout
    assert "_target_: geotoolz.cloud.MaskClouds" in first.stdout and "What next:" in first.stdout
    root = tmp_path / "geotoolz-demo"
    page = (root / "out" / "report.html").read_text()
    assert page.count("data:image/png;base64") == 11 and (root / "out" / "report.json").exists()
    assert len(list((root / "out").glob("*_ndvi.tif"))) == 11

    again = demo(tmp_path)
    assert (
        again.returncode == 0
        and "nothing to do" in again.stdout
        and "quarantined (as expected)" in again.stdout
    )

    for line in first.stdout.partition("What next:")[2].splitlines()[1:]:
        _, _, command = line.strip().partition("  ")
        command = command.strip().removeprefix("uv run ")  # printed where uv runs the tests
        if "FOLDER_WITH_SCENES" in command or not command or command.endswith("geotoolz demo"):
            continue  # the user's own folder; the demo itself, which has a fixed size
        expected = 3 if " run " in command else 0  # the broken scene is broken for every pipeline
        assert main(shlex.split(command)[1:]) == expected, command

    (broken,) = (root / "intact").iterdir()
    name = json.loads((root / "demo.json").read_text())["broken"]
    shutil.copy(broken, root / "scenes" / name / broken.name)
    repaired = demo(tmp_path)
    assert repaired.returncode == 0 and "1 of 12 scenes to do" in repaired.stdout
    assert "1 done, 11 fresh" in repaired.stdout and "warning" not in repaired.stderr

    assert main(["demo", "--size", "64"]) == 2


def test_a_folder_of_somebody_else_is_left_alone(tmp_path, monkeypatch):
    from geotoolz._cli import main

    monkeypatch.chdir(tmp_path)
    (tmp_path / "geotoolz-demo").mkdir()
    kept = tmp_path / "geotoolz-demo" / "thesis.txt"
    kept.write_text("years of work")
    assert main(["demo", "--fresh"]) == 2 and kept.exists()
