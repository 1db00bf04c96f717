"""The grid of a stack: made of an area and a pixel size, checked, and looked up in the catalog."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

from geotoolz.catalog._elsewhere import probably_meant, within
from geotoolz.catalog._footprint import footprint_of_bounds
from geotoolz.core._errors import CatalogError, MissingCRSError, OutsideError, ParameterError, TileError
from geotoolz.core._grid import crs_label, grid_label

if TYPE_CHECKING:
    from odc.geo.crs import CRS
    from odc.geo.geobox import GeoBox
    from odc.geo.geom import BoundingBox

    from geotoolz.catalog._catalog import GeoCatalog
    from geotoolz.io._scene import BandRequest
    from geotoolz.io._sign import Sign

_EVERYWHERE = (-180.0, -90.0, 180.0, 90.0)
_NOISE = 1e-6  # of a pixel: an edge so near to a whole multiple is one


def stack_grid(
    catalog: GeoCatalog,
    aoi: Any = None,
    resolution: float | None = None,
    crs: Any = None,
    *,
    bands: BandRequest = None,
    sign: Sign = None,
) -> GeoBox:
    """Return a grid over an area, its edges on those of the scenes' pixels.

    Where the pixel size is the scenes' own, or a whole multiple or part of it, the first scene in the CRS
    says where pixels begin: on whole multiples of their size for Sentinel-2 and HLS, half a pixel beside them
    for Landsat. Pixels of all such scenes are then copied and not resampled. Another pixel size has its edges
    on whole multiples.

    Parameters
    ----------
    catalog : GeoCatalog
        The scenes; they decide the CRS where none is given.
    aoi : tuple, geometry, GeoDataFrame or GeoBox, optional
        As `open_tile` takes it: a tuple is ``(west, south, east, north)`` in degrees, west > east crosses
        the antimeridian. By default what the scenes cover, by their own grids.
    resolution : float, optional
        Pixel size in units of the CRS; by default that of the finest band of the first scene that is in it.
    crs : object, optional
        By default the CRS that most scenes over the area have; of equals the first by name.
    bands : str, iterable of str, or mapping, optional
        Bands whose pixel size counts, as `open_tile` takes them; by default all.
    sign : str or callable, optional
        Signs addresses where that is looked up, as `open_tile` says.

    Returns
    -------
    GeoBox
        North-up.

    Raises
    ------
    CatalogError
        If no scene lies over the area and no CRS is given, or the rows name no CRS.
    ParameterError
        If `resolution` is no pixel size, or none is given and no scene is in the CRS.
    """
    from odc.geo.crs import CRS
    from odc.geo.geobox import GeoBox

    from geotoolz.io._lattice import aoi_bounds

    if resolution is not None and not 0 < resolution < math.inf:
        raise ParameterError(
            f"resolution={resolution!r}", expected="a pixel size above 0 in units of the CRS"
        )
    target = CRS(_usual_crs(catalog, aoi) if crs is None else crs)
    if resolution is None:
        resolution, x0, y0 = _finest_pixels(catalog, aoi, target, bands, sign)
    else:
        x0, y0 = _known_edges(catalog, target, resolution)
    bounds = _covered(catalog, target) if aoi is None else aoi_bounds(aoi, target)
    left, right = _edges(bounds.left, bounds.right, resolution, x0)
    bottom, top = _edges(bounds.bottom, bounds.top, resolution, y0)
    from affine import Affine

    affine = Affine(resolution, 0.0, left * resolution + x0, 0.0, -resolution, top * resolution + y0)
    return GeoBox((max(top - bottom, 1), max(right - left, 1)), affine, target)


def _edges(low: float, high: float, size: float, begin: float) -> tuple[int, int]:
    """Return the numbers of the edges around an interval, counted in pixels from where they begin."""
    return math.floor((low - begin) / size + _NOISE), math.ceil((high - begin) / size - _NOISE)


def _beginning(edge: float, size: float) -> float:
    """Return how far an edge lies beyond a whole multiple of the pixel size."""
    beyond = edge - math.floor(edge / size + _NOISE) * size
    return beyond if beyond > _NOISE * size else 0.0


def _known_edges(catalog: GeoCatalog, crs: CRS, size: float) -> tuple[float, float]:
    """Return where pixels of a size begin, by the rows alone: as the first scene's, where they fit."""
    from odc.geo.crs import CRS

    frame = catalog.frame
    same = [name for name in frame["crs"].dropna().unique() if CRS(name) == crs]
    told = frame[frame["crs"].isin(same) & frame[["res_x", "left", "top"]].notna().all(axis=1)]
    if told.empty:
        return 0.0, 0.0
    row = told.iloc[0]
    ratio = max(size / row.res_x, row.res_x / size)
    if abs(ratio - round(ratio)) > _NOISE:
        return 0.0, 0.0
    own = min(float(row.res_x), size)
    return _beginning(float(row.left), own), _beginning(float(row.top), own)


