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

    def union(self, other: Extent) -> Extent:
        """Return the smallest extent that covers both."""
        return Extent(
            min(self.y0, other.y0), max(self.y1, other.y1), min(self.x0, other.x0), max(self.x1, other.x1)
        )

    def cut(self, array: np.ndarray[Any, Any], inner: Extent) -> np.ndarray[Any, Any]:
        """Return the part `inner` of an array that covers this extent (a view)."""
        if inner == self:
            return array
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
