"""Judging tiles against what stands in an output folder: their state, and why."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from geotoolz.io._object_path import ObjectPath

from ._changes import changes, told_changes
from ._commit import read_item
from ._configs import find_config
from ._failure import COMES_BACK
from ._item import code_versions
from ._layout import Layout, safe_name
from ._plan import PlannedTile, StaleCause, TileState
from ._task import TileTask

__all__ = ["State", "record_of_item", "scan"]


def scan(layout: Layout) -> dict[str, int]:
    """Return every file below the output folder (without ``.geotoolz``) with its size.

    Raises
    ------
    WriteError
        If it is no folder or cannot be read.
    """
    from geotoolz.core._errors import WriteError

    if isinstance(layout.out, ObjectPath):
        return layout.out.sizes(without=".geotoolz")
    found: dict[str, int] = {}
    stack = [("", os.fspath(layout.out))]
    while stack:
        prefix, folder = stack.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if not entry.is_dir(follow_symlinks=False):
                        found[prefix + entry.name] = _size(entry)
                    elif prefix or entry.name != ".geotoolz":
                        stack.append((f"{prefix}{entry.name}/", entry.path))
        except FileNotFoundError:
            continue
        except OSError as exc:
            raise WriteError(
                f"output folder {folder!r} cannot be looked at: {exc.strerror or exc}",
                expected="a folder that can be read and written",
                fix="choose another with out=…",
            ) from exc
    return found


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_size
    except OSError:  # a dangling link
        return -1


class State:
    """Judges tiles against what is in the output folder.

    Parameters
    ----------
    layout : Layout
    records : mapping
        The journal's last word per tile.
    files : mapping
        What `scan` found.
    stale_on : sequence of str
        "code": other versions of geotoolz make a tile stale; "environment": also of the libraries below.
    config : mapping
        What `described` says of the pipeline.
    overwritten : str
        Which file behind a `Ref` has other content than the pipeline pins; empty where none.
    """

    def __init__(
        self,
        layout: Layout,
        records: Mapping[str, Mapping[str, Any]],
        files: Mapping[str, int],
        stale_on: Sequence[str] = (),
        *,
        config: Mapping[str, Any] | None = None,
        overwritten: str = "",
    ) -> None:
        self._layout = layout
        self._records = records
        self._files = files
        self._stale_on = tuple(stale_on)
        self._config = config
        self._overwritten = overwritten
        self._told: dict[str, tuple[StaleCause, str]] = {}

    @property
    def files(self) -> Mapping[str, int]:
        """What stands in the output folder."""
        return self._files

    def record(self, tile_id: str) -> Mapping[str, Any]:
        """Return what is known of a tile: the journal's record, else what its item says, else nothing."""
        record = self._records.get(tile_id)
        if record is not None:
            return record
        if f"items/{safe_name(tile_id)}.json" not in self._files:
            return {}
        return record_of_item(self._layout, tile_id)

    def judge(self, task: TileTask, record: Mapping[str, Any]) -> PlannedTile:
        """Say in which state a tile is, and why."""
        if record and record["ev"] != "failed" and record.get("key") != task.key:
            cause, reason = self._why_other(task, record)
            return PlannedTile(task.tile_id, TileState.STALE, reason, task, record, cause)
        state, reason = self._judge(task, record)
        if state is TileState.FRESH:
            changed = self._other_code(record)
            if changed:
                return PlannedTile(task.tile_id, TileState.STALE, changed, task, record, StaleCause.CODE)
            if self._overwritten:
                text = self._overwritten
                return PlannedTile(task.tile_id, TileState.STALE, text, task, record, StaleCause.MODEL)
        return PlannedTile(task.tile_id, state, reason, task, record)

    def _judge(self, task: TileTask, record: Mapping[str, Any]) -> tuple[TileState, str]:
        item_name = f"items/{safe_name(task.tile_id)}.json"
        if not record:
            if item_name in self._files:
                return TileState.PARTIAL, "its item cannot be read"
            return TileState.NEW, "not made yet"
        if record["ev"] == "failed":
            return self._judge_failed(record, record.get("key") == task.key)
        broken = self._broken(record, item_name)
        if broken:
            return TileState.PARTIAL, broken
        return TileState.FRESH, "done with this pipeline and these inputs"

    def _why_other(self, task: TileTask, record: Mapping[str, Any]) -> tuple[StaleCause, str]:
        then = str(record.get("cfg") or "")
        if then != task.config_hash:
            if then not in self._told:
                self._told[then] = self._other_config(then, task)
            return self._told[then]
        if record.get("sink", task.sink) != task.sink:
            return StaleCause.SINK, "the sink changed (where and how the outputs are written)"
        changed = _other_input(task, record)
        return (StaleCause.INPUT, changed) if changed else (StaleCause.READ, _other_read(task, record))

    def _other_config(self, then: str, task: TileTask) -> tuple[StaleCause, str]:
        """Say in what the pipeline differs from an earlier one; asked once per earlier pipeline."""
        hashes = f"({_short(then)} → {_short(task.config_hash)})"
        before = find_config(self._layout, then, task.tile_id) if then else None
        found = list(changes(before, self._config)) if before and self._config else []
        if not found:  # nobody knows the old one any more
            return StaleCause.CONFIG, f"the pipeline changed {hashes}"
        kinds = {change.kind for change in found}
        if kinds == {"file"}:
            return StaleCause.MODEL, f"the model or table changed: {told_changes(found)}"
        if kinds == {"version"}:
            return StaleCause.CODE, f"the code changed: {told_changes(found)}"
        return StaleCause.CONFIG, f"the pipeline changed at {told_changes(found)}"

    def _judge_failed(self, record: Mapping[str, Any], same: bool) -> tuple[TileState, str]:
        told = f"{record.get('error', '')}: {record.get('msg', '')}"
        if record.get("released"):
            return TileState.PARTIAL, f"released from quarantine: {told}"
        if same and record.get("kind") in COMES_BACK and not _differs(record.get("versions", {}), "geotoolz"):
            return TileState.QUARANTINED, f"failed, and nothing has changed since: {told}"
        since = "" if same else ", and its inputs or the pipeline changed since"
        return TileState.PARTIAL, f"failed before{since}: {told}"

    def _broken(self, record: Mapping[str, Any], item_name: str) -> str:
        for name, size, *_ in record.get("out", ()):
            there = self._files.get(name)
            if there is None:
                return f"{name} is missing"
            if there != size:
                return f"{name} has {there} bytes, {size} were written"
        there = self._files.get(item_name)
        if there is None:
            return f"{item_name} is missing"
        return "" if there == record.get("item", there) else f"{item_name} was changed"

    def _other_code(self, record: Mapping[str, Any]) -> str:
        for wish in self._stale_on:
            changed = _differs(record.get("versions", {}), "geotoolz" if wish == "code" else "")
            if changed:
                return changed
        return ""

    def orphans(self, known: Iterable[str]) -> Iterator[PlannedTile]:
        """Find tiles in the output folder that the catalog does not have."""
        ids = set(known)
        names = {f"items/{safe_name(tile_id)}.json" for tile_id in ids}
        told = set()
        for tile_id, record in self._records.items():
            name = f"items/{safe_name(tile_id)}.json"
            told.add(name)
            if tile_id not in ids and name in self._files:
                yield PlannedTile(tile_id, TileState.ORPHAN, "not in the catalog", None, record)
        for name in sorted(self._files):
            if (
                name.startswith("items/")
                and name.endswith(".json")
                and name not in names
                and name not in told
            ):
                yield PlannedTile(Path(name).stem, TileState.ORPHAN, "not in the catalog", None, {})


