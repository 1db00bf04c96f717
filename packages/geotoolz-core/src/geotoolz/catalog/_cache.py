"""The folder of `acquire`: files by their content, where they came from, one writer per file, a bound."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from geotoolz.core._errors import WriteError

_CHUNK = 1 << 20


@dataclass(frozen=True)
class Entry:
    """One file of the cache.

    Parameters
    ----------
    origin : str
        Address that it came from, without a signature.
    file : str
        Path below the cache's folder.
    size : int
        Bytes.
    sha256 : str
        Of the bytes.
    mark : str
        What the server says of this version: its ETag, else the time of the last change.
    part : mapping, optional
        Which part of the file was asked for; None for all of it.
    """

    origin: str
    file: str
    size: int
    sha256: str
    mark: str = ""
    part: Any = None


class Cache:
    """A folder of files that were fetched once.

    Files lie below ``assets/`` in folders named by their SHA-256, so that equal files are kept once; below
    ``index/`` stands for every address what came from there; ``partial/`` holds what is under way.

    Parameters
    ----------
    folder : Path
    max_bytes : int, optional
        At most so many bytes of files; what was used longest ago, and is not wanted now, makes room.
    """

    def __init__(self, folder: Path, max_bytes: int | None = None) -> None:
        self.folder = folder
        self.max_bytes = max_bytes
        self._coming: dict[str, int] = {}
        try:
            for name in ("assets", "index", "partial"):
                (folder / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise WriteError(
                f"{folder} cannot be written: {error}", expected="a folder with space"
            ) from error

    @staticmethod
    def key(origin: str, part: Any = None) -> str:
        """Return the name under which a file, or a part of it, is kept."""
        text = json.dumps([origin, part], sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def entry(self, key: str) -> Entry | None:
        """Return what is kept under a key, if it is there as it was written."""
        try:
            found = Entry(**json.loads((self.folder / "index" / f"{key}.json").read_bytes()))
            whole = (self.folder / found.file).stat().st_size == found.size
        except (OSError, ValueError, TypeError):
            return None
        return found if whole else None

    def used(self, key: str) -> None:
        """Note that a file is wanted now."""
        os.utime(self.folder / "index" / f"{key}.json")

    def partial(self, key: str) -> Path:
        """Return where a file is written before it is complete; what a broken attempt left may be there."""
        return self.folder / "partial" / f"{key}.part"

    def keep(self, key: str, name: str, origin: str, mark: str = "", part: Any = None) -> Entry:
        """Take the partial file of a key into the cache, under a file name."""
        partial = self.partial(key)
        digest = file_sha256(partial)
        file = Path("assets") / digest[:2] / digest / name
        target = self.folder / file
        target.parent.mkdir(parents=True, exist_ok=True)
        size = partial.stat().st_size
        partial.replace(target)
        entry = Entry(origin, file.as_posix(), size, digest, mark, part)
        self._coming.pop(key, None)
        self._write(self.folder / "index" / f"{key}.json", json.dumps(asdict(entry)).encode())
        return entry

    def _write(self, path: Path, data: bytes) -> None:
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        temporary.write_bytes(data)
        temporary.replace(path)

    def make_room(self, coming: str, wanted: int, keep: frozenset[str]) -> None:
        """Delete what was used longest ago until so many bytes more fit.

        Parameters
        ----------
        coming : str
            Key of the file that is about to come.
        wanted : int
            Its bytes.
        keep : frozenset of str
            Keys that must stay.

        Raises
        ------
        WriteError
            If what must stay leaves too little.
        """
        if self.max_bytes is None:
            return
        with self.lock("room"):
            self._coming[coming] = wanted
            wanted = sum(self._coming.values())  # other threads' files are under way too
            entries = self._by_use()
            held = self._bytes(entries)
            for key, entry in list(entries.items()):
                if held + wanted <= self.max_bytes:
                    return
                if key not in keep:
                    self._drop(key, entry, {e.file for k, e in entries.items() if k != key})
                    del entries[key]
                    held = self._bytes(entries)
            if held + wanted > self.max_bytes:
                del self._coming[coming]
                raise WriteError(
                    f"{self.folder} holds {held:,} bytes that are wanted, and {wanted:,} more are to come",
                    expected=f"at most {self.max_bytes:,} in all",
                    fix="raise max_bytes, or ask for a smaller area or fewer bands",
                )

    def _by_use(self) -> dict[str, Entry]:
        """Return all entries, those first that were used longest ago."""
        files = [(path.stat().st_mtime_ns, path) for path in (self.folder / "index").glob("*.json")]
        found = ((path.stem, self.entry(path.stem)) for _, path in sorted(files))
        return {key: entry for key, entry in found if entry is not None}

    @staticmethod
    def _bytes(entries: dict[str, Entry]) -> int:
        return sum({entry.file: entry.size for entry in entries.values()}.values())

    def _drop(self, key: str, entry: Entry, others: set[str]) -> None:
        (self.folder / "index" / f"{key}.json").unlink(missing_ok=True)
        if entry.file not in others:
            (self.folder / entry.file).unlink(missing_ok=True)

    @contextmanager
    def lock(self, key: str) -> Iterator[None]:
        """Hold a key against other threads and processes; the system lets go where one dies."""
        path = self.folder / "partial" / f"{key}.lock"
        with path.open("ab") as file:
            if sys.platform != "win32":  # no flock there: two runs on one folder are the user's care
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX)
            yield


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
