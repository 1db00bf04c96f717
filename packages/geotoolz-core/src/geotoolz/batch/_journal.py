"""The journal: one line per event, appended, synced in groups; it saves opening items, and can be lost."""

from __future__ import annotations

import io
import json
import math
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any

from geotoolz.io._object_path import ObjectPath, Place

from ._store_journal import SegmentTail, segments

__all__ = ["Journal", "replay", "runs"]

#: texts that many records have in common
_SAME = frozenset({"ev", "cfg", "sink", "run"})
#: what a tile took is told in reports; planning 10^5 tiles keeps what it needs
_PAST = frozenset({"use", "sec"})
_GROUP = 50
#: lines that are parsed together
_AT_ONCE = 256
_SECONDS = 1.0


class Journal:
    """Appends records to a JSONL file, or to the numbered segments of one on an object store.

    A record reaches the system at once and the disk in groups of 50 or after a second (one fsync per record
    costs 50 times as much); an object store gets groups of 200, or what came in ten seconds. What a power cut
    may take is found again in the STAC items.

    Parameters
    ----------
    path : Path or ObjectPath

    Raises
    ------
    BatchError
        If the file cannot be opened or written.
    StoreError
        If the object store does not take it.
    """

    def __init__(self, path: Place) -> None:
        self.path = path
        self._tail: _FileTail | SegmentTail | None
        try:
            self._tail = SegmentTail(path) if isinstance(path, ObjectPath) else _FileTail(path)
        except OSError as exc:
            raise _unwritable(path, exc) from exc

    def append(self, event: str, **values: Any) -> None:
        """Write one record."""
        if self._tail is None:
            raise ValueError("the journal is closed")
        record = {"ev": event, "t": round(time.time(), 3), **values}
        try:
            self._tail.add(line_of(record))
        except OSError as exc:
            raise _unwritable(self.path, exc) from exc

    def sync(self) -> None:
        """Bring what was written to the disk, or to the store."""
        if self._tail is not None:
            self._tail.sync()

    def close(self) -> None:
        """Sync and close."""
        tail, self._tail = self._tail, None
        if tail is None:
            return
        try:
            tail.close()
        except OSError as exc:
            raise _unwritable(self.path, exc) from exc

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _FileTail:
    """The end of a local journal."""

    def __init__(self, path: Path) -> None:
        self._waiting = 0
        self._synced = time.monotonic()
        self._torn = _ends_torn(path)
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def add(self, line: bytes) -> None:
        # a crash or a full disk in mid-write: that line is closed first, so that this record is whole
        text, self._torn = (b"\n" + line if self._torn else line), True
        _write_all(self._fd, text)
        self._torn = False
        self._waiting += 1
        if self._waiting >= _GROUP or time.monotonic() - self._synced > _SECONDS:
            self.sync()

    def sync(self) -> None:
        if self._waiting:
            os.fsync(self._fd)
        self._waiting = 0
        self._synced = time.monotonic()

    def close(self) -> None:
        try:
            self.sync()
        finally:
            os.close(self._fd)


def replay(folder: Place) -> dict[str, dict[str, Any]]:
    """Read all journals of a folder and return the last word on every tile.

    Lines that are no records (a torn last line, a line of zeros after a power cut) are passed over: an item
    on the disk says what they said.

    Parameters
    ----------
    folder : Path or ObjectPath
        The ``.geotoolz`` folder of an output folder.

    Returns
    -------
    dict
        Tile id to its last ``done`` or ``failed`` record, with the run's ``versions`` and ``read``; a
        failed one that was taken out of quarantine has ``released``.
    """
    last: dict[str, dict[str, Any]] = {}
    versions: dict[str, Mapping[str, str]] = {}
    reads: dict[str, Mapping[str, Any] | None] = {}
    released: set[tuple[str, str]] = set()
    for lines in _journals(folder):
        for record in records_of(lines):
            event = record["ev"]
            if event == "run":
                versions[record.get("run", "")] = record.get("versions", {})
                reads[record.get("run", "")] = record.get("read")
            elif event in ("done", "failed") and "id" in record:
                before = last.get(record["id"])
                if before is None or before["t"] <= record["t"]:
                    for name in _PAST:
                        record.pop(name, None)
                    last[record["id"]] = record
            elif event == "release":
                released.update((str(name), str(run)) for name, run in record.get("tiles", ()))
    for name, record in last.items():
        record.setdefault("versions", versions.get(record.get("run", ""), {}))
        record.setdefault("read", reads.get(record.get("run", "")))
        if record["ev"] == "failed" and (name, record.get("run", "")) in released:
            record["released"] = True
    return last


def runs(folder: Place) -> list[dict[str, Any]]:
    """Return the records of runs (``run`` and ``end``) of all journals, in order of time."""
    found = [r for lines in _journals(folder) for r in records_of(lines) if r["ev"] in ("run", "end")]
    return sorted(found, key=lambda record: float(record["t"]))


def _journals(folder: Place) -> Iterator[Iterable[bytes]]:
    """Yield the lines of every shard's journal."""
    if isinstance(folder, ObjectPath):
        yield from map(io.BytesIO, segments(folder))
    else:
        yield from map(_lines_of, sorted(folder.glob("journal*.jsonl")))


def _lines_of(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            yield from file
    except FileNotFoundError:
        return
    except OSError as exc:
        raise _unwritable(path, exc) from exc


def line_of(record: Mapping[str, Any]) -> bytes:
    """Return a record as it is written."""
    return json.dumps(record, separators=(",", ":"), default=str).encode() + b"\n"


def records_of(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """Yield a journal's records; what was written later counts as later, however the clock was set."""
    latest = -math.inf
    whole = (line for line in lines if line.startswith(b"{"))
    while some := list(islice(whole, _AT_ONCE)):
        for record in _parsed(some):
            if isinstance(record, dict) and "ev" in record and isinstance(record.get("t"), (int, float)):
                latest = record["t"] = max(latest, record["t"])
                for name in _SAME:
                    if type(value := record.get(name)) is str:
                        record[name] = sys.intern(value)
                yield record


def _parsed(lines: list[bytes]) -> Iterator[Any]:
    """Parse lines as one list, which takes a third of the time, and shares the names; a bad one shows."""
    try:
        found = json.loads(b"[" + b",".join(lines) + b"]")
        if len(found) == len(lines):
            yield from found
            return
    except ValueError:
        pass
    for line in lines:
        try:
            yield json.loads(line)
        except ValueError:
            continue


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _ends_torn(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            if file.seek(0, os.SEEK_END) == 0:
                return False
            file.seek(-1, os.SEEK_END)
            return file.read(1) != b"\n"
    except FileNotFoundError:
        return False


def _unwritable(path: Place, exc: OSError) -> Exception:
    from geotoolz.core._errors import BatchError, GeotoolzError

    if isinstance(exc, GeotoolzError):
        return exc
    return BatchError(
        f"journal {str(path)!r}: {exc.strerror or exc}",
        expected="a file that can be read and appended to",
        fix="check rights and free space of the output folder; finished tiles stay finished",
    )
