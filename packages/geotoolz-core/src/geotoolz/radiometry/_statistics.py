"""Statistics of bands, gathered in any order and exactly."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from geotoolz.core import ParameterError, Plan, Reduce, TileSpec, chosen_bands, flat_view
from geotoolz.radiometry import _kernels

_DIGITS = 1 << 16


class Extremes(Reduce):
    """Smallest and largest valid value of each band.

    Parameters
    ----------
    bands : sequence of str, optional
        By default all bands that hold measurements.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.radiometry import Extremes
    >>> low, high = Extremes(("red",))(simulate_scene((64, 64)))["red"]
    >>> low < high
    True
    """

    bands: tuple[str, ...] | None = None

    def plan(self, tile: TileSpec) -> Plan:
        """Read the bands."""
        return Plan(chosen_bands(tile, self.bands, type(self).__name__))

    def init(self, tile: TileSpec, previous: Any = None) -> dict[str, list[float]]:
        """Return the empty interval for every band."""
        names = chosen_bands(tile, self.bands, type(self).__name__)
        return {n: [math.inf, -math.inf, tile.variables[n].nodata_scalar] for n in names}

    def update(self, state: dict[str, list[float]], *arrays: np.ndarray[Any, Any]) -> dict[str, list[float]]:
        """Widen the intervals."""
        for own, array in zip(state.values(), arrays, strict=True):
            low, high = _kernels.extremes(flat_view(array), own[2])
            own[0], own[1] = min(own[0], low), max(own[1], high)
        return state

    def merge(self, a: dict[str, list[float]], b: dict[str, list[float]]) -> dict[str, list[float]]:
        """Unite the intervals."""
        return {n: [min(a[n][0], b[n][0]), max(a[n][1], b[n][1]), a[n][2]] for n in a}

    def finish(self, state: dict[str, list[float]]) -> dict[str, tuple[float, float]]:
        """Return ``{band: (low, high)}``, NaN where no pixel was valid."""
        return {
            n: (low, high) if low <= high else (math.nan, math.nan) for n, (low, high, _) in state.items()
        }


class Percentiles(Reduce):
    """Exact percentiles of each band, in bounded memory and independent of order.

    The values are ordered by their bits, 16 bits a pass: one pass for 16-bit integers, two for
    float32. A state holds 512 KiB per band and searched value, whatever the size of the scene.
    Percentiles between two values are interpolated linearly, as `numpy.nanpercentile` does.

    Parameters
    ----------
    bands : sequence of str, optional
        By default all bands that hold measurements.
    q : sequence of float
        Percentiles, 0 to 100.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.radiometry import Percentiles
    >>> tile = simulate_scene((64, 64))
    >>> float(Percentiles(("red",), (50.0,))(tile)["red"][0]) == float(tile.red.quantile(0.5).astype("f8"))
    True
    """

    bands: tuple[str, ...] | None = None
    q: tuple[float, ...] = (2.0, 98.0)

    passes: ClassVar[int] = 2

    def validate(self) -> None:
        """Check the percentiles."""
        if not self.q or not all(0 <= q <= 100 for q in self.q):
            raise ParameterError(f"q={self.q}", expected="percentiles from 0 to 100")

    def plan(self, tile: TileSpec) -> Plan:
        """Read the bands."""
        return Plan(chosen_bands(tile, self.bands, type(self).__name__))

    def n_passes(self, tile: TileSpec) -> int:
        """One pass per 16 bits of the widest band."""
        names = chosen_bands(tile, self.bands, type(self).__name__)
        return max((_passes(tile.variables[n].dtype) for n in names), default=1)

    def init(self, tile: TileSpec, previous: Any = None) -> dict[str, _Search]:
        """Return a search per band, going on where the last pass ended."""
        names = chosen_bands(tile, self.bands, type(self).__name__)
        return {n: _Search.begin(tile.variables[n].dtype, tile.variables[n].nodata_scalar,
                                 (previous or {}).get(n)) for n in names}  # fmt: skip

    def update(self, state: dict[str, _Search], *arrays: np.ndarray[Any, Any]) -> dict[str, _Search]:
        """Count digits."""
        for search, array in zip(state.values(), arrays, strict=True):
            search.count(array)
        return state

    def merge(self, a: dict[str, _Search], b: dict[str, _Search]) -> dict[str, _Search]:
        """Add the counts."""
        for name, search in a.items():
            search.add(b[name])
        return a

    def finish(self, state: dict[str, _Search]) -> dict[str, Any]:
        """Return ``{band: (values…)}`` after the last pass, what was learnt before it."""
        return {name: search.finish(self.q) for name, search in state.items()}


def _passes(dtype: np.dtype[Any]) -> int:
    return max(1, dtype.itemsize // 2)


class _Found(tuple[float, ...]):
    """The values that were searched for."""

    __slots__ = ()


class _Search:
    """Radix search for the values of some ranks in one band."""

    def __init__(
        self, dtype: np.dtype[Any], nodata: float, digit: int, known: Mapping[str, Any] | None
    ) -> None:
        self.dtype = dtype
        self.nodata = nodata
        self.digit = digit  # passes that remain after this one
        self.known = known
        prefixes = [0] if known is None else sorted({p for p, _ in known["targets"]})
        self.prefixes = np.array(prefixes, np.uint64)
        self.counts = np.zeros((len(prefixes), _DIGITS), np.int64)
        self.valid = 0
        self.found: _Found | None = None

    @classmethod
    def begin(cls, dtype: np.dtype[Any], nodata: float, previous: Any) -> _Search:
        """Start a pass; `previous` is what `finish` of the pass before returned."""
        if isinstance(previous, _Found):  # a narrower band that is done already
            search = cls(dtype, nodata, 0, {"targets": [], "n": 0})
            search.found = previous
            return search
        if previous is None:
            return cls(dtype, nodata, _passes(dtype) - 1, None)
        return cls(dtype, nodata, previous["digit"] - 1, previous)

    def count(self, array: np.ndarray[Any, Any]) -> None:
        """Count one digit of every valid value."""
        if self.found is not None:
            return
        flat = flat_view(array)
        kind = {"b": 0, "u": 0, "i": 1, "f": 2}[self.dtype.kind]
        bits = flat.view(f"u{self.dtype.itemsize}")
        self.valid += _kernels.count_keys(
            flat, bits, self.nodata, kind, 16 * self.digit, self.prefixes, self.counts
        )

    def add(self, other: _Search) -> None:
        """Add the counts of another worker."""
        self.counts += other.counts
        self.valid += other.valid

    def finish(self, q: tuple[float, ...]) -> Any:
        """Return the values, or what the next pass needs to know."""
        if self.found is not None:
            return self.found
        n = self.valid if self.known is None else self.known["n"]
        if n == 0:
            return _Found([math.nan] * len(q))
        targets = self._first_targets(q, n) if self.known is None else self.known["targets"]
        narrowed = [self._narrow(prefix, rank) for prefix, rank in targets]
        if self.digit > 0:
            return {"n": n, "targets": narrowed, "digit": self.digit}
        keys = [prefix for prefix, _ in narrowed]
        return _Found(self._interpolated(q, n, [self._value(key) for key in keys]))

    @staticmethod
    def _first_targets(q: tuple[float, ...], n: int) -> list[tuple[int, int]]:
        positions = [(n - 1) * (value / 100) for value in q]
        return [(0, int(rank)) for p in positions for rank in (math.floor(p), math.ceil(p))]

    def _narrow(self, prefix: int, rank: int) -> tuple[int, int]:
        """Return the prefix one digit longer, and the rank below it."""
        row = int(np.searchsorted(self.prefixes, np.uint64(prefix)))
        ends = np.cumsum(self.counts[row])
        digit = int(np.searchsorted(ends, rank, side="right"))
        before = int(ends[digit - 1]) if digit else 0
        return (prefix << 16) | digit, rank - before

    def _value(self, key: int) -> float:
        size = self.dtype.itemsize
        top, every = 1 << (8 * size - 1), (1 << (8 * size)) - 1
        if self.dtype.kind == "i":
            key ^= top
        elif self.dtype.kind == "f":
            key = key ^ top if key & top else key ^ every
        return float(np.array([key], f"u{size}").view(self.dtype)[0])

    @staticmethod
    def _interpolated(q: tuple[float, ...], n: int, values: list[float]) -> list[float]:
        found = []
        for index, value in enumerate(q):
            position = (n - 1) * (value / 100)
            t = position - math.floor(position)
            low, high = values[2 * index], values[2 * index + 1]
            step = high - low
            if t == 0 or low == high:  # inf − inf is no distance
                found.append(low)
            else:
                found.append(low + step * t if t < 0.5 else high - step * (1 - t))
        return found
