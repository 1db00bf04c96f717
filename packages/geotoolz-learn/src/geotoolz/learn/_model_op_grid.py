"""The finer grid of super-resolution, and the scene that a tile is a part of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from geotoolz.core import Extent, GridChange, TileSpec


@dataclass(frozen=True)
class FinerGrid(GridChange):
    """A grid with `zoom` × `zoom` pixels for one, from the same corner.

    Parameters
    ----------
    zoom : int
        Output pixels per input pixel along an axis.
    reach : int
        How far the network looks, in input pixels.
    """

    zoom: int = 1
    reach: int = 0

    def backward(self, extent: Extent) -> Extent:
        """Return the pixels below these, and around them what the network looks at."""
        y0, y1 = extent.y0 // self.zoom - self.reach, -(-extent.y1 // self.zoom) + self.reach
        x0, x1 = extent.x0 // self.zoom - self.reach, -(-extent.x1 // self.zoom) + self.reach
        return Extent(y0, y1, x0, x1)


def finer(tile: TileSpec, zoom: int, reach: int) -> FinerGrid:
    """Return the grid that a network makes of a tile's."""
    from odc.geo.geobox import GeoBox

    box = tile.require_geobox("ModelOp")
    t: Any = box.affine
    whole = GeoBox(
        (box.shape[0] * zoom, box.shape[1] * zoom),
        type(t)(t.a / zoom, t.b / zoom, t.c, t.d / zoom, t.e / zoom, t.f),
        box.crs,
    )
    shape = (tile.shape[0] * zoom, tile.shape[1] * zoom)
    offset = (tile.offset[0] * zoom, tile.offset[1] * zoom)
    return FinerGrid(whole, shape, offset, tile.shape, (1.0, 1.0), zoom, reach)


def scene_of(tile: TileSpec) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return first pixel and size of the scene: the grid that a window is a part of, else the tile itself."""
    box, (y, x) = tile.geobox, tile.offset
    if box is not None:
        height, width = (int(n) for n in box.shape)
        if y >= 0 and y + tile.shape[0] <= height and x >= 0 and x + tile.shape[1] <= width:
            return (0, 0), (height, width)
    return tile.offset, tile.shape
