"""Areas as requests name them: four numbers and the code of a reference system."""

from __future__ import annotations

import math

from geotoolz.serve._errors import Problem
from geotoolz.serve._layer import Bounds


def parse_bbox(text: str) -> Bounds:
    """Return an area from ``west,south,east,north``.

    Raises
    ------
    Problem
        400.
    """
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError:
        raise Problem(
            "bbox is no area", code="bad_bbox", expected="four numbers: west,south,east,north"
        ) from None
    area = (west, south, east, north)
    if not all(map(math.isfinite, area)) or not (west < east and south < north):
        raise Problem(
            "bbox is no area", code="bad_bbox", expected="finite numbers with west < east and south < north"
        )
    return area


def parse_crs(text: str) -> str:
    """Return the code of a reference system; nothing but codes: others may name files."""
    name, _, digits = text.strip().upper().partition(":")
    if name != "EPSG" or not digits.isdecimal() or not digits.isascii():
        raise Problem("crs is no reference system", code="bad_crs", expected="EPSG: and a number")
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    try:
        found = CRS.from_epsg(int(digits[:10]))
    except CRSError:
        raise Problem(f"there is no EPSG:{digits[:10]}", code="bad_crs", expected="a code of EPSG") from None
    if not (found.is_projected or found.is_geographic) or len(found.axis_info) != 2:
        raise Problem(f"EPSG:{digits[:10]} is no system of a map", code="bad_crs", expected="two axes")
    return f"EPSG:{int(digits[:10])}"


def in_degrees(area: Bounds, crs: str) -> Bounds:
    """Return the bounds of an area in degrees.

    Raises
    ------
    Problem
        400 for an area that has no place on the ground.
    """
    if crs == "EPSG:4326":
        found = area
    else:
        from pyproj import Transformer
        from pyproj.exceptions import ProjError

        try:
            there = Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
            found = there.transform_bounds(*area)
        except ProjError:
            found = (math.nan,) * 4
    if not all(map(math.isfinite, found)):
        raise Problem("bbox has no place on the ground", code="bad_bbox", expected="an area in its crs")
    west, south, east, north = found
    if west < -180 or east > 180 or south < -90 or north > 90 or west >= east:
        raise Problem(
            "bbox is no area on the ground", code="bad_bbox", expected="-180 … 180 and -90 … 90 degrees"
        )
    return (west, south, east, north)


def touch(one: Bounds, other: Bounds) -> bool:
    """Whether two areas overlap."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