def _finest_pixels(
    catalog: GeoCatalog, aoi: Any, crs: CRS, bands: BandRequest, sign: Sign
) -> tuple[float, float, float]:
    """Return size and beginning of the pixels of the finest band of the first scene that is in a CRS."""
    from odc.geo.crs import CRS

    from geotoolz.io import describe

    found = _over(catalog, aoi)
    for row in found.iter_rows():
        if row.crs is not None and CRS(row.crs) == crs:
            a = describe(found.source_of(row), bands, sign=sign).require_geobox("stack_grid").affine
            size = abs(float(a.a))
            return size, _beginning(a.c, size), _beginning(a.f, size)
    raise ParameterError(
        f"no resolution is given, and none of {len(found)} scenes over the area is in {crs_label(crs)}",
        expected="a pixel size in units of that CRS",
        fix="resolution=…",
    )


def _covered(catalog: GeoCatalog, target: CRS) -> BoundingBox:
    """Return what the scenes cover; those that are in the target's CRS to the last digit."""
    from odc.geo.geom import BoundingBox, box

    from geotoolz.io._lattice import aoi_bounds

    frame = catalog.frame
    untold = frame[["crs", "left"]].isna().any(axis=1)
    parts = [aoi_bounds(tuple(frame[untold].total_bounds), target)] if untold.any() else []
    for crs, rows in frame[~untold].groupby("crs"):
        low, high = rows[["left", "bottom"]].min(), rows[["right", "top"]].max()
        own = box(float(low.left), float(low.bottom), float(high.right), float(high.top), str(crs))
        parts.append(aoi_bounds(own, target))
    return BoundingBox(
        min(part.left for part in parts),
        min(part.bottom for part in parts),
        max(part.right for part in parts),
        max(part.top for part in parts),
        target,
    )


def _over(catalog: GeoCatalog, aoi: Any) -> GeoCatalog:
    """Return the scenes over an area.

    Raises
    ------
    CatalogError
        If there is none.
    """
    from odc.geo.crs import CRS

    from geotoolz.io._lattice import aoi_bounds

    if aoi is None and len(catalog):
        return catalog
    bounds = aoi_bounds(aoi or _EVERYWHERE, CRS("EPSG:4326"))
    found = catalog.query(geometry=footprint_of_bounds(bounds.bbox, "EPSG:4326"))
    if not len(found):
        raise CatalogError(
            f"no scene of {catalog!r} lies over {tuple(round(v, 4) for v in bounds.bbox)}",
            expected=f"an area within {within(catalog)}" if len(catalog) else "scenes",
            fix=probably_meant(catalog, aoi)
            or "aoi is (west, south, east, north) in degrees, or knows its CRS",
        )
    return found


def _usual_crs(catalog: GeoCatalog, aoi: Any) -> str:
    found = _over(catalog, aoi)
    count = Counter(found.frame["crs"].dropna().tolist())
    if not count:
        raise CatalogError("the rows name no CRS", expected="a column crs", fix="say crs=…")
    most = max(count.values())
    return str(min(name for name, number in count.items() if number == most))


def touching(catalog: GeoCatalog, geobox: GeoBox) -> GeoCatalog:
    """Return the scenes whose footprints touch a grid.

    Raises
    ------
    MissingCRSError
        If the grid has no CRS.
    TileError
        If the grid is rotated, empty, or runs over ±180° in degrees.
    CatalogError
        If the catalog is empty.
    OutsideError
        If no scene touches the grid.
    """
    if geobox.crs is None:
        raise MissingCRSError("the geobox has no CRS", fix="GeoBox(shape, affine, 'EPSG:…')")
    a = geobox.affine
    if a.b != 0 or a.d != 0:
        raise TileError("the geobox is rotated", expected="an axis-aligned grid")
    if 0 in geobox.shape:
        raise TileError(f"the geobox is empty: {tuple(map(int, geobox.shape))}", expected="a pixel at least")
    bounds = geobox.boundingbox
    if geobox.crs.geographic and not (bounds.left >= -180.0 and bounds.right <= 180.0):
        raise TileError(
            f"the geobox runs from {bounds.left:g}° to {bounds.right:g}° of longitude",
            expected="longitudes from -180 to 180",
            fix="take a projected CRS (the UTM zone) across the antimeridian, or make two stacks",
        )
    if not len(catalog):
        raise CatalogError("the catalog is empty", expected="at least one scene", fix="widen the selection")
    found = catalog.query(geometry=footprint_of_bounds(bounds.bbox, str(geobox.crs)))
    if not len(found):
        west, south, east, north = (round(v, 4) for v in catalog.bounds)
        raise OutsideError(
            f"the geobox ({grid_label(geobox)}) lies outside all {len(catalog)} scenes",
            expected=f"a grid within {(west, south, east, north)} (longitude, latitude)",
            fix=f"choose a geobox over the scenes; mind its CRS ({crs_label(geobox.crs)})",
        )
    return found
