"""Pictures and values as bytes: palette PNG, WebP, JPEG, NPY, GeoTIFF."""

from __future__ import annotations

import io
import struct
import zlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.core import TileSpec, kernel
from geotoolz.io._gdal_session import gdal_env
from geotoolz.serve._render_style import Painted, Warped
from geotoolz.viz import encode_png
from geotoolz.viz._picture import on_background
from geotoolz.viz._png import _chunk

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

Array = np.ndarray[Any, Any]
MEDIA = {
    "png": "image/png",
    "webp": "image/webp",
    "jpg": "image/jpeg",
    "npy": "application/octet-stream",
    "tif": "image/tiff",
}
PICTURES = ("png", "webp", "jpg")
_WHITE = (255, 255, 255)
_LEVEL = 1  # a fifth of the time of level 6, and pictures of indices are small anyway


@kernel
def _indices(rows: Any, words: Any, first: Any, out: Any, used: Any) -> Any:
    """Number the colours of a picture as they come, the transparent one 0; -1 where they are more than 256.

    `first` holds, for every row of the table, the first row of the same colour.
    """
    number = np.full(words.size, -1, np.int64)
    used[0] = 0
    n = 1
    for i in range(rows.size):
        row = first[rows[i]]
        k = number[row]
        if k < 0:
            if words[row] >> np.uint32(24) == 0:
                k = 0
            else:
                if n == 256:
                    return -1
                k = n
                used[n] = words[row]
                n += 1
            number[row] = k
        out[i] = k
    return n


def palette_png(rows: Array, table: Array) -> bytes | None:
    """Return a picture as PNG with a palette of the colours that occur; None for more than 255 of them.

    Index 0 is transparent.

    Parameters
    ----------
    rows : array of uint16, (y, x)
        Rows of the table.
    table : array of uint8, (n, 4)
        Red, green, blue, alpha.
    """
    words, first = _words(table.tobytes())
    height, width = rows.shape
    # every line starts with its filter: 0, none, which is best for palettes
    lines = np.zeros((height, width + 1), np.uint8)
    flat, used = np.empty(rows.size, np.uint8), np.zeros(256, np.uint32)
    n = _indices(np.ascontiguousarray(rows).reshape(-1), words, first, flat, used)
    if n < 0:
        return None
    lines[:, 1:] = flat.reshape(height, width)
    colours = used[:n].astype("<u4").view(np.uint8).reshape(n, 4)
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    chunks = (
        _chunk(b"IHDR", header),
        _chunk(b"PLTE", colours[:, :3].tobytes()),
        _chunk(b"tRNS", colours[:, 3].tobytes()),
        _chunk(b"IDAT", zlib.compress(lines.tobytes(), _LEVEL)),
        _chunk(b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@lru_cache(maxsize=64)
def _words(table: bytes) -> tuple[Array, Array]:
    """Return the colours as numbers, and the first row of each colour."""
    words = np.frombuffer(table, "<u4").astype(np.uint32)
    seen: dict[int, int] = {}
    first = np.array([seen.setdefault(int(word), row) for row, word in enumerate(words)], np.int64)
    return words, first


def picture(painted: Painted, fmt: str) -> bytes:
    """Return a picture as PNG, WebP or JPEG (on white)."""
    if fmt == "png":
        if painted.rows is not None and painted.table is not None:
            found = palette_png(painted.rows, painted.table)
            if found is not None:
                return found
        pixels = painted.pixels()
        opaque = bool((pixels[..., 3] == 255).all())
        return encode_png(np.ascontiguousarray(pixels[..., :3]) if opaque else pixels, level=_LEVEL)
    from PIL import Image

    pixels = painted.pixels()
    out = io.BytesIO()
    if fmt == "webp":
        Image.fromarray(pixels, "RGBA").save(out, "WEBP", quality=80, method=0)
    else:
        Image.fromarray(on_background(pixels, _WHITE), "RGB").save(out, "JPEG", quality=85)
    return out.getvalue()


@lru_cache(maxsize=32)
def empty_picture(shape: tuple[int, int], fmt: str) -> bytes:
    """Return the picture of nothing: transparent, white in JPEG."""
    table = np.zeros((1, 4), np.uint8)
    return picture(Painted(rows=np.zeros(shape, np.uint16), table=table), fmt)


def nothing(spec: TileSpec, names: tuple[str, ...], shape: tuple[int, int]) -> Warped:
    """Return values where the scene is not."""
    arrays = {}
    for name in names:
        variable = spec.variables[name]
        fill = 0 if variable.nodata is None else variable.nodata
        arrays[name] = np.full(shape, fill, variable.dtype)
    return Warped(arrays, np.zeros(shape, np.bool_))


def values_npy(warped: Warped) -> bytes:
    """Return values as NPY: (bands, y, x) in a dtype that holds all of them."""
    out = io.BytesIO()
    np.save(out, _stacked(warped))
    return out.getvalue()


def _stacked(warped: Warped) -> Array:
    planes = [a.view(np.uint8) if a.dtype == np.bool_ else a for a in warped.arrays.values()]
    return np.stack(planes)


def values_tif(warped: Warped, spec: TileSpec, geobox: GeoBox) -> bytes:
    """Return values as cloud-optimised GeoTIFF with grid, names, units and no-data."""
    from rasterio.io import MemoryFile

    stack = _stacked(warped)
    first = spec.variables[next(iter(warped.arrays))]
    options: dict[str, Any] = {
        "driver": "COG", "height": stack.shape[1], "width": stack.shape[2], "count": stack.shape[0],
        "dtype": stack.dtype, "crs": None if geobox.crs is None else geobox.crs.to_wkt(),
        "transform": geobox.affine, "compress": "deflate", "nodata": first.nodata,
        "overview_resampling": "average" if stack.dtype.kind == "f" else "nearest",
    }  # fmt: skip
    with gdal_env(), MemoryFile() as memory:
        with memory.open(**options) as raster:
            raster.write(stack)
            for number, name in enumerate(warped.arrays, start=1):
                raster.set_band_description(number, name)
                raster.set_band_unit(number, str(spec.variables[name].attrs.get("units", "")))
        memory.seek(0)
        found: bytes = memory.read()
    return found
