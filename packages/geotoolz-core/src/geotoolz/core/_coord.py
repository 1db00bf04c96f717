"""Coordinates of stacks and cubes: what ``time`` and ``wavelength`` mean, known without pixels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from geotoolz.core._errors import TileError
from geotoolz.core._lazy import xr

SPATIAL = ("y", "x")


class Coord:
    """A coordinate along one dimension other than ``y`` and ``x``.

    Parameters
    ----------
    dim : str
        The dimension it runs along.
    values : array
        One value per position. Lazy ones are computed when they are first asked for.
    attrs : mapping, optional
        Attributes (``units``, ``long_name``).

    Examples
    --------
    >>> Coord("wavelength", [490.0, 560.0], {"units": "nm"}).values
    array([490., 560.])
    """

    __slots__ = ("_held", "attrs", "dim")

    def __init__(self, dim: str, values: Any, attrs: Mapping[str, Any] | None = None) -> None:
        lazy = hasattr(values, "dask")
        self.dim: str = dim
        self.attrs: Mapping[str, Any] = {} if attrs is None else attrs
        self._held: Any = values if lazy else _frozen(values)
        if self._held.ndim != 1:
            raise TileError(
                f"a coordinate along {dim!r} has shape {self._held.shape}", expected="one value per position"
            )

    @property
    def values(self) -> np.ndarray[Any, Any]:
        """The values, which cannot be written to; times are ``datetime64[ns]``."""
        if not isinstance(self._held, np.ndarray):
            self._held = _frozen(self._held)
        held: np.ndarray[Any, Any] = self._held
        return held

    @property
    def size(self) -> int:
        """Number of positions."""
        return int(self._held.shape[0])

    def variable(self) -> xr.Variable:
        """Return it as a Dataset keeps it."""
        return xr.Variable((self.dim,), self._held, dict(self.attrs))

    def __repr__(self) -> str:
        return f"Coord({self.dim!r}, {self.size} values)"


def _frozen(values: Any) -> np.ndarray[Any, Any]:
    array = np.array(values)
    if array.dtype.kind == "M":
        array = array.astype("datetime64[ns]")
    array.flags.writeable = False
    return array


Coords = Mapping[str, Coord]


def coords_of(ds: xr.Dataset) -> dict[str, Coord]:
    """Return a tile's coordinates along one dimension other than ``y`` and ``x``."""
    return {
        str(name): Coord(str(coord.dims[0]), _data(coord), coord.attrs)
        for name, coord in ds.coords.items()
        if len(coord.dims) == 1 and coord.dims[0] not in SPATIAL
    }


def _data(coord: xr.DataArray) -> Any:
    data = coord.variable._data
    return data if hasattr(data, "dask") else coord.values


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
