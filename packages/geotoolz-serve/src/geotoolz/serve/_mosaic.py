"""Scenes of a catalog as one layer: the first valid pixel, the newest, or the one with the highest value."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.catalog import GeoCatalog
from geotoolz.catalog._time import parse_interval
from geotoolz.core import CatalogError, GeotoolzError, Operator, ParameterError, TileSpec
from geotoolz.serve._blocks import Array, BlockCache
from geotoolz.serve._errors import Problem
from geotoolz.serve._render_grid import Target, bounds_of
from geotoolz.serve._render_scene import Scene
from geotoolz.serve._render_style import Warped
from geotoolz.serve._singleflight import ThreadFlights

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

    from geotoolz.serve._settings import LayerSettings

_log = logging.getLogger("geotoolz.serve")
_KEPT_SCENES = 64
_MOST_SCENES = 64  # of one picture


class Mosaic:
    """The scenes of a catalog, seen through one pipeline and drawn with one style.

    Scenes lie in their own reference systems; each is warped onto the picture's grid, whose pixels are the
    same for all of them. A pixel belongs to one scene with all its variables.

    Attributes
    ----------
    first : Scene
        The first scene: it decides colours and limits for all.
    """

    def __init__(
        self, catalog: GeoCatalog, op: Operator | None, settings: LayerSettings, cache: BlockCache
    ) -> None:
        if not len(catalog):
            raise CatalogError("the catalog is empty", expected="at least one scene")
        self.catalog, self._op, self._settings, self._cache = catalog, op, settings, cache
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Scene] = OrderedDict()
        self._flights: ThreadFlights[Scene] = ThreadFlights()
        self._left_out: set[str] = set()
        row = next(catalog.iter_rows())
        self.first = self._open(row, None)
        self._kept[row.id] = self.first
        self.bounds = catalog.bounds
        if settings.mosaic == "best" and self.first.style.kind != "ramp":
            raise ParameterError(
                f"mosaic: best on {', '.join(self.first.style.bands)}",
                expected="a layer of one measured variable: the best pixel is the one with its highest value",
                fix="mosaic: newest",
            )
        if settings.time is not None:
            parse_interval(settings.time)

    @property
    def output(self) -> TileSpec:
        """What the first scene's tile is."""
        return self.first.output

    @cached_property
    def days(self) -> list[str]:
        """The days on which there are scenes."""
        found = {str(row.datetime)[:10] for row in self.catalog.iter_rows() if row.datetime is not None}
        return sorted(day for day in found if day != "NaT")

    def zoom_target(self, zoom: int) -> GeoBox:
        """Return the lattice of a zoom level: the first scene's; all of them share the pixels' edges."""
        return self.first.zoom_target(zoom)

    def min_zoom(self) -> int:
        """Return the first zoom level whose tiles do not need too many source pixels of a scene."""
        return self.first.min_zoom()

    def scenes(self, bounds: tuple[float, float, float, float], time: str | None) -> Iterator[Scene]:
        """Yield the scenes that touch an area, in the order in which their pixels count."""
        chosen = self.catalog.query(bbox=bounds, time=time if time is not None else self._settings.time)
        rows = list(chosen.iter_rows())
        if self._settings.mosaic == "newest":
            rows.sort(key=lambda row: str(row.datetime), reverse=True)
        for number, row in enumerate(rows):
            if number == _MOST_SCENES:
                raise Problem(
                    f"{len(rows)} scenes touch this picture",
                    status=422,
                    code="too_many_scenes",
                    expected=f"at most {_MOST_SCENES}",
                    fix="zoom in, or say a shorter time",
                )
            try:
                yield self._scene(row)
            except GeotoolzError as error:
                if row.id not in self._left_out:  # said once; the others are shown
                    self._left_out.add(row.id)
                    _log.warning("scene %s is left out: %s", row.id, error)

    def warped(self, target: Target, time: str | None = None) -> Warped | None:
        """Return the values that the style needs on the grid that is drawn; None where no scene is."""
        best = self._settings.mosaic == "best"
        arrays: dict[str, Array] | None = None
        filled = np.zeros(target.extent.shape, np.bool_)
        for scene in self.scenes(bounds_of(target.geobox), time):
            found = scene.warped(_on_own_lattice(scene, target))
            if found is None:
                continue
            has = _valid(scene, found)
            if arrays is None:
                arrays = {name: array.copy() for name, array in found.arrays.items()}
                filled = has
                continue
            name = scene.style.bands[0]
            new = has & (~filled | (found.arrays[name] > arrays[name])) if best else has & ~filled
            for name, array in found.arrays.items():
                arrays[name][new] = array[new]
            filled |= has
            if not best and filled.all():
                break
        if arrays is None or not filled.any():
            return None
        return Warped(arrays, None if filled.all() else filled)

    def _scene(self, row: Any) -> Scene:
        with self._lock:
            found = self._kept.get(row.id)
            if found is not None:
                self._kept.move_to_end(row.id)
                return found
        made = self._flights.do(row.id, lambda: self._open(row, self.first))
        with self._lock:
            self._kept[row.id] = made
            while len(self._kept) > _KEPT_SCENES:
                self._kept.popitem(last=False)
        return made

    def _open(self, row: Any, first: Scene | None) -> Scene:
        from geotoolz.io import open_scene

        reader = open_scene(self.catalog.source_of(row))
        return Scene(reader, self._op, self._settings, self._cache, None if first is None else first.style)


def _valid(scene: Scene, found: Warped) -> Array:
    """Return where a scene has data, in all variables."""
    has = np.ones(next(iter(found.arrays.values())).shape, np.bool_)
    for name, array in found.arrays.items():
        nodata = scene.output.variables[name].nodata
        if array.dtype.kind == "f":
            has &= ~np.isnan(array)
        if nodata is not None and nodata == nodata:
            has &= array != nodata
    if found.inside is not None:
        has &= found.inside
    return has


def _on_own_lattice(scene: Scene, target: Target) -> Target:
    """Return the same pixels on the scene's own lattice of a zoom level: it has the bits of its own layer."""
    if target.zoom is None:
        return target
    own = scene.zoom_target(target.zoom)
    size = float(own.affine.a)
    row = round((own.affine.f - target.grid.affine.f) / size)
    col = round((target.grid.affine.c - own.affine.c) / size)
    return Target(own, target.extent.moved((row, col)), target.zoom)
