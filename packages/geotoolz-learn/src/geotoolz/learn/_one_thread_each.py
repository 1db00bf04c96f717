"""One thread for each of the runner's: what a library starts beside them gets in their way."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from geotoolz.core._threads import works_beside_others

_holds_blas = threading.Lock()


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Keep OpenMP (boosting) and BLAS (linear models) to one thread in a thread of the runner.

    Its siblings have the other cores. OpenMP counts its threads per thread. BLAS counts them for the whole
    process: whoever comes in while nobody holds it sets it to one, and back when it leaves, so that every
    limit is taken back by the thread that set it. Without that, two threads that multiply wait for each
    other: a linear model on two cores takes 1.6 times as long. A limit that the caller has set stands, and
    the main thread is left alone where it works alone.
    """
    if threading.current_thread() is threading.main_thread() and not works_beside_others():
        yield
        return
    with _libraries("openmp").limit(limits=1):
        if not _holds_blas.acquire(blocking=False):
            yield
            return
        try:
            with _libraries("blas").limit(limits=1):
                yield
        finally:
            _holds_blas.release()


@lru_cache
def _libraries(kind: str) -> Any:
    """Return the libraries of a kind that are loaded; looking for them takes milliseconds.

    Of one kind alone: a limit sets back whatever its controller holds, limited or not.
    """
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api=kind)
