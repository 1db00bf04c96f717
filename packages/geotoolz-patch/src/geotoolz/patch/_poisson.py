"""Chips as far from each other as possible."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from geotoolz.core import ParameterError
from geotoolz.patch._geometry import Rectangle, as_geometry
from geotoolz.patch._sampler import (
    Placed,
    Sampler,
    chip_at,
    generator,
    random_dates,
    require_fit,
)
from geotoolz.patch._source import Source

_TRIES = 30


class PoissonDiskSampler(Sampler):
    """Chips at random, no two nearer than a distance, with no room left for many more.

    Dart throwing around what lies already [1]_. Distances are those between whole pixels, so no rounding
    brings two chips nearer than was asked.

    Parameters
    ----------
    geometry : Rectangle or int or tuple of int
        Size of the chips.
    distance : float
        Least distance between the first pixels of two chips, in pixels.
    count : int, optional
        At most this many.
    seed : int
        Another seed, other places.

    Raises
    ------
    ParameterError
        If the distance is less than one pixel, or a chip is larger than the scene.

    References
    ----------
    .. [1] Bridson, R. (2007). Fast Poisson disk sampling in arbitrary dimensions. SIGGRAPH sketches.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.patch import PatchGrid, PoissonDiskSampler
    >>> scene = simulate_scene((100, 80), bands=("red",))
    >>> len(PatchGrid(scene, PoissonDiskSampler(16, distance=20, count=5)))
    5
    """

    geometry: Rectangle
    distance: float
    count: int | None = None
    seed: int = 0

    def prepare(self, values: dict[str, Any]) -> dict[str, Any]:
        """Accept numbers of pixels."""
        return {**values, "geometry": as_geometry(values["geometry"])}

    def validate(self) -> None:
        """Check the distance."""
        if not 1 <= self.distance < math.inf:
            raise ParameterError(f"distance={self.distance}", expected="1 pixel or more")
        if self.count is not None and self.count < 1:
            raise ParameterError(f"count={self.count}", expected="1 or more")

    def place(self, source: Source, epoch: int = 0) -> Placed:
        """Choose the chips."""
        spec, size = source.spec, self.geometry.size
        require_fit(size, spec.shape)
        rng = generator(self.seed, epoch, 0)
        room = (spec.shape[0] - size[0] + 1, spec.shape[1] - size[1] + 1)
        points = _disks(rng, room, self.distance)
        if self.count is not None:
            points = points[: self.count]
        chips = (
            chip_at(
                row,
                col,
                size,
                dates=random_dates(generator(self.seed, epoch, n + 1), spec, self.geometry.time),
            )
            for n, (row, col) in enumerate(points)
        )
        return Placed(tuple(chips))


class _Disks:
    """Points on whole pixels, found again by cells that hold one at most."""

    def __init__(self, room: tuple[int, int], distance: float) -> None:
        self.room, self.least = room, math.ceil(distance * distance)
        self.side = max(int(distance / math.sqrt(2)), 1)
        self.reach = math.ceil(distance / self.side)
        self.cells = np.full((room[0] // self.side + 1, room[1] // self.side + 1), -1, np.int64)
        self.points: list[tuple[int, int]] = []

    def accept(self, row: int, col: int) -> bool:
        """Keep a point unless it lies outside, or too near to another."""
        if not (0 <= row < self.room[0] and 0 <= col < self.room[1]):
            return False
        i, j = row // self.side, col // self.side
        near = self.cells[
            max(i - self.reach, 0) : i + self.reach + 1, max(j - self.reach, 0) : j + self.reach + 1
        ]
        for n in near[near >= 0]:
            r, c = self.points[n]
            if (row - r) ** 2 + (col - c) ** 2 < self.least:
                return False
        self.cells[i, j] = len(self.points)
        self.points.append((row, col))
        return True


def _disks(rng: np.random.Generator, room: tuple[int, int], distance: float) -> list[tuple[int, int]]:
    disks = _Disks(room, distance)
    disks.accept(int(rng.integers(0, room[0])), int(rng.integers(0, room[1])))
    active = [0]
    while active:
        at = int(rng.integers(0, len(active)))
        row, col = disks.points[active[at]]
        radius = distance * (1 + rng.random(_TRIES))
        angle = 2 * math.pi * rng.random(_TRIES)
        for r, a in zip(radius, angle, strict=True):
            if disks.accept(row + round(r * math.cos(a)), col + round(r * math.sin(a))):
                active.append(len(disks.points) - 1)
                break
        else:
            active[at] = active[-1]
            active.pop()
    return disks.points
