"""Blocks of pixels that are the same blocks in every tile of a lattice."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from geotoolz.core import Extent, GridChange, TileError, TileSpec, flat_view

Array = np.ndarray[Any, Any]
_TURN = 0.25  # grids begin on whole pixels or on halves: neither may tip over by rounding


@dataclass(frozen=True)
class Blocks(GridChange):
    """A grid whose pixels hold blocks of `size` pixels of the old one.

    Pixel `i` of the old parent grid lies in block ``floor((i + shift) / size)`` of the new one, along
    each axis.
    """

    size: tuple[int, int] = (1, 1)
    shift: tuple[int, int] = (0, 0)
    source_offset: tuple[int, int] = (0, 0)

    def backward(self, extent: Extent) -> Extent:
        """Return the pixels of these blocks."""
        (ny, nx), (sy, sx), (oy, ox) = self.size, self.shift, self.source_offset
        e = extent.moved(self.offset)
        return Extent(e.y0 * ny - sy - oy, e.y1 * ny - sy - oy, e.x0 * nx - sx - ox, e.x1 * nx - sx - ox)


def blocks_of(tile: TileSpec, size: tuple[int, int], needed_by: str) -> Blocks:
    """Return the change to blocks that are counted from the origin of the reference system."""
    from odc.geo.geobox import GeoBox

    box = tile.geobox if tile.geobox is not None else tile.require_geobox(needed_by)
    a = box.affine
    if a.b or a.d:
        raise TileError(
            f"{needed_by} got a rotated grid", expected="an axis-aligned grid", fix="put Reproject first"
        )
    corners, shifts, counts, firsts = [], [], [], []
    for n, origin, step, length, offset, extent in (
        (size[0], a.f, a.e, int(box.shape[0]), tile.offset[0], tile.shape[0]),
        (size[1], a.c, a.a, int(box.shape[1]), tile.offset[1], tile.shape[1]),
    ):
        shift = math.floor(origin / step + _TURN) % n  # pixels of the first block before the grid's first
        corners.append(origin - shift * step)
        shifts.append(shift)
        first = (offset + shift) // n
        firsts.append(first)
        counts.append(
            ((offset + shift + extent - 1) // n - first + 1 if extent else 0, -(-(length + shift) // n))
        )
    (ny, nx), (f, c) = size, corners
    grid = GeoBox((counts[0][1], counts[1][1]), type(a)(a.a * nx, 0.0, c, 0.0, a.e * ny, f), box.crs)
    shape = (counts[0][0], counts[1][0])
    return Blocks(
        grid, shape, (firsts[0], firsts[1]), tile.shape, (float(ny), float(nx)), size,
        (shifts[0], shifts[1]), tile.offset,
    )  # fmt: skip


def block_means(values: Array, change: Blocks, nodata: float, *, extent: Extent, source: Extent) -> Array:
    """Return the mean of each block's valid pixels as float32."""
    return _looped("block_means", values, np.dtype(np.float32), change, nodata, extent, source)


def block_modes(values: Array, change: Blocks, nodata: float, *, extent: Extent, source: Extent) -> Array:
    """Return the value that most pixels of each block have."""
    seen = values.view(np.uint8) if values.dtype == np.bool_ else values
    found = _looped("block_modes", seen, seen.dtype, change, nodata, extent, source)
    return found.view(values.dtype)


def _looped(
    name: str, values: Array, dtype: Any, change: Blocks, nodata: float, extent: Extent, source: Extent
) -> Array:
    from geotoolz.sar import _block_loops

    lead = values.shape[:-2]
    planes = flat_view(values).reshape((math.prod(lead), *values.shape[-2:]))
    out = np.empty((planes.shape[0], *extent.shape), dtype)
    if out.size:
        starts = [e * n - s - first for e, n, s, first in zip(
            (extent.y0, extent.x0), change.size, change.shift, (source.y0, source.x0), strict=True
        )]  # fmt: skip
        getattr(_block_loops, name)(out, planes, nodata, *change.size, *starts)
    return out.reshape((*lead, *extent.shape))
