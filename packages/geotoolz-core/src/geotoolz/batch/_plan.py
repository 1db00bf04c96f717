"""What a run would do: per tile its state and the reason."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from ._commit import read_item
from ._failure import FailureKind
from ._item import code_versions
from ._layout import Layout, safe_name
from ._task import TileTask

__all__ = ["BatchPlan", "PlannedTile", "State", "TileState", "scan"]

#: failures that come back while input, pipeline and code are the same
_DETERMINISTIC = frozenset({FailureKind.BAD_DATA, FailureKind.POISON, FailureKind.QC, FailureKind.PIPELINE})


class TileState(StrEnum):
    """The state of a tile in an output folder."""

    NEW = "new"
    """Nothing is there."""
    FRESH = "fresh"
    """Done, with this pipeline and these inputs."""
    STALE = "stale"
    """Done with another pipeline, other inputs or (on request) other code; a run makes it again."""
    PARTIAL = "partial"
    """Begun, failed in a way that may pass, or files are missing or changed; a run makes it again."""
    QUARANTINED = "quarantined"
    """Failed in a way that comes back as long as nothing changes; a run leaves it alone."""
    ORPHAN = "orphan"
    """In the output folder, not in the catalog; never touched."""


@dataclass(frozen=True, slots=True)
class PlannedTile:
    """A tile with its state, the reason, and the task that would make it (None for an orphan).

    `record` is what the journal, or the item, says of it.
    """

    tile_id: str
    state: TileState
    reason: str
    task: TileTask | None
    record: Mapping[str, Any]


@dataclass(frozen=True)
class BatchPlan:
    """The plan of a run.

    Attributes
    ----------
    out : Path
    tiles : tuple of PlannedTile
        In the catalog's order, orphans last.
    retry_failed : bool
        Whether quarantined tiles are tried again.
    only_failed : bool
        Whether nothing but tiles whose last attempt failed is made.
    """

    out: Path
    tiles: tuple[PlannedTile, ...]
    retry_failed: bool = False
    only_failed: bool = False

    @property
    def counts(self) -> dict[str, int]:
        """Tiles per state, states without tiles left out."""
        found = Counter(tile.state for tile in self.tiles)
        return {state.value: found[state] for state in TileState if found[state]}

    @property
    def todo(self) -> tuple[PlannedTile, ...]:
        """The tiles that a run would make."""
        if self.only_failed:
            return tuple(tile for tile in self.tiles if tile.task and tile.record.get("ev") == "failed")
        wanted = {TileState.NEW, TileState.STALE, TileState.PARTIAL}
        if self.retry_failed:
            wanted.add(TileState.QUARANTINED)
        return tuple(tile for tile in self.tiles if tile.state in wanted)

    def to_dict(self) -> dict[str, Any]:
        """Return values for JSON."""
        tiles = [
            {"id": tile.tile_id, "state": tile.state.value, "reason": tile.reason} for tile in self.tiles
        ]
        return {"out": str(self.out), "counts": self.counts, "tiles": tiles}

    def __str__(self) -> str:
        counts = ", ".join(f"{count} {name}" for name, count in self.counts.items()) or "no tiles"
        return f"{self.out}: {counts}; {len(self.todo)} to do"


def scan(layout: Layout) -> dict[str, int]:
    """Return every file below the output folder (without ``.geotoolz``) with its size.

    Raises
    ------
    WriteError
        If it is no folder or cannot be read.
    """
    from geotoolz.core._errors import WriteError

    found: dict[str, int] = {}
    stack = [("", os.fspath(layout.out))]
    while stack:
        prefix, folder = stack.pop()
        try:
            entries = list(os.scandir(folder))
        except FileNotFoundError:
            continue
        except OSError as exc:
            raise WriteError(
                f"output folder {folder!r} cannot be looked at: {exc.strerror or exc}",
                expected="a folder that can be read and written",
                fix="choose another with out=…",
            ) from exc
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if prefix or entry.name != ".geotoolz":
                    stack.append((f"{prefix}{entry.name}/", entry.path))
            else:
                found[prefix + entry.name] = _size(entry)
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
    """

    def __init__(
        self,
        layout: Layout,
        records: Mapping[str, Mapping[str, Any]],
        files: Mapping[str, int],
        stale_on: Sequence[str] = (),
    ) -> None:
        self._layout = layout
        self._records = records
        self._files = files
        self._stale_on = tuple(stale_on)

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
        state, reason = self._judge(task, record)
        return PlannedTile(task.tile_id, state, reason, task, record)

    def _judge(self, task: TileTask, record: Mapping[str, Any]) -> tuple[TileState, str]:
        item_name = f"items/{safe_name(task.tile_id)}.json"
        if not record:
            if item_name in self._files:
                return TileState.PARTIAL, "its item cannot be read"
            return TileState.NEW, "not made yet"
        same = record.get("key") == task.key
        if record["ev"] == "failed":
            return self._judge_failed(record, same)
        if not same:
            return TileState.STALE, _why_other(task, record)
        broken = self._broken(record, item_name)
        if broken:
            return TileState.PARTIAL, broken
        changed = self._other_code(record)
        if changed:
            return TileState.STALE, changed
        return TileState.FRESH, "done with this pipeline and these inputs"

    def _judge_failed(self, record: Mapping[str, Any], same: bool) -> tuple[TileState, str]:
        told = f"{record.get('error', '')}: {record.get('msg', '')}"
        if (
            same
            and record.get("kind") in _DETERMINISTIC
            and not _differs(record.get("versions", {}), "geotoolz")
        ):
            return TileState.QUARANTINED, f"failed, and nothing has changed since: {told}"
        return TileState.PARTIAL, f"failed before: {told}"

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
        "valid": properties.get("geotoolz:valid_share", {}),
        "masked": properties.get("geotoolz:masked_share"),
    }


def _differs(then: Mapping[str, str], prefix: str) -> str:
    now = code_versions()
    for name in sorted({*then, *now}):
        if name.startswith(prefix) and then.get(name) != now.get(name):
            return f"{name} was {then.get(name, 'absent')}, is {now.get(name, 'absent')}"
    return ""


def _why_other(task: TileTask, record: Mapping[str, Any]) -> str:
    if record.get("cfg") != task.config_hash:
        return f"the pipeline changed ({_short(record.get('cfg'))} → {_short(task.config_hash)})"
    if record.get("sink", task.sink) != task.sink:
        return "the sink changed (where and how the outputs are written)"
    then = {str(path).rsplit("/", 1)[-1]: (size, mark) for path, size, mark in record.get("in", ())}
    now = {stamp.path.rsplit("/", 1)[-1]: (stamp.size, stamp.mark) for stamp in task.stamps}
    for name in sorted({*then, *now}):
        if name not in now:
            return f"the input {name} is no longer named"
        if name not in then:
            return f"the input {name} is new"
        if then[name] != now[name]:
            sizes = f" ({then[name][0]} → {now[name][0]} bytes)" if then[name][0] != now[name][0] else ""
            return f"the input {name} changed{sizes}"
    return "it is read or written in another way (resolution, area, sink)"


def _short(config_hash: Any) -> str:
    return str(config_hash or "unknown").removeprefix("sha256:")[:8]
