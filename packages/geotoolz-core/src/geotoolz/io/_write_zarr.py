"""`WriteZarr`."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from geotoolz.core import Sink, TileSpec
from geotoolz.core._errors import ParameterError, TileError
from geotoolz.core._lazy import xr
from geotoolz.io._template import expand, fields_of
from geotoolz.io._write_object import check_target
from geotoolz.io._zarr import require_zarr, write_zarr


class WriteZarr(Sink):
    """Write variables as one Zarr (version 3) folder.

    The folder appears complete or not at all. `open_zarr` gives the same tile back: values, names, data
    types, attributes. Variables may have different data types and a ``time`` dimension.

    Parameters
    ----------
    path : str
        Where to write; ends in ``.zarr``. A folder, or ``s3://bucket/…`` (``gs://``, ``az://``). Fields as
        for `WriteCOG`, but ``{band}``.
    bands : tuple of str, optional
        Variables to write; by default those that the pipeline created, or changed if it created none.
    chunks : int
        Rows and columns of a chunk.

    Raises
    ------
    TileError
        If the tile is empty, or lacks an attribute that the path needs.
    WriteError
        If the folder cannot be written or the disk is full; nothing is left behind.

    Examples
    --------
    >>> from geotoolz.io import WriteZarr
    >>> WriteZarr("out/{item_id}.zarr", bands=("ndvi",))
    WriteZarr(path='out/{item_id}.zarr', bands=('ndvi',))
    """

    path: str
    bands: tuple[str, ...] | None = None
    chunks: int = 512

    def prepare(self, values: dict[str, Any]) -> dict[str, Any]:
        """Accept a `Path` and a single band's name."""
        if isinstance(values["path"], os.PathLike):
            values["path"] = os.fspath(values["path"])
        if isinstance(values["bands"], str):
            values["bands"] = (values["bands"],)
        return values

    def validate(self) -> None:
        """Check the path's fields and the chunks."""
        check_target(self.path)
        if not self.path.lower().endswith(".zarr"):
            raise ParameterError(f"path {self.path!r}", expected="a name that ends in .zarr")
        if "band" in fields_of(self.path):
            raise ParameterError(
                f"path {self.path!r} has {{band}}",
                expected="one folder for all variables",
                fix="leave it out",
            )
        if self.chunks < 1:
            raise ParameterError(f"chunks={self.chunks}", expected="1 or more")
        if self.bands is not None and not self.bands:
            raise ParameterError("bands is empty", expected="at least one variable", fix="leave it out")

    def check_tile(self, tile: TileSpec, created: tuple[str, ...]) -> None:
        """Refuse what could not be written, before a pixel is read."""
        require_zarr()
        self.chosen(tile, created)

    def chosen(self, tile: TileSpec, created: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
        """Return the path and the variables that would be written."""
        if self.bands is not None:
            names = tuple(tile.find(name, "WriteZarr") for name in self.bands)
        else:
            names = tuple(created) or tuple(tile.variables)
        if not names:
            raise TileError("the tile has no variables", fix="let the pipeline make one, or name bands=…")
        if 0 in tile.shape:
            raise TileError(f"the tile is empty: {tile.shape[0]} × {tile.shape[1]} pixels", expected="pixels")
        return expand(self.path, tile.attrs), names

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
            The folder.
        """
        path, names = self.chosen(TileSpec.of(tile), created)
        kept = tile[list(names)]
        for name in names:
            if not isinstance(kept[name].data, np.ndarray):
                kept = kept.compute()
                break
        return (write_zarr(kept, path, self.chunks),)
