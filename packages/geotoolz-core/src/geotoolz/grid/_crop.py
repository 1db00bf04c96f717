"""A part of a tile."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from geotoolz.core import Call, Extent, GridChange, Map, OutsideError, ParameterError, Plan, TileSpec
from geotoolz.core._grid import crs_label
from geotoolz.grid._target import parse_crs

_SAME = 1e-6


@dataclass(frozen=True)
class Shift(GridChange):
    """A change to a part of the same lattice."""

    by: tuple[int, int] = (0, 0)

    def backward(self, extent: Extent) -> Extent:
        """Return the same pixels, counted from the input's first."""
        return extent.moved(self.by)


def _copied(array: np.ndarray[Any, Any], *, extent: Extent, source: Extent) -> np.ndarray[Any, Any]:
    out = np.empty((*array.shape[:-2], *extent.shape), array.dtype)
    if out.size:
        out[...] = array
    return out


class Crop(Map):
    """Cut a tile to the pixels that an area touches.

    Reads and writes every variable, untouched; the lattice of the pixels stays.

    Parameters
    ----------
    bounds : tuple of 4 float
        ``(left, bottom, right, top)``.
    crs : str
        Reference system of the bounds; degrees (``(west, south, east, north)``) by default.

    Raises
    ------
    OutsideError
        If the area does not touch the tile.

    Examples
    --------
    >>> from geotoolz.core import geobox_of
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.grid import Crop
    >>> tile = simulate_scene((64, 64), bands=("red",))
    >>> left, bottom, right, top = geobox_of(tile).boundingbox.bbox
    >>> part = Crop((left + 100, top - 200, left + 300, top), crs=str(geobox_of(tile).crs))(tile)
    >>> part.red.shape, part.red.equals(tile.red[:20, 10:30])
    ((20, 20), True)
    """

    bounds: tuple[float, float, float, float]
    crs: str = "EPSG:4326"

    def validate(self) -> None:
        """Check the order of the bounds."""
        left, bottom, right, top = self.bounds
        if not (left < right and bottom < top and all(map(math.isfinite, self.bounds))):
            raise ParameterError(f"bounds={self.bounds}", expected="left < right and bottom < top")
        parse_crs(self.crs)

    def plan(self, tile: TileSpec) -> Plan:
        """Copy every variable's part."""
        change = self._part(tile)
        calls = [Call((name,), (name,), _copied) for name in tile.variables]
        return Plan(writes=dict(tile.variables), calls=tuple(calls), grid=change)

    def _part(self, tile: TileSpec) -> Shift:
        y0, y1, x0, x1 = self._spans(tile)
        if (y1 <= y0 or x1 <= x0) and 0 not in tile.shape:
            raise self._outside(tile)
        shape = (max(y1 - y0, 0), max(x1 - x0, 0))
        first = (tile.offset[0] + y0, tile.offset[1] + x0)
        grid = tile.require_geobox(type(self).__name__)
        return Shift(grid, shape, first, tile.shape, (1.0, 1.0), (y0, x0))

    def _spans(self, tile: TileSpec) -> tuple[int, int, int, int]:
        """Return first and last row and column of the area, as far as the tile goes."""
        from odc.geo.geom import box

        grid = tile.require_geobox(type(self).__name__)
        area = box(*self.bounds, parse_crs(self.crs))
        span = max(self.bounds[2] - self.bounds[0], self.bounds[3] - self.bounds[1])
        if grid.crs is not None and area.crs != grid.crs:
            area = area.to_crs(grid.crs, resolution=span / 32)
        x, y = np.asarray(area.exterior.coords, float).T[:2]
        if not (np.isfinite(x).all() and np.isfinite(y).all()):
            raise ParameterError(
                f"bounds={self.bounds} have no place in {crs_label(grid.crs)}",
                expected=f"bounds in {self.crs}" + (", degrees" if parse_crs(self.crs).geographic else ""),
                fix=f"say what they are in: Crop(…, crs={crs_label(grid.crs)!r})",
            )
        a = grid.affine
        if a.b or a.d:
            raise ParameterError("the tile's grid is rotated", expected="an axis-aligned grid")
        rows, cols = (y - a.f) / a.e, (x - a.c) / a.a
        spans: list[int] = []
        for found, offset, size in (
            (rows, tile.offset[0], tile.shape[0]),
            (cols, tile.offset[1], tile.shape[1]),
        ):
            low, high = math.floor(found.min() + _SAME) - offset, math.ceil(found.max() - _SAME) - offset
            spans += [max(low, 0), min(max(high, low + 1), size)]
        y0, y1, x0, x1 = spans
        return y0, y1, x0, x1

    def _outside(self, tile: TileSpec) -> OutsideError:
        """Return the error for bounds that do not touch the tile; axes may have changed places."""
        own = tile.window_geobox
        place = "it" if own is None else f"{tuple(own.boundingbox.bbox)} ({crs_label(own.crs)})"
        left, bottom, right, top = self.bounds
        turned = Crop((bottom, left, top, right), self.crs)
        fix = "mind the bounds' CRS: crs=… says it"
        with suppress(ParameterError):
            y0, y1, x0, x1 = turned._spans(tile)
            if y0 < y1 and x0 < x1:
                fix = f"bounds are left, bottom, right, top: {turned.bounds}"
        return OutsideError(
            f"the bounds {self.bounds} ({self.crs}) lie outside the tile",
            expected=f"an area that touches {place}",
            fix=fix,
        )
