"""What a stranger's pipeline is run on: a window of a scene, at the overview that fits."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from geotoolz.core import Extent, TileSpec, tile_from_arrays
from geotoolz.serve._blocks import shared_cache
from geotoolz.serve._errors import Problem
from geotoolz.serve._render_grid import WEB, Target, source_scale
from geotoolz.serve._render_levels import OVERSAMPLING, Level, levels_of
from geotoolz.serve._statistics_api import _window, web_metres

if TYPE_CHECKING:
    import xarray as xr
    from odc.geo.geobox import GeoBox

Bounds = tuple[float, float, float, float]


@dataclass(frozen=True)
class Part:
    """A window of one level of a scene.

    Parameters
    ----------
    reader : OpenScene
        The scene.
    number : int
        The level; 0 is the scene's own resolution.
    spec : TileSpec
        The window as a tile without its pixels.
    extent : Extent
        The window on the level.
    """

    reader: Any
    number: int
    spec: TileSpec
    extent: Extent

    def read(self, names: Iterable[str]) -> xr.Dataset:
        """Read variables."""
        wanted = tuple(names)
        level = levels_of(self.reader, wanted, shared_cache())[self.number]
        arrays = {name: level.read(name, self.extent) for name in wanted}
        variables = self.spec.variables
        return tile_from_arrays(
            arrays,
            self.spec.require_geobox("the sandbox"),
            attrs=self.spec.attrs,
            var_attrs={name: variables[name].attrs for name in wanted},
            nodata={name: variables[name].nodata for name in wanted},
        )


def part_of(reader: Any, bounds: Bounds | None, view: GeoBox | None, max_pixels: int) -> Part:
    """Return the part of a scene that an area shows.

    Parameters
    ----------
    reader : OpenScene
    bounds : tuple of float, optional
        West, south, east, north in degrees; the whole scene by default.
    view : GeoBox, optional
        The grid on which the result is drawn: the level is the coarsest that is fine enough for it.
    max_pixels : int
        Most pixels.

    Raises
    ------
    Problem
        404 outside of the scene, 413 where even the coarsest level has too many pixels.
    """
    levels = levels_of(reader, (), shared_cache())
    for number in range(_first(levels, reader.spec, view), len(levels)):
        level = levels[number]
        shape = level.spec.shape
        whole = Extent(0, shape[0], 0, shape[1])
        box = level.spec.require_geobox("the sandbox")
        window = whole if bounds is None else _window(box, bounds).clipped(shape)
        if 0 in window.shape:
            raise Problem("the area lies outside of the scene", status=404, code="outside")
        if math.prod(window.shape) <= max_pixels:
            return Part(reader, number, _windowed(level, window), window)
    raise Problem(
        f"the area has {window.shape[0]} × {window.shape[1]} pixels at the coarsest resolution",
        status=413,
        code="too_large",
        expected=f"at most {max_pixels}",
        fix="zoom in, or give the file overviews (gdaladdo)",
    )


def view_of(bounds: Bounds, size: tuple[int, int]) -> GeoBox:
    """Return a web-mercator grid of so many columns and rows over an area in degrees."""
    from affine import Affine
    from odc.geo.geobox import GeoBox

    west, south, east, north = web_metres(bounds)
    width, height = size
    affine = Affine((east - west) / width, 0.0, west, 0.0, (south - north) / height, north)
    return GeoBox((height, width), affine, WEB)


def _first(levels: tuple[Level, ...], spec: TileSpec, view: GeoBox | None) -> int:
    if view is None:
        return 0
    scale = source_scale(spec.require_geobox("the sandbox"), view)
    fine = [number for number, level in enumerate(levels) if level.factor <= OVERSAMPLING * scale]
    return fine[-1] if fine else 0


def _windowed(level: Level, window: Extent) -> TileSpec:
    box = Target(level.spec.require_geobox("the sandbox"), window).geobox
    height, width = window.shape
    return replace(level.spec, sizes={**level.spec.sizes, "y": height, "x": width}, grid=box, offset=(0, 0))
