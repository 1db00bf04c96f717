"""From a pipeline and the description of a tile to a flat program of kernel calls.

Variables become numbered slots, each written once, so that a later step can replace a variable
without disturbing an earlier reader; calls whose results nobody needs disappear, and with them the
bands that would have been read for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from geotoolz.core._errors import ExecutorError, GeotoolzError, ParameterError, TileError
from geotoolz.core._footprint import POINT, Footprint
from geotoolz.core._operator import Operator
from geotoolz.core._specs import Call, Plan, TileSpec, VarSpec

if TYPE_CHECKING:
    from geotoolz.core._reduce import Freezable, Reduce
    from geotoolz.core._sink import Sink

CONFIG_HASH_ATTR = "geotoolz:config_hash"


@dataclass(frozen=True, slots=True)
class State:
    """A tile on its way through a pipeline: its description, and the slot of every variable."""

    spec: TileSpec
    slots: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Instruction:
    """One kernel call on slots."""

    path: str
    kernel: Callable[..., Any]
    reads: tuple[int, ...]
    writes: tuple[int, ...]
    args: tuple[Any, ...]
    footprint: Footprint
    located: bool = False


@dataclass(frozen=True, slots=True)
class Reduction:
    """A statistic over the pixels of some slots."""

    path: str
    op: Reduce
    spec: TileSpec
    reads: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Unfrozen:
    """A step whose parameters are statistics that have not been computed yet."""

    path: str
    op: Freezable
    state: State


@dataclass(frozen=True, slots=True)
class Note:
    """A doubt that a step's plan tells."""

    path: str
    operator: str
    text: str


@dataclass
class Builder:
    """Collects the program while operators emit themselves."""

    overrides: Mapping[str, Operator] = field(default_factory=dict)
    explore: bool = False
    alternatives: set[int] = field(default_factory=set)
    slots: list[VarSpec] = field(default_factory=list)
    shapes: list[tuple[int, int]] = field(default_factory=list)
    leads: list[tuple[int, ...]] = field(default_factory=list)
    sources: dict[int, tuple[str, str]] = field(default_factory=dict)
    temporaries: set[int] = field(default_factory=set)
    instructions: list[Instruction] = field(default_factory=list)
    reductions: list[Reduction] = field(default_factory=list)
    unfrozen: list[Unfrozen] = field(default_factory=list)
    sinks: list[tuple[str, Sink]] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)

    def begin(self, spec: TileSpec, source: str = "") -> State:
        """Give every variable of an input tile a slot."""
        slots = {name: self.new_slot(var, spec) for name, var in spec.variables.items()}
        self.sources.update({slot: (source, name) for name, slot in slots.items()})
        return State(spec, slots)

    def new_slot(self, spec: VarSpec, tile: TileSpec) -> int:
        """Return the number of a new slot on a tile."""
        self.slots.append(spec)
        self.shapes.append(tile.shape)
        self.leads.append(tuple(tile.sizes.get(dim, -1) for dim in spec.dims[:-2]))
        return len(self.slots) - 1

    def emit(self, op: Operator, state: State, path: str) -> State:
        """Let an operator emit itself; errors get the step's path in front."""
        op = self.overrides.get(path, op)
        return self.located(op, path, lambda: op.emit(self, state, path))

    def located(self, op: Operator, path: str, act: Callable[[], State]) -> State:
        """Call `act`; errors get the step's path in front."""
        try:
            return act()
        except GeotoolzError as error:
            if not path or getattr(error, "path", None) is not None:
                raise
            located = error.prefixed(f"{path} ({type(op).__name__})")
            located.path = path  # type: ignore[attr-defined]
            raise located from error

    def note(self, path: str, op: Operator, texts: Iterable[str]) -> None:
        """Keep what a plan has to say."""
        self.notes.extend(Note(path, type(op).__name__, text) for text in texts)

    def apply(self, op: Operator, plan: Plan, state: State, path: str) -> State:
        """Add the calls of a plan and return the tile after it."""
        self.note(path, op, plan.notes)
        local = dict(state.slots)
        made: set[str] = set()
        for call in plan.calls or (_only_call(op, plan),):
            reads = tuple(_slot(local, name, op) for name in call.reads)
            writes = []
            for name in call.writes:
                slot = self.new_slot(plan.writes.get(name, VarSpec()), state.spec)
                writes.append(slot)
                if name not in plan.writes:  # between calls of one plan: the kernels' own business
                    self.temporaries.add(slot)
                local[name] = slot
                made.add(name)
            self.instructions.append(
                Instruction(
                    path,
                    call.kernel,
                    reads,
                    tuple(writes),
                    call.args,
                    call.footprint or plan.footprint,
                    call.located,
                )
            )
        missing = [name for name in plan.writes if name not in made]
        if missing:
            raise TileError(f"the plan of {type(op).__name__} promises {missing} and no call writes them")
        return _after(plan, state, local)


