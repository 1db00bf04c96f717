"""Chips over a catalog of scenes."""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from geotoolz.core import ParameterError, TileError
from geotoolz.patch._grid import PatchGrid
from geotoolz.patch._patch import Patch
from geotoolz.patch._sampler import Sampler, generator

if TYPE_CHECKING:
    from geotoolz.catalog import GeoCatalog


class CatalogPatches(Sequence[Patch]):
    """The chips of all scenes of a catalog, one after another.

    Scenes are opened in turn (their headers only) when it is made; pixels are read chip by chip.

    Parameters
    ----------
    catalog : GeoCatalog or iterable of scenes
        The scenes; whatever `as_source` takes.
    sampler : Sampler
        Where the chips lie on each of them. Seeds are combined with the scene's number, so that two scenes
        of one size get different chips.
    bands : str or sequence of str, optional
        Variables to read.
    epoch : int
        Samplers with randomness choose others in every epoch.

    Raises
    ------
    TileError
        If there is no scene.
    """

    def __init__(
        self,
        catalog: GeoCatalog | Sequence[Any],
        sampler: Sampler,
        bands: str | Sequence[str] | None = None,
        epoch: int = 0,
    ) -> None:
        scenes = catalog.tiles() if callable(getattr(catalog, "tiles", None)) else catalog  # type: ignore[union-attr]
        self.epoch = epoch
        self.grids = tuple(
            PatchGrid(scene, _for_scene(sampler, number), bands, epoch) for number, scene in enumerate(scenes)
        )
        if not self.grids:
            raise TileError("the catalog is empty", expected="at least one scene")
        self._ends = list(accumulate(len(grid) for grid in self.grids))

    @property
    def dropped(self) -> int:
        """How many chips were left out because they reach beyond their scene."""
        return sum(grid.dropped for grid in self.grids)

    def __len__(self) -> int:
        return self._ends[-1]

    @overload
    def __getitem__(self, index: int) -> Patch: ...
    @overload
    def __getitem__(self, index: slice) -> list[Patch]: ...
    def __getitem__(self, index: int | slice) -> Patch | list[Patch]:
        """Return a chip by its number."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        number = range(len(self))[index]
        scene = bisect.bisect_right(self._ends, number)
        return self.grids[scene][number - (self._ends[scene - 1] if scene else 0)]

    def __iter__(self) -> Iterator[Patch]:
        for grid in self.grids:
            yield from grid

    def order(self, seed: int | None = None, worker: int = 0, workers: int = 1) -> list[int]:
        """Return the numbers of the chips in the order of an epoch; see `PatchGrid.order`."""
        if not 0 <= worker < workers:
            raise ParameterError(
                f"worker={worker} of {workers}", expected="0 up to the number of workers less one"
            )
        numbers = np.arange(len(self))
        if seed is not None:
            generator(seed, self.epoch, 0).shuffle(numbers)
        return [int(n) for n in numbers[worker::workers]]


def _for_scene(sampler: Sampler, number: int) -> Sampler:
    """Return the sampler with a seed of its own for a scene; the first keeps the one that was given."""
    seed = sampler.parameters().get("seed")
    if seed is None or number == 0:
        return sampler
    own = int(np.random.SeedSequence(seed, spawn_key=(number,)).generate_state(1)[0])
    return sampler.replace(seed=own)
