"""Two scenes as a stack of two dates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.core import GeotoolzError, MissingVariableError, TileError, TileSpec
from geotoolz.temporal._times import iso, parsed

if TYPE_CHECKING:
    import xarray as xr

_OF_A_DATE = ("sun_elevation", "sun_azimuth", "processing_baseline", "platform")


def open_pair(before: Any, after: Any, bands: Any = None, **read: Any) -> xr.Dataset:
    """Read two scenes of one sensor as a stack of two dates, on the grid of the first.

    Parameters
    ----------
    before, after : path, list of paths, STAC item
        What `geotoolz.io.open_tile` takes. The second is read on the grid of the first, and resampled or
        reprojected where its own is another one.
    bands : str or iterable of str, optional
        As for `open_tile`; by default what the first scene has.
    **read
        Further arguments of `open_tile` for both: ``aoi``, ``resolution``, ``sign``, …

    Returns
    -------
    xarray.Dataset
        Variables ``(time, y, x)``, with the two dates as ``time``. What the scenes say alike of themselves is
        an attribute; sun angles, baseline and platform that differ are coordinates along time; ``tile_id``
        is that of both, joined by ``_to_``.

    Raises
    ------
    TileError
        If a scene tells no date, or the second is not later than the first.
    MissingVariableError
        If the second scene lacks a band of the first, as one of another sensor does.

    Examples
    --------
    >>> import tempfile
    >>> from geotoolz.core.testing import simulate_series, write_scene
    >>> from geotoolz.temporal import open_pair
    >>> scenes = simulate_series(2, shape=(32, 32), bands=("nir", "swir22"))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     one, two = (write_scene(scene, folder) for scene in scenes)
    ...     dict(open_pair(one, two, ("nir", "swir22")).sizes)
    {'time': 2, 'y': 32, 'x': 32}
    """
    import xarray as xr

    from geotoolz.io import open_tile

    one = open_tile(before, bands, **read)
    box = TileSpec.of(one).require_geobox("open_pair")
    grid = {name: value for name, value in read.items() if name not in ("aoi", "resolution")}
    wanted = [str(name) for name in one.data_vars]
    try:
        two = open_tile(after, wanted, geobox=box, **grid)
    except GeotoolzError as error:
        raise error.prefixed(f"after ({after})") from error
    missing = [name for name in wanted if name not in two]
    if missing:  # found by its role under another name: another band of another sensor
        raise MissingVariableError(
            f"{after} has no {missing[0]!r} (it has {', '.join(map(str, two.data_vars))})",
            expected=f"the bands of {before}",
            fix="take two scenes of one sensor",
        )
    times = [_date(before, one), _date(after, two)]
    if not times[0] < times[1]:
        raise TileError(
            f"the scene before is of {iso(times[0])}, the one after of {iso(times[1])}",
            expected="the earlier one first",
            fix="swap them",
        )
    # both are on one grid already: other coordinates would be a mistake, not a union
    stack = xr.concat([one, two[wanted]], "time", join="exact", combine_attrs="override")
    differ = {
        name: ("time", [one.attrs[name], two.attrs[name]])
        for name in _OF_A_DATE
        if name in one.attrs and name in two.attrs and one.attrs[name] != two.attrs[name]
    }
    stack.attrs = {name: value for name, value in one.attrs.items() if two.attrs.get(name) == value}
    stack.attrs["tile_id"] = f"{_name(one)}_to_{_name(two)}"
    return stack.assign_coords({"time": ("time", np.array(times, "datetime64[ns]")), **differ})


def _date(source: Any, tile: xr.Dataset) -> Any:
    text = tile.attrs.get("datetime")
    if not text:
        raise TileError(
            f"{source} tells no date",
            expected="a scene with metadata",
            fix="open both with open_tile, and give the dates: xarray.concat(…, dim='time')",
        )
    return parsed(str(text), "datetime")


def _name(tile: xr.Dataset) -> str:
    return str(tile.attrs.get("tile_id") or str(tile.attrs["datetime"])[:10])
