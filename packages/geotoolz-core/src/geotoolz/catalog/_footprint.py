"""Footprints: grids and items as longitude/latitude polygons (EPSG:4326)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from geotoolz.core._errors import CatalogError, ParameterError

if TYPE_CHECKING:
    from pyproj import Transformer
    from shapely.geometry.base import BaseGeometry

# Points per edge: a straight edge in UTM bends by less than 10 m between them over a 110 km tile.
_PER_EDGE = 21


def footprint_of_bounds(bounds: tuple[float, float, float, float], crs: str) -> BaseGeometry:
    """Return the outline of bounds in longitude and latitude.

    Edges are densified before they are projected. An outline that crosses the antimeridian is cut in two
    there, as RFC 7946 asks.

    Parameters
    ----------
    bounds : tuple of float
        Left, bottom, right, top in `crs`.
    crs : str
        The CRS.

    Raises
    ------
    CatalogError
        If the outline encloses a pole, or leaves the area where the CRS can be projected.

    Examples
    --------
    >>> footprint_of_bounds((14, 45, 15, 46), "EPSG:4326").bounds
    (14.0, 45.0, 15.0, 46.0)
    """
    import numpy as np
    from shapely.geometry import Polygon

    x, y = _ring(bounds)
    lon, lat = _to_lonlat(crs).transform(x, y)
    lon, lat = np.asarray(lon, float), np.asarray(lat, float)
    if not (np.isfinite(lon).all() and np.isfinite(lat).all()):
        raise CatalogError(
            f"bounds {bounds} of {crs} have no longitude and latitude",
            expected="bounds inside the CRS's area",
        )
    lon = np.unwrap(lon, period=360.0)
    if abs(lon[-1] - lon[0]) > 1.0:
        raise CatalogError(
            f"bounds {bounds} of {crs} enclose a pole",
            expected="a footprint that longitude and latitude can describe",
            fix="give the rows a geometry of their own (GeoCatalog.from_rows)",
        )
    return split_antimeridian(Polygon(np.column_stack([lon, lat])))


def _ring(bounds: tuple[float, float, float, float]) -> tuple[Any, Any]:
    import numpy as np

    left, bottom, right, top = bounds
    t = np.linspace(0.0, 1.0, _PER_EDGE)
    up, right_ward = bottom + (top - bottom) * t, left + (right - left) * t
    # the corners exactly: t * (b - a) + a may miss b by a bit
    up[-1], right_ward[-1] = top, right
    x = np.concatenate([right_ward, np.full(t.size, right), right_ward[::-1], np.full(t.size, left)])
    y = np.concatenate([np.full(t.size, bottom), up, np.full(t.size, top), up[::-1]])
    return x, y


@lru_cache(maxsize=256)
def _to_lonlat(crs: str) -> Transformer:
    from pyproj import Transformer

    return Transformer.from_crs(crs, "EPSG:4326", always_xy=True)


def split_antimeridian(polygon: BaseGeometry) -> BaseGeometry:
    """Cut a polygon whose longitudes run past ±180 and move the outer part back."""
    from shapely import simplify
    from shapely.affinity import translate
    from shapely.geometry import box
    from shapely.ops import unary_union

    west, south, east, north = polygon.bounds
    south, north = max(south, -90.0), min(north, 90.0)
    if west >= -180.0 and east <= 180.0 and polygon.bounds[1] >= -90.0 and polygon.bounds[3] <= 90.0:
        return simplify(polygon, 0.0)
    parts = []
    for turn in (-360.0, 0.0, 360.0):
        moved = translate(polygon, xoff=turn)
        if moved.bounds[0] < 180.0 and moved.bounds[2] > -180.0:
            parts.append(moved.intersection(box(-180.0, south, 180.0, north)))
    return unary_union(parts)


def uncrossed(geometry: BaseGeometry) -> BaseGeometry:
    """Return a footprint that crosses the antimeridian cut in two there, as RFC 7946 asks.

    Many providers write such a footprint as one polygon whose edges run around the whole globe the other way:
    an edge of more than half a turn is taken for that.

    Examples
    --------
    >>> from shapely.geometry import Polygon
    >>> [part.bounds for part in uncrossed(Polygon([(179, 0), (-179, 0), (-179, 1), (179, 1)])).geoms]
    [(-180.0, 0.0, -179.0, 1.0), (179.0, 0.0, 180.0, 1.0)]
    """
    import numpy as np
    import shapely

    west, _, east, _ = geometry.bounds
    if geometry.geom_type != "Polygon" or east - west <= 180.0:
        return geometry
    flat: Any = shapely.force_2d(geometry)
    lon = np.asarray(flat.exterior.coords)[:, 0]
    turned = np.unwrap(lon, period=360.0)
    # a ring that does not come back lies around a pole, and one without a long edge is as wide as it says
    if abs(turned[-1] - turned[0]) > 1.0 or not (np.abs(np.diff(lon)) > 180.0).any():
        return geometry
    ring = np.column_stack([turned, np.asarray(flat.exterior.coords)[:, 1]])
    return split_antimeridian(shapely.Polygon(ring))


def bbox_geometry(bbox: object) -> BaseGeometry:
    """Return the area of a longitude/latitude box; one with west > east crosses the antimeridian.

    Raises
    ------
    ParameterError
        If it is no box in degrees.
    """
    from shapely.geometry import MultiPolygon, box

    try:
        west, south, east, north = (float(v) for v in bbox)  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        raise ParameterError(f"bbox is {bbox!r}", expected="(west, south, east, north) in degrees") from None
    inside = -180.0 <= west <= 180.0 and -180.0 <= east <= 180.0 and -90.0 <= south <= north <= 90.0
    if not inside:
        raise ParameterError(
            f"bbox is {(west, south, east, north)}",
            expected="(west, south, east, north) in degrees, south ≤ north",
            fix="project it to EPSG:4326 first" if abs(west) > 360 or abs(south) > 90 else "",
        )
    if west <= east:
        return box(west, south, east, north)
    return MultiPolygon([box(west, south, 180.0, north), box(-180.0, south, east, north)])


def as_geometry(value: object) -> BaseGeometry:
    """Return a shapely geometry in longitude and latitude from one, GeoJSON, or a GeoDataFrame.

    Raises
    ------
    ParameterError
        If it is none of these, is empty, or has coordinates that are no degrees.
    """
    from shapely.errors import ShapelyError
    from shapely.geometry import shape
    from shapely.geometry.base import BaseGeometry

    if hasattr(value, "to_crs") and hasattr(value, "union_all"):
        series: Any = value
        if series.crs is None:
            raise ParameterError("the geometries have no CRS", fix="set it with set_crs")
        value = series.to_crs("EPSG:4326").union_all()
    if isinstance(value, Mapping):
        geojson = value.get("geometry", value) if value.get("type") == "Feature" else value
        try:
            value = shape(dict(geojson))
        except (ShapelyError, KeyError, TypeError, ValueError, AttributeError) as err:
            raise ParameterError(
                f"not a GeoJSON geometry: {err}", expected="a GeoJSON geometry or feature"
            ) from err
    if not isinstance(value, BaseGeometry):
        raise ParameterError(
            f"geometry is a {type(value).__name__}", expected="shapely, GeoJSON or a GeoDataFrame"
        )
    if value.is_empty:
        raise ParameterError("the geometry is empty", expected="a geometry in longitude and latitude")
    west, south, east, north = value.bounds
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
        raise ParameterError(
            f"the geometry has bounds {value.bounds}",
            expected="degrees of longitude and latitude (EPSG:4326)",
        )
    return value


def area_geometry(value: object, catalog: object) -> BaseGeometry:
    """Return the area that `geotoolz.io.Area.of` understands, in longitude and latitude within ±180°.

    Parameters
    ----------
    value : shapely geometry, path, tile id, GeoJSON, GeoDataFrame, GeoBox or Area
        The area; a bare shapely geometry is in longitude and latitude.
    catalog : GeoCatalog
        Where the ids of tiles are looked up.
    """
    from shapely.geometry.base import BaseGeometry

    from geotoolz.io import Area

    if isinstance(value, BaseGeometry):
        return as_geometry(value)
    lonlat = Area.of(value, catalog=catalog).in_crs("EPSG:4326")
    west, _, east, _ = lonlat.bounds
    return split_antimeridian(lonlat) if west < -180 or east > 180 else lonlat
