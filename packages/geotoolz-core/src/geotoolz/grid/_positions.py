"""Where the pixels of one grid lie on another: a control lattice anchored at the target's pixel (0, 0).

Positions between the nodes are interpolated from the four nodes around them, which depend on the
pixel's absolute index alone: a window has the positions that the whole grid has. The distance between
nodes is chosen so that no interpolated position is off by more than `TOLERANCE`; where nodes have no
place in the source's reference system, or lie on both sides of its antimeridian, every pixel is
transformed exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.core import Extent

if TYPE_CHECKING:
    from affine import Affine
    from odc.geo.crs import CRS
    from odc.geo.geobox import GeoBox

Array = np.ndarray[Any, Any]
TOLERANCE = 1 / 256
"""Largest error of a position in source pixels; GDAL's warper allows 1/8 by default."""
_STEPS = (64, 32, 16, 8, 4, 2)
_QUANTUM = 65536.0  # positions on a common lattice are exact halves and wholes, not nearly so


@lru_cache(maxsize=64)
def transformer(source: CRS, target: CRS) -> Any:
    """Return pyproj's transformation between two reference systems, x first."""
    from pyproj import Transformer

    return Transformer.from_crs(source.proj, target.proj, always_xy=True)


@dataclass(frozen=True)
class Positions:
    """Where the pixels of `target` lie on `source`, in source pixels from its first pixel's corner.

    The nodes of the pixels `within` are kept: windows of them are cut out, not computed again.
    """

    source: GeoBox
    target: GeoBox
    within: Extent | None = None

    @cached_property
    def step(self) -> int:
        """Target pixels between nodes; 0 where every pixel is transformed, -1 for one affine transform."""
        return -1 if self.source.crs == self.target.crs else _step(self.source, self.target)

    def at(self, extent: Extent, corners: bool) -> tuple[Array, Array]:
        """Return rows and columns of pixel centres, or of pixel corners.

        Parameters
        ----------
        extent : Extent
            Target pixels on the lattice of `target`.
        corners : bool
            Return the corners, one row and column more.

        Returns
        -------
        rows, cols : array of float64
            NaN where a pixel has no place in the source's reference system.
        """
        more, shift = (1, 0.0) if corners else (0, 0.5)
        v = np.arange(extent.y0, extent.y1 + more) + shift
        u = np.arange(extent.x0, extent.x1 + more) + shift
        step = self.step
        if step <= 0:
            return self.exact(v, u)
        from geotoolz.grid import _loops

        rows, cols = np.empty((v.size, u.size)), np.empty((v.size, u.size))
        k0, l0, nodes = self._nodes(extent, step)
        for plane, out in zip(nodes, (rows, cols), strict=True):
            _loops.interpolate(np.ascontiguousarray(plane), step, k0, l0, extent.y0, extent.x0, shift, out)
        if not self._clean:
            self._mend(nodes, (k0, l0), step, (v, u), (rows, cols))
        return rows, cols

    def exact(self, v: Array, u: Array) -> tuple[Array, Array]:
        """Return the exact positions of a grid of target coordinates (rows `v`, columns `u`)."""
        if self.source.crs == self.target.crs:
            return _affine(self.source.affine, self.target.affine, v, u)
        a = self.target.affine
        x = a.a * u[None, :] + a.b * v[:, None] + a.c
        y = a.d * u[None, :] + a.e * v[:, None] + a.f
        x, y = transformer(self.target.crs, self.source.crs).transform(x, y)
        rows, cols = _pixels(self.source.affine, x, y)
        gone = ~(np.isfinite(rows) & np.isfinite(cols))
        rows[gone] = cols[gone] = np.nan
        return rows, cols

    def hull(self, extent: Extent) -> tuple[float, float, float, float] | None:
        """Return an interval of rows and one of columns that hold all positions of an extent.

        None where no pixel has a place in the source.
        """
        step = self.step
        if step > 0:
            nodes = self._nodes(extent, step)[2]
            if self._clean or not _bad(nodes, self.source).any():
                # a surface that is bilinear in every cell has its extremes at the corners of the cells' parts
                rows, cols = _at_ticks(nodes, extent, step)
                return float(rows.min()), float(rows.max()), float(cols.min()), float(cols.max())
        if step < 0:
            ends_v = np.array([extent.y0, extent.y1], float)
            rows, cols = self.exact(ends_v, np.array([extent.x0, extent.x1], float))
        else:
            rows, cols = self.at(extent, corners=True)
        has = np.isfinite(rows)
        if not has.any():
            return None
        rows, cols = rows[has], cols[has]
        return float(rows.min()), float(rows.max()), float(cols.min()), float(cols.max())

    def _nodes(self, extent: Extent, step: int) -> tuple[int, int, Array]:
        k0, k1, l0, l1 = _cells(extent, step)
        if self.within is not None:
            a0, a1, b0, b1 = _cells(self.within, step)
            if a0 <= k0 and k1 <= a1 and b0 <= l0 and l1 <= b1:
                return k0, l0, self._kept[:, k0 - a0 : k1 - a0, l0 - b0 : l1 - b0]
        return k0, l0, self._computed(k0, k1, l0, l1)

    def _computed(self, k0: int, k1: int, l0: int, l1: int) -> Array:
        step = float(self.step)
        return np.stack(self.exact(np.arange(k0, k1) * step, np.arange(l0, l1) * step))

    @cached_property
    def _kept(self) -> Array:
        """The nodes of all pixels within."""
        return self._computed(*_cells(self.within or Extent(0, 0, 0, 0), self.step))

    @cached_property
    def _clean(self) -> bool:
        """Whether no cell within needs mending."""
        return self.within is not None and self.step > 0 and not _bad(self._kept, self.source).any()

    def _mend(
        self,
        nodes: Array,
        first: tuple[int, int],
        step: int,
        at: tuple[Array, Array],
        out: tuple[Array, Array],
    ) -> None:
        """Transform the pixels of those cells exactly that cannot be interpolated."""
        bad = _bad(nodes, self.source)
        for k, n in zip(*np.nonzero(bad), strict=True):
            inside = [
                np.nonzero((place >= low) & (place < low + step))[0]
                for place, low in zip(at, ((first[0] + k) * step, (first[1] + n) * step), strict=True)
            ]
            if inside[0].size and inside[1].size:
                where = (slice(inside[0][0], inside[0][-1] + 1), slice(inside[1][0], inside[1][-1] + 1))
                out[0][where], out[1][where] = self.exact(at[0][inside[0]], at[1][inside[1]])


