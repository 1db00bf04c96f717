"""A cell: a name and a grid; a tiling: cells over an area."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from geotoolz.core._errors import ParameterError

if TYPE_CHECKING:
    import numpy as np
    from odc.geo.crs import CRS
    from odc.geo.geobox import GeoBox
    from shapely.geometry.base import BaseGeometry

Bounds = tuple[float, float, float, float]
_PER_EDGE = 8  # points per side of an outline: its edges bend by metres between them


@dataclass(frozen=True)
class Cell:
    """A cell of a tiling.

    Parameters
    ----------
    id : str
        Its name within the tiling; may be part of a file's name.
    crs : str
        Reference system of its grid.
    bounds : tuple of float
        Left, bottom, right, top.
    resolution : float
        Pixel size.
    shape : tuple of int
        Rows and columns.
    """

    id: str
    crs: str
    bounds: Bounds
    resolution: float
    shape: tuple[int, int]

    @property
    def geobox(self) -> GeoBox:
        """The grid: north-up, its corner is the cell's."""
        from affine import Affine
        from odc.geo.geobox import GeoBox

        affine = Affine(self.resolution, 0.0, self.bounds[0], 0.0, -self.resolution, self.bounds[3])
        return GeoBox(self.shape, affine, _crs(self.crs))


@lru_cache(maxsize=256)
def _crs(text: str) -> CRS:
    from odc.geo.crs import CRS

    return CRS(text)


class Tiling(ABC):
    """Cells over the ground; equal cells, with equal names, for every area that is asked for."""

    def tiles(self, aoi: Any = None) -> list[Cell]:
        """Return the cells that touch an area, by name.

        Parameters
        ----------
        aoi : anything that `geotoolz.io.Area.of` takes, optional
            ``(west, south, east, north)`` in degrees, a vector file, a geometry, …; all cells where None.
        """
        from shapely.geometry import box

        from geotoolz.catalog._footprint import area_geometry

        area = box(-180.0, -90.0, 180.0, 90.0) if aoi is None else area_geometry(aoi, None)
        return sorted(self._over(area), key=lambda cell: cell.id)

    @abstractmethod
    def cell(self, name: str) -> Cell:
        """Return a cell by its name.

        Raises
        ------
        ParameterError
            If the tiling has no such cell.
        """

    @abstractmethod
    def _over(self, area: BaseGeometry) -> Iterable[Cell]:
        """Return the cells that touch an area in longitude and latitude, each once."""


def whole_pixels(size: float, resolution: float, what: str) -> int:
    """Return how many pixels a side has.

    Raises
    ------
    ParameterError
        If the pixel size is none, or the side no whole number of pixels.
    """
    asked: tuple[tuple[str, Any], ...] = (("resolution", resolution), (what, size))
    for name, value in asked:
        if type(value) not in (int, float) or not 0 < value < float("inf"):
            raise ParameterError(f"{name}={value!r}", expected="a number above 0, in units of the CRS")
    count = round(size / resolution)
    if count < 1 or count * resolution != size:
        raise ParameterError(
            f"{size:g} at {resolution:g} makes {size / resolution:g} pixels",
            expected="a whole number of pixels per side",
            fix=f"choose a resolution that divides {size:g}",
        )
    return count


def squares_over(area: BaseGeometry, size: float, origin: tuple[float, float]) -> Iterator[tuple[int, int]]:
    """Yield column and row of the squares of a lattice that an area overlaps; touching is not enough.

    Parameters
    ----------
    area : shapely geometry
        In the lattice's own reference system.
    size : float
        Side of a square.
    origin : tuple of float
        Corner of square (0, 0), from which rows count northwards.
    """
    import math

    import numpy as np
    import shapely

    left, bottom, right, top = area.bounds
    cols = range(math.floor((left - origin[0]) / size), math.ceil((right - origin[0]) / size) + 1)
    rows = range(math.floor((bottom - origin[1]) / size), math.ceil((top - origin[1]) / size) + 1)
    shapely.prepare(area)
    for row in rows:  # a row at a time: an area may be long and thin, and squares many
        x = origin[0] + np.arange(cols.start, cols.stop) * size
        y = origin[1] + row * size
        boxes: Any = shapely.box(x.tolist(), y, (x + size).tolist(), y + size)
        hit = shapely.intersects(area, boxes)
        if area.area > 0:
            hit &= ~shapely.touches(area, boxes)
        for index in np.flatnonzero(hit):
            yield cols[int(index)], row


def footprints(cells: Sequence[Cell]) -> np.ndarray[Any, Any]:
    """Return the outlines of cells in longitude and latitude, as shapes cut at the antimeridian."""
    import numpy as np
    import shapely

    from geotoolz.catalog._footprint import _to_lonlat, split_antimeridian

    found = np.empty(len(cells), object)
    of_crs: dict[str, list[int]] = {}
    for number, cell in enumerate(cells):
        of_crs.setdefault(cell.crs, []).append(number)
    step = np.linspace(0.0, 1.0, _PER_EDGE, endpoint=False)
    across = np.concatenate([step, np.ones(step.size), 1 - step, np.zeros(step.size)])
    along = np.concatenate([np.zeros(step.size), step, np.ones(step.size), 1 - step])
    for crs, numbers in of_crs.items():
        bounds = np.array([cells[n].bounds for n in numbers])
        x = bounds[:, :1] + (bounds[:, 2:3] - bounds[:, :1]) * across
        y = bounds[:, 1:2] + (bounds[:, 3:] - bounds[:, 1:2]) * along
        lon, lat = _to_lonlat(crs).transform(x, y)
        ring = np.stack([np.unwrap(lon, period=360.0), lat], axis=-1)
        shapes: Any = shapely.polygons(ring)
        beyond = (ring[..., 0].min(1) < -180.0) | (ring[..., 0].max(1) > 180.0)
        for place in np.flatnonzero(beyond):
            shapes[place] = split_antimeridian(shapes[place])
        found[numbers] = shapes
    return found
