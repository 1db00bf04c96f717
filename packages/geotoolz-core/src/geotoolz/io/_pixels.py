"""Pixels of one band on a wanted lattice."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from affine import Affine

from geotoolz.core._errors import OutsideError, ReadError
from geotoolz.io._gdal import read_from
from geotoolz.io._lattice import Target, point
from geotoolz.io._resample import Array, axis, picked, quantised, resampled
from geotoolz.io._sign import Signer

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox


NoData = float | int | None
_ROWS = 512  # target rows per step: bounds the float64 temporaries


@dataclass(frozen=True)
class Source:
    """One band of a file with the grid that it lies on.

    Parameters
    ----------
    path : str
        File or URL.
    index : int
        Band, from 1.
    grid : GeoBox
        The band's own grid.
    dtype : numpy.dtype
        Of the pixels.
    nodata : float, int or None
        The pixel value that means "no data".
    nearest : bool
        Never average: flags and classes.
    sign : callable, optional
        Signs a URL when it is opened.
    turned : bool
        Whether the file begins with its southern row; the grid is north-up all the same.
    """

    path: str
    index: int
    grid: GeoBox
    dtype: np.dtype[Any]
    nodata: NoData
    nearest: bool
    sign: Signer | None = field(default=None, kw_only=True)
    turned: bool = field(default=False, kw_only=True)

    def window(self, row: int, col: int, height: int, width: int) -> Array:
        """Read pixels that lie inside the file."""
        from rasterio.windows import Window

        first = int(self.grid.shape[0]) - row - height if self.turned else row
        window = Window(col, first, width, height)
        block: Array = read_from(self.path, self.sign, lambda raster: raster.read(self.index, window=window))
        if block.shape != (height, width):
            raise ReadError(f"{self.path} gave {block.shape} pixels", expected=f"{(height, width)}")
        return np.ascontiguousarray(block[::-1]) if self.turned else block

    def place(self, target: Target) -> tuple[int, int, int, int] | None:
        """Return row, column, height and width in the file of a window that is copied from it as it is.

        None where pixels must be resampled or turned, or the window is empty or reaches beyond the file.
        """
        own = self.grid.affine
        if self.turned or self.grid.crs != target.crs or own.b != 0 or own.d != 0:
            return None
        shift = _whole_shift(own, target.anchor)
        if shift is None or target.height == 0 or target.width == 0:
            return None
        row, col = target.row + shift[0], target.col + shift[1]
        rows, cols = self.grid.shape
        inside = row >= 0 and col >= 0 and row + target.height <= rows and col + target.width <= cols
        return (row, col, target.height, target.width) if inside else None

    def valid(self, block: Array) -> Array | None:
        """Tell which pixels have data; None for all."""
        if block.dtype.kind == "f":
            bad = np.isnan(block)
            if self.nodata is not None and not math.isnan(self.nodata):
                bad |= block == self.nodata
        elif self.nodata is None:
            return None
        else:
            bad = block == self.nodata
        return ~bad if bad.any() else None


def read_together(
    path: str,
    indexes: Sequence[int],
    place: tuple[int, int, int, int],
    out: Array,
    sign: Signer | None = None,
) -> None:
    """Read a window of several bands of a file into an array; blocks that hold all bands are decoded once."""
    from rasterio.windows import Window

    row, col, height, width = place
    window = Window(col, row, width, height)
    read_from(path, sign, lambda raster: raster.read(list(indexes), window=window, out=out))


def read_band(source: Source, target: Target) -> tuple[Array, Array | None]:
    """Read a band on a window of a lattice.

    Pixels on the band's own lattice are copied. On another lattice of the same reference system
    values are averaged by area where the target is coarser and interpolated bilinearly where it is
    finer; flags and classes take the nearest pixel. In another reference system the same holds,
    with an area average first where the target is more than twice as coarse.

    Parameters
    ----------
    source : Source
        The band.
    target : Target
        The wanted window.

    Returns
    -------
    pixels : array
        In the band's own dtype where pixels were copied or picked, else float64.
    valid : array of bool or None
        Which pixels have data, where that is no longer told by the pixels: outside the file, and
        after averaging.
    """
    if source.grid.crs != target.crs:
        return _in_rows(source, target, _reprojected)
    own = source.grid.affine
    if own.b == 0 and own.d == 0:
        shift = _whole_shift(own, target.anchor)
        if shift is not None:
            return _copied(source, target, *shift)
        return _in_rows(source, target, _scaled)
    return _in_rows(source, target, _reprojected)


def _whole_shift(own: Affine, anchor: Affine) -> tuple[int, int] | None:
    """Return row and column of the lattice's origin in the file, if the lattices are one."""
    if abs(anchor.a / own.a - 1) > 1e-9 or abs(anchor.e / own.e - 1) > 1e-9:
        return None
    col, row = (anchor.c - own.c) / own.a, (anchor.f - own.f) / own.e
    near = abs(col - round(col)) < 1e-4 and abs(row - round(row)) < 1e-4
    return (round(row), round(col)) if near else None


