"""The statistic of an A/B: two variables, pixel by pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from geotoolz.core import Extent, Plan, Reduce, TileSpec
from geotoolz.diff._counts import GATHERERS, Gathered, Side

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Compared:
    """What `Compare` finds.

    Attributes
    ----------
    gathered : Gathered
    thumbs : array
        Every n-th pixel of both, as float32 with NaN for no-data: (2, rows, columns).
    """

    gathered: Gathered
    thumbs: Array


class Compare(Reduce):
    """Two variables of one shape, pixel by pixel; made by the joint run, never part of a pipeline.

    Parameters
    ----------
    kind : str
        "continuous", "probability" or "classes".
    nodata_a, nodata_b : float
        NaN where there is none.
    scale_a, scale_b : float
        What stored values are multiplied with.
    step : int
        Every n-th pixel is kept for the pictures.
    """

    kind: str
    nodata_a: float
    nodata_b: float
    scale_a: float = 1.0
    scale_b: float = 1.0
    step: int = 1

    located: ClassVar[bool] = True
    block_pixels: ClassVar[int] = 1 << 20

    def plan(self, tile: TileSpec) -> Plan:
        """Read nothing by name: the joint run says which slots are compared."""
        return Plan()

    def init(self, tile: TileSpec, previous: Any = None) -> CompareState:
        """Return empty counts."""
        return CompareState(self, tile)

    def update(self, state: CompareState, *arrays: Array, extent: Extent | None = None) -> CompareState:
        """Take in the pixels of a block; without its place, of the whole tile."""
        one, two = arrays
        state.take(one, two, extent)
        return state

    def merge(self, a: CompareState, b: CompareState) -> CompareState:
        """Add the counts of two workers."""
        a.gatherer.merge(b.gatherer)
        a.thumbs = np.where(np.isnan(a.thumbs), b.thumbs, a.thumbs)
        return a

    def finish(self, state: CompareState) -> Compared:
        """Return what was found."""
        return Compared(state.gatherer.finish(), state.thumbs)


class CompareState:
    """Counts, and every n-th pixel."""

    def __init__(self, op: Compare, tile: TileSpec) -> None:
        self.sides = (Side(op.nodata_a, op.scale_a), Side(op.nodata_b, op.scale_b))
        self.gatherer: Any = GATHERERS[op.kind](*self.sides)
        self.step = op.step
        self.offset = tile.offset
        rows, cols = (-(-size // op.step) for size in tile.shape)
        self.thumbs = np.full((2, rows, cols), np.nan, np.float32)

    def take(self, a: Array, b: Array, extent: Extent | None) -> None:
        """Take in the pixels of a block."""
        self.gatherer.take(a, b)
        y, x = (0, 0) if extent is None else (extent.y0 - self.offset[0], extent.x0 - self.offset[1])
        top, left = -y % self.step, -x % self.step
        for thumb, values, side in zip(self.thumbs, (a, b), self.sides, strict=True):
            if not values.size:
                continue
            plane = values.reshape(-1, *values.shape[-2:])[-1][top :: self.step, left :: self.step]
            kept = np.where(plane == side.nodata, np.nan, plane * np.float32(side.scale))
            row, col = (y + top) // self.step, (x + left) // self.step
            thumb[row : row + kept.shape[0], col : col + kept.shape[1]] = kept
