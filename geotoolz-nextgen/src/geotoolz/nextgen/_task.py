"""What a worker of a cluster runs: one attempt, its failure as data, its process ended at the deadline."""

from __future__ import annotations

import os
import pickle
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from geotoolz.batch import Failure, FailureKind
from geotoolz.batch._worker import call, portable, prepare_worker

__all__ = ["Answer", "attempt"]

Answer = tuple[Any, Failure | None, float, str]

_deadlines: dict[object, float] = {}
_lock = threading.Lock()


def attempt(fn: Callable[[Any], Any], payload: Any, timeout: float | None, where: str = "ray") -> Answer:
    """Call `fn` and return (value, failure, seconds, worker); what a task raises is data from here on."""
    prepare_worker()
    with _deadline(timeout):
        value, failure, seconds = call(fn, payload)
    worker = f"{where}-{os.getpid()}"
    if failure is not None:
        return None, portable(failure), seconds, worker
    try:
        pickle.dumps(value, protocol=5)
    except Exception as exc:  # noqa: BLE001 - pickle raises nearly anything
        told = f"the result of the task cannot be pickled: {exc}"
        return None, Failure(FailureKind.ERROR, type(exc).__name__, told), seconds, worker
    return value, None, seconds, worker


@contextmanager
def _deadline(seconds: float | None) -> Iterator[None]:
    """Let the system end this process at the deadline.

    The driver cannot know when a task began, only when it was handed out; and a task that hangs in C code
    hears no Python. The default action of SIGALRM needs neither. Several threads may have a deadline each:
    the timer is set to the nearest.
    """
    if seconds is None or not hasattr(signal, "setitimer"):
        yield
        return
    key = object()
    with _lock:
        _deadlines[key] = time.monotonic() + seconds
        _arm()
    try:
        yield
    finally:
        with _lock:
            del _deadlines[key]
            _arm()


def _arm() -> None:
    nearest = min(_deadlines.values(), default=None)
    # 0 would switch the timer off
    left = 0.0 if nearest is None else max(nearest - time.monotonic(), 0.001)
    signal.setitimer(signal.ITIMER_REAL, left)
