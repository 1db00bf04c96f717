"""Prefect, in an environment of its own: `scripts/orchestrators_alone.sh` makes one and names its Python."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from geotoolz.core.testing import write_scene

PYTHON = os.environ.get("GEOTOOLZ_PREFECT_PYTHON", "")
pytestmark = pytest.mark.skipif(
    not PYTHON, reason="GEOTOOLZ_PREFECT_PYTHON names no Python with Prefect (scripts/orchestrators_alone.sh)"
)
HELPER = Path(__file__).parent / "helpers/gtz_prefect_run.py"


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prefect")
    for day in (10, 11, 12):
        scene = {"shape": (32, 32), "bands": ("red", "nir"), "raw": True, "tile_id": f"S2_{day}"}
        write_scene({**scene, "datetime": f"2023-06-{day}T10:00:00Z"}, folder / "scenes")
    band = next((folder / "scenes/S2_12").glob("*B08*"))
    band.write_bytes(band.read_bytes()[:1000])
    environment = {
        **os.environ, "PREFECT_HOME": str(folder / "home"), "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }  # fmt: skip
    command = [PYTHON, str(HELPER), str(folder / "scenes"), str(folder / "out"), "S2_10"]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=400, check=False, env=environment, cwd=folder
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    assert lines, done.stdout[-3000:] + done.stderr[-3000:]
    return json.loads(lines[0].removeprefix("RESULT "))


def test_the_flow_of_a_day_does_that_day(told):
    assert told["day"] == {"done": 1, "fresh": 0, "failed": 0, "failed_tiles": {}}
    assert told["calls"][0] == "S2_11"


def test_a_bad_tile_fails_its_own_task_run(told):
    assert told["whole"]["done"] == 1 and told["whole"]["failed"] == 1
    assert list(told["whole"]["failed_tiles"]) == ["S2_12"]
    assert told["files"] == ["S2_10.tif", "S2_11.tif"]


def test_only_what_may_pass_is_tried_again(told):
    assert told["calls"].count("S2_10") == 2
    assert told["calls"].count("S2_12") == 1


def test_the_flow_fails_where_too_many_tiles_do(told):
    assert "1 of 1 tiles failed; first S2_12" in told["failed"]
