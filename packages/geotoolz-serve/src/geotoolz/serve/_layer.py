"""A map layer: a source seen through a pipeline, opened once and ready to be drawn."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from geotoolz.core import Extent, Operator, ParameterError, Sequential, TileSpec
from geotoolz.io._gdal import stamp_of
from geotoolz.serve._blocks import BlockCache, shared_cache
from geotoolz.serve._errors import Problem
from geotoolz.serve._mosaic import Mosaic
from geotoolz.serve._render_grid import (
    EDGE,
    MAX_ZOOM,
    TILE,
    WEB,
    Target,
    longest_step,
    tile_bounds,
    tile_extent,
)
from geotoolz.serve._render_scene import Scene
from geotoolz.serve._render_style import Style, Warped
from geotoolz.viz import Colormap
from geotoolz.viz._picture import look_of

if TYPE_CHECKING:
    from geotoolz.serve._registry import Served
    from geotoolz.serve._settings import LayerSettings

Bounds = tuple[float, float, float, float]
_BEYOND = 2  # zoom levels beyond the source's own that are shown by default
_HASHED = 32
_NEARLY = 1e-3  # pixels


class Layer:
    """What is shown under one name.

    Made by `open`. Everything that can be wrong with source, pipeline or colours is an error then.

    Attributes
    ----------
    settings : LayerSettings
    pipeline : Served or None
    content : Scene or Mosaic
        What draws.
    bounds : tuple of float
        West, south, east, north in degrees.
    min_zoom, max_zoom, native_zoom : int
        Shown from, shown to; the first zoom level whose pixels are no larger than the source's.
    """

    def __init__(
        self, settings: LayerSettings, pipeline: Served | None, content: Scene | Mosaic, stamps: Any
    ) -> None:
        self.settings, self.pipeline, self.content = settings, pipeline, content
        self.name = settings.name
        self.title = settings.title or settings.name
        self.bounds: Bounds = content.bounds
        self.native_zoom = self.scene.native_zoom
        self.min_zoom = max(settings.min_zoom, content.min_zoom())
        wanted = self.native_zoom + _BEYOND if settings.max_zoom is None else settings.max_zoom
        self.max_zoom = min(max(wanted, self.min_zoom), MAX_ZOOM)
        self.config_hash = pipeline.config_hash if pipeline is not None else str(Sequential(()).config_hash())
        about = [settings.model_dump(mode="json"), self.config_hash, stamps, _version()]
        self._base = json.dumps(about, sort_keys=True, default=str)

    @classmethod
    def open(
        cls, settings: LayerSettings, pipeline: Served | None = None, cache: BlockCache | None = None
    ) -> Layer:
        """Open a layer's source, plan its pipeline for every level, and settle its colours.

        Parameters
        ----------
        settings : LayerSettings
            The layer.
        pipeline : Served, optional
            What is done to the source.
        cache : BlockCache, optional
            By default that of the process.

        Raises
        ------
        GeotoolzError
            If the source cannot be read, or the pipeline cannot be drawn tile by tile: a step that needs
            statistics of the scene and is not frozen is named.
        """
        cache = shared_cache() if cache is None else cache
        op: Operator | None = None if pipeline is None else pipeline.operator
        if settings.source.lower().endswith((".parquet", ".geoparquet")):
            from geotoolz.catalog import GeoCatalog

            content: Scene | Mosaic = Mosaic(GeoCatalog.open(settings.source), op, settings, cache)
            stamps: Any = [_stamp(settings.source)]
        else:
            if settings.time is not None:
                raise ParameterError(
                    f"time={settings.time!r} of the layer {settings.name!r}", expected="a catalog (.parquet)"
                )
            from geotoolz.io import open_scene

            content = Scene(open_scene(settings.source), op, settings, cache)
            stamps = [_stamp(path) for path in content.inputs]
        return cls(settings, pipeline, content, stamps)

    def __repr__(self) -> str:
        return f"<Layer {self.name}: {self.style.kind} of {', '.join(self.style.bands)}>"

    # ---- what it is ----------------------------------------------------------------------------------------

    @property
    def scene(self) -> Scene:
        """The scene, or the first one of a catalog."""
        return self.content.first if isinstance(self.content, Mosaic) else self.content

    @property
    def style(self) -> Style:
        """What is drawn, and how."""
        return self.scene.style

    @property
    def colormap(self) -> str | tuple[str, ...] | None:
        """The colour map of one variable; None for classes and pictures of several."""
        if self.style.kind != "ramp":
            return None
        paint = self.scene.paint
        if isinstance(paint, Colormap):
            return paint.cmap
        return self.settings.colormap or look_of(self.output.variables[self.style.bands[0]])[0]

    @property
    def output(self) -> TileSpec:
        """The tile that comes out of the pipeline."""
        return self.content.output

    @property
    def steps(self) -> list[str]:
        """Names of the pipeline's steps."""
        if self.pipeline is None:
            return []
        op = self.pipeline.operator
        return [type(one).__name__ for one in (op if isinstance(op, Sequential) else (op,))]

    @property
    def days(self) -> list[str]:
        """Days on which a catalog has scenes; none for a single source."""
        return self.content.days if isinstance(self.content, Mosaic) else []

    def etag(self, *what: Any) -> str:
        """Return what names one answer of this layer: it changes with settings, pipeline and source."""
        text = json.dumps([self._base, *what], default=str)
        return '"' + hashlib.sha256(text.encode()).hexdigest()[:_HASHED] + '"'

    def check_time(self, time: str | None) -> None:
        """Raise for a time that no catalog can have, or where there is no catalog.

        Raises
        ------
        Problem
            422.
        """
        if time is None:
            return
        if not isinstance(self.content, Mosaic):
            raise Problem(
                "time= asks a layer of one scene", status=422, code="no_time", expected="a layer of a catalog"
            )
        from geotoolz.catalog._time import parse_interval

        parse_interval(time)

    def nothing_here(self, what: str, time: str | None) -> Problem:
        """Return what is told of a place where the layer shows nothing of what was looked for."""
        when = self.settings.time if time is None else time
        if when is not None:
            return Problem(f"there is no {what} at this time ({when})", status=404, code="outside")
        west, south, east, north = (round(side, 5) for side in self.bounds)
        return Problem(
            f"there is no {what}",
            status=404,
            code="outside",
            expected=f"longitudes from {west} to {east} and latitudes from {south} to {north}",
        )

    # ---- drawing -------------------------------------------------------------------------------------------

    def has_tile(self, z: int, x: int, y: int) -> bool:
        """Whether a tile lies within the layer's zoom levels and touches its bounds."""
        if not self.min_zoom <= z <= self.max_zoom:
            return False
        west, south, east, north = tile_bounds(z, x, y)
        own_w, own_s, own_e, own_n = self.bounds
        return west < own_e and own_w < east and south < own_n and own_s < north

    def tile_target(self, z: int, x: int, y: int, scale: int = 1) -> Target:
        """Return the pixels of a map tile."""
        zoom = z + scale.bit_length() - 1
        grid = self.content.zoom_target(zoom)
        return Target(grid, tile_extent(grid, z, x, y, scale), zoom)

    def bbox_target(self, bounds: Bounds, crs: str, size: int) -> Target:
        """Return a grid over an area, `size` pixels along its longer side."""
        from affine import Affine
        from odc.geo.geobox import GeoBox

        west, south, east, north = bounds
        pixel = max(east - west, north - south) / size
        width, height = (max(1, round(v / pixel)) for v in (east - west, north - south))
        affine = Affine((east - west) / width, 0.0, west, 0.0, (south - north) / height, north)
        return Target(GeoBox((height, width), affine, crs), Extent(0, height, 0, width))

    def native_target(self, bounds: Bounds, crs: str, most: int) -> Target:
        """Return a grid over an area at the layer's own resolution, at most `most` pixels a side.

        In the layer's own reference system these are its own pixels: all that the area touches. In others
        pixels are no larger than its own, so that none is left out.
        """
        from odc.geo.crs import CRS

        own = self.output.require_geobox("a map layer")
        affine = own.affine
        if own.crs == CRS(crs) and affine.b == affine.d == 0 and affine.a > 0 > affine.e:
            west, south, east, north = bounds
            x0, x1 = _touched((west - affine.c) / affine.a, (east - affine.c) / affine.a)
            y0, y1 = _touched((north - affine.f) / affine.e, (south - affine.f) / affine.e)
            if max(x1 - x0, y1 - y0) <= most:
                return Target(own, Extent(y0, y1, x0, x1))
            return self.bbox_target(bounds, crs, most)
        tried = self.bbox_target(bounds, crs, TILE)
        size = math.ceil(TILE * longest_step(own, tried.grid) - _NEARLY)
        return self.bbox_target(bounds, crs, min(max(size, 1), most))

    def preview_target(self, size: int) -> Target:
        """Return a web-mercator grid over the whole layer, `size` pixels along its longer side."""
        return self.bbox_target(self.web_bounds(), WEB, size)

    def web_bounds(self) -> Bounds:
        """Return the layer's bounds in web-mercator metres."""
        west, south, east, north = self.bounds

        def metres(latitude: float) -> float:
            return EDGE / math.pi * math.log(math.tan(math.pi / 4 + math.radians(latitude) / 2))

        return west / 180 * EDGE, metres(south), east / 180 * EDGE, metres(north)

    def warped(self, target: Target, time: str | None = None) -> Warped | None:
        """Return the values that are drawn on a grid; None where the layer is not."""
        if isinstance(self.content, Mosaic):
            return self.content.warped(target, time)
        return self.content.warped(target)

    def scenes_at(self, bounds: Bounds, time: str | None = None) -> Iterator[Scene]:
        """Yield the scenes of a place, in the order in which they count."""
        if isinstance(self.content, Mosaic):
            yield from self.content.scenes(bounds, time)
        else:
            yield self.content


def _touched(low: float, high: float) -> tuple[int, int]:
    """Return the pixels that an interval touches; bounds given in metres hit edges up to rounding alone."""
    first, last = math.floor(low + _NEARLY), math.ceil(high - _NEARLY)
    return first, max(last, first + 1)


def _stamp(path: str) -> Any:
    """Return size and time of a file; replicas that serve copies of it may agree in these."""
    found = stamp_of(path)
    return found[1:] if found else found


def _version() -> str:
    from importlib.metadata import version

    return version("geotoolz-serve")
