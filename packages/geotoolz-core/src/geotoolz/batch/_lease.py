"""One run per shard of an output folder at a time."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from geotoolz.io._object_path import ObjectPath, Place, place

from ._holder import is_alive, myself, named, read_holder
from ._layout import Layout
from ._store_lease import ObjectLease, is_leased

__all__ = ["Lease", "is_running"]

_log = logging.getLogger("geotoolz.batch")
_NAME = re.compile(r"lease(?:-(\d+)-of-(\d+))?\.lock")
_TRIES, _PAUSE = 10, 0.02


class Lease:
    """Holds a lock while a run works on a shard; the system frees it when the process dies.

    The lock's file says who holds it. On a file system without locks that keeps a second run on this machine
    out; a process that is gone keeps nobody out.

    Parameters
    ----------
    layout : Layout
    shard : (int, int), optional
    shared : bool
        For work on single tiles: with others of its kind at a time, not beside a run.

    Raises
    ------
    BatchError
        If another run holds this shard, or runs now with another number of shards (they would share tiles).
    """

    def __init__(self, layout: Layout, shard: tuple[int, int] | None, *, shared: bool = False) -> None:
        self._path = layout.lease(shard)
        self._fd = -1
        self._total = shard[1] if shard else 1
        self._shared = shared
        self._remote: ObjectLease | None = None

    def __enter__(self) -> Lease:
        if isinstance(self._path, ObjectPath):
            if self._shared:  # a store has no shared locks: that no run is under way has to do
                if is_leased(self._path):
                    raise _busy(self._path, "another process")
                return self
            self._remote = ObjectLease(self._path, self._total)
            self._remote.acquire()
        else:
            self._take(self._path)
        return self

    def _take(self, path: Path) -> None:
        self._fd = _open(path)
        locked = _lock_patiently(self._fd, shared=self._shared)
        holder = read_holder(path)
        if not locked or is_alive(holder):
            os.close(self._fd)  # not `_release`: what is written there is somebody else's
            self._fd = -1
            raise _busy(path, named(holder))
        for other in path.parent.glob("lease*.lock"):
            match = _NAME.fullmatch(other.name)
            if match and int(match[2] or 1) != self._total and _is_held(other):
                self._release()
                raise _busy(other, named(read_holder(other)))
        if not self._shared:
            if holder:
                _log.info("taking over from %s, which is gone", named(holder))
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, json.dumps(myself()).encode(), 0)

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._release()

    def _release(self) -> None:
        if self._remote is not None:
            self._remote.release()
            self._remote = None
        if self._fd >= 0:
            if not self._shared:
                with suppress(OSError):  # a name that stays keeps nobody out once this process has ended
                    os.ftruncate(self._fd, 0)
            os.close(self._fd)
            self._fd = -1


def _open(path: Path) -> int:
    from geotoolz.core._errors import BatchError

    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as exc:
        raise BatchError(
            f"lock file {str(path)!r}: {exc.strerror or exc}",
            expected="a file that can be written",
            fix="check the rights of the output folder",
        ) from exc


def _lock_patiently(fd: int, *, shared: bool) -> bool:
    """Lock, also while somebody who only looks (`is_running`) has the lock for a moment."""
    for _ in range(_TRIES):
        if _lock(fd, shared=shared):
            return True
        time.sleep(_PAUSE)
    return False


def _lock(fd: int, *, shared: bool = False) -> bool:
    if sys.platform == "win32":  # no flock there; two runs on one folder are the user's care
        return True
    import fcntl

    try:
        fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def is_running(out: str | Place) -> bool:
    """Say whether a run is working on an output folder (any shard of it, on this machine) or address."""
    return any(_is_held(path) for path in Layout(place(out)).private.glob("lease*.lock"))


def _is_held(path: Place) -> bool:
    if isinstance(path, ObjectPath):
        return is_leased(path)
    try:
        fd = os.open(path, os.O_RDONLY)  # looking must work in a folder that cannot be written
    except OSError:
        return False  # gone, or not ours to look at
    try:
        return not _lock(fd)
    finally:
        os.close(fd)


def _busy(path: Place, holder: str) -> Exception:
    from geotoolz.core._errors import BatchError

    return BatchError(
        f"{holder} is working on {str(path.parent.parent)!r} ({path.name})",
        expected="one run per output folder and shard",
        fix="wait for it, stop it with Ctrl-C, or choose another folder with out=…",
    )
