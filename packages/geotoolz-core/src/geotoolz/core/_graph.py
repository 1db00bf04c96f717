"""Operators wired by name: several inputs, several outputs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from geotoolz.core._coord import require_same
from geotoolz.core._errors import GridMismatchError, ParameterError, TileError, nearest
from geotoolz.core._extent import Extent
from geotoolz.core._grid import grid_label
from geotoolz.core._lazy import xr
from geotoolz.core._operator import Operator, join
from geotoolz.core._regrid import GridChange
from geotoolz.core._specs import Call, Plan, TileSpec, VarSpec

if TYPE_CHECKING:
    from geotoolz.core._builder import Builder, State


@dataclass(frozen=True, eq=False)
class Node:
    """The tile that an operator of a graph gives; made by calling operators on nodes."""

    name: str
    op: Operator | None = None
    parents: tuple[Node, ...] = field(default=(), repr=False)

    @classmethod
    def of(cls, op: Operator, parents: tuple[Node, ...]) -> Node:
        """Return the node of an operator called on nodes."""
        if len(parents) > 1 and not isinstance(op, Join):
            raise ParameterError(
                f"{type(op).__name__} takes one tile and got {len(parents)}",
                fix="join them first, for example with Merge()(a, b)",
            )
        return cls(type(op).__name__.lower(), op, parents)

    def upstream(self) -> Iterator[Node]:
        """Yield every node that this one depends on, and itself, parents first, each once."""
        seen: set[int] = set()
        yield from self._visit(seen)

    def _visit(self, seen: set[int]) -> Iterator[Node]:
        if id(self) in seen:
            return
        seen.add(id(self))
        for parent in self.parents:
            yield from parent._visit(seen)
        yield self


def Input(name: str) -> Node:  # noqa: N802 - reads like the type that it makes
    """Return the node of a graph's input.

    Parameters
    ----------
    name : str
        Name under which the tile is handed to the graph.
    """
    return Node(name)


class Join(Operator, abstract=True):
    """Base of operators that take several tiles."""

    def emit_join(self, builder: Builder, states: Mapping[str, State], path: str) -> State:
        """Add this operator's calls for the tiles that it joins."""
        raise NotImplementedError(f"{type(self).__name__} is abstract")

    def emit(self, builder: Builder, state: State, path: str) -> State:
        """Treat one tile as a join of one."""
        return self.emit_join(builder, {"": state}, path)

    def __call__(self, tiles: Mapping[str, xr.Dataset] | Node, /, *more: Node) -> Any:
        """Join tiles given by name, or nodes of a graph."""
        if isinstance(tiles, Node):
            return Node.of(self, (tiles, *more))
        from geotoolz.core._run import run

        names = tuple(tiles)
        graph = Graph(names, {"joined": {"operator": self, "inputs": names}}, {"": "joined"})
        return run(graph, tiles)


class Merge(Join):
    """Put the variables of several tiles on one grid into one tile.

    Parameters
    ----------
    prefix : bool
        Call variables ``"<input>_<variable>"``; without it equal names are an error.

    Raises
    ------
    GridMismatchError
        If the tiles lie on different grids; align them first.
    TileError
        If names collide.

    Examples
    --------
    >>> from geotoolz.core import Merge
    >>> from geotoolz.core.testing import simulate_scene
    >>> optical = simulate_scene((16, 16), bands=("red",))
    >>> list(Merge(prefix=True)({"june": optical, "july": optical}).data_vars)
    ['june_red', 'july_red']
    """

    prefix: bool = False

    def emit_join(self, builder: Builder, states: Mapping[str, State], path: str) -> State:
        """Merge the descriptions; no pixel is touched."""
        from geotoolz.core._builder import State

        first = next(iter(states.values()))
        variables: dict[str, VarSpec] = {}
        slots: dict[str, int] = {}
        for source, state in states.items():
            here, there = state.spec.window_geobox, first.spec.window_geobox
            if state.spec.shape != first.spec.shape or here != there:
                raise GridMismatchError(
                    f"the tile {source!r} lies on another grid than {next(iter(states))!r}",
                    expected=grid_label(there),
                    fix="bring the inputs onto one grid first",
                )
            differs = require_same(first.spec.coords, state.spec.coords, first.spec.sizes, state.spec.sizes)
            if differs:
                raise TileError(f"the tile {source!r} has {differs}, unlike {next(iter(states))!r}")
            state = _on_lattice_of(first, state, builder, self, path)
            for name, slot in state.slots.items():
                label = f"{source}_{name}" if self.prefix else name
                if label in slots:
                    raise TileError(
                        f"two tiles have a variable {label!r}", fix="set prefix=True, or rename one"
                    )
                variables[label] = state.spec.variables[name]
                slots[label] = slot
        return State(first.spec.evolve(variables), slots, first.home)


