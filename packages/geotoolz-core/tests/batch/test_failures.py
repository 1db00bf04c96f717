"""Kinds of failure and what follows: the breaker, lost nodes, quarantine, deadlines, leases, alerts."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import gtz_batch_tasks as tasks
import pytest
from gtz_batch_ops import Ratio, WriteNpy

from geotoolz.batch import (
    Alert,
    CatalogPipeline,
    CircuitBreaker,
    Completion,
    Driver,
    ExitCode,
    Failure,
    FailureKind,
    FailureLimit,
    InlineEngine,
    Layout,
    ProcessEngine,
    RetryPolicy,
    StopReason,
    quarantine,
    release,
)
from geotoolz.batch._breaker import ErrorWatch, shape_of
from geotoolz.batch._holder import is_alive, myself
from geotoolz.batch._lease import Lease
from geotoolz.batch._signals import Interrupts
from geotoolz.core import Sequential
from geotoolz.core._errors import BatchError, ParameterError
from geotoolz.core.testing import write_scene

HELPERS = Path(__file__).parent / "helpers"
TILES = 6


@pytest.fixture
def scenes(tmp_path):
    for number in range(TILES):
        write_scene(
            {"shape": (16, 16), "bands": ("red", "nir"), "datetime": f"2023-06-{number + 10}"},
            tmp_path / "in",
        )
    return sorted((tmp_path / "in").iterdir())


def job(scenes, out, **options):
    op = Sequential([Ratio(), WriteNpy("{item_id}.npy")])
    return CatalogPipeline(scenes, op, out, **{"progress": "none", **options})


def break_scene(folder):
    """Spoil every raster of a scene, unseen by size and time; returns what puts it right again."""
    kept = {path: (path.read_bytes(), path.stat()) for path in folder.rglob("*.tif")}

    def write(change):
        for path, (data, stat) in kept.items():
            path.write_bytes(change(data))
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))

    write(lambda data: b"x" * len(data))
    return lambda: write(lambda data: data)


def failure(message, error="ReadError", kind=FailureKind.BAD_DATA):
    return Failure(kind, error, message)


# ---- the breaker


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("'/in/a.tif': not recognized", "'/in/b b.tif': not recognized", True),
        ("/in/a.tif: HTTP response code: 403", "/other/b.tif: HTTP response code: 401", True),
        ("https://x.org/a?sig=1 refused", "https://x.org/b refused", True),
        ("band B04 is missing", "band B8A is missing", True),
        ("no CRS", "no transform", False),
        ("tile S2A_33TWL_20230815 has no data", "tile S2B_33TWL_20230820 has no data", True),
    ],
)
def test_messages_of_one_cause_have_one_shape(one, other, same):
    assert (shape_of(failure(one)) == shape_of(failure(other))) is same
    assert shape_of(failure(one)) != shape_of(failure(one, error="KeyError"))


def test_the_same_error_in_a_row_trips_and_any_other_end_starts_again():
    watch = ErrorWatch(CircuitBreaker(in_a_row=3))
    ends = [failure("no disk")] * 2 + [None] + [failure("no disk")] * 2 + [failure("no sea")]
    assert not any(watch.see(end) for end in ends)
    assert [watch.see(failure("no disk")) for _ in range(3)] == [False, False, True]
    assert watch.told == "the same error 3 times in a row: ReadError: no disk"


def test_the_same_error_on_a_share_of_a_sample_trips():
    watch = ErrorWatch(CircuitBreaker(in_a_row=100, share=0.5, sample=10))
    told = [watch.see(failure("no disk") if number % 2 else None) for number in range(10)]
    assert told == [False] * 9 + [True]
    assert watch.told == "the same error on 5 of 10 tiles: ReadError: no disk"


def test_the_breaker_ends_a_run_whatever_may_fail(tmp_path):
    driver = Driver(InlineEngine(), breaker=CircuitBreaker(in_a_row=4), limit=FailureLimit.of("100%"))
    payloads = ["a", "bug", "bug", "a", *["bug"] * 50]
    found = list(driver.run(tasks.by_name, ((str(i), p) for i, p in enumerate(payloads)), len(payloads)))
    assert driver.stopped is StopReason.SAME_ERROR and len(found) == 8
    off = Driver(InlineEngine())
    assert len(list(off.run(tasks.by_name, ((str(i), "bug") for i in range(50)), 50))) == 50
    assert off.stopped is None


def test_tiles_of_a_cause_around_them_are_not_quarantined(scenes, tmp_path):
    repairs = [break_scene(scene) for scene in scenes]
    report = job(scenes, tmp_path / "out", breaker=3, max_failures="100%").run()
    assert report.stopped is StopReason.SAME_ERROR and report.exit_code == ExitCode.STOPPED == 4
    assert report.counts == {"failed": 3, "not-run": TILES - 3}
    assert "the same error 3 times in a row: ReadError" in str(report)
    for repair in repairs:
        repair()
    # the inputs look as they did when they failed: the tiles are tried because the breaker let them go
    again = job(scenes, tmp_path / "out", breaker=3).run()
    assert again.counts == {"done": TILES}


def test_a_breaker_is_a_number_in_a_row():
    assert CircuitBreaker.of(7) == CircuitBreaker(in_a_row=7)
    assert CircuitBreaker.of(0) is None and CircuitBreaker.of(None) is None
    for wrong in (-1, "many", True, 2.5):
        with pytest.raises(ParameterError, match="breaker"):
            CircuitBreaker.of(wrong)
    with pytest.raises(ParameterError, match="share"):
        CircuitBreaker(share=0.0)
    with pytest.raises(ParameterError, match="in_a_row"):
        CircuitBreaker(in_a_row=0)


# ---- lost nodes and deadlines


class Unlucky:
    """An engine whose attempts end as a list says."""

    name, window = "unlucky", 1

    def __init__(self, ends):
        self.ends = deque(ends)
        self.ticket = None

    def start(self, fn): ...

    def submit(self, ticket, payload, timeout=None):
        self.ticket = ticket

    def wait(self, timeout):
        kind = self.ends.popleft()
        failed = None if kind is None else Failure(kind, "Lost", "gone")
        return [Completion(self.ticket, "made", failed, 0.1, "w")]

    def stop(self, *, now=False): ...


@pytest.mark.parametrize(
    ("ends", "kind", "attempts"),
    [
        ([FailureKind.NODE] * 10 + [None], None, 11),
        ([FailureKind.NODE] * 11, FailureKind.NODE, 11),
        ([FailureKind.NODE] * 5 + [FailureKind.LOST] * 2 + [None], None, 8),
        ([FailureKind.LOST, FailureKind.NODE, FailureKind.TIMEOUT, FailureKind.LOST], FailureKind.POISON, 4),
    ],
)
def test_lost_nodes_do_not_count_against_a_tile(ends, kind, attempts):
    (outcome,) = Driver(Unlucky(ends)).run(tasks.nothing, [("a", 1)], 1)
    assert (outcome.failure and outcome.failure.kind) == kind and len(outcome.attempts) == attempts


def test_a_deadline_needs_an_engine_that_can_keep_it(scenes, tmp_path):
    with pytest.raises(ParameterError, match="timeout=5 with engine='inline'"):
        job(scenes, tmp_path / "out", engine="inline", timeout=5)
    assert job(scenes, tmp_path / "out", timeout=5).engine == "process"


# ---- quarantine


def test_quarantine_is_listed_and_released(scenes, tmp_path):
    out = tmp_path / "out"
    repair = break_scene(scenes[1])
    assert job(scenes, out, max_failures=1).run().exit_code == ExitCode.FAILED_TILES
    (held,) = quarantine(out)
    assert (held.tile_id, held.kind, held.attempts) == (scenes[1].name, FailureKind.BAD_DATA, 1)
    repair()
    left = job(scenes, out, max_failures=1).run()
    assert left.counts == {"fresh": TILES - 1, "quarantined": 1} and left.exit_code == ExitCode.FAILED_TILES
    assert release(out, [held.tile_id]) == (held.tile_id,) and quarantine(out) == ()
    plan = job(scenes, out).plan()
    assert plan.counts == {"fresh": TILES - 1, "partial": 1}
    assert "released from quarantine" in plan.todo[0].reason
    assert job(scenes, out).run().ok


def test_a_released_tile_that_fails_again_is_quarantined_again(scenes, tmp_path):
    out = tmp_path / "out"
    break_scene(scenes[0])
    job(scenes, out, max_failures=1).run()
    assert len(release(out)) == 1 and release(out) == ()
    job(scenes, out, max_failures=1).run()
    assert len(quarantine(out)) == 1


def test_quarantine_mistakes(scenes, tmp_path):
    with pytest.raises(BatchError, match="no run"):
        quarantine(tmp_path / "nowhere")
    job(scenes[:1], tmp_path / "out").run()
    with pytest.raises(ParameterError, match="'x' is not in quarantine"):
        release(tmp_path / "out", ["x"])


def test_quarantine_on_the_command_line(scenes, tmp_path):
    out = tmp_path / "out"
    break_scene(scenes[2])
    job(scenes, out, max_failures=1).run()

    def call(*words):
        command = [str(Path(sys.executable).with_name("geotoolz")), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    listed = call("quarantine", "list", str(out), "--json")
    assert [tile["id"] for tile in json.loads(listed.stdout)] == [scenes[2].name], listed.stderr
    assert call("status", str(out), "--quarantine", "--json").stdout == listed.stdout
    refused = call("quarantine", "release", str(out))
    assert refused.returncode == ExitCode.USAGE and "--all" in refused.stderr
    assert "1 scene released" in call("quarantine", "release", str(out), scenes[2].name).stdout
    assert quarantine(out) == ()


# ---- inputs that change


def test_an_input_that_changes_under_the_reader_gives_no_output(scenes, tmp_path, monkeypatch):
    from geotoolz.batch import _compute

    real = _compute.compute_tile
    raster = next(scenes[0].rglob("*.tif"))

    def replaced(op, task, clock):
        made = real(op, task, clock)
        if task.tile_id == scenes[0].name:
            data = raster.read_bytes()
            raster.write_bytes(data + b"\0")
        return made

    monkeypatch.setattr(_compute, "compute_tile", replaced)
    report = job(scenes, tmp_path / "out", max_failures=1).run()
    assert "since the tile was planned" in report.failed[0].message
    assert not (tmp_path / "out" / f"{scenes[0].name}.npy").exists()
    monkeypatch.undo()
    assert job(scenes, tmp_path / "out").run().counts == {"done": 1, "fresh": TILES - 1}


# ---- leases


def lease_of(out):
    layout = Layout(out)
    layout.make()
    return layout


def test_a_lease_of_a_process_that_is_gone_is_taken_over(tmp_path, caplog):
    layout = lease_of(tmp_path)
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from geotoolz.batch import Layout; from geotoolz.batch._lease import Lease\n"
        "Lease(Layout(Path(sys.argv[1])), None).__enter__(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False, timeout=60)
    assert json.loads(layout.lease(None).read_text())["pid"] != os.getpid(), "it did not hold it"
    with caplog.at_level(logging.INFO, "geotoolz.batch"), Lease(layout, None):
        assert json.loads(layout.lease(None).read_text())["pid"] == os.getpid()
    assert "taking over from process" in caplog.text
    assert layout.lease(None).read_bytes() == b"", "a run that ended in good order leaves no name"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="only Linux tells when a process began")
def test_a_process_that_runs_keeps_its_lease_where_the_file_system_has_no_locks(tmp_path, monkeypatch):
    layout = lease_of(tmp_path)
    sleeper = subprocess.Popen(["sleep", "60"])
    try:
        from geotoolz.batch import _holder

        told = {**myself(), "pid": sleeper.pid, "start": _holder._start_of(sleeper.pid)}
        layout.lease(None).write_text(json.dumps(told))
        monkeypatch.setattr(time, "time", lambda: 0.0)  # no clock that can be set has a say
        with pytest.raises(BatchError, match=f"process {sleeper.pid} on"), Lease(layout, None):
            pass
        told["start"] = "another boot:1"  # the number is used by another process now
        layout.lease(None).write_text(json.dumps(told))
        with Lease(layout, None):
            pass
    finally:
        sleeper.kill()
        sleeper.wait()
    assert not is_alive({**told, "start": "x"}) and not is_alive({}) and not is_alive(myself())


def test_half_a_name_keeps_nobody_out(tmp_path):
    layout = lease_of(tmp_path)
    for text in (b'{"pid": 12', b"\0" * 40, b"[1]", b'{"pid": "x", "start": 3}'):
        layout.lease(None).write_bytes(text)
        with Lease(layout, None):
            pass


def test_shared_leases_go_together_but_not_with_a_run(tmp_path):
    layout = lease_of(tmp_path)
    with Lease(layout, None, shared=True), Lease(layout, None, shared=True):
        for shard in (None, (1, 2)):
            with pytest.raises(BatchError, match="is working on"), Lease(layout, shard):
                pass
    for shard in (None, (1, 2)):
        with (
            Lease(layout, shard),
            pytest.raises(BatchError, match=f"process {os.getpid()}"),
            Lease(layout, None, shared=True),
        ):
            pass


def test_workers_end_with_a_driver_that_was_killed(tmp_path):
    code = (
        f"import sys; sys.path.insert(0, {str(HELPERS)!r})\n"
        "import gtz_batch_tasks as tasks; from geotoolz.batch import Driver, ProcessEngine\n"
        f"list(Driver(ProcessEngine(1)).run(tasks.by_name, [('a', 'tell {tmp_path / 'pid'}')], 1))"
    )
    driver = subprocess.Popen([sys.executable, "-c", code])
    wait_for(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().endswith("\n"))
    worker = int((tmp_path / "pid").read_text())
    driver.kill()
    driver.wait()
    wait_for(lambda: not _runs(worker))


def _runs(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def wait_for(condition, seconds=60.0):
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "it did not happen"
        time.sleep(0.02)


# ---- signals


def test_a_signal_in_the_middle_of_a_write_is_told_later():
    told = []

    def tell():
        if not told:
            told.append("refused")
            raise RuntimeError("reentrant call inside <_io.BufferedWriter name='<stderr>'>")
        told.append("told")

    with Interrupts(tell) as interrupts:
        assert not interrupts.asked()
        os.kill(os.getpid(), signal.SIGTERM)
        assert interrupts.asked() and interrupts.asked() and told == ["refused", "told"]
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)


def test_sigterm_drains_and_the_next_run_goes_on(scenes, tmp_path):
    mark = tmp_path / "mark"
    code = (
        f"import sys; sys.path.insert(0, {str(HELPERS)!r})\n"
        "from pathlib import Path; from gtz_batch_ops import Ratio, WriteNpy\n"
        "from geotoolz.batch import CatalogPipeline; from geotoolz.core import Sequential\n"
        f"op = Sequential([Ratio(what='until {mark}'), WriteNpy('{{item_id}}.npy')])\n"
        f"scenes = sorted(Path({str(scenes[0].parent)!r}).iterdir())\n"
        f"run = CatalogPipeline(scenes, op, {str(tmp_path / 'out')!r}, n_workers=2, progress='json')\n"
        "sys.exit(run.run().exit_code)"
    )
    run = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    wait_for(lambda: mark.with_suffix(".begun").exists())  # a tile is under way
    run.send_signal(signal.SIGTERM)
    while json.loads(run.stderr.readline())["event"] != "interrupt":
        pass
    mark.touch()  # only now may it end
    _, err = run.communicate(timeout=60)
    assert run.returncode == ExitCode.INTERRUPTED == 130, err
    done = len(list((tmp_path / "out").glob("*.npy")))
    assert 1 <= done <= 4, "the tiles under way were not finished, or new ones were begun"
    assert len(list((tmp_path / "out/items").iterdir())) == done


# ---- alerts


@pytest.fixture
def server():
    got = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(500 if self.path == "/broken" else 204)
            self.end_headers()

        def log_message(self, *args): ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", got
        server.shutdown()
        thread.join()


def test_a_webhook_is_told_of_failed_tiles_and_of_a_stop_and_not_of_success(scenes, tmp_path, server):
    url, got = server
    repair = break_scene(scenes[3])
    job(scenes, tmp_path / "out", max_failures=1, alert=f"{url}/hook").run()
    assert [told["event"] for told in got] == ["failed-tiles"]
    assert got[0]["failed"] == 1 and got[0]["done"] == TILES - 1 and got[0]["exit_code"] == 3
    assert got[0]["first_failures"][0]["id"] == scenes[3].name
    job(scenes, tmp_path / "out", max_failures=0, retry_failed=True, alert=f"{url}/hook").run()
    assert got[1]["event"] == "stopped" and got[1]["stopped"] == "max-failures"
    repair()
    assert job(scenes, tmp_path / "out", retry_failed=True, alert=f"{url}/hook").run().ok
    assert len(got) == 2


def test_a_webhook_that_fails_is_a_warning_without_its_secret(scenes, tmp_path, server, caplog):
    url, _ = server
    break_scene(scenes[0])
    for target in (f"{url}/broken", "http://127.0.0.1:9/token-abc"):
        report = job(scenes, tmp_path / "out", max_failures=1, retry_failed=True, alert=target).run()
        assert report.exit_code == ExitCode.FAILED_TILES
    assert "the alert to 127.0.0.1 failed" in caplog.text
    assert "HTTP Error 500" in caplog.text and "token-abc" not in caplog.text


def test_a_command_gets_its_words_and_the_rest_on_standard_input(scenes, tmp_path):
    break_scene(scenes[0])
    script = "import json, sys; json.dump([sys.argv[2:], json.load(sys.stdin)], open(sys.argv[1], 'w'))"
    told = tmp_path / "told.json"
    command = f"{sys.executable} -c {_quoted(script)} {told} {{event}} '{{text}}' {{failed}}"
    job(scenes, tmp_path / "out of it", max_failures=1, alert=command).run()
    words, facts = json.loads(told.read_text())
    assert words[0] == "failed-tiles" and words[2] == "1" and words[1] == facts["text"]
    assert "out of it" in facts["text"] and facts["report"].endswith("report.html")


def _quoted(text):
    import shlex

    return shlex.quote(text).replace("{", "{{").replace("}", "}}")


@pytest.mark.parametrize("command", ["/nowhere/at-all", "false", "sleep 60"])
def test_a_command_that_fails_or_hangs_changes_nothing(scenes, tmp_path, caplog, command):
    break_scene(scenes[0])
    alert = Alert(command, timeout=0.2)
    assert job(scenes, tmp_path / "out", max_failures=1, alert=alert).run().exit_code == 3
    assert "the alert to" in caplog.text


def test_a_crash_is_told(scenes, tmp_path, server, monkeypatch):
    url, got = server
    monkeypatch.setattr(Driver, "run", lambda *_: (_ for _ in ()).throw(ZeroDivisionError("a bug")))
    with pytest.raises(ZeroDivisionError):
        job(scenes, tmp_path / "out", alert=url).run()
    assert got[0]["event"] == "crashed" and "a bug" in got[0]["text"]


@pytest.mark.parametrize("wrong", ["", "mail {nobody}", "mail 'half", "mail {event"])
def test_alerts_that_cannot_be_are_refused_before_the_run(scenes, tmp_path, wrong):
    with pytest.raises(ParameterError, match="alert="):
        job(scenes, tmp_path / "out", alert=wrong)


def test_a_deadline_is_kept_and_the_other_tiles_go_on():
    policy = RetryPolicy(worker_deaths=1)
    driver = Driver(ProcessEngine(1), policy=policy, timeout=0.5)
    found = {o.ident: o for o in driver.run(tasks.by_name, [("slow", "sleep 60"), ("quick", "a")], 2)}
    assert found["slow"].attempts[0].failure.kind is FailureKind.TIMEOUT
    assert found["quick"].failure is None
