"""A simulated cluster of three nodes: found by its address, and a node lost in mid-run loses no tile."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
import rasterio
from gtz_ray_operators import Slow

from geotoolz.batch import CatalogPipeline
from geotoolz.core import Sequential
from geotoolz.core.testing import write_scene
from geotoolz.indices import NDVI
from geotoolz.io import WriteCOG
from geotoolz.nextgen._cluster import end_node

pytestmark = [pytest.mark.ray, pytest.mark.slow]
SCRIPTS = Path(sysconfig.get_path("scripts"))
HELPERS = str(Path(__file__).parent / "helpers")
SCENES = 24
HAS_JOBS = find_spec("aiohttp_cors") is not None
HAS_CLIENT = find_spec("grpc") is not None
NEEDS_CLIENT = pytest.mark.skipif(not HAS_CLIENT, reason="gRPC is not installed: ray[client]")

RUN = """
import sys
from pathlib import Path
from gtz_ray_operators import Slow
from geotoolz.batch import CatalogPipeline
from geotoolz.core import Sequential
from geotoolz.indices import NDVI
from geotoolz.io import WriteCOG
from geotoolz.nextgen import RayEngine
scenes, out, address, busy = sys.argv[1:]
op = Sequential([Slow(0.5, busy), NDVI(), WriteCOG("{tile_id}.tif", bands=("ndvi",))])
engine = RayEngine(address=address, placement="spread")
report = CatalogPipeline(sorted(Path(scenes).iterdir()), op, out, engine=engine, progress="none").run()
print(engine.n_workers)
sys.exit(report.exit_code)
"""


@pytest.fixture(scope="module")
def environment():
    """Give the cluster a folder of its own (short: sockets), and its workers the operators of the tests."""
    folder = tempfile.mkdtemp(prefix="gtz", dir="/tmp")
    kept = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
    yield {**kept, "TMPDIR": folder, "PYTHONPATH": os.pathsep.join([HELPERS, *sys.path[1:]])}
    shutil.rmtree(folder, ignore_errors=True)


def command(environment, *args, check=True):
    done = subprocess.run(
        [str(SCRIPTS / "geotoolz"), *args],
        env=environment,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def cluster(environment):
    jobs = ["--jobs"] if HAS_JOBS else []
    told = json.loads(command(environment, "cluster", "up", "--nodes", "3", "--json", *jobs).stdout)
    yield told
    ended = command(environment, "cluster", "down").stdout
    assert "ended" in ended
    left = [pid for pid in _processes() if _tells(pid, environment["TMPDIR"])]
    assert not left, "processes of the cluster still run"


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes")
    for number in range(SCENES):
        day = f"2023-06-{number + 1:02d}"
        write_scene({"shape": (48, 48), "bands": ("red", "nir"), "datetime": day, "seed": number}, folder)
    return folder


def _processes():
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _tells(pid, text):
    try:
        return text in Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return False


def pixels(folder):
    found = {}
    for path in sorted(folder.glob("*.tif")):
        with rasterio.open(path) as cog:
            found[path.name] = cog.read().tobytes()
    return found


def test_a_cluster_tells_its_addresses_and_is_not_started_twice(cluster, environment):
    assert cluster["nodes"] == 3 and cluster["client"].startswith("ray://") == HAS_CLIENT
    told = command(environment, "cluster", "status").stdout
    assert "3 × 1 CPU" in told and cluster["address"] in told
    again = command(environment, "cluster", "up", check=False)
    assert again.returncode == 2 and "a cluster of 3 nodes is up" in again.stderr


@pytest.mark.parametrize("which", ["address", pytest.param("client", marks=NEEDS_CLIENT)])
def test_the_command_line_runs_on_the_cluster(which, cluster, environment, scenes, tmp_path):
    few = tmp_path / "scenes"
    few.mkdir()
    for path in sorted(scenes.iterdir())[:4]:
        shutil.copytree(path, few / path.name)
    (tmp_path / "ndvi.yaml").write_text("_target_: geotoolz.indices.NDVI\n")
    args = ("run", str(tmp_path / "ndvi.yaml"), str(few), str(tmp_path / "out"))
    done = command(
        environment, *args, "--ray-address", cluster[which], "--engine-option", "placement=spread", "--json"
    )
    told = json.loads(done.stdout)
    assert told["counts"] == {"done": 4} and told["engine"] == "ray"


@pytest.mark.skipif(not HAS_JOBS, reason="ray[default] is not installed: geotoolz-nextgen[jobs]")
def test_a_ray_job_runs_the_command_of_the_guide(cluster, environment, scenes, tmp_path):
    few = tmp_path / "scenes"
    few.mkdir()
    for path in sorted(scenes.iterdir())[:3]:
        shutil.copytree(path, few / path.name)
    (tmp_path / "ndvi.yaml").write_text("_target_: geotoolz.indices.NDVI\n")
    args = [str(tmp_path / "ndvi.yaml"), str(few), str(tmp_path / "out")]
    geotoolz = [str(SCRIPTS / "geotoolz"), "run", *args, "--ray-address", "auto", "--quiet"]
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": cluster["token"]}
    submit = [
        sys.executable,
        "-m",
        "ray.scripts.scripts",
        "job",
        "submit",
        "--address",
        cluster["jobs"],
        "--",
    ]
    done = subprocess.run(
        [*submit, *geotoolz],
        env={**environment, **token},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 done" in done.stdout and len(list((tmp_path / "out").glob("*.tif"))) == 3


def test_a_node_that_is_lost_loses_no_tile_and_does_none_twice(cluster, environment, scenes, tmp_path):
    out, calm, busy = tmp_path / "out", tmp_path / "calm", tmp_path / "busy"
    busy.mkdir()
    run = subprocess.Popen(
        [sys.executable, "-c", RUN, str(scenes), str(out), cluster["address"], str(busy)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    node = json.loads(Path(cluster["token"]).with_name("cluster.json").read_text())["pids"][-1]
    begins = (lambda: not (busy / str(node)).exists(), (busy / str(node)).exists)
    limit = time.monotonic() + 300
    for happened in (lambda: len(list(out.glob("items/*.json"))) >= 4, *begins):
        while not happened():
            assert time.monotonic() < limit and run.poll() is None, run.communicate()[1]
            time.sleep(0.01)
    end_node(node)
    told, err = run.communicate(timeout=300)
    assert run.returncode == 0, err
    assert told.strip() == "2", "the engine counts the nodes that are left"

    events = [json.loads(line) for line in (out / ".geotoolz/journal.jsonl").read_text().splitlines()]
    done = [event for event in events if event["ev"] == "done"]
    assert sorted(event["id"] for event in done) == sorted(path.name for path in scenes.iterdir())
    assert sum(event["att"] for event in done) > SCENES, "the node was lost with what it was doing"
    rows = json.loads((out / "report.json").read_text())["tiles"]
    kinds = {a["kind"] for row in rows for a in row.get("attempts", ()) if "kind" in a}
    assert kinds and kinds <= {"node-lost", "lost"}
    assert not list((out / ".geotoolz/staging").iterdir())

    op = Sequential([Slow(0.0), NDVI(), WriteCOG("{tile_id}.tif", bands=("ndvi",))])
    report = CatalogPipeline(sorted(scenes.iterdir()), op, calm, progress="none").run()
    assert report.counts == {"done": SCENES}
    assert pixels(out) == pixels(calm) and len(pixels(calm)) == SCENES
