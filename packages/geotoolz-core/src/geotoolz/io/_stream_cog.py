"""The end of a stream: cloud-optimised GeoTIFF through a staging file."""

from __future__ import annotations

import errno
import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from geotoolz.core import TileSpec
from geotoolz.core._execute import Array
from geotoolz.core._extent import Extent
from geotoolz.core._run import marked
from geotoolz.io._cog import Pending, encode, free_bytes
from geotoolz.io._staging import Staging
from geotoolz.io._vrt import Layer, StagedPixels
from geotoolz.io._write import WriteCOG, require_crs

_CACHE = 16 * 2**20
_BLOCKS = 4  # blocks of all bands that the cache must hold


class CogStream:
    """Takes windows, and writes at the end the bytes that `WriteCOG` writes.

    GDAL can only make a COG of pixels that lie somewhere already, so windows go to a plain tiled file
    beside the output first.

    Parameters
    ----------
    sink : WriteCOG
        Path and encoding.
    tile : TileSpec
        The finished tile.
    created : tuple of str
        Variables that the pipeline created.
    slots : mapping of str to int
        Variable → slot.
    """

    def __init__(
        self, sink: WriteCOG, tile: TileSpec, created: tuple[str, ...], slots: Mapping[str, int]
    ) -> None:
        self._files = sink._plan(tile, created)
        self._tile, self._slots = tile, slots
        self._encoding = sink.encoding
        self._geobox = require_crs(tile.window_geobox)
        self.names = tuple(name for names in self._files.values() for name in names)
        self.block = (sink.blocksize, sink.blocksize)
        sizes = [len(names) * tile.variables[names[0]].dtype.itemsize for names in self._files.values()]
        self.cache = max(_CACHE, _BLOCKS * sink.blocksize**2 * max(sizes))
        self.raw = max(sizes) * math.prod(tile.shape)
        self._pending = Pending(self._files)
        self._stack = ExitStack()
        self._stagings: dict[str, Staging] = {}
        self._places: dict[int, list[tuple[str, int]]] = {}

    def __enter__(self) -> CogStream:
        self._stack.enter_context(self._pending)
        try:
            for path, names in self._files.items():
                with self._pending.writing(path, self._room(path)) as temporary:
                    self._stagings[path] = self._staging(temporary, names)
                for band, name in enumerate(names):
                    self._places.setdefault(self._slots[name], []).append((path, band))
        except BaseException:
            self.__exit__()
            raise
        return self

    def _staging(self, temporary: Path, names: Sequence[str]) -> Staging:
        path = Path(f"{temporary}.stage.tif")
        dtype = self._tile.variables[names[0]].dtype
        staging = Staging(path, dtype, self._tile.shape, len(names), self._encoding.blocksize)
        free = free_bytes(path.parent)
        if free is not None and free < staging.size:  # better now than after an hour
            staging.close()
            raise OSError(errno.ENOSPC, f"the temporary file alone takes {staging.size} bytes")
        return staging

    def _room(self, path: str) -> int:
        """Return the bytes that the staging file and the finished one may take."""
        side = self._encoding.blocksize
        tiles = math.prod(-(-n // side) for n in self._tile.shape)
        names = self._files[path]
        return 3 * tiles * side * side * len(names) * self._tile.variables[names[0]].dtype.itemsize

    def put(self, slot: int, extent: Extent, pixels: Array) -> None:
        """Write a window."""
        for path, band in self._places[slot]:
            with self._pending.writing(path, self._room(path)):
                self._stagings[path].put(band, extent, pixels)

    def mark(self, marks: Mapping[str, Any]) -> None:
        """Add what assertions say to the tile's attributes."""
        self._tile = self._tile.evolve(self._tile.variables, marked(self._tile.attrs, marks))

    def finish(self, threads: int) -> None:
        """Encode and check every file; nothing is published yet."""
        for path, names in self._files.items():
            staging = self._stagings[path]
            with self._pending.writing(path, self._room(path)) as temporary:
                layers = [self._layer(name, staging, band) for band, name in enumerate(names)]
                encode(temporary, layers, self._geobox, self._tile.attrs, self._encoding, threads)
                staging.close()
                staging.path.unlink()

    def _layer(self, name: str, staging: Staging, band: int) -> Layer:
        spec = self._tile.variables[name]
        return Layer(name, StagedPixels(staging, band), spec.nodata, dict(spec.attrs))

    def publish(self) -> tuple[str, ...]:
        """Move the files into place."""
        self._pending.publish()
        return tuple(self._files)

    def __exit__(self, *error: Any) -> None:
        for staging in self._stagings.values():
            staging.close()
        self._stack.close()
