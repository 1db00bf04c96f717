"""Another height of the sun."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from geotoolz.augment import _kernels
from geotoolz.augment._bands import REFLECTANCE, radiometric_bands
from geotoolz.augment._base import Gated
from geotoolz.augment._draws import Draws, check_span
from geotoolz.augment._jitter import Span
from geotoolz.core import Call, Coord, Plan, TileError, TileSpec

_NAME = "sun_elevation"


class SunAngleJitter(Gated):
    """Let the sun stand higher or lower, as if the light had not been normalised.

    Reads and writes bands with reflectance or radiance in their own type: they are multiplied by
    ``sin(new elevation) / sin(elevation)``. The tile's ``sun_elevation`` (an attribute, in stacks also a
    coordinate along ``time``) is set to the new angle, so later steps that read it see the light that there
    is. Shadows stay where they lie; the azimuth stays.

    Parameters
    ----------
    change : tuple of float
        Lowest and highest change of the sun's elevation in degrees. The new elevation is kept within 1 and
        90 degrees.
    bands : sequence of str, optional
        By default all bands with reflectance or radiance.
    p : float
        Probability that it is done.
    seed : int
        Seed of the draws.

    Raises
    ------
    ParameterError
        If the range is not in order, or leaves −90 to 90.
    TileError
        If the tile does not say its ``sun_elevation``, or says one at which there is no light.
    MissingVariableError
        If the tile has no such band.

    Examples
    --------
    >>> from geotoolz.augment import SunAngleJitter
    >>> from geotoolz.core.testing import simulate_scene
    >>> tile = simulate_scene((8, 8), bands=("red",)).assign_attrs(sun_elevation=30.0)
    >>> higher = SunAngleJitter((60.0, 60.0))(tile)
    >>> higher.attrs["sun_elevation"], round(float((higher.red / tile.red).mean()), 3)
    (90.0, 2.0)
    """

    change: Span = (-10.0, 10.0)
    bands: tuple[str, ...] | None = None

    def validate(self) -> None:
        """Check the range."""
        super().validate()
        check_span("change", self.change, -90.0, 90.0)

    def drawn(self, tile: TileSpec, draws: Draws) -> Plan:
        """Scale every band by the change of the light."""
        kinds = REFLECTANCE | {"radiance"}
        names, notes = radiometric_bands(tile, self.bands, "SunAngleJitter", kinds)
        change = draws.between(self.change, "change")
        along = tile.coords.get(_NAME)
        calls, attrs = [], {}
        if _NAME in tile.attrs:
            attrs[_NAME] = float(_moved(_angles(tile.attrs[_NAME]), change)[0])
        for name in names:
            spec = tile.variables[name]
            if along is not None and along.dim in spec.dims[:1]:
                gains = tuple(map(float, _gain(_angles(along.values), change)))
                calls.append(Call((name,), (name,), _kernels.scaled_each, (spec.nodata_scalar, gains)))
                continue
            gain = float(_gain(_angles(tile.attrs.get(_NAME)), change)[0])
            calls.append(Call((name,), (name,), _kernels.scaled, (spec.nodata_scalar, gain, 0.0)))
        coords = {}
        if along is not None:
            coords[_NAME] = Coord(along.dim, _moved(_angles(along.values), change), along.attrs)
        writes = {name: tile.variables[name] for name in names}
        return Plan(writes=writes, calls=tuple(calls), attrs=attrs, notes=notes, coords=coords)


def _angles(found: Any) -> np.ndarray[Any, Any]:
    """Return elevations in degrees, or say what is wrong with them."""
    try:
        angles = np.atleast_1d(np.asarray(found, np.float64))
    except (TypeError, ValueError):
        angles = np.array([np.nan])
    if not ((angles > 0) & (angles <= 90)).all():
        raise TileError(
            f"SunAngleJitter needs {_NAME}, and the tile says {found!r}",
            expected=f"ds.attrs[{_NAME!r}] in degrees above the horizon, more than 0 to 90",
            fix=f"ds = ds.assign_attrs({_NAME}=…)",
        )
    return angles


def _moved(angles: np.ndarray[Any, Any], change: float) -> np.ndarray[Any, Any]:
    return np.clip(angles + change, 1.0, 90.0)


def _gain(angles: np.ndarray[Any, Any], change: float) -> np.ndarray[Any, Any]:
    new = _moved(angles, change)
    return np.array(
        [math.sin(math.radians(b)) / math.sin(math.radians(a)) for a, b in zip(angles, new, strict=True)]
    )
