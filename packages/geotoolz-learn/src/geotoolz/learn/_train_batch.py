"""What a network is given: chips, turned, filled, one batch at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from geotoolz.learn._train_chips import TrainChips
from geotoolz.learn._train_config import TrainConfig
from geotoolz.patch._sampler import generator

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Batch:
    """Chips as a network takes them.

    Attributes
    ----------
    numbers : tuple of int
        Of the chips.
    inputs : array
        ``(chip, band, y, x)``, float32, normalised; 0, the mean, where there is no data.
    target : array
        ``(chip, y, x)`` codes as int64, 255 for none; for super-resolution ``(chip, band, y, x)`` of the
        finer grid, NaN for none.
    """

    numbers: tuple[int, ...]
    inputs: Array
    target: Array


def batches(
    chips: TrainChips, config: TrainConfig, numbers: Sequence[int] | Array, epoch: int | None = None
) -> Iterator[Batch]:
    """Yield batches of chips in the order of their numbers.

    Parameters
    ----------
    chips : TrainChips
    config : TrainConfig
    numbers : sequence of int
        Which chips.
    epoch : int, optional
        Turns them as drawn for this epoch, if the configuration says so; without it they stay as they are.
    """
    size = config.fit.batch_size
    for first in range(0, len(numbers), size):
        some = tuple(int(n) for n in numbers[first : first + size])
        pairs = [_pair(chips, config, number, epoch) for number in some]
        inputs, target = (np.stack(side) for side in zip(*pairs, strict=True))
        yield Batch(some, inputs, target)


def _pair(chips: TrainChips, config: TrainConfig, number: int, epoch: int | None) -> tuple[Array, Array]:
    features = chips.features(number)
    if config.task == "segmentation":
        target = chips.labels(number).astype(np.int64)
    else:
        target, features = features, coarser(features, config.zoom)
    way = way_of(config.fit.seed, epoch, number) if config.fit.flips and epoch is not None else 0
    return turned(np.nan_to_num(features, nan=0.0, posinf=0.0, neginf=0.0), way), turned(target, way)


def coarser(planes: Array, zoom: int) -> Array:
    """Return means of ``zoom × zoom`` pixels of ``(band, y, x)``; NaN where one of them has no data."""
    bands, height, width = planes.shape
    blocks = planes.reshape(bands, height // zoom, zoom, width // zoom, zoom)
    found: Array = blocks.mean(axis=(2, 4), dtype=np.float64).astype(np.float32)
    return found


def turned(planes: Array, way: int) -> Array:
    """Return planes ``(…, y, x)`` turned by quarters and perhaps mirrored: eight ways, 0 is none."""
    found: Array = np.rot90(planes, way % 4, axes=(-2, -1))
    return np.ascontiguousarray(found[..., ::-1] if way >= 4 else found)


def way_of(seed: int, epoch: int, number: int) -> int:
    """Return how a chip is turned in an epoch."""
    return int(generator(seed, epoch, number + 1).integers(0, 8))
