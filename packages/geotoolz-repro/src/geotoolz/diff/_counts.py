"""What is gathered of two variables: plain counts, which add up in any order."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from geotoolz.core import flat_view
from geotoolz.diff import _kernels
from geotoolz.diff._numbers import Numbers, Tally

Array = np.ndarray[Any, Any]
_BATCH = 1 << 16
_SMALL = 256
QUANTILES = {"q05": 0.05, "q25": 0.25, "q50": 0.5, "q75": 0.75, "q95": 0.95}


@dataclass(frozen=True)
class Side:
    """How one of both variables is stored."""

    nodata: float
    scale: float = 1.0


@dataclass(frozen=True)
class Gathered:
    """What is known of two variables of a tile.

    Attributes
    ----------
    n : int
        Pixels that both have.
    only_a, only_b, neither : int
        Pixels that one of them has, or none.
    differences : Numbers or None
        ``b − a``, of measurements and probabilities.
    losses : mapping of str to Numbers
        Of probabilities: cross_entropy, kl, jensen_shannon.
    impossible, outside : int
        Of probabilities: pixels that `b` calls impossible and `a` does not; that lie outside 0 … 1.
    pairs : mapping of (value, value) to int
        Of classes: how often `b` says one where `a` says another.
    """

    n: int
    only_a: int
    only_b: int
    neither: int
    differences: Numbers | None = None
    losses: dict[str, Numbers] = field(default_factory=dict)
    impossible: int = 0
    outside: int = 0
    pairs: dict[tuple[float, float], int] = field(default_factory=dict)


class Differences:
    """``b − a`` of two variables, in float32."""

    def __init__(self, a: Side, b: Side) -> None:
        self.a, self.b = a, b
        self.n = 0
        self.lone = np.zeros(3, np.int64)
        self.tally = Tally()

    def take(self, a: Array, b: Array) -> None:
        """Take in the pixels of a block."""
        one, two = flat_view(computable(a)), flat_view(computable(b))
        out = np.empty(min(one.size, _BATCH), np.float32)
        sides = (self.a.nodata, self.b.nodata, self.a.scale, self.b.scale)
        for begin in range(0, one.size, _BATCH):
            part = slice(begin, begin + _BATCH)
            n = int(_kernels.subtract(one[part], two[part], *sides, out, self.lone))
            self.tally.take(out[:n])
            self.n += n

    def merge(self, other: Any) -> None:
        """Add what another worker has found."""
        self.n += other.n
        self.lone += other.lone
        self.tally.merge(other.tally)

    def finish(self) -> Gathered:
        """Return what was found."""
        only_a, only_b, neither = map(int, self.lone)
        return Gathered(self.n, only_a, only_b, neither, self.tally.numbers())


class Probabilities(Differences):
    """Two probabilities of one outcome: their difference, and how much one surprises who holds the other."""

    def __init__(self, a: Side, b: Side) -> None:
        super().__init__(a, b)
        self.losses = {name: Tally() for name in ("cross_entropy", "kl", "jensen_shannon")}
        self.told = np.zeros(2, np.int64)

    def take(self, a: Array, b: Array) -> None:
        """Take in the pixels of a block."""
        super().take(a, b)
        one, two = flat_view(computable(a)), flat_view(computable(b))
        sides = (self.a.nodata, self.b.nodata, self.a.scale, self.b.scale)
        outs = [np.empty(min(one.size, _BATCH), np.float32) for _ in self.losses]
        for begin in range(0, one.size, _BATCH):
            part = slice(begin, begin + _BATCH)
            n, k = _kernels.divergences(one[part], two[part], *sides, *outs, self.told)
            for tally, out, size in zip(self.losses.values(), outs, (n, n, k), strict=True):
                tally.take(out[: int(size)])

    def merge(self, other: Any) -> None:
        """Add what another worker has found."""
        super().merge(other)
        self.told += other.told
        for name, tally in self.losses.items():
            tally.merge(other.losses[name])

    def finish(self) -> Gathered:
        """Return what was found."""
        found = super().finish()
        losses = {name: tally.numbers() for name, tally in self.losses.items()}
        ends = (found.n, found.only_a, found.only_b, found.neither, found.differences)
        return Gathered(*ends, losses, int(self.told[0]), int(self.told[1]))


class ClassPairs:
    """How often one class stands where the other pipeline has another."""

    def __init__(self, a: Side, b: Side) -> None:
        self.a, self.b = a, b
        self.table = np.zeros((_SMALL, _SMALL), np.int64)
        self.others: dict[tuple[float, float], int] = {}
        self.lone = np.zeros(3, np.int64)

    def take(self, a: Array, b: Array) -> None:
        """Take in the pixels of a block."""
        one, two = (flat_view(x.view(np.uint8) if x.dtype == np.bool_ else x) for x in (a, b))
        if one.dtype == two.dtype == np.uint8:
            _kernels.count_pairs(one, two, self.a.nodata, self.b.nodata, self.table, self.lone)
            return
        has_a, has_b = _valid(one, self.a.nodata), _valid(two, self.b.nodata)
        both = has_a & has_b
        self.lone += [(has_a & ~has_b).sum(), (has_b & ~has_a).sum(), (~has_a & ~has_b).sum()]
        pairs = np.stack([one[both].astype(np.float64), two[both].astype(np.float64)], axis=1)
        values, counts = np.unique(pairs, axis=0, return_counts=True)
        for (x, y), count in zip(values.tolist(), counts.tolist(), strict=True):
            self.others[x, y] = self.others.get((x, y), 0) + count

    def merge(self, other: Any) -> None:
        """Add what another worker has found."""
        self.table += other.table
        self.lone += other.lone
        for pair, count in other.others.items():
            self.others[pair] = self.others.get(pair, 0) + count

    def finish(self) -> Gathered:
        """Return what was found."""
        pairs = dict(self.others)
        for x, y in np.argwhere(self.table):
            key = (float(x), float(y))
            pairs[key] = pairs.get(key, 0) + int(self.table[x, y])
        only_a, only_b, neither = map(int, self.lone)
        return Gathered(sum(pairs.values()), only_a, only_b, neither, pairs=dict(sorted(pairs.items())))


GATHERERS: dict[str, type[Differences] | type[ClassPairs]] = {
    "continuous": Differences,
    "probability": Probabilities,
    "classes": ClassPairs,
}


def computable(array: Array) -> Array:
    """Return an array that the kernels take."""
    if array.dtype == np.bool_:
        return array.view(np.uint8)
    return array.astype(np.float32) if array.dtype == np.float16 else array


def _valid(values: Array, nodata: float) -> Array:
    found: Array = (values != nodata) & (values == values)  # NaN is no class
    return found


def mean(total: Fraction, n: int) -> float:
    """Return a mean, rounded once; NaN of nothing."""
    return float(total / n) if n else math.nan
