"""Workers and drivers that are killed: the outputs are those of an undisturbed run."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
import zlib
from pathlib import Path

import gtz_faults as faults
import numpy as np
import pytest
from gtz_faults import KILLS, TILES

from geotoolz.batch import Driver, ExitCode, FailureKind, ProcessEngine, RetryPolicy, quarantine, release
from geotoolz.io import open_tile

PATIENT = RetryPolicy(worker_deaths=10_000)
#: accesses to the output folder that one tile needs, from its first to its last
ACCESSES = 30


def test_workers_killed_at_every_kind_of_moment(scenes, expected, tmp_path, record_property, capsys):
    kills, rounds = 0, 0
    pixels = {cog: expected if not cog else _calm_cogs(scenes, tmp_path) for cog in (False, True)}
    while kills < KILLS:
        folder = tmp_path / f"round-{rounds}"
        folder.mkdir()
        out, cog = folder / "out", rounds % 4 == 1
        with faults.fate(folder=folder, out=out, seed=rounds, share=0.9, accesses=ACCESSES):
            report = faults.job(scenes, out, cog=cog, engine="process", n_workers=2, retries=PATIENT).run()
        dead = faults.counted(folder / "kills")
        lost = [a for row in report.rows for a in row.attempts if a.get("kind") == FailureKind.LOST]
        assert len(lost) == dead, "every death is an attempt in the report"
        faults.check_end(out, pixels[cog], report.counts)
        kills, rounds = kills + dead, rounds + 1
    record_property("worker_kills", kills)
    with capsys.disabled():
        sys.stdout.write(f"\n{kills} workers killed in {rounds} runs of {TILES} tiles\n")


def _calm_cogs(scenes, tmp_path):
    assert faults.job(scenes, tmp_path / "calm" / "out", cog=True).run().ok
    return faults.result_of(tmp_path / "calm" / "out")


def test_workers_killed_from_outside_at_random_times(scenes, expected, out):
    rng, engine, over = random.Random(7), ProcessEngine(2), threading.Event()
    killed = []

    def reap():
        while not over.wait(rng.uniform(0.0, 0.05)) and len(killed) < 30:
            workers = [worker.process for worker in list(engine._workers) if worker.queue]
            if workers:
                victim = rng.choice(workers)
                try:
                    os.kill(victim.pid, signal.SIGKILL)
                except (ValueError, ProcessLookupError, TypeError):  # ended, or closed, a moment ago
                    continue
                killed.append(victim.pid)

    thread = threading.Thread(target=reap)
    thread.start()
    try:
        counts = faults.job(scenes, out, engine=engine, retries=PATIENT).run().counts
    finally:
        over.set()
        thread.join()
    faults.check_end(out, expected, counts)


def test_a_driver_killed_at_random_accesses_and_started_again(scenes, expected, tmp_path):
    killed = 0
    for seed in range(4):
        folder = tmp_path / str(seed)
        folder.mkdir()
        out, calls = folder / "out", []
        payload = {
            "scenes": str(scenes),
            "out": str(out),
            "folder": str(folder),
            "seed": seed,
            "accesses": 2 * ACCESSES,
        }

        def look(ident, failure, pause, out=out, calls=calls):
            calls.append(failure.kind)
            faults.check_visible(out, expected)  # also between a death and the next start

        driver = Driver(ProcessEngine(1), policy=PATIENT, on_retry=look)
        (outcome,) = driver.run(faults.run_job, [("driver", payload)], 1)
        assert outcome.failure is None, outcome.failure
        assert len(calls) == faults.counted(folder / "kills") and set(calls) <= {FailureKind.LOST}
        faults.check_end(out, expected, outcome.value)
        killed += len(calls)
    assert killed >= 12, "the points lay beyond the end"


SCRIPT = """
import sys
sys.path[:0] = {paths!r}
from pathlib import Path
import gtz_faults
from geotoolz.batch import RetryPolicy
report = gtz_faults.job(Path({scenes!r}), Path({out!r}), engine="process", n_workers=2, progress="json").run()
sys.exit(report.exit_code)
"""


def test_a_driver_with_workers_killed_from_outside(scenes, expected, out):
    paths = [str(Path(faults.__file__).parent)]
    text = SCRIPT.format(paths=paths, scenes=str(scenes), out=str(out))
    for wanted in (1, 4):
        driver = subprocess.Popen([sys.executable, "-c", text], stderr=subprocess.DEVNULL)
        limit = time.monotonic() + 240
        while len(list(out.glob("items/*.json"))) < wanted and driver.poll() is None:
            assert time.monotonic() < limit, "no tile was finished"
            time.sleep(0.002)
        driver.kill()
        driver.wait()
        faults.check_visible(out, expected)
    assert (
        subprocess.run([sys.executable, "-c", text], stderr=subprocess.DEVNULL, check=False).returncode == 0
    )
    faults.check_end(out, expected)


def test_a_tile_that_kills_its_worker_each_time_is_quarantined_after_three(scenes, expected, tmp_path, out):
    doomed = sorted(scenes.iterdir())[3]
    red = open_tile(doomed)["red"].values.astype(np.float32)
    mark = f"{zlib.crc32(red.tobytes()):08x}"
    with faults.fate(folder=tmp_path, out=out, seed=0, share=0.0, accesses=0, always=[mark]):
        report = faults.job(scenes, out, engine="process", n_workers=2, max_failures=1).run()
        assert report.exit_code == ExitCode.FAILED_TILES
        assert faults.counted(tmp_path / "kills") == 3
        (row,) = report.failed
        assert (row.tile_id, row.kind, len(row.attempts)) == (doomed.name, "poison", 3)
        assert report.counts == {"done": TILES - 1, "failed": 1}
        faults.check_visible(out, expected)
        again = faults.job(scenes, out, engine="process", n_workers=2, max_failures=1).run()
        assert again.counts == {"fresh": TILES - 1, "quarantined": 1}
        assert faults.counted(tmp_path / "kills") == 3, "it was not tried again"
    assert [tile.kind for tile in quarantine(out)] == [FailureKind.POISON]
    release(out)
    faults.check_end(out, expected, faults.job(scenes, out).run().counts)


def test_two_drivers_at_once_and_a_full_run_that_races_a_resume(scenes, expected, tmp_path):
    for seed in range(2):
        out = tmp_path / str(seed) / "out"
        faults.job(scenes, out, limit=seed * 4 + 1).run()  # the resume has something left
        payload = {"scenes": str(scenes), "out": str(out)}
        stale = {**payload, "options": {"stale_on": ["code"]}}
        driver = Driver(ProcessEngine(2))
        outcomes = list(driver.run(faults.run_beside, [("resume", payload), ("full", stale)], 2))
        assert all(outcome.failure is None for outcome in outcomes), outcomes
        faults.check_end(out, expected)


@pytest.mark.parametrize("seed", range(3))
def test_a_run_that_makes_everything_again_is_killed(scenes, expected, tmp_path, seed):
    """The outputs of the first run may go, but never half of one stands in its place."""
    folder = tmp_path
    out = folder / "out"
    assert faults.job(scenes, out).run().ok
    for path in out.glob("items/*.json"):
        path.unlink()  # all are partial now, and made over their own files
    payload = {
        "scenes": str(scenes),
        "out": str(out),
        "folder": str(folder),
        "seed": seed,
        "accesses": 3 * ACCESSES,
    }
    driver = Driver(ProcessEngine(1), policy=PATIENT, on_retry=lambda *_: faults.check_visible(out, expected))
    (outcome,) = driver.run(faults.run_job, [("driver", payload)], 1)
    assert outcome.failure is None
    faults.check_end(out, expected)
