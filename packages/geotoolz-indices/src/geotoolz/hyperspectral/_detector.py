"""What the matched filter and the adaptive coherence estimator share."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, ClassVar, Literal

import numpy as np

from geotoolz.core import (
    ArrayParam,
    Freezable,
    FrozenArray,
    ParameterError,
    Plan,
    QuantityError,
    Reduce,
    Ref,
    Role,
    TileError,
    TileSpec,
    VarSpec,
    as_array,
    require_physical,
)
from geotoolz.hyperspectral._background import Background, BackgroundStatistics
from geotoolz.hyperspectral._cube import Cube, Ranges, bands_in, check_ranges, cube_of, grid_label, same_grid
from geotoolz.hyperspectral._linear import times, whitening
from geotoolz.hyperspectral._target import Resampling, check_target, prepared, require_finite, target_on

Array = np.ndarray[Any, Any]

_UNITS = 1000.0
"""Spectra of one kind differ less; reflectance differs more from numbers that stand for ten-thousandths."""


class Detector(Freezable, abstract=True):
    """Base of detectors that compare pixels with a target before a background."""

    spectrum: ArrayParam
    cube: Role | None = None
    name: str = "detector"
    ranges: Ranges | None = None
    resample: Resampling | None = None
    shrinkage: float = 0.0
    sample_cell: int = 1
    background: ArrayParam = None
    scope: Literal["tile", "catalog"] = "tile"

    long_name: ClassVar[str] = ""

    def prepare(self, values: dict[str, Any]) -> dict[str, Any]:
        """Accept statistics as background, lists and DataArrays as target."""
        if isinstance(values["background"], BackgroundStatistics):
            values["background"] = values["background"].array()
        return prepared(values)

    def validate(self) -> None:
        """Check what can be checked without a tile."""
        label = type(self).__name__
        check_target(self.spectrum, label)
        check_ranges(self.ranges, label)
        if not 0 <= self.shrinkage < 1:
            raise ParameterError(f"{label}: shrinkage={self.shrinkage}", expected="0 to below 1")
        held = self.background
        if isinstance(held, FrozenArray) and (len(held.shape) != 2 or held.shape[1] != held.shape[0] + 2):
            raise ParameterError(
                f"{label}: the background has shape {held.shape}",
                expected="bands × (wavelength, mean, covariance)",
                fix="give what Background()(tile) returns",
            )

    @property
    def is_frozen(self) -> bool:
        """Whether the background is known."""
        return self.background is not None

    def statistics(self, tile: TileSpec) -> Reduce:
        """Return the background to gather."""
        return Background(self.cube, self.ranges, self.sample_cell)

    def freeze(self: Any, result: BackgroundStatistics) -> Any:
        """Return the step with its background bound; a singular covariance is refused here."""
        label = type(self).__name__
        if result.n:
            whitening(result.covariance, self.shrinkage, label, result.n)
        return self.replace(background=result.array())

    def plan(self, tile: TileSpec) -> Plan:
        """Read the cube, write one number per pixel; unfrozen, the background follows at freezing."""
        label = type(self).__name__
        cube = cube_of(tile, self.cube, label)
        notes = require_physical(tile, (cube.name,), label)
        target = target_on(self._target, cube, self.resample, label)
        bands = bands_in(cube.wavelengths, self.ranges, label)
        attrs = {"long_name": self.long_name, "units": "1", "quantity": "index"}
        args: tuple[Any, ...] = ()
        if self.background is not None:
            args = (cube.spec.nodata_scalar, *self._bound(self.background, cube, bands, target))
        return Plan((cube.name,), {self.name: VarSpec(cube.dims, attrs=attrs)}, args, notes=notes)

    @property
    def _target(self) -> FrozenArray | Ref:
        if self.spectrum is None:
            raise ParameterError(f"{type(self).__name__} has no target", expected="a spectrum")
        return self.spectrum

    def _bound(
        self, background: FrozenArray | Ref, cube: Cube, bands: Array, target: Array
    ) -> tuple[Array, ...]:
        """Return the bands that are used, and what the kernel needs for them."""
        label = type(self).__name__
        held = as_array(background)
        if held.ndim != 2 or not same_grid(held[:, 0], cube.wavelengths):
            raise TileError(
                f"{label}: the background is of {grid_label(held[:, 0])}",
                expected=f"the bands of {cube.name!r}: {grid_label(cube.wavelengths)}",
                fix="freeze on cubes of this sensor",
            )
        used = bands[np.isfinite(held[bands, 1])]
        if not used.size:  # a tile without a valid pixel, frozen on itself
            return (used, *self.filter(np.zeros(0), np.zeros(0), np.zeros((0, 0))))
        mean, aim = held[used, 1], target[used]
        require_finite(aim, cube.wavelengths[used], label)
        _require_units(label, aim, mean, np.diagonal(held[np.ix_(used, used + 2)]))
        white = _white(background, tuple(used.tolist()), self.shrinkage, label)
        if not np.any(aim != mean):
            raise TileError(f"{label}: the target is the mean of the background", expected="another spectrum")
        return (used, *self.filter(mean, aim, white))

    def filter(self, mean: Array, target: Array, white: Array) -> tuple[Array, ...]:
        """Return what the kernel needs after the bands, for the bands that are used."""
        raise NotImplementedError(f"{type(self).__name__} has no filter")


def _require_units(label: str, target: Array, mean: Array, variance: Array) -> None:
    """Raise where target and background cannot be in the same units: reflectance and stored numbers."""
    there, here = float(np.abs(target).max()), float(np.sqrt((mean * mean + variance).max()))
    if there * _UNITS < here or here * _UNITS < there:
        raise QuantityError(
            f"{label}: the target reaches {there:.3g}, and the background {here:.3g}",
            expected="both in the same units",
            fix="bring the cube to reflectance, or the target to the cube's numbers",
        )


@lru_cache(maxsize=8)
def _white(background: FrozenArray | Ref, used: tuple[int, ...], shrinkage: float, label: str) -> Array:
    held, at = as_array(background), np.array(used)
    return whitening(held[np.ix_(at, at + 2)], shrinkage, label)


def whitened(white: Array, difference: Array) -> Array:
    """Return a whitened spectrum."""
    out: Array = times(white, difference)
    return out
