"""Heights and distances in metres: what slopes need of a tile's grid."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from geotoolz.core import ParameterError, QuantityError, TileError, TileSpec

_METRES = {
    "m": 1.0, "metre": 1.0, "metres": 1.0, "meter": 1.0, "meters": 1.0, "km": 1000.0, "cm": 0.01,
    "ft": 0.3048, "foot": 0.3048, "feet": 0.3048, "international_foot": 0.3048,
    "us_survey_foot": 1200 / 3937, "us_survey_feet": 1200 / 3937,
}  # fmt: skip
_WEB_MERCATOR = 3857


@dataclass(frozen=True)
class Ground:
    """Steps from pixel to pixel towards the east and the north, and of one unit of height, in metres."""

    east: float
    north: float
    up: float
    notes: tuple[str, ...] = ()


def heights(tile: TileSpec, role: str, needed_by: str) -> str:
    """Return the variable that holds heights.

    Raises
    ------
    MissingVariableError
        If the tile has none of that name.
    QuantityError
        If it is said to hold something else.
    """
    name = tile.find(role, needed_by)
    spec = tile.variables[name]
    if spec.quantity not in (None, "elevation") or spec.dtype.kind not in "iuf" or spec.dtype == "float16":
        raise QuantityError(
            f"{needed_by} reads {name!r}, which holds {spec.quantity or spec.dtype}",
            expected="heights (quantity 'elevation', or none said)",
            fix=f"name the variable with the elevation model: {needed_by}(dem=…)",
        )
    return name


def ground_of(tile: TileSpec, name: str, z_factor: float, needed_by: str) -> Ground:
    """Return a tile's steps in metres.

    Raises
    ------
    MissingCRSError
        If the tile has no reference system.
    TileError
        If its grid is rotated or in degrees.
    QuantityError
        If the heights are in units that are no length.
    """
    east, north, notes = steps(tile, name, needed_by)
    units = tile.variables[name].attrs.get("units")
    up = 1.0 if units is None else _METRES.get(str(units).strip().lower().replace(" ", "_"), math.nan)
    if up != up:
        raise QuantityError(
            f"{needed_by} reads {name!r}, whose units are {units!r}",
            expected=f"heights in one of {', '.join(_METRES)}",
            fix=f"ds[{name!r}].attrs['units'] = 'm', and z_factor=… if they are something else",
        )
    return Ground(east, north, up * z_factor, notes)


def steps(tile: TileSpec, name: str, needed_by: str) -> tuple[float, float, tuple[str, ...]]:
    """Return the signed steps of a column towards the east and of a row towards the north, in metres."""
    box = tile.require_geobox(needed_by)
    # interpolated heights would be rounded to the type: steps on gentle ground
    whole = tile.variables[name].dtype.kind in "iu"
    before = "ToFloat32() and " if whole else ""
    crs: Any = box.crs
    if crs.geographic:
        raise TileError(
            f"{needed_by} needs distances in metres, and the tile's grid is in degrees (EPSG:{crs.epsg})",
            expected="a projected reference system",
            fix=f"put {before}Reproject('EPSG:{_utm_zone(box)}', method='cubic') first",
        )
    a = box.affine
    if a.b or a.d:
        raise TileError(
            f"{needed_by} got a rotated grid", expected="an axis-aligned grid", fix="put Reproject first"
        )
    metres = float(crs.proj.axis_info[0].unit_conversion_factor)
    notes: tuple[str, ...] = ()
    if crs.epsg == _WEB_MERCATOR:
        notes = (
            "web mercator stretches distances by 1 / cos(latitude): slopes come out too small; "
            f"put {before}Reproject('EPSG:{_utm_zone(box)}', method='cubic') first",
        )
    return a.a * metres, a.e * metres, notes


def _utm_zone(box: Any) -> int:
    """Return the EPSG code of the UTM zone at the middle of a grid."""
    lon, lat = map(float, box.geographic_extent.centroid.coords[0])
    zone: int = min(max(math.floor((lon + 180) / 6) + 1, 1), 60)
    return (32600 if lat >= 0 else 32700) + zone


def require_z_factor(z_factor: float) -> None:
    """Raise unless a factor for heights is a finite number that is not 0."""
    if not math.isfinite(z_factor) or z_factor == 0:
        raise ParameterError(f"z_factor={z_factor}", expected="a number other than 0")
