"""Squares in one reference system."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from geotoolz.catalog.tiling._cell import Cell, Tiling, squares_over, whole_pixels
from geotoolz.core._errors import ParameterError

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

_NAME = re.compile(r"(-?\d+)_(-?\d+)")


@dataclass(frozen=True)
class Lattice(Tiling):
    """Squares of one size in one reference system: ``EPSG:3035`` for Europe, a national grid.

    Cells are called after column and row from the origin, rows northwards (``43_29``).

    Parameters
    ----------
    crs : str
        The reference system.
    size : float
        Side of a square, in its units.
    resolution : float
        Pixel size, in its units; it divides the side.
    origin : tuple of float
        Corner of cell (0, 0).

    Raises
    ------
    ParameterError
        If a number cannot be, or there is no such reference system.

    Examples
    --------
    >>> from geotoolz.catalog.tiling import Lattice
    >>> [cell.id for cell in Lattice("EPSG:3035", 100_000, 10).tiles((15.2, 45.2, 15.4, 45.3))]
    ['47_24']
    """

    crs: str
    size: float
    resolution: float
    origin: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        from geotoolz.catalog._slice import crs_text

        object.__setattr__(self, "crs", crs_text(self.crs))
        whole_pixels(self.size, self.resolution, "size")

    def cell(self, name: str) -> Cell:
        """Return a cell by its name."""
        match = _NAME.fullmatch(name)
        if match is None:
            raise ParameterError(f"there is no cell {name!r}", expected="column_row, such as 43_29")
        return self._made(int(match[1]), int(match[2]))

    def _over(self, area: BaseGeometry) -> Iterator[Cell]:
        from odc.geo.crs import CRS

        from geotoolz.io._area_shape import projected

        flat = projected(area, CRS("EPSG:4326"), CRS(self.crs), "the area")
        for col, row in squares_over(flat, float(self.size), self.origin):
            yield self._made(col, row)

    def _made(self, col: int, row: int) -> Cell:
        size, (x, y) = float(self.size), self.origin
        bounds = (x + col * size, y + row * size, x + (col + 1) * size, y + (row + 1) * size)
        count = whole_pixels(self.size, self.resolution, "size")
        return Cell(f"{col}_{row}", self.crs, bounds, float(self.resolution), (count, count))
