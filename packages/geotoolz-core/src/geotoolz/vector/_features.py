"""Zones and points as tables of geometries, and their places on a grid."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.core import (
    MissingCRSError,
    MissingDependencyError,
    MissingVariableError,
    OutsideError,
    ParameterError,
    nearest,
)
from geotoolz.io import Area, AreaWarning
from geotoolz.io._features import read_features, usable_rows

if TYPE_CHECKING:
    import geopandas as gpd
    from odc.geo.crs import CRS
    from odc.geo.geobox import GeoBox

Array = np.ndarray[Any, Any]
LONLAT = "EPSG:4326"
# Edges are cut into pieces this long before they are transformed: they bend by less than 2 cm between.
_METRES, _DEGREES = 1000.0, 0.01
_AXES = (("longitude", "latitude"), ("lon", "lat"), ("x", "y"))


def need_geopandas() -> Any:
    """Return geopandas, or say how to get it."""
    try:
        import geopandas
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"tables of geometries need the module {error.name!r}", fix="pip install 'geotoolz-core[vector]'"
        ) from error
    return geopandas


def zones_of(value: Any, layer: str | None = None) -> gpd.GeoDataFrame:
    """Return polygons as a table: a file's or a GeoDataFrame's rows, or an area as a single row.

    Raises
    ------
    ParameterError
        If something in it is no polygon.

    Warns
    -----
    AreaWarning
        Where outlines cross themselves: they are repaired.
    """
    frame = features_of(value, layer)
    wrong = ~frame.geometry.geom_type.isin(["Polygon", "MultiPolygon"]).to_numpy(bool)
    if wrong.any():
        raise ParameterError(
            f"{int(wrong.sum())} of {len(frame)} zones are no polygons, such as a "
            f"{frame.geometry.geom_type[wrong].iloc[0]}",
            expected="polygons",
            fix="point_series reads points; buffer them for a zone around each",
        )
    broken = ~frame.geometry.is_valid.to_numpy(bool)
    if broken.any():
        warnings.warn(
            f"{int(broken.sum())} of {len(frame)} zones cross themselves: repaired", AreaWarning, stacklevel=3
        )
        frame = frame.set_geometry(frame.geometry.where(~broken, frame.geometry.make_valid()))
    return frame


def points_of(value: Any, layer: str | None = None) -> gpd.GeoDataFrame:
    """Return points as a table: a file (CSV with longitude and latitude too), a GeoDataFrame, pairs.

    Raises
    ------
    ParameterError
        If something in it is no point.
    """
    geopandas = need_geopandas()
    if isinstance(value, str | os.PathLike) and os.fspath(value).lower().endswith(".csv"):
        value = _of_csv(os.fspath(value))
    elif isinstance(value, Sequence | np.ndarray) and not isinstance(value, str):
        pairs = np.asarray(value, float)
        if pairs.ndim != 2 or pairs.shape[1] != 2:
            raise ParameterError(f"points have the shape {pairs.shape}", expected="(n, 2): lon, lat")
        value = geopandas.GeoDataFrame(geometry=geopandas.points_from_xy(*pairs.T), crs=LONLAT)
    frame = features_of(value, layer)
    wrong = (frame.geometry.geom_type != "Point").to_numpy(bool)
    if wrong.any():
        raise ParameterError(
            f"{int(wrong.sum())} of {len(frame)} features are no points, such as a "
            f"{frame.geometry.geom_type[wrong].iloc[0]}",
            expected="points",
            fix="zonal_statistics takes polygons",
        )
    return frame


def _of_csv(path: str) -> gpd.GeoDataFrame:
    import pandas as pd

    from geotoolz.core import ReadError

    geopandas = need_geopandas()
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise ReadError(f"{path} cannot be read: {error}", expected="a CSV file with points") from error
    for lon, lat in _AXES:
        if lon in table and lat in table:
            return geopandas.GeoDataFrame(
                table, geometry=geopandas.points_from_xy(table[lon], table[lat]), crs=LONLAT
            )
    raise MissingVariableError(
        f"{path} has the columns {', '.join(map(str, table.columns))}", expected="longitude and latitude"
    )


def features_of(value: Any, layer: str | None = None) -> gpd.GeoDataFrame:
    """Return features of any kind as a table with a CRS; those without a geometry are left out.

    Raises
    ------
    ParameterError
        If it holds no geometry, or a layer is named for what is no file.
    MissingCRSError
        If it does not say its CRS.
    """
    geopandas = need_geopandas()
    if isinstance(value, str | os.PathLike):
        from geotoolz.io._mgrs import is_tile_id

        text = os.fspath(value)
        if not is_tile_id(text) and not text.lstrip().startswith("{"):
            return read_features(text, layer)
    if layer is not None:
        raise ParameterError(f"layer={layer!r} for {type(value).__name__}", expected="a vector file")
    if isinstance(value, geopandas.GeoSeries):
        value = geopandas.GeoDataFrame(geometry=value)
    elif isinstance(value, Mapping) and value.get("type") == "FeatureCollection" and "crs" not in value:
        value = geopandas.GeoDataFrame.from_features(value["features"], crs=LONLAT)
    elif not isinstance(value, geopandas.GeoDataFrame):
        area = Area.of(value)
        value = geopandas.GeoDataFrame(geometry=[area.geometry], crs=str(area.crs))
    if value.crs is None:
        raise MissingCRSError("the GeoDataFrame has no CRS", fix="gdf.set_crs('EPSG:…')")
    usable = usable_rows(value)
    if not usable.any():
        raise ParameterError("the table holds no geometry", expected="at least one that is not empty")
    return value[usable]


def area_of(frame: gpd.GeoDataFrame) -> Area:
    """Return the convex hull of all features' bounding boxes: where they are, at little price."""
    import shapely

    boxes = shapely.bounds(np.asarray(frame.geometry.values, object))
    corners = np.concatenate([boxes[:, columns] for columns in ([0, 1], [0, 3], [2, 1], [2, 3])])
    return Area.of(shapely.convex_hull(shapely.multipoints(corners)), crs=frame.crs)


