"""Where the sun stands."""

from __future__ import annotations

from typing import Any

import numpy as np

from geotoolz.core import ParameterError, TileError, TileSpec


def sun_angles(
    tile: TileSpec, name: str, given: float | None, dims: tuple[str, ...], needed_by: str
) -> np.ndarray[Any, Any]:
    """Return an angle in degrees: one number, or one per date of a stack.

    Parameters
    ----------
    tile : TileSpec
        The tile.
    name : {"sun_elevation", "sun_azimuth"}
        Which angle; so it is called among the tile's attributes, and along ``time`` in stacks.
    given : float, optional
        The operator's parameter, which comes first.
    dims : tuple of str
        Dims of what is computed.
    needed_by : str
        The operator; named in errors.

    Raises
    ------
    TileError
        If nobody says, or what is said is no angle.
    """
    if given is not None:
        found: Any = given
    elif name in tile.coords and tile.coords[name].dim in dims[:-2]:
        found = tile.coords[name].values
    elif name in tile.attrs:
        found = tile.attrs[name]
    else:
        raise TileError(
            f"{needed_by} needs {name}, and the tile's attributes do not say it",
            expected=f"ds.attrs[{name!r}] in degrees, or a coordinate {name!r} along time",
            fix=f"{needed_by}({name}=…), or ds = ds.assign_attrs({name}=…)",
        )
    try:
        angles = np.atleast_1d(np.asarray(found, np.float64))
    except (TypeError, ValueError):
        angles = np.array([np.nan])
    if not np.isfinite(angles).all() or (
        name == "sun_elevation" and not ((angles > 0) & (angles <= 90)).all()
    ):
        raise TileError(
            f"{needed_by}: {name} is {found!r}",
            expected="degrees above the horizon, more than 0 to 90"
            if name == "sun_elevation"
            else "degrees clockwise from north",
            fix=f"correct the tile's attribute, or {needed_by}({name}=…)",
        )
    return angles


def check_elevation(value: float | None) -> None:
    """Check the parameter ``sun_elevation``."""
    if value is not None and not 0 < value <= 90:
        raise ParameterError(
            f"sun_elevation={value}", expected="degrees above the horizon, more than 0 to 90"
        )
