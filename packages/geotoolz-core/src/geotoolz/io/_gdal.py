"""Opening rasters: environment, typed errors, one kept handle per thread."""

from __future__ import annotations

import os
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from affine import Affine

from geotoolz.core._errors import ReadError
from geotoolz.io._block_cache import block_cache
from geotoolz.io._gdal_errors import fix_of, reason_of
from geotoolz.io._gdal_session import gdal_env
from geotoolz.io._object_options import gdal_store_options
from geotoolz.io._quiet import quiet
from geotoolz.io._sign import Signer, redacted, signed

if TYPE_CHECKING:
    from odc.geo.crs import CRS


_CACHE = 64 * 2**20  # bytes of decoded blocks that GDAL keeps; a row of Sentinel-2 blocks with all bands fits
_KEPT = 24  # handles per thread; a scene has about 15 bands
_HELD = 128 * 2**20  # bytes they may take: an open GeoTIFF keeps its last block, all bands if these alternate
_local = threading.local()
_IN_ARCHIVE = re.compile(r"/vsi(?:zip|tar)/(/.+?\.(?:zip|tar\.gz|tgz|tar))/", re.IGNORECASE)
_REMOTE = ("http://", "https://", "s3://", "gs://", "az://", "/vsicurl", "/vsis3", "/vsigs", "/vsiaz")


@dataclass(frozen=True, slots=True)
class Header:
    """What a raster says of itself, without its pixels.

    Parameters
    ----------
    path : str
        File or URL.
    shape : tuple of int
        Rows and columns.
    transform : Affine or None
        None where the file has no georeference.
    crs : CRS or None
        Coordinate reference system.
    dtypes, nodata, names, units, scales, offsets, tags : tuple
        One entry per band.
    file_tags : dict
        Tags of the whole file.
    """

    path: str
    shape: tuple[int, int]
    transform: Affine | None
    crs: CRS | None
    dtypes: tuple[str, ...]
    nodata: tuple[float | None, ...]
    names: tuple[str | None, ...]
    units: tuple[str | None, ...]
    scales: tuple[float, ...]
    offsets: tuple[float, ...]
    tags: tuple[dict[str, str], ...]
    file_tags: dict[str, str] = field(default_factory=dict)


def is_remote(path: str) -> bool:
    """Tell whether a path needs a network."""
    return path.lower().startswith(_REMOTE)


def gdal_options(path: str) -> dict[str, Any]:
    """Return GDAL's options for reading a path; the user's environment variables win."""
    wanted: dict[str, Any] = {
        # EMPTY_DIR also stops GDAL from looking for .aux.xml and .tfw, so it is for remote files only
        "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR" if is_remote(path) else "TRUE",
        "GDAL_NUM_THREADS": "ALL_CPUS",
        "GDAL_HTTP_MAX_RETRY": 3,
        "GDAL_HTTP_RETRY_DELAY": 1,
        "GDAL_HTTP_CONNECTTIMEOUT": 15,
    }
    own = {**gdal_store_options(path), **getattr(_local, "options", {})}
    return {**{key: value for key, value in wanted.items() if key not in os.environ}, **own}


def own_options() -> dict[str, Any]:
    """Return the options that `reading` has set for this thread."""
    return dict(getattr(_local, "options", {}))


@contextmanager
def reading(**options: Any) -> Iterator[None]:
    """Set GDAL's options for what this thread reads, before the environment and the defaults."""
    before = getattr(_local, "options", {})
    _local.options = {**before, **options}
    try:
        yield
    finally:
        _local.options = before


def stamp_of(path: str) -> tuple[int, ...] | None:
    """Return inode, size and time of modification; () for what is remote, None for what is not there.

    A file in a zip or tar has the stamp of the archive.
    """
    archive = _IN_ARCHIVE.match(path)
    if is_remote(path) or (path.startswith("/vsi") and archive is None):
        return ()
    try:
        stat = Path(archive[1] if archive else path).stat()
    except OSError:
        return None
    return (stat.st_ino, stat.st_size, stat.st_mtime_ns)


def _handles() -> OrderedDict[Any, tuple[tuple[int, ...], Any, int]]:
    # A forked child shares file offsets with its parent: it starts with no handles of its own.
    if getattr(_local, "pid", None) != os.getpid():
        _local.pid = os.getpid()
        _local.handles = OrderedDict()
    return _local.handles  # type: ignore[no-any-return]


def close_handles() -> None:
    """Close the rasters that this thread keeps open."""
    handles = _handles()
    while handles:
        handles.popitem()[1][1].close()


def _let_go(handles: OrderedDict[Any, tuple[Any, Any, int]]) -> None:
    """Close what was used longest ago until those that stay are few and small; two always stay."""
    held = sum(size for *_, size in handles.values())
    while len(handles) > 2 and (len(handles) > _KEPT or held > _HELD):
        _, raster, size = handles.popitem(last=False)[1]
        held -= size
        raster.close()


