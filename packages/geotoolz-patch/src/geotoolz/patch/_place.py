"""Where a chip goes in a ring of rows, and how its pixels lie in memory."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, Any]


class Along(NamedTuple):
    """What a chip contributes along an axis, where it goes; see `geotoolz.patch._line.Share`.

    `ratio` comes in float64 and in float32, the types of means.
    """

    weights: Array
    before: Array
    ratio: Array
    ratio32: Array
    edge: Array
    chips: Array
    deep: Array


class Across(NamedTuple):
    """What all chips contribute along x; see `geotoolz.patch._line.Profile`."""

    total: Array
    chips: Array
    deep: Array


class Place(NamedTuple):
    """Where a chip goes.

    Attributes
    ----------
    top, left : int
        First row and column of the chip that go there.
    row, col : int
        Where these go, in rows and columns of the ring.
    y, x : Along
        What they contribute.
    every : Across
        What all chips contribute in these columns.
    shared : int
        Columns, from the first, that earlier chips of the same row of the grid have reached.
    done : int
        Columns, from the first, that no later chip of that row reaches.
    """

    top: int
    left: int
    row: int
    col: int
    y: Along
    x: Along
    every: Across
    shared: int
    done: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns that go there."""
        return (self.y.weights.size, self.x.weights.size)

    def ratios(self, dtype: np.dtype[Any]) -> tuple[Array, Array]:
        """Return the ratios along y and x in the type of the means."""
        if dtype == np.float32:
            return self.y.ratio32, self.x.ratio32
        return self.y.ratio, self.x.ratio

    def of(self, chip: Array) -> Array:
        """Return the part of a whole chip that goes here, contiguous."""
        height, width = self.shape
        part = chip[:, self.top : self.top + height, self.left : self.left + width]
        return np.ascontiguousarray(part)


class Memory(NamedTuple):
    """A chip as one row of values in memory, of which it is a part.

    Attributes
    ----------
    values : array
        The row; not to be written to.
    start : int
        The chip's first value.
    plane, step : int
        How many values lie from one plane to the next, and from one row to the next.
    """

    values: Array
    start: int
    plane: int
    step: int

    @classmethod
    def of(cls, chip: Array) -> Memory:
        """Return a chip's memory: that of the scene of which it is a window; a copy where it is no such part.

        Examples
        --------
        >>> scene = np.arange(20).reshape(1, 4, 5)
        >>> Memory.of(scene[:, 1:3, 2:4])[1:]
        (7, 20, 5)
        """
        owner, size, (plane, step, along) = chip.base, chip.itemsize, chip.strides
        within = isinstance(owner, np.ndarray) and owner.dtype == chip.dtype and owner.flags.c_contiguous
        if owner is None or not within or along != size or step % size or plane % size or not chip.size:
            owner = np.ascontiguousarray(chip)
            chip, (plane, step, _) = owner, owner.strides
        values = owner.reshape(-1)
        values.flags.writeable = False  # a view of its own; kernels are compiled for such
        start = chip.__array_interface__["data"][0] - owner.__array_interface__["data"][0]
        return cls(values, start // size, plane // size, step // size)

    def first(self, place: Place) -> int:
        """Return which value is the first that goes to a place."""
        return self.start + place.top * self.step + place.left
