"""Pixels on their way into a file that cannot be written window by window: a plain tiled TIFF.

Its layout is known before the first pixel: every tile has its place, so windows are written there in any
order, by the operating system alone, and a full disk is an error at once.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any

import numpy as np

from geotoolz.core._extent import Extent

Array = np.ndarray[Any, Any]

_SHORT, _LONG, _LONG8 = 3, 4, 16
_CODES = {_SHORT: "H", _LONG: "I", _LONG8: "Q"}
_SAMPLE_FORMATS = {"b": 1, "u": 1, "i": 2, "f": 3, "c": 6}


class Staging:
    """A BigTIFF without compression, written window by window.

    Parameters
    ----------
    path : Path
        Where to write.
    dtype : numpy.dtype
        Of all bands; bool is stored as bytes.
    shape : tuple of int
        Rows and columns.
    bands : int
        How many.
    side : int
        Rows and columns of a tile, a multiple of 16.
    """

    def __init__(
        self, path: Path, dtype: np.dtype[Any], shape: tuple[int, int], bands: int, side: int
    ) -> None:
        self.path, self.dtype, self.shape, self.bands, self.side = path, dtype, shape, bands, side
        self._across, self._down = -(-shape[1] // side), -(-shape[0] // side)
        self._tile = side * side * dtype.itemsize
        head = _header(self)
        self._start = -(-len(head) // 4096) * 4096
        self.size = self._start + bands * self._down * self._across * self._tile
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        try:
            _write_all(self._file, _header(self, self._start), 0)
            os.truncate(self._file, self.size)
        except BaseException:
            self.close()
            raise

    def put(self, band: int, extent: Extent, pixels: Array) -> None:
        """Write a window of a band (counted from 0).

        Raises
        ------
        OSError
            If the disk is full.
        """
        side = self.side
        for down in range(extent.y0 // side, -(-extent.y1 // side)):
            for across in range(extent.x0 // side, -(-extent.x1 // side)):
                y0, y1 = max(extent.y0, down * side), min(extent.y1, down * side + side)
                x0, x1 = max(extent.x0, across * side), min(extent.x1, across * side + side)
                part = pixels[y0 - extent.y0 : y1 - extent.y0, x0 - extent.x0 : x1 - extent.x0]
                offset = self._offset(band, down, across)
                self._put_tile(offset, y0 - down * side, x0 - across * side, part)

    def _put_tile(self, offset: int, row: int, col: int, part: Array) -> None:
        side, size = self.side, self.dtype.itemsize
        if col == 0 and part.shape[1] == side:
            _write_all(self._file, np.ascontiguousarray(part), offset + row * side * size)
            return
        for number, line in enumerate(np.ascontiguousarray(part)):
            _write_all(self._file, line, offset + ((row + number) * side + col) * size)

    def _offset(self, band: int, down: int, across: int) -> int:
        return self._start + ((band * self._down + down) * self._across + across) * self._tile

    def get(self, band: int, extent: Extent) -> Array:
        """Read a window that lies in one tile."""
        side = self.side
        down, across = extent.y0 // side, extent.x0 // side
        raw = os.pread(self._file, self._tile, self._offset(band, down, across))
        tile = np.frombuffer(raw.ljust(self._tile, b"\0"), self.dtype, side * side).reshape(side, side)
        return tile[extent.y0 - down * side : extent.y1 - down * side,
                    extent.x0 - across * side : extent.x1 - across * side]  # fmt: skip

    def close(self) -> None:
        """Close the file; it stays where it is."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _write_all(file: int, data: Any, offset: int) -> None:
    """Write all bytes: the system may take fewer at a time."""
    view = memoryview(data).cast("B")
    while view:
        done = os.pwrite(file, view, offset)
        view, offset = view[done:], offset + done


def _header(staging: Staging, start: int = 0) -> bytes:
    """Return the BigTIFF header with one directory; `start` is where the first tile lies."""
    tiles = staging.bands * staging._down * staging._across
    tile = staging._tile
    bits = staging.dtype.itemsize * 8
    entries: list[tuple[int, int, tuple[int, ...]]] = [
        (256, _LONG, (staging.shape[1],)),
        (257, _LONG, (staging.shape[0],)),
        (258, _SHORT, (bits,) * staging.bands),
        (259, _SHORT, (1,)),  # no compression
        (262, _SHORT, (1,)),  # black is 0
        (277, _SHORT, (staging.bands,)),
        (284, _SHORT, (2,)),  # band after band
        (322, _LONG, (staging.side,)),
        (323, _LONG, (staging.side,)),
        (324, _LONG8, tuple(start + n * tile for n in range(tiles))),
        (325, _LONG8, (tile,) * tiles),
        (339, _SHORT, (_SAMPLE_FORMATS[staging.dtype.kind],) * staging.bands),
    ]
    if staging.bands > 1:
        entries.insert(-1, (338, _SHORT, (0,) * (staging.bands - 1)))  # bands that are no colours
    order = "<" if np.little_endian else ">"
    head = struct.pack(order + "2sHHHQ", b"II" if np.little_endian else b"MM", 43, 8, 0, 16)
    place = len(head) + 8 + 20 * len(entries) + 8
    directory, values = struct.pack(order + "Q", len(entries)), b""
    for tag, kind, numbers in entries:
        packed = struct.pack(f"{order}{len(numbers)}{_CODES[kind]}", *numbers)
        directory += struct.pack(order + "HHQ", tag, kind, len(numbers))
        if len(packed) <= 8:
            directory += packed.ljust(8, b"\0")
        else:
            directory += struct.pack(order + "Q", place + len(values))
            values += packed.ljust(-(-len(packed) // 8) * 8, b"\0")
    return head + directory + struct.pack(order + "Q", 0) + values
