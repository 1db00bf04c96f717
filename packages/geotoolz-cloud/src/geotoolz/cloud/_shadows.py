"""Where clouds cast their shadows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from geotoolz.cloud import _disk_kernels
from geotoolz.cloud._decode import mask_spec
from geotoolz.cloud._masks import require_mask
from geotoolz.cloud._metric import Pixel, check_reach, map_notes, pixel_in_metres
from geotoolz.core import (
    Call,
    Extent,
    Footprint,
    Map,
    ParameterError,
    Plan,
    Role,
    TileSpec,
    flat_view,
    require_physical,
)
from geotoolz.correction._sun import check_elevation, sun_angles

Offsets = tuple[tuple[int, int], ...]


def displacement(pixel: Pixel, height: float, elevation: float, azimuth: float) -> tuple[float, float]:
    """Return rows and columns from a cloud to its shadow.

    The shadow lies ``height · tan(zenith)`` metres away from the sun: on a north-up grid
    ``Δcol = −d · sin(azimuth)`` and ``Δrow = +d · cos(azimuth)``.
    """
    metres = height * math.tan(math.radians(90.0 - elevation))
    south = metres * math.cos(math.radians(azimuth))
    east = -metres * math.sin(math.radians(azimuth))
    return south / float(pixel.height) * pixel.down, east / float(pixel.width) * pixel.right


def offsets(
    pixel: Pixel, heights: tuple[float, ...], swept: bool, elevation: float, azimuth: float
) -> Offsets:
    """Return the whole pixels that shadows of clouds at some heights are moved by."""
    ends = [displacement(pixel, h, elevation, azimuth) for h in heights]
    check_reach(max(max(abs(r), abs(c)) for r, c in ends), f"the shadow of a cloud at {max(heights):g} m")
    if swept:
        (r0, c0), (r1, c1) = ends
        steps = max(1, math.ceil(max(abs(r1 - r0), abs(c1 - c0))))
        ends = [(r0 + (r1 - r0) * k / steps, c0 + (c1 - c0) * k / steps) for k in range(steps + 1)]
    return tuple(dict.fromkeys((math.floor(r + 0.5), math.floor(c + 0.5)) for r, c in ends))


def _project(*args: Any, extent: Extent) -> np.ndarray[Any, Any]:
    """Project every plane by its own offsets.

    The runner asks for a window and hands over the pixels around it: rows of that rim need no shadow, and
    there are many of them where shadows are long.
    """
    *arrays, moves, reach, rows_of_tile, nodata, limit = args
    mask = np.ascontiguousarray(arrays[0])
    planes = mask.reshape((math.prod(mask.shape[:-2]), *mask.shape[-2:]))
    # at the border of the tile the rim is cut off, by how much is not known: all rows are made there
    first = reach if extent.y0 > rows_of_tile[0] else 0
    stop = mask.shape[-2] - (reach if extent.y1 < rows_of_tile[1] else 0)
    out = np.empty(planes.shape, np.bool_)
    for number, plane in enumerate(planes):
        packed, filled = _disk_kernels.pack(plane)
        rows, cols = moves[min(number, len(moves) - 1)]
        out[number] = _disk_kernels.cast(packed, filled, plane.shape[1], rows, cols, first, stop)
    if limit is None:
        out &= ~planes
    else:
        _disk_kernels.dark_beside(out.reshape(-1), flat_view(mask), flat_view(arrays[1]), nodata, limit)
    return out.reshape(mask.shape)


class ProjectShadows(Map):
    """Mask where clouds may cast their shadows: the cloud mask moved away from the sun.

    A cloud at height ``h`` casts its shadow ``d = h · tan(zenith)`` metres away from the sun,
    ``Δcol = −d · sin(azimuth) / width``, ``Δrow = +d · cos(azimuth) / height`` on a north-up grid. Heights
    are not known, so all from `min_height` to `max_height` are tried, a pixel apart, or those in `heights`.
    What results are candidates: with `max_nir` only dark ones stay. Terrain, the sensor's view angle
    and the angle between grid north and true north are left out.

    Reads a bool mask (and with `max_nir` the near infrared as reflectance); adds a bool mask of the same
    dims that is True outside the clouds themselves, and False where the near infrared has no data. Looks as
    far as the longest shadow; nothing is wrapped round at the border. Sun angles are the tile's
    attributes ``sun_elevation`` and ``sun_azimuth`` in degrees, in stacks coordinates of these names
    along ``time``.

    Parameters
    ----------
    mask : str
        Name of the cloud mask.
    min_height, max_height : float
        Heights of clouds above the ground, in metres.
    heights : sequence of float, optional
        These heights and none between, instead of the range.
    max_nir : float, optional
        Shadows are darker than this in the near infrared. Water is, too.
    nir : str
        Role of the near infrared.
    sun_elevation, sun_azimuth : float, optional
        In degrees above the horizon, and clockwise from north; by default what the tile says.
    name : str
        Name of the result.

    Raises
    ------
    TileError
        If a sun angle is missing, naming it.
    QuantityError
        If the tile's CRS counts in degrees, the mask is not bool, or `nir` is no reflectance.
    ParameterError
        If heights are negative or in the wrong order, or a shadow would be 20 000 pixels long.

    References
    ----------
    Zhu, Z., Woodcock, C. E. (2012). Object-based cloud and cloud shadow detection in Landsat imagery. Remote
    Sensing of Environment 118, 83–94 (heights from 200 to 12 000 m). The test of dark pixels is that of
    Google Earth Engine's tutorial on s2cloudless (near infrared below 0.15).

    Examples
    --------
    >>> from geotoolz.cloud import MaskFromSCL, ProjectShadows
    >>> from geotoolz.core import Sequential
    >>> from geotoolz.core.testing import simulate_scene
    >>> tile = simulate_scene((64, 64), cloud_cover=0.2)
    >>> masked = Sequential([MaskFromSCL(("cloud",)), ProjectShadows(max_height=2000.0)])(tile)
    >>> bool((masked.shadow & masked.mask).any())
    False
    """

    mask: Role = "mask"
    min_height: float = 200.0
    max_height: float = 6000.0
    heights: tuple[float, ...] | None = None
    max_nir: float | None = None
    nir: Role = "nir"
    sun_elevation: float | None = None
    sun_azimuth: float | None = None
    name: str = "shadow"

    def validate(self) -> None:
        """Check heights and angles."""
        if not 0 <= self.min_height <= self.max_height < math.inf:
            raise ParameterError(
                f"min_height={self.min_height}, max_height={self.max_height}",
                expected="0 ≤ min_height ≤ max_height, in metres",
            )
        if self.heights is not None and not (self.heights and all(0 <= h < math.inf for h in self.heights)):
            raise ParameterError(
                f"heights={self.heights}", expected="one or more heights in metres, 0 or more"
            )
        check_elevation(self.sun_elevation)

    def plan(self, tile: TileSpec) -> Plan:
        """Read the mask, write its shadow."""
        label = type(self).__name__
        (mask,) = require_mask(tile, (self.mask,), label)
        spec = tile.variables[mask]
        moves = self._moves(tile, spec.dims)
        reads: tuple[str, ...] = (mask,)
        nodata, notes = math.nan, map_notes(tile, label)
        if self.max_nir is not None:
            nir = tile.find(self.nir, label)
            notes += require_physical(tile, (nir,), label)
            if tile.variables[nir].dims != spec.dims:
                raise ParameterError(f"{mask!r} has dims {spec.dims} and {nir!r} {tile.variables[nir].dims}")
            reads, nodata = (mask, nir), tile.variables[nir].nodata_scalar
        low, high = (
            (min(self.heights), max(self.heights)) if self.heights else (self.min_height, self.max_height)
        )
        text = f"shadow of {mask} from {low:g} to {high:g} m"
        arrays = tuple(tuple(np.array(one, np.int64).reshape(-1, 2).T.copy()) for one in moves)
        rows, cols = ([abs(o[axis]) for one in moves for o in one] for axis in (0, 1))
        border = (tile.offset[0], tile.offset[0] + tile.shape[0])
        args = (arrays, max(rows), border, nodata, self.max_nir)
        return Plan(
            writes={self.name: mask_spec(spec, text)},
            calls=(Call(reads, (self.name,), _project, args, located=True),),
            footprint=Footprint(y=max(rows), x=max(cols)),
            notes=notes,
        )

    def _moves(self, tile: TileSpec, dims: tuple[str, ...]) -> tuple[Offsets, ...]:
        """Return the offsets, once for all planes or once per date."""
        label = type(self).__name__
        pixel = pixel_in_metres(tile, label)
        up = sun_angles(tile, "sun_elevation", self.sun_elevation, dims, label)
        round_ = sun_angles(tile, "sun_azimuth", self.sun_azimuth, dims, label)
        heights = self.heights or (self.min_height, self.max_height)
        pairs = zip(*np.broadcast_arrays(up, round_), strict=True)
        return tuple(offsets(pixel, heights, self.heights is None, float(e), float(a)) for e, a in pairs)
