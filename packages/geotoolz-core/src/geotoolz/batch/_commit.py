"""Putting a tile's files in place: all staged, then renamed, the STAC item last. No item, no tile."""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geotoolz.io._object_errors import StoreError
from geotoolz.io._object_path import ObjectPath, Place

from ._layout import REPORT, Layout, safe_name
from ._store_commit import commit_objects

__all__ = [
    "OutputFile",
    "clean_leftovers",
    "commit",
    "has_leftovers",
    "multihash",
    "own_files",
    "staging_folder",
    "taken",
    "typed",
    "write_atomic",
]

#: the prefix of a sha-256 in a multihash, which ``file:checksum`` is
_SHA256 = "1220"
_PROBE = re.compile(r"\.probe-\d+")


@dataclass(frozen=True, slots=True)
class OutputFile:
    """A file that stands in the output folder: path below it (with ``/``), bytes, SHA-256 in hex."""

    path: str
    size: int
    sha256: str


def multihash(sha256: str) -> str:
    """Return a SHA-256 as STAC's ``file:checksum`` writes it."""
    return _SHA256 + sha256


@contextmanager
def staging_folder(layout: Layout, tile_id: str) -> Iterator[Path]:
    """Give a fresh folder on the file system of the outputs; gone afterwards, whatever happened."""
    with typed(layout.staging):
        layout.staging.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f"{safe_name(tile_id)}~", dir=layout.staging))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def commit(
    layout: Layout,
    tile_id: str,
    staged: Path,
    owned: Mapping[str, int],
    make_item: Callable[[tuple[OutputFile, ...]], dict[str, Any]],
) -> tuple[OutputFile, ...]:
    """Move everything below `staged` to its place below the output folder, then write the item.

    Where the item cannot be written, new files are taken back. A crash in between leaves files without a
    valid item (state "partial"); the note written before the first rename tells the next attempt that they
    are its own. On an object store `commit_objects` does it.

    Parameters
    ----------
    layout : Layout
    tile_id : str
    staged : Path
        Finished files in the tree that they will have.
    owned : mapping
        Files of an earlier run that the journal knows (the item may be lost): path to bytes.
    make_item : callable
        Returns the STAC item for the files.

    Returns
    -------
    tuple of OutputFile

    Raises
    ------
    WriteError
        If a file of somebody else stands in the way, or the disk does not take it.
    """
    with typed(layout.out):
        found = sorted(path for path in staged.rglob("*") if path.is_file())
        files = tuple(_seal(path, path.relative_to(staged).as_posix()) for path in found)
        if isinstance(layout.out, ObjectPath):
            commit_objects(layout, layout.out, tile_id, staged, files, owned, make_item)
            return files
        item_path = layout.item(tile_id)
        mine = {**owned, **own_files(layout, tile_id)}
        _refuse_foreign(layout.out, files, mine)
        intent = layout.intent(tile_id)
        write_atomic(intent, json.dumps(sorted({*mine, *(file.path for file in files)})).encode())
        placed = _place(layout, layout.out, tile_id, staged, files, mine)
        try:
            write_atomic(item_path, (json.dumps(make_item(files), indent=1) + "\n").encode())
        except Exception:  # the disk took the images and not the item: as if neither had been
            _take_back(layout, tile_id, placed if len(placed) == len(files) else ())
            raise
        _drop_superseded(layout.out, mine, files)
        intent.unlink(missing_ok=True)
    return files


def own_files(layout: Layout, tile_id: str) -> dict[str, int]:
    """Return what this tile has written before: path below the output folder to bytes (-1: not known)."""
    mine: dict[str, int] = {}
    try:
        names = json.loads(layout.intent(tile_id).read_bytes())
        mine.update((str(name), -1) for name in names)
    except (OSError, ValueError):
        pass
    mine.update((file.path, file.size) for file in read_item(layout, tile_id)[1])
    return mine


def read_item(layout: Layout, tile_id: str) -> tuple[dict[str, Any] | None, tuple[OutputFile, ...]]:
    """Return a tile's item and the files it names; (None, ()) where there is none that we wrote.

    Raises
    ------
    StoreError
        If an object store does not answer: that says nothing of the tile.
    """
    try:
        item = json.loads(layout.item(tile_id).read_bytes())
        if "geotoolz:task_key" not in item["properties"]:
            return None, ()
        return item, tuple(_outputs_of(item))
    except StoreError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None, ()


def _outputs_of(item: Mapping[str, Any]) -> Iterator[OutputFile]:
    for asset in item["assets"].values():
        if "file:size" not in asset:  # the small picture is no output
            continue
        path = posixpath.normpath(f"items/{asset['href']}")
        if path.startswith(("../", "/")):
            raise ValueError(f"{path} is not below the output folder")
        checksum = str(asset.get("file:checksum", ""))
        yield OutputFile(path, int(asset["file:size"]), checksum[len(_SHA256) :])


