"""PNG files, written here: pictures need no imaging library."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np

from geotoolz.core import TileError

Array = np.ndarray[Any, Any]
_KINDS = {1: 0, 3: 2, 4: 6}  # channels: grey, RGB, RGBA


def encode_png(pixels: Array, *, level: int = 6) -> bytes:
    r"""Encode pixels as PNG.

    Parameters
    ----------
    pixels : numpy.ndarray
        uint8, (rows, columns) for grey, or (rows, columns, 3 or 4) for red, green, blue (and alpha).
    level : int
        Of the compression, 1 (fast) to 9 (small).

    Returns
    -------
    bytes

    Raises
    ------
    TileError
        For another type or shape, or no pixel.

    Examples
    --------
    >>> import numpy as np
    >>> encode_png(np.zeros((2, 3, 3), np.uint8))[:8]
    b'\x89PNG\r\n\x1a\n'
    """
    if pixels.dtype == np.uint8 and pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] not in _KINDS:
        raise TileError(
            f"an array of {pixels.dtype} and shape {pixels.shape} is no picture",
            expected="uint8 and (rows, columns), (rows, columns, 3) or (rows, columns, 4)",
        )
    rows, columns, n = pixels.shape
    if not rows or not columns:
        raise TileError(f"a picture of {rows} × {columns} pixels", expected="one pixel at least")
    # every row starts with its filter: 2, the difference to the row above, which most pictures like
    flat = np.empty((rows, 1 + columns * n), np.uint8)
    flat[:, 0] = 2
    flat[:, 1:] = pixels.reshape(rows, columns * n)
    flat[1:, 1:] -= pixels.reshape(rows, columns * n)[:-1]
    header = struct.pack(">IIBBBBB", columns, rows, 8, _KINDS[n], 0, 0, 0)
    body = zlib.compress(flat.tobytes(), level)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
