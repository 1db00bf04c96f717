"""Brightness for the eye."""

from __future__ import annotations

import math

from geotoolz.core import Call, Map, ParameterError, Plan, QuantityError, TileSpec, VarSpec, chosen_bands
from geotoolz.radiometry import _kernels

_REFUSED = ("dn", "brightness_temperature", "surface_temperature", "radiance")


class Gamma(Map):
    """Brighten or darken the middle tones for display: ``out = value ** (1 / gamma)``.

    Values are taken as 0 (black) to 1 (white) and limited to that range; put `MinMax` (or
    `PercentileClip` and `MinMax`) before it. A gamma above 1 brightens, as in ImageMagick and
    rio-color. The result is marked as stretched: what needs physical values refuses it.

    Reads the chosen bands, writes them as float32, 0 to 1, units 1, NaN for no-data.

    Parameters
    ----------
    gamma : float
        Greater than 0; 1 only limits the values.
    bands : sequence of str, optional
        By default all bands that hold measurements.

    Raises
    ------
    QuantityError
        If a band holds digital numbers, or something with units (kelvin, radiance).
    ParameterError
        If gamma is not a positive number.

    References
    ----------
    Poynton, C. (2012). Digital Video and HD: Algorithms and Interfaces, 2nd edition, chapter 27
    (gamma).

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.radiometry import Gamma
    >>> shown = Gamma(1.8)(simulate_scene((8, 8), bands=("red",)))
    >>> shown.red.attrs["stretch"], bool(shown.red.max() <= 1)
    ('Gamma(1.8)', True)
    """

    gamma: float
    bands: tuple[str, ...] | None = None

    def validate(self) -> None:
        """Check gamma."""
        if not (self.gamma > 0 and math.isfinite(self.gamma)):
            raise ParameterError(f"gamma={self.gamma}", expected="a positive number", fix="1.8 brightens")

    def plan(self, tile: TileSpec) -> Plan:
        """Treat every band alike."""
        writes, calls = {}, []
        for name in chosen_bands(tile, self.bands, type(self).__name__):
            spec = tile.variables[name]
            units = str(spec.attrs.get("units", "1"))
            if spec.quantity in _REFUSED or units not in ("1", ""):
                raise QuantityError(
                    f"Gamma reads {name!r}, which holds {spec.quantity or 'values'} in units {units!r}",
                    expected="values from 0 to 1",
                    fix="put MinMax(clip=True) before it",
                )
            attrs = {
                k: v
                for k, v in spec.attrs.items()
                if k not in ("scale_factor", "add_offset", "standard_name")
            }
            earlier = f"{spec.attrs['stretch']}, " if "stretch" in spec.attrs else ""
            attrs |= {"units": "1", "quantity": "stretched", "stretch": f"{earlier}Gamma({self.gamma:g})"}
            writes[name] = VarSpec(spec.dims, attrs=attrs)
            calls.append(Call((name,), (name,), _kernels.power, (spec.nodata_scalar, 1.0 / self.gamma)))
        return Plan(writes=writes, calls=tuple(calls))
