"""What the checks of the contract share."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from geotoolz.core._compile import Program, compile
from geotoolz.core._errors import GeotoolzError, OutsideError
from geotoolz.core._freeze import freeze
from geotoolz.core._graph import Graph, Join
from geotoolz.core._map import Map
from geotoolz.core._operator import Operator
from geotoolz.core._reduce import Assertion, Freezable, Reduce
from geotoolz.core._run import run
from geotoolz.core._sink import Sink
from geotoolz.core._specs import TileSpec
from geotoolz.core.testing._law import LawBrokenError
from geotoolz.core.testing._tiles import adversaries


def is_operator(value: Any) -> bool:
    """Whether a name stands for an operator class that users can make."""
    return inspect.isclass(value) and issubclass(value, Operator) and not value.is_abstract()


def frozen_on(op: Operator, tile: xr.Dataset) -> Operator:
    """Return the operator with its data-dependent steps frozen on a tile."""
    if any(isinstance(child, Freezable) for _, child in op.walk()):
        return freeze(op, tile)
    return op


def run_any(op: Operator, tile: xr.Dataset) -> Any:
    """Run any kind of operator on one tile."""
    if isinstance(op, Reduce) and not isinstance(op, Assertion):
        return op(tile)
    if isinstance(op, Join):
        return op({"a": tile})
    if isinstance(op, Graph):
        return next(iter(op(tile).values()))
    return run(op, tile)


def as_graph(op: Operator) -> Operator:
    """Return what may be compiled for one tile: a Join as a graph that joins this one."""
    if not isinstance(op, Join):
        return op
    return Graph(("a",), {"joined": {"operator": op, "inputs": ("a",)}}, {"": "joined"})


def changes_grid(program: Program) -> bool:
    """Whether the output lies on another grid than the input."""
    grids = [spec.grid for spec in program.inputs_spec.values()]
    return any(all(state.spec.grid is not grid for grid in grids) for state in program.states.values())


def read_only(tile: xr.Dataset) -> xr.Dataset:
    """Return the tile with arrays that refuse to be written to."""
    for name in tile.variables:
        values = tile.variables[name].values
        if name in tile.data_vars:
            values.flags.writeable = False
    return tile


def without_data(tile: xr.Dataset) -> xr.Dataset:
    """Return the tile with no-data everywhere."""
    return adversaries(tile)["nothing"]


def as_numbers(tile: xr.Dataset) -> tuple[xr.Dataset, xr.Dataset]:
    """Return the tile with its bands as uint16 (no-data 0) and as the same numbers in float64."""
    whole, floats = tile.copy(), tile.copy()
    for name, array in tile.data_vars.items():
        if array.attrs.get("quantity") in ("flags", "mask", "elevation"):
            continue
        numbers = array.values
        if numbers.dtype.kind == "f":
            numbers = np.nan_to_num(np.round(numbers * 1e4), nan=0).astype(np.uint16)
        whole[name] = (array.dims, numbers, {**array.attrs, "_FillValue": 0})
        real = np.where(numbers == 0, np.nan, numbers.astype(np.float64))
        floats[name] = (array.dims, real, {**array.attrs, "_FillValue": np.nan})
    return whole, floats


def masked(array: xr.DataArray) -> Any:
    """Return values in float64 with NaN for no-data."""
    values = array.values.astype(np.float64)
    fill = array.attrs.get("_FillValue")
    return np.where(array.values == fill, np.nan, values) if fill is not None and fill == fill else values


def flat(result: Any) -> Any:
    """Return a statistic as one array of numbers."""
    if isinstance(result, Mapping):
        parts = [flat(v) for v in result.values()]
        return np.concatenate(parts) if parts else np.zeros(0)
    return np.atleast_1d(np.asarray(result, np.float64)).reshape(-1)


def accept_or_refuse(op: Operator, tile: xr.Dataset, shape: tuple[int, int]) -> None:
    """Check the shape of the result; assertions and sinks may refuse with a typed error.

    So may an operator whose target such a tile does not touch.
    """
    try:
        program = compile(as_graph(op), TileSpec.of(tile)) if isinstance(op, Map | Join) else None
        out = run_any(op, tile)
    except OutsideError:
        return
    except GeotoolzError:
        if isinstance(op, Assertion | Sink):  # refusing such a tile is their business
            return
        raise
    if program is not None and changes_grid(program):
        shape = program.output.shape
    if isinstance(out, xr.Dataset):
        found = {(out.sizes["y"], out.sizes["x"]), *(a.shape[-2:] for a in out.data_vars.values())}
        if found != {shape}:
            raise LawBrokenError(f"{op!r} gave shapes {found}", expected=str(shape))


def counting(log: list[int]) -> Callable[..., Any]:
    """Return a dask scheduler that logs that it was asked to compute."""

    def get(graph: Any, keys: Any, **kwargs: Any) -> Any:
        from dask.local import get_sync

        log.append(1)
        return get_sync(graph, keys, **kwargs)

    return get
