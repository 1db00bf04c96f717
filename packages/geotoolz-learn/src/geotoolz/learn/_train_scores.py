"""How good a network is on some chips, and how good it would be to know nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from geotoolz.learn._loss import IGNORE, two_sided
from geotoolz.learn._train_batch import batches
from geotoolz.learn._train_chips import TRAIN, TrainChips
from geotoolz.learn._train_config import TrainConfig
from geotoolz.metrics import ConfusionCounts

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class ChipScores:
    """Scores of a network on chips.

    Attributes
    ----------
    loss : float
        Mean over batches, weighted by their chips.
    score : float
        What early stopping watches, the higher the better: mean intersection over union of the classes that
        the chips hold, the same for every network; or the peak signal-to-noise ratio in dB of a signal with
        the deviation of the training chips.
    confusion : ConfusionCounts or None
        Of segmentation.
    rmse : tuple of float
        Per band in units of the band, of super-resolution.
    """

    loss: float
    score: float
    confusion: ConfusionCounts | None = None
    rmse: tuple[float, ...] = ()

    @property
    def mean_f1(self) -> float:
        """Mean F1 of the classes that the chips hold; NaN of super-resolution."""
        return float("nan") if self.confusion is None else _mean_of_true(self.confusion, self.confusion.f1)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values; what is not finite is None."""
        found: dict[str, Any] = {"loss": _finite(self.loss), "score": _finite(self.score)}
        if self.confusion is not None:
            found["confusion"] = self.confusion.to_dict()
        if self.rmse:
            found["rmse"] = [_finite(v) for v in self.rmse]
        return found


def score_chips(
    network: nn.Module,
    chips: TrainChips,
    config: TrainConfig,
    numbers: Sequence[int] | Array,
    loss: Callable[[Tensor, Tensor], Tensor],
    device: str,
) -> ChipScores:
    """Return the scores of a network in evaluation mode."""
    total, tally = 0.0, _Tally(chips, config)
    with evaluating(network):
        for batch in batches(chips, config, numbers):
            output = network(torch.from_numpy(batch.inputs).to(device))
            total += float(loss(output, torch.from_numpy(batch.target).to(device))) * len(batch.numbers)
            tally.take(output.float().cpu(), batch.target)
    return tally.scores(total / len(numbers))


def baseline(chips: TrainChips, config: TrainConfig, numbers: Sequence[int] | Array) -> ChipScores:
    """Return the scores of who knows nothing: the most frequent class, or the coarse pixels interpolated."""
    tally = _Tally(chips, config)
    common = int(np.argmax(class_pixels(chips, config))) if config.task == "segmentation" else 0
    for batch in batches(chips, config, numbers):
        if config.task == "segmentation":
            planes = np.zeros(
                (len(batch.numbers), len(config.data.classes), *batch.target.shape[1:]), np.float32
            )
            planes[:, common] = 1
            output = torch.from_numpy(planes)
        else:
            output = nn.functional.interpolate(
                torch.from_numpy(batch.inputs), scale_factor=config.zoom, mode="bicubic", align_corners=False
            )
        tally.take(output, batch.target)
    return tally.scores(float("nan"))


def class_pixels(chips: TrainChips, config: TrainConfig) -> Array:
    """Return how many pixels each class has in the training chips."""
    counts = np.zeros(len(config.data.classes), np.int64)
    for number in chips.numbers(TRAIN):
        labels = chips.labels(int(number))
        counts += np.bincount(labels[labels != IGNORE], minlength=counts.size)
    return counts


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Put a network into evaluation mode, without gradients; and back."""
    before = network.training
    network.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        network.train(before)


class _Tally:
    """Counts in whole numbers, or sums of squares per band in float64."""

    def __init__(self, chips: TrainChips, config: TrainConfig) -> None:
        self.config = config
        self.scale = np.asarray(chips.normalisation.scale)
        classes = len(config.data.classes)
        self.matrix = np.zeros((classes, classes), np.int64)
        bands = len(config.data.bands)
        self.squares, self.count = np.zeros(bands), np.zeros(bands)

    def take(self, output: Tensor, target: Array) -> None:
        if self.config.task == "segmentation":
            said = two_sided(output).argmax(dim=1).numpy()
            known = target != IGNORE
            size = len(self.matrix)
            pairs = np.bincount(target[known] * size + said[known], minlength=size * size)
            self.matrix += pairs.reshape(size, size)
            return
        away = output.numpy().astype(np.float64) - target
        fine = np.isfinite(away)
        self.squares += np.where(fine, away * away, 0.0).sum(axis=(0, 2, 3))
        self.count += fine.sum(axis=(0, 2, 3))

    def scores(self, loss: float) -> ChipScores:
        if self.config.task == "segmentation":
            rows = tuple(tuple(map(int, row)) for row in self.matrix)
            names = tuple(self.config.data.classes)
            found = ConfusionCounts(tuple(range(len(names))), rows, names)
            return ChipScores(loss, _mean_of_true(found, found.iou), found)
        mean = np.divide(self.squares, self.count, out=np.full(self.count.size, np.nan), where=self.count > 0)
        whole = float(np.nanmean(mean)) if np.isfinite(mean).any() else float("nan")
        ratio = float("inf") if whole == 0 else -10.0 * float(np.log10(whole))
        return ChipScores(loss, ratio, rmse=tuple((np.sqrt(mean) * self.scale).tolist()))


def _mean_of_true(counts: ConfusionCounts, values: Sequence[float]) -> float:
    """Return the mean over the classes that are there in truth.

    A class that only one network names by mistake counts in no mean; its pixels are missed in another class.
    """
    there = [value for value, row in zip(values, counts.matrix, strict=True) if sum(row)]
    return float(np.mean(there)) if there else float("nan")


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
