"""What a Ray worker runs: one attempt, its failure as data."""

from __future__ import annotations

import os
import pickle
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from geotoolz.batch import Failure, FailureKind
from geotoolz.batch._worker import call, portable, prepare_worker

__all__ = ["attempt"]


def attempt(
    fn: Callable[[Any], Any], payload: Any, timeout: float | None
) -> tuple[Any, Failure | None, float, str]:
    """Call `fn` and return (value, failure, seconds, worker); what a task raises is data from here on."""
    prepare_worker()
    with _deadline(timeout):
        value, failure, seconds = call(fn, payload)
    worker = f"ray-{os.getpid()}"
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

    The driver cannot know when a task began, only when it was handed to Ray; and a task that hangs in C code
    hears no Python. The default action of SIGALRM needs neither.
    """
    if seconds is None or not hasattr(signal, "setitimer"):
        yield
        return
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
