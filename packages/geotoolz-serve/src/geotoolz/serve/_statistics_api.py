"""Numbers of what a layer shows: counts, moments, percentiles, histogram, shares of classes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from geotoolz.core import Extent, VarSpec, is_flags
from geotoolz.serve._blocks import Array
from geotoolz.serve._errors import Problem
from geotoolz.serve._layer import Bounds, Layer
from geotoolz.serve._mosaic import Mosaic
from geotoolz.serve._point import class_names
from geotoolz.serve._render_grid import EDGE, WEB, Target
from geotoolz.serve._render_scene import Scene

MOST_PIXELS = 1 << 20
_PERCENTILES = (2, 25, 50, 75, 98)
_BINS = 64
_MOST_CLASSES = 256


def statistics(layer: Layer, bounds: Bounds | None = None, time: str | None = None) -> dict[str, Any]:
    """Return statistics of the variables that a layer draws, over an area.

    Of a single scene at the finest level at which the area has no more than `MOST_PIXELS` pixels, on the
    scene's own grid; ``pixel_size`` says which. Of a catalog on a web-mercator grid of that many pixels.

    Parameters
    ----------
    layer : Layer
        Of which layer.
    bounds : tuple of float, optional
        West, south, east, north in degrees; all of the layer by default.
    time : str, optional
        Interval of a catalog.

    Returns
    -------
    dict
        ``variables``: by name ``count``, ``valid``, and either ``classes`` or ``min``, ``max``, ``mean``,
        ``std``, ``percentiles`` and ``histogram`` (``counts``, ``edges``).

    Raises
    ------
    Problem
        404 outside of the layer.
    """
    wanted = layer.bounds if bounds is None else bounds
    if isinstance(layer.content, Mosaic):
        arrays, pixel, inside = _of_mosaic(layer, wanted, time)
    else:
        arrays, pixel = _of_scene(layer.content, wanted)
        inside = None
    variables = {}
    for name, array in arrays.items():
        spec = layer.output.variables[name]
        variables[name] = _numbers(array, inside, name, spec)
    return {
        "layer": layer.name,
        "config_hash": layer.config_hash,
        "bbox": list(wanted),
        "pixel_size": pixel,
        "variables": variables,
    }


def _of_scene(scene: Scene, bounds: Bounds) -> tuple[dict[str, Array], float]:
    outside = Problem("the area lies outside of the layer", status=404, code="outside")
    for stage in scene.stages:
        window = _window(stage.output.require_geobox("statistics"), bounds).clipped(stage.output.shape)
        if 0 in window.shape:
            raise outside
        if math.prod(window.shape) <= MOST_PIXELS or stage is scene.stages[-1]:
            break
    if math.prod(window.shape) > 16 * MOST_PIXELS:
        raise Problem(
            "the area has too many pixels at the coarsest resolution of the source",
            status=413,
            code="too_large",
            fix="ask for a smaller bbox",
        )
    size = math.sqrt(abs(stage.output.require_geobox("statistics").affine.determinant))
    return stage.values(scene.style.bands, window), size


def _window(grid: Any, bounds: Bounds) -> Extent:
    """Return the pixels of a grid that an area in degrees touches."""
    from affine import Affine
    from odc.geo.geobox import GeoBox

    from geotoolz.grid._positions import Positions

    west, south, east, north = bounds
    area = GeoBox((1, 1), Affine(east - west, 0.0, west, 0.0, south - north, north), "EPSG:4326")
    along = np.linspace(0.0, 1.0, 17)
    rows, cols = Positions(grid, area).exact(along, along)
    has = np.isfinite(rows) & np.isfinite(cols)
    if not has.any():
        return Extent(0, 0, 0, 0)
    low_r, low_c = (math.floor(float(a[has].min())) for a in (rows, cols))
    high_r, high_c = (math.ceil(float(a[has].max())) for a in (rows, cols))
    return Extent(low_r, max(high_r, low_r + 1), low_c, max(high_c, low_c + 1))


def _of_mosaic(
    layer: Layer, bounds: Bounds, time: str | None
) -> tuple[dict[str, Array], float, Array | None]:
    west, south, east, north = web_metres(bounds)
    target: Target = layer.bbox_target((west, south, east, north), WEB, math.isqrt(MOST_PIXELS))
    found = layer.warped(target, time)
    if found is None:
        raise layer.nothing_here("scene in this area", time)
    return dict(found.arrays), abs(float(target.grid.affine.a)), found.inside


def web_metres(bounds: Bounds) -> Bounds:
    """Return an area in degrees in web-mercator metres."""
    west, south, east, north = bounds
    low, high = (EDGE / math.pi * math.asinh(math.tan(math.radians(v))) for v in (south, north))
    return west / 180 * EDGE, low, east / 180 * EDGE, high


def _numbers(array: Array, inside: Array | None, name: str, spec: VarSpec) -> dict[str, Any]:
    """Return the statistics of one variable."""
    has = np.ones(array.shape, np.bool_) if inside is None else inside.copy()
    if array.dtype.kind == "f":
        has &= np.isfinite(array)
    if spec.nodata is not None and spec.nodata == spec.nodata:
        has &= array != spec.nodata
    values = array[has]
    told: dict[str, Any] = {"count": int(array.size), "valid": int(values.size)}
    if spec.attrs.get("units"):
        told["units"] = str(spec.attrs["units"])
    if is_flags(name, spec):
        names = class_names(spec)
        found, counts = np.unique(values, return_counts=True)
        order = np.argsort(-counts, kind="stable")[:_MOST_CLASSES]
        told["classes"] = [
            {"value": found[i].item(), "name": names.get(found[i].item()), "count": int(counts[i])}
            for i in order
        ]
        return told
    if not values.size:
        return told
    wide = values.astype(np.float64)
    low, high = float(wide.min()), float(wide.max())
    counts, edges = np.histogram(wide, _BINS, (low, high) if low < high else (low - 0.5, high + 0.5))
    found = np.percentile(wide, _PERCENTILES)
    told |= {
        "min": low,
        "max": high,
        "mean": float(wide.mean()),
        "std": float(wide.std()),
        "percentiles": {str(p): float(v) for p, v in zip(_PERCENTILES, found, strict=True)},
        "histogram": {"counts": counts.tolist(), "edges": edges.tolist()},
    }
    return told
