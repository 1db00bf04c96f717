"""`build_mosaic`: the products of many scenes as one raster."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.core._errors import CatalogError, ParameterError, WriteError
from geotoolz.io._cog import Encoding, Pending, copy_cog, write_style
from geotoolz.io._gdal_session import gdal_env
from geotoolz.io._mosaic import Mosaic, MosaicBand, lay_out, relocated
from geotoolz.io._mosaic_vrt import mosaic_xml
from geotoolz.io._style import Painted, check_style
from geotoolz.io._tags import MOSAIC_TAG
from geotoolz.io._vrt import Layer

if TYPE_CHECKING:
    from geotoolz.catalog._catalog import GeoCatalog

_RASTERS = (".tif", ".tiff")


@dataclass(frozen=True)
class MosaicResult:
    """What `build_mosaic` made.

    Attributes
    ----------
    path : Path
    bands : tuple of str
    shape : tuple of int
        Rows and columns.
    files : int
        How many files it is made of.
    """

    path: Path
    bands: tuple[str, ...]
    shape: tuple[int, int]
    files: int


def build_mosaic(
    sources: GeoCatalog | Iterable[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    bands: Iterable[str] | str | None = None,
    style: str | None = "auto",
) -> MosaicResult:
    """Lay rasters of one grid side by side, as a virtual raster (``.vrt``) or as one COG (``.tif``).

    A virtual raster takes no space: it names the files, by paths relative to its own folder, so both can
    be moved together. Each band has its name, unit, no-data value, scale, and the names and colours of its
    classes. Nothing is resampled: every pixel is that of a file.

    Where files overlap, the later one lies on top, and its no-data lets the others shine through; those of a
    catalog lie in order of time. Pixels that no file covers are no-data, or 0 where the band has none.

    Parameters
    ----------
    sources : GeoCatalog or iterable of path
        Scenes, or raster files.
    out : path
        ``.vrt``, or ``.tif`` for a cloud-optimised GeoTIFF: one dtype and one no-data value then.
    bands : str or iterable of str, optional
        Bands by their names; all by default. Files without any of them are left out.
    style : str, optional
        The style for QGIS beside it, as `geotoolz.io.WriteCOG` takes it.

    Returns
    -------
    MosaicResult

    Raises
    ------
    GridMismatchError
        If CRS, pixel size or lattice differ; says how to bring them onto one grid.
    TileError
        If a band has several dtypes, no-data values or scales.
    CatalogError
        If a catalog has no local raster.
    ParameterError
        If there is nothing, a band is in no file, or `out` is neither.
    ReadError
        If a file cannot be read.
    WriteError
        If the output cannot be written; nothing is left behind.

    Examples
    --------
    >>> import tempfile
    >>> from geotoolz.catalog import build_mosaic
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.io import open_tile, write_tile
    >>> tile = simulate_scene((32, 64), bands=("red",))
    >>> with tempfile.TemporaryDirectory() as tmp:
    ...     _ = write_tile(tile.isel(x=slice(0, 32)), f"{tmp}/west.tif")
    ...     _ = write_tile(tile.isel(x=slice(32, 64)), f"{tmp}/east.tif")
    ...     made = build_mosaic([f"{tmp}/west.tif", f"{tmp}/east.tif"], f"{tmp}/red.vrt")
    ...     same = open_tile(made.path).red.equals(tile.red)
    >>> made.shape, made.bands, same
    ((32, 64), ('red',), True)
    """
    path = Path(os.path.abspath(out))  # noqa: PTH100 - no links are followed
    suffix = path.suffix.lower()
    if suffix not in (".vrt", *_RASTERS):
        raise ParameterError(f"out={os.fspath(out)!r}", expected="a name that ends in .vrt or .tif")
    style = check_style(style)
    wanted = None if bands is None else (bands,) if isinstance(bands, str) else tuple(bands)
    files = [os.path.abspath(one) for one in _paths(sources)]  # noqa: PTH100
    if os.fspath(path) in files:
        raise ParameterError(f"out={os.fspath(out)!r} is one of the sources", expected="another name")
    mosaic = lay_out(files, wanted)
    if mosaic.attrs is not None:
        mosaic = replace(mosaic, attrs={**mosaic.attrs, "tile_id": path.stem})
    with Pending([os.fspath(path)]) as pending:
        with pending.writing(os.fspath(path), 0) as temporary:
            if suffix == ".vrt":
                _write_vrt(mosaic, temporary)
            else:
                _write_cog(mosaic, temporary, path.parent)
            write_style(temporary, [_painted(band) for band in mosaic.bands], style)
        pending.publish()
    return MosaicResult(path, tuple(band.name for band in mosaic.bands), mosaic.shape, mosaic.files)


def _paths(sources: Any) -> Iterator[str]:
    """Yield the rasters: those that are given, or those of a catalog's scenes, the oldest first."""
    if isinstance(sources, (str, os.PathLike)):
        yield os.fspath(sources)
        return
    if not hasattr(sources, "iter_rows"):
        yield from map(os.fspath, sources)
        return
    rows = sorted(sources.iter_rows(), key=lambda row: (_moment(row), row.id))
    found = [path for row in rows for path in _files(row, sources)]
    if not found:
        raise CatalogError(
            "the catalog has no local GeoTIFF",
            expected="scenes whose files are on this machine",
            fix="download them first, or stack them: catalog.stack(…)",
        )
    yield from found


