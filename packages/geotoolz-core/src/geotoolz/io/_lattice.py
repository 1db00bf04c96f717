"""The grid that a tile is read on: chosen once, then cut by whole pixels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from affine import Affine

from geotoolz.core._errors import GridMismatchError, MissingCRSError, OutsideError, ParameterError, TileError
from geotoolz.io._area import Area

if TYPE_CHECKING:
    from odc.geo.crs import CRS
    from odc.geo.geobox import GeoBox
    from odc.geo.geom import BoundingBox


# Coordinates within a millionth of a pixel are the same.
_SAME = 1e-6


def moved(affine: Affine, col: float, row: float) -> Affine:
    """Return a transform that starts at another pixel (affine 2 has ``*`` only, affine 3 prefers ``@``)."""
    x, y = point(affine, col, row)
    return Affine(affine.a, affine.b, x, affine.d, affine.e, y)


def point(affine: Affine, col: float, row: float) -> tuple[float, float]:
    """Return the place of a pixel's corner."""
    x = affine.a * col + affine.b * row + affine.c
    y = affine.d * col + affine.e * row + affine.f
    return (x, y)


def north_up(affine: Affine, rows: int) -> Affine:
    """Return the transform of the same ground with its northern row first."""
    if affine.b != 0 or affine.d != 0 or affine.e < 0:
        return affine
    return Affine(affine.a, 0.0, affine.c, 0.0, -affine.e, affine.f + rows * affine.e)


@dataclass(frozen=True)
class Target:
    """A window on a lattice.

    Parameters
    ----------
    anchor : Affine
        The lattice: its pixel (0, 0) is the scene's first pixel.
    crs : CRS
        Its reference system.
    row, col : int
        First pixel of the window on the lattice.
    height, width : int
        Size of the window.
    """

    anchor: Affine
    crs: CRS
    row: int
    col: int
    height: int
    width: int

    @property
    def geobox(self) -> GeoBox:
        """The window as a grid."""
        from odc.geo.geobox import GeoBox

        return GeoBox((self.height, self.width), moved(self.anchor, self.col, self.row), self.crs)

    def cut(self, rows: slice, cols: slice) -> Target:
        """Return a part of the window on the same lattice."""
        r0, r1, _ = rows.indices(self.height)
        c0, c1, _ = cols.indices(self.width)
        return Target(self.anchor, self.crs, self.row + r0, self.col + c0, max(r1 - r0, 0), max(c1 - c0, 0))


def choose_target(
    grids: Mapping[str, GeoBox],
    origin: str,
    aoi: Any = None,
    resolution: float | None = None,
    geobox: GeoBox | None = None,
) -> Target:
    """Choose the grid that all bands are read on.

    Parameters
    ----------
    grids : mapping of str to GeoBox
        The bands' own grids.
    origin : str
        The scene, for messages.
    aoi, resolution, geobox
        As `open_tile` takes them.

    Raises
    ------
    GridMismatchError
        If the bands have different reference systems, or cover different ground, and no geobox is given.
    OutsideError
        If the area does not touch the scene.
    """
    if geobox is not None:
        if aoi is not None or resolution is not None:
            raise ParameterError(
                "geobox is given together with aoi or resolution",
                fix="a geobox says both: leave the others out",
            )
        return _of_geobox(geobox, grids, origin)
    first = next(iter(grids.values())).crs
    if any(grid.crs != first for grid in grids.values()):
        listed = ", ".join(f"{name} in {grid.crs}" for name, grid in grids.items())
        raise GridMismatchError(
            f"the bands of {origin} have different reference systems: {listed}",
            expected="one reference system",
            fix="say geobox=… to reproject them on purpose",
        )
    finest = min(grids.values(), key=lambda grid: abs(grid.affine.a * grid.affine.e))
    affine = finest.affine
    if affine.b != 0 or affine.d != 0:
        raise TileError(
            f"the grid of {origin} is rotated", expected="an axis-aligned grid", fix="say geobox=…"
        )
    height, width = map(int, finest.shape)
    if resolution is not None:
        if not resolution > 0 or not math.isfinite(resolution):
            raise ParameterError(
                f"resolution={resolution!r}", expected="a pixel size above 0 in units of the CRS"
            )
        height = max(1, math.ceil(height * abs(affine.e) / resolution - _SAME))
        width = max(1, math.ceil(width * abs(affine.a) / resolution - _SAME))
        signs = math.copysign(resolution, affine.a), math.copysign(resolution, affine.e)
        affine = Affine(signs[0], 0.0, affine.c, 0.0, signs[1], affine.f)
    if finest.crs is None:
        raise MissingCRSError(f"{origin} has no CRS")
    whole = Target(affine, finest.crs, 0, 0, height, width)
    target = whole if aoi is None else _cut_aoi(whole, aoi, origin)
    _refuse_other_ground(grids, target, origin, whole=aoi is None)
    return target