def _cells(extent: Extent, step: int) -> tuple[int, int, int, int]:
    """Return the nodes around an extent: first and one past the last, down and across."""
    return (extent.y0 // step, extent.y1 // step + 2, extent.x0 // step, extent.x1 // step + 2)


def _at_ticks(nodes: Array, extent: Extent, step: int) -> Array:
    """Return positions at the extent's corners and wherever its edges or inside meet lines of nodes."""
    for axis, (low, high) in ((1, (extent.y0, extent.y1)), (2, (extent.x0, extent.x1))):
        first = low // step
        ticks = np.array([low, *range((first + 1) * step, high, step), high])
        cell = np.minimum(ticks // step - first, nodes.shape[axis] - 2)
        part = ((ticks - (cell + first) * step) / step).reshape((-1, 1) if axis == 1 else (-1,))
        left, right = np.take(nodes, cell, axis=axis), np.take(nodes, cell + 1, axis=axis)
        nodes = left + (right - left) * part
    return nodes


def _bad(nodes: Array, source: GeoBox) -> Array:
    """Tell which cells have a node without a place, or nodes half a world apart."""
    with np.errstate(invalid="ignore"):
        corners = np.stack([nodes[:, :-1, :-1], nodes[:, :-1, 1:], nodes[:, 1:, :-1], nodes[:, 1:, 1:]])
        bad: Array = ~np.isfinite(corners).all(axis=(0, 1))
        if source.crs is not None and source.crs.geographic:
            cols = corners[:, 1]
            bad |= (cols.max(axis=0) - cols.min(axis=0)) * abs(source.affine.a) > 180.0
    return bad


def _affine(source: Affine, target: Affine, v: Array, u: Array) -> tuple[Array, Array]:
    """Return positions between two grids of one reference system."""
    if source.b == source.d == target.b == target.d == 0:
        rows = (target.f - source.f) / source.e + v * (target.e / source.e)
        cols = (target.c - source.c) / source.a + u * (target.a / source.a)
        rows, cols = np.round(rows * _QUANTUM) / _QUANTUM, np.round(cols * _QUANTUM) / _QUANTUM
        return np.repeat(rows[:, None], u.size, axis=1), np.repeat(cols[None, :], v.size, axis=0)
    x = target.a * u[None, :] + target.b * v[:, None] + target.c
    y = target.d * u[None, :] + target.e * v[:, None] + target.f
    rows, cols = _pixels(source, x, y)
    return np.round(rows * _QUANTUM) / _QUANTUM, np.round(cols * _QUANTUM) / _QUANTUM


def _pixels(affine: Affine, x: Array, y: Array) -> tuple[Array, Array]:
    """Return rows and columns of places, in pixels."""
    dx, dy = x - affine.c, y - affine.f
    if affine.b == 0 and affine.d == 0:
        return dy / affine.e, dx / affine.a
    det = affine.a * affine.e - affine.b * affine.d
    return (affine.a * dy - affine.d * dx) / det, (affine.e * dx - affine.b * dy) / det


@lru_cache(maxsize=256)
def _step(source: GeoBox, target: GeoBox) -> int:
    """Return the widest lattice whose cells keep the tolerance, with twice the tolerance to spare.

    Cells all over the target are tried, its corners and edges among them.
    """
    positions = Positions(source, target)
    height, width = map(int, target.shape)
    for step in _STEPS:
        spots_v = np.unique(np.linspace(0, max(height - 1, 0) // step, 9).astype(int)) * step
        spots_u = np.unique(np.linspace(0, max(width - 1, 0) // step, 9).astype(int)) * step
        parts = np.array([0.0, 0.25, 0.5, 0.75, 1.0])
        v, u = (spots[:, None] + parts * step for spots in (spots_v, spots_u))
        found = np.stack(positions.exact(v.ravel(), u.ravel())).reshape(2, len(spots_v), 5, len(spots_u), 5)
        if _deviation(found, parts, source) <= TOLERANCE / 2:
            return step
    return 0


def _deviation(found: Array, parts: Array, source: GeoBox) -> float:
    """Return how far interpolated positions are off within the tried cells."""
    edges = found[:, :, :1] + (found[:, :, -1:] - found[:, :, :1]) * parts[:, None, None]
    guess = edges[..., :1] + (edges[..., -1:] - edges[..., :1]) * parts
    off = np.abs(guess - found)
    usable = np.isfinite(found).all(axis=(0, 2, 4))
    if source.crs is not None and source.crs.geographic:
        spread = found[1].max(axis=(1, 3)) - found[1].min(axis=(1, 3))
        usable &= spread * abs(source.affine.a) <= 180.0
    off = off.max(axis=(0, 2, 4))[usable]
    return float(off.max()) if off.size else np.inf
