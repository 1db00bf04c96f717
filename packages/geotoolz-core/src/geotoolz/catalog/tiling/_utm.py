"""Squares in UTM zones: those of the military grid, and of any size."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from geotoolz.catalog.tiling._cell import Bounds, Cell, Tiling, squares_over, whole_pixels
from geotoolz.core._errors import ParameterError
from geotoolz.io._mgrs import mgrs_square, square_name

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

_SOUTHMOST, _NORTHMOST = -80.0, 84.0
_NAME = re.compile(r"(\d{2})([NS])_(\d+)_(\d+)")
# Zones that are wider or narrower: southwest Norway, Svalbard (0: there is none).
_ODD = {
    (31, 56, 64): (0, 3), (32, 56, 64): (3, 12),
    (31, 72, 84): (0, 9), (32, 72, 84): (0, 0), (33, 72, 84): (9, 21), (34, 72, 84): (0, 0),
    (35, 72, 84): (21, 33), (36, 72, 84): (0, 0), (37, 72, 84): (33, 42),
}  # fmt: skip
_SLICES = ((-80, 0), (0, 56), (56, 64), (64, 72), (72, 84))


@dataclass(frozen=True)
class UTMGrid(Tiling):
    """Squares of one size in every UTM zone, counted from the zone's false origin.

    Along the border of two zones the cells of both overlap; every point between 80° S and 84° N lies in a
    cell of its own zone. Cells are called after zone, hemisphere, column and row (``33N_0050_0510``).

    Parameters
    ----------
    size : float
        Side of a square in metres.
    resolution : float
        Pixel size in metres; it divides the side.

    Raises
    ------
    ParameterError
        If a number cannot be, or the side is no whole number of pixels.

    Examples
    --------
    >>> from geotoolz.catalog.tiling import UTMGrid
    >>> [cell.id for cell in UTMGrid(10_000, 10).tiles((15.01, 45.98, 15.02, 45.99))]
    ['33N_0050_0509']
    """

    size: float
    resolution: float

    def __post_init__(self) -> None:
        whole_pixels(self.size, self.resolution, "size")

    def cell(self, name: str) -> Cell:
        """Return a cell by its name."""
        match = _NAME.fullmatch(name)
        if match is None or not 1 <= int(match[1]) <= 60:
            raise ParameterError(
                f"there is no cell {name!r}", expected="zone_column_row, such as 33N_0050_0510"
            )
        return self._made(int(match[1]), match[2] == "N", int(match[3]), int(match[4]))

    def _over(self, area: BaseGeometry) -> Iterator[Cell]:
        for zone, north, part in zones_over(area):
            for col, row in squares_over(part, float(self.size), (0.0, 0.0)):
                yield self._made(zone, north, col, row)

    def _made(self, zone: int, north: bool, col: int, row: int) -> Cell:
        size = float(self.size)
        bounds = (col * size, row * size, (col + 1) * size, (row + 1) * size)
        count = whole_pixels(self.size, self.resolution, "size")
        name = f"{zone:02d}{'N' if north else 'S'}_{col:04d}_{row:04d}"
        return Cell(name, _code(zone, north), bounds, float(self.resolution), (count, count))


@dataclass(frozen=True)
class MGRS(Tiling):
    """Squares of 100 km of the military grid, as Sentinel-2 tiles are called (``33TWL``).

    Along the border of two zones the squares of both overlap: each is whole, as Sentinel-2's are. A square
    that two latitude bands share has the name of the band that its centre lies in.

    Parameters
    ----------
    resolution : float
        Pixel size in metres.
    sentinel2 : bool
        Cells of 109.8 km, as Sentinel-2 tiles lie: neighbours overlap by 9.8 km. By default the squares
        themselves, which do not.

    Raises
    ------
    ParameterError
        If the side is no whole number of pixels.

    Examples
    --------
    >>> from geotoolz.catalog.tiling import MGRS
    >>> [cell.id for cell in MGRS(10).tiles((15.2, 45.2, 16.9, 45.3))]
    ['33TWL', '33TXL']
    >>> MGRS(10).cell("33TWL").bounds
    (500000.0, 5000000.0, 600000.0, 5100000.0)
    """

    resolution: float
    sentinel2: bool = False

    def __post_init__(self) -> None:
        whole_pixels(109_800 if self.sentinel2 else 100_000, self.resolution, "the side of a square")

    def cell(self, name: str) -> Cell:
        """Return a cell by its name."""
        (left, _, _, top), crs = mgrs_square(name)
        col, row = -(-int(left) // 100_000), int(top) // 100_000 - 1
        zone, north = int(crs[-2:]), crs.startswith("EPSG:326")
        return self._made(zone, north, col, row, name.upper().removeprefix("T").zfill(5))

    def _over(self, area: BaseGeometry) -> Iterator[Cell]:
        seen = set()
        for zone, north, part in zones_over(area):
            for col, row in squares_over(part, 100_000.0, (0.0, 0.0)):
                name = square_name(zone, north, col, row)
                if name not in seen:  # a square on the equator lies in both hemispheres' systems
                    seen.add(name)
                    yield self._made(zone, north, col, row, name)

    def _made(self, zone: int, north: bool, col: int, row: int, name: str) -> Cell:
        bounds: Bounds = (col * 1e5, row * 1e5, (col + 1) * 1e5, (row + 1) * 1e5)
        if self.sentinel2:
            bounds = mgrs_square(name)[0]
        count = whole_pixels(109_800 if self.sentinel2 else 100_000, self.resolution, "the side of a square")
        return Cell(name, _code(zone, north), bounds, float(self.resolution), (count, count))


def _code(zone: int, north: bool) -> str:
    return f"EPSG:{(32600 if north else 32700) + zone}"


def zones_over(area: BaseGeometry) -> Iterator[tuple[int, bool, Any]]:
    """Yield UTM zone, hemisphere, and the part of an area that lies there, in the zone's own metres."""
    from odc.geo.crs import CRS
    from shapely.geometry import box

    from geotoolz.io._area_shape import projected

    lonlat = CRS("EPSG:4326")
    west, south, east, north = area.bounds
    for zone in range(1, 61):
        for low, high in _SLICES:
            left, right = _ODD.get((zone, low, high), (6 * zone - 186, 6 * zone - 180))
            if left == right or left > east or right < west or low > north or high < south:
                continue
            part = area.intersection(box(left, low, right, high))
            if part.is_empty or (area.area > 0 and part.area == 0):
                continue  # a common border is no ground
            target = CRS(_code(zone, low >= 0))
            yield zone, low >= 0, projected(part, lonlat, target, "the area")
