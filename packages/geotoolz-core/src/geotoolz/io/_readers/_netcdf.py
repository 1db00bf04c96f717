"""NetCDF files and Zarr folders through xarray, opened once and read part by part."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from geotoolz.core._errors import MissingDependencyError, ReadError
from geotoolz.core._lazy import xr
from geotoolz.io._store_order import in_order

NETCDF_ENDS = (".nc", ".nc4", ".netcdf")


def is_netcdf(path: Path) -> bool:
    """Tell by the name."""
    return path.suffix.lower() in NETCDF_ENDS


def is_zarr(path: Path) -> bool:
    """Tell by the files that a Zarr folder has."""
    return any((path / name).is_file() for name in ("zarr.json", ".zgroup", ".zmetadata"))


def open_store(path: Path, group: str | None = None, decode_times: bool = True) -> xr.Dataset:
    """Open a store without reading pixels; values stay as they are stored.

    Parameters
    ----------
    path : Path
        A NetCDF file or a Zarr folder.
    group : str, optional
        A group of it.
    decode_times : bool
        Turn times into ``datetime64``.

    Returns
    -------
    xarray.Dataset

    Raises
    ------
    MissingDependencyError
        If no library for the format is installed.
    ReadError
        If the file is missing, empty, truncated or none.
    """
    if not path.exists():
        raise ReadError(
            f"{path} does not exist", expected="a NetCDF file or a Zarr folder", fix="check the path"
        )
    if path.is_file() and path.stat().st_size == 0:
        raise ReadError(f"{path} is empty (0 bytes)", expected="a NetCDF file", fix="download it again")
    options: dict[str, Any] = {"group": group, "decode_times": decode_times}
    try:
        if path.is_dir():
            _require("zarr", "zarr")
            options |= {"chunks": None, "mask_and_scale": False, "decode_coords": "all"}
            options["consolidated"] = False  # a local folder is listed at once, consolidated or not
            found: xr.Dataset = xr.open_zarr(path, **options)
            return in_order(found)
        return xr.open_dataset(
            path, engine=_engine(), mask_and_scale=False, decode_coords="all", cache=False, **options
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        within = f", group {group!r}," if group else ""
        raise ReadError(
            f"{path}{within} cannot be read: {error}",
            expected="a complete NetCDF-4 file or Zarr store",
            fix="the file may be truncated: download or make it again",
        ) from error


def _engine() -> Any:
    for engine, module in (("h5netcdf", "h5netcdf"), ("netcdf4", "netCDF4")):
        if find_spec(module) is not None:
            return engine
    _require("h5netcdf", "netcdf")
    return None


def _require(module: str, extra: str) -> None:
    if find_spec(module) is None:
        raise MissingDependencyError(
            f"{module} is not installed", fix=f"pip install 'geotoolz-core[{extra}]'"
        )
