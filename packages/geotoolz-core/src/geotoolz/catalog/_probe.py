"""A raster's grid and health, from its header and its length, without decoding pixels."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from geotoolz.core._errors import ReadError
from geotoolz.io._gdal_session import gdal_env


@dataclass(frozen=True)
class Probe:
    """What a raster's header says.

    Parameters
    ----------
    crs : str or None
        EPSG code or WKT; None where the file has none.
    bounds : tuple of float
        Left, bottom, right, top; None where the file has no transform.
    resolution : tuple of float
        Pixel size in x and y; None where the grid is not north-up.
    shape : tuple of int
        Rows and columns.
    tags : dict
        The file's own tags.
    fault : str
        What is wrong although the header can be read; empty for a healthy file.
    """

    crs: str | None
    bounds: tuple[float, float, float, float] | None
    resolution: tuple[float, float] | None
    shape: tuple[int, int]
    tags: dict[str, str] = field(default_factory=dict)
    fault: str = ""


def probe(path: str | Path) -> Probe:
    """Read a raster's header, and see whether the file is as long as the header says.

    Parameters
    ----------
    path : str or Path
        A local file or a URI that GDAL opens.

    Raises
    ------
    ReadError
        If it is empty or no raster.
    """
    import warnings

    import rasterio
    from rasterio.errors import NotGeoreferencedWarning, RasterioError

    local = Path(path)
    if "://" not in str(path) and not str(path).startswith("/vsi") and not local.exists():
        raise ReadError(f"{path} is missing", expected="a raster", fix="fetch it, or correct the path")
    if local.is_file() and local.stat().st_size == 0:
        raise ReadError(f"{path} has 0 bytes", expected="a raster", fix="fetch it again")
    try:
        # a raster without a transform is told by its missing CRS
        with warnings.catch_warnings(), gdal_env(GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR"):
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path) as src:
                return _describe(src, local)
    except RasterioError as err:
        raise ReadError(f"{path} cannot be opened: {err}", expected="a raster", fix="fetch it again") from err


def _describe(src: Any, path: Path) -> Probe:
    a = src.transform
    placed = not a.is_identity
    north_up = placed and a.b == 0 and a.d == 0 and a.a > 0 and a.e < 0
    crs = None
    if src.crs is not None:
        code = src.crs.to_authority(confidence_threshold=100)
        crs = ":".join(code) if code else src.crs.to_wkt()
    left, bottom, right, top = map(float, src.bounds)
    return Probe(
        crs,
        (left, bottom, right, top) if placed else None,
        (a.a, -a.e) if north_up else None,
        (int(src.height), int(src.width)),
        dict(src.tags()),
        _fault(src, path),
    )


def _fault(src: Any, path: Path) -> str:
    """Say whether the file ends before its last block; decoding it would cost a thousand times more."""
    if not path.is_file():
        return ""
    size = path.stat().st_size
    if src.driver == "GTiff":
        wanted = _tiff_end(src)
        return f"is truncated: {size} bytes, its last block ends at {wanted}" if wanted > size else ""
    if src.driver.startswith("JP2"):
        return _jp2_fault(path, size)
    return ""


def _tiff_end(src: Any) -> int:
    """Return where the last block of any band ends."""
    end = 0
    for band in {1, src.count}:
        rows, cols = src.block_shapes[band - 1]
        last = ((src.width - 1) // cols, (src.height - 1) // rows)
        for column, row in ((0, 0), last):
            offset = src.get_tag_item(f"BLOCK_OFFSET_{column}_{row}", "TIFF", bidx=band)
            length = src.get_tag_item(f"BLOCK_SIZE_{column}_{row}", "TIFF", bidx=band)
            if offset and length:  # a sparse block has neither
                end = max(end, int(offset) + int(length))
    return end


def _jp2_fault(path: Path, size: int) -> str:
    """Walk the file's boxes (ISO 15444-1); a code stream ends in FF D9."""
    with path.open("rb") as file:
        at = size if file.read(4) == b"\xff\x4f\xff\x51" else 0  # a bare code stream has no boxes
        while at + 8 <= size:
            file.seek(at)
            length, _ = struct.unpack(">I4s", file.read(8))
            if length == 1:
                length = struct.unpack(">Q", file.read(8).ljust(8, b"\0"))[0]
            if length == 0:
                break  # to the end of the file
            if length < 8 or at + length > size:
                return f"is truncated: {size} bytes, a box ends at {at + length}"
            at += length
        file.seek(-2, os.SEEK_END)
        return "" if file.read(2) == b"\xff\xd9" else "is truncated: its JPEG 2000 stream has no end mark"
