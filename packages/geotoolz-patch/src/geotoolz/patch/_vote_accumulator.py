"""Ballot boxes."""

from __future__ import annotations

from typing import Any

import numpy as np

from geotoolz.core import TileError, VarSpec
from geotoolz.patch import _kernels
from geotoolz.patch._accumulators import Accumulator, Array, Place, Ring, known


def wrong_labels(labels: Array, classes: int) -> TileError:
    """Return the error for labels that are no class."""
    return TileError(
        f"a chip holds the labels {', '.join(map(str, np.unique(labels)[:5]))}",
        expected=f"labels from 0 to {classes - 1}, or no-data",
        fix="give HardVote the number of classes, or the chip's output a no-data value",
    )


class VoteAccumulator(Accumulator):
    """Most frequent class; a tie goes to the class that was seen farther from the edge of a chip."""

    def __init__(self, spec: VarSpec, ring: Ring, classes: int, nodata: Any, chip: tuple[int, int]) -> None:
        super().__init__(spec, ring)
        self._first = np.full(ring.shape, -1, np.int32)
        self._votes, self._depth = np.zeros(ring.shape, np.uint16), np.zeros(ring.shape, np.uint32)
        # the system gives memory where chips disagree, and only there
        self._keys = np.zeros((*ring.shape, classes), np.uint32)
        self._nodata = nodata
        self._shift = max(0, (chip[0] * chip[1]).bit_length() - 20)

    def add(self, chips: tuple[Array, ...], place: Place) -> None:
        """Count a chip's votes."""
        chip = chips[0].view(np.uint8) if chips[0].dtype == bool else known(chips[0])
        where = (place.top, place.left, place.row, place.col, place.ey, place.ex)
        boxes = (self._first, self._votes, self._depth, self._keys)
        if _kernels.vote_add(*boxes, chip, self._nodata, *where, self._shift):
            return
        classes = self._keys.shape[-1]
        valid = np.isin(chips[0], np.arange(classes)) | (chips[0] == self._nodata)
        raise wrong_labels(chips[0][~valid & (chips[0] == chips[0])], classes)

    def take(self, row: int, count: int) -> tuple[Array, ...]:
        """Return the classes."""
        boolean = self.spec.dtype == bool
        out = np.empty((self.ring.planes, count, self.ring.cols), np.uint8 if boolean else self.spec.dtype)
        fill = 0 if self.spec.nodata is None else self.spec.nodata
        _kernels.vote_rows(out, self._first, self._keys, row, out.dtype.type(fill))
        return (out.view(bool) if boolean else out,)
