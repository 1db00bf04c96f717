"""Pixels of one scene on the grid of a stack, and several scenes laid into one image."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.core import Extent
from geotoolz.core._errors import MissingCRSError, OutsideError
from geotoolz.core._specs import VarSpec

if TYPE_CHECKING:
    from odc.geo.crs import CRS
    from odc.geo.geobox import GeoBox

    from geotoolz.io._readers import OpenScene
    from geotoolz.io._variables import Band

Array = np.ndarray[Any, Any]
_MARGIN = 2  # pixels: an edge that is curved on the target, and the neighbours of an interpolated pixel
_DENSE = 32  # points per side of an outline that is projected
_CACHED = 65_536  # pixels whose positions are made at a time: they stay in the cache


@dataclass(frozen=True)
class Placed:
    """A scene that is open on the stack's grid.

    Parameters
    ----------
    name : str
        Its id.
    reader : OpenScene
        Opened with the stack's grid.
    reach : Extent
        The pixels of the stack that it can have; the others need not be asked for.
    """

    name: str
    reader: OpenScene
    reach: Extent


def reach_of(reader: OpenScene) -> Extent:
    """Return the pixels of its target grid that a scene can have."""
    shape = (int(reader.geobox.shape[0]), int(reader.geobox.shape[1]))
    bands = getattr(reader, "_bands", None)
    if bands is None:  # a cube or a swath: its reader knows
        return Extent(0, shape[0], 0, shape[1])
    found = Extent(0, 0, 0, 0)
    for grid in {band.source.grid for band in bands.values()}:
        found = found.union(_reach(grid, reader.geobox, shape))
    return found


def _crs(grid: GeoBox) -> CRS:
    if grid.crs is None:
        raise MissingCRSError("the grid has no CRS", fix="GeoBox(shape, affine, 'EPSG:…')")
    return grid.crs


@lru_cache(maxsize=1024)
def _reach(grid: GeoBox, target: GeoBox, shape: tuple[int, int]) -> Extent:
    bounds = grid.boundingbox
    step = max(abs(bounds.span_x), abs(bounds.span_y)) / _DENSE
    crs = _crs(target)
    outline = grid.extent if grid.crs == crs else grid.extent.to_crs(crs, resolution=step)
    box, a = outline.boundingbox, target.affine
    rows = sorted(((box.bottom - a.f) / a.e, (box.top - a.f) / a.e))
    cols = sorted(((box.left - a.c) / a.a, (box.right - a.c) / a.a))
    if not all(map(math.isfinite, (*rows, *cols))):
        return Extent(0, shape[0], 0, shape[1])
    return Extent(
        math.floor(rows[0]) - _MARGIN,
        math.ceil(rows[1]) + _MARGIN,
        math.floor(cols[0]) - _MARGIN,
        math.ceil(cols[1]) + _MARGIN,
    ).clipped(shape)


def laid(scenes: Sequence[Placed], name: str, spec: VarSpec, extent: Extent, out: Array) -> None:
    """Fill a window with the first valid pixel of several scenes.

    Only the part that is still missing is read of each further scene. A pixel is resampled from one scene
    alone, and has data only where the scene's pixel under its centre has: there is no dark line where
    scenes meet, and none where one ends.

    Parameters
    ----------
    scenes : sequence of Placed
        In order: the first that has data at a pixel gives it.
    name : str
        The variable.
    spec : VarSpec
        Its data type and no-data value.
    extent : Extent
        The window.
    out : array, (y, x)
        Takes the pixels; all of it is written.

    Raises
    ------
    OutsideError
        If the variable has no no-data value, and the first scene does not cover the window.
    """
    if spec.nodata is None:
        _covered(scenes[0], name, extent, out)
        return
    out[...] = spec.nodata
    left: Extent | None = extent
    for scene in scenes:
        part = _common(left, scene.reach)
        if 0 in part.shape:
            continue
        pixels = _read(scene.reader, name, part)
        if pixels is None:
            continue
        place = part.moved((-extent.y0, -extent.x0)).of(out)
        if part == left == extent:
            place[...] = pixels
        else:
            np.copyto(place, pixels, where=_missing(place, spec))
        left = _rest(out, spec, extent)
        if left is None:
            break


def _covered(scene: Placed, name: str, extent: Extent, out: Array) -> None:
    """Fill a window from one scene: nothing means "no data", so no second one can fill a gap."""
    pixels = _read(scene.reader, name, extent)  # a reader refuses a window that it covers in part
    if pixels is None:
        raise OutsideError(
            f"scene {scene.name!r} has nothing in a window of the stack, and {name!r} has no no-data value",
            expected="a grid within every scene",
            fix="write a no-data value into the files, or leave the variable out",
        )
    out[...] = pixels


def _common(one: Extent | None, other: Extent) -> Extent:
    if one is None:
        return Extent(0, 0, 0, 0)
    y0, y1 = max(one.y0, other.y0), min(one.y1, other.y1)
    x0, x1 = max(one.x0, other.x0), min(one.x1, other.x1)
    return Extent(y0, max(y1, y0), x0, max(x1, x0))


def _missing(pixels: Array, spec: VarSpec) -> Array:
    """Tell which pixels have no data."""
    if pixels.dtype.kind == "f" and spec.nodata != spec.nodata:
        return np.asarray(np.isnan(pixels))
    return np.asarray(pixels == spec.nodata)


def _rest(out: Array, spec: VarSpec, extent: Extent) -> Extent | None:
    """Return the smallest window that holds all pixels still missing; None for none."""
    missing = _missing(out, spec)
    rows = np.flatnonzero(missing.any(axis=1))
    if not rows.size:
        return None
    cols = np.flatnonzero(missing.any(axis=0))
    return Extent(int(rows[0]), int(rows[-1]) + 1, int(cols[0]), int(cols[-1]) + 1).moved(
        (extent.y0, extent.x0)
    )


def _read(reader: OpenScene, name: str, part: Extent) -> Array | None:
    """Read a window of one variable; None where the scene has nothing there."""
    bands = getattr(reader, "_bands", None)
    rows, cols = slice(part.y0, part.y1), slice(part.x0, part.x1)
    if bands is not None:
        band: Band = bands[name]
        if band.source.grid.crs != reader.geobox.crs:
            return _warped(band, reader.geobox, part)
    return reader.arrays((name,), rows, cols)[name]


@lru_cache(maxsize=512)
def _positions(grid: GeoBox, target: GeoBox) -> Any:
    """Return where a target's pixels lie on a scene's grid; its nodes are made once for all windows."""
    from geotoolz.grid._positions import Positions

    height, width = map(int, target.shape)
    return Positions(grid, target, Extent(0, height, 0, width))


def _warped(band: Band, target: GeoBox, part: Extent) -> Array | None:
    """Resample a band from another reference system.

    As `open_tile` does it (bilinear, after an area average where the target is more than twice as coarse;
    flags take the pixel under the centre), with positions off a control lattice: they are off by less than
    1/256 pixel, and the bits do not depend on the window.
    """
    from geotoolz.io._lattice import Target
    from geotoolz.io._pixels import _coarser, read_band
    from geotoolz.io._variables import values_of

    source = band.source
    lattice = _coarser(source, Target(target.affine, _crs(target), 0, 0, *map(int, target.shape)))
    positions = _positions(lattice, target)
    inner = _needed(positions, lattice, part)
    if 0 in inner.shape:
        return None
    if lattice is source.grid:
        block, nodata = source.window(inner.y0, inner.x0, *inner.shape), source.nodata
    else:
        there = Target(lattice.affine, _crs(lattice), inner.y0, inner.x0, *inner.shape)
        block, valid = read_band(source, there)
        nodata = None
        if valid is not None:
            block[~valid] = np.nan
    pixels = np.empty(part.shape, block.dtype if source.nearest else np.float64)
    inside = None
    if source.nearest:
        inside = _nearest(pixels, block, positions, part, inner)
        if not inside.any():
            return None
    else:
        _bilinear(pixels, block, positions, part, inner, math.nan if nodata is None else float(nodata))
        inside = ~np.isnan(pixels)
    return values_of(band, pixels, None if inside.all() else inside)


def _needed(positions: Any, lattice: GeoBox, part: Extent) -> Extent:
    """Return the source pixels around the places of a window, within the source."""
    hull = positions.hull(part)
    if hull is None:
        return Extent(0, 0, 0, 0)
    y0, y1, x0, x1 = hull
    found = Extent(*(math.floor(v) for v in (y0 - _MARGIN, y1 + _MARGIN + 1, x0 - _MARGIN, x1 + _MARGIN + 1)))
    return found.clipped((int(lattice.shape[0]), int(lattice.shape[1])))


def _strips(part: Extent) -> Iterable[tuple[slice, Extent]]:
    rows = max(1, _CACHED // max(part.shape[1], 1))
    for start in range(0, part.shape[0], rows):
        stop = min(start + rows, part.shape[0])
        yield slice(start, stop), Extent(part.y0 + start, part.y0 + stop, part.x0, part.x1)


def _nearest(out: Array, block: Array, positions: Any, part: Extent, inner: Extent) -> Array:
    """Take the pixel that holds each centre; return which centres lie inside."""
    from geotoolz.grid import _loops

    planes = np.ascontiguousarray(block)[None].view()
    planes.flags.writeable = False
    inside = np.empty(out.shape, bool)
    for place, strip in _strips(part):
        rows, cols = positions.at(strip, False)
        _loops.nearest(out[None, place], planes, inner.y0, inner.x0, rows, cols, block.dtype.type(0))
        inside[place] = (rows >= inner.y0) & (rows < inner.y1) & (cols >= inner.x0) & (cols < inner.x1)
    return inside


def _bilinear(out: Array, block: Array, positions: Any, part: Extent, inner: Extent, nodata: float) -> None:
    """Interpolate between the four pixels around each centre; no-data neighbours are left out."""
    from geotoolz.grid import _loops

    planes = np.ascontiguousarray(block)[None].view()
    planes.flags.writeable = False
    limits = (math.nan, nodata, False, -math.inf, math.inf)
    for place, strip in _strips(part):
        rows, cols = positions.at(strip, False)
        _loops.bilinear(out[None, place], planes, inner.y0, inner.x0, rows, cols, *limits)
