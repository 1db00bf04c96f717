"""One run per shard of an output folder at a time."""

from __future__ import annotations

import json
import os
import re
import socket
import sys
from pathlib import Path
from types import TracebackType

from ._layout import Layout

__all__ = ["Lease", "is_running"]

_NAME = re.compile(r"lease(?:-(\d+)-of-(\d+))?\.lock")


class Lease:
    """Holds a lock while a run works on a shard; the system frees it when the process dies.

    Parameters
    ----------
    layout : Layout
    shard : (int, int), optional

    Raises
    ------
    BatchError
        If another run holds this shard, or runs now with another number of shards (they would share tiles).
    """

    def __init__(self, layout: Layout, shard: tuple[int, int] | None) -> None:
        self._path = layout.lease(shard)
        self._fd = -1
        self._total = shard[1] if shard else 1

    def __enter__(self) -> Lease:
        self._fd = _open(self._path)
        if not _lock(self._fd):
            holder = _holder(self._path)
            os.close(self._fd)
            self._fd = -1
            raise _busy(self._path, holder)
        for other in self._path.parent.glob("lease*.lock"):
            match = _NAME.fullmatch(other.name)
            if match and int(match[2] or 1) != self._total and _is_held(other):
                holder = _holder(other)
                self._release()
                raise _busy(other, holder)
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, json.dumps({"pid": os.getpid(), "host": socket.gethostname()}).encode(), 0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._release()

    def _release(self) -> None:
        if self._fd >= 0:
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


def _lock(fd: int) -> bool:
    if sys.platform == "win32":  # no flock there; two runs on one folder are the user's care
        return True
    import fcntl

    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def is_running(out: Path) -> bool:
    """Say whether a run is working on an output folder (any shard of it, on this machine)."""
    return any(_is_held(path) for path in Layout(out).private.glob("lease*.lock"))


def _is_held(path: Path) -> bool:
    try:
        fd = os.open(path, os.O_RDONLY)  # looking must work in a folder that cannot be written
    except OSError:
        return False  # gone, or not ours to look at
    try:
        return not _lock(fd)
    finally:
        os.close(fd)


def _holder(path: Path) -> str:
    try:
        told = json.loads(path.read_bytes())
        return f"process {told['pid']} on {told['host']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


def _busy(path: Path, holder: str) -> Exception:
    from geotoolz.core._errors import BatchError

    return BatchError(
        f"{holder} is working on {str(path.parent.parent)!r} ({path.name})",
        expected="one run per output folder and shard",
        fix="wait for it, stop it with Ctrl-C, or choose another folder with out=…",
    )
