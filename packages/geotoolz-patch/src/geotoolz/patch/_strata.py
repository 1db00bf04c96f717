"""Chips by what lies in their middle: classes of a label, or ranges of a raster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from geotoolz.core import ParameterError, Role, TileError
from geotoolz.patch._chip import Chip
from geotoolz.patch._geometry import Rectangle, as_geometry
from geotoolz.patch._sampler import (
    Placed,
    Sampler,
    chip_at,
    generator,
    random_dates,
    require_count,
    require_fit,
)
from geotoolz.patch._source import Array, Source

_STRIP = 1 << 20
"""Pixels of a label that are read at once."""


class StratifiedSampler(Sampler):
    """Chips spread over the strata of a raster as the strata are over the scene.

    A stratum's share of the chips is its share of the pixels (largest remainders first); a chip's middle is
    a random pixel of its stratum. The raster is read in strips. No-data belongs to no stratum.

    Parameters
    ----------
    geometry : Rectangle or int or tuple of int
        Size of the chips.
    label : str
        Variable of the scene: classes, or a raster of numbers together with `edges`.
    count : int
        Number of chips.
    edges : sequence of float, optional
        Borders between strata of a raster, ascending.
    seed : int
        Another seed, other places.

    Raises
    ------
    TileError
        If the label holds numbers and there are no edges, or no chip's middle has a stratum.

    Examples
    --------
    >>> from geotoolz.core.testing import contract_tile
    >>> from geotoolz.patch import PatchGrid, StratifiedSampler
    >>> len(PatchGrid(contract_tile((64, 64)), StratifiedSampler(16, "scl", count=26)))
    26
    """

    geometry: Rectangle
    label: Role
    count: int
    edges: tuple[float, ...] = ()
    seed: int = 0

    def prepare(self, values: dict[str, Any]) -> dict[str, Any]:
        """Accept numbers of pixels."""
        return {**values, "geometry": as_geometry(values["geometry"])}

    def validate(self) -> None:
        """Check number and edges."""
        require_count(self.count)
        if list(self.edges) != sorted(set(self.edges)):
            raise ParameterError(f"edges={self.edges}", expected="ascending numbers")

    def place(self, source: Source, epoch: int = 0) -> Placed:
        """Choose the chips."""
        strata = _Strata(source, self.label, self.geometry, self.edges)
        shares = _shared(strata.counts, self.count)
        return _placed(strata, shares, self.seed, epoch)


class BalancedSampler(Sampler):
    """As many chips for every class as for any other, however rare it is.

    A chip's middle is a random pixel of its class; a class with fewer pixels than chips is met repeatedly.

    Parameters
    ----------
    geometry : Rectangle or int or tuple of int
        Size of the chips.
    label : str
        Variable of the scene that holds the classes.
    per_class : int
        Chips per class.
    classes : sequence of int, optional
        Only these; by default all that occur.
    seed : int
        Another seed, other places.

    Raises
    ------
    TileError
        If a class that is asked for does not occur where a chip fits.

    Examples
    --------
    >>> from geotoolz.core.testing import contract_tile
    >>> from geotoolz.patch import BalancedSampler, PatchGrid
    >>> len(PatchGrid(contract_tile((64, 64)), BalancedSampler(16, "scl", per_class=2, classes=(4, 6))))
    4
    """

    geometry: Rectangle
    label: Role
    per_class: int
    classes: tuple[int, ...] = ()
    seed: int = 0

    def prepare(self, values: dict[str, Any]) -> dict[str, Any]:
        """Accept numbers of pixels."""
        return {**values, "geometry": as_geometry(values["geometry"])}

    def validate(self) -> None:
        """Check the number."""
        require_count(self.per_class, "per_class")

    def place(self, source: Source, epoch: int = 0) -> Placed:
        """Choose the chips."""
        strata = _Strata(source, self.label, self.geometry, None)
        absent = [c for c in self.classes if c not in strata.counts]
        if absent:
            raise TileError(
                f"{self.label!r} has no class {absent[0]} where a chip of {self.geometry.size} fits",
                expected=f"one of {', '.join(map(str, strata.counts))}",
            )
        wanted = self.classes or tuple(strata.counts)
        return _placed(strata, dict.fromkeys(wanted, self.per_class), self.seed, epoch)


class _Strata:
    """The strata of a raster: how many pixels each has where a chip fits, and where they are."""

    def __init__(
        self, source: Source, label: str, geometry: Rectangle, edges: tuple[float, ...] | None
    ) -> None:
        self.source, self.geometry, self.edges = source, geometry, edges or ()
        self.name = source.spec.find(label, "the sampler")
        spec = source.spec.variables[self.name]
        if len(spec.dims) != 2:
            raise TileError(f"{self.name!r} has dims {spec.dims}", expected="(y, x)")
        of_numbers = f"for numbers: StratifiedSampler(…, {label!r}, …, edges=(…))"
        if spec.dtype.kind not in "iub" and not edges:
            raise TileError(
                f"{self.name!r} is {spec.dtype}",
                expected="classes (integers)",
                fix="edges=(…) makes strata of it" if edges is not None else of_numbers,
            )
        (height, width), (h, w) = source.spec.shape, geometry.size
        require_fit((h, w), (height, width))
        self.rows = (h // 2, height - (h - h // 2) + 1)
        self.cols = (w // 2, width - (w - w // 2) + 1)
        self._nodata = spec.nodata_scalar
        found: dict[int, int] = {}
        for _, values in self._strips():
            classes, counts = np.unique(values[values >= 0], return_counts=True)
            for c, n in zip(classes.tolist(), counts.tolist(), strict=True):
                found[c] = found.get(c, 0) + n
        if not found:
            raise TileError(f"{self.name!r} has no data where a chip of {h} × {w} pixels fits")
        self.counts = dict(sorted(found.items()))

    def _strips(self) -> Iterator[tuple[int, Array]]:
        """Yield strips of the strata, −1 where there is none, with their first row."""
        step = max(_STRIP // self.source.spec.shape[1], 1)
        for first in range(self.rows[0], self.rows[1], step):
            rows = slice(first, min(first + step, self.rows[1]))
            values = self.source.arrays([self.name], rows, slice(*self.cols))[self.name]
            missing = (values == self._nodata) | (values != values)
            strata = np.digitize(values, self.edges) if self.edges else values.astype(np.int64)
            yield first, np.where(missing, -1, strata)

    def pixels(self, ranks: Mapping[int, list[int]]) -> dict[int, dict[int, tuple[int, int]]]:
        """Return row and column of the pixels with some ranks among all of their stratum."""
        found: dict[int, dict[int, tuple[int, int]]] = {c: {} for c in ranks}
        seen = dict.fromkeys(ranks, 0)
        for first, values in self._strips():
            for stratum, wanted in ranks.items():
                flat = np.flatnonzero(values == stratum)
                here = [r for r in wanted if seen[stratum] <= r < seen[stratum] + flat.size]
                for rank in here:
                    row, col = divmod(int(flat[rank - seen[stratum]]), values.shape[1])
                    found[stratum][rank] = (first + row, self.cols[0] + col)
                seen[stratum] += flat.size
        return found


def _shared(counts: Mapping[int, int], total: int) -> dict[int, int]:
    """Share a number out by counts: the largest remainders get what is left."""
    pixels = sum(counts.values())
    whole = {c: total * n // pixels for c, n in counts.items()}
    left = sorted(counts, key=lambda c: (-(total * counts[c] % pixels), c))
    for c in left[: total - sum(whole.values())]:
        whole[c] += 1
    return whole


def _placed(strata: _Strata, shares: Mapping[int, int], seed: int, epoch: int) -> Placed:
    drawn: list[tuple[int, int, Any]] = []
    draw = 0
    for stratum, number in shares.items():
        for _ in range(number):
            rng = generator(seed, epoch, draw)
            rank = int(rng.integers(0, strata.counts[stratum]))
            drawn.append((stratum, rank, random_dates(rng, strata.source.spec, strata.geometry.time)))
            draw += 1
    ranks: dict[int, list[int]] = {}
    for stratum, rank, _ in drawn:
        ranks.setdefault(stratum, []).append(rank)
    where = strata.pixels(ranks)
    h, w = strata.geometry.size
    chips: list[Chip] = []
    for stratum, rank, dates in drawn:
        row, col = where[stratum][rank]
        chips.append(chip_at(row - h // 2, col - w // 2, (h, w), dates=dates, origin=stratum))
    return Placed(tuple(chips))