def _refuse_other_ground(grids: Mapping[str, GeoBox], target: Target, origin: str, whole: bool) -> None:
    """Refuse bands that end elsewhere than the tile by more than a pixel of the coarser."""
    wanted = target.geobox.boundingbox
    for name, grid in grids.items():
        have = grid.boundingbox
        pixel = max(abs(v) for m in (grid.affine, target.anchor) for v in (m.a, m.e))
        missing = (have.left - wanted.left, have.bottom - wanted.bottom, wanted.right - have.right,
                   wanted.top - have.top)  # fmt: skip
        if max(missing) > pixel * (1 + _SAME) or (whole and -min(missing) > pixel * (1 + _SAME)):
            raise GridMismatchError(
                f"band {name!r} of {origin} covers {_bounds(have)}, other bands {_bounds(wanted)}",
                expected="bands over the same ground",
                fix="read them apart, give an aoi that all of them cover, "
                "or say geobox=… to put them on one grid on purpose",
            )


def _of_geobox(geobox: GeoBox, grids: Mapping[str, GeoBox], origin: str) -> Target:
    if geobox.crs is None:
        raise MissingCRSError("the geobox has no CRS", fix="GeoBox(shape, affine, 'EPSG:…')")
    if geobox.affine.b != 0 or geobox.affine.d != 0:
        raise TileError("the geobox is rotated", expected="an axis-aligned grid")
    wanted = geobox.extent
    for grid in grids.values():
        # a scene's edge is straight in its own CRS and curved in the other
        if wanted.intersects(grid.extent.to_crs(geobox.crs, resolution=_dense(grid))):
            break
    else:
        raise OutsideError(
            f"the geobox {_bounds(geobox.boundingbox)} lies outside {origin}",
            expected=f"an area that touches {_bounds(next(iter(grids.values())).boundingbox)}",
            fix="choose a geobox over the scene; mind its CRS",
        )
    height, width = map(int, geobox.shape)
    return Target(geobox.affine, geobox.crs, 0, 0, height, width)


def _dense(grid: GeoBox) -> float:
    bounds = grid.boundingbox
    return max(abs(bounds.span_x), abs(bounds.span_y)) / 32


def _cut_aoi(whole: Target, aoi: Any, origin: str) -> Target:
    area = Area.of(aoi)
    place = whole.geobox.boundingbox
    bounds = area.bounds_in(whole.crs, place)
    a = whole.anchor
    cols = sorted(((bounds.left - a.c) / a.a, (bounds.right - a.c) / a.a))
    rows = sorted(((bounds.bottom - a.f) / a.e, (bounds.top - a.f) / a.e))
    c0, c1 = _snap(cols[0], cols[1], whole.width)
    r0, r1 = _snap(rows[0], rows[1], whole.height)
    if c1 <= c0 or r1 <= r0:
        raise OutsideError(
            f"the area {_bounds(bounds)} ({whole.crs}) lies outside {origin}",
            expected=f"an area that touches {_bounds(place)}",
            fix=area.elsewhere(place)
            or "aoi is (west, south, east, north) in degrees, or a geometry or geobox with its own CRS",
        )
    return Target(a, whole.crs, r0, c0, r1 - r0, c1 - c0)


def _snap(low: float, high: float, size: int) -> tuple[int, int]:
    """Return the pixels that an interval touches, cut at the scene's edge."""
    if high <= 0 or low >= size:
        return 0, 0
    first, last = math.floor(low + _SAME), math.ceil(high - _SAME)
    return max(first, 0), min(max(last, first + 1), size)


def _bounds(bounds: BoundingBox) -> str:
    return (
        "(" + ", ".join(f"{value:.6g}" if abs(value) < 1e4 else f"{value:.1f}" for value in bounds.bbox) + ")"
    )


def aoi_bounds(aoi: Any, crs: CRS) -> BoundingBox:
    """Return the bounding box of an area, as `Area.of` takes it, in a reference system."""
    return Area.of(aoi).bounds_in(crs)
