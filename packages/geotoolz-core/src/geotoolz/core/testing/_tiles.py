"""Small tiles that exercise operators: random, plain, spiked, empty of data."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox

from geotoolz.core._grid import spatial_coords

BANDS = ("blue", "green", "red", "nir", "nir08", "swir16", "swir22")
_SCL = np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], np.uint8)
_QA_PIXEL = np.array([1, 21824, 22280, 23888, 54596, 55052], np.uint16)


def contract_tile(
    shape: tuple[int, int] = (37, 53),
    *,
    seed: int = 0,
    level: str = "L2A",
    raw: bool = False,
    gaps: bool = True,
    times: int = 0,
) -> xr.Dataset:
    """Return a small tile with everything that operators read, and things that they must leave alone.

    Reflectance bands with no-data patches, the quality layers ``scl``, ``qa60`` and ``qa_pixel``,
    a bool ``mask``, and the foreign variables ``foreign`` (int16 with a no-data value of its own)
    and ``foreign_flag`` (uint8 classes).

    Parameters
    ----------
    shape : tuple of int
        Rows and columns.
    seed : int
        Seed of the values; every variable has a stream of its own.
    level : str
        ``processing_level`` of the tile, which decides what the reflectance is.
    raw : bool
        Digital numbers (uint16, no-data 0) instead of reflectance.
    gaps : bool
        Whether there is a patch of no-data.
    times : int
        Number of dates; 0 for a tile without ``time``.

    Returns
    -------
    xarray.Dataset
    """
    full = (times, *shape) if times else shape
    dims = ("time", "y", "x") if times else ("y", "x")
    quantity = "surface_reflectance" if level in ("L2A", "L2SP") else "toa_reflectance"
    found: dict[str, xr.Variable] = {}
    for name in BANDS:
        numbers = _stream(seed, name).integers(1001, 9000, full).astype(np.uint16)
        if gaps:
            numbers[..., shape[0] // 3 : shape[0] // 2, : max(shape[1] // 4, 1)] = 0
        found[name] = _band(dims, numbers, raw, quantity, name)
    found["scl"] = _flags(dims, _stream(seed, "scl").choice(_SCL, full))
    found["qa60"] = _flags(dims, _stream(seed, "qa60").choice([0, 1024, 2048], full).astype(np.uint16))
    found["qa_pixel"] = _flags(dims, _stream(seed, "qa_pixel").choice(_QA_PIXEL, full))
    mask = _stream(seed, "mask").random(full) < 0.2
    found["mask"] = xr.Variable(dims, mask, {"quantity": "mask", "long_name": "a mask"})
    foreign = _stream(seed, "foreign").integers(-99, 99, full).astype(np.int16)
    attrs = {"long_name": "a stranger", "units": "m", "_FillValue": -99, "quantity": "elevation"}
    found["foreign"] = xr.Variable(dims, foreign, attrs)
    found["foreign_flag"] = _flags(dims, _stream(seed, "flag").integers(0, 3, full).astype(np.uint8))
    box = GeoBox(shape, Affine(10.0, 0.0, 499980.0, 0.0, -10.0, 5100000.0), "EPSG:32633")
    coords: dict[str, Any] = dict(spatial_coords(box))
    if times:
        coords["time"] = (
            "time",
            np.arange(times) * np.timedelta64(5, "D") + np.datetime64("2024-06-01", "ns"),
        )
    tile_attrs = {"tile_id": "contract", "platform": "sentinel-2a", "instrument": "msi",
                  "processing_level": level, "datetime": "2024-06-01T10:00:00Z", "sun_azimuth": 150.0,
                  "sun_elevation": 55.0, "a_strange_attribute": "kept"}  # fmt: skip
    return xr.Dataset(found, coords=coords, attrs=tile_attrs)


def _stream(seed: int, name: str) -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def _band(dims: tuple[str, ...], numbers: Any, raw: bool, quantity: str, name: str) -> xr.Variable:
    attrs: dict[str, Any] = {"long_name": name, "units": "1", "data_source": "contract tile"}
    if raw:
        return xr.Variable(dims, numbers, {**attrs, "quantity": "dn", "scale_factor": 1e-4, "add_offset": 0.0,
                                           "_FillValue": 0})  # fmt: skip
    values = np.where(numbers == 0, np.float32(np.nan), numbers.astype(np.float32) * np.float32(1e-4))
    return xr.Variable(dims, values.astype(np.float32), {**attrs, "quantity": quantity, "_FillValue": np.nan})


def _flags(dims: tuple[str, ...], values: Any) -> xr.Variable:
    return xr.Variable(dims, values, {"quantity": "flags", "long_name": "flags"})


def adversaries(tile: xr.Dataset) -> dict[str, xr.Dataset]:
    """Return variants of a tile on which a wrong footprint cannot hide.

    One bright pixel on a plain ground, a cross of no-data, plateaus, infinite values, and everything
    no-data.
    """
    height, width = tile.sizes["y"], tile.sizes["x"]
    found = {}
    for name in ("spike", "cross", "plateau", "infinite", "nothing"):
        variant = tile.copy(deep=True)
        for label in list(variant.data_vars):
            _disturb(variant, str(label), name, height // 2, width // 2)
        found[name] = variant
    return found


def _disturb(tile: xr.Dataset, label: str, how: str, row: int, col: int) -> None:
    array = tile[label]
    if array.dtype.kind not in "fui" or array.attrs.get("quantity") in ("flags", "mask"):
        return
    values = array.values
    empty = array.attrs.get("_FillValue", 0)
    if how == "spike":
        values[...] = values.dtype.type(0.25) if values.dtype.kind == "f" else 2500
        values[..., row, col] = values.dtype.type(0.9) if values.dtype.kind == "f" else 9000
    elif how == "cross":
        values[..., row, :] = empty
        values[..., :, col] = empty
    elif how == "plateau":
        values[..., :row, :] = values[..., :1, :1]
    elif how == "infinite" and values.dtype.kind == "f":
        values[..., row, :] = np.inf
        values[..., :, col] = -np.inf
    elif how == "nothing":
        values[...] = empty
