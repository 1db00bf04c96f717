"""Freezing: run a pipeline's statistics on data and bind the results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from geotoolz.core._builder import Reduction, Unfrozen
from geotoolz.core._compile import Program, compile
from geotoolz.core._errors import TileError
from geotoolz.core._execute import Fetch, Job
from geotoolz.core._freeze_data import Opened, Opener, openers
from geotoolz.core._lazy import xr
from geotoolz.core._operator import Operator, join
from geotoolz.core._reduce import not_frozen
from geotoolz.core._specs import TileSpec
from geotoolz.core._threads import thread_count

T = TypeVar("T", bound=Operator)


def freeze(
    op: T,
    data: Any,
    *,
    sample: int | None = None,
    seed: int = 0,
    threads: int | None = None,
    window: tuple[int, int] | None = None,
) -> T:
    """Return a pipeline whose data-dependent steps have their statistics bound.

    The statistics of each such step are gathered over all the given tiles, after the steps before
    it, in the order of the pipeline. They do not depend on the order of the tiles, on windows or on
    threads, bit for bit.

    Parameters
    ----------
    op : Operator
        A pipeline with unfrozen steps (`PercentileClip`, `MinMax`, `Standardize`, …).
    data : xarray.Dataset, SceneReader, GeoCatalog, or iterable
        One tile (for a graph with several inputs a mapping of tiles by name); a scene opened with
        `geotoolz.io.open_scene`, or anything else with ``spec`` and ``arrays(names, rows, cols)``;
        a catalog; or several of these, or objects that ``open()`` or ``load()`` one, or functions
        that return one. Readers, catalogs and what opens are read in windows, only the bands that
        lead to a statistic, more than once; what loads is held one tile at a time.
    sample : int, optional
        Use this many of the tiles, drawn by their ids (of a catalog its `sample`).
    seed : int
        Another seed draws other tiles.
    threads : int, optional
        Number of threads per tile; by default as for `run`.
    window : tuple of int, optional
        Rows and columns to treat at once; by default 1024 × 1024 of what is read from files.

    Returns
    -------
    Operator
        Of the same type; frozen values stand in its configuration and its hash. Arrays (a
        covariance) are held in memory until `geotoolz.core.save` writes them.

    Raises
    ------
    ParameterError
        If there is no tile, or fewer than the sample.
    TileError
        If a band has no valid pixel, or tiles differ in bands or data types; names the step.

    Examples
    --------
    >>> from geotoolz.core import freeze
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.radiometry import MinMax
    >>> frozen = freeze(MinMax(bands=("red",)), simulate_scene((64, 64)))
    >>> frozen.is_frozen
    True
    """
    thread_count(threads, 0)  # a wrong number is told before anything is read
    sources = openers(data, sample, seed, window)
    overrides: dict[str, Operator] = {}
    while True:
        # a Switch may lead the first tile past a step that a later one meets
        steps = (_first_unfrozen(op, source(), overrides) for source in sources)
        step = next((s for s in steps if s is not None), None)
        if step is None:
            return _with_overrides(op, overrides, "")
        result = _statistics(op, step, sources, overrides, threads)
        _require_known(step, result)
        overrides[step.path] = step.op.freeze(result)


def freeze_on_tile(
    op: Operator,
    spec: TileSpec | Mapping[str, TileSpec],
    tiles: Mapping[str, xr.Dataset],
    threads: int | None,
) -> dict[str, Operator]:
    """Freeze the steps with ``scope="tile"`` on the tile that is about to be run.

    A band without any valid pixel gets unknown (NaN) statistics: it has nothing to be treated.
    """
    from geotoolz.core._run import _named, array_fetch

    overrides: dict[str, Operator] = {}
    while True:
        program = compile(op, spec, (), overrides=overrides)
        if not program.unfrozen:
            return overrides
        step = program.unfrozen[0]
        if getattr(step.op, "scope", "tile") != "tile":
            raise not_frozen(step.path, step.op, "its scope is not 'tile'")
        fetch = array_fetch(program, _named(program, tiles))
        reduce = step.op.statistics(step.state.spec)
        result = None
        for _ in range(_n_passes(step)):
            result = reduce.finish(_gather(program, step, fetch, None, result, threads))
            if reduce.is_final(result):
                break
        overrides[step.path] = step.op.freeze(result)


def _first_unfrozen(op: Operator, tile: Opened, overrides: Mapping[str, Operator]) -> Unfrozen | None:
    program = compile(op, tile.spec, (), overrides=overrides)
    return program.unfrozen[0] if program.unfrozen else None


def _n_passes(step: Unfrozen) -> int:
    return step.op.statistics(step.state.spec).n_passes(step.state.spec)


def _statistics(
    op: Operator,
    step: Unfrozen,
    sources: list[Opener],
    overrides: Mapping[str, Operator],
    threads: int | None,
) -> Any:
    reduce = step.op.statistics(step.state.spec)
    result = None
    for _ in range(_n_passes(step)):
        merged: Any = None
        for source in sources:
            tile = source()
            program = compile(op, tile.spec, (), overrides=overrides)
            here = next((u for u in program.unfrozen if u.path == step.path), None)
            if here is None:
                continue  # a Switch leads this tile past the step
            _require_alike(step, here)
            state = _gather(program, here, tile.fetching(program), tile.window, result, threads)
            merged = state if merged is None else reduce.merge(merged, state)
        result = reduce.finish(merged)
        if reduce.is_final(result):
            break
    return result


def _require_known(step: Unfrozen, result: Any) -> None:
    """Raise if a statistic is unknown: a limit that is NaN would turn all pixels into no-data."""
    if not isinstance(result, Mapping):
        return
    empty = [str(name) for name, found in result.items() if _has_nan(found)]
    if getattr(result, "n", None) == 0:
        empty = list(getattr(result, "bands", empty))
    if empty:
        raise TileError(
            f"{step.path or 'the pipeline'} ({type(step.op).__name__}) finds too few valid pixels of "
            f"{', '.join(empty)} to freeze on",
            expected="valid pixels of every band",
            fix="leave the band out (bands=…), or freeze on tiles that hold data (and few infinities)",
        )


def _has_nan(found: Any) -> bool:
    try:
        return bool(np.isnan(np.asarray(found, np.float64)).any())
    except (TypeError, ValueError):  # no numbers: not for this function to judge
        return False


def _require_alike(first: Unfrozen, other: Unfrozen) -> None:
    """Raise unless a statistic sees the same bands, in the same data types, in two tiles."""
    seen, found = ({n: u.state.spec.variables[n].dtype for n in _reads(u)} for u in (first, other))
    if seen != found:
        raise TileError(
            f"{first.path or type(first.op).__name__} sees {_listed(found)} in one tile",
            expected=f"{_listed(seen)}, as in the first",
            fix="name the bands, and freeze on tiles of one kind",
        )


def _reads(step: Unfrozen) -> tuple[str, ...]:
    return step.op.statistics(step.state.spec).plan(step.state.spec).all_reads()


def _listed(dtypes: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} ({dtype})" for name, dtype in dtypes.items()) or "no band"


def _gather(
    program: Program,
    step: Unfrozen,
    fetch: Fetch,
    window: tuple[int, int] | None,
    previous: Any,
    threads: int | None,
) -> Any:
    """Run one pass of a step's statistics over a tile and return the unfinished state."""
    from geotoolz.core._blocks import regular_cut
    from geotoolz.core._run import _compute_shape

    reduce = step.op.statistics(step.state.spec)
    names = reduce.plan(step.state.spec).all_reads()
    reduction = Reduction(step.path, reduce, step.state.spec, tuple(step.state.slots[n] for n in names))
    alone = replace(program, wanted=(), reductions=(reduction,), unfrozen=())
    job = Job.of(alone, (), (reduction,), step.state.spec.shape)
    if job.needs_whole is not None:
        window = None
    height, width = job.shape
    cut = regular_cut(window, thread_count(threads, height * width))
    return _compute_shape(job, fetch, cut, previous)[1][0]


def _with_overrides(op: T, overrides: Mapping[str, Operator], path: str) -> T:
    """Return the pipeline with the operators at some paths replaced."""
    if path in overrides:
        return overrides[path]  # type: ignore[return-value]
    if not overrides:
        return op
    return op.map_children(lambda step, child: _with_overrides(child, overrides, join(path, step)))
