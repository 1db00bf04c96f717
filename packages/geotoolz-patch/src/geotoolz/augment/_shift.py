"""Other parts of the ground: random crops and shifts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from geotoolz.augment._base import Augmentation, Gated
from geotoolz.augment._draws import Draws
from geotoolz.augment._turn import check_planes
from geotoolz.core import (
    Call,
    Extent,
    GridChange,
    OutsideError,
    ParameterError,
    Plan,
    TileError,
    TileSpec,
    VarSpec,
)

Size = int | tuple[int, int]


@dataclass(frozen=True)
class Moved(GridChange):
    """Another rectangle of the same pixels' lattice."""

    by: tuple[int, int] = (0, 0)

    def backward(self, extent: Extent) -> Extent:
        """Return the same pixels, counted from the input's first."""
        return extent.moved(self.by)


def _moved(
    array: np.ndarray[Any, Any], fill: float, first: tuple[int, int], *, extent: Extent, source: Extent
) -> np.ndarray[Any, Any]:
    """Return the pixels of `extent`, with `fill` where `source` does not reach.

    `first` is where the new tile begins on the old tile's lattice.
    """
    if extent.moved(first) == source:
        return array.copy()
    out = np.full((*array.shape[:-2], *extent.shape), fill, array.dtype)
    if out.size and array.size:
        source.moved((-first[0] - extent.y0, -first[1] - extent.x0)).of(out)[...] = array
    return out


def moved(tile: TileSpec, needed_by: str, by: tuple[int, int], shape: tuple[int, int], fill: int) -> Plan:
    """Return the plan that takes a rectangle of a tile's lattice; it may reach beyond the tile."""
    from odc.geo.geobox import GeoBox

    check_planes(tile, needed_by)
    box = tile.window_geobox
    if box is None:
        raise TileError(
            f"{needed_by} needs the tile's grid, and the tile has none", fix="as_tile(ds, geobox=…)"
        )
    t = box.affine
    corner = type(t)(t.a, 0.0, t.c + t.a * by[1], 0.0, t.e, t.f + t.e * by[0])
    # a grid of its own: what is drawn per pixel counts from here, in one run or step by step
    change = Moved(GeoBox(shape, corner, box.crs), shape, (0, 0), tile.shape, (1.0, 1.0), by)
    first = (tile.offset[0] + by[0], tile.offset[1] + by[1])
    calls = tuple(
        Call((name,), (name,), _moved, (_outside(name, spec, fill, needed_by), first))
        for name, spec in tile.variables.items()
    )
    return Plan(writes=dict(tile.variables), calls=calls, grid=change)


def _outside(name: str, spec: VarSpec, fill: int, needed_by: str) -> float | int | bool:
    """Return what a variable holds outside the tile."""
    if spec.dtype.kind == "b" and spec.nodata is None:
        return False
    value = fill if spec.nodata is None else spec.nodata
    if spec.dtype.kind in "iu":
        info = np.iinfo(spec.dtype)
        if value != value or value != int(value) or not info.min <= value <= info.max:
            said = f"fill={fill}" if spec.nodata is None else f"the no-data value {spec.nodata}"
            raise ParameterError(
                f"{needed_by}: {said} does not fit {name!r} ({spec.dtype})",
                expected=f"a whole number from {info.min} to {info.max}",
            )
    return value


class RandomCrop(Augmentation):
    """Take a part of the tile, of a fixed size, at a random place.

    Reads and writes every variable, untouched; the lattice of the pixels stays. Every place inside the tile
    is equally likely.

    Parameters
    ----------
    size : int or tuple of int
        Rows and columns of the part; one number for both.
    seed : int
        Seed of the draws.

    Raises
    ------
    ParameterError
        If the size is not positive.
    OutsideError
        If the tile is smaller.

    Examples
    --------
    >>> from geotoolz.augment import RandomCrop
    >>> from geotoolz.core.testing import simulate_scene
    >>> tile = simulate_scene((16, 16), bands=("red",))
    >>> part = RandomCrop(8)(tile)
    >>> part.red.shape, part.red.equals(tile.red.sel(y=part.y, x=part.x))
    ((8, 8), True)
    """

    size: Size

    def validate(self) -> None:
        """Check the size."""
        if min(_both(self.size)) < 1:
            raise ParameterError(f"size={self.size}", expected="at least one row and column")

    def drawn(self, tile: TileSpec, draws: Draws) -> Plan:
        """Take a part of every variable."""
        rows, cols = _both(self.size)
        height, width = tile.shape
        if rows > height or cols > width:
            raise OutsideError(
                f"RandomCrop takes {rows} × {cols} pixels, and the tile has {height} × {width}",
                expected="a tile at least as large",
                fix="take a smaller size",
            )
        by = (draws.below(height - rows + 1, "row"), draws.below(width - cols + 1, "column"))
        return moved(tile, "RandomCrop", by, (rows, cols), 0)


class RandomShift(Gated):
    """Move the frame over the ground by whole pixels, in both directions.

    Reads and writes every variable; the tile keeps its size, and its grid moves along. What lies outside
    the original tile has no data: the no-data value of the variable, False in masks, and `fill` in integers
    without a no-data value. No value is interpolated.

    Parameters
    ----------
    pixels : int or tuple of int
        How many rows and columns at most; one number for both.
    fill : int
        What integers without a no-data value (labels) hold outside the tile; give the label that the loss
        ignores.
    p : float
        Probability that the tile is shifted.
    seed : int
        Seed of the draws.

    Raises
    ------
    ParameterError
        If the shift is negative, or `fill` does not fit a variable.

    Examples
    --------
    >>> from geotoolz.augment import RandomShift
    >>> from geotoolz.core.testing import simulate_scene
    >>> tile = simulate_scene((16, 16), bands=("red",))
    >>> away = RandomShift(4).draw(tile, chip=2)
    >>> away.red.shape, away.red.reindex_like(tile).fillna(tile.red).equals(tile.red)
    ((16, 16), True)
    """

    pixels: Size = 16
    fill: int = 0

    def validate(self) -> None:
        """Check the shift."""
        super().validate()
        if min(_both(self.pixels)) < 0:
            raise ParameterError(f"pixels={self.pixels}", expected="0 or more")

    def drawn(self, tile: TileSpec, draws: Draws) -> Plan:
        """Move the frame."""
        rows, cols = _both(self.pixels)
        by = (draws.below(2 * rows + 1, "rows") - rows, draws.below(2 * cols + 1, "columns") - cols)
        return moved(tile, "RandomShift", by, tile.shape, self.fill) if any(by) else Plan()


def _both(size: Size) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else size
