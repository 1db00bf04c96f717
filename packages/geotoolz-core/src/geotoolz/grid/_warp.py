"""Resampling a tile onto another grid: windows mapped backwards, and the kernel that fills them."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from geotoolz.core import Extent, GridChange
from geotoolz.grid._positions import Array, Positions

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

Method = Literal["nearest", "bilinear", "cubic", "average", "mode"]
_MARGIN = {"nearest": 1, "bilinear": 2, "cubic": 3, "average": 1, "mode": 1}
_BY_AREA = ("average", "mode")
_PIXELS = 65_536  # positions are made for so many pixels at a time: they stay in the cache
_last = threading.local()  # bands follow each other on one window: what it needs is found once for them
_INSIDE = 0.01  # a pixel centre so little beyond the source's edge takes the edge's pixel


@dataclass(frozen=True)
class Warp(GridChange):
    """A change from one grid to any other.

    Parameters
    ----------
    geobox, shape, offset, source_shape, scale
        As `GridChange` says.
    source_geobox : GeoBox
        The input's parent grid.
    source_offset : tuple of int
        Row and column of the input tile's first pixel on its lattice.
    """

    source_geobox: GeoBox | None = None
    source_offset: tuple[int, int] = (0, 0)

    @cached_property
    def positions(self) -> Positions:
        """Where the output's pixels lie in the input."""
        if self.source_geobox is None:
            raise TypeError("a Warp needs the grid it comes from")
        within = Extent(0, self.shape[0], 0, self.shape[1]).moved(self.offset)
        return Positions(self.source_geobox, self.geobox, within)

    def backward(self, extent: Extent) -> Extent:
        """Return the input pixels that any method needs for these output pixels."""
        if 0 in extent.shape:
            return Extent(0, 0, 0, 0)
        held = getattr(_last, "needed", None)
        if held is None or held[0] is not self or held[1] != extent:
            held = _last.needed = (self, extent, self._backward(extent))
        found: Extent = held[2]
        return found

    def _backward(self, extent: Extent) -> Extent:
        hull = self.positions.hull(extent.moved(self.offset))
        if hull is None:
            return Extent(0, 0, 0, 0)
        margin = max(_MARGIN.values())
        y0, y1, x0, x1 = hull
        found = Extent(*(math.floor(v) for v in (y0 - margin, y1 + margin + 1, x0 - margin, x1 + margin + 1)))
        return found.moved((-self.source_offset[0], -self.source_offset[1]))

    def needed_by_all(self) -> Extent:
        """Return the input pixels that the whole output needs."""
        return self.needed(Extent(0, self.shape[0], 0, self.shape[1]))

    @cached_property
    def covered(self) -> bool:
        """Whether every output pixel has its centre in the input, as far as a net of samples tells."""
        if 0 in self.shape:
            return True
        height, width = self.shape
        v = np.unique(np.linspace(0.5, height - 0.5, 33)) + self.offset[0]
        u = np.unique(np.linspace(0.5, width - 0.5, 33)) + self.offset[1]
        dense_v, dense_u = (np.linspace(a[0], a[-1], 257) for a in (v, u))
        ends = [self.positions.exact(v, u), self.positions.exact(dense_v, u[[0, -1]]),
                self.positions.exact(v[[0, -1]], dense_u)]  # fmt: skip
        for axis, size in enumerate(self.source_shape):
            found = np.concatenate([pair[axis].ravel() for pair in ends]) - self.source_offset[axis]
            if not (found.min() >= -_INSIDE and found.max() <= size + _INSIDE):
                return False
        return True


def _positions(warp: Warp, extent: Extent, corners: bool) -> tuple[Array, Array]:
    held = getattr(_last, "held", None)
    if held is not None and held[0] is warp and held[1] == (extent, corners):
        return held[2]  # type: ignore[no-any-return]
    found = warp.positions.at(extent, corners)
    _last.held = (warp, (extent, corners), found)
    return found


