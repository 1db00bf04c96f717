"""One run per shard of an address: an object that is created if there is none, and renewed while it runs."""

from __future__ import annotations

import _thread
import json
import logging
import os
import re
import secrets
import socket
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from geotoolz.io._object_errors import StoreError
from geotoolz.io._object_path import ObjectPath
from geotoolz.io._object_store import ObjectStamp

__all__ = ["ObjectLease", "holder_of", "is_leased"]

_log = logging.getLogger("geotoolz.batch")
_NAME = re.compile(r"lease(?:-(\d+)-of-(\d+))?\.lock")
#: a lease that was not renewed for so long is over; it is renewed three times as often
_EXPIRES = timedelta(seconds=60)
_RENEW = 20.0
#: what marks the leases that this process holds
_held: set[str] = set()


class ObjectLease:
    """Holds a lease on one shard. A run that was killed loses it after a minute, on the same machine at once.

    Times are the store's own, so that the clocks of machines do not matter.

    Parameters
    ----------
    path : ObjectPath
        ``….geotoolz/lease.lock``, or ``lease-3-of-16.lock``.
    total : int
        The number of shards; leases with other numbers are refused too.
    renew : float
        Seconds between renewals.
    """

    def __init__(self, path: ObjectPath, total: int, *, renew: float = _RENEW) -> None:
        self._path, self._total, self._every = path, total, renew
        self._told: dict[str, Any] = {**_here(), "nonce": secrets.token_hex(8), "turn": 0}
        self._etag = ""
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.lost = False

    def acquire(self) -> None:
        """Take the lease.

        Raises
        ------
        BatchError
            If another run holds it.
        StoreError
        """
        _held.add(str(self._told["nonce"]))
        try:
            self._take()
            self._refuse_others()
        except BaseException:
            self.release()
            raise
        self._thread = threading.Thread(target=self._renew, name="geotoolz-lease", daemon=True)
        self._thread.start()

    def _refuse_others(self) -> None:
        """Refuse runs with another number of shards: they would share tiles with this one."""
        mine = self._path.stamp()
        if mine is None:
            raise _busy(self._path)
        self._etag = mine.etag
        for other in self._path.parent.glob("lease*.lock"):
            match = _NAME.fullmatch(other.name)
            stamp = other.stamp() if match and int(match[2] or 1) != self._total else None
            if stamp is not None and not _is_over(other, stamp, mine.modified):
                raise _busy(other)

    def release(self) -> None:
        """Give it back, if it is still ours."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        _held.discard(str(self._told["nonce"]))
        try:
            if not self.lost and _read(self._path).get("nonce") == self._told["nonce"]:
                self._path.unlink(missing_ok=True)
        except StoreError as error:
            _log.warning("the lease stays until it is over: %s", error)

    def _take(self) -> None:
        store, key = self._path.store, self._path.key
        if store.create(key, self._data(), check=False):
            return
        found = self._path.stamp()
        if _read(self._path).get("nonce") == self._told["nonce"]:
            return  # the answer to our first try was lost
        if found is None:  # given back in between
            if store.create(key, self._data(), check=False):
                return
        elif _is_over(self._path, found, _now(self._path)) and store.exchange(key, self._data(), found.etag):
            return
        raise _busy(self._path)

    def _data(self) -> bytes:
        return json.dumps(self._told).encode()

    def _renew(self) -> None:
        while not self._stop.wait(self._every):
            try:
                if not self._renewed():
                    self.lost = True
                    _log.error("%s: another run has taken over; this one ends", self._path)
                    _thread.interrupt_main()  # as Ctrl-C: the running tiles are finished first
                    return
            except StoreError as error:
                _log.warning("the lease was not renewed, next try in %.0f s: %s", self._every, error)

    def _renewed(self) -> bool:
        self._told["turn"] = self._told["turn"] + 1
        etag = self._path.store.exchange(self._path.key, self._data(), self._etag)
        if etag is None:  # somebody else, or the answer to our own try was lost
            if _read(self._path).get("nonce") != self._told["nonce"]:
                return False
            found = self._path.stamp()
            etag = found.etag if found is not None else ""
        self._etag = etag
        return True


def is_leased(path: ObjectPath) -> bool:
    """Say whether a lease is held, by this machine's clock."""
    found = path.stamp()
    return found is not None and not _is_over(path, found, datetime.now(UTC))


def holder_of(path: ObjectPath) -> str:
    """Return who holds a lease, as a sentence has it."""
    told = _read(path)
    return f"process {told['pid']} on {told['host']}" if "pid" in told else "another process"


def _is_over(path: ObjectPath, stamp: ObjectStamp, now: datetime) -> bool:
    if now - stamp.modified > _EXPIRES:
        return True
    told, here = _read(path), _here()
    if told.get("machine") != here["machine"] or not here["machine"]:
        return False
    if told.get("pid") == here["pid"]:  # left behind by a run of this process that could not give it back
        return told.get("nonce") not in _held
    return not _lives(int(told.get("pid", -1)))


def _now(path: ObjectPath) -> datetime:
    """Return the store's time: that of an object written now."""
    clock = path.parent / f".clock-{secrets.token_hex(4)}"
    clock.store.write(clock.key, b"", check=False)
    found = clock.stamp()
    clock.unlink(missing_ok=True)
    return found.modified if found is not None else datetime.now(UTC)


def _read(path: ObjectPath) -> dict[str, Any]:
    try:
        told = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def _here() -> dict[str, Any]:
    return {"pid": os.getpid(), "host": socket.gethostname(), "machine": _machine()}


def _machine() -> str:
    """Return what tells whether a process id means anything here: the boot, and the space of process ids."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _lives(pid: int) -> bool:
    if pid <= 0:
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        return True
    return True


def _busy(path: ObjectPath) -> Exception:
    from geotoolz.core._errors import BatchError

    return BatchError(
        f"{holder_of(path)} is working on {str(path.parent.parent)!r} ({path.name})",
        expected="one run per address and shard",
        fix="wait for it, or stop it with Ctrl-C; a run that was killed counts as over after a minute",
    )
