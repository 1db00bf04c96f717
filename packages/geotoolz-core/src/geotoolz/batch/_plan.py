"""What a run would do: per tile its state and the reason, and both in sum."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from geotoolz.io._object_path import Place

from ._task import TileTask

__all__ = ["BatchPlan", "PlannedTile", "Reason", "StaleCause", "TileState"]

#: reasons of one kind that a summary lists one by one; of more it tells their number and an example
_LISTED = 3


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


class StaleCause(StrEnum):
    """What has changed since a stale tile was made."""

    CONFIG = "config"
    """A parameter or a step of the pipeline; the reason names the path and both values."""
    MODEL = "model"
    """The content of a file behind a `Ref`: a model, a spectrum, a table. The reason names the file."""
    CODE = "code"
    """An operator makes other pixels since, or (with ``stale_on``) a library has another version."""
    INPUT = "input"
    """A file of the scene."""
    SINK = "sink"
    """Where and how outputs are written."""
    READ = "read"
    """How the scene is read: area, resolution."""


@dataclass(frozen=True, slots=True)
class PlannedTile:
    """A tile with its state, the reason, and the task that would make it (None for an orphan).

    `record` is what the journal, or the item, says of it; `cause` says of a stale tile what has changed.
    """

    tile_id: str
    state: TileState
    reason: str
    task: TileTask | None
    record: Mapping[str, Any]
    cause: StaleCause | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """Tiles of one state for one reason.

    Attributes
    ----------
    state : TileState
    cause : StaleCause or None
    count : int
    text : str
        The reason; of many different ones an example with its tile.
    """

    state: TileState
    cause: StaleCause | None
    count: int
    text: str

    def __str__(self) -> str:
        return f"{self.count} {self.state.value}: {self.text}"

    def to_dict(self) -> dict[str, Any]:
        """Return values for JSON."""
        told = {"state": self.state.value, "count": self.count, "reason": self.text}
        return told if self.cause is None else {**told, "cause": self.cause.value}


@dataclass(frozen=True)
class BatchPlan:
    """The plan of a run.

    Attributes
    ----------
    out : Path or ObjectPath
    tiles : tuple of PlannedTile
        In the catalog's order, orphans last.
    retry_failed : bool
        Whether quarantined tiles are tried again.
    only_failed : bool
        Whether nothing but tiles whose last attempt failed is made.
    """

    out: Place
    tiles: tuple[PlannedTile, ...]
    retry_failed: bool = False
    only_failed: bool = False

    @property
    def counts(self) -> dict[str, int]:
        """Tiles per state, states without tiles left out."""
        found = Counter(tile.state for tile in self.tiles)
        return {state.value: found[state] for state in TileState if found[state]}

    @property
    def causes(self) -> dict[str, int]:
        """Stale tiles per cause, causes without tiles left out."""
        found = Counter(tile.cause for tile in self.tiles)
        return {cause.value: found[cause] for cause in StaleCause if found[cause]}

    @property
    def summary(self) -> tuple[Reason, ...]:
        """The reasons in sum: "41 stale: the pipeline changed at operators[2].radius 3 → 5"."""
        groups: dict[tuple[TileState, StaleCause | None], Counter[str]] = {}
        examples: dict[tuple[TileState, StaleCause | None, str], str] = {}
        for tile in self.tiles:
            groups.setdefault((tile.state, tile.cause), Counter())[tile.reason] += 1
            examples.setdefault((tile.state, tile.cause, tile.reason), tile.tile_id)
        order = list(TileState)
        found: list[Reason] = []
        for (state, cause), reasons in sorted(groups.items(), key=lambda group: order.index(group[0][0])):
            if len(reasons) <= _LISTED:
                found += [Reason(state, cause, count, text) for text, count in reasons.most_common()]
                continue
            (text, _), *_ = reasons.most_common(1)
            told = f"{len(reasons)} different reasons, such as {examples[state, cause, text]}: {text}"
            found.append(Reason(state, cause, reasons.total(), told))
        return tuple(found)

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
        return {
            "out": str(self.out),
            "counts": self.counts,
            "causes": self.causes,
            "summary": [reason.to_dict() for reason in self.summary],
            "tiles": [_told(tile) for tile in self.tiles],
        }

    def __str__(self) -> str:
        counts = ", ".join(f"{count} {name}" for name, count in self.counts.items()) or "no tiles"
        return f"{self.out}: {counts}; {len(self.todo)} to do"


def _told(tile: PlannedTile) -> dict[str, str]:
    told = {"id": tile.tile_id, "state": tile.state.value, "reason": tile.reason}
    return told if tile.cause is None else {**told, "cause": tile.cause.value}
