"""Disks that fill, journals that tear, inputs that are not what they were, clocks that are set."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import gtz_faults as faults
import numpy as np
import pytest
from gtz_faults import TILES

from geotoolz.batch import ExitCode, Journal, StopReason, replay
from geotoolz.core._errors import GeotoolzError

START = 1_700_000_000.0


# ---- the journal


def test_a_journal_torn_at_every_byte_of_its_last_record(scenes, expected, out):
    assert faults.job(scenes, out).run().ok
    path = out / ".geotoolz" / "journal.jsonl"
    whole = path.read_bytes()
    records = [line for line in whole.splitlines(keepends=True) if b'"ev":"end"' not in line]
    kept, last = b"".join(records[:-1]), records[-1]
    assert b'"ev":"done"' in last
    for length in range(len(last) - 1):
        path.write_bytes(kept + last[:length])
        told = replay(path.parent)
        assert len(told) == TILES - 1 and all(record["ev"] == "done" for record in told.values())
        if length % 97 == 0:  # the item says what the record said
            assert faults.job(scenes, out).plan().counts == {"fresh": TILES}
        with Journal(path) as journal:
            journal.append("done", id="next", key="k", run="r")
        assert set(replay(path.parent)) == {*told, "next"}, f"torn after {length} bytes"
    path.write_bytes(kept + last[:-1])
    assert len(replay(path.parent)) == TILES, "a record without its end of line is whole"
    faults.check_end(out, expected, faults.job(scenes, out).run().counts)


@pytest.mark.parametrize("damage", [b"", b"\0" * 4096, b"{" * 300, b'{"ev":"done"}\n', b"\xff\xfe\n[]\n"])
def test_a_journal_that_is_lost_or_full_of_rubbish(scenes, expected, out, damage):
    assert faults.job(scenes, out, limit=5).run().ok
    (out / ".geotoolz" / "journal.jsonl").write_bytes(damage)
    counts = faults.job(scenes, out).run().counts
    assert counts == {"fresh": 5, "done": TILES - 5}
    faults.check_end(out, expected, faults.job(scenes, out).run().counts)


# ---- the disk


def test_a_disk_that_is_full_from_every_access_on(scenes, expected, tmp_path):
    """Wherever it happens, the run ends typed, what stands is whole, and the next run goes on."""
    calm = tmp_path / "calm" / "out"
    faults.POINT.arm(calm, 10**9, lambda: None, writing=True)
    faults.job(scenes, calm, limit=2).run()
    total = faults.POINT.seen
    stopped = 0
    for left in range(total):
        out = tmp_path / str(left) / "out"
        faults.POINT.arm(out, left, faults.full, writing=True)
        try:
            report = faults.job(scenes, out, limit=2).run()
            if report.stopped is not None:
                assert report.stopped is StopReason.OUTPUT and report.exit_code == ExitCode.STOPPED
                stopped += 1
        except GeotoolzError as error:
            assert "No space left" in str(error)
            stopped += 1
        finally:
            faults.POINT.disarm()
        faults.check_visible(out, expected)
        again = faults.job(scenes, out, limit=2).run()
        assert again.ok and sum(again.counts.values()) == 2
        faults.check_visible(out, expected)
    assert stopped > total / 2


def test_a_small_file_system_that_fills(scenes, expected, tmp_path):
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=56k", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("this user may not mount a tmpfs")
    try:
        out = place / "out"
        report = faults.job(scenes, out).run()
        assert report.stopped is StopReason.OUTPUT and report.counts["failed"] >= 1
        done = report.counts.get("done", 0)
        faults.check_visible(out, expected)
        subprocess.run(["mount", "-o", "remount,size=4m", str(place)], check=True)
        counts = faults.job(scenes, out).run().counts
        assert counts == {"done": TILES - done, **({"fresh": done} if done else {})}
        faults.check_end(out, expected, counts)
    finally:
        subprocess.run(["umount", str(place)], check=True)


# ---- inputs


def rasters(scene):
    return sorted(scene.rglob("*.tif"))


@pytest.fixture
def own_scenes(scenes, tmp_path):
    """Scenes that may be spoilt, with the times of the others, for they are in the items."""
    import shutil

    return Path(shutil.copytree(scenes, tmp_path / "in", copy_function=shutil.copy2))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: b"",
        lambda data: data[: len(data) // 2],
        lambda data: data[:-20],
        lambda data: b"\0" * len(data),
    ],
    ids=["0 bytes", "half", "cut at the end", "zeros"],
)
def test_inputs_that_are_spoilt_and_come_back(own_scenes, expected, out, spoil):
    first, *_, last = sorted(own_scenes.iterdir())
    kept = {path: (path.read_bytes(), path.stat()) for path in (rasters(first)[0], rasters(last)[-1])}
    for path, (data, _) in kept.items():
        path.write_bytes(spoil(data))
    report = faults.job(own_scenes, out).run()
    assert {row.tile_id for row in report.failed} <= {first.name, last.name}
    assert report.counts["done"] >= TILES - 2
    assert all(row.kind == "bad-data" for row in report.failed), [row.message for row in report.failed]
    for path, (data, stat) in kept.items():
        path.write_bytes(data)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert faults.job(own_scenes, out, retry_failed=True).run().ok
    assert pixels(faults.result_of(out)) == pixels(expected)


def pixels(result):
    return {name: content for name, content in result.items() if not name.endswith(".json")}


def test_inputs_that_change_while_the_run_is_under_way(own_scenes, expected, out, monkeypatch):
    from geotoolz.batch import _compute

    real, victims = (
        _compute.compute_tile,
        {scene.name: rasters(scene)[0] for scene in sorted(own_scenes.iterdir())[::3]},
    )
    kept = {path: (path.read_bytes(), path.stat()) for path in victims.values()}

    def disturbed(op, task, clock):
        if task.tile_id in victims:
            path = victims[task.tile_id]
            path.write_bytes(kept[path][0])  # the same pixels, at another time: nobody can know that here
        return real(op, task, clock)

    monkeypatch.setattr(_compute, "compute_tile", disturbed)
    report = faults.job(own_scenes, out).run()
    assert {row.tile_id for row in report.failed} == set(victims)
    assert all("since the tile was planned" in row.message for row in report.failed)
    assert pixels(faults.result_of(out)).items() <= pixels(expected).items()
    monkeypatch.undo()
    for path, (_, stat) in kept.items():
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    counts = faults.job(own_scenes, out, retry_failed=True).run().counts
    assert counts == {"done": len(victims), "fresh": TILES - len(victims)}
    assert pixels(faults.result_of(out)) == pixels(expected)


# ---- clocks


class Clock:
    """A clock that somebody sets now and then."""

    def __init__(self, steps):
        self.now, self.steps, self.asked = START, list(steps), 0

    def __call__(self):
        self.asked += 1
        self.now += 0.001
        if self.asked % 7 == 0 and self.steps:
            self.now += self.steps.pop(0)
        return self.now


@pytest.mark.parametrize(
    "steps",
    [[-3600.0] * 9, [86400.0 * 365] * 9, [-86400.0, 86400.0] * 5, [-START - 10.0]],
    ids=["back", "on", "to and fro", "before 1970"],
)
def test_clocks_that_step(scenes, expected, tmp_path, out, monkeypatch, steps):
    clock = Clock(steps)
    monkeypatch.setattr(time, "time", clock)
    first = faults.job(scenes, out, limit=3, metrics=tmp_path / "x.prom").run()
    assert first.counts == {"done": 3} and 0 <= first.seconds < 600
    clock.steps = list(steps)
    again = faults.job(scenes, out).run()
    assert again.counts == {"done": TILES - 3, "fresh": 3} and 0 <= again.seconds < 600
    faults.check_end(out, expected, again.counts)
    assert faults.job(scenes, out).plan().counts == {"fresh": TILES}


def test_the_last_word_is_the_last_line_whatever_the_clock_says(tmp_path, monkeypatch):
    monkeypatch.setattr(time, "time", Clock([-7200.0] * 5))
    with Journal(tmp_path / "journal.jsonl") as journal:
        for number in range(40):
            journal.append("failed" if number % 2 else "done", id="a", key=str(number))
        journal.append("done", id="a", key="last")
    assert replay(tmp_path)["a"]["key"] == "last"


def test_scenes_differ_from_each_other(expected):
    assert len(set(map(str, pixels(expected).values()))) == TILES and np.isfinite(TILES)
