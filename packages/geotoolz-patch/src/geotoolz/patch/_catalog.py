"""Chips over a catalog of scenes."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.core import TileError
from geotoolz.patch._grid import PatchGrid
from geotoolz.patch._patch import Patch
from geotoolz.patch._patches import Patches
from geotoolz.patch._sampler import Sampler

if TYPE_CHECKING:
    from geotoolz.catalog import GeoCatalog


class CatalogPatches(Patches):
    """The chips of all scenes of a catalog, one after another, in one epoch (see `PatchGrid`).

    Scenes are opened in turn (their headers only) when it is made; pixels are read chip by chip. Chips are
    numbered through: `Patch.index` is unique in the catalog, so that an augmentation draws other numbers for
    chip 3 of the first scene than for chip 3 of the second. `Patch.scene` says which scene it is.

    Parameters
    ----------
    catalog : GeoCatalog or iterable of scenes
        The scenes; whatever `as_source` takes.
    sampler : Sampler
        Where the chips lie on each of them. Seeds are combined with the scene's number, so that two scenes
        of one size get different chips.
    bands : str or sequence of str, optional
        Variables to read. Batches hold chips of several scenes, which therefore need the same variables and
        types.
    epoch : int
        Samplers with randomness choose others in every epoch.

    Raises
    ------
    TileError
        If there is no scene.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.patch import CatalogPatches, RandomSampler
    >>> scenes = [simulate_scene((64, 64), bands=("red", "nir"), seed=n) for n in range(3)]
    >>> patches = CatalogPatches(scenes, RandomSampler(16, 4))
    >>> [(patch.index, patch.scene) for patch in patches[3:6]]
    [(3, 0), (4, 1), (5, 1)]
    >>> next(iter(patches.batches(8, seed=1))).stacked().shape
    (8, 2, 16, 16)
    """

    def __init__(
        self,
        catalog: GeoCatalog | Sequence[Any],
        sampler: Sampler,
        bands: str | Sequence[str] | None = None,
        epoch: int = 0,
    ) -> None:
        scenes = catalog.tiles() if callable(getattr(catalog, "tiles", None)) else catalog  # type: ignore[union-attr]
        self.sampler, self.epoch, self._asked = sampler, epoch, bands
        self._grids = tuple(
            PatchGrid(scene, _for_scene(sampler, number), bands, epoch) for number, scene in enumerate(scenes)
        )
        if not self._grids:
            raise TileError("the catalog is empty", expected="at least one scene")
        self._ends = list(accumulate(len(grid) for grid in self._grids))

    @property
    def grids(self) -> tuple[PatchGrid, ...]:
        """The chips of every scene, each numbered from 0."""
        return self._grids

    def with_epoch(self, epoch: int) -> CatalogPatches:
        """Return the chips of another epoch, on the same open scenes."""
        return CatalogPatches([grid.source for grid in self._grids], self.sampler, self._asked, epoch)

    def __len__(self) -> int:
        return self._ends[-1]

    def patch(self, number: int) -> Patch:
        """Return a chip by its number in the catalog, from 0."""
        scene = bisect.bisect_right(self._ends, number)
        found = self._grids[scene].patch(number - self.first(scene))
        return replace(found, index=number, scene=scene)

    def first(self, scene: int) -> int:
        """Return the number of a scene's first chip."""
        return self._ends[scene - 1] if scene else 0


def _for_scene(sampler: Sampler, number: int) -> Sampler:
    """Return the sampler with a seed of its own for a scene; the first keeps the one that was given."""
    seed = sampler.parameters().get("seed")
    if seed is None or number == 0:
        return sampler
    own = int(np.random.SeedSequence(seed, spawn_key=(number,)).generate_state(1)[0])
    return sampler.replace(seed=own)
