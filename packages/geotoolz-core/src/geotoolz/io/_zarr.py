"""Tiles as Zarr."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from geotoolz.core._errors import GeotoolzError, MissingDependencyError, ReadError, WriteError
from geotoolz.core._grid import GRID_MAPPING
from geotoolz.core._lazy import xr
from geotoolz.core._provenance import provenance
from geotoolz.io._object_path import ObjectPath
from geotoolz.io._store_order import in_order, told
from geotoolz.io._tags import PROVENANCE_TAG
from geotoolz.io._write_object import Outbox, send_folder


def require_zarr() -> None:
    if find_spec("zarr") is None:
        raise MissingDependencyError("zarr is not installed", fix="pip install 'geotoolz-core[zarr]'")


def write_zarr(ds: xr.Dataset, path: str | os.PathLike[str], chunks: int | None = None) -> str:
    """Write a tile or a stack as a Zarr (version 3) folder that appears complete or not at all.

    Parameters
    ----------
    ds : xarray.Dataset
        The tile.
    path : path
        The folder, or ``s3://bucket/….zarr``; an existing one is replaced.
    chunks : int, optional
        Rows and columns of a chunk; by default what Zarr chooses.

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
    require_zarr()
    with PendingStore(path) as pending:
        with pending.writing() as temporary:
            save_store(ds, temporary, chunks)
            tell_provenance(temporary)
        pending.publish()
    return pending.address


def save_store(ds: xr.Dataset, folder: Path, chunks: int | None = None) -> None:
    """Write a Dataset as a Zarr folder, as the readers of geotoolz expect it."""
    plain = ds.assign_attrs(told(ds))  # a copy
    for variable in plain.variables.values():
        # what another file's encoding said must not be written again, and no fill value may be invented
        variable.encoding = {} if "_FillValue" in variable.attrs else {"_FillValue": None}
    if chunks is not None:
        for name in plain.data_vars:
            plain[name].encoding["chunks"] = chunk_shape(plain[name].variable, chunks)
    plain.to_zarr(folder, mode="w", zarr_format=3, consolidated=False)


def tell_provenance(folder: Path) -> None:
    """Put what the driver tells of the tile into the attributes of its group; nothing where nobody does."""
    text = provenance()
    if text:
        path = folder / "zarr.json"
        described = json.loads(path.read_text("utf-8"))
        described.setdefault("attributes", {})[PROVENANCE_TAG] = text
        path.write_text(json.dumps(described, indent=2), "utf-8")


def chunk_shape(variable: xr.Variable, side: int) -> tuple[int, ...]:
    """Return the shape of a variable's chunks: one date at a time, `side` rows and columns."""
    return tuple(side if dim in ("y", "x") else 1 for dim in variable.dims)


class PendingStore:
    """A Zarr folder that is being made beside its place under a temporary name.

    Parameters
    ----------
    path : path
        Where it will appear; for an address it is made in a temporary folder and sent.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._outbox = Outbox((os.fspath(path),))
        self.target = self._outbox.files.get(os.fspath(path)) or Path(path)
        self.address = os.fspath(path) if self._outbox.files else str(self.target)
        self.temporary = self.target.with_name(f".{self.target.name}.{secrets.token_hex(4)}.tmp")
        self._old = self.target.with_name(f".{self.target.name}.{secrets.token_hex(4)}.old")

    def __enter__(self) -> PendingStore:
        return self

    @contextmanager
    def writing(self) -> Iterator[Path]:
        """Lend the temporary name in a folder that exists; errors become `WriteError`."""
        try:
            self.target.parent.mkdir(parents=True, exist_ok=True)
            yield self.temporary
        except OSError as error:
            if isinstance(error, GeotoolzError):
                raise
            _remove_while_written(self.temporary)
            refused = WriteError(
                f"{self.target} could not be written: {error}",
                expected="free space and the right to write",
                fix=f"check that {self.target.parent} can be written and has space",
            )
            refused.errno = error.errno
            raise refused from error

    def publish(self) -> None:
        """Move the folder into place; an older one goes."""
        with self.writing():
            if self.target.exists():
                self.target.replace(self._old)
            self.temporary.replace(self.target)
        if self._outbox.files:
            send_folder(self.target, ObjectPath(self.address), "zarr.json")

    def __exit__(self, *error: object) -> None:
        self._outbox.close()
        shutil.rmtree(self.temporary, ignore_errors=True)
        shutil.rmtree(self._old, ignore_errors=True)


def _remove_while_written(folder: Path) -> None:
    """Remove a folder into which zarr's threads still write: again, until it stays away for half a second."""
    quiet, limit = time.monotonic() + 0.5, time.monotonic() + 10.0
    while (now := time.monotonic()) < min(quiet, limit):
        if folder.exists():
            shutil.rmtree(folder, ignore_errors=True)
            quiet = now + 0.5
        time.sleep(0.02)


def open_zarr(path: str | os.PathLike[str], chunks: Any = None) -> xr.Dataset:
    """Open a tile that `write_zarr` wrote: same values, names and their order, dtypes and attributes.

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
    require_zarr()
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
        ds = in_order(ds if chunks is not None else ds.load())
    except (OSError, ValueError, KeyError) as error:
        raise ReadError(f"{target} cannot be read: {error}", expected="a complete Zarr folder") from error
    ds.attrs.pop(PROVENANCE_TAG, None)  # of the file, and not of the tile
    for name in ds.data_vars:
        ds[name].encoding = {"grid_mapping": GRID_MAPPING} if GRID_MAPPING in ds.coords else {}
    return ds
