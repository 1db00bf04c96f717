"""Two pipelines as one: what they read is read once, and where they begin alike they run once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from geotoolz.core import (
    Builder,
    Graph,
    Join,
    MissingVariableError,
    Operator,
    ParameterError,
    QuantityError,
    Sequential,
    State,
    TileError,
    TileSpec,
)
from geotoolz.core._builder import Reduction
from geotoolz.core._operator import join
from geotoolz.core._specs import VarSpec
from geotoolz.diff._compare import Compare
from geotoolz.diff._compare_by import CompareBy
from geotoolz.diff._kinds import kind_of, percent, same_place, scale_of

INPUT = "tile"


@dataclass(frozen=True)
class Pair:
    """A variable that both pipelines make.

    Attributes
    ----------
    name : str
    kind : str
        Empty where they cannot be compared.
    problem : str
        Why they cannot.
    notes : tuple of str
        What differs and does not stand in the way: data type, no-data, units.
    """

    name: str
    kind: str
    problem: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Matched:
    """What two pipelines make of one tile, before a pixel is touched."""

    pairs: tuple[Pair, ...]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]


class Both(Graph):
    """Two pipelines on one tile, with a comparison of each variable that both make.

    Parameters
    ----------
    inputs, nodes, outputs
        Of a graph; set by `both`.
    a, b : Operator
        The pipelines, without sinks.
    kinds : mapping of str to str
        What variables hold, where their attributes do not say it.
    variables : sequence of str, optional
        Those to compare.
    step : int
        Every n-th pixel is kept for pictures.
    by : str, optional
        A variable with classes, of the tile or of the first pipeline, for which comparisons are repeated.
    """

    a: Operator = Sequential(())
    b: Operator = Sequential(())
    kinds: Mapping[str, str] = field(default_factory=dict)
    variables: tuple[str, ...] | None = None
    step: int = 1
    by: str | None = None

    def validate(self) -> None:
        """Refuse graphs that need more than the tile."""
        for side, op in (("a", self.a), ("b", self.b)):
            if isinstance(op, Graph) and len(op.inputs) != 1:
                raise ParameterError(
                    f"pipeline {side} is a graph with the inputs {', '.join(op.inputs)}",
                    expected="a pipeline that takes one tile",
                )

    def emit_graph(self, builder: Builder, begun: Mapping[str, State], path: str) -> dict[str, State]:
        """Emit both pipelines from the same tile, equal steps once, and the comparisons."""
        start = begun[INPUT]
        shared = _Shared(builder)
        a, b = (
            _flat(shared.outputs(op, start, join(path, side))) for side, op in (("a", self.a), ("b", self.b))
        )
        chosen = self._chosen(start, a, b)
        for pair in match(a, b, chosen, self.kinds).pairs:
            if pair.problem:
                continue
            (one, slot_a), (two, slot_b) = a[pair.name], b[pair.name]
            op = comparison(
                pair.kind, one.variables[_bare(pair.name)], two.variables[_bare(pair.name)], self.step
            )
            builder.reductions.append(Reduction(f"compare[{pair.name}]", op, one, (slot_a, slot_b)))
            if self.by is not None:
                tile, slot = classes_of(self.by, _flat({"": start}), a)
                each = by_class(op, one, one.variables[_bare(pair.name)].dims, tile, self.by)
                builder.reductions.append(Reduction(f"by[{pair.name}]", each, one, (slot_a, slot_b, slot)))
        return {"": start}

    def matched(self, spec: TileSpec) -> tuple[Matched, dict[str, VarSpec]]:
        """Return what the pipelines make of a tile, and how the first describes it."""
        builder = Builder()
        start = builder.begin(spec, INPUT)
        shared = _Shared(builder)
        a, b = (_flat(shared.outputs(op, start, side)) for side, op in (("a", self.a), ("b", self.b)))
        found = match(a, b, self._chosen(start, a, b), self.kinds)
        described = {pair.name: _spec(a, pair.name) for pair in found.pairs}
        if self.by is not None:
            described[self.by] = classes_of(self.by, _flat({"": start}), a)[0].variables[_bare(self.by)]
        return found, described

    def _chosen(self, start: State, a: Made, b: Made) -> tuple[str, ...]:
        if self.variables is not None:
            return self.variables
        return tuple(dict.fromkeys((*created(start, a), *created(start, b))))


def classes_of(by: str, tile: Made, a: Made) -> tuple[TileSpec, int]:
    """Return tile and slot of the variable whose classes are told apart."""
    found = tile.get(by) or a.get(by)
    if found is None:
        raise MissingVariableError(
            f"by={by!r} is neither in the tile nor made by the first pipeline",
            expected=f"one of {', '.join({**tile, **a})}",
        )
    return found


def by_class(op: Compare, tile: TileSpec, dims: tuple[str, ...], other: TileSpec, by: str) -> CompareBy:
    """Return the comparison for each class of another variable."""
    spec = other.variables[_bare(by)]
    if kind_of(_bare(by), spec) != "classes":
        raise QuantityError(f"by={by!r} holds measurements", expected="a variable with classes")
    problem = same_place(tile, other)
    if problem or (spec.dims != dims and spec.dims != ("y", "x")):
        raise TileError(f"by={by!r} does not lie on what is compared: {problem or spec.dims}")
    sides = (op.nodata_a, op.nodata_b, float(spec.nodata_scalar), op.scale_a, op.scale_b)
    return CompareBy(op.kind, *sides)


Made = dict[str, tuple[TileSpec, int]]
"""Tile and slot of every variable that a pipeline leaves."""


def both(a: Operator, b: Operator, **options: Any) -> Both:
    """Return two pipelines as one."""
    return Both((INPUT,), {}, {"": INPUT}, a, b, **options)


class _Shared:
    """Emits steps; an equal step on an equal tile is emitted once."""

    def __init__(self, builder: Builder) -> None:
        self.builder = builder
        # the states are held, so that their ids stay theirs
        self.seen: dict[tuple[Any, ...], tuple[tuple[State, ...], State]] = {}

    def outputs(self, op: Operator, state: State, path: str) -> dict[str, State]:
        """Return the tiles that a pipeline leaves, by name."""
        if isinstance(op, Graph):
            return self._graph(op, state, path)
        return {"": self._chain(op, state, path)}

    def _chain(self, op: Operator, state: State, path: str) -> State:
        if type(op) is Sequential:
            for index, child in enumerate(op.operators):
                state = self._chain(child, state, join(path, f"operators[{index}]"))
            return state
        return self._once((op,), (state,), partial(self.builder.emit, op, state, path))

    def _graph(self, op: Graph, state: State, path: str) -> dict[str, State]:
        states = {op.inputs[0]: state}
        for name in op._order():
            step, parents = op.nodes[name]["operator"], op.nodes[name]["inputs"]
            here = join(path, f"nodes[{name}][operator]")
            if isinstance(step, Join):
                held = {parent: states[parent] for parent in parents}
                emit = partial(step.emit_join, self.builder, held, here)
                located = partial(self.builder.located, step, here, emit)
                states[name] = self._once((step, *parents), tuple(held.values()), located)
            else:
                states[name] = self._chain(step, states[parents[0]], here)
        return {output: states[name] for output, name in op.outputs.items()}

    def _once(self, what: tuple[Any, ...], states: tuple[State, ...], emit: Any) -> State:
        key = (*what, *map(id, states))
        if key not in self.seen:
            self.seen[key] = (states, emit())
        return self.seen[key][1]


def _flat(outputs: Mapping[str, State]) -> Made:
    """Return the variables of one tile, or of several as ``output/variable``."""
    alone = len(outputs) == 1
    return {
        name if alone else f"{output}/{name}": (state.spec, slot)
        for output, state in outputs.items()
        for name, slot in state.slots.items()
    }


def _bare(name: str) -> str:
    return name.rpartition("/")[2]


def created(start: State, made: Made) -> Iterator[str]:
    """Yield the variables that are new, else those that changed, else all: what would be written."""
    held = set(start.slots.values())
    changed = [name for name, (_, slot) in made.items() if slot not in held]
    new = [n for n in changed if _bare(n) not in start.slots or "color_interp" in _spec(made, n).attrs]
    yield from new or changed or made


def _spec(made: Made, name: str) -> VarSpec:
    return made[name][0].variables[_bare(name)]


def match(a: Made, b: Made, names: tuple[str, ...], kinds: Mapping[str, str]) -> Matched:
    """Pair the variables of two pipelines."""
    unknown = [name for name in names if name not in a and name not in b]
    if unknown:
        raise ParameterError(
            f"neither pipeline makes {', '.join(unknown)}", expected=f"some of {', '.join({**a, **b})}"
        )
    pairs = tuple(_pair(a, b, name, kinds) for name in names if name in a and name in b)
    only_a = tuple(name for name in names if name not in b)
    only_b = tuple(name for name in names if name not in a)
    return Matched(pairs, only_a, only_b)


def _pair(a: Made, b: Made, name: str, kinds: Mapping[str, str]) -> Pair:
    tile_a, tile_b = a[name][0], b[name][0]
    one, two = _spec(a, name), _spec(b, name)
    notes = tuple(_told(one, two))
    said = kinds.get(name)
    held = (said, said) if said else (kind_of(name, one), kind_of(name, two))
    problem = same_place(tile_a, tile_b)
    if one.dims != two.dims or any(tile_a.sizes[dim] != tile_b.sizes[dim] for dim in one.dims[:-2]):
        problem = problem or f"dimensions: {_dims(tile_a, one)} and {_dims(tile_b, two)}"
    if held[0] != held[1]:
        problem = problem or f"values: {held[0]} and {held[1]}"
    for spec in (one, two):
        if spec.dtype.kind not in "biuf" or spec.dims[-2:] != ("y", "x"):
            problem = problem or f"{spec.dtype} with dims {spec.dims} cannot be compared"
    return Pair(name, "" if problem else held[0], problem, notes)


def _dims(tile: TileSpec, spec: VarSpec) -> str:
    return ", ".join(f"{dim} {tile.sizes[dim]}" for dim in spec.dims)


def _told(one: VarSpec, two: VarSpec) -> Iterator[str]:
    """Yield what differs in how two variables are stored."""
    if one.dtype != two.dtype:
        yield f"data type: {one.dtype} and {two.dtype}"
    first, second = one.nodata, two.nodata
    if first != second and not (first != first and second != second):
        yield f"no-data: {first} and {second}"
    units = (one.attrs.get("units"), two.attrs.get("units"))
    if units[0] != units[1] and not percent(one) and not percent(two):
        yield f"units: {units[0]} and {units[1]}"


def comparison(kind: str, a: VarSpec, b: VarSpec, step: int) -> Compare:
    """Return the statistic of two variables."""
    scales = (scale_of(a), scale_of(b)) if kind == "probability" else (1.0, 1.0)
    return Compare(kind, float(a.nodata_scalar), float(b.nodata_scalar), *scales, step)
