"""The chips of a training run: where they lie, and on which side of the split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from geotoolz.core import Extent, MissingCRSError
from geotoolz.learn._checkpoint_config import Normalisation
from geotoolz.learn._folds import BlockFolds, KMeansFolds
from geotoolz.learn._train_config import DataConfig, SplitConfig
from geotoolz.learn._train_errors import TrainingError
from geotoolz.learn._train_scenes import IGNORE, TrainScene
from geotoolz.patch._sampler import generator

Array = np.ndarray[Any, Any]
TRAIN, VALIDATION, TEST, DROPPED = "train", "validation", "test", "dropped"
_EQUAL_AREA = "EPSG:6933"


@dataclass(frozen=True)
class TrainChips:
    """Chips of all scenes, numbered through.

    Attributes
    ----------
    scenes : sequence of TrainScene
        Where pixels come from.
    places : tuple of (int, Extent)
        Scene and rows and columns of every chip.
    side : tuple of str
        ``"train"``, ``"validation"``, ``"test"``, or ``"dropped"`` (it overlaps one that is kept for the
        end).
    skipped : int
        Chips without a label, or without a valid pixel.
    """

    scenes: Sequence[TrainScene]
    places: tuple[tuple[int, Extent], ...]
    side: tuple[str, ...] = ()
    skipped: int = 0
    normalisation: Normalisation = field(default_factory=lambda: Normalisation.identity(0))

    def numbers(self, side: str) -> Array:
        """Return the numbers of the chips on one side."""
        return np.flatnonzero(np.array(self.side) == side)

    def order(self, seed: int, epoch: int) -> Array:
        """Return the training chips in the order of an epoch."""
        return generator(seed, epoch, 0).permutation(self.numbers(TRAIN))

    def features(self, number: int) -> Array:
        """Return the normalised bands of a chip; NaN where there is no data."""
        scene, e = self.places[number]
        values = self.scenes[scene].features[:, e.y0 : e.y1, e.x0 : e.x1]
        offset, scale = (
            np.asarray(v, np.float32)[:, None, None]
            for v in (self.normalisation.offset, self.normalisation.scale)
        )
        return (values - offset) / scale

    def labels(self, number: int) -> Array:
        """Return the codes of a chip."""
        scene, e = self.places[number]
        labels = self.scenes[scene].labels
        if labels is None:
            raise TrainingError("the scenes have no labels")
        found: Array = labels[e.y0 : e.y1, e.x0 : e.x1]
        return found


def lay_chips(config: DataConfig, scenes: Sequence[TrainScene]) -> TrainChips:
    """Return the chips that lie wholly in their scenes and have something to learn from.

    Raises
    ------
    TrainingError
        If no chip is left.
    """
    size, stride = config.chip, config.stride or config.chip
    places, skipped = [], 0
    for number, scene in enumerate(scenes):
        height, width = scene.features.shape[1:]
        for y in range(0, height - size + 1, stride):
            for x in range(0, width - size + 1, stride):
                window = np.s_[y : y + size, x : x + size]
                known = np.isfinite(scene.features[(slice(None), *window)]).any(axis=0)
                if scene.labels is not None:
                    known = known & (scene.labels[window] != IGNORE)
                if known.any():
                    places.append((number, Extent(y, y + size, x, x + size)))
                else:
                    skipped += 1
    if not places:
        largest = max(min(scene.features.shape[1:]) for scene in scenes)
        raise TrainingError(
            f"no chip of {size} × {size} pixels has something to learn from ({skipped} have no label or "
            "no data)",
            expected=f"scenes that are larger than a chip; the largest chip that fits is {largest}",
            fix="data.chip, or the labels",
        )
    return TrainChips(scenes, tuple(places), skipped=skipped)


def split_chips(chips: TrainChips, split: SplitConfig, data: DataConfig) -> tuple[str, ...]:
    """Return the side of every chip; whole blocks of ground lie on one.

    Raises
    ------
    MissingCRSError
        If the ground is not known and the split is spatial.
    ParameterError
        If there are fewer blocks than folds.
    TrainingError
        If nothing is left to train on.
    """
    if split.method == "random":
        order = np.random.default_rng(np.random.SeedSequence(split.seed)).permutation(len(chips.places))
        fold = np.empty(len(order), np.int64)
        fold[order] = np.arange(len(order)) % split.folds
        outlines = None
    else:
        outlines, points = _on_the_ground(chips)
        fold = _folds(split, points, _two_chips(chips, data)).fold_of(points)
    side = np.where(fold == 0, TEST, np.where(fold == 1, VALIDATION, TRAIN)).astype(object)
    if outlines is not None:
        side[_touch(outlines, side == VALIDATION, side == TEST)] = DROPPED
        side[_touch(outlines, side == TRAIN, (side == TEST) | (side == VALIDATION))] = DROPPED
    for name in (TRAIN, VALIDATION, TEST):
        if not (side == name).any():
            raise TrainingError(
                f"no chip is left for {name}: {len(side)} chips in {split.folds} folds",
                fix="smaller chips, fewer folds, smaller blocks, or more scenes",
            )
    return tuple(side.tolist())


def _folds(split: SplitConfig, points: Array, block: float) -> BlockFolds | KMeansFolds:
    if split.method == "kmeans":
        return KMeansFolds(split.folds, seed=split.seed, points=points)
    return BlockFolds(split.folds, split.block_size_m or block, seed=split.seed, points=points)


def _on_the_ground(chips: TrainChips) -> tuple[Array, Array]:
    """Return outlines and centres in metres, of one reference system."""
    import shapely
    from odc.geo import geom

    grids = [scene.grid for scene in chips.scenes]
    if any(grid is None or grid.crs is None for grid in grids):
        raise MissingCRSError(
            "a scene has no CRS, and neighbours are not known",
            fix="give it one, or split.method: random, whose scores are too good",
        )
    systems = {str(grid.crs) for grid in grids if grid is not None}
    first = grids[0]
    own = len(systems) == 1 and first is not None and first.crs is not None and first.crs.projected
    target = next(iter(systems)) if own else _EQUAL_AREA
    outlines = []
    for scene, e in chips.places:
        grid = grids[scene]
        if grid is None:  # told above
            continue
        a = grid.affine
        x, y = (a.c + a.a * e.x0, a.c + a.a * e.x1), (a.f + a.e * e.y0, a.f + a.e * e.y1)
        outline = geom.box(min(x), min(y), max(x), max(y), grid.crs)
        outlines.append((outline if own else outline.to_crs(target)).geom)
    held = np.array(outlines, object)
    centres = shapely.centroid(held)
    return held, np.column_stack([shapely.get_x(centres), shapely.get_y(centres)])


def _two_chips(chips: TrainChips, data: DataConfig) -> float:
    """Return the length of two chips in metres, of the coarsest scene."""
    lengths = []
    for scene in chips.scenes:
        if scene.grid is not None and scene.grid.crs is not None:
            factor = 1.0 if scene.grid.crs.projected else 111_320.0  # metres of a degree of latitude
            lengths.append(abs(scene.grid.affine.e) * factor)
    return 2 * data.chip * max(lengths)


def _touch(outlines: Array, some: Array, others: Array) -> Array:
    """Return which of some chips share ground with others."""
    import shapely

    mine, theirs = np.flatnonzero(some), np.flatnonzero(others)
    if not mine.size or not theirs.size:
        return mine[:0]
    a, b = shapely.STRtree(outlines[theirs]).query(outlines[mine], predicate="intersects")
    shared = shapely.area(shapely.intersection(outlines[mine[a]], outlines[theirs[b]])) > 0
    return np.unique(mine[a[shared]])


def normalisation_of(chips: TrainChips) -> Normalisation:
    """Return mean and standard deviation of every band over the training chips.

    Raises
    ------
    TrainingError
        If a band never changes there.
    """
    bands = chips.scenes[0].features.shape[0]
    count, total, squares = np.zeros(bands), np.zeros(bands), np.zeros(bands)
    numbers = chips.numbers(TRAIN)
    for squared in (False, True):  # deviations from the mean: squares of large values would cancel
        mean = np.divide(total, count, out=np.zeros(bands), where=count > 0)
        for number in numbers:
            scene, e = chips.places[number]
            values = chips.scenes[scene].features[:, e.y0 : e.y1, e.x0 : e.x1].astype(np.float64)
            fine = np.isfinite(values)
            if squared:
                off = np.where(fine, values - mean[:, None, None], 0.0)
                squares += (off * off).sum(axis=(1, 2))
            else:
                total += np.where(fine, values, 0.0).sum(axis=(1, 2))
                count += fine.sum(axis=(1, 2))
    deviation = np.sqrt(np.divide(squares, count, out=np.zeros(bands), where=count > 0))
    if not (deviation > 0).all():
        raise TrainingError(
            f"band {int(np.argmin(deviation > 0))} has one value in all training chips",
            fix="leave it out of data.bands",
        )
    return Normalisation(tuple(mean.tolist()), tuple(deviation.tolist()))
