"""Cloud-optimised GeoTIFF, written whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from odc.geo.geobox import GeoBox

from geotoolz.core._errors import GeotoolzError, WriteError
from geotoolz.io._gdal import _reason
from geotoolz.io._vrt import Layer, vrt_of

_SIDECAR = ".aux.xml"
_LEVELS = {"zstd": 3, "deflate": 6}


@dataclass(frozen=True)
class Encoding:
    """How a GeoTIFF is encoded.

    Parameters
    ----------
    compress : str
        ``"zstd"``, ``"deflate"``, ``"lzw"`` or ``"none"``.
    level : int, optional
        Compression level; 3 for zstd and 6 for deflate by default.
    predictor : str
        ``"auto"`` (2 for integers, 3 for floats, none for classes), ``"yes"`` or ``"no"``.
    blocksize : int
        Size of the internal tiles.
    overviews : str
        Resampling of the overviews, ``"none"`` for no overviews; classes always take the nearest.
    """

    compress: str = "zstd"
    level: int | None = None
    predictor: str = "auto"
    blocksize: int = 512
    overviews: str = "average"

    def options(self, layers: Sequence[Layer]) -> dict[str, str]:
        """Return GDAL's creation options."""
        classes = any(layer.categorical for layer in layers)
        compress = self.compress.upper()
        chosen = {"COMPRESS": compress, "BLOCKSIZE": str(self.blocksize), "BIGTIFF": "IF_SAFER"}
        level = self.level if self.level is not None else _LEVELS.get(self.compress)
        if level is not None and self.compress in _LEVELS:
            chosen["LEVEL"] = str(level)
        if self.compress != "none":
            plain = classes or layers[0].pixels.dtype.kind == "c"
            chosen["PREDICTOR"] = {"auto": "NO" if plain else "YES"}.get(
                self.predictor, self.predictor.upper()
            )
        if self.overviews == "none":
            chosen["OVERVIEWS"] = "NONE"
        else:
            chosen["OVERVIEW_RESAMPLING"] = "NEAREST" if classes else self.overviews.upper()
        chosen["NUM_THREADS"] = os.environ.get("GDAL_NUM_THREADS", "ALL_CPUS")
        return chosen


def write_cog(
    path: Path, layers: Sequence[Layer], geobox: GeoBox, attrs: Mapping[str, Any], encoding: Encoding
) -> None:
    """Write layers of one dtype to a file that appears complete or not at all.

    The file is encoded under a temporary name in the same folder, opened again and checked, then
    moved into place.

    Raises
    ------
    WriteError
        If the folder cannot be written, the disk is full, or what was written reads back
        differently; nothing is left behind.
    """
    import rasterio
    from rasterio.shutil import copy

    description = vrt_of(layers, geobox, attrs)
    with replacing(path) as temporary:
        with rasterio.Env(GDAL_MEM_ENABLE_OPEN="YES", GDAL_PAM_ENABLED="YES", GDAL_TIFF_INTERNAL_MASK="YES"):
            copy(description, str(temporary), driver="COG", **encoding.options(layers))
        _check_file(temporary, layers)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Lend a temporary name beside a path, and move the file into place if all went well.

    Raises
    ------
    WriteError
        Instead of any error of the file system or of GDAL.
    """
    from rasterio._err import CPLE_BaseError  # what rasterio.shutil lets through; no RasterioError
    from rasterio.errors import RasterioError

    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        if not temporary.is_file():
            raise WriteError(f"{path}: nothing was written", fix="check the disk's free space")
        _commit(temporary, path)
    except (OSError, RasterioError, CPLE_BaseError) as error:
        if isinstance(error, GeotoolzError) and not isinstance(error, WriteError):
            raise WriteError(f"{path} could not be written: {error.found}", fix=_advice(path)) from error
        if isinstance(error, WriteError):
            raise
        raise WriteError(f"{path} could not be written: {_reason(error)}", fix=_advice(path)) from error
    finally:
        if path.parent.is_dir():
            for left in path.parent.glob(f"{_escaped(temporary.name)}*"):
                left.unlink(missing_ok=True)


def _escaped(name: str) -> str:
    from glob import escape

    return escape(name)


def _advice(path: Path) -> str:
    return f"check that {path.parent} is a folder that can be written and that its disk has space"


def _commit(temporary: Path, path: Path) -> None:
    """Move the sidecar, then the file: who sees the file sees the sidecar too."""
    sidecar, new = Path(f"{path}{_SIDECAR}"), Path(f"{temporary}{_SIDECAR}")
    with temporary.open("rb") as handle:
        os.fsync(handle.fileno())
    if new.is_file():
        new.replace(sidecar)
        temporary.replace(path)
    else:
        temporary.replace(path)
        sidecar.unlink(missing_ok=True)  # of an older file


def _check_file(path: Path, layers: Sequence[Layer]) -> None:
    """Open a file again: every block lies inside it, the first and the last have the pixels' bits."""
    import rasterio
    from rasterio.windows import Window

    with rasterio.Env(GDAL_NUM_THREADS="1", GDAL_CACHEMAX=16), rasterio.open(path) as raster:
        height, width = layers[0].pixels.shape
        if (raster.height, raster.width, raster.count) != (height, width, len(layers)):
            raise WriteError(f"{path} has {raster.count} × {raster.shape} pixels after writing")
        _check_blocks(raster, path.stat().st_size)
        rows, cols = raster.block_shapes[0]
        for index, layer in enumerate(layers, start=1):
            for row, col in ((0, 0), ((height - 1) // rows * rows, (width - 1) // cols * cols)):
                window = Window(col, row, min(cols, width - col), min(rows, height - row))
                wanted = layer.pixels[row : row + rows, col : col + cols]
                if not _same_bits(raster.read(index, window=window), wanted):
                    raise WriteError(f"band {layer.name!r} of {path} reads back differently")


def _check_blocks(raster: Any, size: int) -> None:
    """A file that hit a size limit opens, with blocks beyond its end."""
    rows, cols = raster.block_shapes[0]
    for index in range(1, raster.count + 1):
        for level, factor in enumerate((1, *raster.overviews(index))):
            down = -(-raster.height // (rows * factor))
            across = -(-raster.width // (cols * factor))
            for y in range(down):
                for x in range(across):
                    where = {"bidx": index} if level == 0 else {"bidx": index, "ovr": level - 1}
                    offset = raster.get_tag_item(f"BLOCK_OFFSET_{x}_{y}", "TIFF", **where)
                    length = raster.get_tag_item(f"BLOCK_SIZE_{x}_{y}", "TIFF", **where)
                    if offset is None or length is None or int(offset) + int(length) > size:
                        raise WriteError(
                            f"block {x}, {y} of band {index} is missing", fix="check the disk's space"
                        )


def _same_bits(found: np.ndarray[Any, Any], wanted: np.ndarray[Any, Any]) -> bool:
    unsigned = f"u{wanted.dtype.itemsize}" if wanted.dtype.kind != "c" else f"u{wanted.dtype.itemsize // 2}"
    return bool(
        np.array_equal(
            np.ascontiguousarray(found).view(unsigned), np.ascontiguousarray(wanted).view(unsigned)
        )
    )
