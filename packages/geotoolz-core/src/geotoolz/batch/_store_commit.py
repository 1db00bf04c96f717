"""A tile's outputs on an object store: every file one PUT, each checked, the STAC item last."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geotoolz.io._object_errors import StoreError
from geotoolz.io._object_path import ObjectPath

from ._layout import Layout, safe_name

if TYPE_CHECKING:
    from ._commit import OutputFile

__all__ = ["commit_objects"]

_log = logging.getLogger("geotoolz.batch")


def commit_objects(
    layout: Layout,
    out: ObjectPath,
    tile_id: str,
    staged: Path,
    files: Sequence[OutputFile],
    owned: Mapping[str, int],
    make_item: Callable[[tuple[OutputFile, ...]], dict[str, Any]],
) -> None:
    """Put everything below `staged` in its place below an address, then the item.

    Nothing is renamed there, so there is no note of what is under way: each object says in its own metadata
    for which tile it was written. A crash in between leaves objects without an item; the next attempt writes
    them again.

    Parameters
    ----------
    layout : Layout
    out : ObjectPath
        The layout's own.
    tile_id : str
    staged : Path
    files : sequence of OutputFile
        What lies there.
    owned : mapping
        Files of an earlier run that the journal knows: path to bytes.
    make_item : callable
        Returns the STAC item for the files.

    Raises
    ------
    WriteError
        If an object of somebody else stands in the way.
    StoreError
        If the store does not take it, or holds something else than was sent.
    """
    name = safe_name(tile_id)
    placed: list[str] = []
    try:
        for file in files:
            target = out / file.path
            if file.path in owned:
                target.store.write(target.key, staged / file.path, owner=name)
            elif target.store.create(target.key, staged / file.path, owner=name):
                placed.append(target.key)
            else:
                _again(target, staged / file.path, name)
        item = layout.item(tile_id)
        item.write_bytes((json.dumps(make_item(tuple(files)), indent=1) + "\n").encode())
    except Exception:  # as if nothing had been; what cannot be deleted now is the next attempt's own
        _take_back(out, placed)
        raise
    _drop_superseded(out, owned, {file.path for file in files})


def _again(target: ObjectPath, source: Path, name: str) -> None:
    """Write over an object of an earlier attempt at the same tile.

    Raises
    ------
    WriteError
        If it is somebody else's.
    """
    from ._commit import taken

    if target.store.owner(target.key) != name:
        raise taken(target)
    target.store.write(target.key, source, owner=name)


def _take_back(out: ObjectPath, placed: Iterable[str]) -> None:
    try:
        out.store.delete(placed)
    except StoreError as error:
        _log.warning("left behind without an item: %s", error)


def _drop_superseded(out: ObjectPath, owned: Mapping[str, int], kept: set[str]) -> None:
    """Delete what an earlier pipeline wrote for this tile and this one did not, if nobody changed it."""
    for path, size in owned.items():
        if path in kept:
            continue
        target = out / path
        found = target.stamp()
        if found is not None and size in (-1, found.size):
            target.unlink(missing_ok=True)
