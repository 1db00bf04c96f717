"""Where operators write themselves down: slots, kernel calls, statistics, sinks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from geotoolz.core._coord import require_same
from geotoolz.core._errors import GeotoolzError, GridMismatchError, ParameterError, TileError
from geotoolz.core._footprint import Footprint
from geotoolz.core._grid import grid_label
from geotoolz.core._operator import Operator
from geotoolz.core._regrid import GridChange
from geotoolz.core._specs import Call, Plan, TileSpec, VarSpec

if TYPE_CHECKING:
    from geotoolz.core._reduce import Freezable, Reduce
    from geotoolz.core._sink import Sink


@dataclass(frozen=True, slots=True)
class State:
    """A tile on its way through a pipeline: its description, and the slot of every variable.

    `home` is the input whose other coordinates (``time``, ``wavelength``) the tile carries.
    """

    spec: TileSpec
    slots: Mapping[str, int]
    home: str = ""

    def require_grid_of(self, before: State, who: str) -> None:
        """Raise if this tile lies on another grid than the one it came from."""
        if self.spec.grid is not before.spec.grid:
            raise GridMismatchError(
                f"{who} changes the grid, and its result is put beside the tile it came from",
                expected=grid_label(before.spec.window_geobox),
                fix="change the grid in a step of its own",
            )
        here, there = self.spec, before.spec
        if here.lead is there.lead:
            return
        what = require_same(there.coords, here.coords, there.sizes, here.sizes)
        kept = set(before.slots.values())
        for name, spec in here.variables.items():
            new = [dim for dim in spec.dims if dim not in there.sizes]
            if new and self.slots[name] not in kept:
                what = what or f"the dimension {new[0]!r}"
        if what:
            raise TileError(
                f"the result of {who} has {what}, unlike the tile beside it",
                fix="change the dimensions in a step of its own",
            )


@dataclass(frozen=True, slots=True)
class Instruction:
    """One kernel call on slots; with `change` the writes lie on another grid than the reads."""

    path: str
    kernel: Callable[..., Any]
    reads: tuple[int, ...]
    writes: tuple[int, ...]
    args: tuple[Any, ...]
    footprint: Footprint
    located: bool = False
    change: GridChange | None = None

    @property
    def is_pointwise(self) -> bool:
        """Whether an output pixel depends on the input pixel at the same place only."""
        return self.change is None and self.footprint.is_pointwise


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
    offsets: list[tuple[int, int]] = field(default_factory=list)
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
        return State(spec, slots, source)

    def new_slot(self, spec: VarSpec, tile: TileSpec) -> int:
        """Return the number of a new slot on a tile."""
        self.slots.append(spec)
        self.shapes.append(tile.shape)
        self.offsets.append(tile.offset)
        dims = spec.dims
        self.leads.append(() if len(dims) == 2 else tuple(tile.sizes.get(dim, -1) for dim in dims[:-2]))
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
        after = _tile_after(plan, state.spec, type(op).__name__)
        for call in plan.calls or (_only_call(op, plan),):
            # where the grid changes every call starts from the input's pixels
            held = local if plan.grid is None else state.slots
            reads = tuple(_slot(held, name, op) for name in call.reads)
            writes = []
            for name in call.writes:
                slot = self.new_slot(plan.writes.get(name, VarSpec()), after)
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
                    plan.grid,
                )
            )
        if "" in plan.writes:
            raise ParameterError(
                f"{type(op).__name__} would write a variable without a name", fix="give it one"
            )
        missing = [name for name in plan.writes if name not in made]
        if missing:
            raise TileError(f"the plan of {type(op).__name__} promises {missing} and no call writes them")
        if plan.grid is not None:
            plan.grid.require_alone({*plan.writes, *plan.drops}, {*state.slots}, type(op).__name__)
        return _after(plan, state, local, after)


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


def _tile_after(plan: Plan, tile: TileSpec, operator: str) -> TileSpec:
    """Return the tile's grid and dimensions after a plan; its variables are still those before."""
    after = tile if plan.grid is None else tile.on(plan.grid)
    if not plan.coords:
        return after
    after, changed = after.along(plan.coords)
    settled = {*plan.writes, *plan.drops}
    left = [n for n, v in tile.variables.items() if n not in settled and changed.intersection(v.dims)]
    if left:
        raise TileError(
            f"{operator} changes {', '.join(sorted(changed))} and leaves {', '.join(left)} as it was",
            expected="a plan that writes or drops every variable along it",
        )
    for name, spec in plan.writes.items():
        if unknown := [dim for dim in spec.dims if dim not in after.sizes]:
            raise TileError(f"{operator} writes {name!r} along {unknown[0]!r}, which the tile does not have")
    return after


def _after(plan: Plan, state: State, local: Mapping[str, int], tile: TileSpec) -> State:
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
    return State(tile.evolve(variables, attrs), slots, state.home)
