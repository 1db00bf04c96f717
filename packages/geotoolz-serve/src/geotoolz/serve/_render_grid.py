"""The grids that maps are drawn on: one web-mercator lattice per zoom level, cut into tiles."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from affine import Affine

from geotoolz.core import Extent, TileError
from geotoolz.grid._positions import Positions
from geotoolz.grid._target import parse_crs, reprojected, warp_to
from geotoolz.grid._warp import Warp
from geotoolz.serve._errors import Problem

if TYPE_CHECKING:
    from odc.geo.crs import CRS
    from odc.geo.geobox import GeoBox

    from geotoolz.core import TileSpec

EDGE = 20037508.342789244
"""Half the side of the web-mercator square, in metres."""
TILE = 256
MAX_ZOOM = 30
MAX_LATITUDE = 85.0511287798066
WEB = "EPSG:3857"
_AROUND_THE_WORLD = 300.0  # degrees
_SAME = 1e-6  # pixels
_KEPT_NODES = 1 << 16  # found in less than a tenth of a second, in a megabyte


def resolution(zoom: int) -> float:
    """Return the pixel size of a zoom level, in web-mercator metres.

    Examples
    --------
    >>> round(resolution(0), 3)
    156543.034
    """
    return float(math.ldexp(2 * EDGE / TILE, -zoom))


@dataclass(frozen=True)
class Target:
    """What is to be drawn: pixels of a lattice.

    Parameters
    ----------
    grid : GeoBox
        The lattice; positions are found from its pixel (0, 0), so windows of one lattice fit together.
    extent : Extent
        The pixels, on the lattice.
    zoom : int, optional
        The zoom level whose lattice it is; None for one that is used once.
    """

    grid: GeoBox
    extent: Extent
    zoom: int | None = None

    @property
    def geobox(self) -> GeoBox:
        """The pixels as a grid of their own."""
        from odc.geo.geobox import GeoBox

        a, e = self.grid.affine, self.extent
        x, y = a.c + e.x0 * a.a, a.f + e.y0 * a.e
        return GeoBox(e.shape, Affine(a.a, 0.0, x, 0.0, a.e, y), self.grid.crs)


@dataclass(frozen=True)
class TileWarp(Warp):
    """The part of a change of grid that one tile needs: it knows nodes and edges of the whole."""

    whole: Warp | None = field(default=None, compare=False)

    @cached_property
    def positions(self) -> Positions:
        """Where the tile's pixels lie in the source; a lattice keeps its nodes if they are not too many."""
        if self.whole is None:
            return super().positions
        kept = self.whole.positions
        rows, cols = self.whole.shape
        if kept.step < 0 or (kept.step > 0 and rows * cols <= _KEPT_NODES * kept.step**2):
            return kept
        found = super().positions
        found.__dict__["step"] = kept.step  # how far nodes may be apart was tried out on the whole lattice
        return found

    @cached_property
    def covered(self) -> bool:
        """Whether the whole lattice lies in the source; what holds for it holds for its tiles."""
        return super().covered if self.whole is None else self.whole.covered


def whole_warp(spec: TileSpec, grid: GeoBox) -> Warp:
    """Return the change of a tile to a whole lattice."""
    return warp_to(spec, spec.require_geobox("a map"), grid)


def tile_warp(whole: Warp, extent: Extent) -> TileWarp:
    """Return the part of a change that fills some pixels of its target."""
    return TileWarp(
        whole.geobox,
        extent.shape,
        (extent.y0, extent.x0),
        whole.source_shape,
        whole.scale,
        whole.source_geobox,
        whole.source_offset,
        whole,
    )


def zoom_grid(source: GeoBox, zoom: int) -> GeoBox:
    """Return the web-mercator lattice of a zoom level over a scene: that of ``Reproject("EPSG:3857", …)``.

    Scenes that reach the end of web maps in north or south get a lattice that ends there.
    """
    crs = parse_crs(WEB)
    west, south, east, north = bounds_of(source)
    if south <= -MAX_LATITUDE or north >= MAX_LATITUDE or east - west >= _AROUND_THE_WORLD:
        return _clipped((west, south, east, north), crs, zoom)
    return reprojected(source, crs, resolution(zoom))


def _clipped(bounds: tuple[float, float, float, float], crs: CRS, zoom: int) -> GeoBox:
    from odc.geo.geobox import GeoBox

    west, south, east, north = bounds
    low, high = (math.log(math.tan(math.pi / 4 + math.radians(v) / 2)) for v in (south, north))
    size, radius = resolution(zoom), EDGE / math.pi
    left, right = (v / 180.0 * EDGE for v in (west, east))
    x0, x1 = math.floor(left / size + _SAME), math.ceil(right / size - _SAME)
    y0, y1 = math.floor(low * radius / size + _SAME), math.ceil(high * radius / size - _SAME)
    shape = (max(y1 - y0, 1), max(x1 - x0, 1))
    return GeoBox(shape, Affine(size, 0.0, x0 * size, 0.0, -size, y1 * size), crs)


