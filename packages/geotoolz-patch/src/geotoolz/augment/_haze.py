"""Light that the air adds."""

from __future__ import annotations

import math

from geotoolz.augment import _kernels
from geotoolz.augment._bands import REFLECTANCE, radiometric_bands, stored_per_unit, wavelength_of
from geotoolz.augment._base import Gated
from geotoolz.augment._draws import Draws, check_span
from geotoolz.augment._jitter import Span, per_band
from geotoolz.core import Call, Plan, TileSpec, VarSpec

_BLUE = 490.0


class AtmosphericHaze(Gated):
    """Veil the tile evenly: ``(1 − h) · value + h · airlight``, less in longer wavelengths.

    Reads and writes bands with reflectance in their own type; units, no-data and all other variables stay,
    and so do bands whose wavelength is not known (``wavelength_nm``, or a common name). The veil is
    ``h = strength · (490 nm / wavelength) ^ exponent``, 0.99 at most: the exponent is 4 in clear air that
    scatters at molecules, 1 and less in haze.

    Parameters
    ----------
    strength : tuple of float
        Lowest and highest share of airlight in the blue band.
    exponent : tuple of float
        Lowest and highest exponent.
    airlight : float
        Reflectance of the thickest haze.
    bands : sequence of str, optional
        By default all bands with reflectance.
    p : float
        Probability that it is done.
    seed : int
        Seed of the draws.

    Raises
    ------
    ParameterError
        If a range is not in order, or a share not from 0 to 1.
    MissingVariableError
        If the tile has no such band.

    References
    ----------
    Chavez, P. S. (1988). An improved dark-object subtraction technique for atmospheric scattering correction
    of multispectral data. Remote Sensing of Environment 24, 459–479.

    Examples
    --------
    >>> from geotoolz.augment import AtmosphericHaze
    >>> from geotoolz.core.testing import simulate_scene
    >>> tile = simulate_scene((8, 8), bands=("blue", "swir22"))
    >>> added = AtmosphericHaze((0.2, 0.3))(tile) - tile
    >>> bool(added.blue.mean() > abs(added.swir22.mean()))
    True
    """

    strength: Span = (0.0, 0.3)
    exponent: Span = (0.5, 2.0)
    airlight: float = 0.6
    bands: tuple[str, ...] | None = None

    def validate(self) -> None:
        """Check the ranges."""
        super().validate()
        check_span("strength", self.strength, 0.0, 1.0)
        check_span("exponent", self.exponent, 0.0, 10.0)
        check_span("airlight", (self.airlight, self.airlight), 0.0, math.inf)

    def drawn(self, tile: TileSpec, draws: Draws) -> Plan:
        """Veil every band."""
        names, notes = radiometric_bands(tile, self.bands, "AtmosphericHaze", REFLECTANCE)
        strength, exponent = (
            draws.between(self.strength, "strength"),
            draws.between(self.exponent, "exponent"),
        )
        lengths = {name: wavelength_of(tile, name) for name in names}
        unknown = tuple(f"the wavelength of {n!r} is not known; no haze" for n in names if not lengths[n])

        def call(name: str, spec: VarSpec) -> Call:
            veil = min(strength * (_BLUE / (lengths[name] or _BLUE)) ** exponent, 0.99)
            offset = veil * self.airlight * stored_per_unit(spec)
            return Call((name,), (name,), _kernels.scaled, (spec.nodata_scalar, 1.0 - veil, offset))

        return per_band(tile, tuple(n for n in names if lengths[n]), (*notes, *unknown), call)
