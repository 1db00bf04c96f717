"""Aggregations: what becomes of a pixel that lies in several chips."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from geotoolz.core import TileError, VarSpec, is_flags
from geotoolz.patch._accumulators import (
    Accumulator,
    ExtremeAccumulator,
    MedianAccumulator,
    Ring,
    SumAccumulator,
    known_scalar,
)
from geotoolz.patch._axis import Axis
from geotoolz.patch._mean_accumulator import MeanAccumulator, WideMeanAccumulator, mean_bytes, mean_dtype

Array = np.ndarray[Any, Any]
Specs = Mapping[str, VarSpec]


class Aggregation(Axis, abstract=True):
    """Base of what becomes of a pixel that lies in several chips.

    No-data (NaN, or the variable's own value) does not count: a pixel has no data where no chip has any.
    """

    @property
    def weighted(self) -> bool:
        """Whether the window has an effect."""
        return False

    @property
    def agrees(self) -> bool:
        """Whether chips that agree give what they agree on."""
        return True

    def group(self, name: str, specs: Specs) -> tuple[str, ...]:
        """Return the variables that are put together with `name`, itself first."""
        return (name,)

    def output(self, name: str, spec: VarSpec) -> VarSpec:
        """Return what a variable becomes.

        Raises
        ------
        TileError
            If the aggregation does not fit the variable.
        """
        raise NotImplementedError(f"{type(self).__name__} has no output")

    def stays(self, spec: VarSpec) -> bool:
        """Whether finished rows may stay where they were made, because they are in the output's type."""
        return False

    @property
    def checks(self) -> bool:
        """Whether `check` looks at the pixels."""
        return False

    def check(self, name: str, values: Array, spec: VarSpec) -> None:
        """Raise for the pixels of a chip that cannot be put together.

        Raises
        ------
        TileError
            If they do not fit the aggregation, such as labels that are no class.
        """

    def settle(self, name: str, values: Array, spec: VarSpec) -> Array:
        """Return the pixels of a chip that needs no other: what several that agree would give."""
        return values

    def accumulator(self, names: tuple[str, ...], specs: Specs, ring: Ring) -> Accumulator:
        """Return an empty accumulator for a group of variables as chips have them."""
        raise NotImplementedError(f"{type(self).__name__} has no accumulator")

    def held(self, specs: tuple[VarSpec, ...], ring: Ring) -> int:
        """Return the bytes that the accumulator takes."""
        raise NotImplementedError(f"{type(self).__name__} takes no memory")


def require_numbers(name: str, spec: VarSpec, who: str) -> None:
    if spec.dtype.kind not in "iuf":
        raise TileError(
            f"{who} puts {name!r} together, which is {spec.dtype}",
            expected="numbers",
            fix="HardVote(2) for true and false" if spec.dtype == bool else "",
        )


class Mean(Aggregation):
    """Overlap-add: the mean, weighted by the window.

    A running mean ``m += (x - m) · w / Σw``, along x over the chips of a row and then along y over the rows:
    where the chips agree the result has their bits, for every type, window and overlap. Integers are rounded
    once, at the end; those of 64 bits at every step. Whole numbers that say neither a quantity nor units
    are averaged only where this is asked for by name: they may be labels.

    Examples
    --------
    >>> from geotoolz.patch import Hann, Mean, Stitcher
    >>> Stitcher(Hann(), Mean())
    Stitcher(window=Hann(), aggregation=Mean())
    """

    @property
    def weighted(self) -> bool:
        """The window weighs."""
        return True

    def output(self, name: str, spec: VarSpec) -> VarSpec:
        """Return the variable as it is; classes have no mean."""
        require_numbers(name, spec, "Mean")
        if spec.quantity == "classes" or is_flags(name, spec):
            raise TileError(
                f"Mean would average the classes of {name!r}",
                expected="measurements",
                fix=f"Stitcher(per_variable={{{name!r}: HardVote(n_classes=…)}})",
            )
        return spec

    def accumulator(self, names: tuple[str, ...], specs: Specs, ring: Ring) -> Accumulator:
        """Return running means."""
        spec = specs[names[0]]
        wide = mean_dtype(spec.dtype).kind in "iu"
        return WideMeanAccumulator(spec, ring) if wide else MeanAccumulator(spec, ring)

    def stays(self, spec: VarSpec) -> bool:
        """Floats are what they are, unless a number stands for no-data."""
        plain = spec.nodata is None or spec.nodata != spec.nodata
        return plain and spec.dtype.kind == "f" and mean_dtype(spec.dtype) == spec.dtype

    def held(self, specs: tuple[VarSpec, ...], ring: Ring) -> int:
        """Return the bytes of the means and of the weights that gaps take away."""
        return mean_bytes(specs[0].dtype, ring)


class Sum(Aggregation):
    """Sum over all chips: how often something was found, not blended.

    Integers become int64 (unsigned ones uint64).

    Examples
    --------
    >>> from geotoolz.patch import Sum
    >>> Sum().agrees
    False
    """

    @property
    def agrees(self) -> bool:
        """The sum grows with the overlap."""
        return False

    def output(self, name: str, spec: VarSpec) -> VarSpec:
        """Return the variable with room for the sum."""
        require_numbers(name, spec, "Sum")
        wide = {"i": np.dtype(np.int64), "u": np.dtype(np.uint64)}
        return replace(spec, dtype=wide.get(spec.dtype.kind, spec.dtype))

    def accumulator(self, names: tuple[str, ...], specs: Specs, ring: Ring) -> Accumulator:
        """Return sums."""
        spec = specs[names[0]]
        return SumAccumulator(self.output(names[0], spec), ring, known_scalar(spec))

    def held(self, specs: tuple[VarSpec, ...], ring: Ring) -> int:
        """Return the bytes of sums and counts."""
        return ring.pixels * 10


class _Extreme(Aggregation, abstract=True):
    _highest = False

    def output(self, name: str, spec: VarSpec) -> VarSpec:
        """Return the variable as it is."""
        if spec.dtype.kind == "c":
            require_numbers(name, spec, type(self).__name__)
        return spec

    def accumulator(self, names: tuple[str, ...], specs: Specs, ring: Ring) -> Accumulator:
        """Return the values found so far."""
        return ExtremeAccumulator(specs[names[0]], ring, self._highest)

    def held(self, specs: tuple[VarSpec, ...], ring: Ring) -> int:
        """Return the bytes of the values."""
        return ring.pixels * specs[0].dtype.itemsize


class Min(_Extreme):
    """Lowest value of all chips.

    Examples
    --------
    >>> from geotoolz.patch import Min
    >>> Min().weighted
    False
    """


class Max(_Extreme):
    """Highest value of all chips.

    Examples
    --------
    >>> from geotoolz.patch import Max
    >>> Max().weighted
    False
    """

    _highest = True


class Median(Aggregation):
    """Median of all chips; of two middle values their mean.

    Holds as many values per pixel as chips lie over it, for the unfinished rows only.

    Examples
    --------
    >>> from geotoolz.patch import Median
    >>> Median().agrees
    True
    """

    def output(self, name: str, spec: VarSpec) -> VarSpec:
        """Return the variable as it is."""
        require_numbers(name, spec, "Median")
        return spec

    def accumulator(self, names: tuple[str, ...], specs: Specs, ring: Ring) -> Accumulator:
        """Return sorted values."""
        return MedianAccumulator(specs[names[0]], ring)

    def held(self, specs: tuple[VarSpec, ...], ring: Ring) -> int:
        """Return the bytes of all values and their number."""
        return ring.pixels * (ring.overlap * specs[0].dtype.itemsize + 2)
