"""The journal on an object store: a few objects of many lines, because nothing can be appended there."""

from __future__ import annotations

import io
import logging
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from geotoolz.io._object_errors import StoreBusyError, StoreDamagedError, StoreUnreachableError
from geotoolz.io._object_path import ObjectPath

__all__ = ["SegmentTail", "segments"]

_log = logging.getLogger("geotoolz.batch")
#: lines after which, or seconds after which, what waits is sent
_GROUP, _SECONDS = 200, 10.0
#: lines of a segment: while it is shorter it is sent again, whole
_FULL = 1000
#: segments of one journal; more are put together when the next run begins
_MANY = 16
_READERS = 8


class SegmentTail:
    """Takes the lines of one shard's journal and keeps them in numbered objects.

    What a killed driver had not sent yet is found again in the STAC items. While the store does not answer,
    lines wait here; only the end of a run insists.

    Parameters
    ----------
    path : ObjectPath
        ``….geotoolz/journal.jsonl``; the segments are ``journal.00000001.jsonl`` and so on.
    """

    def __init__(self, path: ObjectPath) -> None:
        self._folder, self._stem = path.parent, path.stem
        held = _numbered(self._folder, self._stem)
        self._number = max(held, default=0) + 1
        self._lines: list[bytes] = []
        self._waiting, self._begun = 0, False
        self._tried = time.monotonic()
        if len(held) > _MANY:
            self._put_together(held)

    def add(self, line: bytes) -> None:
        """Take a line."""
        self._lines.append(line)
        self._waiting += 1
        if self._waiting >= _GROUP or time.monotonic() - self._tried > _SECONDS:
            try:
                self.sync()
            except (StoreBusyError, StoreDamagedError, StoreUnreachableError) as error:
                _log.warning("the journal waits: %s", error)

    def sync(self) -> None:
        """Send what waits."""
        self._tried = time.monotonic()
        if not self._waiting:
            return
        data = b"".join(self._lines)
        if self._begun:
            self._at(self._number).write_bytes(data)
        else:
            self._create(data)
            self._begun = True
        self._waiting = 0
        if len(self._lines) >= _FULL:
            self._lines, self._begun = [], False
            self._number += 1

    def close(self) -> None:
        """Send what waits; now it has to arrive."""
        self.sync()

    def _create(self, data: bytes) -> None:
        """Write a new segment; a number that is taken is another process's."""
        while not self._folder.store.create(self._at(self._number).key, data):
            self._number += 1

    def _at(self, number: int) -> ObjectPath:
        return self._folder / f"{self._stem}.{number:08d}.jsonl"

    def _put_together(self, held: dict[int, ObjectPath]) -> None:
        """Write the last word on every tile into one segment, then delete the others.

        A crash in between leaves both, which say the same; so do two processes that do it at once.
        """
        from ._journal import line_of, records_of

        try:
            data = b"\n".join(_read(held[number] for number in sorted(held)))
        except FileNotFoundError:  # another process has just done it
            return
        self._create(b"".join(line_of(record) for record in _last_words(records_of(io.BytesIO(data)))))
        self._number += 1
        self._folder.store.delete(path.key for path in held.values())


def segments(folder: ObjectPath) -> Iterator[bytes]:
    """Yield the journals in a folder: the lines of one shard after the other, its segments in order."""
    for attempt in range(3):
        try:
            held: dict[str, list[ObjectPath]] = defaultdict(list)
            for path in folder.glob("journal*.jsonl"):
                held[path.name.partition(".")[0]].append(path)
            yield from [b"\n".join(_read(paths)) for _, paths in sorted(held.items())]
            return
        except FileNotFoundError:  # put together by a run in the meantime: look again
            if attempt == 2:
                raise


def _read(paths: Iterable[ObjectPath]) -> list[bytes]:
    with ThreadPoolExecutor(_READERS) as readers:
        return list(readers.map(ObjectPath.read_bytes, paths))


def _numbered(folder: ObjectPath, stem: str) -> dict[int, ObjectPath]:
    found = {}
    for path in folder.glob(f"{stem}.*.jsonl"):
        number = path.name[len(stem) + 1 : -len(".jsonl")]
        if number.isdigit():
            found[int(number)] = path
    return found


def _last_words(records: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the records that still say something: of runs, and the last one of every tile, in order."""
    kept: list[dict[str, Any]] = []
    last: dict[str, dict[str, Any]] = {}
    for record in records:
        if record["ev"] in ("done", "failed") and "id" in record:
            last[record["id"]] = record
        else:
            kept.append(record)
    return sorted([*kept, *last.values()], key=lambda record: float(record["t"]))
