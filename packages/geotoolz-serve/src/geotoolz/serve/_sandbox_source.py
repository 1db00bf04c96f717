"""What a stranger's pipeline is run on: a window of a scene, at the overview that fits."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
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
#: what is read or made may have so many times the pixels that a view may have
GROWTH = 4


@dataclass(frozen=True)
class Part:
    """What is looked at of one level of a scene.

    Parameters
    ----------
    reader : OpenScene
        The scene.
    number : int
        The level; 0 is the scene's own resolution.
    spec : TileSpec
        The level as a tile without its pixels.
    extent : Extent
        The view on the level.
    """

    reader: Any
    number: int
    spec: TileSpec
    extent: Extent

    def allowed(self, window: Sequence[int], max_pixels: int) -> Extent:
        """Return a window that a child asked for, within the level: it has seen a stranger's pipeline.

        Raises
        ------
        Problem
            413 where it is more than a child may ask for.
        """
        extent = Extent(*map(int, window)).clipped(self.spec.shape)
        if math.prod(extent.shape) > GROWTH * max_pixels:
            raise Problem(
                f"the pipeline needs {extent.shape[0]} × {extent.shape[1]} pixels",
                status=413,
                code="too_large",
                fix="take a smaller area",
            )
        return extent

    def read(self, names: Iterable[str], extent: Extent) -> xr.Dataset:
        """Read variables in a window of the level."""
        wanted = tuple(names)
        level = levels_of(self.reader, wanted, shared_cache())[self.number]
        arrays = {name: level.read(name, extent) for name in wanted}
        variables = self.spec.variables
        return tile_from_arrays(
            arrays,
            Target(self.spec.require_geobox("the sandbox"), extent).geobox,
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
            return Part(reader, number, level.spec, window)
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
