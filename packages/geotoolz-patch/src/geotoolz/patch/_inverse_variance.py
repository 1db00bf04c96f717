"""Means of what is known with a known precision."""

from __future__ import annotations

import numpy as np

from geotoolz.core import MissingVariableError, TileError, VarSpec
from geotoolz.patch import _kernels
from geotoolz.patch._accumulators import Accumulator, Ring, known
from geotoolz.patch._aggregations import Aggregation, Specs
from geotoolz.patch._place import Array, Place


class PreciseAccumulator(Accumulator):
    """Mean weighted by the inverse of the variance, and the variance of that mean."""

    def __init__(self, spec: VarSpec, ring: Ring, variance: VarSpec) -> None:
        super().__init__(spec, ring)
        self._variance = variance
        self._acc, self._weight = np.zeros(ring.shape), np.zeros(ring.shape)

    def add(self, chips: tuple[Array, ...], place: Place) -> None:
        """Add a chip's values by their variances."""
        value, variance = (place.of(known(chip)) for chip in chips)
        if self.spec.nodata is not None and self.nodata == self.nodata:
            value = np.where(value == self.nodata, np.nan, value)
        if self._variance.nodata is not None:
            variance = np.where(variance == self._variance.nodata_scalar, np.nan, variance)
        _kernels.precise_add(
            self._acc, self._weight, value, variance, place.row, place.col, place.y.weights, place.x.weights
        )

    def take(self, row: int, count: int) -> tuple[Array, ...]:
        """Return the means and their variances."""
        weight = self.rows(self._weight, row, count)
        empty = weight == 0
        mean = np.where(empty, np.nan, self.rows(self._acc, row, count))
        spread = np.divide(1.0, weight, out=np.full(weight.shape, np.nan), where=~empty)
        weight[...] = 0
        fill = self._variance.nodata
        spread = np.where(empty, np.nan if fill is None else fill, spread).astype(self._variance.dtype)
        return self.finished(mean, empty), spread


class InverseVariance(Aggregation):
    """Mean weighted by the inverse of the variance, and by the window.

    The chip operator writes ``name`` and ``name + suffix``, the variance. The result's variance is
    ``1 / Σ(w/σ²)``: that of independent estimates, which chips of one image hardly are.

    Parameters
    ----------
    suffix : str
        What the variance's name has more than the variable's.

    Raises
    ------
    MissingVariableError
        If a variable has no variance.

    Examples
    --------
    >>> from geotoolz.patch import InverseVariance
    >>> InverseVariance().suffix
    '_variance'
    """

    suffix: str = "_variance"

    @property
    def weighted(self) -> bool:
        """The window weighs."""
        return True

    @property
    def agrees(self) -> bool:
        """The variance shrinks with the overlap."""
        return False

    def group(self, name: str, specs: Specs) -> tuple[str, ...]:
        """Return the variable and its variance."""
        if name.endswith(self.suffix) and name[: -len(self.suffix)] in specs:
            return self.group(name[: -len(self.suffix)], specs)
        if name + self.suffix not in specs:
            raise MissingVariableError(
                f"InverseVariance puts {name!r} together, and there is no {name + self.suffix!r} among "
                f"{', '.join(specs)}",
                fix="write the variance too, or give the variable another aggregation",
            )
        return (name, name + self.suffix)

    def output(self, name: str, spec: VarSpec) -> VarSpec:
        """Return the variable as it is."""
        if spec.dtype.kind != "f":
            raise TileError(f"InverseVariance puts {name!r} together, {spec.dtype}", expected="floats")
        return spec

    def accumulator(self, names: tuple[str, ...], specs: Specs, ring: Ring) -> Accumulator:
        """Return running means and weights."""
        return PreciseAccumulator(specs[names[0]], ring, specs[names[1]])

    def held(self, specs: tuple[VarSpec, ...], ring: Ring) -> int:
        """Return the bytes of means and weights."""
        return ring.pixels * 16
