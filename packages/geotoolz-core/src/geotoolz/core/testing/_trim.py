"""A step that moves the tile's first pixel: what follows it does not begin at its lattice's (0, 0)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from geotoolz.core._compile import Program
from geotoolz.core._extent import Extent
from geotoolz.core._map import Map
from geotoolz.core._regrid import GridChange
from geotoolz.core._specs import Call, Plan, TileSpec


@dataclass(frozen=True)
class _Later(GridChange):
    rows: int = 0
    cols: int = 0

    def backward(self, extent: Extent) -> Extent:
        return extent.moved((self.rows, self.cols))


def _copied(array: np.ndarray[Any, Any], *, extent: Extent, source: Extent) -> np.ndarray[Any, Any]:
    out = np.empty((*array.shape[:-2], *extent.shape), array.dtype)
    if out.size:
        out[...] = array
    return out


class _Trim(Map):
    """Cut the first rows and columns off a tile; the lattice stays, and the tile's offset on it grows."""

    rows: int = 1
    cols: int = 3

    def plan(self, tile: TileSpec) -> Plan:
        shape = (max(tile.shape[0] - self.rows, 0), max(tile.shape[1] - self.cols, 0))
        offset = (tile.offset[0] + self.rows, tile.offset[1] + self.cols)
        box = tile.require_geobox("the tile under contract")
        change = _Later(box, shape, offset, tile.shape, (1.0, 1.0), self.rows, self.cols)
        calls = tuple(Call((name,), (name,), _copied) for name in tile.variables)
        return Plan(writes=dict(tile.variables), calls=calls, grid=change)


def depends_on_place(program: Program) -> bool:
    """Whether a kernel is told where it is, or changes the grid."""
    return any(step.located or step.change is not None for step in program.instructions)
