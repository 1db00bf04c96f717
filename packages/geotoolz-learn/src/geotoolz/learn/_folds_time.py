"""Cross-validation along time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.core import ParameterError
from geotoolz.learn._folds_base import Array, Folds, check_count, check_metres, rows_of

if TYPE_CHECKING:
    from geotoolz.learn._training import TrainingRows


@dataclass(frozen=True, eq=False, repr=False)
class TemporalFolds(Folds):
    """K folds of consecutive dates, with a gap around what is tested.

    Dates are put in order and cut into blocks of about equally many rows; rows of one date stay together.
    One block is tested, and all rows of other blocks that are at least `gap_days` from its first and last
    date are trained on; with `forward` only earlier ones, as a forecast would. A splitter of scikit-learn.

    Parameters
    ----------
    n_splits : int
        Number of folds.
    gap_days : float
        Rows nearer to the tested dates than this are left out.
    forward : bool
        Train on the past alone. There is one block more than folds: the first one is never tested.
    times : array_like, optional
        Date of every row: ``datetime64``, datetimes, or ISO 8601 text. Without them `split` takes them as its
        ``groups``.

    Raises
    ------
    ParameterError
        If there are fewer dates than blocks, a date is missing, or nothing is left to train on.

    References
    ----------
    Roberts, D. R., Bahn, V., Ciuti, S. et al. (2017). Cross-validation strategies for data with temporal,
    spatial, hierarchical, or phylogenetic structure. Ecography 40, 913–929.

    Examples
    --------
    >>> from geotoolz.learn import TemporalFolds
    >>> days = ["2024-01-01", "2024-01-11", "2024-01-21", "2024-01-31"]
    >>> [(a.tolist(), b.tolist()) for a, b in TemporalFolds(2, gap_days=15, times=days).split(days)]
    [([3], [0, 1]), ([0], [2, 3])]
    """

    n_splits: int = 5
    gap_days: float = 0.0
    forward: bool = False
    times: Any = None

    def __post_init__(self) -> None:
        check_count(self.n_splits, "n_splits", 1 if self.forward else 2)
        check_metres(self.gap_days, "gap_days")

    def groups_of(self, rows: TrainingRows) -> Array | None:
        """Return the dates of rows that were sampled, or their groups where none are needed or known."""
        return rows.groups if self.times is not None or rows.times is None else rows.times

    def _splits(self, X: Any, groups: Any) -> Iterator[tuple[Array, Array]]:
        times = self._times(X, groups)
        days, places, counts = np.unique(times, return_inverse=True, return_counts=True)
        blocks = self.n_splits + self.forward
        if days.size < blocks:
            raise ParameterError(
                f"there are {days.size} date(s) for {blocks} blocks of dates",
                expected="as many dates as blocks, at least",
                fix="take fewer folds",
            )
        block = _blocks(counts, blocks)[places]
        gap = np.timedelta64(round(self.gap_days * 86_400_000), "ms")
        for number in range(int(self.forward), blocks):
            test = block == number
            first, last = times[test].min(), times[test].max()
            before, after = first - times >= gap, times - last >= gap
            keep = ~test & (before if self.forward else before | after)
            if self.forward:
                keep &= block < number
            yield np.flatnonzero(keep), np.flatnonzero(test)

    def _times(self, X: Any, groups: Any) -> Array:
        held = groups if self.times is None else self.times
        if held is None:
            raise ParameterError(
                "TemporalFolds got no dates", fix="TemporalFolds(…, times=…), or groups=dates"
            )
        found = _instants(np.asarray(held))
        if len(found) != rows_of(X):
            raise ParameterError(f"{len(found)} dates for {rows_of(X)} rows", expected="one for every row")
        if np.isnat(found).any():
            raise ParameterError(f"{int(np.isnat(found).sum())} row(s) have no date", expected="one for each")
        return found


def _instants(held: Array) -> Array:
    """Return dates as ``datetime64[ms]`` in UTC."""
    import pandas as pd

    if held.ndim != 1:
        raise ParameterError(f"the dates have shape {held.shape}", expected="one for every row")
    if held.dtype.kind == "M":
        instants: Array = held.astype("datetime64[ms]")
        return instants
    if held.dtype.kind not in "OUT":
        raise ParameterError(f"the dates are {held.dtype}", expected="datetime64, datetimes or ISO 8601 text")
    try:
        parsed = pd.to_datetime(pd.Series(list(held)), utc=True, format="ISO8601")
    except (ValueError, TypeError) as error:
        raise ParameterError(f"the dates cannot be read: {error}", expected="ISO 8601") from error
    found: Array = parsed.dt.tz_localize(None).to_numpy().astype("datetime64[ms]")
    return found


def _blocks(counts: Array, blocks: int) -> Array:
    """Cut consecutive dates into blocks with about equally many rows, at least one date each."""
    ends = np.cumsum(counts)
    middle = ends - counts / 2
    found: Array = np.minimum((middle * blocks / ends[-1]).astype(np.int64), blocks - 1)
    for place in range(counts.size):  # no block is jumped over, and enough dates stay for those that follow
        low = found[place - 1] if place else 0
        found[place] = min(max(found[place], low, blocks - counts.size + place), low + 1 if place else 0)
    return found
