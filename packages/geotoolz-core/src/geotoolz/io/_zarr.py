"""Tiles as Zarr."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import xarray as xr

from geotoolz.core._errors import MissingDependencyError, ReadError, WriteError
from geotoolz.core._grid import GRID_MAPPING


def _require() -> None:
    if find_spec("zarr") is None:
        raise MissingDependencyError("zarr is not installed", fix="pip install 'geotoolz-core[zarr]'")


def write_zarr(ds: xr.Dataset, path: str | os.PathLike[str]) -> str:
    """Write a tile or a stack as a Zarr (version 3) folder that appears complete or not at all.

    Parameters
    ----------
    ds : xarray.Dataset
        The tile.
    path : path
        The folder; an existing one is replaced.

    Returns
    -------
    str
        The folder.

    Raises
    ------
    MissingDependencyError
        If zarr is not installed.
    WriteError
        If the folder cannot be written; nothing is left behind.
    """
    _require()
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    old = target.with_name(f".{target.name}.{secrets.token_hex(4)}.old")
    plain = ds.copy()
    for variable in plain.variables.values():
        # what another file's encoding said must not be written again, and no fill value may be invented
        variable.encoding = {} if "_FillValue" in variable.attrs else {"_FillValue": None}
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        plain.to_zarr(temporary, mode="w", zarr_format=3, consolidated=False)
        if target.exists():
            target.replace(old)
        temporary.replace(target)
    except OSError as error:
        _remove_while_written(temporary)
        raise WriteError(
            f"{target} could not be written: {error}",
            expected="free space and the right to write",
            fix=f"check that {target.parent} can be written and has space",
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
    return str(target)


def _remove_while_written(folder: Path) -> None:
    """Remove a folder into which zarr's threads still write: again, until it stays away for half a second."""
    quiet, limit = time.monotonic() + 0.5, time.monotonic() + 10.0
    while (now := time.monotonic()) < min(quiet, limit):
        if folder.exists():
            shutil.rmtree(folder, ignore_errors=True)
            quiet = now + 0.5
        time.sleep(0.02)


def open_zarr(path: str | os.PathLike[str], chunks: Any = None) -> xr.Dataset:
    """Open a tile that `write_zarr` wrote: same values, names, dtypes and attributes.

    Parameters
    ----------
    path : path
        The folder.
    chunks : optional
        ``{}`` for dask arrays; by default the pixels are read now.

    Returns
    -------
    xarray.Dataset

    Raises
    ------
    ReadError
        If the folder is missing or no Zarr.
    """
    _require()
    target = Path(path)
    if not (target / "zarr.json").is_file():
        raise ReadError(
            f"{target} is no Zarr folder", expected="a folder with zarr.json, as write_zarr makes it"
        )
    try:
        # mask_and_scale=False: no-data and scale stay attributes, as everywhere in geotoolz
        ds: xr.Dataset = xr.open_zarr(
            target,
            chunks=chunks,
            consolidated=False,
            mask_and_scale=False,
            decode_coords="all",
            zarr_format=3,
        )
        ds = ds if chunks is not None else ds.load()
    except (OSError, ValueError, KeyError) as error:
        raise ReadError(f"{target} cannot be read: {error}", expected="a complete Zarr folder") from error
    for name in ds.data_vars:
        ds[name].encoding = {"grid_mapping": GRID_MAPPING} if GRID_MAPPING in ds.coords else {}
    return ds
