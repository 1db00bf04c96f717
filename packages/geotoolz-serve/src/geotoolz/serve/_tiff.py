"""What a TIFF declares, by its directories alone: before GDAL sees it, before anything is allocated."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from geotoolz.serve._errors import Problem

_WIDTH, _HEIGHT, _BITS, _BANDS, _ROWS_PER_STRIP = 256, 257, 258, 277, 278
_PLANAR, _TILE_WIDTH, _TILE_HEIGHT, _SUB_DIRECTORIES, _GDAL_METADATA = 284, 322, 323, 330, 42112
_SIZES = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 8,
    6: 1,
    7: 1,
    8: 2,
    9: 4,
    10: 8,
    11: 4,
    12: 8,
    13: 4,
    16: 8,
    17: 8,
    18: 8,
}
_LETTERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
_MOST_DIRECTORIES, _MOST_TAGS, _MOST_METADATA = 64, 512, 1 << 20


@dataclass(frozen=True)
class TiffLimits:
    """What a file may declare.

    Parameters
    ----------
    pixels, bands : int
        Of each of its images.
    block_bytes : int
        Of a block, decoded.
    """

    pixels: int
    bands: int
    block_bytes: int = 128 * 2**20


def check_tiff(path: Path, limits: TiffLimits) -> None:
    """Refuse a file that is no TIFF, or declares more than it may.

    Parameters
    ----------
    path : Path
    limits : TiffLimits

    Raises
    ------
    Problem
        415 for anything but a TIFF, and for one that refers to other files; 413 for too many pixels,
        bands or bytes in a block.
    """
    try:
        with path.open("rb") as file:
            for directory in _directories(file):
                _check(directory, limits)
    except (struct.error, OverflowError, OSError) as error:
        raise _no_tiff() from error


def _no_tiff() -> Problem:
    return Problem(
        "the file is no GeoTIFF", status=415, code="unsupported_media_type", expected="a GeoTIFF or COG"
    )


@dataclass(frozen=True)
class _Layout:
    """How numbers are written: classic or BigTIFF, little or big endian."""

    order: str
    big: bool


@dataclass(frozen=True)
class _Directory:
    """The tags of an image; those with many values have their first one."""

    values: dict[int, int]
    counts: dict[int, int]
    metadata: bytes


def _directories(file: BinaryIO) -> Iterator[_Directory]:
    head = file.read(16)
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None or len(head) < 8:
        raise _no_tiff()
    version = struct.unpack(order + "H", head[2:4])[0]
    if version == 42:
        layout, offset = _Layout(order, False), struct.unpack(order + "I", head[4:8])[0]
    elif version == 43:
        layout, offset = _Layout(order, True), struct.unpack(order + "Q", head[8:16])[0]
    else:
        raise _no_tiff()
    seen: set[int] = set()
    while offset:
        if offset in seen or len(seen) >= _MOST_DIRECTORIES:
            raise Problem("the file has too many images", status=413, code="too_large")
        seen.add(offset)
        directory, offset = _directory(file, layout, offset)
        yield directory
    if not seen:
        raise _no_tiff()


def _directory(file: BinaryIO, layout: _Layout, offset: int) -> tuple[_Directory, int]:
    count_form, link_form = ("Q", "Q") if layout.big else ("H", "I")
    entry_size, inline = (20, 8) if layout.big else (12, 4)
    file.seek(offset)
    size = struct.calcsize(count_form)
    number = struct.unpack(layout.order + count_form, file.read(size))[0]
    if number > _MOST_TAGS:
        raise Problem("the file has too many tags", status=413, code="too_large")
    raw = file.read(number * entry_size + struct.calcsize(link_form))
    following = struct.unpack_from(layout.order + link_form, raw, number * entry_size)[0]
    values, counts, metadata = {}, {}, b""
    for index in range(number):
        entry = raw[index * entry_size : (index + 1) * entry_size]
        tag, kind = struct.unpack_from(layout.order + "HH", entry)
        count = struct.unpack_from(layout.order + link_form, entry, 4)[0]
        field = entry[-inline:]
        length = _SIZES.get(kind, 1) * count
        place = struct.unpack(layout.order + link_form, field)[0]
        counts[tag] = count
        if tag == _GDAL_METADATA:
            metadata = _text(file, field, place, length, inline)
        if kind in _LETTERS and count:
            if length > inline:
                file.seek(place)
                field = file.read(_SIZES[kind])
            values[tag] = struct.unpack_from(layout.order + _LETTERS[kind], field)[0]
    return _Directory(values, counts, metadata), following


def _text(file: BinaryIO, field: bytes, place: int, length: int, inline: int) -> bytes:
    if length > _MOST_METADATA:
        raise Problem("the file's metadata is too large", status=413, code="too_large")
    if length <= inline:
        return field
    file.seek(place)
    return file.read(length)


def _check(directory: _Directory, limits: TiffLimits) -> None:
    get = directory.values.get
    width, height = get(_WIDTH, 0), get(_HEIGHT, 0)
    if width * height > limits.pixels:
        raise Problem(
            f"the file has {width} × {height} pixels",
            status=413,
            code="too_large",
            expected=f"at most {limits.pixels}",
        )
    bands = get(_BANDS, 1)
    if bands > limits.bands:
        raise Problem(
            f"the file has {bands} bands", status=413, code="too_large", expected=f"at most {limits.bands}"
        )
    if _TILE_WIDTH in directory.values:
        block = get(_TILE_WIDTH, 0) * get(_TILE_HEIGHT, 0)
    else:
        block = width * min(get(_ROWS_PER_STRIP, height), height)
    planes = bands if get(_PLANAR, 1) == 1 else 1
    held = block * planes * max(get(_BITS, 8), 8) // 8
    if held > limits.block_bytes:
        raise Problem(
            f"the file has blocks of {held} bytes",
            status=413,
            code="too_large",
            expected=f"at most {limits.block_bytes}",
        )
    # GDAL would open what these name: any file, any address
    if (
        b"OVERVIEW_FILE" in directory.metadata
        or directory.counts.get(_SUB_DIRECTORIES, 0) > _MOST_DIRECTORIES
    ):
        raise Problem("the file refers to other files", status=415, code="unsupported_media_type")