def _held(raster: Any) -> int:
    """Return about how many bytes an open raster keeps: a block as it is read, and as it lies in the file."""
    if not raster.count:
        return 0
    rows, cols = raster.block_shapes[0]
    alternate = raster.tags(ns="IMAGE_STRUCTURE").get("INTERLEAVE") == "PIXEL"
    size: int = np.dtype(raster.dtypes[0]).itemsize * (raster.count if alternate else 1)
    return 2 * int(rows) * int(cols) * size


def open_raster(path: str, **options: Any) -> Any:
    """Open a file or address with rasterio, without GDAL's remarks on standard error."""
    import rasterio

    # GDAL finds its own way to S3: rasterio would ask boto3, which does not see our options
    with quiet:
        return rasterio.open(f"/vsis3/{path[5:]}" if path.lower().startswith("s3://") else path, **options)


def _open_signed(path: str, sign: Signer) -> Any:
    """Open a signed address; once more with a new signature where the first one was refused."""
    from rasterio.errors import RasterioError

    try:
        return open_raster(signed(path, sign))
    except RasterioError:
        return open_raster(signed(path, sign))


@contextmanager
def opened(path: str, sign: Signer | None = None) -> Iterator[Any]:
    """Lend an open raster, kept open for this thread's next read.

    Parameters
    ----------
    path : str
        File or URL.
    sign : callable, optional
        Signs a URL when it is opened.

    Raises
    ------
    ReadError
        If the file is missing, empty or no raster, or if reading it fails inside the block.
    """
    from rasterio._err import CPLE_BaseError
    from rasterio.errors import RasterioError

    stamp = stamp_of(path)
    if stamp is None:
        raise ReadError(f"{path} does not exist", expected="a raster file", fix="check the path")
    if stamp and stamp[1] == 0:
        raise ReadError(f"{path} is empty (0 bytes)", expected="a raster file", fix="download it again")
    handles = _handles()
    sign = sign if is_remote(path) else None
    key = path if sign is None else (path, id(sign))
    with gdal_env(path, **gdal_options(path)), block_cache(_CACHE, firm=False):
        try:
            kept = handles.get(key)
            if kept is None or kept[0] != stamp:
                if kept is not None:
                    kept[1].close()
                raster = open_raster(path) if sign is None else _open_signed(path, sign)
                handles[key] = (stamp, raster, _held(raster))
                _let_go(handles)
            handles.move_to_end(key)
            raster = handles[key][1]
            with _one_thread() if raster.driver.startswith("JP2") else nullcontext():
                yield raster
        except (RasterioError, CPLE_BaseError) as error:
            kept = handles.pop(key, None)
            if kept is not None:
                kept[1].close()
            reason = redacted(reason_of(error))
            raise ReadError(
                f"{redacted(path)} cannot be read: {reason}",
                expected="a complete raster that GDAL knows",
                fix=fix_of(path, reason, remote=is_remote(path), signed=sign is not None),
            ) from error


def read_from(path: str, sign: Signer | None, read: Callable[[Any], Any]) -> Any:
    """Read from a raster; once more where the signature has run out since it was opened.

    Parameters
    ----------
    path : str
        File or URL.
    sign : callable or None
        As for `opened`.
    read : callable
        Takes the open raster.
    """
    if sign is None or not is_remote(path):
        with opened(path) as raster:
            return read(raster)
    try:
        with opened(path, sign) as raster:
            return read(raster)
    except ReadError:  # the handle is closed now, and the next one has a new signature
        with opened(path, sign) as raster:
            return read(raster)


def _one_thread() -> Any:
    """Let GDAL decode JPEG2000 alone: its threads leave a block that is broken black, and say nothing."""
    return gdal_env(GDAL_NUM_THREADS="1")


def read_header(path: str, sign: Signer | None = None) -> Header:
    """Read what a raster says of itself.

    Raises
    ------
    ReadError
        If the file is missing, empty or no raster.
    """
    with opened(path, sign) as raster:
        transform = raster.transform
        crs = crs_of_wkt(raster.crs.to_wkt()) if raster.crs else None
        bands = range(1, raster.count + 1)
        return Header(
            path=path,
            shape=(raster.height, raster.width),
            transform=None if transform == Affine.identity() else transform,
            crs=crs,
            dtypes=tuple(raster.dtypes),
            nodata=tuple(raster.nodatavals),
            names=tuple(raster.descriptions),
            units=tuple(raster.units),
            scales=tuple(raster.scales),
            offsets=tuple(raster.offsets),
            tags=tuple(raster.tags(b) for b in bands),
            file_tags=raster.tags(),
        )


@lru_cache(maxsize=64)
def crs_of_wkt(wkt: str) -> CRS:
    """Return a CRS; an exact EPSG code gives the same text everywhere. The search for it is slow."""
    import rasterio.crs
    from odc.geo.crs import CRS

    code = rasterio.crs.CRS.from_wkt(wkt).to_epsg(confidence_threshold=100)
    return CRS(f"EPSG:{code}") if code else CRS(wkt)
