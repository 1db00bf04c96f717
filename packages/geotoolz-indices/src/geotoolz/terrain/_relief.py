"""Slope, aspect and hillshade after Horn."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np

from geotoolz.core import Footprint, Map, ParameterError, Plan, Role, TileError, TileSpec, VarSpec, flat_view
from geotoolz.terrain._grid import Ground, ground_of, heights, require_z_factor

Array = np.ndarray[Any, Any]


def _looped(values: Array, nodata: float, name: str, ground: Ground, edges: bool, *args: Any) -> Array:
    """Run one of the loops on every plane of an array."""
    from geotoolz.terrain import _loops

    planes = flat_view(values).reshape((math.prod(values.shape[:-2]), *values.shape[-2:]))
    out = np.empty(planes.shape, np.float32)
    if out.size:
        scales = (ground.up / (8.0 * ground.east), ground.up / (8.0 * ground.north))
        with np.errstate(all="ignore"):  # uncompiled, the loops would warn of 0/0
            getattr(_loops, name)(out, planes, nodata, *scales, edges, *args)
    return out.reshape(values.shape)


class _Horn(Map, abstract=True):
    """Base of what is made of the gradient in a square of 3 × 3 pixels."""

    dem: Role = "dem"
    z_factor: float = 1.0
    edges: bool = False

    kernel = staticmethod(_looped)

    def validate(self) -> None:
        """Check the factor for heights."""
        require_z_factor(self.z_factor)

    def _plan(self, tile: TileSpec, loop: str, name: str, attrs: dict[str, Any], *args: Any) -> Plan:
        label = type(self).__name__
        dem = heights(tile, self.dem, label)
        ground = ground_of(tile, dem, self.z_factor, label)
        spec = tile.variables[dem]
        return Plan(
            reads=(dem,),
            writes={name: VarSpec(spec.dims, attrs={**attrs, "quantity": "index"})},
            args=(spec.nodata_scalar, loop, ground, self.edges, *args),
            footprint=Footprint(y=1, x=1),
            notes=ground.notes,
        )


class Slope(_Horn):
    """Steepness of the ground: ``arctan √(p² + q²)`` with Horn's gradient.

    With the heights ``a b c / d e f / g h i`` around a pixel, ``p = ((c + 2f + i) − (a + 2d + g)) / 8Δx``
    and ``q = ((g + 2h + i) − (a + 2b + c)) / 8Δy``, in float64 whatever the type of the heights. Reads
    heights and adds one float32 variable of the same dims, in degrees (0 to 90) or percent (0 to infinity).
    A pixel is no-data (NaN) where it or any of its eight neighbours has none, as they do beyond the tile;
    with ``edges=True`` a missing neighbour continues the line from the one opposite (``2e −`` that), and
    where that is missing too the plane of the others, as at the corners of a tile (``c = b + f − e``);
    what no neighbour tells is level. Planes come out exact. Distances are metres: feet are converted, degrees
    refused. Looks one pixel around.

    Parameters
    ----------
    dem : str
        Variable with the elevation model.
    z_factor : float
        Heights are multiplied by it; their ``units`` (metres unless said) are taken care of.
    edges : bool
        Whether pixels with missing neighbours get a value, too.
    units : {"degrees", "percent"}
        The angle, or 100 times its tangent.
    name : str
        Name of the new variable.

    Raises
    ------
    TileError
        If the grid is in degrees or rotated.
    MissingCRSError
        If the tile has no reference system.
    QuantityError
        If the variable holds no heights.

    References
    ----------
    Horn, B. K. P. (1981). Hill shading and the reflectance map. Proceedings of the IEEE 69(1), 14–47.

    Examples
    --------
    >>> import numpy as np
    >>> from geotoolz.core.testing import contract_tile
    >>> from geotoolz.terrain import Slope
    >>> tile = contract_tile((3, 3))[["foreign"]].rename(foreign="dem")
    >>> tile.dem[:] = np.array([0, 10, 20])  # 10 m a pixel of 10 m
    >>> float(Slope()(tile).slope[1, 1])
    45.0
    """

    units: Literal["degrees", "percent"] = "degrees"
    name: str = "slope"

    def plan(self, tile: TileSpec) -> Plan:
        """Read heights, write the slope."""
        percent = self.units == "percent"
        attrs = {"long_name": "slope", "units": "percent" if percent else "degree"}
        return self._plan(tile, "slope", self.name, attrs, percent)


class Aspect(_Horn):
    """Direction that the ground falls towards: ``atan2(−p, −q)``, degrees clockwise from north.

    ``p`` and ``q`` are Horn's gradient towards the east and the north, see `Slope`. Reads heights and adds
    one float32 variable of the same dims, in degrees from 0 (north) over 90 (east) to below 360. Level
    ground has no aspect and is no-data (NaN), and so is a pixel without data around it, see `Slope`; north
    is that of the grid. Looks one pixel around.

    Parameters
    ----------
    dem : str
        Variable with the elevation model.
    z_factor : float
        Heights are multiplied by it.
    edges : bool
        Whether pixels with missing neighbours get a value, too.
    name : str
        Name of the new variable.

    Raises
    ------
    TileError
        If the grid is in degrees or rotated.
    MissingCRSError
        If the tile has no reference system.
    QuantityError
        If the variable holds no heights.

    References
    ----------
    Horn, B. K. P. (1981). Hill shading and the reflectance map. Proceedings of the IEEE 69(1), 14–47.

    Examples
    --------
    >>> import numpy as np
    >>> from geotoolz.core.testing import contract_tile
    >>> from geotoolz.terrain import Aspect
    >>> tile = contract_tile((3, 3))[["foreign"]].rename(foreign="dem")
    >>> tile.dem[:] = np.array([20, 10, 0])  # falls to the east
    >>> float(Aspect()(tile).aspect[1, 1])
    90.0
    """

    name: str = "aspect"

    def plan(self, tile: TileSpec) -> Plan:
        """Read heights, write the aspect."""
        return self._plan(tile, "aspect", self.name, {"long_name": "aspect", "units": "degree"})


class Hillshade(_Horn):
    """Light on the ground: the cosine between its normal and the direction of the sun, 0 in shade.

    ``max(0, (sin h − p cos h sin A − q cos h cos A) / √(1 + p² + q²))`` with the sun at azimuth ``A`` and
    altitude ``h`` and Horn's gradient ``p, q`` towards the east and the north, see `Slope`. Reads heights
    and adds one float32 variable of the same dims, from 0 to 1, units 1. A pixel without data around it is
    no-data (NaN), see `Slope`. Other ground casts no shadow. Looks one pixel around.

    Parameters
    ----------
    dem : str
        Variable with the elevation model.
    z_factor : float
        Heights are multiplied by it: 2 shows gentle relief.
    edges : bool
        Whether pixels with missing neighbours get a value, too.
    azimuth, altitude : float or "sun"
        Where the light comes from, in degrees clockwise from north and above the horizon; ``"sun"`` takes
        the tile's ``sun_azimuth`` and ``sun_elevation``.
    name : str
        Name of the new variable.

    Raises
    ------
    ParameterError
        If the altitude is not between 0 and 90 degrees.
    TileError
        If the grid is in degrees or rotated, or the tile does not say where the sun was.
    MissingCRSError
        If the tile has no reference system.
    QuantityError
        If the variable holds no heights.

    References
    ----------
    Horn, B. K. P. (1981). Hill shading and the reflectance map. Proceedings of the IEEE 69(1), 14–47.

    Examples
    --------
    >>> from geotoolz.core.testing import contract_tile
    >>> from geotoolz.terrain import Hillshade
    >>> tile = contract_tile((3, 3))[["foreign"]].rename(foreign="dem")
    >>> tile.dem[:] = 100
    >>> round(float(Hillshade(altitude=30.0)(tile).hillshade[1, 1]), 6)  # level ground: sin 30°
    0.5
    """

    azimuth: float | Literal["sun"] = 315.0
    altitude: float | Literal["sun"] = 45.0
    name: str = "hillshade"

    def validate(self) -> None:
        """Check the position of the light."""
        super().validate()
        if self.azimuth != "sun" and not math.isfinite(self.azimuth):
            raise ParameterError(f"azimuth={self.azimuth}", expected="degrees clockwise from north")
        if self.altitude != "sun" and not 0 <= self.altitude <= 90:
            raise ParameterError(f"altitude={self.altitude}", expected="0 to 90 degrees above the horizon")

    def plan(self, tile: TileSpec) -> Plan:
        """Read heights, write the light."""
        azimuth = math.radians(_angle(tile, self.azimuth, "sun_azimuth"))
        altitude = math.radians(_angle(tile, self.altitude, "sun_elevation"))
        flat = math.cos(altitude)
        light = (flat * math.sin(azimuth), flat * math.cos(azimuth), math.sin(altitude))
        attrs = {"long_name": "hillshade", "units": "1"}
        return self._plan(tile, "hillshade", self.name, attrs, *light)


def _angle(tile: TileSpec, value: float | str, attr: str) -> float:
    """Return an angle, from the tile's attributes where that is asked for."""
    if not isinstance(value, str):
        return value
    found = tile.attrs.get(attr)
    if isinstance(found, bool) or not isinstance(found, int | float) or not math.isfinite(found):
        raise TileError(
            f"Hillshade takes the sun from the tile, whose attribute {attr!r} is {found!r}",
            expected="degrees",
            fix=f"ds.attrs[{attr!r}] = …, or give the angle itself",
        )
    return float(found)
