"""Dropping specks from maps of classes."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from geotoolz.cloud._small import check_size, least_pixels, sieve
from geotoolz.core import (
    Call,
    Footprint,
    Map,
    ParameterError,
    Plan,
    QuantityError,
    Role,
    TileSpec,
    VarSpec,
    chosen_bands,
)

Array = np.ndarray[Any, Any]


def _replaced(
    values: Array, groups: tuple[tuple[int, ...], ...], to: int, least: int, diagonal: bool
) -> Array:
    """Return the classes, with `to` in patches of a group that have fewer than `least` pixels."""
    out = np.array(values, order="C")
    for group in groups:
        mask = np.isin(values, group)
        out[mask & ~sieve(mask, True, least, diagonal)] = to
    return out


class RemoveSmallPatches(Map):
    """Give patches of a map of classes that are smaller than a number of pixels, or an area, another class.

    Neighbouring pixels of the chosen `classes` make a patch, whichever of them they are: a burnt area of
    three severities is one patch. With ``together=False`` each class makes patches of its own. Patches with
    fewer than `min_pixels` pixels (or less than `min_area` square metres) become `to`. At the tile's border
    patches are cut off and count as what is left of them.

    Reads a variable of integers, writes it with its type, no-data and attributes (replacing it, unless it
    gets another name). No-data stays. The footprint is finite as that of `RemoveSmall`, whose components
    these are: with ``N = min_pixels`` it looks ``N − 1`` pixels far, and gives the same in windows.

    Parameters
    ----------
    band : str
        Role or name of the map of classes.
    classes : sequence of int
        Values that make patches.
    to : int
        What small patches become, such as the class *unburned*.
    min_pixels : int, optional
        Smallest patch that stays.
    min_area : float, optional
        The same in square metres on the map; instead of `min_pixels`.
    connectivity : {8, 4}
        Whether pixels that touch at a corner belong together.
    together : bool
        Whether patches are made of all classes together, or of each by itself.
    name : str, optional
        Name of the result; by default that of the map.

    Raises
    ------
    ParameterError
        If neither or both sizes are given, or one is not positive, or more than 100 000 pixels; if `to` is
        among the classes; if the variable's type or no-data does not go with the classes.
    QuantityError
        If the variable holds no integers, or `min_area` is asked of a grid in degrees.

    References
    ----------
    Rosenfeld, A., Pfaltz, J. L. (1966). Sequential operations in digital picture processing. Journal of the
    ACM 13, 471–494. As ``skimage.morphology.remove_small_objects`` on the mask of the classes.

    Examples
    --------
    >>> from geotoolz.cloud import RemoveSmallPatches
    >>> from geotoolz.core import Sequential
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.radiometry import ClassifyByThresholds
    >>> steps = [ClassifyByThresholds("nir", (0.3,), name="bright"),
    ...          RemoveSmallPatches("bright", (2,), to=1, min_pixels=20)]
    >>> Sequential(steps)(simulate_scene((32, 32))).bright.dtype
    dtype('uint8')
    """

    band: Role
    classes: tuple[int, ...]
    to: int
    min_pixels: int | None = None
    min_area: float | None = None
    connectivity: Literal[8, 4] = 8
    together: bool = True
    name: str | None = None

    def validate(self) -> None:
        """Check size and classes."""
        check_size(self.min_pixels, self.min_area)
        if not self.classes or len(set(self.classes)) < len(self.classes):
            raise ParameterError(f"classes={list(self.classes)}", expected="different values, one or more")
        if self.to in self.classes:
            raise ParameterError(
                f"to={self.to} is among classes={list(self.classes)}", expected="another class"
            )

    def plan(self, tile: TileSpec) -> Plan:
        """Read the classes, write them without small patches."""
        label = type(self).__name__
        (band,) = chosen_bands(tile, (self.band,), label)
        spec = tile.variables[band]
        self._require_classes(band, spec)
        least, name = least_pixels(tile, self.min_pixels, self.min_area, label), self.name or band
        groups = (self.classes,) if self.together else tuple((value,) for value in self.classes)
        args = (groups, self.to, least, self.connectivity == 8)
        reach = Footprint(y=least - 1, x=least - 1)
        return Plan(writes={name: spec}, calls=(Call((band,), (name,), _replaced, args, reach),))

    def _require_classes(self, name: str, spec: VarSpec) -> None:
        label = type(self).__name__
        if spec.dtype.kind not in "iu" or "flag_masks" in spec.attrs:
            what = "bit flags" if "flag_masks" in spec.attrs else str(spec.dtype)
            raise QuantityError(
                f"{label} reads {name!r}, which is {what}",
                expected="integers, one class per pixel",
                fix="for a mask: RemoveSmall; for values: ClassifyByThresholds first",
            )
        limits = np.iinfo(spec.dtype)
        wrong = [v for v in (*self.classes, self.to) if not limits.min <= v <= limits.max]
        if wrong:
            raise ParameterError(f"{label}: {wrong[0]} is no value of {name!r} ({spec.dtype})")
        if spec.nodata in self.classes:
            raise ParameterError(
                f"{label}: classes={list(self.classes)} hold the no-data value of {name!r}, {spec.nodata}",
                fix="leave it out",
            )
