"""What the sandbox's process does with a request: plan a stranger's pipeline, and run it."""

from __future__ import annotations

import io
import json
import math
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.core import (
    ConfigError,
    Operator,
    ParameterError,
    Program,
    Sequential,
    TileSpec,
    compile,
    load_sandboxed,
    run_detailed,
)
from geotoolz.core._registry import load_entry_points
from geotoolz.serve._errors import Problem
from geotoolz.serve._outputs import picture, plain
from geotoolz.serve._statistics_api import _numbers as numbers_of
from geotoolz.viz._checks import is_picture

if TYPE_CHECKING:
    import xarray as xr
    from odc.geo.geobox import GeoBox

_GROWTH = 4  # a result may have so many times the pixels that a tile may have
_MOST_VALUES = 64  # planes of the largest tile that may be made


def warm_up() -> None:
    """Import every operator, and compile what most pipelines need, before a client waits for it."""
    from geotoolz.core.testing import simulate_scene
    from geotoolz.viz import quicklook

    load_entry_points()
    quicklook(simulate_scene((8, 8)), size=8)


def answer_to(request: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
    """Answer a request.

    Parameters
    ----------
    request : mapping
        ``do``: ``check`` (text), ``plan`` (text and a TileSpec: which bands are needed), ``run`` (text and
        a tile).

    Returns
    -------
    facts : dict
        JSON types.
    body : bytes
        The encoded result of a run.
    """
    op = load_sandboxed(request["yaml"], max_steps=request["max_steps"])
    facts: dict[str, Any] = {"config_hash": str(op.config_hash()), "steps": _steps(op)}
    if request["do"] == "check":
        return facts, b""
    spec = request["spec"]
    program = compile(op, spec)
    _check_size(program, request["max_pixels"])
    names = _chosen(program, request.get("bands"))
    facts["inputs"] = list(compile(op, spec, names).inputs)
    if request["do"] == "plan":
        return facts, b""
    result = run_detailed(op, request["tile"], outputs=names, threads=1, write=False, spec=spec)
    tile = result.tiles[""]
    facts |= {"shape": list(program.output.shape), "variables": list(names)}
    return facts, _encoded(request, tile, names, result.statistics, facts)


def _steps(op: Operator) -> list[str]:
    return [type(step).__name__ for step in (op.operators if isinstance(op, Sequential) else (op,))]


def _check_size(program: Program, max_pixels: int) -> None:
    """Refuse what would grow beyond all measure, before anything is computed."""
    for state in program.states.values():
        _refuse_large(state.spec, max_pixels * _GROWTH)
    most = max_pixels * _MOST_VALUES
    for shape, lead in zip(program.shapes, program.leads, strict=True):
        if math.prod(shape) * math.prod(lead) > most:
            raise _too_large(f"{math.prod(shape) * math.prod(lead)} values")


def _refuse_large(spec: TileSpec, most: int) -> None:
    if math.prod(spec.shape) > most:
        raise _too_large(f"{spec.shape[0]} × {spec.shape[1]} pixels")


def _too_large(what: str) -> Problem:
    return Problem(f"the pipeline makes {what}", status=413, code="too_large", fix="make the result smaller")


def _chosen(program: Program, bands: list[str] | None) -> tuple[str, ...]:
    if len(program.states) != 1:
        raise ConfigError("the pipeline has several outputs", expected="one")
    if bands is None:
        return program.created or tuple(program.output.variables)
    present = program.output.variables
    unknown = [name for name in bands if name not in present]
    if unknown:
        raise ParameterError(f"no variable {unknown[0][:64]!r}", expected=f"some of {', '.join(present)}")
    return tuple(bands)


def _encoded(
    request: Mapping[str, Any],
    tile: xr.Dataset,
    names: tuple[str, ...],
    statistics: Mapping[str, Any],
    facts: dict[str, Any],
) -> bytes:
    kind = request["format"]
    if kind == "json":
        spec = TileSpec.of(tile)
        numbers = {
            name: numbers_of(tile[name].to_numpy(), None, name, spec.variables[name]) for name in names
        }
        return json.dumps(plain({**facts, "variables": numbers, "statistics": dict(statistics)})).encode()
    if not names:
        raise ParameterError("the pipeline makes no variables", fix="ask for format json")
    if kind == "png":
        how = {"cmap": request.get("colormap")}
        if request.get("rescale"):
            how["vmin"], how["vmax"] = request["rescale"]
        shown = None if request.get("bands") is None else list(names)
        return picture(_on_view(tile, request.get("view")), None, bands=shown, **how)
    if kind == "npz":
        held = io.BytesIO()
        arrays: dict[str, Any] = {name: tile[name].to_numpy() for name in names}
        np.savez_compressed(held, **arrays)
        return held.getvalue()
    return _cog(tile, names)


def _on_view(tile: xr.Dataset, view: GeoBox | None) -> xr.Dataset:
    """Bring what is drawn onto the map's grid."""
    if view is None:
        return tile
    from geotoolz.grid import MatchGrid

    spec = TileSpec.of(tile)
    flat = [name for name, one in spec.variables.items() if one.dims == ("y", "x")]
    colours = any(is_picture(spec.variables[name]) for name in flat)
    bare = {n: 0.0 for n in flat if spec.variables[n].dtype.kind in "iu" and spec.variables[n].nodata is None}
    return MatchGrid.like(view, "nearest" if colours else "bilinear", bare or None)(tile[flat])


def _cog(tile: xr.Dataset, names: tuple[str, ...]) -> bytes:
    from geotoolz.io import WriteCOG

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "result.tif")
        WriteCOG(str(path), bands=names, style=None).write(tile, created=names)
        return path.read_bytes()
