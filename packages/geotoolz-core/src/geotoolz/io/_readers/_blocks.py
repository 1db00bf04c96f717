"""Layers that are stored together, read together: bands of a raster, dates of a stack, bands of a swath."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from geotoolz.io._pixels import Source, read_together
from geotoolz.io._resample import Array

_TOGETHER = 256 * 2**20  # bytes of layers that are read at once


class Blocks(ABC):
    """Layers of one grid and data type, read together because they are stored together.

    Parameters
    ----------
    count : int
        Number of layers.
    dtype : numpy.dtype
        Of the pixels.
    """

    def __init__(self, count: int, dtype: np.dtype[Any]) -> None:
        self.count = count
        self.dtype = np.dtype(dtype)
        self._kept: tuple[tuple[int, ...], Array] | None = None

    @abstractmethod
    def read(self, layers: slice, row: int, col: int, height: int, width: int) -> Array:
        """Read a window that lies inside the grid, as (layers, height, width)."""

    def layer(self, index: int, row: int, col: int, height: int, width: int) -> Array:
        """Return a window of one layer; its neighbours are read with it and kept for the next call."""
        together = max(1, _TOGETHER // max(1, height * width * self.dtype.itemsize))
        first = index // together * together
        key = (first, row, col, height, width)
        kept = self._kept  # another thread may put its own there meanwhile
        if kept is None or kept[0] != key:
            layers = slice(first, min(first + together, self.count))
            kept = (key, self.read(layers, row, col, height, width))
            self._kept = kept
        pixels: Array = kept[1][index - first].copy()
        return pixels

    def release(self) -> None:
        """Let the pixels go that were read last."""
        self._kept = None


class RasterBlocks(Blocks):
    """Bands of one raster.

    Parameters
    ----------
    path : str
        The raster.
    indexes : tuple of int
        Bands, from 1.
    dtype : numpy.dtype
        Of the pixels.
    """

    def __init__(self, path: str, indexes: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        super().__init__(len(indexes), dtype)
        self.path = path
        self.indexes = indexes

    def read(self, layers: slice, row: int, col: int, height: int, width: int) -> Array:
        """Read a window of some bands."""
        chosen = self.indexes[layers]
        out = np.empty((len(chosen), height, width), self.dtype)
        read_together(self.path, chosen, (row, col, height, width), out)
        return out


@dataclass(frozen=True)
class BlockSource(Source):
    """One layer of `Blocks` as a source of pixels."""

    blocks: Blocks

    def window(self, row: int, col: int, height: int, width: int) -> Array:
        """Read pixels that lie inside the layer."""
        return self.blocks.layer(self.index - 1, row, col, height, width)
