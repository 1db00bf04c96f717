"""Training samples: features of the pixels in polygons, or under points."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.core import Extent, MissingVariableError, Operator, OutsideError, ParameterError, nearest
from geotoolz.vector._features import (
    area_of,
    features_of,
    nowhere_in,
    nowhere_near,
    points_of,
    shapes_in,
    zones_of,
)
from geotoolz.vector._points import column, pixels_of, sampled
from geotoolz.vector._view import View, is_catalog, open_tiles, pixel_extent

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

Array = np.ndarray[Any, Any]


def sample_training(
    source: Any,
    samples: Any,
    label: str,
    *,
    op: Operator | None = None,
    bands: Sequence[str] | str | None = None,
    all_touched: bool = False,
    dropna: bool = True,
    layer: str | None = None,
    read: Mapping[str, Any] | None = None,
) -> pd.DataFrame:
    """Return the pixels of labelled polygons, or under labelled points, as rows for a classifier.

    Parameters
    ----------
    source : Dataset, GeoCatalog, GeoSlice, or what `open_tile` takes
        Where the features come from; only windows around the samples are read.
    samples : path, GeoDataFrame
        Polygons, or points, in any CRS.
    label : str
        Column of the samples that holds the class.
    op : Operator, optional
        A pipeline that makes the features.
    bands : sequence of str, optional
        Features, by name or role; by default what `op` creates, or all measurements.
    all_touched : bool
        A polygon has every pixel that it touches; by default those whose centre it covers.
    dropna : bool
        Leave pixels out that lack a feature.
    layer : str, optional
        Layer of a file that has several.
    read : mapping, optional
        Further arguments of `open_tile`.

    Returns
    -------
    pandas.DataFrame
        One row per pixel and scene: a column per feature, ``label``, ``group`` (the index of the polygon or
        point: what cross-validation must not tear apart), ``tile_id``, ``x``, ``y`` (the pixel's centre) and
        ``crs``. A pixel in several polygons belongs to the last of them. ``attrs["quantities"]`` says what
        the features hold (digital numbers, reflectance, …), where all scenes say the same.

    Raises
    ------
    MissingVariableError
        If the samples have no column `label`.
    OutsideError
        If no pixel lies in a sample.

    Notes
    -----
    Pixels of one field are alike. A cross-validation that deals pixels of one polygon to both sides tells
    too good a score: split by ``group`` (``GroupKFold`` of scikit-learn).

    Examples
    --------
    >>> import geopandas
    >>> from geotoolz.core import geobox_of
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.vector import sample_training
    >>> tile = simulate_scene((40, 60), bands=("red", "nir"), cloud_cover=0)
    >>> shapes = [geobox_of(tile)[:4, :5].extent.geom, geobox_of(tile)[20:23, 30:40].extent.geom]
    >>> fields = geopandas.GeoDataFrame({"crop": ["maize", "wheat"]}, geometry=shapes, crs=32633)
    >>> sample_training(tile, fields, "crop").groupby("label").size().to_dict()
    {'maize': 20, 'wheat': 30}
    """
    frame, points = _samples(samples, layer)
    _require_label(frame, label)
    wanted = [bands] if isinstance(bands, str) else None if bands is None else list(bands)
    many = is_catalog(source)
    tables, held = [], []
    for tile in open_tiles(source, area_of(frame), wanted if op is None else None, read):
        view = View(tile, op, wanted, True, "sample_training")
        _require_free(label, view.names)
        shapes = shapes_in(frame, view.crs)
        found = _under_points(view, shapes) if points else _in_polygons(view, frame, shapes, all_touched)
        if found is not None:
            tables.append(_table(view, frame, label, *found))
            held.append({name: view.spec.variables[name].quantity for name in view.names})
        elif not many:
            raise nowhere_near(frame, view.geobox, "samples")
    if not tables and many:
        raise nowhere_in(frame, source, "samples")
    table = _joined(tables, dropna)
    said = {name: {one.get(name) for one in held} for name in held[0]}
    table.attrs["quantities"] = {n: q for n, (q, *more) in said.items() if q is not None and not more}
    return table


def _samples(value: Any, layer: str | None) -> tuple[gpd.GeoDataFrame, bool]:
    """Return the samples, and whether they are points."""
    if isinstance(value, str | os.PathLike) and os.fspath(value).lower().endswith(".csv"):
        return points_of(value, layer), True
    frame = features_of(value, layer)
    if set(frame.geometry.geom_type) == {"Point"}:
        return frame, True
    return zones_of(frame), False


def _require_label(frame: gpd.GeoDataFrame, label: str) -> None:
    have = [str(name) for name in frame.columns if name != frame.geometry.name]
    if label not in have:
        raise MissingVariableError(
            f"the samples have no column {label!r}{nearest(label, have)}", expected=", ".join(have) or "none"
        )
    if frame[label].isna().any():
        raise ParameterError(
            f"{int(frame[label].isna().sum())} of {len(frame)} samples have no {label!r}",
            expected="a class for every sample",
            fix=f"samples.dropna(subset=[{label!r}])",
        )


def _require_free(label: str, names: Sequence[str]) -> None:
    taken = {"label", "group", "tile_id", "x", "y", "crs"} & set(names)
    if taken:
        raise ParameterError(
            f"a feature is called {', '.join(sorted(taken))!r}",
            expected="other names than label, group, tile_id, x, y, crs",
            fix="RenameBands",
        )


Found = tuple[dict[str, Array], Array, Array, Array]


def _under_points(view: View, shapes: Array) -> Found | None:
    rows, cols, held = pixels_of(shapes, view)
    return (sampled(view, rows, cols), rows, cols, held) if held.size else None


def _in_polygons(view: View, frame: gpd.GeoDataFrame, shapes: Array, all_touched: bool) -> Found | None:
    """Return the values of all pixels in polygons, in blocks of the burnt labels."""
    import shapely

    grid = view.geobox
    touched = shapely.intersects(shapely.box(*grid.boundingbox.bbox), shapes)
    extent = pixel_extent(shapely.total_bounds(shapes[touched]), grid) if touched.any() else None
    if extent is None:
        return None
    rows, cols, held = _burnt(view, shapes, extent, all_touched)
    return (sampled(view, rows, cols), rows, cols, held) if held.size else None


def _burnt(view: View, shapes: Array, extent: Extent, all_touched: bool) -> tuple[Array, Array, Array]:
    """Return rows, columns and positions of polygons, of all pixels in a polygon."""
    from geotoolz.catalog._label import BLOCK, burn_window
    from geotoolz.catalog._label_table import LabelTable, Legend

    rows, cols, held = [], [], []
    crs = str(view.crs)
    count = 65_535  # codes that a table holds
    tables = [
        (start, LabelTable(part, np.arange(1, len(part) + 1), crs, Legend((), (), 0, wide=True)))
        for start in range(0, len(shapes), count)
        for part in [shapes[start : start + count]]
    ]
    for top in range(extent.y0, extent.y1, BLOCK):
        for left in range(extent.x0, extent.x1, BLOCK):
            window = (top, left, min(BLOCK, extent.y1 - top), min(BLOCK, extent.x1 - left))
            owner = np.full(window[2:], -1, np.int64)
            for start, table in tables:
                codes = burn_window(view.geobox, table, all_touched, window).astype(np.int64)
                owner = np.where(codes > 0, codes + start - 1, owner)
            r, c = np.nonzero(owner >= 0)
            rows.append(r + top)
            cols.append(c + left)
            held.append(owner[r, c])
    return np.concatenate(rows), np.concatenate(cols), np.concatenate(held)


def _table(
    view: View,
    frame: gpd.GeoDataFrame,
    label: str,
    found: dict[str, Array],
    rows: Array,
    cols: Array,
    held: Array,
) -> pd.DataFrame:
    import pandas as pd

    from geotoolz.core._grid import crs_label

    columns: dict[str, Any] = {}
    for name, values in found.items():
        nodata = view.spec.variables[name].nodata
        if values.ndim == 1:
            columns[name] = column(values, nodata)
            continue
        for k, plane in enumerate(values.reshape(-1, values.shape[-1])):
            columns[f"{name}_{k}"] = column(plane, nodata)
    a = view.geobox.affine
    columns["label"] = frame[label].to_numpy()[held]
    columns["group"] = frame.index.to_numpy()[held]
    columns["tile_id"] = view.tile.tile_id
    columns["x"], columns["y"] = a.c + a.a * (cols + 0.5), a.f + a.e * (rows + 0.5)
    columns["crs"] = crs_label(view.geobox.crs)
    table = pd.DataFrame(columns)
    return table.iloc[np.lexsort((cols, rows, held))]


def _joined(tables: list[pd.DataFrame], dropna: bool) -> pd.DataFrame:
    import pandas as pd

    if not tables:
        raise OutsideError("no pixel lies in a sample", expected="samples over the scenes")
    out = pd.concat(tables, ignore_index=True)
    if not dropna:
        return out
    features = [name for name in out.columns if name not in ("label", "group", "tile_id", "x", "y", "crs")]
    return out.dropna(subset=features).reset_index(drop=True)
