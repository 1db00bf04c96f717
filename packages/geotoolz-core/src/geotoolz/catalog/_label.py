"""Labels on a tile's grid, equal for any window of it."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.catalog._label_raster import legend_of_raster, read_raster_window
from geotoolz.catalog._label_table import RASTERS, Classes, LabelTable, Legend, label_table
from geotoolz.core._errors import GridMismatchError, MissingCRSError, ParameterError

if TYPE_CHECKING:
    import geopandas as gpd
    from odc.geo.geobox import GeoBox

Array = np.ndarray[Any, Any]

# Geometries are burnt in blocks of this lattice, anchored at the grid's first pixel. A window is put
# together of whole blocks: GDAL's scan line rounds differently when its origin moves, and here it never does.
BLOCK = 512


def rasterize_label(
    geobox: GeoBox,
    source: str | Path | gpd.GeoDataFrame,
    column: str | None = None,
    *,
    classes: Classes | None = None,
    all_touched: bool = False,
    fill: int | None = None,
    offset: tuple[int, int] = (0, 0),
    shape: tuple[int, int] | None = None,
) -> tuple[Array, Legend]:
    """Return the labels of a grid, or of a window of it.

    Parameters
    ----------
    geobox : GeoBox
        The (parent) grid.
    source : path or GeoDataFrame
        Vector labels (GeoPackage, GeoParquet, GeoJSON), or a raster whose pixels are the grid's.
    column : str, optional
        Column with the class; without it everything is class 1. Rasters have none.
    classes : mapping of str to int or None, optional
        Value to code; None leaves a value unlabelled. Without it whole numbers are their own codes and text
        is numbered from 1 in alphabetical order. Of a raster: name to the value in it.
    all_touched : bool
        Burn every pixel that a geometry touches, not only those whose centre lies in it.
    fill : int, optional
        Code of pixels without a label: 255 by default, 65535 where the codes need ``uint16``.
    offset, shape : tuple of int, optional
        First row and column, and size, of the window; the whole grid by default. The pixels are those of the
        whole grid, bit for bit.

    Returns
    -------
    labels : array of uint8 or uint16
    legend : Legend
        What the codes mean.

    Raises
    ------
    ReadError, MissingCRSError, MissingVariableError, ParameterError, GridMismatchError
        Naming what is wrong with the labels or the grid.
    """
    if geobox.crs is None:
        raise MissingCRSError("the grid has no CRS", expected="a grid whose place is known")
    if geobox.affine.b != 0 or geobox.affine.d != 0:
        raise GridMismatchError("the grid is rotated", expected="an axis-aligned grid")
    window = (*offset, *(shape if shape is not None else map(int, geobox.shape)))
    if isinstance(source, (str, Path)) and str(source).lower().endswith(RASTERS):
        if column is not None:
            raise ParameterError(f"column is {column!r}, and {source} is a raster", expected="column=None")
        return read_raster_window(geobox, str(source), classes, fill, window)
    table = label_table(source, column, classes, fill)
    return burn_window(geobox, table, all_touched, window), table.legend


def read_legend(source: str | Path, column: str | None, classes: Classes | None, fill: int | None) -> Legend:
    """Return what the codes of `rasterize_label` mean, without a grid."""
    if str(source).lower().endswith(RASTERS):
        return legend_of_raster(str(source), classes, fill)
    return label_table(source, column, classes, fill).legend


def burn_window(geobox: GeoBox, table: LabelTable, all_touched: bool, window: tuple[int, ...]) -> Array:
    """Return the codes of a window (row, column, rows, columns) of a grid: the bits of the whole grid."""
    row0, col0, rows, cols = window
    out = np.empty((rows, cols), table.legend.dtype)
    for i in range(row0 // BLOCK, -(-(row0 + rows) // BLOCK)):
        for j in range(col0 // BLOCK, -(-(col0 + cols) // BLOCK)):
            block = _burn_block(geobox.affine, str(geobox.crs), table, all_touched, (i, j))
            top, left = max(i * BLOCK, row0), max(j * BLOCK, col0)
            end, right = min((i + 1) * BLOCK, row0 + rows), min((j + 1) * BLOCK, col0 + cols)
            part = block[top - i * BLOCK : end - i * BLOCK, left - j * BLOCK : right - j * BLOCK]
            out[top - row0 : end - row0, left - col0 : right - col0] = part
    return out


# A row of windows over a wide scene meets the same blocks again and again; a block is 256 or 512 KiB.
@lru_cache(maxsize=64)
def _burn_block(affine: Any, crs: str, table: LabelTable, all_touched: bool, block: tuple[int, int]) -> Array:
    from affine import Affine
    from rasterio.features import rasterize

    pixels, tree = _in_pixels(affine, crs, table)
    row, col = block[0] * BLOCK, block[1] * BLOCK
    near = _near(tree, row, col)
    legend = table.legend
    if near.size == 0:
        return np.full((BLOCK, BLOCK), legend.fill, legend.dtype)
    burnt: Array = rasterize(
        zip(pixels[near], table.codes[near].tolist(), strict=True),
        out_shape=(BLOCK, BLOCK),
        fill=legend.fill,
        transform=Affine.translation(col, row),
        all_touched=all_touched,
        dtype=legend.dtype.name,
    )
    burnt.flags.writeable = False
    return burnt


@lru_cache(maxsize=8)
def _in_pixels(affine: Any, crs: str, table: LabelTable) -> tuple[Array, Any]:
    """Return the geometries in pixel coordinates of the grid, and a tree of them."""
    import shapely

    def to_pixels(xy: Array) -> Array:
        # not the inverse transform: (y - f) / e is exact for edges on pixel centres, where rounding decides
        return np.column_stack([(xy[:, 0] - affine.c) / affine.a, (xy[:, 1] - affine.f) / affine.e])

    pixels = np.asarray(shapely.transform(shapely.force_2d(table.in_crs(crs)), to_pixels), object)
    return pixels, shapely.STRtree(pixels)


def _near(tree: Any, row: int, col: int) -> Array:
    """Return the positions of geometries that may touch a block, in file order."""
    import shapely

    around = shapely.box(col - 1, row - 1, col + BLOCK + 1, row + BLOCK + 1)
    found: Array = np.sort(tree.query(around))
    return found
