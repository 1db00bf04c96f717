"""Counting all pixels, or one of every cell; and how far a share of a sample may be off."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from geotoolz.core import Extent, ParameterError, TileSpec
from geotoolz.radiometry._percentiles import Draw

Array = np.ndarray[Any, Any]


def share_error(cells: int, n: int, cell: int, confidence: float = 0.99) -> float:
    """Return by how much a share of a sample may differ from that of all pixels.

    One pixel is drawn from every cell, the draws being independent. For a share ``p`` of the pixels
    that count, ``n · (found − p)`` is a sum of one independent term per cell with mean 0 and a range
    of 1, so that it exceeds ``sqrt(cells · ln(2/δ) / 2)`` with probability ``δ = 1 − confidence`` at
    most (Hoeffding 1963, J. Am. Stat. Assoc. 58, 13–30). 0 where every pixel was counted.

    Examples
    --------
    >>> round(share_error(cells=1_000_000, n=1_000_000, cell=4), 5), share_error(100, 100, 1)
    (0.00163, 0.0)
    """
    if not 0 < confidence < 1:
        raise ParameterError(f"confidence={confidence}", expected="between 0 and 1")
    if cell == 1:
        return 0.0
    return min(1.0, math.sqrt(cells * math.log(2 / (1 - confidence)) / 2) / n) if n else 1.0


class Looked:
    """The pixels of a tile that are looked at; the same ones however the tile is cut."""

    def __init__(self, tile: TileSpec, cell: int) -> None:
        self.cell = cell
        self.draw: Draw | None = Draw(tile, cell, 0) if cell > 1 else None

    def at(self, array: Array, extent: Extent | None) -> tuple[Array, int]:
        """Return the pixels of a block that count, and the cells that begin in it."""
        if self.draw is None:
            return array, array.size
        return self.draw.of(array, extent)
