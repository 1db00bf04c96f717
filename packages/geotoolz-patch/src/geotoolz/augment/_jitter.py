"""Brightness, contrast, and the calibration of single bands."""

from __future__ import annotations

import math
from collections.abc import Callable

from geotoolz.augment import _kernels
from geotoolz.augment._bands import radiometric_bands, stored_per_unit
from geotoolz.augment._base import Gated
from geotoolz.augment._draws import Draws, check_span
from geotoolz.core import WHOLE, Call, Plan, TileSpec, VarSpec

Span = tuple[float, float]


def per_band(
    tile: TileSpec, names: tuple[str, ...], notes: tuple[str, ...], call: Callable[[str, VarSpec], Call]
) -> Plan:
    """Return the plan of an operator that changes values of bands and nothing else of them."""
    writes = {name: tile.variables[name] for name in names}
    return Plan(writes=writes, calls=tuple(call(n, v) for n, v in writes.items()), notes=notes)


def _scaling(name: str, spec: VarSpec, gain: float, offset: float) -> Call:
    """Return the call for ``gain · value + offset``; in decibels a gain is a shift."""
    if spec.attrs.get("units") == "dB":
        gain, offset = 1.0, offset + 10.0 * math.log10(gain)
    args = (spec.nodata_scalar, gain, offset * stored_per_unit(spec))
    return Call((name,), (name,), _kernels.scaled, args)


class BrightnessJitter(Gated):
    """Multiply the bands by a random factor, as other light does.

    Reads and writes bands with reflectance, radiance or backscatter in their own type; units, no-data and
    all other variables stay. Backscatter in decibels is shifted by the factor's decibels. Integers are
    rounded and never wrap.

    Parameters
    ----------
    factor : tuple of float
        Lowest and highest factor.
    per_band : bool
        Draw a factor for each band, not one for all.
    bands : sequence of str, optional
        By default all bands with reflectance, radiance or backscatter.
    p : float
        Probability that it is done.
    seed : int
        Seed of the draws.

    Raises
    ------
    ParameterError
        If the factors are not positive or not in order.
    MissingVariableError
        If the tile has no such band.

    Examples
    --------
    >>> from geotoolz.augment import BrightnessJitter
    >>> from geotoolz.core.testing import simulate_scene
    >>> tile = simulate_scene((8, 8), bands=("red", "nir"))
    >>> factor = BrightnessJitter((0.5, 0.6))(tile) / tile
    >>> bool(((factor.nir > 0.49) & (factor.nir < 0.61)).all())
    True
    """

    factor: Span = (0.85, 1.15)
    per_band: bool = False
    bands: tuple[str, ...] | None = None

    def validate(self) -> None:
        """Check the factors."""
        super().validate()
        check_span("factor", self.factor, 0.0, math.inf, positive=True)

    def drawn(self, tile: TileSpec, draws: Draws) -> Plan:
        """Multiply every band."""
        names, notes = radiometric_bands(tile, self.bands, "BrightnessJitter")

        def call(name: str, spec: VarSpec) -> Call:
            gain = draws.between(self.factor, "factor", *((name,) if self.per_band else ()))
            return _scaling(name, spec, gain, 0.0)

        return per_band(tile, names, notes, call)


class ContrastJitter(Gated):
    """Move the values of the bands away from a centre, or towards it: ``centre + factor · (value − centre)``.

    Reads and writes bands with reflectance, radiance or backscatter in their own type; units, no-data and
    all other variables stay. The centre is the mean of each band over the tile (of every date of its own),
    so the step needs the whole tile; with a fixed `centre` it runs in windows too.

    Parameters
    ----------
    factor : tuple of float
        Lowest and highest factor, one draw for all bands.
    centre : float, optional
        The value that stays what it is, in the bands' units; by default each band's mean.
    bands : sequence of str, optional
        By default all bands with reflectance, radiance or backscatter.
    p : float
        Probability that it is done.
    seed : int
        Seed of the draws.

    Raises
    ------
    ParameterError
        If the factors are negative or not in order.
    MissingVariableError
        If the tile has no such band.

    Examples
    --------
    >>> from geotoolz.augment import ContrastJitter
    >>> from geotoolz.core.testing import simulate_scene
    >>> tile = simulate_scene((8, 8), bands=("red",))
    >>> flat = ContrastJitter((0.0, 0.0))(tile)
    >>> bool(abs(flat.red - tile.red.mean()).max() < 1e-6)
    True
    """

    factor: Span = (0.8, 1.25)
    centre: float | None = None
    bands: tuple[str, ...] | None = None

    def validate(self) -> None:
        """Check the factors."""
        super().validate()
        check_span("factor", self.factor, 0.0, math.inf)

    def drawn(self, tile: TileSpec, draws: Draws) -> Plan:
        """Stretch every band about its centre."""
        names, notes = radiometric_bands(tile, self.bands, "ContrastJitter")
        factor = draws.between(self.factor, "factor")

        def call(name: str, spec: VarSpec) -> Call:
            if self.centre is None:
                args = (spec.nodata_scalar, factor)
                return Call((name,), (name,), _kernels.stretched_about_mean, args, WHOLE)
            offset = (1.0 - factor) * self.centre * stored_per_unit(spec)
            return Call((name,), (name,), _kernels.scaled, (spec.nodata_scalar, factor, offset))

        return per_band(tile, names, notes, call)


class BandJitter(Gated):
    """Give each band a calibration error of its own: ``gain · value + offset``.

    Reads and writes bands with reflectance, radiance or backscatter in their own type; units, no-data and
    all other variables stay.

    Parameters
    ----------
    gain : tuple of float
        Lowest and highest gain.
    offset : tuple of float
        Lowest and highest offset, in the bands' units.
    bands : sequence of str, optional
        By default all bands with reflectance, radiance or backscatter.
    p : float
        Probability that it is done.
    seed : int
        Seed of the draws.

    Raises
    ------
    ParameterError
        If a range is not in order, or a gain not positive.
    MissingVariableError
        If the tile has no such band.

    Examples
    --------
    >>> from geotoolz.augment import BandJitter
    >>> from geotoolz.core.testing import simulate_scene
    >>> tile = simulate_scene((8, 8), bands=("red", "nir"))
    >>> moved = BandJitter(gain=(1.0, 1.0), offset=(0.1, 0.2))(tile) - tile
    >>> bool((moved.red > 0.09).all()), bool((moved.red.mean() == moved.nir.mean()).all())
    (True, False)
    """

    gain: Span = (0.95, 1.05)
    offset: Span = (-0.01, 0.01)
    bands: tuple[str, ...] | None = None

    def validate(self) -> None:
        """Check the ranges."""
        super().validate()
        check_span("gain", self.gain, 0.0, math.inf, positive=True)
        check_span("offset", self.offset, -math.inf, math.inf)

    def drawn(self, tile: TileSpec, draws: Draws) -> Plan:
        """Scale and shift every band."""
        names, notes = radiometric_bands(tile, self.bands, "BandJitter")

        def call(name: str, spec: VarSpec) -> Call:
            gain, offset = draws.between(self.gain, "gain", name), draws.between(self.offset, "offset", name)
            return _scaling(name, spec, gain, offset)

        return per_band(tile, names, notes, call)
