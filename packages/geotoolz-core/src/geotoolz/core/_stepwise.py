"""Run a pipeline step by step on Datasets: for observers, `Tap` and opaque functions."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from geotoolz.core._errors import ExecutorError, GeotoolzError
from geotoolz.core._lazy import xr
from geotoolz.core._operator import Operator
from geotoolz.core._sink import Sink
from geotoolz.core._specs import TileSpec

if TYPE_CHECKING:
    from geotoolz.core._observers import Observer


def interpret(
    op: Operator, tile: xr.Dataset | Mapping[str, xr.Dataset], observers: Sequence[Observer] = ()
) -> xr.Dataset | dict[str, xr.Dataset]:
    """Run a pipeline one step at a time; every step sees and gives a whole Dataset.

    The pixels are the same as in a compiled run.
    """
    from geotoolz.core._graph import Graph
    from geotoolz.core._run import _stepwise, run

    if isinstance(op, Graph):
        if _stepwise(op):
            raise ExecutorError(
                "a Graph cannot hold Tap or from_function steps", fix="use them in a Sequential"
            )
        watched: xr.Dataset | dict[str, xr.Dataset] = _graph_watched(op, tile, observers, run)
        return watched
    if not isinstance(tile, xr.Dataset):
        raise ExecutorError(f"{type(op).__name__} takes one tile")
    for observer in observers:
        observer.start(op, tile)
    result = _step(op, tile, "", observers, tile)
    for observer in observers:
        observer.finish(result)
    return result


def _graph_watched(op: Operator, tile: Any, observers: Sequence[Observer], run: Any) -> Any:
    first = tile if isinstance(tile, xr.Dataset) else next(iter(tile.values()))
    for observer in observers:
        observer.start(op, first)
    started = time.perf_counter()
    result = run(op, tile)
    outputs = {"": result} if isinstance(result, xr.Dataset) else result
    for name, output in outputs.items():
        for observer in observers:
            observer.step(f"outputs[{name}]", op, output, time.perf_counter() - started)
    for observer in observers:
        observer.finish(next(iter(outputs.values())))
    return result


def _step(
    op: Operator, tile: xr.Dataset, path: str, observers: Sequence[Observer], original: xr.Dataset
) -> xr.Dataset:
    inner = getattr(op, "interpret", None)
    try:
        if inner is not None:
            result = inner(tile, path, lambda o, t, p: _step(o, t, p, observers, original))
            return _checked(result, op, path)
        started = time.perf_counter()
        result = _applied(op, tile, original)
    except GeotoolzError as error:
        if path and getattr(error, "path", None) is None:
            located = error.prefixed(f"{path} ({type(op).__name__})")
            located.path = path  # type: ignore[attr-defined]
            raise located from error
        raise
    result = _checked(result, op, path)
    for observer in observers:
        observer.step(path, op, result, time.perf_counter() - started)
    return result


def _applied(op: Operator, tile: xr.Dataset, original: xr.Dataset) -> Any:
    """Apply one step that is not followed any deeper."""
    from geotoolz.core._run import _stepwise, run

    if getattr(op, "opaque", False):
        return op.apply(tile)  # type: ignore[attr-defined]
    if _stepwise(op):
        raise ExecutorError(
            f"{type(op).__name__} cannot hold Tap or from_function steps", fix="use them in a Sequential"
        )
    if isinstance(op, Sink):
        created = _created(tile, original)
        op.check_tile(TileSpec.of(tile), created)
        op.write(tile, created=created)
        return tile
    result = run(op, tile)
    return next(iter(result.values())) if isinstance(result, dict) and len(result) == 1 else result


def _created(tile: xr.Dataset, original: xr.Dataset) -> tuple[str, ...]:
    """Return the variables that are new since the pipeline began, or those that changed."""
    names, before, after = list(map(str, tile.data_vars)), original.variables, tile.variables
    changed = tuple(n for n in names if n not in before or after[n].data is not before[n].data)
    # planes of a picture belong together, as in `Program.created`
    new = tuple(n for n in changed if n not in original.data_vars or "color_interp" in after[n].attrs)
    return new or changed


def _checked(result: Any, op: Operator, path: str) -> xr.Dataset:
    if not isinstance(result, xr.Dataset):
        raise ExecutorError(
            f"{path or type(op).__name__} returned {type(result).__name__}", expected="an xarray.Dataset"
        )
    return result
