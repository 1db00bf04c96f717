"""Chips where somebody says: pixels, points, polygons, a track."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.core import Extent, ParameterError, TileSpec
from geotoolz.patch._axis import pair
from geotoolz.patch._chip import Chip
from geotoolz.patch._geometry import PointCentred, PolygonCentred, Rectangle
from geotoolz.patch._line import Boundary
from geotoolz.patch._sampler import Placed, Sampler, chip_at, fitted
from geotoolz.patch._source import Array, Source

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

XY = tuple[float, float]


class ExplicitSampler(Sampler):
    """Chips at given pixels, points or polygons, in their order.

    Parameters
    ----------
    geometry : Rectangle, PointCentred or PolygonCentred
        A `Rectangle` begins at a pixel or a point, a `PointCentred` has it in its middle, a `PolygonCentred`
        lies around a polygon; a number of pixels stands for a `PointCentred`.
    pixels : sequence of (int, int)
        Rows and columns.
    points : sequence of (float, float)
        x and y.
    polygons : sequence of str
        As WKT; `Patch.inside` tells the pixels whose centre lies in a chip's polygon.
    crs : str, optional
        That of points and polygons; by default the scene's.
    boundary : {"drop", "shift", "reflect", "fill", "raise"}
        What happens to chips that reach beyond the scene; `PatchGrid.dropped` counts those left out.

    Raises
    ------
    ParameterError
        If not exactly one of pixels, points and polygons is given, or they do not fit the geometry.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.patch import ExplicitSampler, PatchGrid, Rectangle
    >>> scene = simulate_scene((64, 64), bands=("red",))
    >>> sampler = ExplicitSampler(Rectangle(16), pixels=((0, 0), (40, 8), (60, 60)))
    >>> grid = PatchGrid(scene, sampler)
    >>> len(grid), grid.dropped
    (2, 1)
    """

    geometry: Rectangle | PointCentred | PolygonCentred
    pixels: tuple[tuple[int, int], ...] = ()
    points: tuple[XY, ...] = ()
    polygons: tuple[str, ...] = ()
    crs: str | None = None
    boundary: Boundary = "drop"

    def prepare(self, values: dict[str, Any]) -> dict[str, Any]:
        """Accept numbers of pixels, and whole numbers as coordinates."""
        size = pair(values["geometry"], "size")
        geometry = PointCentred(tuple(size)) if isinstance(size, tuple | list) else size
        return {**values, "geometry": geometry, "points": _floats(values["points"])}

    def validate(self) -> None:
        """Check that one kind of place is given, and that it fits the geometry."""
        given = [n for n in ("pixels", "points", "polygons") if getattr(self, n)]
        if len(given) != 1:
            raise ParameterError(
                f"ExplicitSampler got {' and '.join(given) or 'no places'}",
                expected="pixels=…, points=… or polygons=…",
            )
        if isinstance(self.geometry, PolygonCentred) != bool(self.polygons):
            raise ParameterError(
                f"{given[0]} with {type(self.geometry).__name__}",
                expected="polygons with PolygonCentred, pixels and points with Rectangle or PointCentred",
            )
        if isinstance(self.geometry, Rectangle) and self.geometry.time is not None:
            raise ParameterError("chips of some dates at given places", expected="a geometry without time")
        for text in self.polygons:
            _polygon(text)

    @property
    def at_the_edge(self) -> Boundary:
        """What happens to chips that reach beyond the scene."""
        return self.boundary

    def place(self, source: Source, epoch: int = 0) -> Placed:
        """Choose the chips."""
        spec = source.spec
        if self.polygons:
            extents = [self._around(one, spec) for one in self._shapes(spec)]
        else:
            pixels = self.pixels or _pixels_of(self.points, self.crs, spec)
            extents = [_about(row, col, self.geometry) for row, col in pixels]
        return _kept(extents, spec.shape, self.boundary)

    def _shapes(self, spec: TileSpec) -> list[BaseGeometry]:
        """Return the polygons in pixels of the scene: columns and rows."""
        from shapely import transform

        move = _mover(self.crs, spec)
        return [transform(_polygon(text), move) for text in self.polygons]

    def _around(self, polygon: BaseGeometry, spec: TileSpec) -> Extent:
        left, top, right, bottom = polygon.bounds
        if not isinstance(self.geometry, PolygonCentred):  # validate has seen to it
            raise ParameterError("polygons need PolygonCentred")
        if self.geometry.size is not None:
            middle = (math.floor((top + bottom) / 2), math.floor((left + right) / 2))
            return _about(*middle, PointCentred(self.geometry.size))
        m = self.geometry.margin
        rows, cols = _span(top, bottom), _span(left, right)
        return Extent(rows[0] - m, rows[1] + m, cols[0] - m, cols[1] + m)

    def inside(self, spec: TileSpec, origin: int) -> Array:
        """Return which pixels of a chip have their centre in the polygon that it was made for."""
        if not self.polygons:
            return np.ones(spec.shape, bool)
        from rasterio.features import geometry_mask
        from shapely import transform

        box = spec.window_geobox
        polygon = transform(_polygon(self.polygons[origin]), _mover(self.crs, spec, pixels=False))
        transform_ = box.affine if box is not None else None
        mask: Array = geometry_mask([polygon], spec.shape, transform_, invert=True)
        return mask


class TrackSampler(Sampler):
    """Chips along a track, one after another at the same distance: a flight line, a river, a coast.

    Parameters
    ----------
    geometry : PointCentred or int or tuple of int
        Size of the chips, centred on the track.
    track : sequence of (float, float)
        x and y of its corners.
    spacing : float
        Distance from one chip's middle to the next along the track, in units of the scene's CRS.
    crs : str, optional
        That of the track; by default the scene's.
    boundary : {"drop", "shift", "reflect", "fill", "raise"}
        What happens to chips that reach beyond the scene.

    Raises
    ------
    ParameterError
        If the track has fewer than two corners, or the spacing is not positive.

    Examples
    --------
    >>> from geotoolz.core import geobox_of
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.patch import PatchGrid, TrackSampler
    >>> scene = simulate_scene((64, 64), bands=("red",))
    >>> x, y = scene.x.values, scene.y.values
    >>> sampler = TrackSampler(9, ((x[8], y[8]), (x[8], y[48])), spacing=200.0)
    >>> [patch.chip.extent.y0 for patch in PatchGrid(scene, sampler)]
    [4, 24, 44]
    """

    geometry: PointCentred
    track: tuple[XY, ...]
    spacing: float
    crs: str | None = None
    boundary: Boundary = "drop"

    def prepare(self, values: dict[str, Any]) -> dict[str, Any]:
        """Accept numbers of pixels, and whole numbers as coordinates."""
        size = pair(values["geometry"], "size")
        geometry = PointCentred(tuple(size)) if isinstance(size, tuple | list) else size
        return {**values, "geometry": geometry, "track": _floats(values["track"])}

    def validate(self) -> None:
        """Check track and spacing."""
        if len(self.track) < 2:
            raise ParameterError(f"a track of {len(self.track)} corners", expected="2 or more")
        if not 0 < self.spacing < math.inf:
            raise ParameterError(f"spacing={self.spacing}", expected="above 0")

    @property
    def at_the_edge(self) -> Boundary:
        """What happens to chips that reach beyond the scene."""
        return self.boundary

    def place(self, source: Source, epoch: int = 0) -> Placed:
        """Choose the chips."""
        from shapely import LineString, transform

        spec = source.spec
        line = transform(LineString(self.track), _mover(self.crs, spec, pixels=False))
        steps = math.floor(line.length / self.spacing)
        ends = (line.interpolate(n * self.spacing) for n in range(steps + 1))
        pixels = _pixels_of(tuple((p.x, p.y) for p in ends), None, spec)
        return _kept([_about(row, col, self.geometry) for row, col in pixels], spec.shape, self.boundary)


def _floats(points: Any) -> Any:
    """Return coordinates as floats; YAML gives whole numbers where it can."""
    if not isinstance(points, tuple | list):
        return points
    return tuple(
        tuple(float(v) if isinstance(v, int) and not isinstance(v, bool) else v for v in p)
        if isinstance(p, tuple | list) else p for p in points
    )  # fmt: skip


def _polygon(text: str) -> BaseGeometry:
    import shapely

    try:
        found = shapely.from_wkt(text)
    except shapely.errors.GEOSException as error:
        raise ParameterError(f"polygon {text[:40]!r} cannot be read: {error}", expected="WKT") from None
    if found.is_empty or found.geom_type not in ("Polygon", "MultiPolygon"):
        raise ParameterError(f"{text[:40]!r} is a {found.geom_type}", expected="a polygon with an area")
    return found


def _mover(crs: str | None, spec: TileSpec, pixels: bool = True) -> Any:
    """Return a function that brings x, y into the scene's CRS, and from there into columns and rows."""
    box = spec.window_geobox
    if crs is not None or box is None:
        box = spec.require_geobox("the sampler") if box is None or box.crs is None else box
    back = ~box.affine
    project = None
    if crs is not None and str(box.crs) != crs:
        from pyproj import Transformer

        project = Transformer.from_crs(crs, str(box.crs), always_xy=True)

    def move(xy: Array) -> Array:
        x, y = xy[:, 0], xy[:, 1]
        if project is not None:
            x, y = project.transform(x, y)
        if not pixels:
            return np.column_stack([x, y])
        t = back
        return np.column_stack([t.a * x + t.b * y + t.c, t.d * x + t.e * y + t.f])

    return move


def _pixels_of(points: tuple[XY, ...], crs: str | None, spec: TileSpec) -> list[tuple[int, int]]:
    """Return the pixels that hold points."""
    found = _mover(crs, spec)(np.asarray(points, np.float64).reshape(-1, 2))
    return [(math.floor(row), math.floor(col)) for col, row in found]


def _span(low: float, high: float) -> tuple[int, int]:
    first = math.floor(low)
    return first, max(math.ceil(high), first + 1)


def _about(row: int, col: int, geometry: Rectangle | PointCentred | PolygonCentred) -> Extent:
    size = geometry.size or (1, 1)
    if isinstance(geometry, PointCentred):
        row, col = row - size[0] // 2, col - size[1] // 2
    return chip_at(row, col, size).extent


def _kept(extents: list[Extent], shape: tuple[int, int], boundary: Boundary) -> Placed:
    chips, dropped = [], 0
    for origin, extent in enumerate(extents):
        fit = fitted(extent, shape, boundary)
        away = 0 in extent.clipped(shape).shape
        if fit is None or away:
            dropped += 1  # nothing of the scene lies in it: there is nothing to reflect
        else:
            chips.append(Chip(fit, origin=origin))
    return Placed(tuple(chips), dropped)
