"""What the sandbox's process does with a request: plan a stranger's pipeline, and run it."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.core import (
    ConfigError,
    Extent,
    Operator,
    ParameterError,
    Program,
    Sequential,
    TileSpec,
    compile,
    is_flags,
    load_sandboxed,
)
from geotoolz.core._registry import load_entry_points
from geotoolz.serve._outputs import picture, plain
from geotoolz.serve._sandbox_view import view_on
from geotoolz.serve._statistics_api import _numbers as numbers_of
from geotoolz.viz import ColorBar, colormap_table
from geotoolz.viz._checks import is_picture
from geotoolz.viz._picture import View, _percentiles, choose, look_of, plane_of

if TYPE_CHECKING:
    import xarray as xr
    from odc.geo.geobox import GeoBox

_BESIDE = 2  # pixels


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
        ``do``: ``check`` (text, and a TileSpec if it is checked against bands), ``plan`` (text, and what is
        looked at of which TileSpec: which bands and pixels are needed), ``run`` (text and a tile of those).

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
        if "spec" in request:
            _chosen(compile(op, request["spec"]), request.get("bands"))
        return facts, b""
    spec = request["spec"]
    names = _chosen(compile(op, spec), request.get("bands"))
    # a picture is resampled, for which it needs the pixels beside it
    margin = _BESIDE if request["view"] is not None and request["format"] == "png" else 0
    view = view_on(op, spec, names, Extent(*request["window"]), request["bounds"], margin)
    facts["inputs"] = list(view.program.inputs)
    if request["do"] == "plan":
        return {**facts, "read": list(view.needed(request["max_pixels"]))}, b""
    tile, statistics = view.run(request["tile"], Extent(*request["read"]))
    facts |= {"shape": [tile.sizes["y"], tile.sizes["x"]], "variables": list(names)}
    return facts, _encoded(request, tile, names, statistics, facts)


def _steps(op: Operator) -> list[str]:
    return [type(step).__name__ for step in (op.operators if isinstance(op, Sequential) else (op,))]


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
        told = {**facts, "variables": numbers, "statistics": dict(statistics)}
        return json.dumps(plain({**told, **_legend(request, tile)})).encode()
    if not names:
        raise ParameterError("the pipeline makes no variables", fix="ask for format json")
    if kind == "png":
        how = {"cmap": request.get("colormap")}
        shown = None if request.get("bands") is None else list(names)
        seen = _on_view(tile, request.get("view"))
        limits = request.get("rescale") or _limits_of(request, seen, shown)
        if limits:
            facts["rescale"] = how["vmin"], how["vmax"] = limits
        return picture(seen, None, bands=shown, **how)
    if kind == "npz":
        held = io.BytesIO()
        arrays: dict[str, Any] = {name: tile[name].to_numpy() for name in names}
        np.savez_compressed(held, **arrays)
        return held.getvalue()
    return _cog(tile, names)


def _limits_of(
    request: Mapping[str, Any], tile: xr.Dataset, shown: list[str] | None
) -> tuple[float, float] | None:
    """Return percentiles 2 and 98 of the one variable that is drawn; None for colours that are no ramp."""
    drawn = choose(tile, shown)
    variable = TileSpec.of(tile).variables[drawn[0]]
    classes = is_flags(drawn[0], variable) and request.get("colormap") is None
    if len(drawn) > 1 or classes or is_picture(variable):
        return None
    low, high = _percentiles(plane_of(tile, drawn[0], View(drawn)), variable.nodata_scalar)
    return (low, high) if low < high else (low, low + 1.0)


def _legend(request: Mapping[str, Any], tile: xr.Dataset) -> dict[str, Any]:
    """Return the legend of a picture with these limits, for a request that gives some."""
    flat = [str(name) for name, one in tile.data_vars.items() if one.dims == ("y", "x")]
    if not request.get("rescale") or not flat:
        return {}
    shown = request.get("bands")
    drawn = choose(tile[flat], shown)
    if len(drawn) > 1:
        return {}
    spec = TileSpec.of(tile)
    table = colormap_table(request.get("colormap") or look_of(spec.variables[drawn[0]])[0])
    low, high = request["rescale"]
    return {"legend": ColorBar.of(drawn[0], low, high, table, spec).to_dict()}


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