def _moment(row: Any) -> str:
    moment = row.datetime
    return "" if moment is None or moment != moment else moment.isoformat()


def _files(row: Any, catalog: Any) -> Iterator[str]:
    """Yield the data files of a row's scene, as its STAC item has them."""
    from geotoolz.catalog._export import item_of
    from geotoolz.catalog._hrefs import local_path
    from geotoolz.catalog._stac import is_data

    for asset in item_of(row, catalog.base)["assets"].values():
        path = local_path(asset["href"]) if is_data(asset) else None
        if path is not None and path.suffix.lower() in _RASTERS:
            yield str(path)


def _painted(band: MosaicBand) -> Painted:
    return Painted(band.name, np.dtype(band.kind.kept or band.kind.dtype), band.kind.nodata, band.attrs)


def _write_vrt(mosaic: Mosaic, path: Path) -> None:
    """Write the text and open it again."""
    import rasterio

    here = relocated(mosaic, lambda name: Path(os.path.relpath(name, path.parent)).as_posix())
    path.write_text(mosaic_xml(here, relative=True), encoding="utf-8")
    with gdal_env(), rasterio.open(path) as raster:
        if (raster.shape, raster.count) != (mosaic.shape, len(mosaic.bands)):
            raise WriteError(f"{path} has {raster.count} × {raster.shape} pixels after writing")


def _write_cog(mosaic: Mosaic, path: Path, folder: Path) -> None:
    """Copy the pixels block by block; the file notes what it was copied from."""
    kinds = {(band.kind.dtype, repr(band.kind.nodata)) for band in mosaic.bands}
    if len(kinds) > 1:
        listed = "; ".join(f"{band.name}: {band.kind}" for band in mosaic.bands)
        raise ParameterError(
            f"{path.suffix} would hold bands of several kinds ({listed})",
            expected="one dtype and one no-data value per file",
            fix="name some with bands=…, or make a .vrt",
        )
    layers = [
        Layer(band.name, np.empty((0, 0), band.kind.kept or band.kind.dtype), band.kind.nodata, band.attrs)
        for band in mosaic.bands
    ]
    files = dict.fromkeys(piece.path for band in mosaic.bands for piece in band.pieces)
    parts = [Path(os.path.relpath(name, folder)).as_posix() for name in files]
    tags = {MOSAIC_TAG: json.dumps(parts, separators=(",", ":"))}
    copy_cog(mosaic_xml(mosaic, relative=False, more=tags), path, layers, Encoding())
