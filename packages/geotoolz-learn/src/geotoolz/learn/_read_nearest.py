"""ReadLabelNearest: a label raster of another grid, by its nearest pixels."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
import pydantic

from geotoolz.catalog._label_raster import _coded, check_file, legend_of_raster, raster_legend
from geotoolz.catalog._read_label import _filled
from geotoolz.core import Call, Extent, Map, MissingCRSError, Plan, ReadError, TileSpec, VarSpec, verb
from geotoolz.io._gdal_session import gdal_env

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

Array = np.ndarray[Any, Any]


class ReadLabelNearest(Map):
    """Read a label raster that lies on another grid: every pixel gets the label under its centre.

    `geotoolz.catalog.ReadLabel` refuses such a raster, because labels that are moved by half a pixel are
    wrong along every border. Ask for it here where that is wanted. The result does not depend on how the tile
    is cut.

    Parameters
    ----------
    path : str
        The raster, in any CRS. ``{name}`` stands for an attribute of the tile.
    name : str
        The new variable.
    classes : mapping of str to int, optional
        Name to the value in the raster; other values are an error.
    fill : int, optional
        Code of pixels without a label, kept as ``_FillValue``: the raster's own, else 255 or 65535.

    Raises
    ------
    ReadError
        If the raster cannot be read.
    MissingCRSError
        If the tile or the raster has no CRS.
    ParameterError
        If it holds anything but whole numbers, or a value that `classes` does not name.

    Examples
    --------
    >>> ReadLabelNearest("worldcover_{tile_id}.tif", classes={"tree": 10, "crop": 40})
    ReadLabelNearest(path='worldcover_{tile_id}.tif', classes={'tree': 10, 'crop': 40})
    """

    tags: ClassVar[frozenset[str]] = frozenset({"reads_files"})

    path: Annotated[str, pydantic.Field(min_length=1)]
    name: Annotated[str, pydantic.Field(min_length=1)] = "label"
    classes: Mapping[str, int] | None = None
    fill: Annotated[int, pydantic.Field(ge=0, le=65535)] | None = None

    def plan(self, tile: TileSpec) -> Plan:
        """Read the labels' classes, not their pixels."""
        geobox = tile.require_geobox("ReadLabelNearest")
        path = _filled(self.path, tile.attrs)
        legend = legend_of_raster(path, self.classes, self.fill)
        attrs = {**legend.attrs(), "long_name": "label", "data_source": path}
        spec = VarSpec(("y", "x"), legend.dtype, legend.fill, attrs)
        args = (geobox, path, self.classes, self.fill)
        return Plan(writes={self.name: spec}, calls=(Call((), (self.name,), _nearest, args, located=True),))


read_label_nearest = verb(ReadLabelNearest, "read_label_nearest")


def _nearest(
    geobox: GeoBox, path: str, classes: Mapping[str, int] | None, fill: int | None, *, extent: Extent
) -> Array:
    import rasterio
    from rasterio.errors import RasterioError
    from rasterio.windows import Window

    check_file(path)
    try:
        with gdal_env(), rasterio.open(path) as src:
            legend = raster_legend(src, path, classes, fill)
            if src.crs is None:
                raise MissingCRSError(f"{path} has no CRS", fix="write the CRS into the file")
            rows, cols = _positions(geobox, extent, src)
            held = (rows >= 0) & (rows < src.height) & (cols >= 0) & (cols < src.width)
            out = np.full(extent.shape, legend.fill, legend.dtype)
            if not held.any():
                return out
            top, left = int(rows[held].min()), int(cols[held].min())
            size = (int(cols[held].max()) - left + 1, int(rows[held].max()) - top + 1)
            part = src.read(1, window=Window(left, top, *size))
            absent = np.zeros(part.shape, bool) if src.nodata is None else part == src.nodata
    except RasterioError as error:
        raise ReadError(f"{path} cannot be read: {error}", expected="a raster of labels") from error
    coded = _coded(part, absent, legend, path)
    out[held] = coded[rows[held] - top, cols[held] - left]
    return out


def _positions(geobox: GeoBox, extent: Extent, src: Any) -> tuple[Array, Array]:
    """Return the raster's row and column under the centre of every pixel."""
    a = geobox.affine
    col, row = np.meshgrid(np.arange(extent.x0, extent.x1) + 0.5, np.arange(extent.y0, extent.y1) + 0.5)
    x, y = a.c + a.a * col + a.b * row, a.f + a.d * col + a.e * row
    change = _transformer(geobox.crs.to_wkt(), src.crs.to_wkt(), threading.get_ident())  # type: ignore[union-attr]
    if change is not None:
        x, y = change.transform(x, y)
    inverse = ~src.transform
    down = inverse.d * x + inverse.e * y + inverse.f
    across = inverse.a * x + inverse.b * y + inverse.c
    with np.errstate(invalid="ignore"):
        return _floor(down), _floor(across)


@lru_cache(maxsize=64)
def _transformer(here: str, there: str, thread: int) -> Any:
    """Return what moves points between two CRSs (no two threads may share one), None for one CRS."""
    from pyproj import CRS, Transformer

    one, other = CRS.from_wkt(here), CRS.from_wkt(there)
    return None if one == other else Transformer.from_crs(one, other, always_xy=True)


def _floor(values: Array) -> Array:
    """Return whole numbers; -1 for points that have no place in the other CRS."""
    known = np.isfinite(values)
    return np.where(known, np.floor(np.where(known, values, -1)), -1).astype(np.int64)
