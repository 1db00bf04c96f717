"""Ballot boxes."""

from __future__ import annotations

from typing import Any

import numpy as np

from geotoolz.core import TileError, VarSpec
from geotoolz.patch import _vote_kernels
from geotoolz.patch._accumulators import Accumulator, Ring, known, of_chip
from geotoolz.patch._place import Array, Memory, Place


def require_labels(labels: Array, nodata: Any, classes: int) -> None:
    """Raise for labels that are no class; no-data and NaN are missing.

    Raises
    ------
    TileError
        With the first of them.
    """
    if labels.dtype.kind in "iub" and labels.size and labels.min() >= 0 and labels.max() < classes:
        return
    missing = (labels == nodata) | (labels != labels)
    valid = missing | ((labels >= 0) & (labels < classes) & (labels == np.rint(labels)))
    if valid.all():
        return
    raise TileError(
        f"a chip holds the labels {', '.join(map(str, np.unique(labels[~valid])[:5]))}",
        expected=f"labels from 0 to {classes - 1}, or no-data",
        fix="give HardVote the number of classes, or the chip's output a no-data value",
    )


def label_dtype(classes: int) -> np.dtype[Any]:
    """Return the type that holds labels and two signs."""
    return np.dtype(np.int16 if classes <= 1 << 15 else np.int32)


def vote_bytes(classes: int, ring: Ring) -> int:
    """Return the bytes of labels and of keys, which take memory where chips disagree."""
    return ring.pixels * (classes * 4 + label_dtype(classes).itemsize)


class VoteAccumulator(Accumulator):
    """Most frequent class; a tie goes to the class that was seen farther from the edge of a chip."""

    def __init__(self, spec: VarSpec, ring: Ring, classes: int, nodata: Any) -> None:
        super().__init__(spec, ring)
        self._first = np.full(ring.shape, -1, label_dtype(classes))
        # the system gives memory where chips disagree, and only there
        self._keys = np.zeros((*ring.shape, classes), np.uint32)
        self._nodata = nodata
        self._shift = max(0, (ring.chip[0] * ring.chip[1]).bit_length() - 20)

    def add(self, chips: tuple[Array, ...], place: Place) -> None:
        """Count a chip's votes."""
        chip = chips[0].view(np.uint8) if chips[0].dtype == bool else known(chips[0])
        memory, classes = Memory.of(chip), self._keys.shape[-1]
        nodata, check = of_chip(self._nodata, chip.dtype)
        low, top = chip.dtype.type(0), chip.dtype.type(_top(classes, chip.dtype))
        at = (memory.values, memory.plane, memory.step, memory.first(place), nodata, check, low, top)
        along = (*place.y[4:], *place.x[4:], *place.every[1:], place.shared, self._shift)
        if not _vote_kernels.vote_add(self._first, self._keys, *at, place.row, place.col, *along):
            require_labels(chips[0], self._nodata, classes)

    def take(self, row: int, count: int) -> tuple[Array, ...]:
        """Return the classes."""
        dtype = self.spec.dtype
        other: dict[str, np.dtype[Any]] = {"bool": np.dtype(np.uint8), "float16": np.dtype(np.float32)}
        kind = other.get(dtype.name, dtype)
        out = np.empty((self.ring.planes, count, self.ring.cols), kind)
        fill = 0 if self.spec.nodata is None else self.spec.nodata
        _vote_kernels.vote_rows(out, self._first, self._keys, row, kind.type(fill))
        return (out.view(bool) if dtype.kind == "b" else out.astype(dtype, copy=False),)


def _top(classes: int, dtype: np.dtype[Any]) -> int:
    """Return the largest label that there is, or that the type can hold."""
    return classes - 1 if dtype.kind == "f" else min(classes - 1, int(np.iinfo(dtype).max))
