"""What goes wrong around a run: Ctrl-C, full and read-only disks, torn journals, two runs at once."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from gtz_batch_ops import Ratio, WriteNpy

from geotoolz.batch import CatalogPipeline, ExitCode, Journal, Layout, replay
from geotoolz.batch._commit import commit, staging_folder
from geotoolz.batch._lease import Lease
from geotoolz.core import Sequential
from geotoolz.core._errors import BatchError, WriteError
from geotoolz.core.testing import write_scene

HELPERS = Path(__file__).parent / "helpers"

SCRIPT = """
import sys
sys.path.insert(0, {helpers!r})
from pathlib import Path
from gtz_batch_ops import Ratio, WriteNpy
from geotoolz.batch import CatalogPipeline
from geotoolz.core import Sequential
op = Sequential([Ratio(what="sleep 1"), WriteNpy("{{item_id}}.npy")])
paths = sorted(Path({scenes!r}).iterdir())
report = CatalogPipeline(paths, op, {out!r}, engine={engine!r}, n_workers=2, progress="json").run()
print(report.counts)
sys.exit(report.exit_code)
"""


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes")
    scene = {"shape": (32, 32), "bands": ("red", "nir")}
    for number in range(8):
        write_scene({**scene, "datetime": f"2023-06-{number + 10}"}, folder)
    return folder


def pipeline(scenes, out, **options):
    op = Sequential([Ratio(), WriteNpy("{item_id}.npy")])
    return CatalogPipeline(sorted(scenes.iterdir()), op, out, progress="none", **options)


def wait_for(condition, seconds=60.0):
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "it did not happen"
        time.sleep(0.02)


def started(scenes, out, engine):
    text = SCRIPT.format(helpers=str(HELPERS), scenes=str(scenes), out=str(out), engine=engine)
    return subprocess.Popen(
        [sys.executable, "-c", text],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.parametrize("engine", ["inline", "process"])
def test_ctrl_c_finishes_the_running_tiles_and_the_next_run_goes_on(scenes, tmp_path, engine):
    run = started(scenes, tmp_path, engine)
    wait_for(lambda: list(tmp_path.glob("items/*.json")))
    os.killpg(run.pid, signal.SIGINT)  # as a terminal does: to the workers as well
    out, err = run.communicate(timeout=60)
    assert run.returncode == ExitCode.INTERRUPTED == 130, err
    assert "Traceback" not in err
    events = [json.loads(line) for line in err.splitlines()]
    assert {"start", "interrupt", "end"} <= {event["event"] for event in events}
    done = len(list(tmp_path.glob("items/*.json")))
    assert 1 <= done < 8 and f"'done': {done}" in out
    assert len(list(tmp_path.glob("*.npy"))) == done
    assert not list((tmp_path / ".geotoolz/staging").iterdir())
    op = Sequential([Ratio(what="sleep 1"), WriteNpy("{item_id}.npy")])
    report = CatalogPipeline(sorted(scenes.iterdir()), op, tmp_path, n_workers=2, progress="none").run()
    assert report.counts == {"done": 8 - done, "fresh": done} and report.ok


def test_a_second_ctrl_c_stops_at_once(scenes, tmp_path):
    run = started(scenes, tmp_path, "process")
    wait_for(lambda: list(tmp_path.glob("items/*.json")))
    os.kill(run.pid, signal.SIGINT)
    while json.loads(run.stderr.readline())["event"] != "interrupt":  # two signals at once would be one
        pass
    os.kill(run.pid, signal.SIGINT)
    _, err = run.communicate(timeout=30)
    assert run.returncode != 0 and "KeyboardInterrupt" in err
    assert not list((tmp_path / ".geotoolz/staging").iterdir())


def test_a_read_only_output_folder_is_a_write_error(scenes, tmp_path, monkeypatch):
    out = tmp_path / "out"
    real = Path.write_bytes

    def refused(self, data):
        if out in self.parents:
            raise OSError(30, "Read-only file system", str(self))
        return real(self, data)

    monkeypatch.setattr(Path, "write_bytes", refused)  # rights do not stop root
    with pytest.raises(WriteError, match="Read-only file system"):
        pipeline(scenes, out).run()


def test_an_output_path_that_is_a_file_is_a_write_error(scenes, tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(WriteError, match="out"):
        pipeline(scenes, tmp_path / "out").run()


def test_a_full_disk_ends_the_run_and_leaves_nothing_half_written(scenes, tmp_path, monkeypatch):
    import numpy as np

    real = np.save
    saved = []

    def full(path, values):
        if len(saved) == 2:
            Path(path).write_bytes(b"half a file")
            raise OSError(28, "No space left on device", str(path))
        saved.append(path)
        real(path, values)

    monkeypatch.setattr(np, "save", full)
    report = pipeline(scenes, tmp_path).run()
    assert report.counts == {"done": 2, "failed": 1, "not-run": 5} and report.exit_code == ExitCode.STOPPED
    assert report.failures == {"output": 1} and "No space left" in report.failed[0].message
    assert len(list(tmp_path.glob("*.npy"))) == 2
    assert not list((tmp_path / ".geotoolz/staging").iterdir())
    monkeypatch.undo()
    assert pipeline(scenes, tmp_path).run().counts == {"done": 6, "fresh": 2}


def test_an_unwritable_journal_is_a_batch_error(scenes, tmp_path):
    layout = Layout(tmp_path)
    layout.make()
    layout.journal(None).mkdir()
    with pytest.raises(BatchError, match="journal"):
        pipeline(scenes, tmp_path).run()


def test_a_journal_on_a_full_disk_is_a_batch_error(tmp_path, monkeypatch):
    journal = Journal(tmp_path / "journal.jsonl")
    monkeypatch.setattr(
        os, "write", lambda fd, data: (_ for _ in ()).throw(OSError(28, "No space left on device"))
    )
    with pytest.raises(BatchError, match="No space left"):
        journal.append("done", id="a")


def test_replay_takes_the_last_word_and_passes_over_torn_lines(tmp_path):
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        journal.append("run", run="r", versions={"geotoolz-core": "1"})
        journal.append("failed", id="a", key="k", run="r")
        journal.append("done", id="a", key="k", run="r")
        journal.append("done", id="b", key="k", run="r")
    path.write_bytes(path.read_bytes()[:-9])
    assert set(replay(tmp_path)) == {"a"}
    with Journal(path) as journal:
        journal.append("done", id="c", key="k", run="r")
    path.write_bytes(path.read_bytes() + b"\0" * 50 + b"\n[1]\n{}\n")
    found = replay(tmp_path)
    assert (
        set(found) == {"a", "c"}
        and found["a"]["ev"] == "done"
        and found["a"]["versions"] == {"geotoolz-core": "1"}
    )


@pytest.mark.parametrize(
    "junk", [b'{"ev":"done","t":1,"id":"x', b"{}", b'{"ev":1}', b"{[}", b"\xff", b'{"a":"\xff"}']
)
@pytest.mark.parametrize("place", [0, 255, 256, 599])
def test_a_bad_line_takes_no_other_with_it(tmp_path, junk, place):
    lines = [b'{"ev":"done","t":%d,"id":"tile-%d"}' % (n, n) for n in range(600)]
    (tmp_path / "journal.jsonl").write_bytes(b"\n".join([*lines[:place], junk, *lines[place:]]))
    assert list(replay(tmp_path)) == [f"tile-{n}" for n in range(600)]


def test_journals_of_shards_are_read_together(tmp_path):
    layout = Layout(tmp_path)
    layout.make()
    for part in (1, 2):
        with Journal(layout.journal((part, 2))) as journal:
            journal.append("done", id=f"tile-{part}", key="k")
    assert set(replay(layout.private)) == {"tile-1", "tile-2"}


def test_one_run_per_shard_at_a_time(scenes, tmp_path):
    layout = Layout(tmp_path)
    layout.make()
    with Lease(layout, (1, 2)):
        with Lease(layout, (2, 2)):
            pass
        with pytest.raises(BatchError, match=f"process {os.getpid()}"), Lease(layout, (1, 2)):
            pass
        with pytest.raises(BatchError, match="is working on"):
            pipeline(scenes, tmp_path).run()
    assert pipeline(scenes, tmp_path, limit=1).run().ok


def test_a_crash_between_files_and_item_is_partial_and_made_again(tmp_path):
    layout = Layout(tmp_path)
    layout.make()

    def crash(files):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), staging_folder(layout, "a") as staged:
        (staged / "a.npy").write_bytes(b"1")
        commit(layout, "a", staged, {}, crash)
    assert (tmp_path / "a.npy").exists() and not layout.item("a").exists()
    with staging_folder(layout, "a") as staged:
        (staged / "a.npy").write_bytes(b"22")
        files = commit(layout, "a", staged, {}, lambda files: {"assets": {}})
    assert [(file.path, file.size) for file in files] == [("a.npy", 2)]
    assert (tmp_path / "a.npy").read_bytes() == b"22" and layout.item("a").exists()


def test_files_whose_item_the_disk_does_not_take_are_taken_back(tmp_path):
    layout = Layout(tmp_path)
    layout.make()

    def full(files):
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(WriteError, match="No space left"), staging_folder(layout, "a") as staged:
        (staged / "a.npy").write_bytes(b"1")
        commit(layout, "a", staged, {}, full)
    assert not (tmp_path / "a.npy").exists() and not layout.intent("a").exists()
    with staging_folder(layout, "a") as staged:
        (staged / "a.npy").write_bytes(b"1")
        commit(layout, "a", staged, {}, lambda files: {"assets": {}})
    with pytest.raises(WriteError), staging_folder(layout, "a") as staged:
        (staged / "a.npy").write_bytes(b"22")
        commit(layout, "a", staged, {"a.npy": 1}, full)
    # the earlier file is gone for good: the tile is partial, and the next attempt knows the file for its own
    assert (tmp_path / "a.npy").read_bytes() == b"22" and layout.intent("a").exists()


def test_several_files_are_placed_together_or_not_at_all(tmp_path):
    layout = Layout(tmp_path)
    layout.make()
    (tmp_path / "b.npy").write_bytes(b"theirs")
    with pytest.raises(WriteError, match="exists"), staging_folder(layout, "a") as staged:
        for name in ("a.npy", "b.npy"):
            (staged / name).write_bytes(b"ours")
        commit(layout, "a", staged, {}, lambda files: {})
    assert not (tmp_path / "a.npy").exists() and (tmp_path / "b.npy").read_bytes() == b"theirs"


def test_a_disk_that_is_full_for_the_journal_alone_ends_the_run_in_good_order(scenes, tmp_path, monkeypatch):
    """Whether a tile or the line about it finds the disk full first, is chance: both end a run alike."""
    from geotoolz.batch import _journal

    write, lines = _journal._write_all, []

    def full(fd, data):
        lines.append(data)
        if len(lines) == 4:  # run, done, done, and half of the next one
            write(fd, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(fd, data)

    monkeypatch.setattr(_journal, "_write_all", full)
    out = tmp_path / "out"
    report = pipeline(scenes, out, engine="inline").run()
    assert report.exit_code is ExitCode.STOPPED
    assert report.counts == {"done": 3, "not-run": 5}
    assert "No space left" in report.why
    monkeypatch.undo()
    text = Layout(out).journal(None).read_text().splitlines()
    assert [_event(line) for line in text] == ["run", "done", "done", "torn", "end"]
    again = pipeline(scenes, out, engine="inline").run()  # the item tells what the journal lost
    assert again.counts == {"fresh": 3, "done": 5} and again.exit_code is ExitCode.DONE


def _event(line):
    try:
        return json.loads(line)["ev"]
    except json.JSONDecodeError:
        return "torn"
