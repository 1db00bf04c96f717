"""Samplers: where chips lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from geotoolz.core import Extent, ParameterError, TileError, TileSpec
from geotoolz.patch._axis import Axis
from geotoolz.patch._chip import Chip
from geotoolz.patch._line import Boundary
from geotoolz.patch._source import Source

FIT = 'smaller chips, or boundary="reflect"'
"""What helps chips that are larger than the scene, of samplers that have a boundary."""


@dataclass(frozen=True)
class Placed:
    """The chips that a sampler chose.

    Attributes
    ----------
    chips : tuple of Chip
        In order; a chip's number is its place here.
    dropped : int
        How many chips were left out because they reach beyond the scene.
    uncovered : float
        Share of the scene's pixels that lie in no chip, where it is known.
    """

    chips: tuple[Chip, ...]
    dropped: int = 0
    uncovered: float | None = None


class Sampler(Axis, abstract=True):
    """Base of what says where chips lie on a scene."""

    def place(self, source: Source, epoch: int = 0) -> Placed:
        """Choose the chips of a scene.

        Parameters
        ----------
        source : Source
            The scene; only samplers that look at labels read pixels.
        epoch : int
            Samplers with randomness choose others in every epoch.
        """
        raise NotImplementedError(f"{type(self).__name__} places nothing")

    @property
    def at_the_edge(self) -> Boundary:
        """What happens to chips that reach beyond the scene."""
        return "drop"


def generator(seed: int, epoch: int, draw: int) -> np.random.Generator:
    """Return the random numbers of one draw: they depend on nothing that was drawn before."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=(epoch, draw))))


def fitted(extent: Extent, shape: tuple[int, int], boundary: Boundary) -> Extent | None:
    """Return a chip with the scene's border treated as told; None if it is dropped.

    Raises
    ------
    ParameterError
        If it reaches beyond the scene and may not, or is larger than the scene and should be shifted.
    """
    if extent.clipped(shape) == extent or boundary in ("reflect", "fill"):
        return extent
    if boundary == "drop":
        return None
    if boundary == "raise":
        raise ParameterError(
            f"the chip of rows {extent.y0} to {extent.y1 - 1} and columns {extent.x0} to {extent.x1 - 1} "
            f"reaches beyond the scene of {shape[0]} × {shape[1]} pixels",
            fix='boundary="drop", "shift", "reflect" or "fill"',
        )
    require_fit(extent.shape, shape, FIT)
    height, width = extent.shape
    y0, x0 = min(max(extent.y0, 0), shape[0] - height), min(max(extent.x0, 0), shape[1] - width)
    return Extent(y0, y0 + height, x0, x0 + width)


def require_fit(size: tuple[int, int], shape: tuple[int, int], fix: str = "smaller chips") -> None:
    """Raise for chips that are larger than the scene."""
    if size[0] > shape[0] or size[1] > shape[1]:
        raise ParameterError(
            f"chips of {size[0]} × {size[1]} pixels on a scene of {shape[0]} × {shape[1]}",
            expected="chips that are no larger than the scene",
            fix=fix,
        )


def date_blocks(spec: TileSpec, length: int | None, whole: bool) -> list[tuple[int, int] | None]:
    """Cut the dates into blocks, one after another; the last may be shorter unless all are to be `whole`."""
    if length is None:
        return [None]
    if "time" not in spec.sizes:
        raise TileError(
            f"chips of {length} dates of a tile without time", fix="leave the geometry's time out"
        )
    n = spec.sizes["time"]
    blocks = [(first, min(first + length, n)) for first in range(0, n, length)]
    return [b for b in blocks if not whole or b[1] - b[0] == length]


def random_dates(rng: np.random.Generator, spec: TileSpec, length: int | None) -> tuple[int, int] | None:
    """Return a random block of dates."""
    if length is None:
        return None
    blocks = date_blocks(spec, 1, whole=True)
    if length > len(blocks):
        raise ParameterError(f"chips of {length} dates on a stack of {len(blocks)}", expected="no more dates")
    first = int(rng.integers(0, len(blocks) - length + 1))
    return (first, first + length)


def require_count(count: int, name: str = "count") -> None:
    """Raise for less than one."""
    if count < 1:
        raise ParameterError(f"{name}={count}", expected="1 or more")


def chip_at(row: int, col: int, size: tuple[int, int], **other: Any) -> Chip:
    """Return the chip whose first pixel is given."""
    return Chip(Extent(row, row + size[0], col, col + size[1]), **other)
