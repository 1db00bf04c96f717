"""Encoded tiles: in memory, bounded in bytes, and perhaps in a folder."""

from __future__ import annotations

import os
import tempfile
import threading
from collections import OrderedDict
from pathlib import Path


class TileCache:
    """Encoded pictures by their ETag; the one used longest ago goes first.

    Parameters
    ----------
    max_bytes : int
        Of all pictures in memory.
    folder : Path, optional
        Keeps pictures beyond the process. They are found by ETag: a change of source, pipeline or settings
        leaves the old ones behind, and nothing here removes them.
    """

    def __init__(self, max_bytes: int, folder: Path | None = None) -> None:
        self.max_bytes, self.folder = max_bytes, folder
        self.bytes = 0
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, bytes] = OrderedDict()

    def get(self, etag: str) -> bytes | None:
        """Return a picture that is in memory."""
        with self._lock:
            found = self._kept.get(etag)
            if found is not None:
                self._kept.move_to_end(etag)
            return found

    def put(self, etag: str, data: bytes) -> None:
        """Keep a picture in memory."""
        if len(data) > self.max_bytes:
            return
        with self._lock:
            if etag not in self._kept:
                self._kept[etag] = data
                self.bytes += len(data)
            while self.bytes > self.max_bytes:
                self.bytes -= len(self._kept.popitem(last=False)[1])

    def from_disk(self, etag: str) -> bytes | None:
        """Return a picture that is in the folder."""
        if self.folder is None:
            return None
        try:
            return self._path(self.folder, etag).read_bytes()
        except OSError:
            return None

    def to_disk(self, etag: str, data: bytes) -> None:
        """Keep a picture in the folder; a full disk costs the cache, not the answer."""
        if self.folder is None:
            return
        path = self._path(self.folder, etag)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=path.parent)
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(name).replace(path)
        except OSError:
            return

    @staticmethod
    def _path(folder: Path, etag: str) -> Path:
        name = etag.strip('"')
        return folder / name[:2] / name