def write_atomic(path: Place, data: bytes, *, check: bool = True) -> None:
    """Write a file so that it is there whole or not at all.

    Without `check` nobody asks an object store whether it arrived; for what no tile depends on.
    """
    if isinstance(path, ObjectPath):
        path.store.write(path.key, data, check=check)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)  # mkstemp makes it private
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def clean_leftovers(layout: Layout, tile_ids: Iterable[str], *, alone: bool = False) -> None:
    """Remove what killed workers left of these tiles: staging folders, files without their name yet.

    With `alone` (no other shard's run works here) also what killed runs left of their reports.
    """
    ours = {safe_name(tile_id) for tile_id in tile_ids}
    for name in _names(layout.staging):
        if name.rpartition("~")[0] in ours:
            shutil.rmtree(layout.staging / name, ignore_errors=True)
    if isinstance(layout.out, ObjectPath):  # has no files under construction
        return
    mine = {f"{name}{suffix}" for name in ours for suffix in (".json", ".png")}
    if alone:
        mine.add("collection.json")
    for folder in (layout.out, layout.items, layout.commits, layout.quicklooks):
        for name in _names(folder):
            whole = name[1:].rpartition(".")[0] if name.startswith(".") else ""
            if whole in mine or (alone and REPORT.fullmatch(whole)) or (alone and _PROBE.fullmatch(name)):
                Path(str(folder), name).unlink(missing_ok=True)


def has_leftovers(layout: Layout) -> bool:
    """Say whether a run that was killed left something in the folder for files under construction."""
    return not isinstance(layout.out, ObjectPath) and bool(_names(layout.staging))


def _names(folder: Place) -> list[str]:
    try:
        return os.listdir(str(folder))  # noqa: PTH208 - names are all that is wanted
    except OSError:
        return []


def _seal(path: Path, relative: str) -> OutputFile:
    """Bring a file to the disk and take its size and hash."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        os.fsync(file.fileno())
        return OutputFile(relative, os.fstat(file.fileno()).st_size, digest)


def _refuse_foreign(out: Path, files: Iterable[OutputFile], mine: Mapping[str, int]) -> None:
    for file in files:
        if file.path not in mine and os.path.lexists(out / file.path):
            raise taken(out / file.path)


def taken(path: Place) -> Exception:
    """Return the error for an output whose name is somebody else's."""
    from geotoolz.core._errors import WriteError

    return WriteError(
        f"{str(path)!r} exists and was not written for this tile",
        expected="a free path, or an earlier output of the same tile",
        fix="put {item_id} into the sink's path, or choose another folder with out=…",
    )


def _place(
    layout: Layout,
    out: Path,
    tile_id: str,
    staged: Path,
    files: Iterable[OutputFile],
    mine: Mapping[str, int],
) -> list[Path]:
    """Give the staged files their names and return the new ones; if a name is taken, take them back."""
    placed: list[Path] = []
    try:
        for file in files:
            target = out / file.path
            target.parent.mkdir(parents=True, exist_ok=True)
            if file.path in mine:
                (staged / file.path).replace(target)
                continue
            _move_if_free(staged / file.path, target)
            placed.append(target)
    except BaseException:
        _take_back(layout, tile_id, placed)
        layout.intent(tile_id).unlink(missing_ok=True)
        raise
    return placed


def _take_back(layout: Layout, tile_id: str, placed: Iterable[Path]) -> None:
    """Remove files that were given their names, and the note that they are this tile's."""
    gone = False
    for target in placed:
        target.unlink(missing_ok=True)
        gone = True
    if gone:
        layout.intent(tile_id).unlink(missing_ok=True)


def _move_if_free(source: Path, target: Path) -> None:
    """Rename unless the name is taken: another tile may commit to the same path at this moment."""
    try:
        os.link(source, target)
    except FileExistsError:
        raise taken(target) from None
    except OSError:  # a file system without hard links
        source.replace(target)
        return
    source.unlink()


def _drop_superseded(out: Path, mine: Mapping[str, int], files: Iterable[OutputFile]) -> None:
    """Remove what an earlier pipeline wrote for this tile and this one did not, if nobody changed it."""
    kept = {file.path for file in files}
    for name, size in mine.items():
        path = out / name
        if name not in kept and path.is_file() and size in (-1, path.stat().st_size):
            path.unlink()


@contextmanager
def typed(where: Place) -> Iterator[None]:
    """Turn the system's errors into a `WriteError` that keeps the number (disk full is no bug)."""
    from geotoolz.core._errors import GeotoolzError, WriteError

    try:
        yield
    except GeotoolzError:
        raise
    except OSError as exc:
        error = WriteError(
            f"{exc.filename or where}: {exc.strerror or exc}",
            expected="free space and the right to write",
            fix="free space or choose another folder, then run again: finished tiles are kept",
        )
        error.errno = exc.errno
        raise error from exc
