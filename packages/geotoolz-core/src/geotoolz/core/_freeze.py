"""Freezing: run a pipeline's statistics on data and bind the results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import xarray as xr

from geotoolz.core._builder import Reduction, Unfrozen
from geotoolz.core._compile import Program, compile
from geotoolz.core._errors import ParameterError, TileError
from geotoolz.core._execute import Job
from geotoolz.core._operator import Operator, join
from geotoolz.core._reduce import not_frozen
from geotoolz.core._specs import TileSpec

T = TypeVar("T", bound=Operator)
Tiles = xr.Dataset | Mapping[str, xr.Dataset]
Loader = Callable[[], Tiles]


def freeze(op: T, data: xr.Dataset | Iterable[Any], *, threads: int = 1) -> T:
    """Return a pipeline whose data-dependent steps have their statistics bound.

    The statistics of each such step are gathered over all the given tiles, after the steps before
    it, in the order of the pipeline.

    Parameters
    ----------
    op : Operator
        A pipeline with unfrozen steps (`PercentileClip`, `MinMax`, …).
    data : xarray.Dataset, or iterable
        One tile (for a graph with several inputs a mapping of tiles by name); or several such,
        zero-argument functions that load one, or objects with a
        ``load()`` method such as the slices of a catalog. Tiles are loaded one at a time and more
        than once; only the loadable forms keep memory bounded.
    threads : int
        Number of threads per tile.

    Returns
    -------
    Operator
        Of the same type; frozen values stand in its configuration and its hash.

    Raises
    ------
    ParameterError
        If there is no tile.

    Examples
    --------
    >>> from geotoolz.core import freeze
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.radiometry import MinMax
    >>> frozen = freeze(MinMax(bands=("red",)), simulate_scene((64, 64)))
    >>> frozen.is_frozen
    True
    """
    loaders = _loaders(data)
    overrides: dict[str, Operator] = {}
    while True:
        # a Switch may lead the first tile past a step that a later one meets
        steps = (_first_unfrozen(op, load(), overrides) for load in loaders)
        step = next((s for s in steps if s is not None), None)
        if step is None:
            return _with_overrides(op, overrides, "")
        overrides[step.path] = step.op.freeze(_statistics(op, step, loaders, overrides, threads))


def freeze_on_tile(
    op: Operator,
    spec: TileSpec | Mapping[str, TileSpec],
    tiles: Mapping[str, xr.Dataset],
    threads: int,
) -> dict[str, Operator]:
    """Freeze the steps with ``scope="tile"`` on the tile that is about to be run."""
    overrides: dict[str, Operator] = {}
    while True:
        program = compile(op, spec, (), overrides=overrides)
        if not program.unfrozen:
            return overrides
        step = program.unfrozen[0]
        if getattr(step.op, "scope", "tile") != "tile":
            raise not_frozen(step.path, step.op, "its scope is not 'tile'")
        result = None
        for _ in range(_n_passes(step)):
            state = _gather(program, step, tiles, result, threads)
            result = step.op.statistics(step.state.spec).finish(state)
        overrides[step.path] = step.op.freeze(result)


def _loaders(data: xr.Dataset | Iterable[Any]) -> list[Loader]:
    if isinstance(data, xr.Dataset) or _is_inputs(data):
        return [_loader(data)]
    loaders = [_loader(item) for item in data]
    if not loaders:
        raise ParameterError("there is no tile to freeze on", expected="one tile at least")
    return loaders


def _is_inputs(data: Any) -> bool:
    """Whether this is a mapping of tiles: the inputs of a graph."""
    return isinstance(data, Mapping) and bool(data) and all(isinstance(v, xr.Dataset) for v in data.values())


def _loader(item: Any) -> Loader:
    if isinstance(item, xr.Dataset) or _is_inputs(item):
        return lambda: item
    load = getattr(item, "load", item)
    if not callable(load):
        raise ParameterError(
            f"cannot load a tile from {type(item).__name__}", expected="a Dataset or .load()"
        )
    return load  # type: ignore[no-any-return]


def _first_unfrozen(op: Operator, tile: Tiles, overrides: Mapping[str, Operator]) -> Unfrozen | None:
    program = compile(op, _spec_of(tile), (), overrides=overrides)
    return program.unfrozen[0] if program.unfrozen else None


def _spec_of(tile: Tiles) -> TileSpec | dict[str, TileSpec]:
    if isinstance(tile, xr.Dataset):
        return TileSpec.of(tile)
    return {name: TileSpec.of(one) for name, one in tile.items()}


def _n_passes(step: Unfrozen) -> int:
    return step.op.statistics(step.state.spec).n_passes(step.state.spec)


def _statistics(
    op: Operator,
    step: Unfrozen,
    loaders: list[Loader],
    overrides: Mapping[str, Operator],
    threads: int,
) -> Any:
    reduce = step.op.statistics(step.state.spec)
    result = None
    for _ in range(_n_passes(step)):
        merged: Any = None
        for load in loaders:
            tile = load()
            program = compile(op, _spec_of(tile), (), overrides=overrides)
            here = next((u for u in program.unfrozen if u.path == step.path), None)
            if here is None:
                continue  # a Switch leads this tile past the step
            _require_alike(step, here)
            state = _gather(
                program, here, {"": tile} if isinstance(tile, xr.Dataset) else tile, result, threads
            )
            merged = state if merged is None else reduce.merge(merged, state)
        result = reduce.finish(merged)
    return result


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
    program: Program, step: Unfrozen, tiles: Mapping[str, xr.Dataset], previous: Any, threads: int
) -> Any:
    """Run one pass of a step's statistics over a tile and return the unfinished state."""
    from geotoolz.core._run import _compute_shape, _named, array_fetch

    reduce = step.op.statistics(step.state.spec)
    names = reduce.plan(step.state.spec).all_reads()
    reduction = Reduction(step.path, reduce, step.state.spec, tuple(step.state.slots[n] for n in names))
    alone = replace(program, wanted=(), reductions=(reduction,), unfrozen=())
    fetch = array_fetch(alone, _named(alone, tiles))
    job = Job.of(alone, (), (reduction,), step.state.spec.shape)
    return _compute_shape(job, fetch, None, threads, previous)[1][0]


def _with_overrides(op: T, overrides: Mapping[str, Operator], path: str) -> T:
    """Return the pipeline with the operators at some paths replaced."""
    if path in overrides:
        return overrides[path]  # type: ignore[return-value]
    if not overrides:
        return op
    return op.map_children(lambda step, child: _with_overrides(child, overrides, join(path, step)))
