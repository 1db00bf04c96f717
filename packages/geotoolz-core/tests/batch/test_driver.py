from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import gtz_batch_tasks as tasks
import pytest

from geotoolz.batch import (
    Driver,
    Failure,
    FailureKind,
    FailureLimit,
    InlineEngine,
    ProcessEngine,
    RetryPolicy,
    StopReason,
    classify,
    get_engine,
)
from geotoolz.core._errors import BatchError, ParameterError, ReadError, WriteError

QUICK = RetryPolicy(base=0.01, cap=0.02)


def outcomes(engine, fn, payloads, **options):
    driver = Driver(engine, policy=options.pop("policy", QUICK), **options)
    found = {o.ident: o for o in driver.run(fn, ((str(i), p) for i, p in enumerate(payloads)), len(payloads))}
    return driver, found


@pytest.fixture(params=["inline", "process"])
def engine(request):
    return get_engine(request.param, 2)


def test_every_task_gets_its_result(engine):
    _, found = outcomes(engine, tasks.double, range(25))
    assert {ident: o.value for ident, o in found.items()} == {str(i): 2 * i for i in range(25)}
    assert all(len(o.attempts) == 1 for o in found.values())


def test_failures_are_data_and_the_others_go_on(engine):
    _, found = outcomes(engine, tasks.by_name, ["a", "bad-data", "qc", "bug", "b"])
    kinds = {ident: o.failure.kind if o.failure else None for ident, o in found.items()}
    assert kinds == {
        "0": None,
        "1": FailureKind.BAD_DATA,
        "2": FailureKind.QC,
        "3": FailureKind.ERROR,
        "4": None,
    }
    assert isinstance(found["1"].failure.exception, ReadError)
    assert "scene.tif is truncated" in found["1"].failure.message
    assert "by_name" in found["3"].failure.traceback


def test_transient_failures_are_tried_again(engine, tmp_path):
    retried = []
    _, found = outcomes(
        engine, tasks.by_name, [f"busy-once {tmp_path / 'm'}"], on_retry=lambda *told: retried.append(told)
    )
    assert found["0"].failure is None
    assert [a.failure.kind if a.failure else None for a in found["0"].attempts] == [
        FailureKind.TRANSIENT,
        None,
    ]
    assert retried[0][0] == "0"


def test_a_full_disk_ends_the_run(engine, tmp_path):
    mark = tmp_path / "m"
    driver, found = outcomes(engine, tasks.by_name, [f"full {mark}", *[f"after {mark}"] * 50])
    assert driver.stopped is StopReason.OUTPUT
    assert len(found) < 51


def test_on_error_raise_ends_the_run(engine, tmp_path):
    mark = tmp_path / "m"
    payloads = [f"bug {mark}", *[f"after {mark}"] * 50]
    driver, found = outcomes(engine, tasks.by_name, payloads, on_error="raise")
    assert driver.stopped is StopReason.ON_ERROR
    assert len(found) < 51


def test_a_killed_worker_loses_only_its_task_and_that_one_is_tried_again(tmp_path):
    payloads = ["a", f"kill-once {tmp_path / 'm'}", *["b"] * 20]
    _, found = outcomes(ProcessEngine(2), tasks.by_name, payloads)
    assert all(o.failure is None for o in found.values())
    assert [a.failure.kind if a.failure else None for a in found["1"].attempts] == [FailureKind.LOST, None]
    assert sum(len(o.attempts) for o in found.values()) == len(payloads) + 1
    assert "signal 9" in found["1"].attempts[0].failure.message


def test_a_task_that_kills_every_worker_is_poison():
    _, found = outcomes(ProcessEngine(2), tasks.by_name, ["a", "exit", "b", "c"])
    assert found["1"].failure.kind is FailureKind.POISON
    assert "exit code 3" in found["1"].failure.message
    assert len(found["1"].attempts) == 3
    assert all(found[i].failure is None for i in "023")


def test_a_deadline_kills_the_task_not_its_neighbours():
    policy = RetryPolicy(worker_deaths=1)
    start = time.monotonic()
    _, found = outcomes(ProcessEngine(1), tasks.by_name, ["sleep 60", "a", "b"], timeout=1.5, policy=policy)
    assert time.monotonic() - start < 30
    assert found["0"].failure.kind is FailureKind.POISON
    assert "1.5 s" in found["0"].failure.message
    assert found["1"].failure is None and found["2"].failure is None


