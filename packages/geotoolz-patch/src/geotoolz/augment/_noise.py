"""Noise of the sensor."""

from __future__ import annotations

import math

from geotoolz.augment import _kernels
from geotoolz.augment._bands import BACKSCATTER, radiometric_bands, stored_per_unit
from geotoolz.augment._base import Gated
from geotoolz.augment._draws import Draws, check_span
from geotoolz.augment._jitter import Span, per_band
from geotoolz.core import Call, ParameterError, Plan, TileSpec, VarSpec


class GaussianNoise(Gated):
    """Add normally distributed noise to every pixel.

    Reads and writes bands with reflectance, radiance or backscatter in their own type; units, no-data and
    all other variables stay. The noise of a pixel is a function of its absolute place; every date of a stack
    has its own.

    Parameters
    ----------
    sigma : float or tuple of float
        Standard deviation in the bands' units, or the range that one is drawn from.
    per_band : bool
        Noise of its own for each band, not one field for all.
    bands : sequence of str, optional
        By default all bands with reflectance, radiance or backscatter.
    p : float
        Probability that it is done.
    seed : int
        Seed of the draws.

    Raises
    ------
    ParameterError
        If a standard deviation is negative.
    MissingVariableError
        If the tile has no such band.

    References
    ----------
    Wichura, M. J. (1988). Algorithm AS 241: The percentage points of the normal distribution. Applied
    Statistics 37, 477–484.

    Examples
    --------
    >>> from geotoolz.augment import GaussianNoise
    >>> from geotoolz.core.testing import simulate_scene
    >>> tile = simulate_scene((64, 64), bands=("red",))
    >>> noise = GaussianNoise(0.01)(tile) - tile
    >>> round(float(noise.red.std()), 3)
    0.01
    """

    sigma: float | Span = 0.01
    per_band: bool = True
    bands: tuple[str, ...] | None = None

    def validate(self) -> None:
        """Check the standard deviations."""
        super().validate()
        check_span("sigma", self._span, 0.0, math.inf)

    @property
    def _span(self) -> Span:
        return self.sigma if isinstance(self.sigma, tuple) else (self.sigma, self.sigma)

    def drawn(self, tile: TileSpec, draws: Draws) -> Plan:
        """Add noise to every band."""
        names, notes = radiometric_bands(tile, self.bands, "GaussianNoise")
        sigma = draws.between(self._span, "sigma")

        def call(name: str, spec: VarSpec) -> Call:
            keys = draws.keys(planes(tile, spec), "noise", *((name,) if self.per_band else ()))
            args = (spec.nodata_scalar, keys, sigma * stored_per_unit(spec))
            return Call((name,), (name,), _kernels.noisy, args, located=True)

        return per_band(tile, names, notes, call)


class SpeckleNoise(Gated):
    """Multiply radar backscatter by speckle: gamma distributed with mean 1 and variance 1 / looks.

    Reads and writes bands with backscatter (intensity) in their own type; units, no-data and all other
    variables stay. In decibels the speckle's decibels are added. The speckle of a pixel is a function of its
    absolute place; every date of a stack, and every polarisation, has its own.

    Parameters
    ----------
    looks : int
        Number of looks: the fewer, the more speckle.
    bands : sequence of str, optional
        By default all bands with backscatter.
    p : float
        Probability that it is done.
    seed : int
        Seed of the draws.

    Raises
    ------
    ParameterError
        If there is less than one look, or more than 1000.
    MissingVariableError
        If the tile has no such band.

    References
    ----------
    Goodman, J. W. (1976). Some fundamental properties of speckle. Journal of the Optical Society of America
    66, 1145–1150.

    Examples
    --------
    >>> from geotoolz.augment import SpeckleNoise
    >>> from geotoolz.core.testing import simulate_scene
    >>> radar = simulate_scene((64, 64), bands=("red",)).rename(red="vv") * 0 + 1
    >>> radar.vv.attrs = {"quantity": "backscatter"}
    >>> round(float(SpeckleNoise(4)(radar).vv.var()), 1)
    0.2
    """

    looks: int = 4
    bands: tuple[str, ...] | None = None

    def validate(self) -> None:
        """Check the number of looks."""
        super().validate()
        if not 1 <= self.looks <= 1000:
            raise ParameterError(f"looks={self.looks}", expected="a whole number from 1 to 1000")

    def drawn(self, tile: TileSpec, draws: Draws) -> Plan:
        """Multiply every band by speckle."""
        names, notes = radiometric_bands(tile, self.bands, "SpeckleNoise", BACKSCATTER)

        def call(name: str, spec: VarSpec) -> Call:
            keys = draws.keys(planes(tile, spec), "speckle", name)
            args = (spec.nodata_scalar, keys, self.looks, spec.attrs.get("units") == "dB")
            return Call((name,), (name,), _kernels.speckled, args, located=True)

        return per_band(tile, names, notes, call)


def planes(tile: TileSpec, spec: VarSpec) -> int:
    """Return how many planes of rows and columns a variable has."""
    return math.prod(tile.sizes[dim] for dim in spec.dims[:-2])