def bounds_of(grid: GeoBox) -> tuple[float, float, float, float]:
    """Return west, south, east, north of a grid in degrees, within the web map's square."""
    positions = Positions(_degrees(), grid)
    height, width = map(int, grid.shape)
    v, u = np.linspace(0, height, 33), np.linspace(0, width, 33)
    rows, cols = positions.exact(v, u)
    found = np.isfinite(rows) & np.isfinite(cols)
    if not found.any():
        raise TileError("the scene has no place on a map", expected="a grid with longitudes and latitudes")
    lon, lat = cols[found], rows[found]
    west, east = max(float(lon.min()), -180.0), min(float(lon.max()), 180.0)
    if east - west >= _AROUND_THE_WORLD and float(np.abs(lat).max()) > MAX_LATITUDE:
        west, east = -180.0, 180.0  # a pole lies inside, and the net's meridians miss the seam
    south, north = max(float(lat.min()), -MAX_LATITUDE), min(float(lat.max()), MAX_LATITUDE)
    return west, south, east, north


def _degrees() -> GeoBox:
    """Return a grid whose rows and columns are latitude and longitude."""
    from odc.geo.geobox import GeoBox

    return GeoBox((1, 1), Affine.identity(), "EPSG:4326")


def place_of(grid: GeoBox, lon: float, lat: float) -> tuple[float, float]:
    """Return row and column of a place in a grid; NaN where it has none."""
    from odc.geo.geobox import GeoBox

    here = GeoBox((1, 1), Affine.translation(lon, lat), "EPSG:4326")
    rows, cols = Positions(grid, here).exact(np.array([0.0]), np.array([0.0]))
    return float(rows[0, 0]), float(cols[0, 0])


def tile_extent(grid: GeoBox, z: int, x: int, y: int, scale: int = 1) -> Extent:
    """Return the pixels of a map tile on a zoom level's lattice.

    Parameters
    ----------
    grid : GeoBox
        As `zoom_grid` returns it, of the zoom level ``z + log2(scale)``.
    z, x, y : int
        The tile.
    scale : {1, 2, 4}
        How many times 256 pixels it has along a side.
    """
    size, side = float(grid.affine.a), TILE * scale
    left = round((-EDGE - grid.affine.c) / size) + x * side
    top = round((grid.affine.f - EDGE) / size) + y * side
    return Extent(top, top + side, left, left + side)


def require_tile(z: int, x: int, y: int) -> None:
    """Raise for a tile that no map has.

    Raises
    ------
    Problem
        404.
    """
    if not (0 <= z <= MAX_ZOOM and 0 <= x < 1 << z and 0 <= y < 1 << z):
        raise Problem(
            f"there is no tile {z}/{x}/{y}",
            status=404,
            code="no_such_tile",
            expected=f"zoom 0 to {MAX_ZOOM}, x and y from 0 to 2^zoom - 1",
        )


def tile_bounds(z: int, x: int, y: int) -> tuple[float, float, float, float]:
    """Return west, south, east, north of a tile in degrees.

    Examples
    --------
    >>> tile_bounds(1, 1, 0)[:2]
    (0.0, 0.0)
    """
    n = 1 << z

    def latitude(row: int) -> float:
        return math.degrees(math.atan(math.sinh(math.pi * (1 - 2 * row / n))))

    return x / n * 360 - 180, latitude(y + 1), (x + 1) / n * 360 - 180, latitude(y)


def source_scale(source: GeoBox, target: GeoBox) -> float:
    """Return how many source pixels a target pixel spans, at the centre of the target (or of the source)."""
    rows, cols = _at_centre(source, target)
    area = (rows[1, 0] - rows[0, 0]) * (cols[0, 1] - cols[0, 0])
    area -= (rows[0, 1] - rows[0, 0]) * (cols[1, 0] - cols[0, 0])
    return math.sqrt(abs(float(area)))


def longest_step(source: GeoBox, target: GeoBox) -> float:
    """Return how many source pixels lie between target pixels, along the axis with more of them."""
    rows, cols = _at_centre(source, target)
    down = math.hypot(rows[1, 0] - rows[0, 0], cols[1, 0] - cols[0, 0])
    across = math.hypot(rows[0, 1] - rows[0, 0], cols[0, 1] - cols[0, 0])
    return max(down, across)


def _at_centre(source: GeoBox, target: GeoBox) -> tuple[Any, Any]:
    """Return where a target pixel and its neighbours to the right and below lie in the source."""
    height, width = map(int, target.shape)
    rows, cols = _around(Positions(source, target), height / 2, width / 2)
    if not np.isfinite(rows).all():
        back, forth = Positions(target, source), Positions(source, target)
        found = back.exact(np.array([source.shape[0] / 2]), np.array([source.shape[1] / 2]))
        rows, cols = _around(forth, float(found[0][0, 0]), float(found[1][0, 0]))
    return rows, cols


def _around(positions: Positions, v: float, u: float) -> tuple[Any, Any]:
    return positions.exact(np.array([v, v + 1]), np.array([u, u + 1]))
