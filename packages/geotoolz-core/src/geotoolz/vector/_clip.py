"""Tiles cut to an area, or emptied outside of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from geotoolz.core import Call, Extent, Map, OutsideError, Plan, TileError, TileSpec, VarSpec
from geotoolz.core._grid import crs_label
from geotoolz.grid._crop import Shift
from geotoolz.io import Area
from geotoolz.vector._area_mask import (
    AreaParam,
    Array,
    area_field,
    burnt_area,
    emptied,
    inside,
    parsed_area,
    with_nodata,
)

_KEPT = "MaskArea: kept"  # a temporary of the plan
_SAME = 1e-6  # pixels: far above rounding, far below any shift that matters


def _kept(table: Any, grid: Any, touched: bool, invert: bool, *, extent: Extent) -> Array:
    """Return which pixels keep their values."""
    covered = inside(table, grid, touched, extent)
    return ~covered if invert else covered


def _clipped(
    values: Array, fill: float, table: Any, grid: Any, touched: bool, *, extent: Extent, source: Extent
) -> Array:
    if 0 in extent.shape:  # what is handed over for an empty window may have any shape
        return np.zeros((*values.shape[:-2], *extent.shape), values.dtype)
    return emptied(values, inside(table, grid, touched, extent), fill)


class MaskArea(Map):
    """Empty all pixels outside an area, or inside of it.

    Reads and writes every variable: no-data (False in masks) where the area is not, all else untouched. The
    grid stays. The outline is brought into the grid's reference system, long edges densified, and burnt on
    the lattice of the scene, so that windows of it see the same outline.

    Parameters
    ----------
    area : mapping or Ref
        GeoJSON (EPSG:4326 unless a member ``crs`` names another), or a vector file pinned by `Ref.of`, all
        its features together. From Python also what else `geotoolz.io.Area.of` takes and is no file: a
        geometry, a GeoDataFrame, bounds, a tile id.
    invert : bool
        Empty the pixels inside.
    all_touched : bool
        The area has every pixel that it touches; by default those whose centre it covers.
    layer : str, optional
        Layer of a file that has several.
    fill : mapping of str to float, optional
        No-data values of variables that have none.

    Raises
    ------
    TileError
        If a variable has no no-data value and `fill` gives none.
    MissingCRSError
        If the tile has no CRS.
    ReadError
        If the file is missing, or has other content than was pinned.

    Warns
    -----
    AreaWarning
        Where the outline crosses itself: it is repaired.

    Examples
    --------
    >>> from geotoolz.core import geobox_of
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.vector import MaskArea
    >>> tile = simulate_scene((40, 60), bands=("red",), cloud_cover=0)
    >>> field = geobox_of(tile)[10:20, 20:40]
    >>> int(MaskArea(field)(tile).red.notnull().sum())
    200
    """

    area: AreaParam
    invert: bool = False
    all_touched: bool = False
    layer: str | None = None
    fill: Mapping[str, float] | None = None

    def prepare(self, values: dict[str, Any]) -> dict[str, Any]:
        """Take an area in any spelling."""
        return {**values, "area": area_field(values["area"])}

    def plan(self, tile: TileSpec) -> Plan:
        """Burn the outline once, then empty every variable in a call of its own."""
        grid = tile.require_geobox("MaskArea")
        area = parsed_area(self.area, self.layer)
        table = burnt_area(area, str(grid.crs))
        fills = {tile.find(name, "MaskArea"): value for name, value in (self.fill or {}).items()}
        writes: dict[str, VarSpec] = {}
        calls = [Call((), (_KEPT,), _kept, (table, grid, self.all_touched, self.invert), located=True)]
        for name, spec in tile.variables.items():
            writes[name], value = with_nodata(name, spec, fills, "MaskArea")
            calls.append(Call((name, _KEPT), (name,), emptied, (value,)))
        notes = () if _touches(area, tile) else (f"{area.origin} does not touch the tile",)
        return Plan(writes=writes, calls=tuple(calls), notes=(*area.notes, *notes))


class ClipToArea(Map):
    """Cut a tile to the bounding box of an area and empty what lies outside the area.

    Reads and writes every variable: no-data (False in masks) outside. The lattice of the pixels stays.

    Parameters
    ----------
    area : mapping or Ref
        As for `MaskArea`.
    all_touched : bool
        The area has every pixel that it touches; by default those whose centre it covers. The bounding box
        is that of all pixels that it touches.
    layer : str, optional
        Layer of a file that has several.
    fill : mapping of str to float, optional
        No-data values of variables that have none.

    Raises
    ------
    OutsideError
        If the area does not touch the tile; it says where it probably should be.
    TileError
        If a variable has no no-data value and `fill` gives none.
    MissingCRSError
        If the tile has no CRS.

    Warns
    -----
    AreaWarning
        Where the outline crosses itself: it is repaired.

    Examples
    --------
    >>> from geotoolz.core import geobox_of
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.vector import ClipToArea
    >>> tile = simulate_scene((40, 60), bands=("red",))
    >>> field = geobox_of(tile)[10:20, 20:40]
    >>> ClipToArea(field)(tile).red.shape
    (10, 20)
    """

    area: AreaParam
    all_touched: bool = False
    layer: str | None = None
    fill: Mapping[str, float] | None = None

    def prepare(self, values: dict[str, Any]) -> dict[str, Any]:
        """Take an area in any spelling."""
        return {**values, "area": area_field(values["area"])}

    def plan(self, tile: TileSpec) -> Plan:
        """Cut and empty every variable."""
        grid = tile.require_geobox("ClipToArea")
        area = parsed_area(self.area, self.layer)
        change = _part(area, tile)
        table = burnt_area(area, str(grid.crs))
        fills = {tile.find(name, "ClipToArea"): value for name, value in (self.fill or {}).items()}
        writes, calls = {}, []
        for name, spec in tile.variables.items():
            writes[name], value = with_nodata(name, spec, fills, "ClipToArea")
            calls.append(Call((name,), (name,), _clipped, (value, table, grid, self.all_touched)))
        return Plan(writes=writes, calls=tuple(calls), notes=area.notes, grid=change)


def _spans(area: Area, tile: TileSpec) -> tuple[int, int, int, int]:
    """Return first row, end, first column, end of the tile's pixels that an area's bounds touch."""
    grid = tile.require_geobox("an area")
    a = grid.affine
    if a.b or a.d:
        raise TileError("the tile's grid is rotated", expected="an axis-aligned grid")
    left, bottom, right, top = area.in_crs(grid.crs).bounds
    spans: list[int] = []
    for ends, offset, size in (
        (((top - a.f) / a.e, (bottom - a.f) / a.e), tile.offset[0], tile.shape[0]),
        (((left - a.c) / a.a, (right - a.c) / a.a), tile.offset[1], tile.shape[1]),
    ):
        low, high = math.floor(min(ends) + _SAME) - offset, math.ceil(max(ends) - _SAME) - offset
        spans += [max(low, 0), min(max(high, low + 1), size)]
    return spans[0], spans[1], spans[2], spans[3]


def _touches(area: Area, tile: TileSpec) -> bool:
    if 0 in tile.shape:
        return True
    y0, y1, x0, x1 = _spans(area, tile)
    return y1 > y0 and x1 > x0


def _part(area: Area, tile: TileSpec) -> Shift:
    """Return the change to the pixels that the area's bounds touch."""
    grid = tile.require_geobox("ClipToArea")
    y0, y1, x0, x1 = _spans(area, tile)
    own = tile.window_geobox
    if (y1 <= y0 or x1 <= x0) and 0 not in tile.shape and own is not None:
        place = own.boundingbox
        bounds = tuple(round(v, 6) for v in area.bounds)
        raise OutsideError(
            f"{area.origin} {bounds} ({crs_label(area.crs)}) lies outside the tile",
            expected=f"an area that touches {tuple(place.bbox)} ({crs_label(grid.crs)})",
            fix=area.elsewhere(place) or "mind the area's CRS",
        )
    shape = (max(y1 - y0, 0), max(x1 - x0, 0))
    first = (tile.offset[0] + y0, tile.offset[1] + x0)
    return Shift(grid, shape, first, tile.shape, (1.0, 1.0), (y0, x0))
