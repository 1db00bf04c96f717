"""Cross-validation that keeps neighbours on one side of a split."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from geotoolz.core import ParameterError
from geotoolz.learn._block_grid import block_ids, check_block_size
from geotoolz.learn._folds_base import Array, Folds, SpatialFolds, check_count, group_values, points_of


@dataclass(frozen=True, eq=False, repr=False)
class BlockFolds(SpatialFolds):
    """K folds of whole groups: square blocks of ground, polygons, or whatever must not be torn apart.

    The groups are put in an order drawn by the seed, each into the fold that has the fewest rows by then:
    folds differ by no more rows than the largest group has. A splitter of scikit-learn: it works as ``cv=``
    of ``cross_val_score`` and ``GridSearchCV``.

    Parameters
    ----------
    n_splits : int
        Number of folds.
    block_size_m : float, optional
        Side of the blocks that points are put into, in metres; needed where `split` gets points.
    seed : int
        Another seed, other folds.
    points : array_like, optional
        Easting and northing of every row, in metres: ``(rows, 2)``. Without them `split` takes its
        ``groups``: points, or one id per row (`BlockID`, ids of polygons).

    Raises
    ------
    ParameterError
        If there are fewer groups than folds, or rows and groups differ in number.

    References
    ----------
    Roberts, D. R., Bahn, V., Ciuti, S. et al. (2017). Cross-validation strategies for data with temporal,
    spatial, hierarchical, or phylogenetic structure. Ecography 40, 913–929.

    Examples
    --------
    >>> import numpy as np
    >>> from geotoolz.learn import BlockFolds
    >>> x = np.arange(12) * 50.0
    >>> folds = BlockFolds(3, 100.0, points=np.column_stack([x, np.zeros(12)]))
    >>> [test.tolist() for _, test in folds.split(x)]
    [[6, 7, 8, 9], [0, 1, 4, 5], [2, 3, 10, 11]]
    """

    n_splits: int = 5
    block_size_m: float | None = None
    seed: int = 0
    points: Any = None

    def __post_init__(self) -> None:
        check_count(self.n_splits, "n_splits", 2)
        check_count(self.seed, "seed", 0)
        if self.block_size_m is not None:
            check_block_size(self.block_size_m)

    def fold_of(self, X: Any, groups: Any = None) -> Array:
        """Return the number of the fold that tests each row."""
        ids, places = np.unique(self._groups(X, groups), return_inverse=True)
        if ids.size < self.n_splits:
            raise ParameterError(
                f"there are {ids.size} group(s) for {self.n_splits} folds",
                expected="as many groups as folds, at least",
                fix="make the blocks smaller, take fewer folds, or sample more places",
            )
        return dealt(np.bincount(places), self.n_splits, self.seed)[places]

    def _groups(self, X: Any, groups: Any) -> Array:
        found = points_of(X, groups, self.points, "BlockFolds")
        if found is None:
            return group_values(X, groups, "BlockFolds")
        if self.block_size_m is None:
            raise ParameterError(
                "points were given, and no block size", fix="BlockFolds(…, block_size_m=10_000)"
            )
        return block_ids(found[:, 0], found[:, 1], self.block_size_m)

    def _splits(self, X: Any, groups: Any) -> Iterator[tuple[Array, Array]]:
        fold = self.fold_of(X, groups)
        for number in range(self.n_splits):
            yield np.flatnonzero(fold != number), np.flatnonzero(fold == number)


def dealt(sizes: Array, n_splits: int, seed: int) -> Array:
    """Return the fold of each group: dealt out in a drawn order, each to the fold with the fewest rows."""
    order = np.random.default_rng(np.random.SeedSequence(seed)).permutation(sizes.size)
    fold, rows = np.empty(sizes.size, np.int64), np.zeros(n_splits, np.int64)
    for group in order:
        fold[group] = int(np.argmin(rows))
        rows[fold[group]] += sizes[group]
    return fold


@dataclass(frozen=True, eq=False, repr=False)
class KMeansFolds(SpatialFolds):
    """K folds of compact regions: clusters of the points by k-means.

    Regions follow the points where those are uneven, and no size has to be chosen. With more clusters than
    folds, clusters are dealt out like the blocks of `BlockFolds`. A splitter of scikit-learn.

    Parameters
    ----------
    n_splits : int
        Number of folds.
    n_clusters : int, optional
        Number of regions, at least as many as folds; by default one per fold.
    seed : int
        Another seed, other regions.
    points : array_like, optional
        Easting and northing of every row, in metres: ``(rows, 2)``. Without them `split` takes them as its
        ``groups``.

    Raises
    ------
    ParameterError
        If there are fewer different points than clusters, or no points.

    References
    ----------
    Brenning, A. (2012). Spatial cross-validation and bootstrap for the assessment of prediction rules in
    remote sensing: the R package sperrorest. IGARSS 2012, 5372–5375.

    Examples
    --------
    >>> import numpy as np
    >>> from geotoolz.learn import KMeansFolds
    >>> x = np.array([0.0, 10.0, 1000.0, 1010.0])
    >>> folds = KMeansFolds(2, points=np.column_stack([x, x]))
    >>> sorted(test.tolist() for _, test in folds.split(x))
    [[0, 1], [2, 3]]
    """

    n_splits: int = 5
    n_clusters: int | None = None
    seed: int = 0
    points: Any = None

    def __post_init__(self) -> None:
        check_count(self.n_splits, "n_splits", 2)
        check_count(self.seed, "seed", 0)
        if self.n_clusters is not None:
            check_count(self.n_clusters, "n_clusters", self.n_splits)

    def cluster_of(self, X: Any, groups: Any = None) -> Array:
        """Return the number of the region that each row lies in."""
        from sklearn.cluster import KMeans
        from threadpoolctl import threadpool_limits

        points = points_of(X, groups, self.points, "KMeansFolds")
        if points is None:
            raise ParameterError(
                "KMeansFolds got no points", expected="easting and northing of every row, as (rows, 2)"
            )
        places, back, count = np.unique(points, axis=0, return_inverse=True, return_counts=True)
        wanted = self.n_clusters or self.n_splits
        if len(places) < wanted:
            raise ParameterError(
                f"there are {len(places)} different point(s) for {wanted} clusters",
                expected="as many points as clusters, at least",
                fix="take fewer folds, or sample more places",
            )
        # far from the origin the differences of squares would lose digits
        places = places - places.mean(axis=0)
        model = KMeans(wanted, n_init=10, random_state=self.seed)
        with threadpool_limits(1):  # several threads add up a centre in any order
            labels: Array = model.fit_predict(places, sample_weight=count.astype(np.float64))
        return labels[back.reshape(-1)].astype(np.int64)

    def fold_of(self, X: Any, groups: Any = None) -> Array:
        """Return the number of the fold that tests each row."""
        cluster = self.cluster_of(X, groups)
        if (self.n_clusters or self.n_splits) == self.n_splits:
            return cluster
        return dealt(np.bincount(cluster), self.n_splits, self.seed)[cluster]

    def _splits(self, X: Any, groups: Any) -> Iterator[tuple[Array, Array]]:
        fold = self.fold_of(X, groups)
        for number in range(self.n_splits):
            yield np.flatnonzero(fold != number), np.flatnonzero(fold == number)


def spatial_folds(
    method: Literal["blocks", "buffer", "kmeans"] = "blocks",
    *,
    n_splits: int | None = None,
    block_size_m: float | None = None,
    buffer_m: float | None = None,
    n_clusters: int | None = None,
    seed: int = 0,
    points: Any = None,
) -> Folds:
    """Return a splitter for cross-validation that keeps neighbours on one side.

    Parameters
    ----------
    method : {"blocks", "buffer", "kmeans"}
        `BlockFolds`, `BufferedLeaveOneOut` or `KMeansFolds`.
    n_splits : int, optional
        Number of folds: 5 by default; of ``"buffer"`` how many rows or blocks are tested, by default all.
    block_size_m : float, optional
        Side of the square blocks, for ``"blocks"`` and ``"buffer"``.
    buffer_m : float, optional
        For ``"buffer"``: no row this near to a tested one is trained on.
    n_clusters : int, optional
        For ``"kmeans"``: number of regions, if not one per fold.
    seed : int
        Another seed, other folds.
    points : array_like, optional
        Easting and northing of every row in metres, ``(rows, 2)``; else ``split(…, groups=…)`` gets them.

    Returns
    -------
    Folds
        With ``split(X, y, groups)`` and ``get_n_splits``, as scikit-learn's ``cv=`` takes it.

    Raises
    ------
    ParameterError
        For a parameter that the method does not have.

    Examples
    --------
    >>> from geotoolz.learn import spatial_folds
    >>> spatial_folds("blocks", n_splits=4, block_size_m=10_000)
    BlockFolds(n_splits=4, block_size_m=10000)
    """
    from geotoolz.learn._folds_buffer import BufferedLeaveOneOut

    makers: dict[str, tuple[type[Folds], dict[str, Any]]] = {
        "blocks": (BlockFolds, {"n_splits": n_splits, "block_size_m": block_size_m}),
        "buffer": (
            BufferedLeaveOneOut,
            {"buffer_m": buffer_m, "block_size_m": block_size_m, "n_splits": n_splits},
        ),
        "kmeans": (KMeansFolds, {"n_splits": n_splits, "n_clusters": n_clusters}),
    }
    if method not in makers:
        raise ParameterError(f"method={method!r}", expected=f"one of {', '.join(makers)}")
    maker, own = makers[method]
    given = {
        "n_splits": n_splits,
        "block_size_m": block_size_m,
        "buffer_m": buffer_m,
        "n_clusters": n_clusters,
    }
    for name, value in given.items():
        if value is not None and name not in own:
            raise ParameterError(f"method {method!r} has no {name}", expected=f"of these: {', '.join(own)}")
    if method == "buffer" and buffer_m is None:
        raise ParameterError("method 'buffer' lacks buffer_m", expected="a distance in metres")
    return maker(**{k: v for k, v in own.items() if v is not None}, seed=seed, points=points)  # type: ignore[call-arg]
