"""The differences of two operators, field by field."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from geotoolz.core import Graph, Operator, Ref, Sequential, Sink
from geotoolz.core._config import REF_TARGET, TARGET, normalised, to_config
from geotoolz.core._errors import GeotoolzError
from geotoolz.core._operator import join
from geotoolz.diff._align import Step, align, key_of, steps_of
from geotoolz.diff._changes import Change


def differences(a: Operator, b: Operator, path: str = "", before: str | None = None) -> Iterator[Change]:
    """Yield what differs between two operators that stand in one place.

    Parameters
    ----------
    a, b : Operator
        Before and after.
    path : str
        Where they stand, in the second pipeline.
    before : str, optional
        Where they stand in the first, if elsewhere.

    Yields
    ------
    Change
    """
    before = path if before is None else before
    if Sequential in (type(a), type(b)):
        yield from _chains(steps_of(a, before), steps_of(b, path))
    elif type(a) is not type(b):
        counts = not _are_sinks(a, b)
        yield Change("replaced", path, repr(b), old=repr(a), new=repr(b), in_hash=counts, path_a=before)
    elif isinstance(a, Graph) and isinstance(b, Graph):
        from geotoolz.diff._graphs import graph_differences

        yield from graph_differences(a, b, path, before)
    elif key_of(a) != key_of(b):
        for field in dataclasses.fields(a):
            yield from _field(a, b, field.name, path, before)


def _chains(before: list[Step], after: list[Step]) -> Iterator[Change]:
    found = align(before, after)
    order = {id(step): index for index, step in enumerate(after)}
    changes: list[tuple[int, list[Change]]] = []
    places = {id(step): index for index, step in enumerate(before)}
    for step in found.removed:
        beside = _beside(before, places[id(step)])
        gone = Change("removed", step.path, repr(step.op), where=beside, in_hash=not _are_sinks(step.op))
        changes.append((places[id(step)], [gone]))
    for one, other in found.pairs:
        changes.append((order[id(other)], list(_renumbered(one, other))))
    for one, other in found.moved:
        beside = _beside(after, order[id(other)])
        ends: dict[str, Any] = {"old": one.path, "new": other.path, "path_a": one.path}
        move = Change("moved", other.path, repr(other.op), where=beside, **ends)
        changes.append((order[id(other)], [move, *_renumbered(one, other)]))
    for step in found.added:
        beside = _beside(after, order[id(step)])
        added = Change("added", step.path, repr(step.op), where=beside, in_hash=not _are_sinks(step.op))
        changes.append((order[id(step)], [added]))
    for _, some in sorted(changes, key=lambda pair: pair[0]):
        yield from some


def _renumbered(one: Step, other: Step) -> Iterator[Change]:
    """Yield the differences within a pair of steps."""
    if one.key != other.key:
        yield from differences(one.op, other.op, other.path, one.path)


def _beside(steps: list[Step], index: int) -> str:
    """Say which step stands beside."""
    if index + 1 < len(steps):
        return f"before {type(steps[index + 1].op).__name__}"
    return f"after {type(steps[index - 1].op).__name__}" if index else ""


def _field(a: Operator, b: Operator, name: str, path: str, before: str) -> Iterator[Change]:
    """Yield the differences of one field."""
    old, new = getattr(a, name), getattr(b, name)
    here, there = join(path, name), join(before, name)
    if isinstance(old, Operator) and isinstance(new, Operator):
        yield from differences(old, new, here, there)
    elif not (_holds_operators(old) and _holds_operators(new)):
        yield from _plain_change(b, name, (old, new), path, before)
    elif isinstance(old, Mapping) and isinstance(new, Mapping):
        yield from _mappings(old, new, here, there)
    else:
        first = [s for i, one in enumerate(old) for s in steps_of(one, f"{there}[{i}]")]
        second = [s for i, one in enumerate(new) for s in steps_of(one, f"{here}[{i}]")]
        yield from _chains(first, second)


def _mappings(old: Mapping[str, Any], new: Mapping[str, Any], path: str, before: str) -> Iterator[Change]:
    """Yield the differences of branches or cases: under one name, under another name, gone, new."""
    gone = {name: op for name, op in old.items() if name not in new}
    come = {name: op for name, op in new.items() if name not in old}
    for name, op in list(gone.items()):
        twin = next((n for n, other in come.items() if key_of(other) == key_of(op)), None)
        if twin is not None:
            ends: dict[str, Any] = {
                "old": f"{before}[{name}]",
                "new": f"{path}[{twin}]",
                "path_a": f"{before}[{name}]",
            }
            yield Change("renamed", f"{path}[{twin}]", repr(op), **ends)
            del gone[name], come[twin]
    for name, op in gone.items():
        yield Change("removed", f"{before}[{name}]", repr(op))
    for name, op in new.items():
        if name in come:
            yield Change("added", f"{path}[{name}]", repr(op))
        elif name in old:
            yield from differences(old[name], op, f"{path}[{name}]", f"{before}[{name}]")


def _plain_change(
    op: Operator, name: str, values: tuple[Any, Any], path: str, before: str
) -> Iterator[Change]:
    """Yield the difference of a parameter, if there is one."""
    old, new = map(_plain, values)
    if old == new:
        return
    counts = not isinstance(op, Sink) and _without_places(old) != _without_places(new)
    ends: dict[str, Any] = {"in_hash": counts, "path_a": join(before, name)}
    yield Change("changed", join(path, name), repr(op), name, old, new, **ends)


def _plain(value: Any) -> Any:
    """Return a parameter as a configuration holds it; what exists in memory only as its repr."""
    if isinstance(value, Operator):
        try:
            return normalised(to_config(value, defaults=False))
        except GeotoolzError:
            return repr(value)
    if isinstance(value, Ref):
        return {TARGET: REF_TARGET, "uri": value.uri, "sha256": value.sha256}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return normalised(value)
    return repr(value)


def _without_places(value: Any) -> Any:
    """Return a value without the addresses of files: only their content counts."""
    if isinstance(value, dict):
        kept = value if value.get(TARGET) != REF_TARGET else {"sha256": value["sha256"]}
        return {key: _without_places(item) for key, item in kept.items()}
    return [_without_places(item) for item in value] if isinstance(value, list) else value


def _holds_operators(value: Any) -> bool:
    items = value.values() if isinstance(value, Mapping) else value if isinstance(value, tuple) else ()
    held = list(items)
    return bool(held) and all(isinstance(item, Operator) for item in held)


def _are_sinks(*ops: Operator) -> bool:
    return all(isinstance(op, Sink) for op in ops)