@dataclass(frozen=True)
class _Relabel(GridChange):
    """The same pixels, counted on another lattice."""

    def backward(self, extent: Extent) -> Extent:
        """Return these pixels."""
        return extent


def _same(values: Any, *, extent: Extent, source: Extent) -> Any:
    return values


def _on_lattice_of(first: State, state: State, builder: Builder, op: Operator, path: str) -> State:
    """Return a tile of the same pixels on the parent lattice of the first.

    A cropped tile counts from its scene's first pixel. Side by side, one count has to hold for both: kernels
    that are told where they are, and changes of the grid, follow it.
    """
    spec, box = state.spec, first.spec.geobox
    if box is None or (spec.offset == first.spec.offset and spec.geobox == box):
        return state
    change = _Relabel(box, spec.shape, first.spec.offset, spec.shape)
    calls = tuple(Call((name,), (name,), _same) for name in spec.variables)
    return builder.apply(op, Plan(writes=spec.variables, calls=calls, grid=change), state, path)


class Graph(Operator):
    """Operators wired by name.

    Parameters
    ----------
    inputs : sequence of str, or mapping of str to Node
        Names of the input tiles.
    nodes : mapping of str to mapping
        Every step: ``{"operator": Operator, "inputs": [names of inputs or nodes]}``. Not needed
        when the outputs are nodes.
    outputs : mapping of str to str, or mapping of str to Node
        Name of every output, and the node or input that it is.

    Raises
    ------
    ParameterError
        If a node reads something that does not exist, or nodes form a circle.

    Examples
    --------
    >>> from geotoolz.core import Graph, Input
    >>> from geotoolz.radiometry import SelectBands
    >>> scene = Input("scene")
    >>> graph = Graph({"scene": scene}, outputs={"red": SelectBands(("red",))(scene)})
    >>> list(graph.nodes), dict(graph.outputs)
    (['red'], {'red': 'red'})
    """

    inputs: tuple[str, ...]
    nodes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)

    if TYPE_CHECKING:

        def __init__(
            self,
            inputs: tuple[str, ...] | list[str] | Mapping[str, Node],
            nodes: Mapping[str, Mapping[str, Any]] = ...,
            outputs: Mapping[str, str] | Mapping[str, Node] = ...,
        ) -> None: ...

    def prepare(self, values: dict[str, Any]) -> dict[str, Any]:
        """Turn `Node` objects into names."""
        inputs, outputs = values["inputs"], values["outputs"]
        if isinstance(outputs, Mapping) and any(isinstance(node, Node) for node in outputs.values()):
            return _traced(inputs, outputs)
        if isinstance(inputs, str):
            raise ParameterError(f"inputs={inputs!r}", expected="a list of names")
        return {**values, "inputs": tuple(inputs) if isinstance(inputs, Iterable) else inputs}

    def validate(self) -> None:
        """Check that every name exists and that the steps have an order."""
        known = {*self.inputs, *self.nodes}
        if len(known) != len(self.inputs) + len(self.nodes):
            raise ParameterError("an input and a node of the graph have the same name")
        for name, node in self.nodes.items():
            if set(node) != {"operator", "inputs"} or not isinstance(node["operator"], Operator):
                raise ParameterError(
                    f"node {name!r} has {sorted(node)}", expected="an operator and its inputs"
                )
            parents, join_many = node["inputs"], isinstance(node["operator"], Join)
            if not isinstance(parents, tuple) or not parents or (len(parents) > 1 and not join_many):
                raise ParameterError(
                    f"node {name!r} has the inputs {parents!r}",
                    expected="a list of names" if join_many else "a list of one name",
                    fix="" if join_many else "join several tiles first, with a Merge node",
                )
            for parent in parents:
                if parent not in known:
                    raise ParameterError(
                        f"node {name!r} reads {parent!r}, which does not exist{nearest(parent, known)}"
                    )
        for output, name in self.outputs.items():
            if name not in known:
                raise ParameterError(
                    f"output {output!r} is {name!r}, which does not exist{nearest(name, known)}"
                )
        if not self.outputs:
            raise ParameterError("the graph has no outputs")
        self._order()

    def _order(self) -> list[str]:
        """Return the nodes, parents first."""
        done: dict[str, None] = dict.fromkeys(self.inputs)
        waiting = list(self.nodes)
        while waiting:
            ready = [n for n in waiting if all(p in done for p in self.nodes[n]["inputs"])]
            if not ready:
                raise ParameterError(f"the nodes {', '.join(waiting)} wait for each other in a circle")
            done.update(dict.fromkeys(ready))
            waiting = [n for n in waiting if n not in done]
        return [n for n in done if n in self.nodes]

    def bind_specs(self, spec: TileSpec | Mapping[str, TileSpec]) -> dict[str, TileSpec]:
        """Return the tile's description for every input, or say which is missing."""
        if isinstance(spec, TileSpec):
            if len(self.inputs) == 1:
                return {self.inputs[0]: spec}
            raise ParameterError(
                "the graph got one tile",
                expected=f"tiles for {', '.join(self.inputs)}",
                fix=f"give them by name: {{{self.inputs[0]!r}: tile, …}}",
            )
        missing = [name for name in self.inputs if name not in spec]
        unknown = [name for name in spec if name not in self.inputs]
        if missing or unknown:
            raise ParameterError(
                "; ".join(
                    [f"the graph's input {name!r} is missing" for name in missing]
                    + [f"the graph has no input {name!r}{nearest(name, self.inputs)}" for name in unknown]
                ),
                expected=f"tiles for {', '.join(self.inputs)}",
            )
        return {name: spec[name] for name in self.inputs}

    def emit_graph(self, builder: Builder, begun: Mapping[str, State], path: str) -> dict[str, State]:
        """Emit every node in order and return the states of the outputs."""
        states: dict[str, State] = dict(begun)
        for name in self._order():
            node = self.nodes[name]
            op, parents = node["operator"], node["inputs"]
            here = join(path, f"nodes[{name}][operator]")
            if isinstance(op, Join):
                emit = partial(op.emit_join, builder, {p: states[p] for p in parents}, here)
                states[name] = builder.located(op, here, emit)
            else:
                states[name] = builder.emit(op, states[parents[0]], here)
        return {output: states[name] for output, name in self.outputs.items()}

    def emit(self, builder: Builder, state: State, path: str) -> State:
        """Emit a graph with one input and one output as a step of another pipeline."""
        if len(self.inputs) != 1 or len(self.outputs) != 1:
            raise ParameterError("a Graph inside a pipeline needs exactly one input and one output")
        return next(iter(self.emit_graph(builder, {self.inputs[0]: state}, path).values()))

    def __call__(self, tile: xr.Dataset | None = None, /, **tiles: xr.Dataset) -> dict[str, xr.Dataset]:
        """Run the graph.

        Parameters
        ----------
        tile : xarray.Dataset, optional
            The only input of a graph with one input.
        **tiles : xarray.Dataset
            The inputs by name.

        Returns
        -------
        dict of str to xarray.Dataset
            The outputs by name.
        """
        from geotoolz.core._run import run

        if (tile is None) == (not tiles):
            raise ParameterError("give the graph's tiles", expected=f"tiles for {', '.join(self.inputs)}")
        result = run(self, tiles if tile is None else tile)
        return {next(iter(self.outputs)): result} if isinstance(result, xr.Dataset) else result


def _traced(inputs: Any, outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Name the nodes that lead to the outputs and write them down."""
    if not isinstance(inputs, Mapping):
        inputs = {str(name): None for name in inputs}
    names: dict[int, str] = {}
    for name, node in inputs.items():
        if isinstance(node, Node):
            names[id(node)] = str(name)
    finals = {id(node): name for name, node in outputs.items()}
    nodes: dict[str, dict[str, Any]] = {}
    for output in outputs.values():
        for node in output.upstream():
            if id(node) in names:
                continue
            if node.op is None:
                if node.name not in inputs:
                    raise ParameterError(f"Input({node.name!r}) is used and not among the graph's inputs")
                names[id(node)] = node.name
                continue
            name = _unused(finals.get(id(node), node.name), {*nodes, *inputs})
            names[id(node)] = name
            nodes[name] = {"operator": node.op, "inputs": tuple(names[id(p)] for p in node.parents)}
    return {
        "inputs": tuple(inputs),
        "nodes": nodes,
        "outputs": {name: names[id(node)] for name, node in outputs.items()},
    }


def _unused(name: str, taken: set[str]) -> str:
    candidate, number = name, 2
    while candidate in taken:
        candidate, number = f"{name}_{number}", number + 1
    return candidate