def test_results_and_errors_that_do_not_pickle_are_failures_with_text():
    _, found = outcomes(ProcessEngine(1), tasks.unpicklable, [1])
    assert "cannot be pickled" in found["0"].failure.message
    _, found = outcomes(ProcessEngine(1), tasks.foreign_error, [1])
    assert found["0"].failure.error == "Local" and found["0"].failure.message == "1 and 2"


def test_workers_see_the_environment_of_now(monkeypatch):
    monkeypatch.setenv("GEOTOOLZ_TEST_NOW", "yes")
    _, found = outcomes(ProcessEngine(1), tasks.environment, ["GEOTOOLZ_TEST_NOW", "GDAL_CACHEMAX"])
    assert [found[i].value for i in "01"] == ["yes", os.environ.get("GDAL_CACHEMAX", "64")]


def test_large_payloads_do_not_jam_the_pipe():
    _, found = outcomes(ProcessEngine(2), tasks.nothing, [b"x" * 1_000_000] * 6)
    assert len(found) == 6


def test_scripts_need_no_main_guard(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\n"
        f"sys.path.insert(0, {str(Path(tasks.__file__).parent)!r})\n"
        "import gtz_batch_tasks as tasks\n"
        "from geotoolz.batch import Driver, ProcessEngine\n"
        "print(sum(o.value for o in Driver(ProcessEngine(2)).run(tasks.double, [('a', 1), ('b', 2)], 2)))\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "6\n", done.stderr


def test_the_failure_limit():
    share = FailureLimit.of("2%")
    assert share.allowed(1000) == 20
    assert not share.exceeded(failed=20, ended=500, total=1000, over=False)
    assert share.exceeded(failed=21, ended=500, total=1000, over=False)
    assert share.exceeded(failed=20, ended=20, total=10_000, over=False), "nothing but failures"
    assert not FailureLimit.of("100%").exceeded(failed=50, ended=50, total=50, over=True)
    assert FailureLimit.of(0).exceeded(failed=1, ended=1, total=9, over=False)
    assert FailureLimit.of("3") == FailureLimit.of(3)
    for wrong in ("2", "200%", -1, True, "many", 0.02):
        if wrong == "2":
            continue
        with pytest.raises(ParameterError, match="max_failures"):
            FailureLimit.of(wrong)


def test_too_many_failures_end_the_run(engine):
    driver, found = outcomes(engine, tasks.by_name, ["bug"] * 100, limit=FailureLimit.of(3))
    assert driver.stopped is StopReason.MAX_FAILURES
    assert 4 <= len(found) <= 8


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ConnectionResetError(), FailureKind.TRANSIENT),
        (TimeoutError(), FailureKind.TRANSIENT),
        (OSError(24, "too many open files"), FailureKind.TRANSIENT),
        (OSError(28, "no space left"), FailureKind.OUTPUT),
        (FileNotFoundError(2, "no such file"), FailureKind.BAD_DATA),
        (ReadError("HTTP response code: 503"), FailureKind.TRANSIENT),
        (ReadError("not a raster"), FailureKind.BAD_DATA),
        (WriteError("no space left on device"), FailureKind.OUTPUT),
        (WriteError("exists already"), FailureKind.ERROR),
        (ParameterError("x"), FailureKind.PIPELINE),
        (ValueError("x"), FailureKind.ERROR),
    ],
)
def test_kinds(error, kind):
    assert classify(error) is kind


def test_a_cause_tells_the_number():
    try:
        try:
            raise OSError(28, "No space left on device")
        except OSError as exc:
            raise WriteError("x.tif") from exc
    except WriteError as error:
        assert Failure.of(error).kind is FailureKind.OUTPUT


def test_unknown_engines_are_refused_by_name():
    with pytest.raises(BatchError, match=r"slurm.*inline, process"):
        get_engine("slurm")
    with pytest.raises(ParameterError, match="n_workers=0"):
        get_engine("process", 0)


def test_an_engine_object_is_taken_as_it_is():
    engine = InlineEngine()
    assert get_engine(engine) is engine


def test_killing_the_server_that_forks_workers_stops_nothing():
    from multiprocessing import forkserver

    server = forkserver._forkserver

    def cut(outcome):
        os.kill(server._forkserver_pid, 9)

    driver = Driver(get_engine("process", 1), policy=QUICK)
    found = []
    # the second task ends its worker, so that a new one must be started without the server
    for outcome in driver.run(tasks.by_name, iter([("0", "a"), ("1", "exit"), ("2", "b")]), 3):
        if not found:
            cut(outcome)
        found.append(outcome)
    assert {o.ident: o.failure and o.failure.kind for o in found} == {
        "0": None,
        "1": FailureKind.POISON,
        "2": None,
    }
