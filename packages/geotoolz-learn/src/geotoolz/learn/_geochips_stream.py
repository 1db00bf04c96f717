"""Chips as a stream, and their order: what torch's data loader iterates over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from geotoolz.core import ParameterError

if TYPE_CHECKING:
    from geotoolz.learn._geochips import GeoChips
    from geotoolz.patch import Patch

Array = np.ndarray[Any, Any]


class ChipStream(IterableDataset[dict[str, Tensor]]):  # type: ignore[misc]
    """Batches of one worker's share of the chips; see `GeoChips.stream`."""

    def __init__(self, chips: GeoChips, batch_size: int, buffer: int, rank: int, world: int) -> None:
        super().__init__()
        _require_a_share(batch_size, buffer, rank, world)
        self.chips, self.batch_size, self.buffer = chips, batch_size, buffer
        self.rank, self.world = rank, world

    def set_epoch(self, epoch: int) -> None:
        """Go on to another epoch."""
        self.chips.set_epoch(epoch)

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        info = get_worker_info()
        worker, workers = (0, 1) if info is None else (info.id, info.num_workers)
        numbers = self.chips.patches.order(
            self.chips.seed, self.rank * workers + worker, self.world * workers
        )
        size = self.buffer // self.batch_size * self.batch_size
        left: list[tuple[Patch, dict[str, Array]]] = []
        for first in range(0, len(numbers), size):
            patches = [self.chips.patches[n] for n in numbers[first : first + size]]
            held = self.chips._chips.read(patches)
            left += [(p, held[p.index]) for p in patches if self._is_of_use(p, held[p.index])]
            while len(left) >= self.batch_size:
                yield self._batch(left[: self.batch_size])
                left = left[self.batch_size :]
        if left:
            yield self._batch(left)

    def _batch(self, some: list[tuple[Patch, dict[str, Array]]]) -> dict[str, Tensor]:
        return self.chips.batch([patch for patch, _ in some], {patch.index: arrays for patch, arrays in some})

    def _is_of_use(self, patch: Patch, arrays: dict[str, Array]) -> bool:
        chips, spec = self.chips, self.chips._chips.spec(patch)
        useful = np.ones(spec.shape, bool)
        names = chips.inputs if chips.target is None else (*chips.inputs, chips.target)
        for name in names:
            values = arrays[name]
            useful &= values != spec.variables[name].nodata_scalar
            if values.dtype.kind == "f":
                useful &= np.isfinite(values)
        return bool(useful.any())


class ChipEpoch(IterableDataset[dict[str, Tensor]]):  # type: ignore[misc]
    """All chips of the epoch in batches, the same ones whatever the workers; see `GeoChips.loader`.

    A worker knows the order of the whole epoch, takes every so many-th batch of it, and reads the pixels of
    its next batches together. A map-style data set is asked for one batch at a time: it would decode the
    same blocks of a file again for each.
    """

    def __init__(
        self,
        chips: GeoChips,
        batch_size: int,
        buffer: int,
        share: tuple[int, int] = (0, 1),
        *,
        shuffle: bool,
        weights: Array | None = None,
    ) -> None:
        super().__init__()
        _require_a_share(batch_size, buffer, *share)
        self.chips, self.batch_size, self.buffer, (self.rank, self.world) = chips, batch_size, buffer, share
        self.shuffle, self.weights = shuffle, weights

    def set_epoch(self, epoch: int) -> None:
        """Go on to another epoch."""
        self.chips.set_epoch(epoch)

    def __len__(self) -> int:
        return len(self._batches(self.rank, self.world))

    def order(self) -> list[int]:
        """Return the numbers of the chips in the order of the epoch."""
        chips = self.chips
        if self.weights is None:
            return chips.patches.order(chips.seed if self.shuffle else None)
        rng = np.random.default_rng(np.random.SeedSequence(chips.seed, spawn_key=(chips.epoch, 1)))
        drawn: list[int] = rng.choice(len(self.weights), len(self.weights), p=self.weights).tolist()
        return drawn

    def _batches(self, rank: int, world: int) -> list[list[int]]:
        """Return every so many-th batch of the epoch."""
        numbers, size = self.order(), self.batch_size
        return [numbers[n : n + size] for n in range(rank * size, len(numbers), world * size)]

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        info = get_worker_info()
        worker, workers = (0, 1) if info is None else (info.id, info.num_workers)
        batches = self._batches(self.rank + worker * self.world, self.world * workers)
        ahead = self.buffer // self.batch_size
        for first in range(0, len(batches), ahead):
            some = [[self.chips.patches[n] for n in batch] for batch in batches[first : first + ahead]]
            once = {patch.index: patch for batch in some for patch in batch}
            held = self.chips._chips.read(list(once.values()))
            for batch in some:
                yield self.chips.batch(batch, held)


def _require_a_share(batch_size: int, buffer: int, rank: int, world: int) -> None:
    if batch_size < 1 or buffer < batch_size or not 0 <= rank < world:
        raise ParameterError(
            f"batch_size={batch_size}, buffer={buffer}, rank={rank} of {world}",
            expected="batches of 1 chip or more, a buffer for one, and a rank below world",
        )
