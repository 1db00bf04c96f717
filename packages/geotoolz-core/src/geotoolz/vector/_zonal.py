"""Statistics of zones with partial pixels, by exactextract."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.core import Extent, MissingDependencyError, Operator, ParameterError, nearest
from geotoolz.io import AreaWarning
from geotoolz.vector._features import (
    area_of,
    columns_of,
    nowhere_in,
    nowhere_near,
    shapes_in,
    zones_of,
)
from geotoolz.vector._view import OpenTile, View, is_catalog, open_tiles, pixel_extent

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd
    from odc.geo.geobox import GeoBox

Array = np.ndarray[Any, Any]
Names = Sequence[str] | str | None

STATISTICS = (
    "count", "sum", "mean", "median", "min", "max", "stdev", "variance", "coefficient_of_variation",
    "majority", "minority", "variety", "mode", "quantile(q=…)", "unique", "frac",
    "weighted_mean", "weighted_sum", "weighted_stdev", "weighted_variance", "weighted_frac",
)  # fmt: skip
_QUANTILE = re.compile(r"quantile\(q=0?\.\d+\)")
_MOST = 64 * 2**20  # values that are read at once, of all variables together; beyond, zone by zone


def zonal_statistics(
    source: Any,
    zones: Any,
    stats: Names = ("mean", "count"),
    bands: Names = None,
    *,
    op: Operator | None = None,
    weights: str | None = None,
    include_cols: Names = None,
    layer: str | None = None,
    read: Mapping[str, Any] | None = None,
) -> gpd.GeoDataFrame:
    """Return statistics of pixels in zones; a pixel on an edge counts by the share that lies inside.

    Parameters
    ----------
    source : Dataset, GeoCatalog, GeoSlice, or what `open_tile` takes
        A tile, a stack, a scene on disk (only the pixels around the zones are read), or a catalog (only
        scenes that touch the zones are opened).
    zones : path, GeoDataFrame, or what `Area.of` takes
        Polygons in any CRS; they are brought into that of the grid, long edges densified.
    stats : sequence of str
        ``"mean"``, ``"count"`` (sum of pixel shares), ``"sum"``, ``"min"``, ``"max"``, ``"stdev"``,
        ``"median"``, ``"quantile(q=0.9)"``, ``"majority"``, ``"variety"``, ``"frac"`` (a list of shares by
        value, in the order of ``"unique"``), ``"weighted_mean"``, …
    bands : sequence of str, optional
        Variables, by name or role; by default what `op` creates, or all measurements.
    op : Operator, optional
        A pipeline to see the tile through.
    weights : str, optional
        Variable that the ``weighted_…`` statistics weigh pixels by.
    include_cols : sequence of str, optional
        Columns of the zones to take along.
    layer : str, optional
        Layer of a file that has several.
    read : mapping, optional
        Further arguments of `open_tile`.

    Returns
    -------
    geopandas.GeoDataFrame
        One row per zone and tile (and date of a stack), ordered by zone, time and tile: ``zone`` (its
        index), the included columns, ``tile_id``, ``datetime``, ``covered`` (share of the zone on the
        tile), ``{band}_{stat}``, the zone's geometry in its own CRS. No-data and NaN count nowhere:
        without a valid pixel the count is 0 and the mean NaN. ``to_parquet`` writes GeoParquet.

    Raises
    ------
    ParameterError
        For an unknown statistic, weights without a weighted statistic, or zones that are no polygons.
    OutsideError
        If no zone touches the tile, or no scene of the catalog.
    MissingDependencyError
        If exactextract is not installed.

    Warns
    -----
    AreaWarning
        If some zones lie on no scene: they have no row.

    Notes
    -----
    Sums run over the pixels of a zone in exactextract's order; they do not depend on how a scene was read.

    References
    ----------
    Baston, D. (2024). exactextract: fast and accurate summary of raster values in polygons.
    https://github.com/isciences/exactextract

    Examples
    --------
    >>> from geotoolz.core import geobox_of
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.vector import zonal_statistics
    >>> tile = simulate_scene((40, 60), bands=("red", "nir"), cloud_cover=0)
    >>> field = geobox_of(tile)[10:20, 20:40]
    >>> zonal_statistics(tile, field, ("count",), "red").red_count.tolist()
    [200.0]
    """
    frame = zones_of(zones, layer)
    operations = checked_statistics(stats, weights)
    kept = columns_of(frame, include_cols)
    wanted = [bands] if isinstance(bands, str) else None if bands is None else list(bands)
    needed = None if op is not None or wanted is None else [*wanted, *([weights] if weights else [])]
    many = is_catalog(source)
    projected: dict[str, Array] = {}
    parts = []
    for tile in open_tiles(source, area_of(frame), needed, read):
        view = _view(tile, op, wanted, weights)
        crs = str(view.crs)
        if crs not in projected:
            projected[crs] = shapes_in(frame, view.crs)
        part = _of_tile(view, projected[crs], operations, weights, only_touched=many)
        if part is not None:
            parts.append(part)
        elif not many:
            raise nowhere_near(frame, view.geobox, "zones")
    if not parts:
        raise nowhere_in(frame, source, "zones")
    return _table(frame, kept, parts)


def checked_statistics(stats: Names, weights: str | None) -> list[str]:
    """Return the statistics as exactextract spells them.

    Raises
    ------
    ParameterError
        With the nearest name, for one that is unknown.
    """
    asked = [stats] if isinstance(stats, str) else list(stats or ())
    if not asked:
        raise ParameterError("stats is empty", expected="at least one of " + ", ".join(STATISTICS))
    for name in asked:
        if name not in STATISTICS and not _QUANTILE.fullmatch(name):
            raise ParameterError(
                f"there is no statistic {name!r}{nearest(name, STATISTICS)}", expected=", ".join(STATISTICS)
            )
    weighted = [name for name in asked if name.startswith("weighted_")]
    if bool(weighted) != (weights is not None):
        raise ParameterError(
            f"{weighted[0]} without weights"
            if weighted
            else f"weights={weights!r} and no weighted statistic",
            expected="both or none",
            fix="weights='variable'" if weighted else "ask for weighted_mean",
        )
    return asked


def _view(tile: OpenTile, op: Operator | None, bands: list[str] | None, weights: str | None) -> View:
    """Return the variables and, last, the weights."""
    view = View(tile, op, bands, True, "zonal_statistics")
    if weights is None:
        return view
    name = view.spec.find(weights, "zonal_statistics")
    names = [other for other in view.names if other != name]
    return View(tile, op, [*names, name], True, "zonal_statistics")


def _of_tile(
    view: View, shapes: Array, operations: list[str], weights: str | None, only_touched: bool
) -> dict[str, Any] | None:
    """Return positions of zones, shares, dates and statistics on one tile; None where no zone touches it."""
    import shapely

    grid = view.geobox
    ground = shapely.box(*grid.boundingbox.bbox)
    shapely.prepare(ground)
    touched = shapely.intersects(ground, shapes)
    extent = pixel_extent(shapely.total_bounds(shapes[touched]), grid) if touched.any() else None
    if extent is None:
        return None
    chosen = np.flatnonzero(touched) if only_touched else np.arange(len(shapes))
    covered = _shares(ground, shapes[chosen])
    weight = view.names[-1] if weights is not None else None
    bands = [name for name in view.names if name != weight]
    times = view.spec.coords["time"].values if "time" in view.spec.sizes else [None]
    tables = [
        _extract(view, extent, shapes[chosen], operations, bands, weight, None if when is None else k)
        for k, when in enumerate(times)
    ]
    facts = {"tile_id": view.tile.tile_id, "moment": view.tile.moment, "times": times}
    return {"chosen": chosen, "covered": covered, "tables": tables, **facts}


def _shares(ground: Any, shapes: Array) -> Array:
    """Return how much of every zone lies on the tile."""
    import shapely

    shares = shapely.covers(ground, shapes).astype(float)
    for k in np.flatnonzero(shares == 0):
        area = shapely.area(shapes[k])
        shares[k] = shapely.area(shapely.intersection(ground, shapes[k])) / area if area > 0 else 0.0
    return shares


def _extract(
    view: View,
    extent: Extent,
    shapes: Array,
    operations: list[str],
    bands: list[str],
    weight: str | None,
    date: int | None,
) -> pd.DataFrame:
    """Let exactextract do one date of one tile; columns are called ``{band}_{stat}``."""
    import geopandas

    try:
        from exactextract import exact_extract
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            "zonal statistics need the module 'exactextract'", fix="pip install 'geotoolz-core[vector]'"
        ) from error
    from geotoolz.vector._rasters import raster_sources

    values = extent.shape[0] * extent.shape[1] * len(view.names)
    sources = raster_sources(view, extent, date, lazy=values > _MOST)
    rasters = [sources[name] for name in bands]
    frame = geopandas.GeoDataFrame(geometry=shapes, crs=str(view.crs))
    found: pd.DataFrame = exact_extract(
        rasters,
        frame,
        operations,
        weights=None if weight is None else sources[weight],
        output="pandas",
        max_cells_in_memory=_MOST,
    )
    return _renamed(found, bands, weight)


def _renamed(found: pd.DataFrame, bands: list[str], weight: str | None) -> pd.DataFrame:
    """Return exactextract's columns as ``{band}_{stat}``, band by band instead of statistic by statistic."""
    names = {}
    for column in map(str, found.columns):
        plain = column if weight is None else column.replace(f"{weight}_weighted_", "weighted_", 1)
        # of a single raster it names the statistic alone, but for weighted ones
        single = len(bands) == 1 and (weight is None or not plain.startswith(f"{bands[0]}_"))
        names[column] = f"{bands[0]}_{plain}" if single else plain
    ordered = [column for k in range(len(bands)) for column in found.columns[k :: len(bands)]]
    return found[ordered].rename(columns=names)


