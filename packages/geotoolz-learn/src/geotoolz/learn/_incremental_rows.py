"""Rows of a catalog, chunk by chunk: every row once an epoch, in bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.core import TileError
from geotoolz.learn._assemble import CatalogRows
from geotoolz.learn._chips import Recipe, SceneRows
from geotoolz.learn._classes import same_names
from geotoolz.learn._summary import Summary
from geotoolz.learn._training import TrainingRows

if TYPE_CHECKING:
    from geotoolz.patch import Sampler

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, order=True)
class Position:
    """The first row of an epoch that was not handed on yet.

    Attributes
    ----------
    epoch : int
        Number of the epoch.
    block : int
        Number of the block of chips.
    row : int
        Row of the block, as it was shuffled.
    """

    epoch: int = 0
    block: int = 0
    row: int = 0


@dataclass(frozen=True)
class Chunk:
    """Rows for one call of ``partial_fit``, and where the next ones begin."""

    rows: TrainingRows
    then: Position


class RowStream:
    """The rows of all chips that a sampler chooses, in chunks.

    An epoch's chips are put in a drawn order and read in blocks; the rows of a block are shuffled together
    and cut into chunks of one size. What is left of a block goes on into the next chunk. Drawn numbers
    depend on the seed, the epoch and the block alone, so that an epoch can be taken up anywhere.

    Parameters
    ----------
    catalog : GeoCatalog or sequence of scenes
        The scenes.
    sampler : Sampler
        Where chips lie; one with randomness chooses others in every epoch.
    recipe : Recipe
        How scenes become rows.
    chunk_size : int
        Rows in a chunk; the last of an epoch may have fewer.
    block_chips : int
        Chips whose rows are shuffled together.
    shuffle : bool
        Whether anything is shuffled.
    seed : int
        Another seed, another order.
    """

    def __init__(
        self,
        catalog: Any,
        sampler: Sampler,
        recipe: Recipe,
        *,
        chunk_size: int,
        block_chips: int,
        shuffle: bool,
        seed: int,
    ) -> None:
        self._sampler, self._recipe = sampler, recipe
        self._chunk_size, self._block_chips = chunk_size, block_chips
        self._shuffle, self._seed = shuffle, seed
        opened = CatalogRows(catalog, sampler, recipe)
        self.sources = [grid.source for grid in opened.patches.grids]
        self.first = SceneRows(self.sources[0], recipe)
        self.summary: Summary | None = None
        """Extent, dates and class names of all rows that were read so far."""

    def chunks(self, start: Position) -> Iterator[Chunk]:
        """Yield the chunks of an epoch from a position on."""
        held: deque[tuple[Position, TrainingRows]] = deque()
        waiting, size = 0, self._chunk_size
        chips = CatalogRows(self.sources, self._sampler, self._recipe, start.epoch)
        order = self._rng(start.epoch, 0).permutation(len(chips)) if self._shuffle else np.arange(len(chips))
        blocks = -(-len(chips) // self._block_chips)
        for block in range(start.block, blocks):
            rows = self._block(chips, order, start.epoch, block)
            first = start.row if block == start.block else 0
            if len(rows) > first:
                held.append((Position(start.epoch, block, first), _sliced(rows, first, len(rows))))
                waiting += len(rows) - first
            while waiting >= size:
                taken = _popped(held, size)
                waiting -= size
                yield Chunk(taken, held[0][0] if held else Position(start.epoch, block + 1, 0))
        if waiting:
            yield Chunk(_popped(held, waiting), Position(start.epoch, blocks, 0))

    def _rng(self, epoch: int, draw: int) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence(self._seed, spawn_key=(epoch, draw)))

    def _block(self, chips: CatalogRows, order: Array, epoch: int, number: int) -> TrainingRows:
        """Read the rows of some chips, in the order in which the chips lie in their files; shuffle them."""
        mine = np.sort(order[number * self._block_chips : (number + 1) * self._block_chips])
        parts = [self._checked(chips.chip(int(chip)).rows()) for chip in mine]
        rows = TrainingRows.concatenate(parts)
        return rows.take(self._rng(epoch, 1 + number).permutation(len(rows))) if self._shuffle else rows

    def _checked(self, rows: TrainingRows) -> TrainingRows:
        """Return rows without what no estimator asks for; raise where scenes do not fit together."""
        where = str(rows.tile_ids[0]) if rows.tile_ids is not None and len(rows) else "another scene"
        if self.summary is not None:
            same_names(self.summary.class_names, rows.class_names, where)
        expected = self.first.about["quantities"]
        if rows.X.dtype != self.first.dtype or rows.quantities != expected:
            raise TileError(
                f"the features of {where} are {rows.X.dtype} and hold {dict(rows.quantities)}",
                expected=f"{self.first.dtype} and {dict(expected)}, as in the first scene",
                fix="prepare all scenes alike",
            )
        found = Summary.of(_outermost(rows))
        self.summary = found if self.summary is None else self.summary.merged(found)
        return replace(rows, groups=None, xy=None, crs=None, times=None, tile_ids=None)


def _outermost(rows: TrainingRows) -> TrainingRows:
    """Return the rows farthest north, east, south and west: to bring all into degrees would take minutes."""
    if rows.xy is None or not len(rows):
        return rows.take(np.arange(0))
    ends = {int(i) for i in (*rows.xy.argmin(axis=0), *rows.xy.argmax(axis=0))}
    if rows.times is not None and not np.isnat(rows.times).all():
        ends |= {int(np.nanargmin(rows.times)), int(np.nanargmax(rows.times))}
    return rows.take(np.array(sorted(ends)))


def _sliced(rows: TrainingRows, first: int, end: int) -> TrainingRows:
    """Return some rows without copying them."""
    y = None if rows.y is None else rows.y[first:end]
    weights = None if rows.weights is None else rows.weights[first:end]
    return replace(rows, X=rows.X[first:end], y=y, weights=weights)


def _popped(held: deque[tuple[Position, TrainingRows]], count: int) -> TrainingRows:
    """Take rows off the front; what is left of a block stays there."""
    parts = []
    while count:
        place, rows = held.popleft()
        parts.append(_sliced(rows, 0, min(count, len(rows))))
        if len(rows) > count:
            held.appendleft((replace(place, row=place.row + count), _sliced(rows, count, len(rows))))
        count -= len(parts[-1])
    return parts[0] if len(parts) == 1 else TrainingRows.concatenate(parts)
