"""What happens inside a worker: one call, its failure put into plain values, the environment set once."""

from __future__ import annotations

import os
import pickle
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from ._failure import Failure, FailureKind

__all__ = ["GDAL_WORKER_ENV", "call", "prepare_worker"]

#: GDAL takes 5 % of the memory per process and as many threads as it likes, unless told otherwise
GDAL_WORKER_ENV = {
    "GDAL_CACHEMAX": "64",
    "GDAL_NUM_THREADS": "1",
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_HTTP_MAX_RETRY": "3",
    "GDAL_HTTP_RETRY_DELAY": "1",
}
#: pools of the libraries below us, and ours; one thread each, the parallelism is between tiles
_THREAD_ENV = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "GEOTOOLZ_THREADS",
)


@lru_cache(maxsize=1)
def prepare_worker() -> None:
    """Set what a worker process needs, once; a value that the user set in the environment wins."""
    for name, value in GDAL_WORKER_ENV.items():
        os.environ.setdefault(name, value)
    for name in _THREAD_ENV:
        os.environ.setdefault(name, "1")


def call(fn: Callable[[Any], Any], payload: Any) -> tuple[Any, Failure | None, float]:
    """Call `fn` and return (value, failure, seconds); never raises an `Exception`.

    This is the border between a task and the engine: whatever a task raises is data from here on. Interrupts
    pass through.
    """
    start = time.perf_counter()
    try:
        return fn(payload), None, time.perf_counter() - start
    except Exception as exc:  # noqa: BLE001 - the border: typed by Failure.of, judged by the driver
        return None, Failure.of(exc), time.perf_counter() - start


def dumps(message: tuple[int, Any, Failure | None, float]) -> bytes:
    """Pickle an answer; what cannot be pickled becomes a failure that says so."""
    ticket, _, failure, seconds = message
    if failure is not None:
        return pickle.dumps((ticket, None, portable(failure), seconds), protocol=5)
    try:
        return pickle.dumps(message, protocol=5)
    except Exception as exc:  # noqa: BLE001 - pickle raises nearly anything
        told = Failure(
            FailureKind.ERROR, type(exc).__name__, f"the result of the task cannot be pickled: {exc}"
        )
        return pickle.dumps((ticket, None, told, seconds), protocol=5)


def portable(failure: Failure) -> Failure:
    """Drop the exception object when it would not arrive on the other side."""
    if failure.exception is None:
        return failure
    try:
        pickle.loads(pickle.dumps(failure.exception, protocol=5))
    except Exception:  # noqa: BLE001 - a foreign class with its own __init__: the text has to do
        return Failure(failure.kind, failure.error, failure.message, failure.traceback)
    return failure
