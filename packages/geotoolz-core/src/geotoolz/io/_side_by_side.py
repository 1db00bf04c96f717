"""Waiting for several remote files at a time: a header is read in a millisecond and arrives in a hundred."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from geotoolz.io._gdal import close_handles, own_options, reading
from geotoolz.io._gdal_session import gdal_env

_AT_ONCE = 8
_local = threading.local()

T = TypeVar("T")
R = TypeVar("R")


def side_by_side(function: Callable[[T], R], values: Iterable[T], remote: bool) -> list[R]:
    """Call a function for every value and return the results in order; remote ones several at a time.

    The threads have the options of the caller: its `rasterio.Env`, and what `reading` says. Inside of one of
    them everything is called in turn, so that there are never more than eight. The first error, in the
    order of the values, is raised.

    Parameters
    ----------
    function : callable
        Opens something.
    values : iterable
        What.
    remote : bool
        Whether that waits for a network.
    """
    todo = list(values)
    if not remote or len(todo) < 2 or getattr(_local, "inside", False):
        return [function(value) for value in todo]
    from rasterio.env import getenv, hasenv, setenv

    options, env = own_options(), dict(getenv()) if hasenv() else {}

    def inside(value: T) -> R:
        _local.inside = True
        try:
            with gdal_env(), reading(**options):
                setenv(**env)  # Env refuses the keys that a session has put there
                return function(value)
        finally:
            _local.inside = False
            close_handles()  # the thread ends; GDAL keeps what it has fetched

    with ThreadPoolExecutor(min(_AT_ONCE, len(todo)), thread_name_prefix="geotoolz-open") as pool:
        futures = [pool.submit(inside, value) for value in todo]
        try:
            return [future.result() for future in futures]
        except BaseException:
            for future in futures:
                future.cancel()
            raise
