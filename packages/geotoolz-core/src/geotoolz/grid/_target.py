"""The grid that an operator goes to."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from geotoolz.core import Extent, ParameterError, TileError, TileSpec
from geotoolz.core._grid import crs_label
from geotoolz.grid._positions import Positions
from geotoolz.grid._warp import Warp

if TYPE_CHECKING:
    from odc.geo.crs import CRS
    from odc.geo.geobox import GeoBox

_SAME = 1e-6  # pixels: far above rounding, far below any shift that matters
_SCALE_SLACK = 1.01


def parse_crs(text: str) -> CRS:
    """Return a reference system.

    Raises
    ------
    ParameterError
        If nobody knows it.
    """
    from odc.geo.crs import CRS
    from pyproj.exceptions import CRSError

    try:
        return CRS(text)
    except CRSError as error:
        raise ParameterError(
            f"crs={text!r} is no reference system", expected="'EPSG:32633' or its like"
        ) from error


def check_resolution(resolution: float | None) -> None:
    """Raise unless a pixel size is a finite number above 0."""
    if resolution is not None and not (math.isfinite(resolution) and resolution > 0):
        raise ParameterError(
            f"resolution={resolution!r}", expected="a pixel size above 0 in units of the CRS"
        )


def reprojected(grid: GeoBox, crs: CRS, resolution: float | None) -> GeoBox:
    """Return the grid in another reference system that covers a grid.

    Its pixels' edges are multiples of the pixel size, so that the tiles of a scene fit together.
    """
    if 0 in grid.shape:  # without an area to cover, the lattice of its first pixel
        grid = grid.expand((max(grid.shape.y, 1), max(grid.shape.x, 1)))
    found = grid.to_crs(crs, resolution="auto" if resolution is None else resolution)  # type: ignore[arg-type]
    if not all(map(math.isfinite, found.affine)):
        raise TileError(
            f"the grid has no place in {crs}", expected="a reference system that is valid where the tile lies"
        )
    return found


def resized(grid: GeoBox, ratio: tuple[float, float]) -> GeoBox:
    """Return the grid from the same corner with pixels `ratio` (y, x) times as large."""
    from odc.geo.geobox import GeoBox

    a = grid.affine
    height, width = (
        max(1, math.ceil(n / r - _SAME)) if n else 0 for n, r in zip(grid.shape, ratio, strict=True)
    )
    affine = type(a)(a.a * ratio[1], a.b * ratio[0], a.c, a.d * ratio[1], a.e * ratio[0], a.f)
    return GeoBox((height, width), affine, grid.crs)


_MANY_PIXELS, _MUCH_FINER = 2**28, 10_000


def require_sensible(tile: TileSpec, target: GeoBox, what: str, fits: bool = False) -> None:
    """Raise for a pixel size that was meant in other units: larger than the tile, or far too small.

    A pixel that is known to fit the tile (`fits`) may be its only one.

    Raises
    ------
    ParameterError
        Naming the units.
    """
    if 0 in tile.shape or 0 in target.shape:
        return
    height, width = map(int, target.shape)
    units = "degrees" if target.crs is not None and target.crs.geographic else "units of the CRS"
    expected = f"a pixel size in {units} of {crs_label(target.crs)} that fits the tile"
    if height * width == 1 and max(tile.shape) > 2 and not fits:
        raise ParameterError(
            f"{what}: a pixel would be larger than the whole tile",
            expected=expected,
            fix="mind the units: 20 m are about 0.00018 degrees",
        )
    if height * width > max(_MANY_PIXELS, _MUCH_FINER * math.prod(tile.shape)):
        raise ParameterError(
            f"{what}: {height} × {width} pixels would be made of {tile.shape[0]} × {tile.shape[1]}",
            expected=expected,
            fix="mind the units: 0.00018 degrees are about 20 m",
        )


def warp_to(tile: TileSpec, source: GeoBox, target: GeoBox) -> Warp:
    """Return the change of a tile to a grid, which must cover as much of it as is wanted."""
    height, width = map(int, target.shape)
    shape = (height, width)
    return Warp(target, shape, (0, 0), tile.shape, _scale(source, target), source, tile.offset)


def warp_within(tile: TileSpec, source: GeoBox, target: GeoBox) -> Warp:
    """Return the change of a tile to the part of a grid that it covers; `source` is its parent's grid."""
    whole = tuple(map(int, source.shape)) == tile.shape and tile.offset == (0, 0)
    if whole and 0 not in tile.shape:
        return warp_to(tile, source, target)
    extent = _covered(tile, source, target)
    return Warp(
        target, extent.shape, (extent.y0, extent.x0), tile.shape, _scale(source, target), source, tile.offset
    )


def _covered(tile: TileSpec, source: GeoBox, target: GeoBox) -> Extent:
    """Return the target's pixels that a window of the source touches."""
    if 0 in tile.shape:
        return Extent(0, 0, 0, 0)
    (row, col), (height, width) = tile.offset, tile.shape
    back = Positions(target, source)  # where the source's pixels lie on the target
    v, u = np.linspace(row, row + height, 65), np.linspace(col, col + width, 65)
    ends = [back.exact(v, u[[0, -1]]), back.exact(v[[0, -1]], u)]
    spans = []
    for axis in (0, 1):
        found = np.concatenate([pair[axis].ravel() for pair in ends])
        found = found[np.isfinite(found)]
        if not found.size:
            return Extent(0, 0, 0, 0)
        low, high = math.floor(found.min() + _SAME), math.ceil(found.max() - _SAME)
        spans += [low, max(high, low + 1)]
    return Extent(*spans)


def _scale(source: GeoBox, target: GeoBox) -> tuple[float, float]:
    """Return how many source pixels a target pixel spans at most, along rows and columns."""
    if 0 in target.shape:
        return (1.0, 1.0)
    positions = Positions(source, target)
    height, width = map(int, target.shape)
    spots_v, spots_u = np.linspace(0, height - 1, 9), np.linspace(0, width - 1, 9)
    v, u = (np.stack([spots, spots + 1], axis=1).ravel() for spots in (spots_v, spots_u))
    found = np.stack(positions.exact(v, u)).reshape(2, 9, 2, 9, 2)
    down = np.abs(found[:, :, 1, :, 0] - found[:, :, 0, :, 0])
    across = np.abs(found[:, :, 0, :, 1] - found[:, :, 0, :, 0])
    steps = down + across
    sizes = [float(np.nanmax(s)) if np.isfinite(s).any() else 1.0 for s in steps]
    return (sizes[0] * _SCALE_SLACK, sizes[1] * _SCALE_SLACK)
