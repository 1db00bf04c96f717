"""Labels that are a raster already: read, never resampled."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.catalog._label_table import Classes, Legend, make_legend
from geotoolz.core._errors import GridMismatchError, MissingCRSError, ParameterError, ReadError
from geotoolz.core._grid import crs_label
from geotoolz.io._gdal_session import gdal_env

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

Array = np.ndarray[Any, Any]

# Corners may miss the lattice by this much, in pixels, before the raster counts as another grid.
_TOLERANCE = 1e-3
_OTHER_GRID = "warp it to the tile's grid (nearest), or take geotoolz.learn.ReadLabelNearest (--nearest)"


def read_raster_window(
    geobox: GeoBox, path: str, classes: Classes | None, fill: int | None, window: tuple[int, ...]
) -> tuple[Array, Legend]:
    """Read a window of a label raster whose pixels are those of the grid.

    Pixels that the raster does not cover, and its no-data, are unlabelled.

    Raises
    ------
    GridMismatchError
        If it has another CRS, pixel size or alignment.
    """
    import rasterio
    from rasterio.errors import RasterioError

    check_file(path)
    try:
        with gdal_env(), rasterio.open(path) as src:
            row, col = _place(src, geobox, path)
            values, absent = _read(src, window, row, col)
            legend = raster_legend(src, path, classes, fill)
    except RasterioError as err:
        raise ReadError(f"{path} cannot be read: {err}", expected="a raster of labels") from err
    return _coded(values, absent, legend, path), legend


def legend_of_raster(path: str, classes: Classes | None, fill: int | None) -> Legend:
    """Return what a label raster's codes mean, from its header."""
    import rasterio
    from rasterio.errors import RasterioError

    check_file(path)
    try:
        with gdal_env(), rasterio.open(path) as src:
            return raster_legend(src, path, classes, fill)
    except RasterioError as err:
        raise ReadError(f"{path} cannot be read: {err}", expected="a raster of labels") from err


def raster_legend(src: Any, path: str, classes: Classes | None, fill: int | None) -> Legend:
    """Return what a raster's values mean: `classes` names them, else any value may occur."""
    kind = np.dtype(src.dtypes[0])
    if kind.kind not in "ui":
        raise ParameterError(
            f"{path} holds {kind}", expected="whole numbers", fix="save the labels as uint8 or uint16"
        )
    if classes is not None:
        return _named(classes, fill, path)
    told = _told_classes(path)
    if told:
        return _named(told, fill if fill is not None else _fill_of(src, told), path)
    # reading the file to find its values would cost a pass, and differ between files
    wide = kind.itemsize > 1
    largest = 65535 if wide else 255
    if fill is None:
        fill = int(src.nodata) if src.nodata is not None and 0 <= src.nodata <= largest else largest
    return Legend((), (), fill, wide)


def _told_classes(path: str) -> dict[str, int | None]:
    """Return the classes that the file itself names (``flag_values``, ``flag_meanings``); none for most."""
    from geotoolz.io import describe

    attrs = next(iter(describe(path, raw=True).variables.values())).attrs
    values, meanings = attrs.get("flag_values"), attrs.get("flag_meanings")
    if values is None or not isinstance(meanings, str):
        return {}
    names, codes = meanings.split(), np.atleast_1d(np.asarray(values))
    return dict(zip(names, map(int, codes), strict=True)) if len(names) == codes.size else {}


def _fill_of(src: Any, classes: Classes) -> int | None:
    """Return the file's no-data value where it can mark pixels without a label."""
    nodata = src.nodata
    return None if nodata is None or nodata in classes.values() or not 0 <= nodata <= 65535 else int(nodata)


def _named(classes: Classes, fill: int | None, path: str) -> Legend:
    if None in classes.values():
        raise ParameterError(f"classes maps a name to None, and {path} is a raster", expected="name to value")
    return make_legend(list(classes), classes, fill, path)[0]


def check_file(path: str) -> None:
    local = Path(path)
    if "://" in path or path.startswith("/vsi"):
        return
    if not local.is_file():
        raise ReadError(f"{path} does not exist", expected="a raster of labels", fix="correct the path")
    if local.stat().st_size == 0:
        raise ReadError(f"{path} has 0 bytes", expected="a raster of labels")


def _place(src: Any, geobox: GeoBox, path: str) -> tuple[int, int]:
    """Return the grid's row and column of the raster's first pixel."""
    from odc.geo.crs import CRS

    if src.crs is None:
        raise MissingCRSError(
            f"{path} has no CRS", expected=f"{geobox.crs}", fix="write the CRS into the file"
        )
    if CRS(src.crs.to_wkt()) != geobox.crs:
        raise GridMismatchError(
            f"{path} is in {crs_label(CRS(src.crs.to_wkt()))}",
            expected=crs_label(geobox.crs),
            fix=_OTHER_GRID,
        )
    ours, theirs = geobox.affine, src.transform
    across, down = (theirs.c - ours.c) / ours.a, (theirs.f - ours.f) / ours.e
    row, col = round(down), round(across)
    growth = (abs(theirs.a / ours.a - 1) * src.width, abs(theirs.e / ours.e - 1) * src.height)
    drift = max(*growth, abs(down - row), abs(across - col))
    if drift > _TOLERANCE or theirs.b != 0 or theirs.d != 0:
        raise GridMismatchError(
            f"{path} has the transform {tuple(theirs)[:6]}",
            expected=f"pixels of {tuple(ours)[:6]}",
            fix=_OTHER_GRID,
        )
    return row, col


def _read(src: Any, window: tuple[int, ...], row: int, col: int) -> tuple[Array, Array]:
    """Return values, and where there are none."""
    from rasterio.windows import Window

    row0, col0, rows, cols = window
    top, left = max(row0, row), max(col0, col)
    end, right = min(row0 + rows, row + src.height), min(col0 + cols, col + src.width)
    values = np.zeros((rows, cols), src.dtypes[0])
    absent = np.ones((rows, cols), bool)
    if end > top and right > left:
        inner = (slice(top - row0, end - row0), slice(left - col0, right - col0))
        part = src.read(1, window=Window(left - col, top - row, right - left, end - top))
        values[inner] = part
        absent[inner] = False if src.nodata is None else part == src.nodata
    return values, absent


def _coded(values: Array, absent: Array, legend: Legend, path: str) -> Array:
    held = values[~absent]
    out = np.full(values.shape, legend.fill, legend.dtype)
    if legend.codes:
        strange = np.setdiff1d(held, legend.codes)
        expected, fix = f"one of {', '.join(map(str, legend.codes))}", "name them in classes"
    else:
        limit = np.iinfo(legend.dtype).max
        strange = np.unique(held[(held < 0) | (held > limit)])
        expected, fix = f"codes from 0 to {limit}", "save the labels as uint8 or uint16"
    if strange.size:
        raise ParameterError(
            f"{path} holds {', '.join(map(str, strange[:5].tolist()))}", expected=expected, fix=fix
        )
    out[~absent] = held
    return out
