"""Flips and quarter turns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.augment._base import Augmentation, Gated
from geotoolz.augment._draws import Draws, check_chance
from geotoolz.augment._turn_crs import turned_crs
from geotoolz.core import Call, Extent, GridChange, Plan, TileError, TileSpec

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox


@dataclass(frozen=True)
class Turned(GridChange):
    """The same pixels in another order: rows and columns reversed, or exchanged."""

    flip_rows: bool = False
    flip_cols: bool = False
    exchange: bool = False

    def backward(self, extent: Extent) -> Extent:
        """Return where these pixels came from."""
        y0, y1, x0, x1 = extent
        if self.exchange:
            y0, y1, x0, x1 = x0, x1, y0, y1
        height, width = self.source_shape
        if self.flip_rows:
            y0, y1 = height - y1, height - y0
        if self.flip_cols:
            x0, x1 = width - x1, width - x0
        return Extent(y0, y1, x0, x1)


def _reordered(
    array: np.ndarray[Any, Any], change: Turned, *, extent: Extent, source: Extent
) -> np.ndarray[Any, Any]:
    """Return the pixels of `extent`; `array` holds those they came from, no more and no less."""
    if 0 in extent.shape:
        return np.empty((*array.shape[:-2], *extent.shape), array.dtype)
    moved = array[..., :: -1 if change.flip_rows else 1, :: -1 if change.flip_cols else 1]
    if change.exchange:
        moved = moved.swapaxes(-1, -2)
    return moved.copy(order="C")


def turned(tile: TileSpec, needed_by: str, rows: bool, cols: bool, exchange: bool = False) -> Plan:
    """Return the plan that reverses rows and columns, then exchanges them, of every variable."""
    check_planes(tile, needed_by)
    if exchange:
        tile.require_geobox(needed_by)
    box = tile.window_geobox
    if box is None:
        raise TileError(
            f"{needed_by} needs the tile's grid, and the tile has none", fix="as_tile(ds, geobox=…)"
        )
    height, width = tile.shape
    shape = (width, height) if exchange else (height, width)
    grid = turned_geobox(box, needed_by, rows, cols, exchange)
    change = Turned(grid, shape, (0, 0), tile.shape, (1.0, 1.0), rows, cols, exchange)
    calls = tuple(Call((name,), (name,), _reordered, (change,)) for name in tile.variables)
    return Plan(writes=dict(tile.variables), calls=calls, grid=change)


def turned_geobox(box: GeoBox, needed_by: str, rows: bool, cols: bool, exchange: bool) -> GeoBox:
    """Return the grid on which the reordered pixels lie where they lay before."""
    from odc.geo.geobox import GeoBox

    t, (height, width) = box.affine, map(int, box.shape)
    dx, x = (-t.a, t.c + t.a * width) if cols else (t.a, t.c)
    dy, y = (-t.e, t.f + t.e * height) if rows else (t.e, t.f)
    if not exchange:
        return GeoBox((height, width), type(t)(dx, 0.0, x, 0.0, dy, y), box.crs)
    crs, back = turned_crs(box.crs, needed_by)
    # turned coordinates are (y, −x); the way back from (u, v) is (−v, u)
    affine = type(t)(-dy, 0.0, -y, 0.0, dx, x) if back else type(t)(dy, 0.0, y, 0.0, -dx, -x)
    return GeoBox((width, height), affine, crs)


def check_planes(tile: TileSpec, needed_by: str) -> None:
    """Raise for a variable that does not lie on the tile's rows and columns."""
    for name, spec in tile.variables.items():
        if spec.dims[-2:] != ("y", "x"):
            raise TileError(
                f"{needed_by} moves pixels, and {name!r} has dims {spec.dims}",
                expected="the last dims (y, x)",
                fix="leave it out with SelectBands, or call geotoolz.core.as_tile(ds)",
            )


class RandomFlip(Gated):
    """Mirror the tile left to right and top to bottom, each with a probability.

    Reads and writes every variable: bands, labels and masks move together, and no value changes. The grid
    follows: a tile that was mirrored top to bottom has ascending ``y``, one mirrored left to right
    descending ``x``, and every pixel keeps its place on the ground.

    Parameters
    ----------
    p_horizontal, p_vertical : float
        Probability that left and right, and that top and bottom change places.
    p : float
        Probability that the tile is considered at all.
    seed : int
        Seed of the draws.

    Raises
    ------
    ParameterError
        For what is no probability.

    Examples
    --------
    >>> from geotoolz.augment import RandomFlip
    >>> from geotoolz.core.testing import simulate_scene
    >>> tile = simulate_scene((8, 8), bands=("red",))
    >>> flipped = RandomFlip(p_horizontal=0.0, p_vertical=1.0)(tile)
    >>> bool((flipped.y.diff("y") > 0).all()), flipped.red.sel(y=tile.y).equals(tile.red)
    (True, True)
    """

    p_horizontal: float = 0.5
    p_vertical: float = 0.5

    def validate(self) -> None:
        """Check the probabilities."""
        super().validate()
        check_chance("p_horizontal", self.p_horizontal)
        check_chance("p_vertical", self.p_vertical)

    def drawn(self, tile: TileSpec, draws: Draws) -> Plan:
        """Reverse rows and columns, or neither."""
        rows = draws.unit("vertical") < self.p_vertical
        cols = draws.unit("horizontal") < self.p_horizontal
        return turned(tile, "RandomFlip", rows, cols) if rows or cols else Plan()


class RandomRotate90(Augmentation):
    """Turn the tile by one, two or three quarters, counter-clockwise.

    Reads and writes every variable: bands, labels and masks move together, and no value changes. The grid
    follows, so that every pixel keeps its place on the ground. After half a turn both pixel steps have the
    other sign. After a quarter the rows run along the other axis, which a pixel step cannot say: the CRS
    then has the axes (northing, westing), and turning on leads back to the original. A tile that is not
    square gets the other sides.

    Parameters
    ----------
    p : float
        Probability that the tile is turned; the three turns are equally likely.
    seed : int
        Seed of the draws.

    Raises
    ------
    MissingCRSError
        If the tile has no CRS and is to be turned by a quarter.
    QuantityError
        If its CRS counts in degrees, or is web Mercator.

    Examples
    --------
    >>> from geotoolz.augment import RandomRotate90
    >>> from geotoolz.core import geobox_of
    >>> from geotoolz.core.testing import simulate_scene
    >>> tile = simulate_scene((8, 12), bands=("red",))
    >>> tiles = [RandomRotate90(p=1.0).draw(tile, chip=chip) for chip in range(6)]
    >>> sorted({tile.red.shape for tile in tiles})
    [(8, 12), (12, 8)]
    """

    p: float = 0.75

    def validate(self) -> None:
        """Check the probability."""
        check_chance("p", self.p)

    def drawn(self, tile: TileSpec, draws: Draws) -> Plan:
        """Reorder the pixels as `numpy.rot90` does."""
        if draws.unit("p") >= self.p:
            return Plan()
        quarters = 1 + draws.below(3, "quarters")
        return turned(tile, "RandomRotate90", quarters != 1, quarters != 3, quarters != 2)
