"""Coordinates of stacks and cubes: what ``time`` and ``wavelength`` mean, known without pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from geotoolz.core._errors import TileError

SPATIAL = ("y", "x")


@dataclass(frozen=True, slots=True, eq=False)
class Coord:
    """A coordinate along one dimension other than ``y`` and ``x``.

    Parameters
    ----------
    dim : str
        The dimension it runs along.
    values : numpy.ndarray
        One value per position; a copy is kept that cannot be written to. Times are
        ``datetime64[ns]``.
    attrs : mapping
        Attributes (``units``, ``long_name``).

    Examples
    --------
    >>> Coord("wavelength", [490.0, 560.0], {"units": "nm"}).values
    array([490., 560.])
    """

    dim: str
    values: np.ndarray[Any, Any]
    attrs: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        values = np.array(self.values)
        if values.ndim != 1:
            raise TileError(
                f"a coordinate along {self.dim!r} has shape {values.shape}", expected="one value per position"
            )
        if values.dtype.kind == "M":
            values = values.astype("datetime64[ns]")
        values.flags.writeable = False
        object.__setattr__(self, "values", values)

    @property
    def size(self) -> int:
        """Number of positions."""
        return int(self.values.size)

    def variable(self) -> xr.Variable:
        """Return it as a Dataset keeps it."""
        return xr.Variable((self.dim,), self.values, dict(self.attrs))


Coords = Mapping[str, Coord]


def coords_of(ds: xr.Dataset) -> dict[str, Coord]:
    """Return a tile's coordinates along one dimension other than ``y`` and ``x``."""
    return {
        str(name): Coord(str(coord.dims[0]), coord.values, coord.attrs)
        for name, coord in ds.coords.items()
        if len(coord.dims) == 1 and coord.dims[0] not in SPATIAL
    }


def changed_coords(
    sizes: Mapping[str, int], coords: Coords, changes: Mapping[str, Any]
) -> tuple[dict[str, int], dict[str, Coord], set[str]]:
    """Apply what a plan says of coordinates.

    Parameters
    ----------
    sizes : mapping of str to int
        Length of every dimension before.
    coords : mapping of str to Coord
        Coordinates before.
    changes : mapping of str to Coord, array or None
        An array or Coord of a dimension replaces it; None removes the dimension, or the coordinate.

    Returns
    -------
    sizes : dict of str to int
        Lengths after.
    coords : dict of str to Coord
        Coordinates after; others along a changed dimension are gone.
    changed : set of str
        Dimensions whose positions changed.
    """
    new = {name: _as_coord(name, value) for name, value in changes.items() if value is not None}
    removed = {name for name, value in changes.items() if value is None}
    wrong = [name for name in changes if name in SPATIAL]
    if wrong:
        raise TileError(f"a plan's coords name {wrong[0]!r}", fix="say it with grid=GridChange(…)")
    dims = {name for name, coord in new.items() if coord.dim == name}
    changed = dims | {name for name in removed if name in sizes}
    after = {dim: size for dim, size in sizes.items() if dim not in removed}
    after.update({dim: new[dim].size for dim in dims})
    kept = {name: c for name, c in coords.items() if c.dim not in changed and name not in removed}
    kept.update(new)
    for name, coord in kept.items():
        if coord.size != after.get(coord.dim):
            raise TileError(
                f"the coordinate {name!r} has {coord.size} values",
                expected=f"{after.get(coord.dim, 'no')} along {coord.dim!r}",
            )
    return after, kept, changed


def _as_coord(name: str, value: Any) -> Coord:
    return value if isinstance(value, Coord) else Coord(name, value)


def require_same(first: Coords, other: Coords, sizes: Mapping[str, int], there: Mapping[str, int]) -> str:
    """Return what differs between the stacks' dimensions that two tiles share, or nothing."""
    for dim in {*sizes} & {*there} - {*SPATIAL}:
        if sizes[dim] != there[dim]:
            return f"{there[dim]} positions along {dim!r} and not {sizes[dim]}"
        a, b = first.get(dim), other.get(dim)
        if a is not None and b is not None and not np.array_equal(a.values, b.values):
            return f"other values along {dim!r}"
    return ""
