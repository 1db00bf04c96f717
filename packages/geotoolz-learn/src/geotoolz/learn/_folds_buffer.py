"""Leave one out, and everything near it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from geotoolz.core import ParameterError
from geotoolz.learn._block_grid import block_ids, check_block_size, decode
from geotoolz.learn._folds_base import Array, SpatialFolds, check_count, check_metres, group_values, points_of


@dataclass(frozen=True, eq=False, repr=False)
class BufferedLeaveOneOut(SpatialFolds):
    """Test one row, or one block of rows, and train on what is farther away than a buffer.

    A row is trained on if it is more than `buffer_m` from every tested row. With ids of `BlockID` in place
    of points, distances are those between the blocks' edges, so that no pixel of a block is nearer than the
    buffer. A splitter of scikit-learn.

    Parameters
    ----------
    buffer_m : float
        Rows at this distance or nearer are not trained on. The range of the residuals' autocorrelation.
    block_size_m : float, optional
        Leave one square block of this side out at a time, not one row.
    n_splits : int, optional
        Test this many rows or blocks, drawn by the seed, and no others; by default all of them.
    seed : int
        Another seed draws others.
    points : array_like, optional
        Easting and northing of every row, in metres: ``(rows, 2)``. Without them `split` takes its
        ``groups``: points, or ids of `BlockID` (with the block size that they were made with).

    Raises
    ------
    ParameterError
        If a fold has nothing left to train on, there are fewer rows or blocks than folds, or the groups are
        neither points nor ids of `BlockID`.

    References
    ----------
    Le Rest, K., Pinaud, D., Monestiez, P., Chadoeuf, J., Bretagnolle, V. (2014). Spatial leave-one-out
    cross-validation for variable selection in the presence of spatial autocorrelation. Global Ecology and
    Biogeography 23, 811–820.

    Examples
    --------
    >>> import numpy as np
    >>> from geotoolz.learn import BufferedLeaveOneOut
    >>> x = np.arange(5) * 10.0
    >>> folds = BufferedLeaveOneOut(10.0, points=np.column_stack([x, 0 * x]))
    >>> [train.tolist() for train, _ in folds.split(x)]
    [[2, 3, 4], [3, 4], [0, 4], [0, 1], [0, 1, 2]]
    """

    buffer_m: float
    block_size_m: float | None = None
    n_splits: int | None = None
    seed: int = 0
    points: Any = None

    def __post_init__(self) -> None:
        check_metres(self.buffer_m, "buffer_m")
        check_count(self.seed, "seed", 0)
        if self.n_splits is not None:
            check_count(self.n_splits, "n_splits", 1)
        if self.block_size_m is not None:
            check_block_size(self.block_size_m)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of folds; without `n_splits` it takes the rows to know."""
        if self.n_splits is not None:
            return self.n_splits
        if X is None and groups is None and self.points is None:
            raise ParameterError(
                "how many folds there are depends on the rows", fix="get_n_splits(X, y, groups)"
            )
        rows = next(one for one in (X, groups, self.points) if one is not None)
        return int(np.unique(self._units(rows, groups)[0]).size)

    def _units(self, X: Any, groups: Any) -> tuple[Array, Array | None]:
        """Return what is left out together, one id per row, and the points."""
        points = points_of(X, groups, self.points, "BufferedLeaveOneOut")
        if points is None:
            return group_values(X, groups, "BufferedLeaveOneOut"), None
        if self.block_size_m is None:
            return np.arange(len(points)), points
        return block_ids(points[:, 0], points[:, 1], self.block_size_m), points

    def _splits(self, X: Any, groups: Any) -> Iterator[tuple[Array, Array]]:
        units, points = self._units(X, groups)
        ids, places = np.unique(units, return_inverse=True)
        blocks = self._blocks(ids) if points is None else None
        for number in self._chosen(ids.size):
            test = places == number
            if blocks is not None:
                near = _block_distance(blocks, blocks[number], self.block_size_m or 0.0) <= self.buffer_m
                near[number] = True
                keep = ~near[places]
            else:
                keep = ~_within(points, test, self.buffer_m)
            yield np.flatnonzero(keep), np.flatnonzero(test)

    def _chosen(self, there: int) -> Array:
        """Return the units to test, ascending."""
        if self.n_splits is None:
            return np.arange(there)
        if self.n_splits > there:
            raise ParameterError(
                f"there are {there} row(s) or block(s) to leave out for {self.n_splits} folds",
                expected=f"at most {there} folds",
                fix="make the blocks smaller, or take fewer folds",
            )
        order = np.random.default_rng(np.random.SeedSequence(self.seed)).permutation(there)
        return np.sort(order[: self.n_splits])

    def _blocks(self, ids: Array) -> Array:
        whole = ids.dtype.kind in "iu" or (ids.dtype.kind == "f" and bool((ids == np.rint(ids)).all()))
        found = decode(ids.astype(np.int64)) if whole else None
        if found is None:
            raise ParameterError(
                "the groups are no ids of BlockID, and say nothing about distance",
                expected="points, or what BlockID and block_ids give",
                fix="BufferedLeaveOneOut(…, points=…)",
            )
        if self.block_size_m is None:
            raise ParameterError("groups are blocks of a size that is not known", fix="say block_size_m")
        return found


def _block_distance(blocks: Array, block: Array, size: float) -> Array:
    """Return the distance between the edges of square blocks; 0 for those that touch."""
    gaps = np.maximum(np.abs(blocks - block) - 1, 0) * size
    found: Array = np.hypot(gaps[:, 0], gaps[:, 1])
    return found


def _within(points: Any, test: Array, radius: float) -> Array:
    """Return which points are at most a distance away from a tested one, or tested themselves."""
    from scipy.spatial import KDTree

    found = test.copy()
    low, high = points[test].min(axis=0) - radius, points[test].max(axis=0) + radius
    candidates = np.flatnonzero(((points >= low) & (points <= high)).all(axis=1) & ~test)
    if candidates.size:
        distance, _ = KDTree(points[test]).query(points[candidates])
        found[candidates] = distance <= radius
    return found
