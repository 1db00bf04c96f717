"""The demo on Ray, and the question whether Ray works here."""

from __future__ import annotations

import json
import subprocess
import sysconfig
from pathlib import Path

import pytest

SCRIPTS = Path(sysconfig.get_path("scripts"))


def run(script, *args, cwd=None):
    command = [str(SCRIPTS / script), *args]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.ray
def test_the_demo_runs_on_ray_and_a_second_time_does_not_start_it(tmp_path):
    first = run("geotoolz", "demo", "--size", "128", "--workers", "2", cwd=tmp_path)
    assert first.returncode == 0, first.stdout + first.stderr
    assert "12 of 12 scenes to do, on Ray" in first.stdout and "(ray)" in first.stdout
    assert "11 done, 1 failed" in first.stdout and "failed (as expected)" in first.stdout
    page = (tmp_path / "geotoolz-demo" / "out" / "report.html").read_text()
    assert page.count("data:image/png;base64") == 11
    for line in first.stderr.splitlines():
        assert json.loads(line)["event"]  # progress and nothing else: Ray is quiet

    code = (
        "import sys; from geotoolz._cli import main; "
        "code = main(['demo', '--size', '128']); print('ray' in sys.modules, code)"
    )
    command = [str(SCRIPTS / "python"), "-c", code]
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert again.stdout.splitlines()[-1] == "False 0", again.stdout + again.stderr
    assert "nothing to do, Ray is not started" in again.stdout


@pytest.mark.ray
def test_check_ray(tmp_path):
    done = run("geotoolz-nextgen", "check-ray", "--workers", "1", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["cpus"] == 1 and len(told["nodes"]) == 1 and told["worker"] == told["versions"]


def test_a_ray_that_is_not_there():
    done = run("geotoolz", "nextgen", "check-ray", "--address", "127.0.0.1:1", "--timeout", "5")
    assert done.returncode == 2 and "127.0.0.1:1" in done.stderr and "Traceback" not in done.stderr
