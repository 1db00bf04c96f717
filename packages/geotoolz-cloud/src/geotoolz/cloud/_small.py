"""Dropping specks from masks."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np

from geotoolz.cloud import _component_kernels
from geotoolz.cloud._decode import mask_spec
from geotoolz.cloud._masks import require_mask
from geotoolz.cloud._metric import decimal_distance, map_notes, pixel_in_metres
from geotoolz.core import Call, Footprint, Map, ParameterError, Plan, Role, TileSpec

_MOST = 100_000


def sieve(mask: np.ndarray[Any, Any], value: bool, least: int, diagonal: bool) -> np.ndarray[Any, Any]:
    """Invert the components of `value` that have fewer than `least` pixels, plane by plane."""
    out = np.array(mask, order="C")
    for plane in out.reshape((math.prod(mask.shape[:-2]), *mask.shape[-2:])):
        runs = _component_kernels.find_runs(plane, value)
        if runs[0].size:
            joined = _component_kernels.join_runs(*runs, int(diagonal))
            _component_kernels.invert_small(plane, *runs, *joined, least)
    return out


def check_size(min_pixels: int | None, min_area: float | None) -> None:
    """Check that one size is given, and that it is one."""
    if (min_pixels is None) == (min_area is None):
        raise ParameterError(f"min_pixels={min_pixels}, min_area={min_area}", expected="one of the two")
    if min_pixels is not None and not 1 <= min_pixels <= _MOST:
        raise ParameterError(f"min_pixels={min_pixels}", expected=f"1 to {_MOST}")
    if min_area is not None and not 0 < min_area < math.inf:
        raise ParameterError(f"min_area={min_area}", expected="square metres, more than 0")


def least_pixels(tile: TileSpec, min_pixels: int | None, min_area: float | None, needed_by: str) -> int:
    """Return the pixels of the smallest component that stays."""
    if min_pixels is not None:
        return min_pixels
    pixel = pixel_in_metres(tile, needed_by)
    least = math.ceil(decimal_distance(min_area or 0.0) / (pixel.height * pixel.width))
    if least > _MOST:
        raise ParameterError(f"min_area={min_area} is {least} pixels", expected=f"at most {_MOST}")
    return least


class RemoveSmall(Map):
    """Remove what is smaller than a number of pixels, or an area, from a mask.

    Neighbouring masked pixels make a component; components with fewer than `min_pixels` pixels (or less than
    `min_area` square metres) are set to False. With `fill_holes` clear gaps smaller than that are set
    to True afterwards. At the tile's border components are cut off and count as what is left of them.

    Reads a bool mask, writes a bool mask of the same dims (which replaces it, unless it gets another
    name). The footprint is finite: with ``N = min_pixels``, pixels of a component that are further than
    ``N − 1`` steps away are not needed to know that it has ``N`` of them, so it looks ``N − 1`` pixels far,
    twice that with `fill_holes`, and gives the same in windows.

    Parameters
    ----------
    min_pixels : int, optional
        Smallest component that stays.
    min_area : float, optional
        The same in square metres on the map; instead of `min_pixels`.
    connectivity : {8, 4}
        Whether pixels that touch at a corner belong together. Gaps use the other one, so that a line of
        corners cannot be crossed by both.
    fill_holes : bool
        Whether small gaps are closed.
    mask : str
        Name of the bool variable.
    name : str, optional
        Name of the result; by default that of the mask.

    Raises
    ------
    ParameterError
        If neither or both sizes are given, or one is not positive, or more than 100 000 pixels.
    QuantityError
        If the mask is not bool, or `min_area` is asked of a grid in degrees.

    References
    ----------
    Rosenfeld, A., Pfaltz, J. L. (1966). Sequential operations in digital picture processing. Journal of the
    ACM 13, 471–494. The same as ``skimage.morphology.remove_small_objects`` followed by
    ``remove_small_holes``, with sizes below `min_pixels`.

    Examples
    --------
    >>> from geotoolz.cloud import MaskFromSCL, RemoveSmall
    >>> from geotoolz.core import Sequential
    >>> from geotoolz.core.testing import simulate_scene
    >>> tile = simulate_scene((64, 64), cloud_cover=0.2)
    >>> out = Sequential([MaskFromSCL(), RemoveSmall(20, name="large")])(tile)
    >>> bool((out.large <= out.mask).all())
    True
    """

    min_pixels: int | None = None
    min_area: float | None = None
    connectivity: Literal[8, 4] = 8
    fill_holes: bool = False
    mask: Role = "mask"
    name: str | None = None

    def validate(self) -> None:
        """Check that one size is given."""
        check_size(self.min_pixels, self.min_area)

    def plan(self, tile: TileSpec) -> Plan:
        """Read the mask, write what is large enough."""
        label = type(self).__name__
        (mask,) = require_mask(tile, (self.mask,), label)
        least, name = least_pixels(tile, self.min_pixels, self.min_area, label), self.name or mask
        reach = Footprint(y=least - 1, x=least - 1)
        # gaps are sieved in a call of their own: each looks as far as it has to
        first = "~large" if self.fill_holes else name
        diagonal = self.connectivity == 8
        calls = [Call((mask,), (first,), sieve, (True, least, diagonal), reach)]
        if self.fill_holes:
            calls.append(Call((first,), (name,), sieve, (False, least, not diagonal), reach))
        text = f"{mask} without what is smaller than {least} pixels"
        notes = () if self.min_area is None else map_notes(tile, label)
        return Plan(writes={name: mask_spec(tile.variables[mask], text)}, calls=tuple(calls), notes=notes)
