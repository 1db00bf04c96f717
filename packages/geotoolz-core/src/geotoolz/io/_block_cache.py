"""GDAL's cache of decoded blocks: bounded while something is read or written, then as it was.

The cache is one for the whole process. Two threads that each set it and set it back leave it anywhere, and
what they leave is found by programs that know nothing of us. So who needs a bound says so here: the first one
in notes what it was, the last one out restores it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_OPTION = "GDAL_CACHEMAX"
_lock = threading.Lock()
_firm: dict[object, int] = {}  # by streams, which have promised how much memory they take
_loose: dict[object, int] = {}  # by single reads
_before: list[int] = []


def _after_fork() -> None:
    """Forget what other threads of the parent were doing; their lock would never open."""
    global _lock  # noqa: PLW0603
    _lock = threading.Lock()
    _firm.clear()
    _loose.clear()
    _before.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@contextmanager
def block_cache(size: int, *, firm: bool = True) -> Iterator[None]:
    """Bound GDAL's block cache until the end.

    Parameters
    ----------
    size : int
        Bytes. Where several bounds of one kind are in force, the largest counts.
    firm : bool
        Whether looser wishes (of single reads) give way, and the environment's ``GDAL_CACHEMAX`` too.
    """
    if not firm and _OPTION in os.environ:
        yield
        return
    token, held = object(), _firm if firm else _loose
    with _lock:
        held[token] = size
        _apply()
    try:
        yield
    finally:
        with _lock:
            held.pop(token, None)
            _apply()


def _apply() -> None:
    """Let GDAL have the bound that is in force now. rasterio hands it on as bytes."""
    from rasterio.env import get_gdal_config, set_gdal_config

    bounds = _firm or _loose
    now = get_gdal_config(_OPTION)
    if bounds and not _before:
        _before.append(now)
    wanted = max(bounds.values()) if bounds else _before.pop() if _before else now
    if wanted != now:
        set_gdal_config(_OPTION, wanted)
