"""An area of interest: every way to say one, in one form."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.core._errors import (
    GeotoolzError,
    MissingCRSError,
    ParameterError,
    nearest,
)
from geotoolz.io._area_shape import checked_shape, crs_of, geojson, projected
from geotoolz.io._features import WANTED, read_features, split_layer, usable_rows
from geotoolz.io._mgrs import is_tile_id, mgrs_square

if TYPE_CHECKING:
    from odc.geo.crs import CRS
    from odc.geo.geom import BoundingBox
    from shapely.geometry.base import BaseGeometry

LONLAT = "EPSG:4326"
_FORMS = (
    "(west, south, east, north) in degrees, a vector file, GeoJSON, a tile id such as 33TWL, a geometry, "
    "a GeoDataFrame or a GeoBox"
)


class AreaWarning(UserWarning):
    """An area was not used as it was given: a self-crossing outline was repaired."""


@dataclass(frozen=True)
class Area:
    """Some ground, and the reference system that its coordinates are in.

    Made by `Area.of` of what people write. Coordinates are planar (no heights), the geometry is valid, and
    one that crosses the antimeridian runs on beyond 180° instead of around the globe.

    Parameters
    ----------
    geometry : shapely geometry
        The ground.
    crs : odc.geo.crs.CRS
        Reference system of its coordinates.
    origin : str
        What it was made from, for messages.
    notes : tuple of str
        What was changed: a self-crossing outline that was repaired.
    """

    geometry: BaseGeometry
    crs: CRS
    origin: str = "the area"
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, value: Any, crs: Any = None, layer: str | None = None, catalog: Any = None) -> Area:
        """Make an area of any of its spellings.

        Parameters
        ----------
        value : path, str, tuple, mapping, geometry, GeoDataFrame or GeoBox
            A vector file (``fields.gpkg``, ``fields.gpkg:layer``, Shapefile, GeoJSON, GeoParquet): all its
            features together. GeoJSON as a mapping or text. ``(west, south, east, north)``, with west >
            east across the antimeridian. A shapely or odc geometry, a GeoDataFrame, a GeoBox. An MGRS tile
            (``"33TWL"``): the 109.8 km square of Sentinel-2. The id of a row of `catalog`.
        crs : str or CRS, optional
            Reference system of bounds, shapely geometries and GeoJSON; EPSG:4326 (longitude, latitude)
            where it is not said. What has one of its own keeps it.
        layer : str, optional
            Layer of a file that has several.
        catalog : GeoCatalog, optional
            Where ids of tiles are looked up.

        Raises
        ------
        ParameterError
            If it is none of these, empty, not in degrees, or crosses the antimeridian without saying so.
        ReadError, MissingCRSError
            If a file is missing, lacks the layer, holds nothing, or does not say its CRS.

        Warns
        -----
        AreaWarning
            Where an outline crosses itself: it is repaired (shapely's ``make_valid``), not refused.

        Examples
        --------
        >>> Area.of("33TWL").bounds
        (499980.0, 4990200.0, 609780.0, 5100000.0)
        >>> Area.of((179, -17, -179, -16)).bounds
        (179.0, -17.0, 181.0, -16.0)
        """
        if isinstance(value, Area):
            return value
        made = _parsed(value, crs, layer, catalog)
        for note in made.notes:
            warnings.warn(note, AreaWarning, stacklevel=2)
        return made

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Left, bottom, right, top."""
        left, bottom, right, top = map(float, self.geometry.bounds)
        return (left, bottom, right, top)

    def in_crs(self, crs: Any) -> BaseGeometry:
        """Return the geometry in another reference system; long edges are densified, so that they bend.

        Raises
        ------
        OutsideError
            If it has no place there.
        """
        return projected(self.geometry, self.crs, crs_of(crs), self.origin)

    def bounds_in(self, crs: Any, near: BoundingBox | None = None) -> BoundingBox:
        """Return the bounding box, of the densified convex hull, in a reference system.

        Parameters
        ----------
        crs : str or CRS
            The reference system.
        near : BoundingBox, optional
            Ground in the same system: longitudes come by whole turns as close to it as they can.
        """
        from odc.geo.geom import BoundingBox

        target = crs_of(crs)
        left, bottom, right, top = projected(self.geometry.convex_hull, self.crs, target, self.origin).bounds
        if near is not None and target.geographic:
            turn = 360.0 * round(((near.left + near.right) - (left + right)) / 720.0)
            left, right = left + turn, right + turn
        return BoundingBox(left, bottom, right, top, target)

    def outline(self) -> dict[str, Any]:
        """Return the convex hull as plain JSON types: small enough for every task of a batch run.

        `open_tile` reads the same pixels for it as for the area.
        """
        return geojson(self.geometry.convex_hull, self.crs)

    def to_json(self) -> dict[str, Any]:
        """Return the geometry as GeoJSON; one that is not in EPSG:4326 has a member ``crs``."""
        return geojson(self.geometry, self.crs)

    def elsewhere(self, place: BoundingBox) -> str:
        """Return where the area was probably meant to be, if it does not touch a place; else nothing."""
        if not self.crs.geographic or place.crs is None:
            return ""
        from odc.geo.geom import box

        scene = box(*place.bbox, place.crs).to_crs(self.crs).boundingbox
        left, bottom, right, top = self.bounds
        guesses = {
            "its axes are swapped: longitude comes first": (bottom, left, top, right),
            "it lies in the other hemisphere: mind the sign of the latitude": (left, -top, right, -bottom),
            "it lies in the other hemisphere: mind the sign of the longitude": (-right, bottom, -left, top),
        }
        for said, (west, south, east, north) in guesses.items():
            if west <= scene.right and east >= scene.left and south <= scene.top and north >= scene.bottom:
                return said
        return ""


def _parsed(value: Any, crs: Any, layer: str | None, catalog: Any) -> Area:
    from odc.geo.geobox import GeoBox
    from odc.geo.geom import BoundingBox, Geometry, box

    if isinstance(value, str | os.PathLike):
        return _of_text(os.fspath(value), crs, layer, catalog)
    if layer is not None:
        raise ParameterError(f"layer={layer!r} for {type(value).__name__}", expected="a vector file")
    if isinstance(value, BoundingBox):
        value = box(*value.bbox, value.crs)
    elif isinstance(value, GeoBox):
        value = value.extent
    if isinstance(value, Geometry):
        own = value.crs or crs
        if own is None:
            raise MissingCRSError("the area has no CRS", fix="give it one: geom.assign_crs('EPSG:…')")
        return made(value.geom, own, "the area")
    if isinstance(value, Mapping):
        return _of_geojson(value, crs)
    if hasattr(value, "total_bounds") and hasattr(value, "crs"):  # GeoDataFrame, GeoSeries
        if value.crs is None:
            raise MissingCRSError("the GeoDataFrame has no CRS", fix="gdf.set_crs('EPSG:…')")
        return _of_features(value, "the GeoDataFrame")
    if hasattr(value, "geom_type") and hasattr(value, "__geo_interface__"):  # shapely
        return made(value, crs or LONLAT, "the area")
    if isinstance(value, Sequence | np.ndarray) and len(value) == 4:
        return _of_bounds(value, crs)
    raise ParameterError(f"aoi is {type(value).__name__}", expected=_FORMS)


def _of_text(text: str, crs: Any, layer: str | None, catalog: Any) -> Area:
    """Return the area that a text names: GeoJSON, a row of a catalog, a tile, a file."""
    if text.lstrip().startswith("{"):
        import json

        try:
            return _of_geojson(json.loads(text), crs)
        except ValueError as error:
            if isinstance(error, GeotoolzError):
                raise
            raise ParameterError(f"aoi is no GeoJSON: {error}", expected="a GeoJSON geometry") from error
    path, _ = split_layer(text, layer)
    # without a suffix a folder may be called like a tile
    if layer is not None or path.is_file() or (path.suffix and path.exists()):
        return _of_features(read_features(text, layer), str(path))
    if catalog is not None and text in catalog:
        frame = catalog.frame
        return made(frame.geometry[(frame["id"] == text).to_numpy(bool)].iloc[0], LONLAT, f"tile {text}")
    if is_tile_id(text):
        from shapely.geometry import box

        bounds, zone = mgrs_square(text)
        return made(box(*bounds), zone, f"tile {text}")
    if path.suffix or len(path.parts) > 1:
        return _of_features(read_features(text, layer), str(path))  # says what is missing
    known: Iterable[str] = () if catalog is None else catalog.frame["id"].head(10_000)
    raise ParameterError(
        f"aoi={text!r}{nearest(text, known)}",
        expected=f"{WANTED}, GeoJSON, or a tile: MGRS (33TWL)"
        + ("" if catalog is None else " or an id of the catalog"),
    )


def _of_features(frame: Any, origin: str) -> Area:
    """Return all features of a table together."""
    return _together(np.asarray(frame.geometry[usable_rows(frame)].values, object), frame.crs, origin)


def _together(shapes: Any, crs: Any, origin: str) -> Area:
    """Return several geometries as one; those that cross themselves are repaired first."""
    import shapely

    if not len(shapes):
        raise ParameterError(f"{origin} holds no geometry", expected="at least one that is not empty")
    if len(shapes) == 1:
        return made(shapes[0], crs, origin)
    notes: tuple[str, ...] = ()
    broken = int((~shapely.is_valid(shapes)).sum())
    if broken:
        notes = (f"{origin}: {broken} of {len(shapes)} outlines cross themselves: repaired",)
        shapes = shapely.make_valid(shapes)
    union = made(shapely.union_all(shapes), crs, origin)
    return Area(union.geometry, union.crs, origin, (*notes, *union.notes))


def _of_geojson(value: Mapping[str, Any], crs: Any) -> Area:
    from shapely.errors import ShapelyError
    from shapely.geometry import shape

    many = value.get("type") == "FeatureCollection"
    try:
        parts = value["features"] if many else [value]
        found = [shape(_thawed(part.get("geometry", part))) for part in parts if part.get("geometry", part)]
    except (ShapelyError, KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise ParameterError(f"not a GeoJSON geometry: {error}", expected="GeoJSON") from error
    target = crs or _declared_crs(value)
    if not many:
        return made(found[0], target, "the GeoJSON") if found else _together([], target, "the GeoJSON")
    return _together([one for one in found if not one.is_empty], target, "the GeoJSON")


def _thawed(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else value


def _declared_crs(value: Mapping[str, Any]) -> str:
    """Return the CRS that GeoJSON says in the old way (2008), as GDAL and `Area.to_json` do."""
    said = value.get("crs")
    if said is None:
        return LONLAT
    name = said.get("properties", {}).get("name") if isinstance(said, Mapping) else None
    if not isinstance(name, str):
        raise ParameterError(f"the GeoJSON's crs is {said!r}", expected='{"type": "name", …}')
    return LONLAT if name.upper().endswith("CRS84") else name


def _of_bounds(value: Any, crs: Any) -> Area:
    from shapely.geometry import box

    values = tuple(float(number) for number in value)
    west, south, east, north = values
    target = crs_of(crs or LONLAT)
    if not all(map(math.isfinite, values)):
        raise ParameterError(f"aoi={values}", expected="four finite numbers")
    if target.geographic:
        if west > east:  # across the antimeridian, as STAC writes it
            if west - east < 180.0:
                raise ParameterError(
                    f"aoi={values}: its west lies east of its east",
                    expected="west < east; across the antimeridian at most 180 degrees",
                    fix="swap west and east",
                )
            east += 360.0
        if not (-180 <= west <= 180 and -90 <= south <= 90 and -90 <= north <= 90 and east <= 540):
            swapped = max(abs(west), abs(values[2])) <= 90 and max(abs(south), abs(north)) <= 180
            raise ParameterError(
                f"aoi={values} is not in degrees",
                expected="(west, south, east, north) in EPSG:4326",
                fix="its axes are swapped: longitude comes first"
                if swapped
                else "say what they are in: Area.of(bounds, crs='EPSG:…')",
            )
    if south >= north or west >= east:
        raise ParameterError(f"aoi={values} is empty", expected="west < east and south < north")
    return made(box(west, south, east, north), target, "the area")


def made(shape: BaseGeometry, crs: Any, origin: str) -> Area:
    """Return a checked area.

    Raises
    ------
    ParameterError
        If it is empty or has impossible coordinates.
    """
    target = crs_of(crs)
    found, notes = checked_shape(shape, target, origin)
    return Area(found, target, origin, notes)
