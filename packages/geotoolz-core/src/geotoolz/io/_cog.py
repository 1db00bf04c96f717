"""Cloud-optimised GeoTIFF, written whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.core._errors import GeotoolzError, WriteError
from geotoolz.io._block_cache import block_cache
from geotoolz.io._gdal_errors import reason_of
from geotoolz.io._gdal_session import gdal_env
from geotoolz.io._style import SUFFIX, Painted, is_ours, style_of
from geotoolz.io._vrt import Layer, vrt_of
from geotoolz.io._write_object import Outbox

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox


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
    style : str, optional
        The style for QGIS beside the file: ``"auto"``, the name of a colour map, or none.
    """

    compress: str = "zstd"
    level: int | None = None
    predictor: str = "auto"
    blocksize: int = 512
    overviews: str = "average"
    style: str | None = None

    def room(self, layers: Sequence[Layer]) -> int:
        """Return the bytes that writing may take at most: whole blocks, overviews, GDAL's copy of them."""
        side = self.blocksize
        blocks: int = sum(-(-n // side) * -(-m // side) * k for n, m, k in
                     ((*layer.pixels.shape, layer.pixels.itemsize) for layer in layers))  # fmt: skip
        return 2 * blocks * side * side

    def options(self, layers: Sequence[Layer], threads: int | None = None) -> dict[str, str]:
        """Return GDAL's creation options; the file does not depend on the number of threads."""
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
        chosen["NUM_THREADS"] = os.environ.get("GDAL_NUM_THREADS", str(threads or "ALL_CPUS"))
        return chosen


def write_cogs(
    files: Mapping[str, Sequence[Layer]], geobox: GeoBox, attrs: Mapping[str, Any], encoding: Encoding
) -> None:
    """Write files that appear complete and together, or not at all.

    Every file is encoded under a temporary name in its own folder, opened again and checked; when
    all of them are there, they are moved into place.

    Parameters
    ----------
    files : mapping of str to sequence of Layer
        Path → the layers of one dtype that it holds.
    geobox : odc.geo.geobox.GeoBox
        Grid of all layers.
    attrs : mapping
        The tile's attributes.
    encoding : Encoding
        How the files are encoded.

    Raises
    ------
    WriteError
        If a folder cannot be written, the disk is full, or what was written reads back
        differently; nothing is left behind.
    """
    with Pending(files) as pending:
        for name, layers in files.items():
            with pending.writing(name, encoding.room(layers)) as temporary:
                encode(temporary, layers, geobox, attrs, encoding)
        pending.publish()


class Pending:
    """Files that are being made under temporary names in their own folders; they appear together or never.

    Those for an object store are made in a temporary folder, and sent when all of them are there.

    Parameters
    ----------
    names : iterable of str
        The files' paths or addresses.

    Raises
    ------
    StoreError
        If a store does not answer.
    """

    def __init__(self, names: Iterable[str]) -> None:
        names = tuple(names)
        self._files: dict[str, tuple[Path, Path]] = {}
        self._outbox = Outbox(names)
        for name in names:
            path = self._outbox.files.get(name) or Path(name)
            temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp{path.suffix}")
            self._files[name] = (temporary, path)

    def __enter__(self) -> Pending:
        return self

    @contextmanager
    def writing(self, name: str, room: int) -> Iterator[Path]:
        """Lend the temporary name of a file in a folder that exists; errors become `WriteError`.

        Further temporary files may begin with that name. `room` is how many bytes may be written.
        """
        temporary, path = self._files[name]
        with write_errors(path, room):
            if path.is_dir():
                raise IsADirectoryError(f"{path} is a folder")
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary

    def publish(self) -> None:
        """Move all files into place."""
        for temporary, path in self._files.values():
            with write_errors(path):
                _commit(temporary, path)
        self._outbox.send()

    def __exit__(self, *error: object) -> None:
        self._outbox.close()
        for temporary, path in self._files.values():
            if path.parent.is_dir():  # GDAL's own temporary files begin with the same name
                for left in path.parent.glob(f"{escape(temporary.name)}*"):
                    left.unlink(missing_ok=True)


def encode(
    path: Path,
    layers: Sequence[Layer],
    geobox: GeoBox,
    attrs: Mapping[str, Any],
    encoding: Encoding,
    threads: int | None = None,
) -> None:
    """Write a file, open it again, check it, and wait until it is on the disk."""
    copy_cog(vrt_of(layers, geobox, attrs), path, layers, encoding, threads)
    _check_file(path, layers)
    write_style(path, [Painted(o.name, o.pixels.dtype, o.nodata, o.attrs) for o in layers], encoding.style)
    with path.open("rb") as handle:
        os.fsync(handle.fileno())


def copy_cog(
    vrt: str, path: Path, layers: Sequence[Layer], encoding: Encoding, threads: int | None = None
) -> None:
    """Copy a virtual raster into a cloud-optimised GeoTIFF and see that every block lies inside it."""
    import rasterio
    from rasterio.shutil import copy

    with gdal_env(GDAL_MEM_ENABLE_OPEN="YES", GDAL_PAM_ENABLED="YES"):
        copy(vrt, str(path), driver="COG", **encoding.options(layers, threads))
    with gdal_env():
        shapes = _level_shapes(path)
        with rasterio.open(path) as raster:
            _check_blocks(raster, shapes, path.stat().st_size)


def write_style(path: Path, bands: Sequence[Painted], style: str | None) -> None:
    """Write the style of a file that is still under its temporary name."""
    text = style_of(path, bands, style)
    if text is not None:
        _beside(path, SUFFIX).write_text(text, encoding="utf-8")


@contextmanager
def write_errors(path: Path, size: int = 0) -> Iterator[None]:
    """Turn the errors of the file system and of GDAL into `WriteError`."""
    from rasterio._err import CPLE_BaseError  # what rasterio.shutil lets through; no RasterioError
    from rasterio.errors import RasterioError

    try:
        yield
    except (OSError, RasterioError, CPLE_BaseError) as error:
        said = error.found if isinstance(error, GeotoolzError) else reason_of(error)
        free = free_bytes(path.parent)
        full = free is not None and free < size  # GDAL does not say that a disk is full
        if full:
            said += f"; {free} bytes are free there, writing may take {size}"
        refused = WriteError(
            f"{path} could not be written: {said}",
            expected="free space and the right to write",
            fix=f"check that {path.parent} is a folder that can be written and that its disk has space",
        )
        number = error.errno if isinstance(error, OSError) else None  # GDAL's errno is another count
        refused.errno = errno.ENOSPC if full else number
        raise refused from error


def free_bytes(folder: Path) -> int | None:
    """Return the bytes that are free for a folder, None where nobody knows."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def _commit(temporary: Path, path: Path) -> None:
    """Move what stands beside the file, then the file: who sees the file sees the rest too."""
    sidecar, new = _beside(path, _SIDECAR), _beside(temporary, _SIDECAR)
    style, new_style = path.with_suffix(SUFFIX), _beside(temporary, SUFFIX)
    theirs = style.is_file() and not is_ours(style)  # made in QGIS: it stays
    if new_style.is_file() and not theirs:
        new_style.replace(style)
        theirs = True
    if new.is_file():
        new.replace(sidecar)
        temporary.replace(path)
    else:
        temporary.replace(path)
        sidecar.unlink(missing_ok=True)  # of an older file
    if not theirs:
        style.unlink(missing_ok=True)


def _beside(path: Path, suffix: str) -> Path:
    return Path(f"{path}{suffix}")


def _check_file(path: Path, layers: Sequence[Layer]) -> None:
    """Open a file again: every block lies inside it, the first and the last have the pixels' bits."""
    import rasterio
    from rasterio.windows import Window

    one = gdal_env(GDAL_NUM_THREADS="1")
    with one, block_cache(16 * 2**20, firm=False), rasterio.open(path) as raster:
        height, width = layers[0].pixels.shape
        if (raster.height, raster.width, raster.count) != (height, width, len(layers)):
            raise WriteError(f"{path} has {raster.count} × {raster.shape} pixels after writing")
        rows, cols = raster.block_shapes[0]
        for index, layer in enumerate(layers, start=1):
            for row, col in ((0, 0), ((height - 1) // rows * rows, (width - 1) // cols * cols)):
                window = Window(col, row, min(cols, width - col), min(rows, height - row))
                wanted = layer.pixels[row : row + rows, col : col + cols]
                if not _same_bits(raster.read(index, window=window), wanted):
                    raise WriteError(f"band {layer.name!r} of {path} reads back differently")


def _level_shapes(path: Path) -> list[tuple[int, int]]:
    """Return rows and columns of a raster and of its overviews, whose sides GDAL rounds down."""
    import rasterio

    with rasterio.open(path) as raster:
        shapes: list[tuple[int, int]] = [raster.shape]
        levels = len(raster.overviews(1))
    for level in range(levels):
        with rasterio.open(path, overview_level=level) as overview:
            shapes.append(overview.shape)
    return shapes


def _check_blocks(raster: Any, shapes: Sequence[tuple[int, int]], size: int) -> None:
    """A file that hit a size limit opens, with blocks beyond its end."""
    rows, cols = raster.block_shapes[0]
    for index in range(1, raster.count + 1):
        for level, (height, width) in enumerate(shapes):
            for y in range(-(-height // rows)):
                for x in range(-(-width // cols)):
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
