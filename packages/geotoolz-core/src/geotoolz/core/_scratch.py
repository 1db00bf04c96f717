"""Buffers that are used again: fresh ones cost a page fault per page, over and over."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def _references(array: Array) -> int:
    return sys.getrefcount(array)


# What Python counts for an array that nobody but the called function holds; it differs between versions.
_ALONE = _references({0: np.empty(0)}.pop(0))


class Scratch:
    """Arrays of one worker that are free to be written to."""

    def __init__(self) -> None:
        self._free: dict[tuple[tuple[int, ...], str], list[Array]] = {}

    def take(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """Return an array with any content."""
        free = self._free.get((shape, dtype.char))
        return free.pop() if free else np.empty(shape, dtype)

    def give(self, array: Array) -> None:
        """Take an array back, unless somebody else still holds it or a view of it."""
        if sys.getrefcount(array) > _ALONE or array.base is not None or not array.flags.writeable:
            return
        self._free.setdefault((array.shape, array.dtype.char), []).append(array)
