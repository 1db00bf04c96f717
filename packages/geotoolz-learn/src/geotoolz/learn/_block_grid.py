"""Squares that cover a reference system, and a number for each."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from geotoolz.core import ParameterError

Array = np.ndarray[Any, Any]

_BITS = 26
_HALF = 1 << (_BITS - 1)
_MOST = _HALF - (1 << 20)
"""Block indices stay below this: what is decoded to more never was the id of a block."""


def check_block_size(size: Any) -> None:
    """Raise `ParameterError` for a block that has no size."""
    if isinstance(size, bool) or not isinstance(size, int | float | np.number) or not 0 < size < math.inf:
        raise ParameterError(f"block_size_m={size}", expected="the side of a square block, in metres")


def block_indices(positions: Array, size: float) -> Array:
    """Return the block index along one axis: 0 for ``[0, size)``, −1 for ``[−size, 0)``."""
    with np.errstate(invalid="ignore"):  # where a projection is not defined positions are infinite
        found: Array = np.floor_divide(positions, size)
    return found


def encode(rows: Array, cols: Array) -> Array:
    """Return one id per block; −1 where an index is not finite.

    Ids are exact in float64 too, and the same for every scene of a reference system.

    Raises
    ------
    ParameterError
        If there are too many blocks to number.
    """
    fine = np.isfinite(rows) & np.isfinite(cols)
    rows, cols = np.where(fine, rows, 0), np.where(fine, cols, 0)
    furthest = max((float(np.abs(one).max()) for one in (rows, cols) if one.size), default=0.0)
    if furthest >= _MOST:
        raise ParameterError(
            f"a block lies {furthest:.0f} blocks from the origin of its reference system",
            expected=f"fewer than {_MOST}",
            fix="make the blocks larger",
        )
    ids = ((rows.astype(np.int64) + _HALF) << _BITS) | (cols.astype(np.int64) + _HALF)
    found: Array = np.where(fine, ids, np.int64(-1))
    return found


def decode(ids: Array) -> Array | None:
    """Return row and column of every block, or None where an id is not one of `encode`."""
    rows, cols = (ids >> _BITS) - _HALF, (ids & ((1 << _BITS) - 1)) - _HALF
    if ids.size and (ids.min() < 0 or max(np.abs(rows).max(), np.abs(cols).max()) >= _MOST):
        return None
    return np.column_stack([rows, cols])


def block_ids(x: Any, y: Any, block_size_m: float) -> Array:
    """Return the id of the square block that each point lies in, as `BlockID` writes it.

    Parameters
    ----------
    x, y : array_like
        Easting and northing in metres, of one reference system.
    block_size_m : float
        Side of a block in metres. Blocks begin at the origin of the reference system.

    Returns
    -------
    numpy.ndarray
        int64; −1 where a coordinate is not finite.

    Raises
    ------
    ParameterError
        If the size is not positive, or `x` and `y` differ in length.

    Examples
    --------
    >>> from geotoolz.learn import block_ids
    >>> ids = block_ids([5.0, 95.0, 105.0], [0.0, 0.0, 0.0], 100.0)
    >>> bool(ids[0] == ids[1]), bool(ids[0] == ids[2])
    (True, False)
    """
    check_block_size(block_size_m)
    east, north = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if east.shape != north.shape:
        raise ParameterError(f"x has shape {east.shape} and y {north.shape}", expected="one y for every x")
    return encode(block_indices(north, block_size_m), block_indices(east, block_size_m))
