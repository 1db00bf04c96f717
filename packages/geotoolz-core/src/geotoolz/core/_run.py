"""The runner: whole tiles in memory, cut into blocks or windows, with threads."""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard

import numpy as np

from geotoolz.core._blocks import Cut, regular_cut
from geotoolz.core._build import build_dataset
from geotoolz.core._builder import Reduction
from geotoolz.core._compile import Program, compile
from geotoolz.core._errors import ExecutorError, ParameterError, TileError
from geotoolz.core._execute import Array, Fetch, Job, native, run_window
from geotoolz.core._extent import Extent
from geotoolz.core._lazy import xr
from geotoolz.core._operator import Operator
from geotoolz.core._provenance import made_by, origin_of
from geotoolz.core._reduce import Assertion
from geotoolz.core._replay import Replay
from geotoolz.core._scratch import Scratch
from geotoolz.core._specs import TileSpec
from geotoolz.core._threads import beside_others, thread_count

if TYPE_CHECKING:
    from geotoolz.core._observers import Observer

Tiles: TypeAlias = "xr.Dataset | Mapping[str, xr.Dataset]"


@dataclass(frozen=True)
class RunResult:
    """What a run gave.

    Attributes
    ----------
    tiles : mapping of str to xarray.Dataset
        Output tiles; a pipeline with one output has the name ``""``.
    statistics : mapping of str to object
        Results of the Reduce steps by path.
    paths : tuple of str
        What the sink wrote.
    program : Program
        The program that was run.
    """

    tiles: Mapping[str, xr.Dataset]
    program: Program
    statistics: Mapping[str, Any] = field(default_factory=dict)
    paths: tuple[str, ...] = ()


def run(
    op: Operator,
    tile: Tiles,
    *,
    outputs: Iterable[str] | None = None,
    window: tuple[int, int] | None = None,
    threads: int | None = None,
    observers: Sequence[Observer] = (),
) -> xr.Dataset | dict[str, xr.Dataset]:
    """Run an operator or pipeline on a tile in memory.

    Parameters
    ----------
    op : Operator
        What to run.
    tile : xarray.Dataset, or mapping of str to xarray.Dataset
        The tile; a mapping for a graph with named inputs. It is not changed.
    outputs : iterable of str, optional
        Variables that are needed; what does not lead to them is not computed, and they alone
        (with the coordinates) are returned.
    window : tuple of int, optional
        Rows and columns of the windows to work in. By default bands of whole rows that fit the
        cache. The result does not depend on it.
    threads : int, optional
        Number of threads; kernels release the GIL. The result does not depend on it. By default
        one per processor for tiles of millions of pixels, one in workers, or what the environment
        says in ``GEOTOOLZ_THREADS``.
    observers : sequence of Observer
        Watch every step; the tile is then treated step by step.

    Returns
    -------
    xarray.Dataset, or dict of str to xarray.Dataset for a graph with several outputs
        Lazy where the tile is lazy.

    Examples
    --------
    >>> from geotoolz.core import run
    >>> from geotoolz.radiometry import SelectBands
    >>> from geotoolz.core.testing import simulate_scene
    >>> run(SelectBands(("red",)), simulate_scene((64, 64)), window=(16, 16), threads=2).data_vars.keys()
    KeysView(Data variables:...
    """
    if _stepwise(op) or observers:
        from geotoolz.core._stepwise import interpret

        if outputs is not None or window is not None:
            raise ExecutorError("a run with observers or opaque steps works on whole tiles and all variables")
        if _stepwise(op) and _is_lazy(tile):
            raise ExecutorError(
                "a step holds a Python function; what it would make of a lazy (dask) tile is not known",
                fix="call it on tile.compute(), or write the step as an operator (Map)",
            )
        return interpret(op, tile, observers)
    if _is_lazy(tile):
        from geotoolz.core._dask import run_lazy

        return run_lazy(op, tile, outputs)
    result = run_detailed(op, tile, outputs=outputs, window=window, threads=threads)
    return result.tiles[""] if "" in result.tiles else dict(result.tiles)


def run_detailed(
    op: Operator,
    tile: Tiles,
    *,
    outputs: Iterable[str] | None = None,
    window: tuple[int, int] | None = None,
    threads: int | None = None,
    write: bool = True,
    spec: TileSpec | None = None,
) -> RunResult:
    """Run like `run` and return the statistics, the paths written and the program as well.

    Parameters
    ----------
    op, tile, outputs, window, threads
        As for `run`.
    write : bool
        Whether a sink at the end writes; drivers that return data leave it out.
    spec : TileSpec, optional
        Description of the whole tile, for a driver that has read only the variables that lead to
        `outputs`: the pipeline is planned on what the tile is, not on what was read of it.

    Returns
    -------
    RunResult
    """
    _check_window(window)
    wanted = None if outputs is None else tuple(outputs)
    tiles: Mapping[str, xr.Dataset] = {"": tile} if isinstance(tile, xr.Dataset) else tile
    described = _spec(tile) if spec is None else spec
    threads = thread_count(threads, _pixels(described))
    program = _program(op, described, wanted, tiles, threads)
    fetch = array_fetch(program, _named(program, tiles))
    arrays, statistics = compute(program, fetch, window=window, threads=threads)
    marks = decide(program, statistics)
    built = build_dataset(program, _named(program, tiles), arrays, wanted)
    if marks:
        for made in built.values():
            made.attrs = marked(made.attrs, marks)
    paths: list[str] = []
    if write:
        for _, sink in program.sinks:
            with made_by(op, **origin_of(program, sink, _named(program, tiles))):
                paths.extend(sink.write(next(iter(built.values())), created=program.created))
    return RunResult(built, program, statistics, tuple(paths))


