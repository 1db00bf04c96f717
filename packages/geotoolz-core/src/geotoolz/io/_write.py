"""`WriteCOG` and `write_tile`."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from geotoolz.core import Sink, TileSpec, VarSpec
from geotoolz.core._errors import MissingCRSError, ParameterError, TileError
from geotoolz.core._grid import geobox_of
from geotoolz.core._lazy import xr
from geotoolz.io._cog import Encoding, write_cogs
from geotoolz.io._style import check_style
from geotoolz.io._template import expand, fields_of
from geotoolz.io._vrt import Layer, gdal_type
from geotoolz.io._write_object import check_target

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox


_OF_COMPLEX = ("average", "mode", "nearest", "none")


class WriteCOG(Sink):
    """Write variables as cloud-optimised GeoTIFF.

    One file per variable where the path has ``{band}``, otherwise one file with all of them, which
    then need one dtype and one no-data value. Names become band descriptions; units, scale, offset
    and all attributes become tags, so `open_tile` gives the same tile back. Class maps
    (``flag_values``, ``flag_meanings``) open with names and colours in QGIS: a colour table in the
    file, names and a raster attribute table in ``.aux.xml`` beside it. What else is drawn with a
    colour map has its style in a ``.qml`` file beside it. Files appear
    complete and together or not at all: each is written under a temporary name, opened again and
    checked, then all are moved into place.
    Equal tiles give equal bytes.

    Parameters
    ----------
    path : str
        Where to write: a path, or ``s3://bucket/…`` (``gs://``, ``az://``), where the files are made here and
        sent whole. Fields: ``{item_id}`` (also ``{tile_id}``), ``{band}``, ``{date}``,
        ``{datetime}``, ``{year}``, ``{month}``, ``{day}``, ``{platform}``, ``{instrument}``, ``{level}``.
    bands : tuple of str, optional
        Variables to write; by default those that the pipeline created, or changed if it created none.
    compress : {"zstd", "deflate", "lzw", "none"}
        Lossless compression.
    level : int, optional
        Its level: 3 for zstd and 6 for deflate by default.
    predictor : {"auto", "yes", "no"}
        Differences instead of values; ``"auto"`` uses them except for classes and masks.
    blocksize : int
        Size of the internal tiles, a multiple of 16, at least 64.
    overviews : {"average", "nearest", "bilinear", "cubic", "mode", "none"}
        How overviews are made; classes and masks always take the nearest pixel. Complex numbers have
        average, mode, nearest and none.
    style : str, optional
        The style with which QGIS opens the file, ``.qml`` beside it. ``"auto"``: the colour map and
        limits of what the variable holds, from ``quantity`` and ``valid_range``, else from its
        percentiles 2 and 98; red, green and blue of one file as a picture; no file for pictures and
        class maps that carry their colours in themselves. The name of a colour map (see
        `geotoolz.viz.colormap_names`) takes that one for measurements. None writes none. A style
        that was saved there by QGIS is kept.

    Raises
    ------
    ParameterError
        For a colour map that does not exist.
    TileError
        If several dtypes or no-data values would go into one file, or the tile lacks an attribute
        that the path needs.
    WriteError
        If the folder cannot be written or the disk is full; nothing is left behind. A `StoreError` where an
        object store cannot be reached or refuses.

    Examples
    --------
    >>> from geotoolz.io import WriteCOG
    >>> WriteCOG("out/{item_id}_{band}.tif", bands=("ndvi",))
    WriteCOG(path='out/{item_id}_{band}.tif', bands=('ndvi',))
    """

    path: str
    bands: tuple[str, ...] | None = None
    compress: Literal["zstd", "deflate", "lzw", "none"] = "zstd"
    level: int | None = None
    predictor: Literal["auto", "yes", "no"] = "auto"
    blocksize: int = 512
    overviews: Literal["average", "nearest", "bilinear", "cubic", "mode", "none"] = "average"
    style: str | None = "auto"

    def prepare(self, values: dict[str, Any]) -> dict[str, Any]:
        """Accept a `Path` and a single band's name; spell a colour map as matplotlib does."""
        if isinstance(values["path"], os.PathLike):
            values["path"] = os.fspath(values["path"])
        if isinstance(values["bands"], str):
            values["bands"] = (values["bands"],)
        if isinstance(values["style"], str):
            values["style"] = check_style(values["style"])
        return values

    def validate(self) -> None:
        """Check the path's fields and the block size."""
        check_target(self.path)
        if not self.path.lower().endswith((".tif", ".tiff")):
            zarr = "write_zarr, or WriteZarr at the end of a pipeline, writes Zarr"
            raise ParameterError(
                f"path {self.path!r}", expected="a name that ends in .tif",
                fix=zarr if self.path.lower().rstrip("/").endswith(".zarr") else "",
            )  # fmt: skip
        fields_of(self.path)
        if self.blocksize < 64 or self.blocksize % 16:
            raise ParameterError(f"blocksize={self.blocksize}", expected="a multiple of 16, at least 64")
        if self.bands is not None and not self.bands:
            raise ParameterError("bands is empty", expected="at least one variable", fix="leave it out")
        highest = {"zstd": 22, "deflate": 12}.get(self.compress, 0)
        if self.level is not None and not 1 <= self.level <= highest:
            raise ParameterError(
                f"level={self.level} for {self.compress}",
                expected=f"1 … {highest}" if highest else f"no level: {self.compress} has none",
            )

    def check_tile(self, tile: TileSpec, created: tuple[str, ...]) -> None:
        """Refuse what could not be written, before a pixel is read."""
        self._plan(tile, created)

    def output_paths(self, tile: TileSpec | xr.Dataset, created: tuple[str, ...] = ()) -> dict[str, str]:
        """Return the path of every variable that would be written.

        Parameters
        ----------
        tile : TileSpec or xarray.Dataset
            The finished tile.
        created : tuple of str
            Variables that the pipeline created.

        Returns
        -------
        dict of str to str
            Variable → path; several variables may share one.
        """
        spec = TileSpec.of(tile) if isinstance(tile, xr.Dataset) else tile
        return {name: path for path, names in self._plan(spec, created).items() for name in names}

    def _plan(self, tile: TileSpec, created: tuple[str, ...]) -> dict[str, list[str]]:
        """Return path → variables."""
        if self.bands is not None:
            chosen = [tile.find(name, "WriteCOG") for name in self.bands]
        else:
            chosen = list(created) or list(tile.variables)
        if not chosen:
            raise TileError("the tile has no variables", fix="let the pipeline make one, or name bands=…")
        if 0 in tile.shape:
            raise TileError(f"the tile is empty: {tile.shape[0]} × {tile.shape[1]} pixels", expected="pixels")
        files: dict[str, list[str]] = {}
        for name in chosen:
            _check_variable(name, tile.variables[name])
            if tile.variables[name].dtype.kind == "c" and self.overviews not in _OF_COMPLEX:
                raise ParameterError(
                    f"overviews={self.overviews!r}, and {name!r} is {tile.variables[name].dtype}",
                    expected=" or ".join(_OF_COMPLEX),
                )
            files.setdefault(expand(self.path, tile.attrs, name), []).append(name)
        for path, names in files.items():
            _check_one_file(path, {name: tile.variables[name] for name in names})
        return files

    def write(self, tile: xr.Dataset, *, created: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Write the tile.

        Parameters
        ----------
        tile : xarray.Dataset
            The finished tile.
        created : tuple of str
            Variables that the pipeline created.

        Returns
        -------
        tuple of str
            The files, without their ``.aux.xml`` and ``.qml``.
        """
        files = self._plan(TileSpec.of(tile), created)
        geobox = geobox_of(tile)
        require_crs(geobox)
        layers = {path: [_layer(name, tile[name]) for name in names] for path, names in files.items()}
        write_cogs(layers, geobox, tile.attrs, self.encoding)
        return tuple(files)

    @property
    def encoding(self) -> Encoding:
        """How the files are encoded."""
        return Encoding(self.compress, self.level, self.predictor, self.blocksize, self.overviews, self.style)


def require_crs(geobox: GeoBox | None) -> GeoBox:
    """Return a grid that has a CRS; raise for others."""
    if geobox is None or geobox.crs is None:
        raise MissingCRSError(
            "the tile has no CRS",
            expected="a coordinate reference system: the file could not be placed, nor opened again",
            fix="give it one: ds.rio.write_crs('EPSG:…')",
        )
    return geobox


def _check_variable(name: str, spec: VarSpec) -> None:
    if spec.dims != ("y", "x"):
        raise TileError(
            f"variable {name!r} has dims {spec.dims}",
            expected="(y, x)",
            fix="write one date at a time (ds.isel(time=0)) or their Composite, or the stack with WriteZarr",
        )
    gdal_type(name, spec.dtype)
    nodata = spec.nodata
    if nodata is not None and spec.dtype.kind in "iu":
        limits = np.iinfo(spec.dtype)
        if math.isnan(nodata) or not limits.min <= nodata <= limits.max:
            raise TileError(
                f"variable {name!r} is {spec.dtype} and its no-data value is {nodata}",
                expected=f"a value between {limits.min} and {limits.max}",
            )


def _check_one_file(path: str, variables: Mapping[str, VarSpec]) -> None:
    kinds: dict[tuple[str, str], list[str]] = {}
    for name, spec in variables.items():
        kinds.setdefault((spec.dtype.name, repr(spec.nodata)), []).append(name)
    if len(kinds) > 1:
        listed = "; ".join(
            f"{', '.join(names)}: {kind[0]}, no-data {kind[1]}" for kind, names in kinds.items()
        )
        most = max(map(tuple, kinds.values()), key=len)
        raise TileError(
            f"{path} would hold {len(variables)} variables of several kinds ({listed})",
            expected="one dtype and one no-data value per file",
            fix=f"put {{band}} into the path: one file per variable; or choose some with bands={most}",
        )


def _layer(name: str, variable: xr.DataArray) -> Layer:
    attrs = dict(variable.attrs)
    nodata = attrs.pop("_FillValue", None)
    nodata = nodata.item() if isinstance(nodata, np.generic) else nodata
    pixels = np.asarray(variable.data)
    pixels = np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("="))
    return Layer(name, pixels, nodata, attrs)


def write_tile(
    ds: xr.Dataset, path: str | os.PathLike[str], bands: Iterable[str] | str | None = None, **options: Any
) -> tuple[str, ...]:
    """Write a tile, or some of its variables, as cloud-optimised GeoTIFF.

    Parameters
    ----------
    ds : xarray.Dataset
        The tile.
    path : path
        Where to write, with fields as `WriteCOG` takes them.
    bands : str or iterable of str, optional
        Variables; all by default.
    **options
        ``compress``, ``level``, ``predictor``, ``blocksize``, ``overviews``, ``style`` of `WriteCOG`.

    Returns
    -------
    tuple of str
        The files.

    Raises
    ------
    TileError
        If several dtypes or no-data values would go into one file.
    WriteError
        If the folder cannot be written or the disk is full.
    """
    names = None if bands is None else ((bands,) if isinstance(bands, str) else tuple(bands))
    return WriteCOG(os.fspath(path), names, **options).write(ds)
