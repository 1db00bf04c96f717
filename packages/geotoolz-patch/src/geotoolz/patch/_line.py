"""Chips along one axis: where they begin, what they may contribute, how much it counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from geotoolz.core import ParameterError

Boundary = Literal["reflect", "fill", "shift", "raise", "drop"]
Weights = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Line:
    """Chips along one axis of a scene, all of one size.

    Parameters
    ----------
    length : int
        Pixels of the scene.
    size : int
        Pixels of a chip.
    starts : tuple of int
        First pixel of every chip, in order; a chip may reach beyond the scene's end.
    """

    length: int
    size: int
    starts: tuple[int, ...]

    @property
    def overlap(self) -> int:
        """How many chips lie over one pixel, at most."""
        ends = [start + self.size for start in self.starts]
        return max((sum(s <= start < e for s, e in zip(self.starts, ends, strict=True))
                    for start in self.starts), default=0)  # fmt: skip

    @property
    def left_out(self) -> int:
        """Pixels that lie in no chip."""
        covered = np.zeros(self.length, bool)
        for start in self.starts:
            covered[start : start + self.size] = True
        return int(self.length - covered.sum())


def regular_line(length: int, size: int, stride: int, boundary: Boundary, axis: str = "y") -> Line:
    """Return chips every `stride` pixels, with the scene's end treated as told.

    Raises
    ------
    ParameterError
        If the chip is larger than the scene and may not reach beyond it, or the end is not met and
        `boundary` is ``"raise"``.

    Examples
    --------
    >>> regular_line(1000, 256, 256, "shift").starts
    (0, 256, 512, 744)
    >>> regular_line(1000, 256, 256, "reflect").starts[-1], regular_line(1000, 256, 256, "drop").left_out
    (768, 232)
    """
    if length == 0:
        return Line(length, size, ())
    if size > length and boundary not in ("reflect", "fill"):
        raise ParameterError(
            f"chips of {size} pixels on a scene of {length} along {axis}",
            expected="chips that are no larger than the scene",
            fix='smaller chips, or boundary="reflect"',
        )
    last = length - size
    full = tuple(range(0, last + 1, stride)) if last >= 0 else ()
    if (full and full[-1] == last) or boundary == "drop":
        return Line(length, size, full)
    if boundary == "shift":
        return Line(length, size, (*full, last))
    if boundary == "raise":
        raise ParameterError(
            f"chips of {size} pixels every {stride} do not end with the {length} pixels along {axis}",
            expected="a last chip that ends with the scene",
            fix='another size or stride, or boundary="reflect"',
        )
    following = full[-1] + stride if full else 0
    more = following < length and (not full or full[-1] + size < length)
    return Line(length, size, (*full, following) if more else full)


Counts = np.ndarray[Any, np.dtype[np.integer[Any]]]


@dataclass(frozen=True)
class Share:
    """What one chip contributes along an axis, on the lattice of the output.

    Parameters
    ----------
    first : int
        First pixel that it contributes.
    skip : int
        Pixels of the chip before that one.
    weights : array
        Weight of every contributed pixel.
    before : array
        Sum of the weights of all earlier chips there.
    edge : array
        How far the pixel lies from the chip's nearer edge, in half pixels; even towards the beginning and
        odd towards the end, so that no two overlapping chips have the same.
    count, deep : array
        How many earlier chips there are, and the largest `edge` of theirs.
    """

    first: int
    skip: int
    weights: Weights
    before: Weights
    edge: Counts
    count: Counts
    deep: Counts

    @property
    def end(self) -> int:
        """First pixel after those that it contributes."""
        return self.first + len(self.weights)

    @property
    def ratio(self) -> Weights:
        """Share of this chip in the weight of all chips so far; 1 where it is the first."""
        return self.weights / (self.weights + self.before)


@dataclass(frozen=True)
class Profile:
    """What all chips contribute along an axis.

    Parameters
    ----------
    shares : tuple of Share
        One per chip.
    total : array
        Sum of all weights at every output pixel.
    count, deep : array
        How many chips contribute there, and their largest `edge`.
    """

    shares: tuple[Share, ...]
    total: Weights
    count: Counts
    deep: Counts

    @property
    def length(self) -> int:
        """Pixels of the output."""
        return len(self.total)

    @cached_property
    def rows(self) -> int:
        """Pixels that are unfinished at a time, at most."""
        return max((share.end - share.first for share in self.shares), default=0)

    @property
    def overlap(self) -> int:
        """How many chips contribute to one pixel, at most."""
        return int(self.count.max(initial=0))

    @cached_property
    def chip(self) -> int:
        """Pixels of a chip up to the last that it contributes, at most."""
        return max((share.skip + len(share.weights) for share in self.shares), default=1)

    def finished(self, index: int) -> int:
        """Return the first pixel that is still unfinished after chip `index` and all before it."""
        return self.shares[index + 1].first if index + 1 < len(self.shares) else self.length

    def until(self, low: int, high: int) -> list[int]:
        """Return for every chip how far the pixels from `low` to `high` are finished after it.

        Chips that contribute nothing there do not count.
        """
        found, following = [high] * len(self.shares), high
        for index in range(len(self.shares) - 1, -1, -1):
            found[index] = following
            share = self.shares[index]
            if share.first < high and share.end > low and len(share.weights):
                following = max(share.first, low)
        return found


def profile(
    line: Line, weights: Callable[[int], Weights], halo: int = 0, zoom: tuple[int, int] = (1, 1)
) -> Profile:
    """Return what chips contribute: their pixels inside the scene, without a halo towards other chips.

    Parameters
    ----------
    line : Line
        The chips.
    weights : callable
        Weights of a number of pixels.
    halo : int
        Pixels at a chip's edge that do not count, except where the scene itself ends.
    zoom : tuple of int
        Output pixels per input pixel, as a fraction.

    Raises
    ------
    ParameterError
        If some pixel lies in no chip, or the zoomed size or position is no whole number.
    """
    length, size = _zoomed(line.length, zoom, "scene"), _zoomed(line.size, zoom, "chip")
    margin = _zoomed(halo, zoom, "halo")
    window = weights(size)
    k = np.arange(size)
    edge = np.minimum(2 * (k + 1), 2 * (size - k) - 1)
    total, count, deep = np.zeros(length), np.zeros(length, np.int32), np.zeros(length, np.int32)
    shares, pool = [], _Pool()
    for start in (_zoomed(s, zoom, "first pixel") for s in line.starts):
        low = margin if start > 0 else 0
        high = max(min(size - margin if start + size < length else size, length - start), low)
        first = min(start + low, length)
        here, own = slice(first, first + high - low), slice(low, high)
        before = (pool.one(total[here]), pool.one(count[here]), pool.one(deep[here]))
        shares.append(Share(first, low, window[own], before[0], edge[own], *before[1:]))
        total[here] += window[own]
        count[here] += 1
        deep[here] = np.maximum(deep[here], edge[own])
    if length and not count.all():
        raise ParameterError(
            f"chips of {line.size} pixels with a halo of {halo} leave {int((count == 0).sum())} rows or "
            f"columns of {length} uncovered",
            expected="chips that cover the scene",
            fix="a smaller stride: at most the size less two halos",
        )
    return Profile(tuple(shares), total, count, deep)


class _Pool:
    """Equal arrays once: most chips of a grid have the same neighbours."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, bytes], Any] = {}

    def one(self, array: Any) -> Any:
        """Return a copy of an array, or the one that was made before."""
        key = (array.dtype.str, array.tobytes())
        if key not in self._held:
            self._held[key] = array.copy()
        return self._held[key]


def _zoomed(pixels: int, zoom: tuple[int, int], what: str) -> int:
    up, down = zoom
    if pixels * up % down:
        raise ParameterError(
            f"the {what} of {pixels} pixels is no whole number of pixels at zoom {up}/{down}",
            expected=f"a multiple of {down}",
        )
    return pixels * up // down