def _pixels(described: TileSpec | Mapping[str, TileSpec]) -> int:
    if isinstance(described, TileSpec):
        return math.prod(described.shape)
    return max((math.prod(one.shape) for one in described.values()), default=0)


def _check_window(window: Any) -> None:
    if window is None or (isinstance(window, tuple | list) and list(map(type, window)) == [int, int]):
        return
    raise ParameterError(f"window={window!r}", expected="(rows, columns)")


def _program(
    op: Operator,
    spec: TileSpec | dict[str, TileSpec],
    wanted: tuple[str, ...] | None,
    tiles: Mapping[str, xr.Dataset],
    threads: int,
) -> Program:
    """Compile, and freeze what may be frozen on this very tile."""
    program = compile(op, spec, wanted)
    if not program.unfrozen:
        return program
    from geotoolz.core._freeze import freeze_on_tile

    overrides = freeze_on_tile(op, spec, tiles, threads)
    return compile(op, spec, wanted, overrides=overrides)


def _spec(tile: Any) -> TileSpec | dict[str, TileSpec]:
    if _is_named(tile):
        return {name: TileSpec.of(one) for name, one in tile.items()}
    return TileSpec.of(tile)


def _named(program: Program, tiles: Mapping[str, xr.Dataset]) -> Mapping[str, xr.Dataset]:
    """Return the tiles under the program's input names (a graph may have one unnamed tile)."""
    if set(tiles) == {""} and "" not in program.inputs_spec:
        return dict.fromkeys(program.inputs_spec, tiles[""])
    return tiles


def array_fetch(program: Program, tiles: Mapping[str, xr.Dataset]) -> Fetch:
    """Return a `Fetch` that cuts windows out of arrays in memory."""
    held: dict[int, Array] = {}

    def fetch(slot: int, extent: Extent) -> Array:
        array = held.get(slot)
        if array is None:
            source, name = program.sources[slot]
            variable = tiles[source].variables[name]
            if variable.dims[-2:] != ("y", "x"):
                raise TileError(
                    f"variable {name!r} has dims {variable.dims}",
                    expected="(y, x) or (time, y, x)",
                    fix="transpose it, or call geotoolz.core.as_tile(ds)",
                )
            # a kernel that writes into its input gets an error, and the caller's tile stays what it is
            array = held[slot] = native(variable.values).view()
            array.flags.writeable = False
        y0, y1, x0, x1 = extent
        if y1 - y0 == array.shape[-2] and x1 - x0 == array.shape[-1]:
            return array
        return array[..., y0:y1, x0:x1]

    return fetch


def compute(
    program: Program,
    fetch: Fetch,
    *,
    window: tuple[int, int] | None = None,
    threads: int = 1,
    cut: Cut | None = None,
) -> tuple[dict[int, Array], dict[str, Any]]:
    """Compute every wanted slot and every statistic of a program.

    Parameters
    ----------
    program : Program
        Without unfrozen steps.
    fetch : callable
        Returns windows of the input slots.
    window : tuple of int, optional
        Rows and columns of a window.
    threads : int
        Number of threads.
    cut : callable, optional
        Takes the place of `window` and `threads`: the windows of each worker, in order.

    Returns
    -------
    arrays : dict of int to array
        The wanted slots that are not inputs.
    statistics : dict of str to object
        Finished reductions by path.
    """
    arrays: dict[int, Array] = {}
    states: dict[str, Any] = {}
    for shape in dict.fromkeys(program.shapes):
        slots = [s for s in program.wanted if s not in program.sources and program.shapes[s] == shape]
        reductions = [r for r in program.reductions if r.spec.shape == shape]
        if not slots and not reductions:
            continue
        job = Job.of(program, slots, reductions, shape)
        found, partial = _compute_shape(job, fetch, cut or regular_cut(window, threads))
        arrays.update(found)
        states.update({r.path: r.op.finish(s) for r, s in zip(reductions, partial, strict=True)})
    _further_passes(program, fetch, states, cut or regular_cut(window, threads))
    return arrays, states


