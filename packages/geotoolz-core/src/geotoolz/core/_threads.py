"""How many threads a tile in memory is worth, and whether this one is among several."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from geotoolz.core._errors import ParameterError

THREADS_ENV = "GEOTOOLZ_THREADS"
_PIXELS_PER_THREAD = 1 << 20  # below, starting a thread costs as much as it saves
_local = threading.local()


@contextmanager
def beside_others() -> Iterator[None]:
    """Note that this thread is one of several that compute one tile."""
    before = works_beside_others()
    _local.beside = True
    try:
        yield
    finally:
        _local.beside = before


def works_beside_others() -> bool:
    """Return whether this thread is one of several that compute one tile, be it the caller's own.

    Examples
    --------
    >>> with beside_others():
    ...     works_beside_others()
    True
    >>> works_beside_others()
    False
    """
    return getattr(_local, "beside", False)


def cpus() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def thread_count(threads: int | None, pixels: int) -> int:
    """Return the number of threads for so many pixels.

    Parameters
    ----------
    threads : int, optional
        What the caller asks for. By default the environment's ``GEOTOOLZ_THREADS``, else one per
        processor as far as the pixels are worth it; one in a process that multiprocessing started
        (a worker of a pool, of a data loader): the parallelism is between processes there.
    pixels : int
        Of the largest plane.
    """
    if threads is not None:
        if threads < 1:
            raise ParameterError(f"threads={threads}", expected="1 or more")
        return threads
    worth = pixels // _PIXELS_PER_THREAD
    if worth < 2:
        return 1
    told = os.environ.get(THREADS_ENV)
    if told is not None:
        if not told.isdecimal() or told == "0":
            raise ParameterError(f"{THREADS_ENV}={told!r} in the environment", expected="1 or more")
        return min(int(told), worth)
    context = sys.modules.get("multiprocessing.process")
    if context is not None and context.parent_process() is not None:
        return 1
    return min(cpus(), worth)
