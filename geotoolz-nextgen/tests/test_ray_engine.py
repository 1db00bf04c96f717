from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import gtz_ray_tasks as tasks
import pytest

from geotoolz.batch import CatalogPipeline, Driver, ExitCode, FailureKind, RetryPolicy, get_engine
from geotoolz.core import BatchError, ReadError, Sequential
from geotoolz.core.testing import write_scene
from geotoolz.io import WriteCOG, open_tile
from geotoolz.radiometry import BoxMean

pytestmark = pytest.mark.ray
SCENES = 8


def outcomes(payloads, fn=tasks.by_name, **options):
    options.setdefault("policy", RetryPolicy(base=0.01))
    driver = Driver(get_engine("ray", 2), **options)
    return {o.ident: o for o in driver.run(fn, ((str(i), p) for i, p in enumerate(payloads)), len(payloads))}


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes")
    for number in range(SCENES):
        write_scene(
            {"shape": (64, 64), "bands": ("red", "nir"), "datetime": f"2023-06-{number + 10}"}, folder
        )
    return sorted(folder.iterdir())


def pipeline():
    return Sequential([BoxMean(radius=1, bands=("red", "nir")), WriteCOG("{item_id}_{band}.tif")])


def test_tasks_run_and_failures_are_data(ray_session, tmp_path):
    payloads = ["a", "bad-data", f"busy-once {tmp_path / 'm'}", *["b"] * 20]
    found = outcomes(payloads)
    assert len(found) == len(payloads)
    assert [i for i, o in found.items() if o.failure] == ["1"]
    assert found["1"].failure.kind is FailureKind.BAD_DATA and isinstance(
        found["1"].failure.exception, ReadError
    )
    assert len(found["2"].attempts) == 2
    assert found["0"].attempts[0].worker.startswith("ray-")


def test_workers_have_a_small_gdal_cache(ray_session):
    assert outcomes(["environment"])["0"].value == os.environ.get("GDAL_CACHEMAX", "64")


def test_a_killed_worker_loses_only_its_task_and_that_one_is_tried_again(ray_session, tmp_path):
    found = outcomes(["a", f"kill-once {tmp_path / 'm'}", *["b"] * 10])
    assert all(o.failure is None for o in found.values())
    assert [a.failure.kind if a.failure else None for a in found["1"].attempts] == [FailureKind.LOST, None]


def test_a_task_that_kills_every_worker_is_poison(ray_session):
    found = outcomes(["a", "exit", "b"], policy=RetryPolicy(worker_deaths=2))
    assert found["1"].failure.kind is FailureKind.POISON and len(found["1"].attempts) == 2
    assert found["0"].failure is None and found["2"].failure is None


def test_a_deadline_kills_the_task(ray_session):
    start = time.monotonic()
    found = outcomes(["sleep 100", "a", "b"], timeout=1.0, policy=RetryPolicy(worker_deaths=1))
    assert time.monotonic() - start < 60
    assert found["0"].attempts[0].failure.kind is FailureKind.TIMEOUT and "1 s" in found["0"].failure.message
    assert found["1"].failure is None and found["2"].failure is None


def test_results_that_do_not_pickle_are_failures(ray_session):
    assert "cannot be pickled" in outcomes(["a"], tasks.unpicklable)["0"].failure.message


def test_an_address_where_nobody_is_is_a_batch_error():
    code = (
        "from geotoolz.nextgen import RayEngine\n"
        "engine = RayEngine(1, address='127.0.0.1:1')\nengine.start(len)\nengine.submit(0, 'a')\n"
    )
    env = {**os.environ, "RAY_gcs_rpc_server_connect_timeout_s": "1", "RAY_NUM_REDIS_GET_RETRIES": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False, env=env
    )
    assert "BatchError: nobody answers at '127.0.0.1:1'" in done.stderr


def test_ray_and_inline_give_the_same_pixels(ray_session, scenes, tmp_path):
    for engine in ("inline", "ray"):
        report = CatalogPipeline(
            scenes, pipeline(), tmp_path / engine, engine=engine, n_workers=2, progress="none"
        ).run()
        assert report.counts == {"done": SCENES}, [row.message for row in report.failed]
    for path in scenes:
        for band in ("red", "nir"):
            a, b = (open_tile(tmp_path / engine / f"{path.name}_{band}.tif") for engine in ("inline", "ray"))
            assert a.equals(b)


def test_a_run_with_nothing_to_do_does_not_import_ray(scenes, tmp_path):
    CatalogPipeline(scenes, pipeline(), tmp_path, engine="inline", progress="none").run()
    code = SCRIPT.format(scenes=str(scenes[0].parent), out=str(tmp_path), tail="print('ray' in sys.modules)")
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "False"


def test_ctrl_c_finishes_the_running_tiles_and_the_next_run_goes_on(scenes, tmp_path):
    code = SCRIPT.format(scenes=str(scenes[0].parent), out=str(tmp_path), tail="sys.exit(report.exit_code)")
    slow = {**os.environ, "PYTHONPATH": HELPERS, "GTZ_SLOW": "1"}
    run = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=slow,
    )
    limit = time.monotonic() + 300  # Ray starts slowly where another one starts beside it
    while not list(tmp_path.glob("items/*.json")):
        if time.monotonic() > limit or run.poll() is not None:
            run.kill()
            pytest.fail(f"no tile was finished (exit code {run.poll()}): {run.communicate()[1][-2000:]}")
        time.sleep(0.02)
    os.killpg(run.pid, signal.SIGINT)
    _, err = run.communicate(timeout=120)
    assert run.returncode == ExitCode.INTERRUPTED, err
    assert "Traceback" not in err
    done = len(list(tmp_path.glob("items/*.json")))
    assert 1 <= done < SCENES
    assert [json.loads(line)["event"] for line in err.splitlines()][-1] == "end"
    assert not list((tmp_path / ".geotoolz/staging").iterdir())
    counts = CatalogPipeline(scenes, pipeline(), tmp_path, engine="inline", progress="none").plan().counts
    assert counts == {"fresh": done, "new": SCENES - done}


def test_unknown_addresses_of_engines_by_name_are_told():
    with pytest.raises(BatchError, match="inline, process, ray"):
        get_engine("slurm")


HELPERS = str(Path(__file__).parent / "helpers")
SCRIPT = """
import sys
from pathlib import Path
from geotoolz.batch import CatalogPipeline
from geotoolz.core import Sequential
from geotoolz.io import WriteCOG
from geotoolz.radiometry import BoxMean
op = Sequential([BoxMean(radius=1, bands=("red", "nir")), WriteCOG("{{item_id}}_{{band}}.tif")])
paths = sorted(Path({scenes!r}).iterdir())
report = CatalogPipeline(paths, op, {out!r}, engine="ray", n_workers=2, progress="json").run()
{tail}
"""
