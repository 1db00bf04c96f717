"""Chips at random, and on a grid that is shaken."""

from __future__ import annotations

from typing import Any

from geotoolz.core import ParameterError
from geotoolz.patch._axis import pair
from geotoolz.patch._geometry import Rectangle, as_geometry
from geotoolz.patch._line import Boundary
from geotoolz.patch._sampler import (
    FIT,
    Placed,
    Sampler,
    chip_at,
    fitted,
    generator,
    random_dates,
    require_count,
    require_fit,
)
from geotoolz.patch._source import Source


class RandomSampler(Sampler):
    """Chips anywhere in the scene, all places alike; others in every epoch.

    Chip ``i`` of an epoch depends on the seed, the epoch and ``i``, not on how many there are.

    Parameters
    ----------
    geometry : Rectangle or int or tuple of int
        Size of the chips.
    count : int
        How many.
    seed : int
        Another seed, other places.

    Raises
    ------
    ParameterError
        If a chip is larger than the scene.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.patch import PatchGrid, RandomSampler
    >>> grid = PatchGrid(simulate_scene((100, 80), bands=("red",)), RandomSampler(16, count=3))
    >>> [tuple(patch.chip.extent) for patch in grid]
    [(26, 42, 52, 68), (8, 24, 48, 64), (19, 35, 4, 20)]
    """

    geometry: Rectangle
    count: int
    seed: int = 0

    def prepare(self, values: dict[str, Any]) -> dict[str, Any]:
        """Accept numbers of pixels."""
        return {**values, "geometry": as_geometry(values["geometry"])}

    def validate(self) -> None:
        """Check the number."""
        require_count(self.count)

    def place(self, source: Source, epoch: int = 0) -> Placed:
        """Choose the chips."""
        spec, size = source.spec, self.geometry.size
        require_fit(size, spec.shape)
        chips = []
        for draw in range(self.count):
            rng = generator(self.seed, epoch, draw)
            row = int(rng.integers(0, spec.shape[0] - size[0] + 1))
            col = int(rng.integers(0, spec.shape[1] - size[1] + 1))
            chips.append(chip_at(row, col, size, dates=random_dates(rng, spec, self.geometry.time)))
        return Placed(tuple(chips))


class JitteredSampler(Sampler):
    """Chips of a regular grid, each moved by a random number of pixels; others in every epoch.

    Parameters
    ----------
    geometry : Rectangle or int or tuple of int
        Size of the chips.
    stride : int or tuple of int, optional
        Pixels from one grid point to the next; by default the size.
    jitter : float
        Largest move along each axis, as a share of the stride: 0.25 moves a chip of a stride of 192 by up to
        48 pixels.
    seed : int
        Another seed, other places.
    boundary : {"shift", "drop", "reflect", "fill", "raise"}
        What happens to a chip that is moved beyond the scene.

    Raises
    ------
    ParameterError
        If the jitter is not between 0 and 0.5, where neighbours would change places.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.patch import JitteredSampler, PatchGrid
    >>> grid = PatchGrid(simulate_scene((96, 64), bands=("red",)), JitteredSampler(32, jitter=0.25))
    >>> len(grid)
    6
    """

    geometry: Rectangle
    stride: tuple[int, int] | None = None
    jitter: float = 0.25
    seed: int = 0
    boundary: Boundary = "shift"

    def prepare(self, values: dict[str, Any]) -> dict[str, Any]:
        """Accept numbers of pixels."""
        geometry, stride = as_geometry(values["geometry"]), pair(values["stride"], "stride")
        return {**values, "geometry": geometry, "stride": stride}

    def validate(self) -> None:
        """Check the jitter."""
        if not 0 <= self.jitter <= 0.5:
            raise ParameterError(f"jitter={self.jitter}", expected="a share of the stride from 0 to 0.5")

    @property
    def at_the_edge(self) -> Boundary:
        """What happens to chips that reach beyond the scene."""
        return self.boundary

    def place(self, source: Source, epoch: int = 0) -> Placed:
        """Choose the chips."""
        spec, size = source.spec, self.geometry.size
        if self.boundary in ("shift", "raise"):
            require_fit(size, spec.shape, FIT)
        steps = self.stride or size
        most = [int(self.jitter * step) for step in steps]
        chips, draw, dropped = [], 0, 0
        for y in range(0, spec.shape[0], steps[0]):
            for x in range(0, spec.shape[1], steps[1]):
                rng = generator(self.seed, epoch, draw)
                draw += 1
                move = [int(rng.integers(-m, m + 1)) for m in most]
                dates = random_dates(rng, spec, self.geometry.time)
                chip = chip_at(y + move[0], x + move[1], size)
                extent = fitted(chip.extent, spec.shape, self.boundary)
                if extent is None:
                    dropped += 1
                else:
                    chips.append(chip_at(extent.y0, extent.x0, size, dates=dates))
        return Placed(tuple(chips), dropped)
