"""A scene as the input of a stream: raw pixels window by window, values block by block."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from geotoolz.core._errors import ReadError
from geotoolz.core._execute import Array, Fetch
from geotoolz.core._extent import Extent
from geotoolz.core._memory import buffer
from geotoolz.io._gdal import close_handles, opened, reading, stamp_of
from geotoolz.io._lattice import Target
from geotoolz.io._pixels import read_together
from geotoolz.io._reader import SceneReader
from geotoolz.io._variables import Band, band_values, values_of

Group = tuple[str, np.dtype[Any]]


class SceneInput:
    """Reads windows of a scene for a program.

    Bands of one file that are copied are read together, into memory that a thread keeps; what their
    pixels stand for is worked out when a block is fetched, in the cache.

    Parameters
    ----------
    sources : mapping of int to (SceneReader, str)
        Input slot → scene and variable.
    """

    def __init__(self, sources: Mapping[int, tuple[SceneReader, str]]) -> None:
        self._targets = {slot: reader._target for slot, (reader, _) in sources.items()}
        self._bands = {slot: reader._bands[name] for slot, (reader, name) in sources.items()}
        self._local = threading.local()
        self._lock = threading.Lock()
        self._signs = {band.source.path: band.source.sign for band in self._bands.values()}
        self.files = tuple(self._signs)
        self._stamps: dict[str, Any] = {}
        for reader, _ in sources.values():
            self._stamps.update((p, stamp) for p, stamp in reader.stamps.items() if p in self.files)
        self.bytes_read = 0

    def load(self, extents: Mapping[int, Extent]) -> Fetch:
        """Read the pixels of some slots."""
        raw: dict[int, tuple[Extent, Array]] = {}
        values: dict[int, tuple[Extent, Array]] = {}
        size = 0
        with reading(GDAL_NUM_THREADS="1"):  # every thread of the stream decodes for itself
            groups = self.groups(extents)
            for slot in extents.keys() - {slot for _, slots in groups.values() for slot in slots}:
                array = band_values(self._bands[slot], self._part(slot, extents[slot]))
                values[slot] = (extents[slot], array)
                size += array.nbytes
            for (path, dtype), (extent, slots) in groups.items():
                place = self._bands[slots[0]].source.place(self._part(slots[0], extent))
                whole = self._room((path, dtype), (len(slots), *extent.shape), dtype)
                if place is not None:  # it is inside: all its parts are
                    read_together(
                        path,
                        [self._bands[s].source.index for s in slots],
                        place,
                        whole,
                        self._bands[slots[0]].source.sign,
                    )
                raw.update({slot: (extent, plane) for slot, plane in zip(slots, whole, strict=True)})
                size += whole.nbytes
        with self._lock:
            self.bytes_read += size

        def fetch(slot: int, extent: Extent) -> Array:
            if slot in values:
                held, array = values[slot]
                return _read_only(held.cut(array, extent))
            held, plane = raw[slot]
            return _read_only(values_of(self._bands[slot], held.cut(plane, extent), None))

        return fetch

    def groups(self, extents: Mapping[int, Extent]) -> dict[Group, tuple[Extent, list[int]]]:
        """Sort slots that are copied by their file, with the window that holds all of them."""
        groups: dict[Group, tuple[Extent, list[int]]] = {}
        for slot, extent in extents.items():
            source = self._bands[slot].source
            if source.place(self._part(slot, extent)) is None:
                continue
            held, slots = groups.get((source.path, source.dtype), (extent, []))
            groups[source.path, source.dtype] = (held.union(extent), [*slots, slot])
        return groups

    def _part(self, slot: int, extent: Extent) -> Target:
        return self._targets[slot].cut(slice(extent.y0, extent.y1), slice(extent.x0, extent.x1))

    def _room(self, key: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """Return this thread's array for a file, larger where it has to be."""
        rooms = self._local.__dict__.setdefault("rooms", {})
        wanted = math.prod(shape)
        if key not in rooms or rooms[key].size < wanted:
            rooms[key] = buffer((wanted,), dtype)
        room: Array = rooms[key]
        return room[:wanted].reshape(shape)

    def release(self) -> None:
        """Let the calling thread's files and memory go."""
        self._local.__dict__.clear()
        close_handles()

    def check_unchanged(self) -> None:
        """Raise if a file is another one than it was when the scene was opened.

        Raises
        ------
        ReadError
            Naming the file.
        """
        for path, stamp in self._stamps.items():
            now = stamp_of(path)
            if now != stamp:
                what = "is gone" if now is None else "has changed (size or time of modification)"
                raise ReadError(
                    f"{path} {what} while it was read",
                    expected="files that stay as they are until the stream has ended",
                    fix="run again when nothing writes to the source; nothing was published",
                )

    # --- for planning ------------------------------------------------------------------------------
    def band(self, slot: int) -> Band:
        """Return the band of a slot."""
        return self._bands[slot]

    def finer(self, slot: int) -> float:
        """Return how many pixels of the file lie in one of the tile; 1 where nobody can say."""
        own, target = self._bands[slot].source.grid, self._targets[slot]
        if own.crs != target.crs or 0 in (own.affine.a, own.affine.e):
            return 1.0
        return abs(target.anchor.a / own.affine.a * target.anchor.e / own.affine.e)

    def block_shapes(self, slots: Iterable[int]) -> dict[int, tuple[int, int]]:
        """Return rows and columns of the blocks in which the files of some slots are stored."""
        found = {}
        for slot in slots:
            source = self._bands[slot].source
            with opened(source.path, source.sign) as raster:
                rows, cols = raster.block_shapes[source.index - 1]
            found[slot] = (int(rows), int(cols))
        return found

    def block_bytes(self) -> int:
        """Return the bytes of the largest decoded block; it holds all bands where pixels are interleaved."""
        most = 0
        for path in self.files:
            with opened(path, self._signs[path]) as raster:
                rows, cols = raster.block_shapes[0]
                sizes = [np.dtype(name).itemsize for name in raster.dtypes]
                together = str(raster.interleaving or "").lower().endswith("pixel")
                most = max(most, rows * cols * (sum(sizes) if together else max(sizes)))
        return most

    def decoded_bytes(self) -> int:
        """Return the bytes of all pixels that decoding the files can leave in GDAL's cache."""
        total = 0
        for path in self.files:
            with opened(path, self._signs[path]) as raster:
                pixel = sum(np.dtype(name).itemsize for name in raster.dtypes)
                total += raster.width * raster.height * pixel
        return total


def _read_only(array: Array) -> Array:
    """Return a view that a kernel cannot write into: what it reads is read again by the next."""
    view = array.view()
    view.flags.writeable = False
    return view
