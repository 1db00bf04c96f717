"""A unit of work as plain JSON: from tasks, and back."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from geotoolz.batch import CatalogPipeline, Stamp, TileTask
from geotoolz.core import ParameterError
from geotoolz.core._errors import nearest

__all__ = ["WorkUnit", "shard_unit", "tile_unit"]

#: what differs from tile to tile; everything else of a task is the job's
_OF_TILE = ("id", "key", "source", "stamps", "facts", "owned")
#: how a unit is run; no part of what comes out
_HOW = ("engine", "workers", "timeout", "again")
_ID = {"tile_id": "id"}
_FIELDS = tuple(_ID.get(field.name, field.name) for field in dataclasses.fields(TileTask))


@dataclass(frozen=True, slots=True)
class WorkUnit:
    """A unit that was read and checked.

    Attributes
    ----------
    kind : {"tile", "shard"}
    name : str
        The tile's id, or which shard it is ("3/8").
    tasks : tuple of TileTask
    engine : str or None
    workers : int or None
    timeout : float or None
        Seconds for an attempt at a tile.
    again : bool
        Whether a tile that stands there complete is made once more.
    """

    kind: str
    name: str
    tasks: tuple[TileTask, ...]
    engine: str | None = None
    workers: int | None = None
    timeout: float | None = None
    again: bool = False

    @classmethod
    def of(cls, unit: Mapping[str, Any]) -> WorkUnit:
        """Read what `units` made, or what somebody wrote by hand.

        Raises
        ------
        ParameterError
            If it is no unit: names what is unknown or missing.
        """
        if not isinstance(unit, Mapping):
            raise ParameterError(f"a unit of type {type(unit).__name__}", expected="a JSON object")
        kind = unit.get("unit", "tile")
        if kind not in ("tile", "shard"):
            raise ParameterError(f"unit={kind!r}", expected="'tile' or 'shard'")
        _refuse_unknown(unit, kind)
        how = {name: unit[name] for name in _HOW if unit.get(name) is not None}
        if kind == "tile":
            task = _task(unit)
            return cls("tile", task.tile_id, (task,), **how)
        common = {name: value for name, value in unit.items() if name in _FIELDS and name not in _OF_TILE}
        tasks = tuple(_task({**common, **tile}) for tile in unit.get("tiles", ()))
        if not tasks:
            raise ParameterError("a shard without tiles", expected="'tiles': one or more")
        return cls("shard", str(unit.get("id", "")), tasks, **how)


def tile_unit(task: TileTask, **how: Any) -> dict[str, Any]:
    """Return a task as JSON can say it.

    Raises
    ------
    ParameterError
        If it holds what JSON cannot say: a function that signs addresses.
    """
    told: dict[str, Any] = {"unit": "tile"}
    for field in dataclasses.fields(task):
        told[_ID.get(field.name, field.name)] = _plain(field.name, getattr(task, field.name))
    told.update((name, value) for name, value in how.items() if value is not None)
    try:
        json.dumps(told, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ParameterError(
            f"tile {task.tile_id!r}: JSON cannot say it ({error})",
            expected="plain values",
            fix="give a function that signs by its name, 'module:name'",
        ) from error
    return told


def shard_unit(name: str, tasks: Sequence[TileTask], **how: Any) -> dict[str, Any]:
    """Return several tasks of one job as one unit; what they share is said once."""
    told = [tile_unit(task) for task in tasks]
    common = {key: value for key, value in told[0].items() if key in _FIELDS and key not in _OF_TILE}
    tiles = [{key: tile[key] for key in _OF_TILE} for tile in told]
    own = {key: value for key, value in how.items() if value is not None}
    return {"unit": "shard", "id": name, **common, **own, "tiles": tiles}


def _plain(name: str, value: Any) -> Any:
    if name == "stamps":
        return [[stamp.path, stamp.size, stamp.mark] for stamp in value]
    if name in ("facts", "read", "owned"):
        return dict(value)
    return value


def _task(unit: Mapping[str, Any]) -> TileTask:
    """Return the task of a tile; one that was written by hand is planned here."""
    lacking = [name for name in ("pipeline", "source", "out") if not unit.get(name)]
    if lacking:
        raise ParameterError(
            f"a unit without {', '.join(lacking)}",
            expected="pipeline, source and out",
            fix="`geotoolz nextgen units` writes whole ones",
        )
    if not all(unit.get(name) for name in ("id", "key", "config_hash")) or "\n" not in unit["pipeline"]:
        return _planned(unit)
    values = {name: unit[name] for name in _FIELDS if name in unit}
    values["tile_id"] = values.pop("id")
    values["stamps"] = tuple(Stamp(*stamp) for stamp in values.get("stamps", ()))
    for name in ("facts", "read", "owned"):
        values[name] = tuple(dict(values.get(name) or {}).items())
    return TileTask(**values)


def _planned(unit: Mapping[str, Any]) -> TileTask:
    """Plan a unit that says pipeline, source and out, as a run over this one tile would."""
    row = {"id": unit["id"], "source": unit["source"]} if unit.get("id") else unit["source"]
    job = CatalogPipeline(
        [row], _pipeline(unit["pipeline"]), unit["out"], read=unit.get("read"), progress="none"
    )
    task = job.plan().tiles[0].task
    if task is None:
        raise TypeError("the tile of a job has a task")
    if unit.get("key") not in (None, "", task.key):
        raise ParameterError(
            f"the unit's key is {unit['key'][:14]}…, and tile {task.tile_id!r} has {task.key[:14]}… now",
            expected="pipeline and inputs as they were when the unit was made",
            fix="leave the key out, or make the unit again",
        )
    return dataclasses.replace(task, facts=tuple({**dict(task.facts), **unit.get("facts", {})}.items()))


def _pipeline(text: str) -> Any:
    from geotoolz._cli._options import load_pipeline
    from geotoolz.core import load

    return load(text) if "\n" in text else load_pipeline(text)


def _refuse_unknown(unit: Mapping[str, Any], kind: str) -> None:
    known = {"unit", *_HOW, *_FIELDS} | ({"tiles"} if kind == "shard" else set())
    nested: Iterable[Mapping[str, Any]] = unit.get("tiles", ()) if kind == "shard" else ()
    for where, names, allowed in (
        ("unit", unit, known),
        *(("tile", tile, set(_OF_TILE)) for tile in nested),
    ):
        for name in names:
            if name not in allowed:
                raise ParameterError(
                    f"{where} has {name!r}{nearest(str(name), sorted(allowed))}",
                    expected=", ".join(sorted(allowed)),
                )
