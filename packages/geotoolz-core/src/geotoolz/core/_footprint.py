"""How far around a pixel an operator looks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

ALL: Literal["all"] = "all"
"""A reach that covers the whole of a dimension."""

Reach = int | Literal["all"]


@dataclass(frozen=True, slots=True)
class Footprint:
    """The neighbourhood that one output pixel depends on, per dimension.

    Parameters
    ----------
    y, x : int or "all"
        Radius in pixels along the rows and columns: output row ``i`` depends on input rows
        ``i - y … i + y``. ``"all"`` means the whole tile.
    time : int or "all"
        Radius along ``time``. Drivers cut tiles along ``y`` and ``x`` only, so kernels always
        see every date; lazy arrays are rechunked where this is not 0.
    align : int
        Windows start at multiples of `align` pixels of the tile's own grid (pooling networks,
        block-wise operators).

    Examples
    --------
    >>> Footprint(y=3, x=3).is_pointwise
    False
    >>> POINT.is_pointwise
    True
    """

    y: Reach = 0
    x: Reach = 0
    time: Reach = 0
    align: int = 1

    @property
    def is_pointwise(self) -> bool:
        """Whether an output pixel depends on the input pixel at the same place only."""
        return self.y == 0 and self.x == 0 and self.align == 1

    @property
    def is_finite(self) -> bool:
        """Whether the footprint is bounded along both spatial dimensions."""
        return self.y != ALL and self.x != ALL

    def then(self, after: Footprint) -> Footprint:
        """Return the footprint of this operator followed by `after`."""
        return Footprint(
            _add(self.y, after.y),
            _add(self.x, after.x),
            _add(self.time, after.time),
            math.lcm(self.align, after.align),
        )

    def scaled(self, y: float, x: float) -> Footprint:
        """Return the footprint in pixels of a grid that has `y` × `x` pixels per pixel of this one."""
        if (y, x) == (1.0, 1.0):
            return self
        return Footprint(_scaled(self.y, y), _scaled(self.x, x), self.time, 1)

    def union(self, other: Footprint) -> Footprint:
        """Return the smallest footprint that covers both."""
        return Footprint(
            _max(self.y, other.y),
            _max(self.x, other.x),
            _max(self.time, other.time),
            math.lcm(self.align, other.align),
        )


def _add(a: Reach, b: Reach) -> Reach:
    return ALL if ALL in (a, b) else int(a) + int(b)


def _scaled(reach: Reach, factor: float) -> Reach:
    return ALL if reach == ALL else math.ceil(int(reach) * factor - 1e-9)


def _max(a: Reach, b: Reach) -> Reach:
    return ALL if ALL in (a, b) else max(int(a), int(b))


POINT = Footprint()
"""The footprint of a pointwise operator."""
WHOLE = Footprint(y=ALL, x=ALL, time=ALL)
"""The footprint of an operator that needs the whole tile."""