def _only_call(op: Operator, plan: Plan) -> Call:
    kernel = getattr(op, "kernel", None)
    if plan.writes and kernel is None:
        raise TileError(f"{type(op).__name__} has neither a kernel nor calls in its plan")
    return Call(plan.reads, tuple(plan.writes), kernel or _nothing, plan.args, plan.footprint)


def _nothing(*arrays: Any) -> tuple[()]:
    return ()


def _slot(local: Mapping[str, int], name: str, op: Operator) -> int:
    if name not in local:
        raise TileError(f"the plan of {type(op).__name__} reads {name!r}, which is not in the tile")
    return local[name]


def _after(plan: Plan, state: State, local: Mapping[str, int]) -> State:
    """Return the tile after a plan: replaced, dropped, renamed, new variables; attributes."""
    variables: dict[str, VarSpec] = {}
    slots: dict[str, int] = {}
    gone = set(plan.drops)
    held = state.spec.variables
    names = (*plan.order, *(n for n in held if n not in plan.order)) if plan.order else tuple(held)
    for name in names:
        spec = held[name]
        if name in gone and name not in plan.writes:
            continue
        new = plan.renames.get(name, name)
        if new in variables:
            raise TileError(f"two variables would both be called {new!r}", fix="choose another name")
        variables[new] = plan.writes.get(name, spec)
        slots[new] = local[name]
    for name, spec in plan.writes.items():
        if (name in variables and name not in state.spec.variables) or name in state.spec.sizes:
            raise TileError(f"{name!r} is taken by another variable or dimension", fix="choose another name")
        if name not in state.spec.variables:
            variables[name] = spec
            slots[name] = local[name]
    attrs = state.spec.attrs
    if plan.attrs:
        merged = {**attrs, **plan.attrs}
        attrs = {key: value for key, value in merged.items() if value is not None}
    return State(state.spec.evolve(variables, attrs), slots)