def _table(frame: gpd.GeoDataFrame, kept: list[str], parts: list[dict[str, Any]]) -> gpd.GeoDataFrame:
    """Return all tiles below each other, ordered by zone, time and tile."""
    import geopandas
    import pandas as pd

    rows = []
    for part in parts:
        own = frame.iloc[part["chosen"]]
        for when, table in zip(part["times"], part["tables"], strict=True):
            moment = part["moment"] if when is None else pd.Timestamp(when, tz="UTC")
            head = pd.DataFrame({"~position": part["chosen"], "zone": own.index.to_numpy()})
            for name in kept:
                head[name] = own[name].to_numpy()
            head["tile_id"] = part["tile_id"]
            head["datetime"] = pd.Series([moment] * len(own), dtype="datetime64[us, UTC]")
            head["covered"] = part["covered"]
            body = pd.concat([head, table.reset_index(drop=True)], axis=1)
            rows.append(geopandas.GeoDataFrame(body, geometry=own.geometry.to_numpy(), crs=frame.crs))
    out = pd.concat(rows, ignore_index=True)
    out = out.sort_values(["~position", "datetime", "tile_id"], kind="stable", ignore_index=True)
    del out["~position"]
    _say_missing(frame, out["zone"])
    return geopandas.GeoDataFrame(out, geometry="geometry", crs=frame.crs)


def grid_bounds(grid: GeoBox, extent: Extent) -> tuple[float, float, float, float]:
    """Return left, bottom, right, top of some pixels of a grid."""
    a = grid.affine
    x = sorted((a.c + a.a * extent.x0, a.c + a.a * extent.x1))
    y = sorted((a.f + a.e * extent.y0, a.f + a.e * extent.y1))
    return (x[0], y[0], x[1], y[1])


def _say_missing(frame: gpd.GeoDataFrame, found: Any) -> None:
    """Warn of zones that have no row: one that was mistyped is not to vanish among hundreds."""
    missing = frame.index.difference(found.unique())
    if len(missing):
        named = ", ".join(str(zone) for zone in missing[:5]) + (", …" if len(missing) > 5 else "")
        warnings.warn(
            f"{len(missing)} of {len(frame)} zones lie on no scene and have no row: {named}",
            AreaWarning,
            stacklevel=3,
        )