def _copied(source: Source, target: Target, row: int, col: int) -> tuple[Array, Array | None]:
    rows, cols = source.grid.shape
    top, left = target.row + row, target.col + col
    r0, r1 = max(top, 0), min(top + target.height, rows)
    c0, c1 = max(left, 0), min(left + target.width, cols)
    if (r0, r1, c0, c1) == (top, top + target.height, left, left + target.width):
        if target.height == 0 or target.width == 0:
            return np.empty((target.height, target.width), source.dtype), None
        return source.window(r0, c0, r1 - r0, c1 - c0), None
    pixels = np.zeros((target.height, target.width), source.dtype)
    inside = np.zeros(pixels.shape, bool)
    if r1 > r0 and c1 > c0:
        place = (slice(r0 - top, r1 - top), slice(c0 - left, c1 - left))
        pixels[place] = source.window(r0, c0, r1 - r0, c1 - c0)
        inside[place] = True
    return pixels, inside


def _in_rows(source: Source, target: Target, reader: Any) -> tuple[Array, Array | None]:
    """Read in steps of some hundred rows."""
    pixels: Array | None = None
    valid: Array | None = None
    for start in range(0, max(target.height, 1), _ROWS):
        part = target.cut(slice(start, start + _ROWS), slice(None))
        values, has = reader(source, part)
        if pixels is None:
            pixels = np.empty((target.height, target.width), values.dtype)
        pixels[start : start + part.height] = values
        if has is not None:
            if valid is None:
                valid = np.ones(pixels.shape, bool)
            valid[start : start + part.height] = has
    return pixels if pixels is not None else np.empty((0, target.width), source.dtype), valid


def _scaled(source: Source, target: Target) -> tuple[Array, Array | None]:
    own, anchor = source.grid.affine, target.anchor
    size = tuple(map(int, source.grid.shape))
    rows = axis(
        (anchor.f - own.f) / own.e, anchor.e / own.e, target.row, target.height, size[0], source.nearest
    )
    cols = axis(
        (anchor.c - own.c) / own.a, anchor.a / own.a, target.col, target.width, size[1], source.nearest
    )
    (r0, r1), (c0, c1) = rows.span, cols.span
    if r1 <= r0 or c1 <= c0:
        return _nothing(source, target)
    block = source.window(r0, c0, r1 - r0, c1 - c0)
    rows, cols = rows.within(r0, r1), cols.within(c0, c1)
    if source.nearest:
        return picked(block, rows, cols)
    return _all_or_some(*resampled(block, source.valid(block), rows, cols))


def _nothing(source: Source, target: Target) -> tuple[Array, Array]:
    dtype = source.dtype if source.nearest else np.dtype(np.float64)
    shape = (target.height, target.width)
    return np.zeros(shape, dtype), np.zeros(shape, bool)


def _all_or_some(values: Array, has: Array) -> tuple[Array, Array | None]:
    return values, None if has.all() else has


def _transformer(source: Any, target: Any) -> Any:
    from geotoolz.grid._positions import transformer

    return transformer(source, target)


