"""What is truly at places of a map, counted against what the map says there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.core import ParameterError, TileError, TileSpec, nearest
from geotoolz.core._lazy import xr
from geotoolz.learn._classes import flag_names
from geotoolz.learn._map_sample import classes_of, values_of

if TYPE_CHECKING:
    import geopandas as gpd

    from geotoolz.metrics import ConfusionCounts

Array = np.ndarray[Any, Any]


def counted(
    tile: xr.Dataset, points: gpd.GeoDataFrame, truth: str = "truth", name: str = "label"
) -> ConfusionCounts:
    """Count what is truly at places of a map against what the map says there.

    Parameters
    ----------
    tile : xarray.Dataset
        The map.
    points : geopandas.GeoDataFrame
        Places in any CRS, as `sample_map` drew them.
    truth : str
        Column with the true class, as its number or by its name; places where it is empty are left out.
    name : str
        The variable with the classes.

    Returns
    -------
    geotoolz.metrics.ConfusionCounts
        Rows are true classes, columns mapped ones; classes of the map that no place has are among them.

    Raises
    ------
    ParameterError
        If the column is missing or empty, or a class is not known.
    TileError
        If a place lies outside the map, or where it has no class.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.learn import sample_map
    >>> from geotoolz.learn._map_counts import counted
    >>> tile = simulate_scene((40, 40), bands=("red", "scl"), cloud_cover=0)
    >>> points = sample_map(tile, {4: 5}, "scl")
    >>> points["truth"] = points["mapped_name"]
    >>> counted(tile, points, "truth", "scl").n
    5
    """
    from geotoolz.metrics import ConfusionCounts

    values, spec, found = values_of(tile, name)
    names = flag_names(spec.variables[found].attrs)
    known = (
        points[points[truth].notna() & (points[truth].astype(str) != "")] if truth in points else points[:0]
    )
    if not len(known):
        have = ", ".join(map(str, points.columns))
        raise ParameterError(
            f"the places say nothing in the column {truth!r}; they have {have}", expected="the true classes"
        )
    mapped = _at(values, spec, known)
    true = np.array([_code(value, names) for value in known[truth]], np.int64)
    nodata = spec.variables[found].nodata_scalar
    if (mapped == nodata).any():
        raise TileError(
            f"{int((mapped == nodata).sum())} places lie where the map has no class", expected="none"
        )
    codes, _, legend = classes_of(tile, name)
    classes = sorted({*codes, *legend, *true.tolist()})
    place = {code: number for number, code in enumerate(classes)}
    counts = np.zeros((len(classes), len(classes)), np.int64)
    np.add.at(counts, ([place[int(t)] for t in true], [place[int(m)] for m in mapped]), 1)
    used = [i for i, code in enumerate(classes) if code in codes or counts[i].any() or counts[:, i].any()]
    return ConfusionCounts(
        tuple(classes[i] for i in used),
        tuple(tuple(int(counts[i, j]) for j in used) for i in used),
        tuple(names.get(classes[i], str(classes[i])) for i in used),
    )


def _code(value: Any, names: Mapping[int, str]) -> int:
    """Return the number of a class that is given by number or by name."""
    by_name = {name: code for code, name in names.items()}
    if str(value) in by_name:
        return by_name[str(value)]
    try:
        number = float(value)
    except ValueError:
        number = np.nan
    if number != number or number != int(number):
        raise ParameterError(
            f"the class {value!r}{nearest(str(value), by_name)}",
            expected=", ".join(by_name) or "a whole number",
        )
    return int(number)


def _at(values: Array, spec: TileSpec, points: gpd.GeoDataFrame) -> Array:
    """Return the map's classes under places."""
    box = spec.window_geobox or spec.require_geobox("the assessment")
    here = points.to_crs(str(box.crs)) if points.crs is not None else points
    x, y, back = here.geometry.x.to_numpy(), here.geometry.y.to_numpy(), ~box.affine
    cols, rows = back.a * x + back.b * y + back.c, back.d * x + back.e * y + back.f
    height, width = spec.shape
    row, col = np.floor(rows).astype(np.int64), np.floor(cols).astype(np.int64)
    outside = (row < 0) | (col < 0) | (row >= height) | (col >= width)
    if outside.any():
        raise TileError(f"{int(outside.sum())} places lie outside the map", expected="places of this map")
    found: Array = values[row * width + col].astype(np.int64)
    return found