def columns_of(frame: gpd.GeoDataFrame, names: Sequence[str] | str | None) -> list[str]:
    """Return the columns to take along.

    Raises
    ------
    MissingVariableError
        With the nearest name, if there is no such column.
    """
    have = [str(name) for name in frame.columns if name != frame.geometry.name]
    for name in (wanted := [names] if isinstance(names, str) else list(names or ())):
        if name not in have:
            raise MissingVariableError(
                f"the features have no column {name!r}{nearest(name, have)}",
                expected=", ".join(have) or "none",
            )
    return wanted


def shapes_in(frame: gpd.GeoDataFrame, crs: CRS) -> Array:
    """Return the geometries in a grid's reference system, long edges densified.

    Raises
    ------
    OutsideError
        If none has a place there; those that have none become empty.
    """
    import shapely
    from odc.geo.crs import CRS

    own = CRS(frame.crs)
    shapes = shapely.force_2d(np.asarray(frame.geometry.values, object))
    if own == crs:
        return np.asarray(shapes, object)
    if (shapely.get_dimensions(shapes) > 0).any():
        shapes = shapely.segmentize(shapes, _DEGREES if own.geographic else _METRES)
    turn = own.transformer_to_crs(crs)
    moved = shapely.transform(shapes, lambda xy: np.column_stack(turn(xy[:, 0], xy[:, 1])))
    lost = ~np.isfinite(shapely.bounds(moved)).all(axis=1)
    if lost.all():
        raise OutsideError(f"the features have no place in {crs}", expected="features near the scene")
    moved[lost] = shapely.Polygon()
    return np.asarray(moved, object)


def nowhere_in(frame: gpd.GeoDataFrame, catalog: Any, what: str) -> OutsideError:
    """Return the error for features that touch no scene of a catalog."""
    from geotoolz.catalog._elsewhere import probably_meant, within

    if not len(catalog):
        return OutsideError("the catalog is empty", expected="at least one scene")
    area = area_of(frame)
    return OutsideError(
        f"none of {len(frame)} {what} within {tuple(round(v, 6) for v in area.bounds)} touches a scene",
        expected=f"{what} within {within(catalog)} (longitude, latitude)",
        fix=probably_meant(catalog, area) or "mind the CRS",
    )


def nowhere_near(frame: gpd.GeoDataFrame, grid: GeoBox, what: str) -> OutsideError:
    """Return the error for features that do not touch a tile."""
    area = area_of(frame)
    place = grid.boundingbox
    bounds = tuple(round(v, 6) for v in area.bounds)
    return OutsideError(
        f"none of {len(frame)} {what} within {bounds} touches the tile",
        expected=f"{what} within {tuple(round(v, 6) for v in place.bbox)} ({grid.crs})",
        fix=area.elsewhere(place) or "mind the CRS",
    )
