"""Rasters kept open: one handle per thread, file and overview, never opened twice for a tile."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from geotoolz.core import ReadError
from geotoolz.io._gdal import gdal_options, is_remote, open_raster, stamp_of
from geotoolz.io._gdal_session import gdal_env
from geotoolz.io._sign import redacted, signed

if TYPE_CHECKING:
    from geotoolz.io._sign import Signer

_KEPT = 64  # handles per thread: four bands with five overviews of three scenes
_MOST_LEVELS = 32


@dataclass(frozen=True)
class RasterFile:
    """A file as it was when the layer was opened.

    Parameters
    ----------
    path : str
        File or address.
    level : int or None
        Overview, from 0; None for the file's own pixels.
    stamp : tuple
        What tells whether it is still the same file.
    sign : callable, optional
        Signs an address when it is opened.
    """

    path: str
    level: int | None
    stamp: tuple[int, ...] | None
    sign: Signer | None = field(default=None, compare=False)


class Handles:
    """Open rasters of every thread that asks."""

    def __init__(self) -> None:
        self._local = threading.local()

    def read(self, file: RasterFile, read: Callable[[Any], Any]) -> Any:
        """Read from a raster with this thread's handle; once more with a new one where that fails.

        Parameters
        ----------
        file : RasterFile
            The file.
        read : callable
            Takes the open raster.

        Raises
        ------
        ReadError
            If it cannot be read, or is another file than it was.
        """
        from rasterio._err import CPLE_BaseError
        from rasterio.errors import RasterioError

        for last in (False, True):
            try:
                with _environment(file.path):
                    return read(self._handle(file))
            except (RasterioError, CPLE_BaseError) as error:
                self._drop(file)  # a signature that ran out, a connection that was closed
                if last:
                    raise ReadError(
                        f"{redacted(file.path)} cannot be read", expected="a complete raster"
                    ) from error
        raise ReadError(f"{redacted(file.path)} cannot be read")  # not reached; says so to type checkers

    def _handle(self, file: RasterFile) -> Any:
        kept: OrderedDict[RasterFile, Any] = self._local.__dict__.setdefault("kept", OrderedDict())
        handle = kept.get(file)
        if handle is None:
            if stamp_of(file.path) != file.stamp:
                # the old file stays readable through handles that are open; a new one would mix the two
                raise ReadError(
                    f"{file.path} is another file than it was when the server started",
                    expected="files that stay as they are",
                    fix="start the server again",
                )
            handle = kept[file] = _open(file)
        kept.move_to_end(file)
        while len(kept) > _KEPT:
            kept.popitem(last=False)[1].close()
        return handle

    def _drop(self, file: RasterFile) -> None:
        handle = self._local.__dict__.get("kept", {}).pop(file, None)
        if handle is not None:
            handle.close()


def _environment(path: str) -> AbstractContextManager[Any]:
    """Return what GDAL is told of an address; a file of this machine needs nothing."""
    return gdal_env(path, **gdal_options(path)) if is_remote(path) else nullcontext()


def _open(file: RasterFile) -> Any:
    path = signed(file.path, file.sign) if file.sign is not None and is_remote(file.path) else file.path
    options = {} if file.level is None else {"OVERVIEW_LEVEL": file.level}
    with gdal_env(file.path, **gdal_options(file.path)):
        return open_raster(path, **options)


@dataclass(frozen=True)
class Layout:
    """How a file (or an overview of it) stores its pixels."""

    shape: tuple[int, int]
    block: tuple[int, int]
    interleaved: bool
    overviews: int


def layout_of(handles: Handles, file: RasterFile) -> Layout:
    """Return a file's layout; the number of overviews is that of its first band."""

    def look(raster: Any) -> Layout:
        rows, cols = raster.block_shapes[0]
        together = str(raster.interleaving or "").lower().endswith("pixel") and raster.count > 1
        n = min(len(raster.overviews(1)), _MOST_LEVELS)
        return Layout((raster.height, raster.width), (rows, cols), together, n)

    found: Layout = handles.read(file, look)
    return found
