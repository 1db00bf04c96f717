"""Buffers that are used again: fresh ones cost a page fault per page, over and over."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def _references(array: Array) -> int:
    return sys.getrefcount(array)


_LARGE = 1 << 25
"""Bytes of a window that is not copied."""

# What Python counts for an array that nobody but the called function holds; it differs between versions.
_ALONE = _references({0: np.empty(0)}.pop(0))


class Scratch:
    """Arrays of one worker that are free to be written to; never more than it was asked for at one time."""

    def __init__(self) -> None:
        self._free: dict[tuple[tuple[int, ...], str], list[Array]] = {}
        self._lent: dict[tuple[tuple[int, ...], str], int] = {}

    def take(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """Return an array with any content."""
        key = (shape, dtype.char)
        self._lent[key] = self._lent.get(key, 0) + 1
        free = self._free.get(key)
        return free.pop() if free else np.empty(shape, dtype)

    def contiguous(self, array: Array) -> Array:
        """Return an array's pixels in one piece, read-only; copied once, not by every kernel.

        What is larger than any cache stays where it is: a copy would double the memory of a cube for nothing.
        """
        if array.flags.c_contiguous or array.nbytes > _LARGE:
            return array
        copied = self.take(array.shape, array.dtype)
        copied[...] = array
        copied.flags.writeable = False
        return copied

    def give(self, array: Array) -> None:
        """Take an array back, unless somebody else still holds it or a view of it.

        An array that was not taken here (a window as it was read) is kept in the place of one that was, and
        let go otherwise: whoever reads a scene in strips gives a new one with every strip.
        """
        if sys.getrefcount(array) > _ALONE or not array.flags.owndata:
            return
        key = (array.shape, array.dtype.char)
        lent = self._lent.get(key, 0)
        if lent:
            self._lent[key] = lent - 1
            array.flags.writeable = True  # its pixels are its own
            self._free.setdefault(key, []).append(array)
