"""The differences of two graphs: nodes, edges, inputs, outputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from geotoolz.core import Graph
from geotoolz.core._operator import join
from geotoolz.diff._align import key_of
from geotoolz.diff._changes import Change
from geotoolz.diff._walk import differences


def graph_differences(a: Graph, b: Graph, path: str, before: str) -> Iterator[Change]:
    """Yield what differs between two graphs.

    A node that is equal but for its name, and reads the same, is renamed; its readers and the
    outputs that name it are no further difference.
    """
    if a.inputs != b.inputs:
        yield _rewired((before, path), "inputs", list(a.inputs), list(b.inputs))
    renames = _renames(a, b)
    for old, new in renames.items():
        was, now = join(before, f"nodes[{old}]"), join(path, f"nodes[{new}]")
        yield Change("renamed", now, repr(b.nodes[new]["operator"]), old=was, new=now, path_a=was)
    for name, node in a.nodes.items():
        if name not in b.nodes and name not in renames:
            yield _node("removed", before, name, node)
    for name, node in b.nodes.items():
        if name in renames.values():
            continue
        if name not in a.nodes:
            yield _node("added", path, name, node)
        else:
            places = (join(before, f"nodes[{name}]"), join(path, f"nodes[{name}]"))
            yield from _same_name(a.nodes[name], node, renames, places)
    outputs = {output: renames.get(node, node) for output, node in a.outputs.items()}
    if outputs != dict(b.outputs):
        yield _rewired((before, path), "outputs", dict(a.outputs), dict(b.outputs))


def _same_name(
    old: Mapping[str, Any], new: Mapping[str, Any], renames: Mapping[str, str], places: tuple[str, str]
) -> Iterator[Change]:
    """Yield the differences of a node that both graphs have."""
    before, path = places
    yield from differences(old["operator"], new["operator"], f"{path}[operator]", f"{before}[operator]")
    if tuple(renames.get(name, name) for name in old["inputs"]) != tuple(new["inputs"]):
        yield Change(
            "rewired",
            f"{path}[inputs]",
            repr(new["operator"]),
            "inputs",
            list(old["inputs"]),
            list(new["inputs"]),
            path_a=f"{before}[inputs]",
        )


def _renames(a: Graph, b: Graph) -> dict[str, str]:
    """Return the nodes that have another name in the second graph, parents first."""
    renames: dict[str, str] = {}
    for name in a._order():
        if name in b.nodes:
            continue
        node = a.nodes[name]
        wired = tuple(renames.get(parent, parent) for parent in node["inputs"])
        for other, candidate in b.nodes.items():
            free = other not in a.nodes and other not in renames.values()
            if free and wired == candidate["inputs"] and _same(node, candidate):
                renames[name] = other
                break
    return renames


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return key_of(one["operator"]) == key_of(other["operator"])


def _node(kind: Any, path: str, name: str, node: Mapping[str, Any]) -> Change:
    reads = f"reads {', '.join(node['inputs'])}"
    return Change(kind, join(path, f"nodes[{name}]"), repr(node["operator"]), where=reads)


def _rewired(places: tuple[str, str], field: str, old: Any, new: Any) -> Change:
    before, path = places
    return Change("rewired", join(path, field), "Graph", field, old, new, path_a=join(before, field))
