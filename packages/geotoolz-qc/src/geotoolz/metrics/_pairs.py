"""What metrics share that compare two variables pixel by pixel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np

from geotoolz.core import Plan, Reduce, Role, TileError, TileSpec, VarSpec, flat_view
from geotoolz.core._lazy import xr
from geotoolz.metrics import _kernels
from geotoolz.metrics._exact import ExactSum

Array = np.ndarray[Any, Any]
_BATCH = 1 << 16
"""Pixels at once: what lies between stays in the cache."""


class PairReduce(Reduce, abstract=True):
    """A statistic of two variables of one tile, or of the bands that two tiles have in common."""

    predicted: Role = "predicted"
    truth: Role = "truth"

    block_pixels: ClassVar[int] = 1 << 20

    def plan(self, tile: TileSpec) -> Plan:
        """Read both variables; doubt pairs of different quantities."""
        names = self.names(tile)
        one, two = (tile.variables[name] for name in names)
        if one.dims != two.dims:
            raise TileError(
                f"{names[0]} has dims {one.dims}, {names[1]} has {two.dims}",
                expected="two variables of equal dims",
            )
        for name in names:
            require_numbers(name, tile.variables[name], type(self).__name__)
        return Plan(names, notes=_doubts(names, one, two))

    def names(self, tile: TileSpec) -> tuple[str, str]:
        """Return the two variables."""
        who = type(self).__name__
        return tile.find(self.predicted, who), tile.find(self.truth, who)

    def nodata(self, tile: TileSpec) -> tuple[float, float]:
        """Return the no-data values of both."""
        one, two = self.names(tile)
        return tile.variables[one].nodata_scalar, tile.variables[two].nodata_scalar

    def __call__(self, tile: xr.Dataset, other: xr.Dataset | None = None, /) -> Any:
        """Return the statistic of a tile, or of the bands of two tiles, all taken together.

        Parameters
        ----------
        tile : xarray.Dataset
            The tile with both variables; with a second one the predicted tile.
        other : xarray.Dataset, optional
            The true tile on the same grid. The names of the variables do not matter then: bands of
            one name are compared.
        """
        if other is None:
            return super().__call__(tile)
        from geotoolz.metrics._compare import pooled

        return pooled(self, tile, other)


def _doubts(names: tuple[str, str], one: VarSpec, two: VarSpec) -> tuple[str, ...]:
    kinds = [spec.attrs.get("quantity") for spec in (one, two)]
    if None in kinds or kinds[0] == kinds[1]:
        return ()
    return (f"{names[0]} holds {kinds[0]}, {names[1]} holds {kinds[1]}: are they comparable?",)


def require_numbers(name: str, spec: VarSpec, who: str) -> None:
    """Raise for a variable whose values cannot be computed with."""
    if spec.dtype.kind not in "biuf" or spec.dtype == np.float16:
        raise TileError(
            f"{who} cannot read {name}, which is {spec.dtype}", expected="bool, integers or floats"
        )


def batches(*arrays: Array) -> Iterator[tuple[Array, ...]]:
    """Yield flat parts of arrays of one size that fit the cache."""
    flat = [flat_view(array) for array in arrays]
    for begin in range(0, flat[0].size, _BATCH):
        yield tuple(one[begin : begin + _BATCH] for one in flat)


class PairSums:
    """Sums over the valid pairs of two variables; which ones, the terms say."""

    def __init__(self, nodata: tuple[float, float], terms: tuple[str, ...]) -> None:
        self.nodata = nodata
        self.n = self.left_out = 0
        self.sums = {term: ExactSum() for term in terms}

    def take(self, predicted: Array, truth: Array) -> None:
        """Take in the pairs of a block."""
        room = min(predicted.size, _BATCH)
        buffers = [np.empty(room) for _ in range(4)]
        for a, b in batches(predicted, truth):
            n = int(_kernels.differences(a, b, *self.nodata, buffers[0], buffers[1]))
            self.n += n
            self.left_out += a.size - n
            self._add(*(buffer[:n] for buffer in buffers))

    def _add(self, off: Array, true: Array, high: Array, low: Array) -> None:
        for term, total in self.sums.items():
            if term == "off":
                total.add(off)
            elif term == "size":
                total.add(np.abs(off))
            elif term == "truth":
                total.add(true)
            elif term == "off²":  # differences are rounded to float64 already, and so are their squares
                with np.errstate(over="ignore"):
                    total.add(np.multiply(off, off, out=high))
            else:  # the spread is a small difference of large sums: exact squares
                _kernels.squares(true, high, low)
                total.add(high)
                if low.any():
                    total.add(low)

    def merge(self, other: PairSums) -> None:
        """Add what another worker has found."""
        self.n, self.left_out = self.n + other.n, self.left_out + other.left_out
        for term, total in self.sums.items():
            total.merge(other.sums[term])
