"""PatchGrid: the chips of a scene, in order, shuffled, or shared between workers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from geotoolz.core import ParameterError
from geotoolz.patch._patch import Array, Patch
from geotoolz.patch._patches import Patches
from geotoolz.patch._sampler import Placed, Sampler
from geotoolz.patch._source import Source, as_source


class PatchGrid(Patches):
    """The chips that a sampler chooses on a scene, in one epoch.

    An *epoch* is one way through all chips; training goes through them many times. A `PatchGrid` is the
    chips of one epoch: samplers with randomness choose other places in every one, and `order` and `batches`
    shuffle in another order. `GridSampler` and the explicit samplers choose the same places in all epochs.
    The next epoch is ``grid.with_epoch(n)``, on the same open scene; a chip is a function of the seed, the
    epoch and its number, so an epoch can be repeated, and workers that count epochs alike agree.

    Parameters
    ----------
    source : xarray.Dataset, path, STAC item, GeoSlice, or Source
        The scene; see `as_source`.
    sampler : Sampler
        Where the chips lie.
    bands : str or sequence of str, optional
        Variables to read; all by default.
    epoch : int
        Which time the chips are gone through, from 0.

    Attributes
    ----------
    dropped : int
        How many chips were left out because they reach beyond the scene.
    uncovered : float or None
        Share of the scene that lies in no chip, where the sampler knows it.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.patch import GridSampler, PatchGrid, RandomSampler
    >>> scene = simulate_scene((100, 80), bands=("red",))
    >>> grid = PatchGrid(scene, GridSampler(32, boundary="drop"))
    >>> len(grid), grid.dropped, round(grid.uncovered, 3), grid[0].tile.red.shape
    (6, 6, 0.232, (32, 32))
    >>> first = PatchGrid(scene, RandomSampler(32, 4))
    >>> [grid[0].chip.extent.y0 for grid in (first, first.with_epoch(1), first.with_epoch(0))]
    [21, 35, 21]
    """

    def __init__(
        self, source: Any, sampler: Sampler, bands: str | Sequence[str] | None = None, epoch: int = 0
    ) -> None:
        if epoch < 0:
            raise ParameterError(f"epoch={epoch}", expected="0 or more")
        self.source: Source = as_source(source)
        self.sampler, self.epoch = sampler, epoch
        names = (bands,) if isinstance(bands, str) else bands
        spec = self.source.spec
        self.bands = (
            tuple(spec.variables) if names is None else tuple(spec.find(n, "PatchGrid") for n in names)
        )
        self.placed: Placed = sampler.place(self.source, epoch)

    @property
    def grids(self) -> tuple[PatchGrid, ...]:
        """The grid itself: there is one scene."""
        return (self,)

    @property
    def uncovered(self) -> float | None:
        """Share of the scene's pixels that lie in no chip, where it is known."""
        return self.placed.uncovered

    def with_epoch(self, epoch: int) -> PatchGrid:
        """Return the chips of another epoch, on the same open scene."""
        return PatchGrid(self.source, self.sampler, self.bands, epoch)

    def __len__(self) -> int:
        return len(self.placed.chips)

    def patch(self, number: int) -> Patch:
        """Return a chip by its number, from 0."""
        return Patch(number, self.placed.chips[number], self)

    def polygon_mask(self, patch: Patch) -> Array:
        """Return which pixels of a chip lie in the polygon that it was made for."""
        burn = getattr(self.sampler, "inside", None)
        if burn is None:
            return np.ones(patch.chip.extent.shape, bool)
        mask: Array = burn(patch.spec, patch.chip.origin)
        return mask