def _reprojected(source: Source, target: Target) -> tuple[Array, Array | None]:
    """Look every target pixel's centre up in the source; nothing is approximated."""
    if target.height == 0 or target.width == 0:
        return _nothing(source, target)
    anchor = target.anchor
    x = anchor.c + (np.arange(target.col, target.col + target.width) + 0.5) * anchor.a
    y = anchor.f + (np.arange(target.row, target.row + target.height) + 0.5) * anchor.e
    xs, ys = np.broadcast_to(x, (y.size, x.size)), np.broadcast_to(y[:, None], (y.size, x.size))
    if source.grid.crs != target.crs:
        xs, ys = _transformer(target.crs, source.grid.crs).transform(xs, ys)
    lattice = _coarser(source, target)
    inverse = ~lattice.affine
    col = inverse.a * xs + inverse.b * ys + inverse.c
    row = inverse.d * xs + inverse.e * ys + inverse.f
    outside = ~(np.isfinite(col) & np.isfinite(row))
    col, row = quantised(np.where(outside, -9.0, col)), quantised(np.where(outside, -9.0, row))
    height, width = map(int, lattice.shape)
    inside = (col >= 0) & (col < width) & (row >= 0) & (row < height)
    if not inside.any():
        return _nothing(source, target)
    r0, r1 = max(int(row[inside].min()) - 1, 0), min(int(row[inside].max()) + 2, height)
    c0, c1 = max(int(col[inside].min()) - 1, 0), min(int(col[inside].max()) + 2, width)
    crs = source.grid.crs or target.crs
    block, has = read_band(source, Target(lattice.affine, crs, r0, c0, r1 - r0, c1 - c0))
    if has is None:
        has = source.valid(block)
    if source.nearest:
        values = block[
            np.clip(row - r0, 0, r1 - r0 - 1).astype(int), np.clip(col - c0, 0, c1 - c0 - 1).astype(int)
        ]
        return values, None if inside.all() else inside
    values, found = _bilinear(block, has, row - r0, col - c0)
    return _all_or_some(values, found & inside)


def _coarser(source: Source, target: Target) -> GeoBox:
    """Return the source's grid, or one of whole multiples of its pixels where the target is coarser."""
    grid = source.grid
    own = grid.affine
    if source.nearest or own.b != 0 or own.d != 0:
        return grid
    # at the source's own centre: the factor must not depend on the window
    height, width = grid.shape
    x, y = point(own, width / 2, height / 2)
    if grid.crs != target.crs:
        there, back = _transformer(grid.crs, target.crs), _transformer(target.crs, grid.crs)
        tx, ty = there.transform(x, y)
        x, y = back.transform(tx, ty)
        x1, y1 = back.transform(tx + target.anchor.a, ty)
    else:
        x1, y1 = x + target.anchor.a, y
    step = math.hypot(x1 - x, y1 - y) / math.sqrt(abs(own.a * own.e))
    factor = int(step) if math.isfinite(step) else 1
    if factor < 2:
        return grid
    coarser = Affine(own.a * factor, own.b, own.c, own.d, own.e * factor, own.f)
    from odc.geo.geobox import GeoBox

    return GeoBox((math.ceil(height / factor), math.ceil(width / factor)), coarser, grid.crs)


def _bilinear(block: Array, has: Array | None, row: Array, col: Array) -> tuple[Array, Array]:
    """Interpolate at positions inside a block; no-data neighbours are left out."""
    from geotoolz.grid._warp import interpolated

    values = block.astype(np.float64)
    if has is not None:
        values[~has] = np.nan
    found = interpolated(values, row, col)
    return found, ~np.isnan(found)


def filled(source: Source, pixels: Array, valid: Array | None, name: str) -> Array:
    """Return pixels in the band's own dtype, with its no-data value where there is no data.

    Raises
    ------
    OutsideError
        If something must be filled and the band has no no-data value.
    """
    if pixels.dtype != source.dtype:
        rounded = np.rint(pixels) if source.dtype.kind in "iu" else pixels
        if valid is not None:
            rounded = np.where(valid, rounded, 0)
        pixels = rounded.astype(source.dtype)
    if valid is None:
        return pixels
    fill = source.nodata
    if fill is None and source.dtype.kind == "f":
        fill = math.nan
    if fill is None and source.dtype.kind != "b":
        raise OutsideError(
            f"the window reaches beyond {source.path} and band {name!r} has no no-data value to fill with",
            fix="choose a window inside the scene, leave the band out, or give the file a no-data value that "
            "its pixels do not have (rio edit-info --nodata VALUE FILE)",
        )
    return np.where(valid, pixels, np.asarray(fill or 0, source.dtype)).astype(source.dtype)
