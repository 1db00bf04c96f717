"""Everything that one tile says goes into one file: warnings, log records, the traceback."""

from __future__ import annotations

import logging
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from geotoolz.io._object_path import ObjectPath, Place

__all__ = ["TileLog", "tile_log"]

_LIMIT = 10_000
#: what Python itself does not show to users either
_FOR_DEVELOPERS = (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning)


class TileLog(logging.Handler):
    """Collects lines while a tile runs; also counts its warnings.

    The first line of a file names the tile, every line has a time and a level.
    """

    def __init__(self, tile_id: str) -> None:
        super().__init__(logging.INFO)
        self.tile_id = tile_id
        self.lines: list[str] = []
        self.warnings: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record."""
        text = record.getMessage()
        if record.exc_info:
            text += "\n" + "".join(traceback.format_exception(*record.exc_info))
        self.say(record.levelname, f"{record.name}: {text}", record.created)

    def say(self, level: str, text: str, when: float | None = None) -> None:
        """Write a line."""
        if len(self.lines) < _LIMIT:
            stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(when))
            self.lines.append(f"{stamp} {level:<7} [{self.tile_id}] {text}")

    def warned(self, message: Warning | str, category: type[Warning]) -> None:
        """Keep a warning, each text once."""
        text = f"{category.__name__}: {message}"
        if text not in self.warnings:
            self.warnings.append(text)
            self.say("WARNING", text)


@contextmanager
def tile_log(tile_id: str, path: Place | None) -> Iterator[TileLog]:
    """Collect what happens inside, and append it to `path` at the end.

    Warnings are collected instead of shown: a thousand tiles would show each a thousand times. A log that
    cannot be written loses its lines, never the tile.

    Parameters
    ----------
    tile_id : str
    path : Path, ObjectPath or None
        None keeps nothing on the disk. An object store keeps the log of the last attempt only.
    """
    log = TileLog(tile_id)
    root = logging.getLogger()
    ours = logging.getLogger("geotoolz")
    level = ours.level
    root.addHandler(log)
    if not ours.isEnabledFor(logging.INFO):
        ours.setLevel(logging.INFO)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            for category in _FOR_DEVELOPERS:
                warnings.simplefilter("ignore", category)
            warnings.showwarning = lambda message, category, *_args, **_more: log.warned(message, category)
            yield log
    except Exception as exc:
        log.say("ERROR", "".join(traceback.format_exception(exc)).rstrip())
        raise
    finally:
        root.removeHandler(log)
        ours.setLevel(level)
        if path is not None and log.lines:
            _append(path, log.lines)


def _append(path: Place, lines: list[str]) -> None:
    try:
        if isinstance(path, ObjectPath):
            path.store.write(path.key, ("\n".join(lines) + "\n").encode(), check=False)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
    except OSError:
        logging.getLogger("geotoolz.batch").warning("the log %s cannot be written", path)
