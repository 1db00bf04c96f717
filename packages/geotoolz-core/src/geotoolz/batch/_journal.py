"""The journal: one line per event, appended, synced in groups; it saves opening items, and can be lost."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

__all__ = ["Journal", "replay", "runs"]

_GROUP = 50
_SECONDS = 1.0


class Journal:
    """Appends records to a JSONL file.

    A record reaches the system at once and the disk in groups of 50 or after a second (one fsync per record
    costs 50 times as much). What a power cut may take is found again in the STAC items.

    Parameters
    ----------
    path : Path

    Raises
    ------
    BatchError
        If the file cannot be opened or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._waiting = 0
        self._synced = time.monotonic()
        try:
            torn = _ends_torn(path)
            self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            if torn:  # a crash in mid-write: close that line, so that the next record is whole
                os.write(self._fd, b"\n")
        except OSError as exc:
            raise _unwritable(path, exc) from exc

    def append(self, event: str, **values: Any) -> None:
        """Write one record."""
        record = {"ev": event, "t": round(time.time(), 3), **values}
        line = json.dumps(record, separators=(",", ":"), default=str) + "\n"
        try:
            _write_all(self._fd, line.encode())
            self._waiting += 1
            if self._waiting >= _GROUP or time.monotonic() - self._synced > _SECONDS:
                self.sync()
        except OSError as exc:
            raise _unwritable(self.path, exc) from exc

    def sync(self) -> None:
        """Bring what was written to the disk."""
        if self._waiting:
            os.fsync(self._fd)
        self._waiting = 0
        self._synced = time.monotonic()

    def close(self) -> None:
        """Sync and close."""
        if self._fd < 0:
            return
        try:
            self.sync()
        except OSError as exc:
            raise _unwritable(self.path, exc) from exc
        finally:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def replay(folder: Path) -> dict[str, dict[str, Any]]:
    """Read all journals of a folder and return the last word on every tile.

    Lines that are no records (a torn last line, a line of zeros after a power cut) are passed over: an item
    on the disk says what they said.

    Parameters
    ----------
    folder : Path
        The ``.geotoolz`` folder of an output folder.

    Returns
    -------
    dict
        Tile id to its last ``done`` or ``failed`` record, with the run's versions under ``versions``.
    """
    last: dict[str, dict[str, Any]] = {}
    versions: dict[str, Mapping[str, str]] = {}
    for path in sorted(folder.glob("journal*.jsonl")):
        for record in _records(path):
            event = record["ev"]
            if event == "run":
                versions[record.get("run", "")] = record.get("versions", {})
            elif event in ("done", "failed") and "id" in record:
                before = last.get(record["id"])
                if before is None or before["t"] <= record["t"]:
                    last[record["id"]] = record
    for record in last.values():
        record.setdefault("versions", versions.get(record.get("run", ""), {}))
    return last


def runs(folder: Path) -> list[dict[str, Any]]:
    """Return the records of runs (``run`` and ``end``) of all journals, in order of time."""
    found = [r for path in folder.glob("journal*.jsonl") for r in _records(path) if r["ev"] in ("run", "end")]
    return sorted(found, key=lambda record: float(record["t"]))


def _records(path: Path) -> Iterator[dict[str, Any]]:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return
    except OSError as exc:
        raise _unwritable(path, exc) from exc
    for line in data.split(b"\n"):
        if not line.startswith(b"{"):
            continue
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict) and "ev" in record and isinstance(record.get("t"), (int, float)):
            yield record


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


def _unwritable(path: Path, exc: OSError) -> Exception:
    from geotoolz.core._errors import BatchError

    return BatchError(
        f"journal {str(path)!r}: {exc.strerror or exc}",
        expected="a file that can be read and appended to",
        fix="check rights and free space of the output folder; finished tiles stay finished",
    )
