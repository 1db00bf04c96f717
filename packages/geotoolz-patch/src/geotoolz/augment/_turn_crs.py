"""A reference system whose axes are turned by a quarter.

A tile's rows and columns run along the axes of its CRS; turned by a quarter they run along the *other* axes.
No sign of a pixel step says that, so the CRS does: coordinates (northing, westing) instead of (easting,
northing). It is an ordinary projected CRS, whose axes PROJ, GDAL and odc-geo follow to the same place.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from geotoolz.core import QuantityError

if TYPE_CHECKING:
    from odc.geo.crs import CRS

_REMARK = "geotoolz: quarter turn of "
# GDAL reads this one from a text that has no axes
_AXELESS = "Popular Visualisation Pseudo Mercator"


@lru_cache(maxsize=64)
def turned_crs(crs: CRS, needed_by: str) -> tuple[CRS, bool]:
    """Return the CRS after a quarter turn, and whether the coordinates given were turned already.

    Coordinates are (x, y) = (northing, −easting) after the turn; of a turned CRS the original is returned.

    Raises
    ------
    QuantityError
        For a CRS in degrees, where a turned pixel has another size, and for web Mercator.
    """
    from odc.geo.crs import CRS

    described: dict[str, Any] = crs.proj.to_json_dict()
    remark = str(described.get("remarks", ""))
    if remark.startswith(_REMARK):
        return CRS(remark.removeprefix(_REMARK)), True
    operation = crs.proj.coordinate_operation
    if not crs.projected or operation is None or operation.method_name == _AXELESS:
        raise QuantityError(
            f"{needed_by} turns a tile by a quarter, and its CRS ({crs.proj.name}) has no turned form",
            expected="a projected CRS other than web Mercator",
            fix="put geotoolz.grid.Reproject first, or RandomFlip instead, which works in any CRS",
        )
    authority = crs.proj.to_authority()
    for key in ("$schema", "id", "area", "bbox", "scope", "usages"):
        described.pop(key, None)
    unit = described["coordinate_system"]["axis"][0].get("unit", "metre")
    axes = (("Northing", "N", "north"), ("Westing", "W", "west"))
    described["coordinate_system"] = {
        "subtype": "Cartesian",
        "axis": [
            {"name": name, "abbreviation": short, "direction": direction, "unit": unit}
            for name, short, direction in axes
        ],
    }
    described["name"] += ", turned by a quarter"
    described["remarks"] = _REMARK + (":".join(authority) if authority else crs.proj.to_wkt())
    return CRS(type(crs.proj).from_json_dict(described).to_wkt()), False


def is_turned(crs: CRS | None) -> bool:
    """Whether a CRS is one that `turned_crs` made."""
    return crs is not None and str(_remarks(crs)).startswith(_REMARK)


@lru_cache(maxsize=64)
def _remarks(crs: CRS) -> str:
    return crs.proj.remarks or ""
