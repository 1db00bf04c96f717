"""Decoded blocks of rasters, shared by all threads and bounded in bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from geotoolz.core import ReadError
from geotoolz.io._block_cache import block_cache
from geotoolz.io._pixels import Source
from geotoolz.serve._handles import Handles, Layout, RasterFile, layout_of
from geotoolz.serve._settings_models import BLOCK_CACHE_MB
from geotoolz.serve._singleflight import ThreadFlights

Array = np.ndarray[Any, Any]
_GDAL_CACHE = 16 * 2**20  # blocks are kept here, and not by GDAL as well
_SIDE = 256  # smaller blocks of a file are kept several at a time


class BlockCache:
    """Blocks of pixels by file, overview, band and place; the one used longest ago goes first.

    Parameters
    ----------
    max_bytes : int
        Of all blocks together; a block that is larger is not kept.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.bytes = self.hits = self.misses = 0
        self.handles = Handles()
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, Array] = OrderedDict()
        self._flights: ThreadFlights[dict[int, Array]] = ThreadFlights()
        self._layouts: dict[RasterFile, Layout] = {}

    def layout(self, file: RasterFile) -> Layout:
        """Return how a file stores its pixels; looked up once."""
        found = self._layouts.get(file)
        if found is None:
            found = self._layouts[file] = layout_of(self.handles, file)
        return found

    def window(
        self, file: RasterFile, index: int, together: tuple[int, ...], place: tuple[int, int, int, int]
    ) -> Array:
        """Return pixels of a band.

        Parameters
        ----------
        file : RasterFile
            The file, or one of its overviews.
        index : int
            Band, from 1.
        together : tuple of int
            Bands that are wanted besides: where blocks hold all bands they are decoded once for them.
        place : (row, column, height, width)
            Inside the file.
        """
        row, col, height, width = place
        layout = self.layout(file)
        rows, cols = (n * max(1, _SIDE // n) for n in layout.block)
        wanted = together if layout.interleaved and index in together else (index,)
        out: Array | None = None
        for i in range(row // rows, -(-(row + height) // rows)):
            for j in range(col // cols, -(-(col + width) // cols)):
                block = self._block(file, index, wanted, (i, j), (rows, cols), layout.shape)
                if out is None:
                    out = np.empty((height, width), block.dtype)
                y0, x0 = max(row, i * rows), max(col, j * cols)
                y1, x1 = min(row + height, (i + 1) * rows), min(col + width, (j + 1) * cols)
                out[y0 - row : y1 - row, x0 - col : x1 - col] = block[
                    y0 - i * rows : y1 - i * rows, x0 - j * cols : x1 - j * cols
                ]
        if out is None:
            raise ReadError("an empty window was asked for")
        return out

    def _block(
        self,
        file: RasterFile,
        index: int,
        wanted: tuple[int, ...],
        at: tuple[int, int],
        size: tuple[int, int],
        shape: tuple[int, int],
    ) -> Array:
        with self._lock:
            found = self._kept.get((file, index, at))
            if found is not None:
                self._kept.move_to_end((file, index, at))
                self.hits += 1
                return found
            self.misses += 1
        made = self._flights.do((file, wanted, at), lambda: self._load(file, wanted, at, size, shape))
        return made[index]

    def _load(
        self,
        file: RasterFile,
        wanted: tuple[int, ...],
        at: tuple[int, int],
        size: tuple[int, int],
        shape: tuple[int, int],
    ) -> dict[int, Array]:
        from rasterio.windows import Window

        row, col = at[0] * size[0], at[1] * size[1]
        window = Window(col, row, min(size[1], shape[1] - col), min(size[0], shape[0] - row))
        with block_cache(_GDAL_CACHE):
            planes = self.handles.read(file, lambda raster: raster.read(list(wanted), window=window))
        # copies: a view would keep all bands in memory for one of them
        made = {index: planes[n].copy() if len(wanted) > 1 else planes[0] for n, index in enumerate(wanted)}
        with self._lock:
            for index, block in made.items():
                block.flags.writeable = False
                if block.nbytes <= self.max_bytes and (file, index, at) not in self._kept:
                    self._kept[file, index, at] = block
                    self.bytes += block.nbytes
            while self.bytes > self.max_bytes:
                self.bytes -= self._kept.popitem(last=False)[1].nbytes
        return made


@dataclass(frozen=True)
class CachedSource(Source):
    """A band whose pixels come through the block cache, at one of the file's overviews."""

    cache: BlockCache = field(kw_only=True, compare=False)
    file: RasterFile = field(kw_only=True)
    together: tuple[int, ...] = field(default=(), kw_only=True)

    def window(self, row: int, col: int, height: int, width: int) -> Array:
        """Return pixels that lie inside the file; the caller may write into them."""
        first = int(self.grid.shape[0]) - row - height if self.turned else row
        block = self.cache.window(self.file, self.index, self.together, (first, col, height, width))
        return np.ascontiguousarray(block[::-1]) if self.turned else block


_shared: list[BlockCache] = []
_making = threading.Lock()


def shared_cache() -> BlockCache:
    """Return the cache of this process; `open_renderer` says how large it may be."""
    with _making:
        if not _shared:
            _shared.append(BlockCache(BLOCK_CACHE_MB * 2**20))
        return _shared[0]
