"""Where stitched rows go: cloud-optimised GeoTIFF or Zarr, written as they are finished."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Any

from geotoolz.core import Extent, ParameterError, TileError, TileSpec
from geotoolz.io import WriteCOG, WriteZarr
from geotoolz.io._block_cache import block_cache
from geotoolz.io._stream_cog import CogStream
from geotoolz.io._stream_zarr import ZarrStream
from geotoolz.patch._source import Array

_CACHE = 16 << 20


class End:
    """Takes rows, and makes the files visible when all have come.

    Parameters
    ----------
    sink : WriteCOG or WriteZarr
        Path and encoding.
    tile : TileSpec
        The finished tile.
    created : tuple of str
        Variables that the chips make.
    """

    def __init__(self, sink: WriteCOG | WriteZarr, tile: TileSpec, created: tuple[str, ...]) -> None:
        slots = {name: number for number, name in enumerate(tile.variables)}
        self._slots, self._width = slots, tile.shape[1]
        if isinstance(sink, WriteZarr):
            self._stream: CogStream | ZarrStream = ZarrStream(sink, tile, created, slots)
        else:
            self._stream = CogStream(sink, tile, created, slots)

    def __enter__(self) -> End:
        self._stream.__enter__()
        return self

    def write(self, first: int, rows: dict[str, Array]) -> None:
        """Take finished rows."""
        for name in dict.fromkeys(self._stream.names):
            array = rows[name]
            extent = Extent(first, first + array.shape[-2], 0, self._width)
            self._stream.put(self._slots[name], extent, array)

    def close(self) -> tuple[str, ...]:
        """Make the files, and make them visible."""
        with block_cache(_CACHE):
            self._stream.finish(1)
        return self._stream.publish()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.__exit__(kind, error, trace)


def open_end(sink: Any, tile: TileSpec, created: tuple[str, ...]) -> End:
    """Return the end for a sink, or for a path.

    Raises
    ------
    ParameterError
        If it is neither.
    """
    if isinstance(sink, str | os.PathLike):
        path = os.fspath(sink)
        zarr = path.lower().rstrip("/").endswith(".zarr")
        if not zarr and "{band}" not in path:
            _require_one_kind(path, tile, created)
        sink = WriteZarr(path) if zarr else WriteCOG(path)
    if not isinstance(sink, WriteCOG | WriteZarr):
        raise ParameterError(
            f"the sink is {type(sink).__name__}", expected="WriteCOG, WriteZarr, or a path (.tif, .zarr)"
        )
    return End(sink, tile, created)


def _require_one_kind(path: str, tile: TileSpec, created: tuple[str, ...]) -> None:
    kinds = {(tile.variables[n].dtype.name, repr(tile.variables[n].nodata)) for n in created}
    if len(kinds) < 2:
        return
    listed = ", ".join(
        f"{n} ({tile.variables[n].dtype}, no-data {tile.variables[n].nodata})" for n in created
    )
    root, dot, end = path.rpartition(".")
    raise TileError(
        f"{path} would hold {listed}",
        expected="one type and one no-data value per file",
        fix=f"{root}_{{band}}{dot}{end} is one file per variable; WriteCOG(path, bands=…) takes some of them",
    )
