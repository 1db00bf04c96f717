"""What units know of an output folder: what stands there, who works in it, what they tell its journal."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from geotoolz.batch import Journal, Layout, Outcome, TileTask
from geotoolz.batch._commit import read_item
from geotoolz.batch._item import code_versions
from geotoolz.batch._lease import Lease
from geotoolz.batch._work import record_of
from geotoolz.io._object_path import place

if TYPE_CHECKING:
    from geotoolz.batch._commit import OutputFile

__all__ = ["UnitJournal", "layout_of", "made_before"]

_JOURNAL = "journal-units.jsonl"
_LOCK = "units.lock"


def layout_of(out: str) -> Layout:
    """Return the layout of an output folder."""
    return Layout(place(out))


def made_before(task: TileTask) -> tuple[OutputFile, ...] | None:
    """Return the files of a tile that stands there complete, of this pipeline and these inputs.

    Its item, which is written last, says the task's key, and every file has the size that it says.
    """
    layout = layout_of(task.out)
    item, files = read_item(layout, task.tile_id)
    if item is None or not files or item["properties"]["geotoolz:task_key"] != task.key:
        return None
    for file in files:
        try:
            if (layout.out / file.path).stat().st_size != file.size:
                return None
        except OSError:
            return None
    return files


class UnitJournal:
    """Works in an output folder beside other units, and tells its journal what happened.

    Units share the folder's lease: none works beside a run of the whole folder, which at its end removes what
    unfinished tiles have left.

    Parameters
    ----------
    out : str
        The output folder; made where it is not there.

    Raises
    ------
    BatchError
        If a run is working on the folder.
    WriteError
        If it cannot be written.
    """

    def __init__(self, out: str) -> None:
        self._layout = layout_of(out)
        self._lease = Lease(self._layout, None, shared=True)

    def __enter__(self) -> UnitJournal:
        self._layout.make()
        self._lease.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lease.__exit__(kind, exc, trace)

    def write(self, outcome: Outcome, task: TileTask) -> None:
        """Append what became of a tile, with the versions that made it."""
        event, values = record_of(outcome, task, "unit")
        with _alone(self._layout), Journal(self._layout.private / _JOURNAL) as journal:
            journal.append(event, **values, versions=code_versions())


@contextmanager
def _alone(layout: Layout) -> Iterator[None]:
    """Let one process at a time append: units run on many."""
    path: Any = layout.private / _LOCK
    if sys.platform == "win32" or not isinstance(path, Path):  # no flock there
        yield
        return
    import fcntl

    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
