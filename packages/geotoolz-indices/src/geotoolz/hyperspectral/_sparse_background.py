"""Backgrounds that are found again and again, each without the gas that the last one has shown."""

from __future__ import annotations

from typing import Any

import numpy as np

from geotoolz.core import Extent, Plan, Reduce, TileSpec, flat_view
from geotoolz.hyperspectral import _gram
from geotoolz.hyperspectral import _sparse_kernels as kernels
from geotoolz.hyperspectral._background import BackgroundState, varying
from geotoolz.hyperspectral._chunks import chunks
from geotoolz.hyperspectral._linear import times, whitening

Array = np.ndarray[Any, Any]
_PIECE = 1 << 18
_SLACK = 0.25
"""Share of a band's range by which a background may outgrow the last one before it is taken anew."""


class Progress(dict[str, Any]):
    """How far the search for filters has come: what a pass hands on to the next.

    Attributes
    ----------
    wavelengths : array
        Of all bands.
    bands : array
        Numbers of the bands that are used.
    means, filters : list of array
        ``μ`` and ``S⁻¹t`` so far, of the bands that are used.
    ranges : list of (float, float)
        Where the values of the next background lie.
    n : int
        Pixels that counted.
    """

    def __init__(self, wavelengths: Array, bands: Array, ranges: list[tuple[float, float]]) -> None:
        super().__init__()
        self.wavelengths, self.bands, self.ranges = wavelengths, bands, ranges
        self.means: list[Array] = []
        self.filters: list[Array] = []
        self.n = 0

    def __repr__(self) -> str:
        found = [line.tolist() for line in (*self.means, *self.filters)]
        return f"Progress({self.n}, {self.ranges}, {found})"


class SparseBackground(Reduce, abstract=True):
    """Backgrounds of `Mag1c`: mean and covariance, each time without the gas that the last have shown.

    Parameters
    ----------
    step : Mag1c
        The step whose filters are looked for.
    """

    step: Any

    def plan(self, tile: TileSpec) -> Plan:
        """Read the cube."""
        return Plan((self.step.setting(tile).cube.name,))

    def n_passes(self, tile: TileSpec) -> int:
        """A pass for the range, and one per filter, or two where its range was underrated."""
        return 1 + 2 * (int(self.step.iterations) + 1)

    def is_final(self, result: Any) -> bool:
        """Whether all filters are found, or there is nothing to find them on."""
        return len(result.filters) > int(self.step.iterations)

    def init(self, tile: TileSpec, previous: Any = None) -> SparseState:
        """Return empty sums."""
        return SparseState(self.step, self.step.setting(tile), previous)

    def update(self, state: SparseState, *arrays: Array, extent: Extent | None = None) -> SparseState:
        """Take in the pixels of a block."""
        state.take_block(arrays[0], extent)
        return state

    def merge(self, a: SparseState, b: SparseState) -> SparseState:
        """Add the sums."""
        a.add(b)
        a.seen = [(min(p[0], q[0]), max(p[1], q[1])) for p, q in zip(a.seen, b.seen, strict=True)]
        return a

    def finish(self, state: SparseState) -> Progress:
        """Return what is known after a pass."""
        return state.progress()


class SparseState(BackgroundState):
    """Sums over pixels without the gas that is known so far."""

    def __init__(self, step: Any, setting: Any, previous: Progress | None) -> None:
        self.step, self.setting, self.previous = step, setting, previous
        cube = setting.cube
        bands = setting.bands if previous is None else previous.bands
        # every value may be off the whole numbers once gas was taken out
        ranges = None if previous is None else previous.ranges
        super().__init__(cube.wavelengths, bands, cube.spec.nodata_scalar, ranges, False)
        self.varies = np.ones(bands.size, np.bool_) if previous is not None else self.varies
        self.seen = [(np.inf, -np.inf)] * bands.size

    def take_block(self, array: Array, extent: Extent | None) -> None:
        """Take in the pixels of a block."""
        known = self.previous
        if known is None or not known.filters or not array.size:
            super().take_block(array, extent)
            return
        chain = self.step.chain(self.setting, known.bands, known.means, known.filters)
        for _, part in chunks(array, known.bands, _PIECE):
            amounts, brightness = np.empty(part.shape[1]), np.empty(part.shape[1])
            kernels.enhancements(amounts, brightness, part, self.nodata, *chain)
            left = np.empty(part.shape)
            target = self.setting.target[known.bands] * known.means[-1]
            kernels.without_gas(left, part, self.nodata, amounts, brightness, target)
            left.flags.writeable = False
            for place, line in enumerate(left):
                low, high = _gram.valid_range(flat_view(line), np.nan)
                self.seen[place] = (min(self.seen[place][0], low), max(self.seen[place][1], high))
            self.multiply(left, np.nan)

    def progress(self) -> Progress:
        """Return the filters, with one more if the values lay where they were looked for."""
        known = self.previous
        if known is None:
            varies = varying(self.ranges)
            kept = [limits for limits, one in zip(self.ranges, varies, strict=True) if one]
            return Progress(self.wavelengths, self.bands[varies], kept)
        limits = known.ranges
        if known.filters and any(s[0] < r[0] or s[1] > r[1] for s, r in zip(self.seen, limits, strict=True)):
            return self._next(known, _wider(self.seen))
        found = self.statistics()
        new = self._next(known, limits if not known.filters else _wider(self.seen))
        new.n = found.n
        if not found.n:
            return self._nothing(new)
        if not known.filters:
            new.ranges = _wider(limits)
        label = type(self.step).__name__
        white = whitening(found.covariance, self.step.shrinkage, label, found.n)
        aim = self.setting.target[known.bands] * found.mean
        new.means.append(np.asarray(found.mean))
        new.filters.append(times(np.ascontiguousarray(white.T), times(white, aim)))
        return new

    def _next(self, known: Progress, ranges: list[tuple[float, float]]) -> Progress:
        new = Progress(known.wavelengths, known.bands, ranges)
        new.means, new.filters, new.n = [*known.means], [*known.filters], known.n
        return new

    def _nothing(self, new: Progress) -> Progress:
        """Return filters that know nothing: there was no pixel."""
        nothing = np.full(new.bands.size, np.nan)
        new.means = [nothing] * (self.step.iterations + 1)
        new.filters = [nothing] * (self.step.iterations + 1)
        return new


def _wider(ranges: list[tuple[float, float]]) -> list[tuple[float, float]]:
    return [(low - (high - low) * _SLACK, high + (high - low) * _SLACK) for low, high in ranges]
