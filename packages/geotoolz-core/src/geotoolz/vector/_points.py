"""Values at points: read in windows around them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.core import Extent, Operator
from geotoolz.vector._features import (
    area_of,
    columns_of,
    nowhere_in,
    nowhere_near,
    points_of,
    shapes_in,
)
from geotoolz.vector._view import View, is_catalog, open_tiles

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

Array = np.ndarray[Any, Any]

CELL = 512
"""Points in one cell of so many pixels, which is a block of most files, are read together."""


def point_series(
    source: Any,
    points: Any,
    op: Operator | None = None,
    bands: Sequence[str] | str | None = None,
    *,
    include_cols: Sequence[str] | str | None = None,
    layer: str | None = None,
    read: Mapping[str, Any] | None = None,
) -> gpd.GeoDataFrame:
    """Return the values of the pixels that points lie in, for every scene and date.

    Only windows around the points are read, and of the bands that lead to what is wanted. A pipeline sees
    its neighbourhoods: the values are those of the whole scene, bit for bit.

    Parameters
    ----------
    source : Dataset, GeoCatalog, GeoSlice, or what `open_tile` takes
        A tile, a stack, a scene on disk, or a catalog (only scenes that touch the points are opened).
    points : path, GeoDataFrame, or sequence of (longitude, latitude)
        A vector file, a CSV file with columns ``longitude`` and ``latitude``, or points in any CRS.
    op : Operator, optional
        A pipeline; its finite neighbourhoods are read along.
    bands : sequence of str, optional
        Variables, by name or role; by default what `op` creates, or all variables.
    include_cols : sequence of str, optional
        Columns of the points to take along.
    layer : str, optional
        Layer of a file that has several.
    read : mapping, optional
        Further arguments of `open_tile`.

    Returns
    -------
    geopandas.GeoDataFrame
        Long: one row per point and scene (and date of a stack), ordered by point and time. ``point`` (its
        index), the included columns, ``tile_id``, ``datetime``, one column per variable, the point in its
        own CRS. No-data is NaN in floats and NA in integers. Points that no scene covers have no row.
        ``to_parquet`` writes GeoParquet.

    Raises
    ------
    OutsideError
        If no point lies on the tile, or on a scene of the catalog.
    NotFrozenError
        If a step needs statistics of the whole tile.

    Examples
    --------
    >>> import geopandas
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.vector import point_series
    >>> tile = simulate_scene((40, 60), bands=("red",))
    >>> middle = geopandas.GeoSeries.from_xy([500003], [5099903], crs=32633)
    >>> found = point_series(tile, middle)
    >>> bool(found.red[0] == tile.red.sel(x=500003, y=5099903, method="nearest"))
    True
    """
    frame = points_of(points, layer)
    kept = columns_of(frame, include_cols)
    wanted = [bands] if isinstance(bands, str) else None if bands is None else list(bands)
    many = is_catalog(source)
    places: dict[str, Array] = {}
    tables = []
    for tile in open_tiles(source, area_of(frame), wanted if op is None else None, read):
        view = View(tile, op, wanted, False, "point_series")
        crs = str(view.crs)
        if crs not in places:
            places[crs] = shapes_in(frame, view.crs)
        rows, cols, held = pixels_of(places[crs], view)
        if held.size:
            tables.append(_of_tile(view, frame, kept, rows, cols, held))
        elif not many:
            raise nowhere_near(frame, view.geobox, "points")
    if not tables:
        raise nowhere_in(frame, source, "points")
    return _table(frame, tables)


def pixels_of(shapes: Array, view: View) -> tuple[Array, Array, Array]:
    """Return rows, columns and positions of the points that lie on a view's pixels."""
    import shapely

    a, (height, width) = view.geobox.affine, view.spec.shape
    x, y = shapely.get_x(shapes), shapely.get_y(shapes)
    col, row = np.floor((x - a.c) / a.a), np.floor((y - a.f) / a.e)
    held = np.flatnonzero((row >= 0) & (row < height) & (col >= 0) & (col < width))
    return row[held].astype(np.int64), col[held].astype(np.int64), held


def sampled(view: View, rows: Array, cols: Array) -> dict[str, Array]:
    """Return the values at some pixels: arrays (…, n); read cell by cell."""
    out: dict[str, Array] = {}
    cells = np.stack([rows // CELL, cols // CELL])
    for cell in np.unique(cells, axis=1).T:
        here = np.flatnonzero((cells == cell[:, None]).all(axis=0))
        r, c = rows[here], cols[here]
        part = Extent(int(r.min()), int(r.max()) + 1, int(c.min()), int(c.max()) + 1)
        for name, values in view.values(part).items():
            if name not in out:
                out[name] = np.empty((*values.shape[:-2], rows.size), values.dtype)
            out[name][..., here] = values[..., r - part.y0, c - part.x0]
    return out


def column(values: Array, nodata: Any) -> Any:
    """Return values as a column of a table: NaN for no-data in floats, NA in integers."""
    import pandas as pd

    if nodata is None or values.dtype == np.bool_:
        return values
    if values.dtype.kind == "f":
        return np.where(values == nodata, values.dtype.type(np.nan), values)
    return pd.arrays.IntegerArray(values.copy(), values == nodata)


def _of_tile(
    view: View, frame: gpd.GeoDataFrame, kept: list[str], rows: Array, cols: Array, held: Array
) -> pd.DataFrame:
    """Return the rows of one scene; a stack gives every point once per date."""
    import pandas as pd

    found = sampled(view, rows, cols)
    stacked = "time" in view.spec.sizes
    times = view.spec.coords["time"].values if stacked else np.array([None])
    count, own = len(times), frame.iloc[held]
    table = pd.DataFrame(
        {"~position": np.repeat(held, count), "point": np.repeat(own.index.to_numpy(), count)}
    )
    for name in kept:
        table[name] = np.repeat(own[name].to_numpy(), count)
    table["tile_id"] = view.tile.tile_id
    moments = (
        pd.to_datetime(np.tile(times, held.size), utc=True) if stacked else [view.tile.moment] * held.size
    )
    table["datetime"] = pd.Series(moments, dtype="datetime64[us, UTC]")
    for name, values in found.items():
        table[name] = column(_long(values, count, name, view), view.spec.variables[name].nodata)
    return table


def _long(values: Array, count: int, name: str, view: View) -> Array:
    """Return (points × dates) of one variable as one axis; one without time is the same on all dates."""
    from geotoolz.core import ParameterError

    dims = view.spec.variables[name].dims
    if dims == ("y", "x"):
        return np.repeat(values, count)
    if dims[0] == "time" and len(dims) == 3:
        return np.ascontiguousarray(values.T).reshape(-1)
    raise ParameterError(
        f"{name!r} has dims {dims}", expected="(y, x) or (time, y, x)", fix="name the variables: bands=(…)"
    )


def _table(frame: gpd.GeoDataFrame, tables: list[pd.DataFrame]) -> gpd.GeoDataFrame:
    """Return all scenes below each other, ordered by point and time."""
    import geopandas
    import pandas as pd

    out = pd.concat(tables, ignore_index=True)
    out = out.sort_values(["~position", "datetime", "tile_id"], kind="stable", ignore_index=True)
    geometry = frame.geometry.to_numpy()[out.pop("~position").to_numpy()]
    return geopandas.GeoDataFrame(out, geometry=geometry, crs=frame.crs)
