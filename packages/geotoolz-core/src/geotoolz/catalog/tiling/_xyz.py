"""The tiles of web maps."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from geotoolz.catalog.tiling._cell import Cell, Tiling, squares_over
from geotoolz.core._errors import ParameterError

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

_HALF = math.pi * 6_378_137.0  # metres from the middle of the square of Web Mercator to its edge
_NORTHMOST = 85.0511287798066  # where that square ends
_NAME = re.compile(r"(\d+)-(\d+)-(\d+)")


@dataclass(frozen=True)
class WebMercator(Tiling):
    """Tiles of web maps (XYZ) at one zoom, in EPSG:3857; called ``zoom-x-y``.

    Parameters
    ----------
    zoom : int
        0 for one tile over the earth; 24 at most.
    pixels : int
        Rows and columns of a tile.

    Raises
    ------
    ParameterError
        If a number cannot be.

    Examples
    --------
    >>> from geotoolz.catalog.tiling import WebMercator
    >>> [cell.id for cell in WebMercator(9).tiles((15.2, 45.2, 15.9, 45.3))]
    ['9-277-183', '9-278-183']
    """

    zoom: int
    pixels: int = 256

    def __post_init__(self) -> None:
        if type(self.zoom) is not int or not 0 <= self.zoom <= 24:
            raise ParameterError(f"zoom={self.zoom!r}", expected="a whole number from 0 to 24")
        if type(self.pixels) is not int or self.pixels < 1:
            raise ParameterError(f"pixels={self.pixels!r}", expected="a whole number of at least 1")

    def cell(self, name: str) -> Cell:
        """Return a cell by its name."""
        match = _NAME.fullmatch(name)
        if match is None or int(match[1]) != self.zoom or max(int(match[2]), int(match[3])) >= 1 << self.zoom:
            raise ParameterError(f"there is no tile {name!r} at zoom {self.zoom}", expected="zoom-x-y")
        return self._made(int(match[2]), int(match[3]))

    def _over(self, area: BaseGeometry) -> Iterator[Cell]:
        from odc.geo.crs import CRS
        from shapely.geometry import box

        from geotoolz.io._area_shape import projected

        inside = area.intersection(box(-180.0, -_NORTHMOST, 180.0, _NORTHMOST))
        if inside.is_empty:
            return
        flat = projected(inside, CRS("EPSG:4326"), CRS("EPSG:3857"), "the area")
        last = (1 << self.zoom) - 1
        for x, up in squares_over(flat, self._side, (-_HALF, -_HALF)):
            if 0 <= x <= last and 0 <= up <= last:  # what projecting rounded lies a little beyond the square
                yield self._made(x, last - up)

    @property
    def _side(self) -> float:
        return 2.0 * _HALF / (1 << self.zoom)

    def _made(self, x: int, y: int) -> Cell:
        # edges by their number and not by adding: neighbours share them bit for bit
        left, right = (i * self._side - _HALF for i in (x, x + 1))
        top, bottom = (_HALF - i * self._side for i in (y, y + 1))
        name = f"{self.zoom}-{x}-{y}"
        return Cell(
            name,
            "EPSG:3857",
            (left, bottom, right, top),
            self._side / self.pixels,
            (self.pixels, self.pixels),
        )