def _further_passes(
    program: Program,
    fetch: Fetch,
    results: dict[str, Any],
    cut: Cut,
) -> None:
    """Visit the pixels again for statistics that need it, handing on what they know so far."""
    for reduction in program.reductions:
        for _ in range(1, reduction.op.n_passes(reduction.spec)):
            if reduction.op.is_final(results[reduction.path]):
                break
            job = Job.of(program, (), (reduction,), reduction.spec.shape)
            state = _compute_shape(job, fetch, cut, results[reduction.path])[1][0]
            results[reduction.path] = reduction.op.finish(state)


def _compute_shape(
    job: Job, fetch: Fetch, cut: Cut, previous: Any = None
) -> tuple[dict[int, Array], list[Any]]:
    shares = cut(job)
    only = shares[0] if len(shares) == 1 else None
    if isinstance(only, list) and len(only) == 1:
        states = _new_states(job, previous)
        found = run_window(job, fetch, only[0], states)
        return {slot: _owned(job, slot, array) for slot, array in found.items()}, states
    outputs = {slot: _allocate(job, slot) for slot in job.wanted}

    def work(mine: Iterable[Extent]) -> list[Any]:
        states, scratch, replay = _new_states(job, previous), Scratch(), Replay.of(job)
        for extent in mine:
            if replay is None or not replay.run(fetch, extent, states, outputs):
                run_window(job, fetch, extent, states, outputs, scratch)
        return states

    if len(shares) == 1:
        return outputs, work(shares[0])
    return outputs, merge_states(job.reductions, _in_threads(work, shares))


def _in_threads(
    work: Callable[[Iterable[Extent]], list[Any]], shares: Sequence[Iterable[Extent]]
) -> list[list[Any]]:
    """Let a thread work on each share, the caller's own among them; after an error none begins a window."""
    failed = threading.Event()

    def guarded(share: Iterable[Extent]) -> list[Any]:
        try:
            with beside_others():
                return work(itertools.takewhile(lambda _: not failed.is_set(), share))
        except BaseException:
            failed.set()
            raise

    with ThreadPoolExecutor(len(shares) - 1) as pool:
        others = [pool.submit(guarded, share) for share in shares[1:]]
        return [guarded(shares[0]), *(other.result() for other in others)]


def _new_states(job: Job, previous: Any) -> list[Any]:
    return [r.op.init(r.spec, previous) for r in job.reductions]


def merge_states(reductions: Sequence[Reduction], partial: Sequence[list[Any]]) -> list[Any]:
    """Merge the states that several workers gathered."""
    merged = list(partial[0])
    for other in partial[1:]:
        merged = [r.op.merge(a, b) for r, a, b in zip(reductions, merged, other, strict=True)]
    return merged


def _allocate(job: Job, slot: int) -> Array:
    return np.empty((*job.program.leads[slot], *job.shape), job.program.slots[slot].dtype)


def _owned(job: Job, slot: int, array: Array) -> Array:
    """Return the array, copied if it is the kernel's input or a crop of something larger."""
    whole = array.base is None or array.shape[-2:] == job.shape
    return array if whole and array.flags.writeable else array.copy()


def decide(program: Program, statistics: Mapping[str, Any]) -> dict[str, Any]:
    """Let every assertion judge its statistic, in the order of the steps; return the tile's marks."""
    marks: dict[str, Any] = {}
    for reduction in program.reductions:
        if isinstance(reduction.op, Assertion):
            result = statistics[reduction.path]
            reduction.op.decide(result, reduction.spec)
            marks = marked(marks, reduction.op.marks(result, reduction.spec))
    return marks


def marked(attrs: Mapping[str, Any], marks: Mapping[str, Any]) -> dict[str, Any]:
    """Return attributes with marks set; lists are added to lists, each entry once."""
    merged = dict(attrs)
    for name, value in marks.items():
        held = merged.get(name)
        if isinstance(value, list) and held is not None:
            before = [held] if isinstance(held, str) else list(held)
            value = [*before, *(entry for entry in value if entry not in before)]
        merged[name] = value
    return merged


def reduce_tile(
    op: Operator, tile: xr.Dataset, *, window: tuple[int, int] | None = None, threads: int | None = None
) -> Any:
    """Return the statistic of a Reduce over a tile."""
    result = run_detailed(op, tile, outputs=(), window=window, threads=threads)
    return result.statistics[""]


def _stepwise(op: Operator) -> bool:
    return any(getattr(child, "opaque", False) for _, child in op.walk())


def _is_lazy(tile: Tiles) -> bool:
    datasets: list[Any] = list(tile.values()) if _is_named(tile) else [tile]
    return any(_has_chunks(TileSpec.require_dataset(ds)) for ds in datasets)


def _is_named(tile: Any) -> TypeGuard[Mapping[str, xr.Dataset]]:
    return isinstance(tile, Mapping) and not isinstance(tile, xr.Dataset)


def _has_chunks(ds: xr.Dataset) -> bool:
    held = ds.variables
    # Variable.chunks checks a runtime protocol, which costs more per variable than planning a step
    return any(getattr(held[name]._data, "chunks", None) is not None for name in ds.data_vars)
