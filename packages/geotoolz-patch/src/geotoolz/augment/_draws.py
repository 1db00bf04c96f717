"""Random numbers without a generator: each is a function of (seed, draw, step) and of what it is for.

Nothing is consumed, so nothing depends on who ran before: not on the worker, the order of the chips, or the
steps beside this one. A key goes through BLAKE2b where a step draws a few numbers, and through the
finaliser of SplitMix64 (`_loops`) where every pixel draws one.
"""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.core import ParameterError, TileSpec
from geotoolz.core._lazy import xr

if TYPE_CHECKING:
    from collections.abc import Mapping

DRAW_ATTR = "geotoolz:draw"
"""The tile attribute by which a driver says which draw this is."""

_FIRST_DRAW = "0/0"


def with_draw(tile: xr.Dataset, *, epoch: int = 0, chip: int | str = 0) -> xr.Dataset:
    """Return a tile that says which draw it is for; augmentations draw by it.

    The same seed, epoch, chip and step give the same bits in every process, whatever ran before. A tile
    that says nothing is the first draw: epoch 0, chip 0.

    Parameters
    ----------
    tile : xarray.Dataset
        The tile; it is not changed, and the pixels are not copied.
    epoch : int
        Which time the chips are gone through.
    chip : int or str
        Number or name of the chip; the same in every epoch, on every worker.

    Returns
    -------
    xarray.Dataset
        With the attribute ``geotoolz:draw``.

    Raises
    ------
    ParameterError
        If the epoch is no number from 0, or the chip neither a number nor a text.

    Examples
    --------
    >>> from geotoolz.augment import with_draw
    >>> from geotoolz.core.testing import simulate_scene
    >>> with_draw(simulate_scene((8, 8)), epoch=3, chip=17).attrs["geotoolz:draw"]
    '3/17'
    """
    name = draw_name(epoch, chip)
    return TileSpec.require_dataset(tile).assign_attrs({DRAW_ATTR: name})


def draw_name(epoch: Any, chip: Any) -> str:
    """Return what stands in a tile's attribute for an epoch and a chip."""
    if isinstance(epoch, bool) or not isinstance(epoch, int | np.integer) or epoch < 0:
        raise ParameterError(f"epoch={epoch!r}", expected="a whole number from 0")
    if isinstance(chip, bool) or not isinstance(chip, int | np.integer | str):
        raise ParameterError(f"chip={chip!r}", expected="the chip's number or name")
    return f"{int(epoch)}/{chip}"


def draw_of(attrs: Mapping[str, Any]) -> str:
    """Return the draw that a tile says it is for."""
    return str(attrs.get(DRAW_ATTR, _FIRST_DRAW))


class Draws:
    """The random numbers of one step on one tile.

    Parameters
    ----------
    seed : int
        The operator's seed.
    draw : str
        The tile's draw.
    step : str
        The step's path in the pipeline: two equal steps of one pipeline differ.
    """

    __slots__ = ("_about",)

    def __init__(self, seed: int, draw: str, step: str) -> None:
        self._about = (seed, draw, step)

    def key(self, *name: str | int) -> int:
        """Return 64 random bits for a name."""
        text = repr((self._about, name)).encode()  # repr: no two lists of names read the same
        return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")

    def unit(self, *name: str | int) -> float:
        """Return a number in [0, 1)."""
        return (self.key(*name) >> 11) * 2.0**-53

    def between(self, span: tuple[float, float], *name: str | int) -> float:
        """Return a number from a range."""
        low, high = span
        return low + (high - low) * self.unit(*name)

    def below(self, count: int, *name: str | int) -> int:
        """Return a whole number from 0 to `count` − 1."""
        return (self.key(*name) * count) >> 64

    def beta(self, alpha: float, *name: str | int) -> float:
        """Return a number with the distribution Beta(alpha, alpha) (Jöhnk 1964)."""
        for attempt in range(1 << 20):
            x = math.pow(self.unit(*name, "x", attempt), 1.0 / alpha)
            y = math.pow(self.unit(*name, "y", attempt), 1.0 / alpha)
            if 0.0 < x + y <= 1.0:
                return x / (x + y)
        raise ParameterError(f"alpha={alpha}", expected="more than 0 to 4")

    def keys(self, count: int, *name: str | int) -> np.ndarray[Any, Any]:
        """Return a key for each of several planes (dates of a stack)."""
        return np.array([self.key(*name, plane) for plane in range(count)], np.uint64)


def check_span(
    name: str, span: tuple[float, float], low: float, high: float, *, positive: bool = False
) -> None:
    """Raise for a range that is none, or that leaves what makes sense."""
    first, last = span
    in_order = math.isfinite(first) and math.isfinite(last) and low <= first <= last <= high
    if in_order and (first > 0 or not positive):
        return
    limits = f"{low:g} to {high:g}" if math.isfinite(high) else f"{low:g} or more"
    if not math.isfinite(low):
        limits = "finite numbers"
    if positive:
        limits = "positive numbers"
    raise ParameterError(f"{name}={span}", expected=f"(lowest, highest), within {limits}")


def check_chance(name: str, value: float) -> None:
    """Raise for what is no probability."""
    if not 0.0 <= value <= 1.0:
        raise ParameterError(f"{name}={value}", expected="a probability from 0 to 1")
