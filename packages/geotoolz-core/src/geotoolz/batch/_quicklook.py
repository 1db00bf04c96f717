"""A small picture of a finished tile, for the report. Plain PNG, written here: no plotting library."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["encode_png", "quicklook"]

Array = np.ndarray[Any, Any]
#: brown over yellow to green, for indices: the reader sees at once where vegetation is
_INDEX_COLOURS = (
    (-1.0, (60, 90, 160)),
    (0.0, (222, 203, 164)),
    (0.25, (246, 232, 140)),
    (0.5, (120, 180, 80)),
    (1.0, (10, 70, 20)),
)
_NOTHING = (238, 238, 238)
_RGB = ("red", "green", "blue")


def quicklook(tile: xr.Dataset, names: Sequence[str], size: int = 128) -> bytes | None:
    """Draw a tile: true colour where it has red, green and blue among `names`, else the first of them.

    Parameters
    ----------
    tile : xarray.Dataset
    names : sequence of str
        Variables to choose from.
    size : int
        Pixels of the longer side, at most.

    Returns
    -------
    bytes or None
        A PNG; None where there is nothing to draw.
    """
    drawable = [
        name for name in names if name in tile and tile[name].size and tile[name].dtype.kind in "fiub"
    ]
    if not drawable:
        return None
    if all(name in drawable for name in _RGB):
        parts = [_stretched(_thumb(tile, name, size), 0.02, 0.98) for name in _RGB]
        valid = np.all([np.isfinite(part) for part in parts], axis=0)
        picture = np.stack([np.nan_to_num(part) * 255.0 for part in parts], axis=-1)
    else:
        name = drawable[0]
        values = _thumb(tile, name, size)
        valid = np.isfinite(values)
        picture = _coloured(values, str(tile[name].attrs.get("quantity", "")))
    picture[~valid] = _NOTHING
    return encode_png(picture.astype(np.uint8))


def _thumb(tile: xr.Dataset, name: str, size: int) -> Array:
    """Take every n-th pixel as float, no-data as NaN."""
    variable = tile[name].variable
    step = max(1, -(-max(variable.shape[-2:]) // size))
    values: Array = np.asarray(variable[..., ::step, ::step].values)
    while values.ndim > 2:
        values = values[-1]
    result = values.astype(np.float64)
    nodata = variable.attrs.get("_FillValue")
    if nodata is not None and nodata == nodata:
        result[values == nodata] = np.nan
    return result


def _stretched(values: Array, low: float, high: float) -> Array:
    finite = values[np.isfinite(values)]
    if not finite.size:
        return values
    lo, hi = np.quantile(finite, (low, high))
    stretched: Array = np.clip((values - lo) / (hi - lo if hi > lo else 1.0), 0.0, 1.0)
    return stretched


def _coloured(values: Array, quantity: str) -> Array:
    if quantity == "index":
        stops = np.array([stop for stop, _ in _INDEX_COLOURS])
        colours = np.array([colour for _, colour in _INDEX_COLOURS], dtype=np.float64)
        filled = np.nan_to_num(values)
        return np.stack([np.interp(filled, stops, colours[:, band]) for band in range(3)], axis=-1)
    grey = np.nan_to_num(_stretched(values, 0.02, 0.98)) * 255.0
    return np.stack([grey] * 3, axis=-1)


def encode_png(pixels: Array) -> bytes:
    r"""Encode an (rows, columns, 3) uint8 array as PNG.

    Examples
    --------
    >>> encode_png(np.zeros((2, 3, 3), np.uint8))[:8]
    b'\x89PNG\r\n\x1a\n'
    """
    rows, cols = pixels.shape[:2]
    flat = np.zeros((rows, 1 + cols * 3), np.uint8)  # every row starts with its filter: 0, none
    flat[:, 1:] = pixels.reshape(rows, cols * 3)
    header = struct.pack(">IIBBBBB", cols, rows, 8, 2, 0, 0, 0)
    body = zlib.compress(flat.tobytes(), 9)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
