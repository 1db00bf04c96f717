"""Running a frozen pipeline: scenes opened, threads of native libraries pinned, the wanted variables made."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from geotoolz.core import Graph, Operator, Program, Sequential, TileSpec, compile, run, run_detailed
from geotoolz.core._lazy import xr

if TYPE_CHECKING:
    from geotoolz.io import OpenScene


@dataclass(frozen=True)
class Computed:
    """What a run gave.

    Attributes
    ----------
    tiles : mapping of str to xarray.Dataset
        Output tiles; a pipeline with one output has the name ``""``.
    wanted : mapping of str to tuple of str
        Per tile the variables that count: what the sink writes, else what the pipeline made.
    statistics : mapping of str to object
        Results of the Reduce steps by path.
    """

    tiles: Mapping[str, xr.Dataset]
    wanted: Mapping[str, tuple[str, ...]]
    statistics: Mapping[str, Any] = field(default_factory=dict)


def input_names(op: Operator) -> tuple[str, ...]:
    """Return the names of a pipeline's inputs; ``("",)`` where it has one, whatever it is called."""
    first = op
    while isinstance(first, Sequential) and first.operators:
        first = first.operators[0]
    if isinstance(first, Graph) and len(first.inputs) > 1:
        return tuple(first.inputs)
    return ("",)


@contextmanager
def pinned() -> Iterator[None]:
    """Let native libraries compute with one thread: their sums depend on how many there are."""
    from threadpoolctl import threadpool_limits

    torch: Any = sys.modules.get("torch")
    before = torch.get_num_threads() if torch is not None else 0
    with threadpool_limits(limits=1):
        try:
            if torch is not None:
                torch.set_num_threads(1)
            yield
        finally:
            if torch is not None:
                torch.set_num_threads(before)


def reads_of(
    op: Operator, scenes: Mapping[str, OpenScene], asked: Collection[str] = ()
) -> dict[str, tuple[str, ...]]:
    """Return the variables that a pipeline reads of each input; all where nobody can say."""
    body = _body(op)
    if _opaque(body):
        return {name: tuple(scene.spec.variables) for name, scene in scenes.items()}
    program = compile(body, _specs(scenes))
    wanted = _wanted(op, program, asked)
    if len(wanted) == 1:
        program = compile(body, _specs(scenes), next(iter(wanted.values())))
    found: dict[str, dict[str, None]] = {name: {} for name in scenes}
    alone = next(iter(scenes))
    for where, variable in program.input_slots.values():
        found[where if where in found else alone][variable] = None
    return {name: tuple(variables) for name, variables in found.items()}


def computed(
    op: Operator, scenes: Mapping[str, OpenScene], threads: int, asked: Collection[str] = ()
) -> Computed:
    """Read what is needed and run the pipeline on it; nothing is written.

    Parameters
    ----------
    op : Operator
        With or without a sink at its end.
    scenes : mapping of str to OpenScene
    threads : int
        Of the runner; the result does not depend on it. One where a step's rounding depends on the cut.
    asked : collection of str
        Variables that are expected; by default what the sink writes, else what the pipeline made.
    """
    body = _body(op)
    reads = reads_of(op, scenes, asked)
    tiles = {name: scene.read(reads[name]) for name, scene in scenes.items()}
    alone = next(iter(tiles.values())) if input_names(op) == ("",) else None
    with pinned():
        if _opaque(body):
            return _computed_opaque(op, tiles if alone is None else alone)
        program = compile(body, _specs(scenes))
        wanted = _wanted(op, program, asked)
        outputs = next(iter(wanted.values())) if len(wanted) == 1 else None
        spec = next(iter(scenes.values())).spec if alone is not None else None
        made = run_detailed(
            body,
            tiles if alone is None else alone,
            outputs=outputs,
            threads=1 if is_approximate(body) else threads,
            write=False,
            spec=spec,
        )
    return Computed(made.tiles, wanted, made.statistics)


def _computed_opaque(op: Operator, tiles: Any) -> Computed:
    """Run a pipeline with steps that cannot be planned."""
    from geotoolz.batch._sinks import default_sink, split, wanted_by

    body, sink = split(op)
    result = run(body, tiles)
    made = result if isinstance(result, dict) else {"": result}
    before = set(tiles.data_vars) if isinstance(tiles, xr.Dataset) else set()
    wanted = {}
    for name, tile in made.items():
        present = tuple(map(str, tile.data_vars))
        created = tuple(n for n in present if n not in before) or present
        wanted[name] = wanted_by(sink or default_sink(), created, present)
    return Computed(made, wanted)


def _body(op: Operator) -> Operator:
    from geotoolz.batch._sinks import split

    return split(op)[0]


def is_approximate(op: Operator) -> bool:
    """Whether the rounding of some step depends on how the work is cut, as threads do (BLAS, attention)."""
    return any("approximate" in step.tags for _, step in op.walk())


def _opaque(body: Operator) -> bool:
    return any(getattr(step, "opaque", False) for _, step in body.walk())


def _specs(scenes: Mapping[str, OpenScene]) -> TileSpec | dict[str, TileSpec]:
    if len(scenes) == 1:
        return next(iter(scenes.values())).spec
    return {name: scene.spec for name, scene in scenes.items()}


def _wanted(op: Operator, program: Program, asked: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Return per output tile what is asked for, else what its sink writes, else what the pipeline made."""
    from geotoolz.batch._sinks import default_sink, split, wanted_by

    sink = split(op)[1] or default_sink()
    if len(program.states) == 1:
        present = tuple(program.output.variables)
        named = tuple(name for name in present if name in asked)
        return {next(iter(program.states)): named or wanted_by(sink, program.created, present)}
    found = {}
    for name, state in program.states.items():
        made = tuple(n for n, slot in state.slots.items() if slot not in program.sources)
        found[name] = made or tuple(state.slots)
    return found
