"""Growing masks by metres."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np

from geotoolz.cloud import _disk_kernels
from geotoolz.cloud._decode import mask_spec
from geotoolz.cloud._masks import require_mask
from geotoolz.cloud._metric import Pixel, check_reach, decimal_distance, map_notes, pixel_in_metres
from geotoolz.core import Call, Footprint, Map, ParameterError, Plan, Role, TileSpec


def disk(pixel: Pixel, distance: Fraction) -> np.ndarray[Any, Any]:
    """Return how many columns a disk reaches to either side, by rows off its centre.

    Exact: a pixel belongs to the disk if (rows · height)² + (columns · width)² ≤ distance².
    """
    square, height, width = distance**2, pixel.height**2, pixel.width**2
    rows = math.floor(distance / pixel.height)
    return np.array(
        [math.isqrt(math.floor((square - d * d * height) / width)) for d in range(rows + 1)], np.int64
    )


def _grow(mask: np.ndarray[Any, Any], half_widths: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    planes = np.ascontiguousarray(mask).reshape((math.prod(mask.shape[:-2]), *mask.shape[-2:]))
    grown: np.ndarray[Any, Any] = _disk_kernels.grow(planes, half_widths).reshape(mask.shape)
    return grown


class BufferMask(Map):
    """Grow a mask by a distance in metres: True where a masked pixel lies within it.

    A true disk: the Euclidean distance between pixel centres, ``(Δrow · height)² + (Δcol · width)² ≤
    distance²``, with the pixel's own height and width, in integers. The work per pixel does not
    depend on the distance. At the tile's border nothing is known of what lies beyond.

    Reads a bool mask, writes a bool mask of the same dims (which replaces it, unless it gets another
    name). Looks as many pixels far as the distance spans along each axis.

    Parameters
    ----------
    distance : float
        In metres on the map; 0, and less than a pixel, leave the mask as it is. Web Mercator
        (EPSG:3857) stretches metres by 1/cos(latitude).
    mask : str
        Name of the bool variable.
    name : str, optional
        Name of the result; by default that of the mask.

    Raises
    ------
    QuantityError
        If the tile's CRS counts in degrees, or the mask is not bool.
    MissingCRSError
        If the tile has no CRS.
    ParameterError
        If the distance is negative, or spans more than 20 000 pixels.

    References
    ----------
    The disk is that of ``scipy.ndimage.distance_transform_edt(~mask, sampling=(height, width)) <=
    distance``. Distances by columns first: Saito, T., Toriwaki, J. (1994). New algorithms for Euclidean
    distance transformation of an n-dimensional digitized picture. Pattern Recognition 27, 1551–1565.

    Examples
    --------
    >>> from geotoolz.cloud import BufferMask, MaskFromSCL
    >>> from geotoolz.core import Sequential
    >>> from geotoolz.core.testing import simulate_scene
    >>> tile = simulate_scene((64, 64), cloud_cover=0.2)
    >>> grown = Sequential([MaskFromSCL(), BufferMask(50.0, name="grown")])(tile)
    >>> bool((grown.grown >= grown.mask).all()), bool(grown.grown.sum() > grown.mask.sum())
    (True, True)
    """

    distance: float
    mask: Role = "mask"
    name: str | None = None

    def validate(self) -> None:
        """Check the distance."""
        if not 0 <= self.distance < math.inf:
            raise ParameterError(f"distance={self.distance}", expected="metres, 0 or more")

    def plan(self, tile: TileSpec) -> Plan:
        """Read the mask, write it grown."""
        label = type(self).__name__
        (mask,) = require_mask(tile, (self.mask,), label)
        pixel = pixel_in_metres(tile, label)
        distance = decimal_distance(self.distance)
        check_reach(float(distance / min(pixel.height, pixel.width)), f"distance={self.distance:g}")
        half_widths = disk(pixel, distance)
        notes = map_notes(tile, label)
        if self.distance and not half_widths.any():
            size = f"{float(pixel.width):.0f} × {float(pixel.height):.0f} m"
            notes += (f"distance={self.distance:g} m is less than a pixel ({size}): nothing grows",)
        text = f"within {self.distance:g} m of {mask}"
        return Plan(
            writes={self.name or mask: mask_spec(tile.variables[mask], text)},
            calls=(Call((mask,), (self.name or mask,), _grow, (half_widths,)),),
            footprint=Footprint(y=half_widths.size - 1, x=int(half_widths[0])),
            notes=notes,
        )
