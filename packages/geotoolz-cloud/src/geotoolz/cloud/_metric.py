"""Metres on the ground, in pixels."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from geotoolz.core import ParameterError, QuantityError, TileSpec

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

_WEB_MERCATOR = 3857
MAX_REACH = 20_000
"""Reaches of more pixels than this are a mistake in the unit."""


@dataclass(frozen=True, slots=True)
class Pixel:
    """A pixel in metres: its sides, and whether rows count southwards and columns eastwards (1, else −1)."""

    height: Fraction
    width: Fraction
    down: int
    right: int


def pixel_in_metres(tile: TileSpec, needed_by: str) -> Pixel:
    """Return the size of a tile's pixels in metres.

    Raises
    ------
    MissingCRSError
        If the tile has no CRS.
    QuantityError
        If its CRS counts in degrees.
    """
    box = tile.require_geobox(needed_by)
    unit = _metres_per_unit(box, needed_by)
    t = box.affine  # tiles are never rotated
    height, width = _decimal(abs(t.e) * unit), _decimal(abs(t.a) * unit)
    return Pixel(height, width, 1 if t.e < 0 else -1, 1 if t.a > 0 else -1)


def map_notes(tile: TileSpec, needed_by: str) -> tuple[str, ...]:
    """Return a doubt where metres on the map are no metres on the ground."""
    box = tile.require_geobox(needed_by)
    if box.crs is None or box.crs.epsg != _WEB_MERCATOR:
        return ()
    return (
        f"{needed_by} counts in metres on the map, and web mercator stretches them by 1 / cos(latitude): put "
        f"geotoolz.grid.Reproject({_utm(box)!r}) first",
    )


def _decimal(number: float) -> Fraction:
    """Return a length as the decimal number that was meant: three pixels of 0.1 m are 0.3 m.

    Twelve digits are a nanometre in a kilometre; what lies behind them comes from somebody's arithmetic.
    """
    return Fraction(f"{number:.12g}")


def _metres_per_unit(box: GeoBox, needed_by: str) -> float:
    crs = box.crs
    if crs is None or not crs.projected:
        name = "unknown" if crs is None else f"EPSG:{crs.epsg}" if crs.epsg else crs.proj.name
        raise QuantityError(
            f"{needed_by} counts in metres, and the tile's CRS ({name}) in degrees",
            expected="a projected CRS",
            fix=f"put a projection first: geotoolz.grid.Reproject({_utm(box)!r})",
        )
    axes = crs.proj.axis_info
    return float(axes[0].unit_conversion_factor) if axes else 1.0


def _utm(box: GeoBox) -> str:
    """Return the UTM zone of the middle of a grid."""
    lon, lat = map(float, box.geographic_extent.centroid.coords[0])
    zone = int((lon + 180) // 6) % 60 + 1
    return f"EPSG:{(32600 if lat >= 0 else 32700) + zone}"


def decimal_distance(distance: float) -> Fraction:
    """Return a parameter in metres as the decimal number that was typed."""
    return _decimal(distance)


def check_reach(pixels: float, what: str) -> None:
    """Raise `ParameterError` where a distance spans absurdly many pixels."""
    if pixels > MAX_REACH:
        raise ParameterError(
            f"{what} is {pixels:.0f} pixels on this grid",
            expected=f"at most {MAX_REACH} pixels",
            fix="distances are in metres",
        )
