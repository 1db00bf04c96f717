"""What a Ray worker runs: one attempt, its failure as data."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from typing import Any

from geotoolz.batch import Failure, FailureKind
from geotoolz.batch._worker import call, portable, prepare_worker

__all__ = ["attempt"]


def attempt(fn: Callable[[Any], Any], payload: Any) -> tuple[Any, Failure | None, float, str]:
    """Call `fn` and return (value, failure, seconds, worker); what a task raises is data from here on."""
    prepare_worker()
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
