"""Where a pixel stands among its neighbours: above them, below them, how far up."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any, Literal

import numpy as np

from geotoolz.core import Footprint, Map, ParameterError, Plan, Role, TileSpec, VarSpec, flat_view
from geotoolz.terrain._grid import heights, steps

Array = np.ndarray[Any, Any]
Segments = tuple[tuple[int, int, int], ...]


def disk(radius: float, inner: float, pixel: tuple[float, float]) -> Segments:
    """Return the segments (row, first column, length) of the pixels with ``inner < distance ≤ radius``.

    Parameters
    ----------
    radius, inner : float
        Distances from the middle of a pixel to that of others, as the decimal numbers that are
        written: three pixels of 0.1 m are 0.3 m; an `inner` below 0 takes the pixel itself.
    pixel : (float, float)
        Height and width of a pixel.

    Examples
    --------
    >>> disk(1.0, 0.0, (1.0, 1.0))
    ((-1, 0, 1), (0, -1, 1), (0, 1, 1), (1, 0, 1))
    """
    tall, wide = map(_decimal, pixel)
    far, near = _decimal(radius), _decimal(inner)
    found = []
    reach = math.floor(far / tall)
    for row in range(-reach, reach + 1):
        end = _half(far, row * tall, wide)
        hole = _half(near, row * tall, wide)
        if hole < 0:
            found.append((row, -end, 2 * end + 1))
        elif hole < end:
            found += [(row, -end, end - hole), (row, hole + 1, end - hole)]
    return tuple(found)


def _decimal(number: float) -> Fraction:
    """Return a length as the decimal number that was meant: what lies behind 12 digits is rounding."""
    return Fraction(f"{number:.12g}")


def _half(radius: Fraction, away: Fraction, wide: Fraction) -> int:
    """Return the last column within a radius on a row so far away, or -1."""
    left = radius * radius - away * away
    # the root of the whole part is the whole part of the root
    return -1 if radius < 0 or left < 0 else math.isqrt(math.floor(left / (wide * wide)))


def _looped(
    values: Array, nodata: float, name: str, reach: tuple[int, int], segments: Segments, *args: Any
) -> Array:
    """Run one of the loops on every plane of an array."""
    from geotoolz.terrain import _disk_loops

    planes = flat_view(values).reshape((math.prod(values.shape[:-2]), *values.shape[-2:]))
    out = np.empty(planes.shape, np.float32)
    if out.size:
        longest = max(length for _, _, length in segments)
        table = np.array(segments, np.int64)
        with np.errstate(all="ignore"):  # uncompiled, the loops would warn of 0/0
            getattr(_disk_loops, name)(out, planes, nodata, reach, table, longest.bit_length(), *args)
    return out.reshape(values.shape)


class _Neighbours(Map, abstract=True):
    """Base of what compares a pixel with a disk or ring around it."""

    radius: float = 300.0
    radius_units: Literal["metres", "pixels"] = "metres"
    dem: Role = "dem"

    kernel = staticmethod(_looped)

    def validate(self) -> None:
        """Check the radius."""
        if not (math.isfinite(self.radius) and self.radius > 0):
            raise ParameterError(f"radius={self.radius}", expected="a distance above 0")

    def _plan(
        self, tile: TileSpec, inner: float, loop: str, name: str, attrs: dict[str, Any], *args: Any
    ) -> Plan:
        label = type(self).__name__
        dem = heights(tile, self.dem, label)
        pixel, notes = (1.0, 1.0), ()  # type: tuple[float, float], tuple[str, ...]
        if self.radius_units == "metres":
            east, north, notes = steps(tile, dem, label)
            pixel = (abs(north), abs(east))
        segments = disk(self.radius, inner, pixel)
        if not segments or (len(segments) == 1 and segments[0][2] == 1):
            raise ParameterError(
                f"{label}(radius={self.radius:g}) reaches no other pixel",
                expected=f"more than {min(pixel):g} {self.radius_units}",
            )
        reach = (max(abs(row) for row, _, _ in segments), max(-first for _, first, _ in segments))
        spec = tile.variables[dem]
        units = attrs.get("units") or spec.attrs.get("units", "m")
        return Plan(
            reads=(dem,),
            writes={name: VarSpec(spec.dims, attrs={**attrs, "units": units, "quantity": "index"})},
            args=(spec.nodata_scalar, loop, reach, segments, *args),
            footprint=Footprint(y=reach[0], x=reach[1]),
            notes=notes,
        )


class TPI(_Neighbours):
    """Topographic position index: height minus the mean height of a ring or disk around the pixel.

    Positive on ridges, negative in valleys. The neighbours are those whose middle is farther than `inner`
    and not farther than `radius`, never the pixel itself; those without data or beyond the tile do not
    count. Reads heights and adds one float32 variable of the same dims in their units; NaN where the
    pixel has no data, or no neighbour has. Heights are summed in float64. Looks as many pixels around as
    the radius has. ``TPI(1.5, "pixels")`` takes the eight neighbours.

    Parameters
    ----------
    radius : float
        Outer radius.
    radius_units : {"metres", "pixels"}
        Units of both radii. Metres need a projected reference system.
    dem : str
        Variable with the elevation model.
    inner : float
        Inner radius; 0 for a disk.
    name : str
        Name of the new variable.

    Raises
    ------
    ParameterError
        If the radius reaches no other pixel, or `inner` is not below it.
    TileError
        If metres are asked for and the grid is in degrees.
    MissingCRSError
        If metres are asked for and the tile has no reference system.
    QuantityError
        If the variable holds no heights.

    References
    ----------
    Weiss, A. D. (2001). Topographic position and landforms analysis. Poster, ESRI User Conference, San
    Diego. There the result is rounded to whole numbers.

    Examples
    --------
    >>> from geotoolz.core.testing import contract_tile
    >>> from geotoolz.terrain import TPI
    >>> tile = contract_tile((3, 3))[["foreign"]].rename(foreign="dem")
    >>> tile.dem[:] = [[1, 1, 1], [1, 9, 1], [1, 1, 1]]
    >>> float(TPI(1.5, "pixels")(tile).tpi[1, 1])
    8.0
    """

    inner: float = 0.0
    name: str = "tpi"

    def validate(self) -> None:
        """Check both radii."""
        super().validate()
        if not 0 <= self.inner < self.radius:
            raise ParameterError(
                f"inner={self.inner:g}", expected=f"0 or more and below radius={self.radius:g}"
            )

    def plan(self, tile: TileSpec) -> Plan:
        """Read heights, write the index."""
        return self._plan(tile, self.inner, "tpi", self.name, {"long_name": "topographic position index"})


class RelativeElevation(_Neighbours):
    """Height above the lowest ground around the pixel, or how far up it is between lowest and highest.

    ``z − min`` over the disk of pixels whose middle is not farther than `radius`, the pixel included;
    with ``normalize=True`` ``(z − min) / (max − min)``, from 0 in the valley to 1 on the top and NaN
    where all is level. Neighbours without data or beyond the tile do not count. Reads heights and adds one
    float32 variable of the same dims, in the units of the heights (normalized: 1); NaN where the pixel has
    no data. Looks as many pixels around as the radius has.

    Parameters
    ----------
    radius : float
        Radius of the disk.
    radius_units : {"metres", "pixels"}
        Units of the radius. Metres need a projected reference system.
    dem : str
        Variable with the elevation model.
    normalize : bool
        Whether to divide by the height of the relief.
    name : str
        Name of the new variable.

    Raises
    ------
    ParameterError
        If the radius reaches no other pixel.
    TileError
        If metres are asked for and the grid is in degrees.
    MissingCRSError
        If metres are asked for and the tile has no reference system.
    QuantityError
        If the variable holds no heights.

    References
    ----------
    MacMillan, R. A., Shary, P. A. (2009). Landforms and landform elements in geomorphometry. Developments
    in Soil Science 33, 227–254 (measures of relative relief and position).

    Examples
    --------
    >>> from geotoolz.core.testing import contract_tile
    >>> from geotoolz.terrain import RelativeElevation
    >>> tile = contract_tile((3, 3))[["foreign"]].rename(foreign="dem")
    >>> tile.dem[:] = [[1, 2, 1], [1, 4, 1], [1, 9, 1]]
    >>> relative = RelativeElevation(1, "pixels")(tile).relative_elevation
    >>> float(relative[1, 1]), float(relative[0, 1])
    (3.0, 1.0)
    """

    normalize: bool = False
    name: str = "relative_elevation"

    def plan(self, tile: TileSpec) -> Plan:
        """Read heights, write what is above the lowest."""
        attrs = {"long_name": "relative elevation"}
        if self.normalize:
            attrs["units"] = "1"
        return self._plan(tile, -1.0, "relative", self.name, attrs, self.normalize)
