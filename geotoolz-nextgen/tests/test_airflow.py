"""Airflow, in an environment of its own: `scripts/orchestrators_alone.sh` makes one and names its Python."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from geotoolz.core.testing import write_scene

PYTHON = os.environ.get("GEOTOOLZ_AIRFLOW_PYTHON", "")
pytestmark = pytest.mark.skipif(
    not PYTHON, reason="GEOTOOLZ_AIRFLOW_PYTHON names no Python with Airflow (scripts/orchestrators_alone.sh)"
)
HELPER = Path(__file__).parent / "helpers/gtz_airflow_run.py"


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    folder = tmp_path_factory.mktemp("airflow")
    for day in (10, 11, 12):
        scene = {"shape": (32, 32), "bands": ("red", "nir"), "raw": True, "tile_id": f"S2_{day}"}
        write_scene({**scene, "datetime": f"2023-06-{day}T10:00:00Z"}, folder / "scenes")
    band = next((folder / "scenes/S2_12").glob("*B08*"))
    band.write_bytes(band.read_bytes()[:1000])
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(folder / "home"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "SCARF_ANALYTICS": "false",
    }
    for command in (
        [str(Path(PYTHON).parent / "airflow"), "db", "migrate"],
        [PYTHON, str(HELPER), str(folder / "scenes"), str(folder / "out"), "S2_10", str(folder / "calls")],
    ):
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=400, check=False, env=environment, cwd=folder
        )
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    assert lines, done.stdout[-3000:] + done.stderr[-3000:]
    return json.loads(lines[0].removeprefix("RESULT "))


def test_the_dag_of_a_day_does_that_day(told):
    assert told["day"]["state"] == "success"
    assert told["day"]["tasks"] == {"plan[-1]": "success", "run[0]": "success", "count[-1]": "success"}
    assert told["calls"][0] == "S2_11"


def test_a_bad_tile_fails_its_own_mapped_task_and_is_counted(told):
    tasks = told["whole"]["tasks"]
    assert sorted(state for name, state in tasks.items() if name.startswith("run[")) == ["failed", "success"]
    assert tasks["count[-1]"] == "success"
    assert (told["whole"]["count"]["done"], list(told["whole"]["count"]["failed_tiles"])) == (1, ["S2_12"])
    assert told["files"] == ["S2_10.tif", "S2_11.tif"]


def test_a_shard_says_which_of_its_tiles_failed(told):
    assert told["shard"]["tasks"]["run[0]"] == "failed"
    assert list(told["shard"]["count"]["failed_tiles"]) == ["S2_12"]


def test_only_what_may_pass_is_tried_again(told):
    assert told["calls"].count("S2_10") == 2
    assert told["calls"].count("S2_12") == 1
