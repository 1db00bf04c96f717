"""Chips as a stream, and their order: what torch's data loader iterates over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor
from torch.utils.data import IterableDataset, Sampler, get_worker_info

from geotoolz.core import ParameterError

if TYPE_CHECKING:
    from geotoolz.learn._geochips import GeoChips
    from geotoolz.patch import Patch

Array = np.ndarray[Any, Any]


class ChipStream(IterableDataset[dict[str, Tensor]]):  # type: ignore[misc]
    """Batches of one worker's share of the chips; see `GeoChips.stream`."""

    def __init__(self, chips: GeoChips, batch_size: int, buffer: int, rank: int, world: int) -> None:
        super().__init__()
        if batch_size < 1 or buffer < batch_size or not 0 <= rank < world:
            raise ParameterError(
                f"batch_size={batch_size}, buffer={buffer}, rank={rank} of {world}",
                expected="batches of 1 chip or more, a buffer for one, and a rank below world",
            )
        self.chips, self.batch_size, self.buffer, self.rank, self.world = (
            chips,
            batch_size,
            buffer,
            rank,
            world,
        )

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


class Order(Sampler[int]):  # type: ignore[misc]
    """The order of the chips in the epoch that their data set is in."""

    def __init__(self, chips: GeoChips, *, shuffle: bool, weights: Array | None = None) -> None:
        self.chips, self.shuffle, self.weights = chips, shuffle, weights

    def __len__(self) -> int:
        return len(self.chips)

    def __iter__(self) -> Iterator[int]:
        if self.weights is None:
            return iter(self.chips.patches.order(self.chips.seed if self.shuffle else None))
        rng = np.random.default_rng(np.random.SeedSequence(self.chips.seed, spawn_key=(self.chips.epoch, 1)))
        return iter(rng.choice(len(self.weights), len(self.weights), p=self.weights).tolist())
