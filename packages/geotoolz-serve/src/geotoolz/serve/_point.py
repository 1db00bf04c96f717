"""One pixel at every step of the pipeline."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from geotoolz.core import Extent, GeotoolzError, Operator, Sequential, TileSpec, VarSpec, compile
from geotoolz.core._execute import Job, run_window
from geotoolz.serve._layer import Layer
from geotoolz.serve._render_grid import place_of
from geotoolz.serve._render_levels import Level, levels_of
from geotoolz.serve._render_scene import Scene

_AROUND = 1e-6  # degrees


def point(layer: Layer, lon: float, lat: float, time: str | None = None) -> dict[str, Any]:
    """Return the values of the pixel at a place, before the pipeline and after each of its steps.

    At the source's own resolution; of a catalog, of the first scene whose result is valid there.

    Parameters
    ----------
    layer : Layer
        Of whose source and pipeline.
    lon, lat : float
        Degrees.
    time : str, optional
        Interval of a catalog.

    Returns
    -------
    dict
        ``lon``, ``lat``, ``scene``, ``steps``: a list with the step's name and, for every variable, value
        (None for no-data), units, and the name of the class.

    Raises
    ------
    Problem
        404 outside of the layer.
    """
    found: dict[str, Any] | None = None
    for scene in layer.scenes_at((lon - _AROUND, lat - _AROUND, lon + _AROUND, lat + _AROUND), time):
        here = _at(scene, lon, lat)
        if here is None:
            continue
        found = found or here
        if all(here["steps"][-1]["values"][n]["value"] is not None for n in scene.style.bands):
            found = here
            break
    if found is None:
        raise layer.nothing_here("pixel at this place", time)
    return {"layer": layer.name, "lon": lon, "lat": lat, "config_hash": layer.config_hash, **found}


def _at(scene: Scene, lon: float, lat: float) -> dict[str, Any] | None:
    grid = scene.spec.require_geobox("a point")
    row, col = place_of(grid, lon, lat)
    if not (0 <= row < grid.shape[0] and 0 <= col < grid.shape[1]):
        return None
    names = [name for name, spec in scene.spec.variables.items() if spec.dims == ("y", "x")]
    level = levels_of(scene._reader, names, scene._cache)[0]
    steps = []
    for label, op in _prefixes(scene.op):
        values = _values(op, level, scene.spec, lon, lat)
        if values is not None:
            steps.append({"step": label, "values": values})
    about = {key: scene.spec.attrs.get(key) for key in ("tile_id", "datetime")}
    pixel = {"row": math.floor(row), "column": math.floor(col)}
    return {"scene": about, "pixel": pixel, "steps": steps}


def _prefixes(op: Operator) -> Iterator[tuple[str, Operator]]:
    """Yield the pipeline up to each step; the first one does nothing."""
    yield "source", Sequential(())
    steps = op.operators if isinstance(op, Sequential) else (op,)
    for n in range(1, len(steps) + 1):
        yield type(steps[n - 1]).__name__, Sequential(steps[:n])


def _values(op: Operator, level: Level, spec: TileSpec, lon: float, lat: float) -> dict[str, Any] | None:
    """Return the variables after a pipeline; None where its grid has no pixel at the place."""
    program = compile(op, spec)
    state = next(iter(program.states.values()))
    row, col = place_of(state.spec.require_geobox("a point"), lon, lat)
    y, x = math.floor(row) - state.spec.offset[0], math.floor(col) - state.spec.offset[1]
    if not (0 <= y < state.spec.shape[0] and 0 <= x < state.spec.shape[1]):
        return None
    here = Extent(y, y + 1, x, x + 1)
    flat = {name: slot for name, slot in state.slots.items() if state.spec.variables[name].dims == ("y", "x")}
    job = Job.of(program, flat.values(), (), state.spec.shape)

    def fetch(slot: int, extent: Extent) -> Any:
        return level.read(program.sources[slot][1], extent)

    made = run_window(job, fetch, here)
    values = {}
    for name, slot in flat.items():
        array = made[slot] if slot in made else fetch(slot, here)
        values[name] = _told(array[0, 0].item(), state.spec.variables[name])
    return values


def _told(value: Any, spec: VarSpec) -> dict[str, Any]:
    """Return a value with what is known of it."""
    gone = value != value or (spec.nodata is not None and value == spec.nodata)
    told: dict[str, Any] = {"value": None if gone or value in (math.inf, -math.inf) else value}
    if spec.attrs.get("units"):
        told["units"] = str(spec.attrs["units"])
    name = class_names(spec).get(value)
    if name is not None:
        told["name"] = name
    return told


def class_names(spec: VarSpec) -> Mapping[Any, str]:
    """Return the names of a variable's classes, by value; none for measurements."""
    from geotoolz.viz._classes import classes_of

    if "flag_values" not in spec.attrs:
        return {}
    try:
        return {value: name for value, name, _ in classes_of("", spec, "a point")}
    except GeotoolzError:  # bit flags: a pixel may have several
        return {}
