"""How values are packed into small integers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any

import numpy as np

from geotoolz.core import ParameterError, nearest

_DTYPES = ("uint8", "int8", "uint16", "int16")


@dataclass(frozen=True, slots=True)
class Packing:
    """A way to keep values as integers: ``value = number · scale + offset``.

    Parameters
    ----------
    dtype : str
        ``"uint8"``, ``"int8"``, ``"uint16"`` or ``"int16"``.
    scale, offset : float
        CF ``scale_factor`` and ``add_offset``.
    nodata : int, optional
        The number that means no data; outside `valid_range`.
    valid_range : tuple of int, optional
        Smallest and largest number that stands for a value; by default all of the type but `nodata`,
        which then has to be its first or last number.
    fill : int, optional
        What is written where there is no data and the packing has no `nodata` (another variable
        tells). With neither, a value that is missing cannot be packed.

    Raises
    ------
    ParameterError
        If the numbers do not fit the type, or no-data lies among the values.

    Examples
    --------
    >>> from geotoolz.radiometry import PACKINGS, Packing
    >>> Packing("uint16", 1e-4, -1.0, nodata=0, valid_range=(1, 20000)) == PACKINGS["ndvi_uint16"]
    True
    >>> PACKINGS["ndvi_uint16"].smallest, PACKINGS["ndvi_uint16"].largest
    (-0.9999, 1.0)
    """

    dtype: str
    scale: float = 1.0
    offset: float = 0.0
    nodata: int | None = None
    valid_range: tuple[int, int] | None = None
    fill: int | None = None

    def __post_init__(self) -> None:
        if self.dtype not in _DTYPES:
            raise ParameterError(
                f"packing into {self.dtype!r}",
                expected=", ".join(_DTYPES),
                fix="floats keep values without packing",
            )
        if self.scale == 0 or not (math.isfinite(self.scale) and math.isfinite(self.offset)):
            raise ParameterError(
                f"scale={self.scale}, offset={self.offset}", expected="finite numbers, the scale not 0"
            )
        low, high = self.limits
        first, last = self._type_limits
        outside = [n for n in (low, high, self.nodata, self.fill) if n is not None and not first <= n <= last]
        if outside or low > high:
            raise ParameterError(
                f"{self.dtype} with valid_range=({low}, {high}), nodata={self.nodata}, fill={self.fill}",
                expected=f"numbers from {first} to {last}, the lower first",
            )
        if self.nodata is not None and low <= self.nodata <= high:
            raise ParameterError(
                f"nodata={self.nodata} lies among the values {low} … {high}",
                expected="a number outside valid_range",
                fix=f"valid_range=({low}, {self.nodata - 1}) or ({self.nodata + 1}, {high})",
            )

    @property
    def _type_limits(self) -> tuple[int, int]:
        limits = np.iinfo(self.dtype)
        return int(limits.min), int(limits.max)

    @property
    def limits(self) -> tuple[int, int]:
        """Smallest and largest number that stands for a value."""
        if self.valid_range is not None:
            return self.valid_range
        first, last = self._type_limits
        return first + (self.nodata == first), last - (self.nodata == last)

    @property
    def smallest(self) -> float:
        """The smallest value that can be kept."""
        return min(float(n * self.scale + self.offset) for n in self.limits)

    @property
    def largest(self) -> float:
        """The largest value that can be kept."""
        return max(float(n * self.scale + self.offset) for n in self.limits)

    def config(self) -> dict[str, Any]:
        """Return the packing as plain parameters, without those that have their default value."""
        return without_defaults({field.name: getattr(self, field.name) for field in fields(self)})


PACKINGS: Mapping[str, Packing] = MappingProxyType(
    {
        "reflectance_uint16": Packing("uint16", 1e-4, 0.0, nodata=0),
        "reflectance_int16": Packing("int16", 1e-4, 0.0, nodata=-32768),
        "ndvi_uint16": Packing("uint16", 1e-4, -1.0, nodata=0, valid_range=(1, 20000)),
        "index_int16": Packing("int16", 1e-4, 0.0, nodata=-32768),
        # decimetres around 0, which lies in the middle of 1 … 32767
        "relative_elevation_int16": Packing("int16", 0.1, -1638.4, nodata=0, valid_range=(1, 32767)),
        # all bytes but 0 are values; that 0 is none is told by a mask, the byte itself has no no-data
        "tasselled_cap_uint8": Packing("uint8", 0.01, -1.0, valid_range=(1, 255), fill=0),
        "percent_uint8": Packing("uint8", 0.01, 0.0, nodata=255, valid_range=(0, 100)),
        "temperature_uint16": Packing("uint16", 0.01, 0.0, nodata=0),
    }
)
"""Packings by name, among them those of the stages `PREPROCESSED` and `POSTPROCESSED`.

A name stands in configurations and their hashes: a packing is never changed, a new one gets a new name.
"""


def without_defaults(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a packing that differ from the defaults: one packing, one spelling."""
    defaults = {field.name: field.default for field in fields(Packing)}
    return {key: value for key, value in given.items() if key not in defaults or value != defaults[key]}


def packing_of(given: str | Mapping[str, Any]) -> Packing:
    """Return the packing that a name or a mapping of parameters means.

    Raises
    ------
    ParameterError
        If there is no such name or parameter.
    """
    if isinstance(given, str):
        if given not in PACKINGS:
            raise ParameterError(
                f"no packing is called {given!r}{nearest(given, PACKINGS)}", expected=", ".join(PACKINGS)
            )
        return PACKINGS[given]
    known = [field.name for field in fields(Packing)]
    wrong = [key for key in given if key not in known]
    if wrong or "dtype" not in given:
        raise ParameterError(
            f"a packing with {', '.join(given) or 'nothing'}",
            expected=f"dtype, and what is wanted of {', '.join(known[1:])}",
        )
    for key in ("scale", "offset", "nodata", "fill"):
        if isinstance(given.get(key), str | tuple | bool):
            raise ParameterError(f"a packing with {key}={given[key]!r}", expected="a number")
    return Packing(**given)
