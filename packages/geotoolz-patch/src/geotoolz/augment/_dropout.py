"""Bands that are missing."""

from __future__ import annotations

import math

import numpy as np

from geotoolz.augment import _kernels
from geotoolz.augment._bands import radiometric_bands
from geotoolz.augment._base import Gated
from geotoolz.augment._draws import Draws, check_chance
from geotoolz.augment._jitter import per_band
from geotoolz.core import Call, ParameterError, Plan, TileSpec, VarSpec


class BandDropout(Gated):
    """Leave out bands at random, as if they had not been delivered; one at least stays.

    Reads and writes bands with reflectance, radiance or backscatter. A band that is left out stays in the
    tile and has no data, or holds `value` wherever it had data.

    Parameters
    ----------
    rate : float
        Probability of each band to be left out.
    value : float, optional
        What a band that is left out holds, as it is stored; by default its no-data value.
    bands : sequence of str, optional
        By default all bands with reflectance, radiance or backscatter.
    p : float
        Probability that it is done.
    seed : int
        Seed of the draws.

    Raises
    ------
    ParameterError
        If the rate is no probability, or `value` does not fit a band.
    MissingVariableError
        If the tile has no such band.

    Examples
    --------
    >>> from geotoolz.augment import BandDropout
    >>> from geotoolz.core.testing import simulate_scene
    >>> tile = simulate_scene((8, 8), bands=("red", "green", "nir"))
    >>> left = BandDropout(1.0)(tile)
    >>> sum(bool(band.notnull().any()) for band in left.data_vars.values())
    1
    """

    rate: float = 0.1
    value: float | None = None
    bands: tuple[str, ...] | None = None

    def validate(self) -> None:
        """Check the rate."""
        super().validate()
        check_chance("rate", self.rate)

    def drawn(self, tile: TileSpec, draws: Draws) -> Plan:
        """Empty some bands."""
        names, notes = radiometric_bands(tile, self.bands, "BandDropout")
        lots = {name: draws.unit("rate", name) for name in names}
        spared = max(lots, key=lambda name: lots[name])
        gone = tuple(name for name in names if lots[name] < self.rate and name != spared)

        def call(name: str, spec: VarSpec) -> Call:
            value = self._value_of(name, spec)
            return Call((name,), (name,), _kernels.filled, (spec.nodata_scalar, value))

        return per_band(tile, gone, notes, call)

    def _value_of(self, name: str, spec: VarSpec) -> float:
        value = spec.nodata if self.value is None else self.value
        if value is None:
            raise ParameterError(
                f"BandDropout empties {name!r} ({spec.dtype}), which has no no-data value",
                expected="a value for bands that are left out",
                fix=f"BandDropout(value=0), or ds[{name!r}].rio.write_nodata(…)",
            )
        if spec.dtype.kind in "iu":
            info = np.iinfo(spec.dtype)
            if not math.isfinite(value) or value != int(value) or not info.min <= value <= info.max:
                raise ParameterError(
                    f"BandDropout: value={value} does not fit {name!r} ({spec.dtype})",
                    expected=f"a whole number from {info.min} to {info.max}",
                )
        return value
