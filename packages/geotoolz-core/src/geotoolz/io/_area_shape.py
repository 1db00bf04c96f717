"""Shapes of areas: made valid, unrolled across the antimeridian, bent into another reference system."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.core._errors import OutsideError, ParameterError

if TYPE_CHECKING:
    from odc.geo.crs import CRS
    from shapely.geometry.base import BaseGeometry

Points = np.ndarray[Any, Any]

# An edge of a kilometre bends by some centimetres between UTM and degrees, less than any pixel.
_METRES, _DEGREES = 1000.0, 0.01
_MOST = 50_000  # pieces of an outline
_LEAST = 64  # pieces along the longer side


def checked_shape(shape: BaseGeometry, crs: CRS, origin: str) -> tuple[BaseGeometry, tuple[str, ...]]:
    """Return a planar, valid geometry, and what had to be changed.

    Raises
    ------
    ParameterError
        If it is empty, or its coordinates are not what the reference system asks for.
    """
    import shapely

    if shape.is_empty:
        raise ParameterError(f"{origin} is empty", expected="a geometry")
    shape = shapely.force_2d(shape)
    if not np.isfinite(shapely.get_coordinates(shape)).all():
        raise ParameterError(f"{origin} has coordinates that are not finite")
    if crs.geographic:
        _require_degrees(shape, origin)
        shape = _unrolled(shape, origin)
    if shape.is_valid:
        return shape, ()
    reason = shapely.is_valid_reason(shape)
    repaired = _polygons(shapely.make_valid(shape)) if shape.area or "olygon" in shape.geom_type else shape
    if repaired.is_empty:
        raise ParameterError(f"{origin} is no area: {reason}", expected="an outline that encloses ground")
    return repaired, (f"{origin} crosses itself ({reason}): repaired, look whether it is what you meant",)


def _polygons(shape: BaseGeometry) -> BaseGeometry:
    """Return the parts of a geometry that have an area."""
    import shapely
    from shapely.geometry import MultiPolygon

    parts = [part for part in shapely.get_parts(shape) if part.geom_type == "Polygon"]
    parts += [
        inner for part in shapely.get_parts(shape) if part.geom_type == "MultiPolygon" for inner in part.geoms
    ]
    return parts[0] if len(parts) == 1 else MultiPolygon(parts)


def _require_degrees(shape: BaseGeometry, origin: str) -> None:
    west, south, east, north = shape.bounds
    if south < -90 or north > 90 or west < -360 or east > 540:
        looks = "metres" if max(abs(west), abs(north)) > 1000 else "latitude before longitude"
        raise ParameterError(
            f"{origin} has coordinates from ({west:g}, {south:g}) to ({east:g}, {north:g}), not degrees",
            expected="longitude and latitude, in this order",
            fix="say what they are in: Area.of(…, crs='EPSG:…')"
            if looks == "metres"
            else "swap the axes: longitude comes first",
        )


def _unrolled(shape: BaseGeometry, origin: str) -> BaseGeometry:
    """Return a geometry on both sides of the antimeridian in one piece, beyond 180°.

    Raises
    ------
    ParameterError
        If an outline jumps across the antimeridian: which side it means cannot be known.
    """
    import shapely
    from shapely.affinity import translate

    west, _, east, _ = shape.bounds
    if east - west <= 180:
        return shape
    for part in shapely.get_parts(shapely.get_parts([shape])):
        lon = shapely.get_coordinates(part)[:, 0]
        jumps = np.abs(np.diff(lon)) > 180
        ends = (np.abs(lon[:-1]) == 180) & (np.abs(lon[1:]) == 180)
        if part.geom_type == "Polygon" and (jumps & ~ends).any():
            raise ParameterError(
                f"{origin} has an edge of more than 180° of longitude",
                expected="an outline that is cut at the antimeridian (RFC 7946)",
                fix="cut it in two, or give bounds with west > east",
            )
    parts = list(shapely.get_parts(shape))
    moved = [translate(p, 360.0) if p.bounds[2] <= 0 else p for p in parts]
    low, high = min(p.bounds[0] for p in moved), max(p.bounds[2] for p in moved)
    if len(parts) < 2 or high - low >= 180:
        return shape
    return shapely.union_all(moved)


def projected(shape: BaseGeometry, source: CRS, target: CRS, origin: str) -> BaseGeometry:
    """Return a geometry in another reference system, its edges cut into pieces so that they bend.

    Raises
    ------
    OutsideError
        If a point has no place there.
    """
    import shapely

    if source == target:
        return shape
    dense = shapely.segmentize(shape, _piece(shape, source))
    turn = source.transformer_to_crs(target)

    def moved(points: Points) -> Points:
        x, y = turn(points[:, 0], points[:, 1])
        x, y = np.asarray(x, float), np.asarray(y, float)
        if not (np.isfinite(x).all() and np.isfinite(y).all()):
            raise OutsideError(f"{origin} has no place in {target}", expected="an area near the scene")
        if target.geographic and x.size:  # PROJ brings every longitude back into ±180
            near = points[:, 0] if source.geographic else x[0]
            if source.geographic or np.ptp(x) > 180:
                x = x - 360.0 * np.round((x - near) / 360.0)
        return np.column_stack([x, y])

    return shapely.transform(dense, moved)


def _piece(shape: BaseGeometry, crs: CRS) -> float:
    """Return the length of the pieces that edges are cut into."""
    left, bottom, right, top = shape.bounds
    span = max(right - left, top - bottom)
    wanted = min(span / _LEAST, _DEGREES if crs.geographic else _METRES)
    return float(max(wanted, shape.length / _MOST)) or 1.0


def geojson(shape: BaseGeometry, crs: CRS) -> dict[str, Any]:
    """Return a geometry as GeoJSON, with the old member ``crs`` unless it is in EPSG:4326."""
    out: dict[str, Any] = dict(shape.__geo_interface__)
    if crs.epsg != 4326:
        name = f"EPSG:{crs.epsg}" if crs.epsg is not None else str(crs)
        out["crs"] = {"type": "name", "properties": {"name": name}}
    return out


def crs_of(crs: Any) -> CRS:
    from odc.geo.crs import CRS
    from pyproj.exceptions import CRSError

    try:
        return crs if isinstance(crs, CRS) else CRS(crs)
    except (CRSError, ValueError, TypeError) as error:
        raise ParameterError(f"crs={crs!r} is no reference system", expected="'EPSG:32633'") from error