def record_of_item(layout: Layout, tile_id: str) -> dict[str, Any]:
    """Rebuild a tile's journal record from its item; empty where there is none of ours."""
    item, files = read_item(layout, tile_id)
    if item is None:
        return {}
    properties = item["properties"]
    return {
        "ev": "done",
        "t": 0.0,
        "id": tile_id,
        "key": properties["geotoolz:task_key"],
        "cfg": properties.get("geotoolz:config_hash"),
        "in": properties.get("geotoolz:inputs", []),
        "out": [[file.path, file.size, file.sha256] for file in files],
        "versions": properties.get("processing:software", {}),
        "read": properties.get("geotoolz:read", {}),
        "valid": properties.get("geotoolz:valid_share", {}),
        "masked": properties.get("geotoolz:masked_share"),
    }


def _differs(then: Mapping[str, str], prefix: str) -> str:
    now = code_versions()
    for name in sorted({*then, *now}):
        if name.startswith(prefix) and then.get(name) != now.get(name):
            return f"{name} was {then.get(name, 'absent')}, is {now.get(name, 'absent')}"
    return ""


def _other_input(task: TileTask, record: Mapping[str, Any]) -> str:
    then = {str(path).rsplit("/", 1)[-1]: (size, mark) for path, size, mark in record.get("in", ())}
    now = {stamp.path.rsplit("/", 1)[-1]: (stamp.size, stamp.mark) for stamp in task.stamps}
    gone = [stamp.path for stamp in task.stamps if stamp.size == -1]
    if gone:
        return f"the input {gone[0]} is gone"
    for name in sorted({*then, *now}):
        if name not in now:
            return f"the input {name} is no longer named"
        if name not in then:
            return f"the input {name} is new"
        if then[name] != now[name]:
            before, after = then[name][0], now[name][0]
            sizes = (
                f"{before} → {after} bytes" if before != after else "as many bytes, another time or checksum"
            )
            return f"the input {name} changed ({sizes})"
    return ""


def _other_read(task: TileTask, record: Mapping[str, Any]) -> str:
    then = record.get("read")
    if then is None:  # a journal of before, which did not tell
        return "it is read in another way (resolution, area)"
    now = json.loads(json.dumps(dict(task.read), default=str))
    names = [name for name in sorted({*then, *now} - {"sign"}) if then.get(name) != now.get(name)]
    told = [
        f"{name} {then.get(name, 'of the file')} → {now.get(name, 'of the file')}"
        if name != "aoi"
        else "another aoi"
        for name in names
    ]
    return f"it is read in another way: {', '.join(told)}"


def _short(config_hash: Any) -> str:
    return str(config_hash or "unknown").removeprefix("sha256:")[:8]
