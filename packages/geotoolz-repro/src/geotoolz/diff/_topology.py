"""A pipeline as boxes and arrows, in layers from its inputs down."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from geotoolz.core import Branch, Graph, Operator, Sequential, Switch
from geotoolz.core._draw import label
from geotoolz.core._operator import join


@dataclass(frozen=True, slots=True)
class Outlet:
    """Where tiles come from: a box, and what is written beside the arrow that leaves it."""

    path: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Box:
    """A step, or an input or output of the pipeline.

    Attributes
    ----------
    path : str
    name : str
        The operator's class, or the name of the input or output.
    text : str
        The operator with its parameters.
    inlets : tuple of Outlet
        Whose tiles it reads.
    layer : int
        0 for inputs; else one below the lowest box that it reads.
    """

    path: str
    name: str
    text: str
    inlets: tuple[Outlet, ...]
    layer: int


def topology(op: Operator) -> list[Box]:
    """Return the boxes of a pipeline, from its inputs down.

    Parameters
    ----------
    op : Operator
        Chains, branches, cases and graphs are taken apart; any other operator is one box.

    Returns
    -------
    list of Box
    """
    return list(_Drawing().of(op).values())


class _Drawing:
    def __init__(self) -> None:
        self.boxes: dict[str, Box] = {}

    def of(self, op: Operator) -> dict[str, Box]:
        names = op.inputs if isinstance(op, Graph) else ("tile",)
        held = {name: self._end("input", name, ()) for name in names}
        if isinstance(op, Graph):
            self._graph(op, "", held)
            for output, name in op.outputs.items():
                self._end("output", output, held[name])
        else:
            self._step(op, "", held["tile"])
        return self.boxes

    def _end(self, kind: str, name: str, inlets: tuple[Outlet, ...]) -> tuple[Outlet, ...]:
        """Draw an input or output."""
        path = f"{kind}s[{name}]"
        self.boxes[path] = Box(path, name, f"{name} ({kind})", inlets, self._below(inlets) if inlets else 0)
        return (Outlet(path),)

    def _step(self, op: Operator, path: str, inlets: tuple[Outlet, ...]) -> tuple[Outlet, ...]:
        """Draw a step and return where its tiles leave."""
        if type(op) is Sequential:
            for index, child in enumerate(op.operators):
                inlets = self._step(child, join(path, f"operators[{index}]"), inlets)
            return inlets
        if isinstance(op, Branch | Switch):
            return self._side_by_side(op, path, inlets)
        if isinstance(op, Graph):
            return self._graph(op, path, dict.fromkeys(op.inputs, inlets))
        self._box(path, op, label(op), inlets)
        return (Outlet(path),)

    def _side_by_side(self, op: Branch | Switch, path: str, inlets: tuple[Outlet, ...]) -> tuple[Outlet, ...]:
        text = f"Switch(key={op.key!r})" if isinstance(op, Switch) else type(op).__name__
        self._box(path, op, text, inlets)
        return tuple(o for name, note, child in _sides(op) for o in self._side(path, name, note, child))

    def _side(self, path: str, name: str, note: str, child: Operator) -> tuple[Outlet, ...]:
        return self._step(child, join(path, name), (Outlet(path, note),))

    def _graph(self, op: Graph, path: str, held: dict[str, tuple[Outlet, ...]]) -> tuple[Outlet, ...]:
        for name in op._order():
            node = op.nodes[name]
            inlets = tuple(outlet for parent in node["inputs"] for outlet in held[parent])
            held[name] = self._step(node["operator"], join(path, f"nodes[{name}][operator]"), inlets)
        return tuple(outlet for name in op.outputs.values() for outlet in held[name])

    def _box(self, path: str, op: Operator, text: str, inlets: tuple[Outlet, ...]) -> None:
        self.boxes[path] = Box(path, type(op).__name__, text, inlets, self._below(inlets))

    def _below(self, inlets: tuple[Outlet, ...]) -> int:
        return 1 + max((self.boxes[inlet.path].layer for inlet in inlets), default=0)


def _sides(op: Branch | Switch) -> Iterator[tuple[str, str, Operator]]:
    """Yield path step, note and operator of every branch or case."""
    if isinstance(op, Branch):
        yield from ((f"branches[{name}]", name, child) for name, child in op.branches.items())
        return
    yield from ((f"cases[{value}]", value, child) for value, child in op.cases.items())
    if op.default is not None:
        yield "default", "otherwise", op.default
