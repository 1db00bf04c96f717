"""Rectangles of pixels, and which of them a kernel needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from geotoolz.core._errors import ExecutorError
from geotoolz.core._footprint import ALL, Footprint, Reach


class Extent(NamedTuple):
    """Rows ``y0 … y1 - 1`` and columns ``x0 … x1 - 1`` of a tile."""

    y0: int
    y1: int
    x0: int
    x1: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return (self.y1 - self.y0, self.x1 - self.x0)

    def grow(self, footprint: Footprint, shape: tuple[int, int], offset: tuple[int, int]) -> Extent:
        """Return the input pixels that these output pixels depend on, within the tile."""
        y0, y1 = _grow(self.y0, self.y1, footprint.y, footprint.align, shape[0], offset[0])
        x0, x1 = _grow(self.x0, self.x1, footprint.x, footprint.align, shape[1], offset[1])
        return Extent(y0, y1, x0, x1)

    def clipped(self, shape: tuple[int, int]) -> Extent:
        """Return the part inside a tile of this shape; empty where there is none."""
        y0, y1 = min(max(self.y0, 0), shape[0]), max(min(self.y1, shape[0]), 0)
        x0, x1 = min(max(self.x0, 0), shape[1]), max(min(self.x1, shape[1]), 0)
        if y1 <= y0 or x1 <= x0:
            return Extent(y0, y0, x0, x0)
        return Extent(y0, y1, x0, x1)

    def moved(self, offset: tuple[int, int]) -> Extent:
        """Return the same pixels counted from another origin."""
        return Extent(self.y0 + offset[0], self.y1 + offset[0], self.x0 + offset[1], self.x1 + offset[1])

    def union(self, other: Extent) -> Extent:
        """Return the smallest extent that covers both; an empty one adds nothing."""
        if 0 in self.shape:
            return other
        if 0 in other.shape:
            return self
        return Extent(
            min(self.y0, other.y0), max(self.y1, other.y1), min(self.x0, other.x0), max(self.x1, other.x1)
        )

    def of(self, array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Return these pixels of an array of the whole tile (a view)."""
        return array[..., self.y0 : self.y1, self.x0 : self.x1]

    def cut(self, array: np.ndarray[Any, Any], inner: Extent) -> np.ndarray[Any, Any]:
        """Return the part `inner` of an array that covers this extent (a view)."""
        if inner == self:
            return array
        if 0 in inner.shape:  # an empty part may lie anywhere
            return array[..., : inner.y1 - inner.y0, : inner.x1 - inner.x0]
        rows = slice(inner.y0 - self.y0, inner.y1 - self.y0)
        cols = slice(inner.x0 - self.x0, inner.x1 - self.x0)
        return array[..., rows, cols]


def _grow(lo: int, hi: int, reach: Reach, align: int, size: int, offset: int) -> tuple[int, int]:
    if reach == ALL:
        return 0, size
    lo, hi = lo - int(reach), hi + int(reach)
    if align > 1:  # aligned to the parent's lattice, not to this tile's first pixel
        lo = (lo + offset) // align * align - offset
        hi = -(-(hi + offset) // align) * align - offset
    return max(lo, 0), min(hi, size)


def row_blocks(shape: tuple[int, int], pixels: int) -> list[Extent]:
    """Cut a tile into bands of whole rows of about `pixels` pixels."""
    height, width = shape
    rows = max(1, pixels // max(width, 1))
    starts = range(0, height, rows) if height else [0]
    return [Extent(y, min(y + rows, height), 0, width) for y in starts]


def column_blocks(shape: tuple[int, int], pixels: int) -> list[Extent]:
    """Cut a tile into strips of whole columns of about `pixels` pixels, 64 columns at least."""
    height, width = shape
    cols = max(64, pixels // max(height, 1))
    return [Extent(0, height, x, min(x + cols, width)) for x in (range(0, width, cols) if width else [0])]


def windows(shape: tuple[int, int], size: tuple[int, int]) -> Iterator[Extent]:
    """Cut a tile into windows of a size, row by row; those at the edge are smaller.

    Raises
    ------
    ExecutorError
        If a window has less than one pixel.
    """
    if min(size) < 1:
        raise ExecutorError(f"window {size} is smaller than one pixel", expected="at least (1, 1)")
    for y in range(0, shape[0], size[0]):
        for x in range(0, shape[1], size[1]):
            yield Extent(y, min(y + size[0], shape[0]), x, min(x + size[1], shape[1]))


def check_cover(extents: Iterable[Extent], shape: tuple[int, int]) -> None:
    """Raise if windows leave the tile; overlaps and holes are the caller's business."""
    for e in extents:
        if e.y0 < 0 or e.x0 < 0 or e.y1 > shape[0] or e.x1 > shape[1] or min(e.shape) < 0:
            raise ExecutorError(f"window {tuple(e)} lies outside the tile of {shape[0]} × {shape[1]} pixels")