def resampled(
    array: Array, warp: Warp, method: Method, nodata: float, fill: Any, *, extent: Extent, source: Extent
) -> Array:
    """Return the pixels of a window of the output.

    Parameters
    ----------
    array : array, (…, y, x)
        Input pixels.
    warp : Warp
        From which grid to which.
    method : str
        How they are resampled.
    nodata : float
        The value without data; NaN for none besides NaN.
    fill : number
        What stands where there is no data.
    extent, source : Extent
        The wanted output pixels, and the input pixels, each on its parent's lattice.
    """
    lead, (height, width) = array.shape[:-2], extent.shape
    block = np.ascontiguousarray(array).view(np.uint8 if array.dtype == np.bool_ else array.dtype)
    block = block.reshape((math.prod(lead), *array.shape[-2:])).view()
    block.flags.writeable = False
    out = np.empty((*lead, height, width), array.dtype)
    planes = out.view(block.dtype).reshape((block.shape[0], height, width))
    value, nodata = block.dtype.type(fill), float(nodata)
    if 0 in block.shape[-2:] or 0 in (height, width):
        planes[...] = value
        return out
    rows = max(1, _PIXELS // width)
    for start in range(0, height, rows):
        stop = min(start + rows, height)
        part = Extent(extent.y0 + start, extent.y0 + stop, extent.x0, extent.x1)
        _fill(planes[:, start:stop], block, warp, method, nodata, value, part, source)
    return out


def _fill(
    out: Array, block: Array, warp: Warp, method: str, nodata: float, fill: Any, part: Extent, source: Extent
) -> None:
    """Run one of the loops on some rows."""
    from geotoolz.grid import _loops

    rows, cols = _positions(warp, part, method in _BY_AREA)
    if warp.covered and method not in _BY_AREA:
        rows, cols = _onto_edge(rows, warp, 0), _onto_edge(cols, warp, 1)
    place = (source.y0, source.x0, rows, cols, fill)
    if method == "nearest":
        _loops.nearest(out, block, *place)
        return
    if method == "mode":
        _loops.mode(out, block, *place, nodata, _most(rows, cols))
        return
    whole = block.dtype.kind in "iu"
    low, high = (np.iinfo(block.dtype).min, np.iinfo(block.dtype).max) if whole else (-math.inf, math.inf)
    loop = {"bilinear": _loops.bilinear, "cubic": _loops.cubic, "average": _loops.average}[method]
    loop(out, block, *place, nodata, whole, float(low), float(high))


def interpolated(values: Array, rows: Array, cols: Array) -> Array:
    """Return bilinear values at positions in a block of float64 pixels, NaN where there is no data.

    Parameters
    ----------
    values : array of float64, (y, x)
        Pixels; NaN for no-data.
    rows, cols : array of float64
        Positions in pixels from the block's first corner.
    """
    from geotoolz.grid import _loops

    out = np.empty((1, *rows.shape))
    block = np.ascontiguousarray(values)[None]
    block.flags.writeable = False
    limits = (math.nan, False, -math.inf, math.inf)
    _loops.bilinear(
        out, block, 0, 0, np.ascontiguousarray(rows), np.ascontiguousarray(cols), math.nan, *limits
    )
    found: Array = out[0]
    return found


def _onto_edge(found: Array, warp: Warp, axis: int) -> Array:
    """Move positions a hair beyond the edge of a source that covers the target onto its last pixels."""
    low = warp.source_offset[axis]
    high = np.nextafter(low + warp.source_shape[axis], -np.inf)
    if low <= found.min() and found.max() <= high:
        return found
    return np.clip(found, low, high)


def _most(rows: Array, cols: Array) -> int:
    """Return how many pixels a box between four corners may touch."""
    with np.errstate(invalid="ignore"):
        sides = []
        for plane in (rows, cols):
            corners = np.stack([plane[:-1, :-1], plane[:-1, 1:], plane[1:, :-1], plane[1:, 1:]])
            span = corners.max(axis=0) - corners.min(axis=0)
            span = span[np.isfinite(span)]
            sides.append(math.ceil(float(span.max())) + 2 if span.size else 1)
    return sides[0] * sides[1]
