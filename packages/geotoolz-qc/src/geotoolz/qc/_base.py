"""What assertions share."""

from __future__ import annotations

import warnings
from typing import Literal

from geotoolz.core import Assertion, QCError, QCWarning, TileSpec

OnFail = Literal["raise", "warn"]


def fail(assertion: Assertion, found: str, expected: str, on_fail: OnFail, tile: TileSpec) -> None:
    """Raise `QCError` or warn `QCWarning`."""
    who = type(assertion).__name__
    tile_id = tile.attrs.get("tile_id")
    error = QCError(
        f"{who}: {found}" + (f" (tile {tile_id})" if tile_id else ""),
        expected=expected,
        fix="look at the tile; loosen the assertion, or on_fail='warn', if it is good enough",
    )
    if on_fail == "raise":
        raise error
    warnings.warn(str(error), QCWarning, stacklevel=2)
