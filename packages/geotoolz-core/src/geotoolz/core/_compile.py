"""From a pipeline and the description of a tile to a flat program of kernel calls.

Variables become numbered slots, each written once, so that a later step can replace a variable
without disturbing an earlier reader; calls whose results nobody needs disappear, and with them the
bands that would have been read for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from geotoolz.core._builder import Builder, Instruction, Note, Reduction, State, Unfrozen
from geotoolz.core._errors import ExecutorError, ParameterError
from geotoolz.core._footprint import POINT, Footprint
from geotoolz.core._operator import Operator
from geotoolz.core._specs import TileSpec, VarSpec

if TYPE_CHECKING:
    from geotoolz.core._sink import Sink

CONFIG_HASH_ATTR = "geotoolz:config_hash"


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
    offsets: tuple[tuple[int, int], ...]
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
        """Variables that the pipeline created, or, if it created none, those that it changed.

        The planes of a picture (attribute ``color_interp``) belong together, whatever they are called.
        """
        state = next(iter(self.states.values()))
        original = {name for spec in self.inputs_spec.values() for name in spec.variables}
        made = [n for n, s in state.slots.items() if s not in self.sources]
        planes = {n for n in made if "color_interp" in state.spec.variables[n].attrs}
        new = tuple(n for n in made if n in planes or n not in original)
        return new or tuple(made)

    @property
    def footprint(self) -> Footprint:
        """The composed footprint: how far any output looks into any input, in pixels of the input."""
        reach: dict[int, Footprint] = dict.fromkeys(self.wanted, POINT)
        reach.update({slot: POINT for r in self.reductions for slot in r.reads if slot not in reach})
        for step in reversed(self.instructions):
            after = [reach[slot] for slot in step.writes if slot in reach]
            if not after:
                continue
            total = after[0]
            for other in after[1:]:
                total = total.union(other)
            if step.change is not None:
                total = total.scaled(*step.change.scale)
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
        return all(step.is_pointwise for step in self.instructions)

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
        op, specs, states, tuple(builder.slots), tuple(builder.shapes), tuple(builder.offsets),
        tuple(builder.leads), builder.sources, instructions, tuple(builder.reductions),
        tuple(builder.unfrozen), tuple(builder.sinks), tuple(builder.notes), wanted,
        frozenset(builder.temporaries), dict(overrides or {}),
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