@dataclass(frozen=True)
class Program:
    """A pipeline compiled for one tile (or for several named inputs).

    Attributes
    ----------
    states : mapping of str to State
        The output tiles by name; a pipeline with one output has the name ``""``.
    instructions : tuple of Instruction
        Kernel calls in order, without those that nobody needs.
    """

    op: Operator
    inputs_spec: Mapping[str, TileSpec]
    states: Mapping[str, State]
    slots: tuple[VarSpec, ...]
    shapes: tuple[tuple[int, int], ...]
    leads: tuple[tuple[int, ...], ...]
    sources: Mapping[int, tuple[str, str]]
    instructions: tuple[Instruction, ...]
    reductions: tuple[Reduction, ...]
    unfrozen: tuple[Unfrozen, ...]
    sinks: tuple[tuple[str, Sink], ...]
    notes: tuple[Note, ...]
    wanted: tuple[int, ...]
    temporaries: frozenset[int] = frozenset()
    overrides: Mapping[str, Operator] = field(default_factory=dict)

    @property
    def input_slots(self) -> dict[int, tuple[str, str]]:
        """Slots that must be read, with input name and variable; pass-through variables too."""
        needed = set(self.wanted)
        for step in self.instructions:
            needed.update(step.reads)
        for reduction in self.reductions:
            needed.update(reduction.reads)
        for step_unfrozen in self.unfrozen:
            needed.update(step_unfrozen.state.slots[n] for n in _statistic_reads(step_unfrozen))
        return {slot: where for slot, where in self.sources.items() if slot in needed}

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the variables that must be read from the (only) input."""
        return tuple(name for _, name in self.input_slots.values())

    @property
    def output(self) -> TileSpec:
        """Description of the only output tile."""
        if len(self.states) != 1:
            raise ExecutorError(f"the graph has several outputs: {', '.join(self.states)}")
        return next(iter(self.states.values())).spec

    @property
    def created(self) -> tuple[str, ...]:
        """Variables that the pipeline created, or, if it created none, those that it changed."""
        state = next(iter(self.states.values()))
        original = {name for spec in self.inputs_spec.values() for name in spec.variables}
        new = tuple(n for n, s in state.slots.items() if s not in self.sources and n not in original)
        return new or tuple(n for n, s in state.slots.items() if s not in self.sources)

    @property
    def footprint(self) -> Footprint:
        """The composed footprint: how far any output looks into any input."""
        reach: dict[int, Footprint] = dict.fromkeys(self.wanted, POINT)
        reach.update({slot: POINT for r in self.reductions for slot in r.reads if slot not in reach})
        for step in reversed(self.instructions):
            after = [reach[slot] for slot in step.writes if slot in reach]
            if not after:
                continue
            total = after[0]
            for other in after[1:]:
                total = total.union(other)
            here = step.footprint.then(total)
            for slot in step.reads:
                reach[slot] = reach[slot].union(here) if slot in reach else here
        total = POINT
        for slot, footprint in reach.items():
            if slot in self.sources:
                total = total.union(footprint)
        return total

    @property
    def is_pointwise(self) -> bool:
        """Whether every kernel looks at one pixel only."""
        return all(step.footprint.is_pointwise for step in self.instructions)

    def refuse_unfrozen(self, who: str) -> None:
        """Raise for the first step that needs statistics of the whole tile."""
        from geotoolz.core._reduce import not_frozen

        for step in self.unfrozen:
            raise not_frozen(step.path, step.op, who)


def _statistic_reads(step: Unfrozen) -> tuple[str, ...]:
    return step.op.statistics(step.state.spec).plan(step.state.spec).all_reads()


def compile(
    op: Operator,
    spec: TileSpec | Mapping[str, TileSpec],
    outputs: Iterable[str] | None = None,
    *,
    overrides: Mapping[str, Operator] | None = None,
    explore: bool = False,
) -> Program:
    """Compile a pipeline for a tile, without touching a pixel.

    Parameters
    ----------
    op : Operator
        Any operator or pipeline.
    spec : TileSpec or mapping of str to TileSpec
        The tile's description; a mapping for a graph with named inputs.
    outputs : iterable of str, optional
        The variables that are needed; by default all of the output tile. What is not needed for
        them is neither read nor computed.
    overrides : mapping of str to Operator, optional
        Operators that take the place of the step at a path (frozen ones).
    explore : bool
        Let a `Switch` that cannot choose count with all its cases. Such a program tells what may be
        read; it is not for running.

    Returns
    -------
    Program

    Raises
    ------
    GeotoolzError
        Whatever a step's plan has to object, with the step's path in front.
    """
    from geotoolz.core._graph import Graph

    builder = Builder(overrides=dict(overrides or {}), explore=explore)
    if isinstance(op, Graph):
        specs = op.bind_specs(spec)
        begun = {name: builder.begin(one, name) for name, one in specs.items()}
        states = op.emit_graph(builder, begun, "")
    else:
        if isinstance(spec, Mapping):
            raise ParameterError(f"{type(op).__name__} takes one tile", fix="use a Graph for several inputs")
        specs = {"": spec}
        states = {"": builder.emit(op, builder.begin(spec), "")}
    wanted = tuple(dict.fromkeys((*_wanted(states, outputs), *sorted(builder.alternatives))))
    instructions = _needed(builder, wanted)
    return Program(
        op, specs, states, tuple(builder.slots), tuple(builder.shapes), tuple(builder.leads),
        builder.sources, instructions, tuple(builder.reductions), tuple(builder.unfrozen),
        tuple(builder.sinks), tuple(builder.notes), wanted, frozenset(builder.temporaries),
        dict(overrides or {}),
    )  # fmt: skip


def _wanted(states: Mapping[str, State], outputs: Iterable[str] | None) -> tuple[int, ...]:
    if outputs is None:
        return tuple(dict.fromkeys(slot for state in states.values() for slot in state.slots.values()))
    wanted: dict[int, None] = {}
    for name in outputs:
        found = [state.slots[name] for state in states.values() if name in state.slots]
        if not found:
            have = sorted({n for state in states.values() for n in state.slots})
            raise ParameterError(f"the pipeline does not make {name!r}; it makes {', '.join(have)}")
        wanted.update(dict.fromkeys(found))
    return tuple(wanted)


def _needed(builder: Builder, wanted: Iterable[int]) -> tuple[Instruction, ...]:
    """Keep the calls that lead to a wanted slot or to a statistic."""
    live = set(wanted)
    for reduction in builder.reductions:
        live.update(reduction.reads)
    for step in builder.unfrozen:
        live.update(step.state.slots[name] for name in _statistic_reads(step))
    kept: list[Instruction] = []
    for instruction in reversed(builder.instructions):
        if live.intersection(instruction.writes):
            live.update(instruction.reads)
            kept.append(instruction)
    return tuple(reversed(kept))
