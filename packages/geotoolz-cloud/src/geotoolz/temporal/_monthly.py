"""`monthly_composite`: from a catalog to one image per month."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.cloud import MaskClouds
from geotoolz.core import Operator, ParameterError, Sink, TileSpec, tile_from_arrays
from geotoolz.core._lazy import xr
from geotoolz.core._threads import cpus
from geotoolz.temporal._composite import Composite
from geotoolz.temporal._monthly_engine import ComposeWindow, by_engine
from geotoolz.temporal._monthly_make import Arrays, EmptyPeriodWarning, Making, by_threads, gather
from geotoolz.temporal._monthly_plan import Bands, composite_of, periods_of, recipe_of
from geotoolz.temporal._monthly_write import Files, is_folder, refuse_same_paths, sink_of

__all__ = ["EmptyPeriodWarning", "monthly_composite"]

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

    from geotoolz.batch import Engine
    from geotoolz.catalog import GeoCatalog
    from geotoolz.catalog._stack_groups import GroupBy
    from geotoolz.io._sign import Sign

Array = np.ndarray[Any, Any]
_CLOUDS = MaskClouds()


def monthly_composite(
    catalog: GeoCatalog | str | os.PathLike[str],
    aoi: Any = None,
    resolution: float | None = None,
    reducer: str | Composite = "median",
    min_obs: int = 1,
    *,
    period: str = "month",
    mask: Operator | None = _CLOUDS,
    bands: Bands = None,
    crs: Any = None,
    groupby: GroupBy = "solar_day",
    sign: Sign = None,
    out: str | os.PathLike[str] | Sink | None = None,
    threads: int | None = None,
    engine: str | Engine | None = None,
    n_workers: int | None = None,
) -> xr.Dataset | tuple[str, ...]:
    """Make one image of the clear observations of every month.

    Scenes of all tiles and zones are laid onto one grid, date by date (`GeoCatalog.stack`), clouds are
    masked on each date, and the dates of a month become one image (`Composite`). The work goes window by
    window from the files to the result, so memory does not grow with the area; every window has the bits of
    the whole. Of each scene only the pixels are read that no earlier scene of its date has given.

    Two variables say what an image is worth: ``observations``, uint16, the clear observations of a pixel
    (as `Composite` counts them), and ``clear_share``, float32, the share of the dates with data in the first
    band that are clear, NaN where no date has data.

    Parameters
    ----------
    catalog : GeoCatalog or path
        The scenes (a folder of scenes, or a saved catalog); select dates and clouds with `query` and
        `filter` first.
    aoi : tuple, geometry, GeoDataFrame or GeoBox, optional
        The area, as `stack_grid` takes it; by default what the scenes cover. A GeoBox without `resolution`
        is the grid itself.
    resolution : float, optional
        Pixel size in units of the CRS; by default that of the finest of the bands.
    reducer : {"median", "mean", "geomedian", "medoid", "max_ndvi"} or Composite
        How the dates of a month become one; a `Composite` for its further parameters.
    min_obs : int
        Pixels with fewer observations become no-data.
    period : str
        ``"month"``, or another step of the calendar: ``"week"``, ``"year"``, ``"10D"``, ``"3M"``.
    mask : Operator, optional
        What masks the clouds of a stack; None for nothing. Only the layers that it reads are opened.
    bands : str, iterable of str, or mapping, optional
        Bands of the composite; by default all measurements of the scenes.
    crs : object, optional
        CRS of the grid; by default that of most scenes.
    groupby : {"solar_day", "time"} or None
        What makes one date.
    sign : str or callable, optional
        Signs addresses when files are opened, as `open_tile` says.
    out : path or Sink, optional
        Where to write: a folder (one COG per month and variable, ``{tile_id}_{band}.tif``, with a STAC item
        per month in ``items/`` and their ``collection.json``), a path that ends in .tif or .zarr with the
        fields of `WriteCOG`, or a sink. ``{tile_id}`` is the month and the reducer, ``2023-08_median``. By
        default nothing is written and the images are returned.
    threads : int, optional
        Windows that are treated at a time; by default one per usable processor.
    engine : str or Engine, optional
        Who treats windows instead of threads: ``"process"``, ``"ray"``, or an engine of `geotoolz.batch`.
        Every window has the bits of the whole, whoever makes it. Windows of the result travel back, the
        scenes do not travel.
    n_workers : int, optional
        Workers of the engine.

    Returns
    -------
    xarray.Dataset or tuple of str
        A stack ``(time, y, x)`` of the months, labelled with their beginning, from the first to the last
        that has a date; or the paths that were written.

    Raises
    ------
    CatalogError, OutsideError
        If no scene lies over the area.
    MissingVariableError
        If a scene lacks a band, or what the mask reads.
    ParameterError
        If a parameter has a value that it cannot have, or two months have one path.

    Warns
    -----
    EmptyPeriodWarning
        If a month has no clear observation at all; its image is all no-data.

    Examples
    --------
    >>> from geotoolz.temporal import monthly_composite
    >>> images = monthly_composite(catalog, (15.4, 45.4, 15.8, 45.7), 20.0)  # doctest: +SKIP
    """
    from geotoolz.batch import get_engine
    from geotoolz.catalog import open_stack

    if threads is not None and (type(threads) is not int or threads < 1):
        raise ParameterError(f"threads={threads!r}", expected="1 or more")
    _refuse_idle(engine, n_workers, threads)
    chosen = None if engine is None else get_engine(engine, n_workers)
    if isinstance(catalog, str | os.PathLike):
        catalog = _opened(Path(catalog))
    grid = _grid(catalog, aoi, resolution, crs, bands, sign)
    recipe = recipe_of(catalog, grid, bands, mask, composite_of(reducer), min_obs, sign)
    reader = open_stack(catalog, grid, recipe.reads, groupby=groupby, sign=sign)
    periods = periods_of(reader.times, period)
    sink = None if out is None else sink_of(out, recipe)
    block = (sink.chunks, sink.chunks) if sink is not None and hasattr(sink, "chunks") else (1, 1)
    makings = [Making(recipe, reader, one, block) for one in periods]
    count = threads or cpus()
    if chosen is None:
        results = by_threads(makings, count)
    else:
        results = by_engine(ComposeWindow(recipe, reader, periods), makings, chosen)
    with closing(results):
        if sink is None:
            place = Arrays(makings)
            gather(makings, results, place)
            return _stacked(makings, place.arrays)
        refuse_same_paths(makings, sink)
        folder = Path(out) if isinstance(out, str | os.PathLike) and is_folder(out) else None
        with Files(sink, recipe, folder, count) as files:
            gather(makings, results, files)
            return files.paths(makings)


def _refuse_idle(engine: str | Engine | None, n_workers: int | None, threads: int | None) -> None:
    """Refuse numbers that would do nothing."""
    if engine is None and n_workers is not None:
        raise ParameterError(
            f"n_workers={n_workers!r} without an engine", expected="threads, or an engine that has workers"
        )
    if engine is not None and threads is not None:
        raise ParameterError(f"threads={threads!r} with an engine", expected="n_workers: its workers")


def _opened(path: Path) -> GeoCatalog:
    from geotoolz.catalog import GeoCatalog

    return GeoCatalog.open(path) if path.suffix == ".parquet" else GeoCatalog.build(path)


def _grid(
    catalog: GeoCatalog, aoi: Any, resolution: float | None, crs: Any, bands: Bands, sign: Sign
) -> GeoBox:
    from odc.geo.geobox import GeoBox

    from geotoolz.catalog import stack_grid

    if isinstance(aoi, GeoBox) and resolution is None and crs is None:
        return aoi
    return stack_grid(catalog, aoi, resolution, crs, bands=bands, sign=sign)


def _stacked(makings: Sequence[Making], arrays: Mapping[str, Array]) -> xr.Dataset:
    """Return the images of all periods as a stack."""
    tiles = [making.tile for making in makings]
    specs = tiles[0].variables
    times = np.array([making.period.time for making in makings], "datetime64[ns]")
    return tile_from_arrays(
        {name: (("time", "y", "x"), pixels) for name, pixels in arrays.items()},
        makings[0].reader.geobox,
        attrs=_shared(tiles),
        var_attrs={name: specs[name].attrs for name in arrays},
        nodata={name: specs[name].nodata for name in arrays},
        coords={"time": xr.Variable(("time",), times, {"long_name": "beginning of the period (UTC)"})},
    )


def _shared(tiles: list[TileSpec]) -> dict[str, Any]:
    """Return the attributes of a stack of composites: what is the same for all, and the interval."""
    attrs = {k: v for k, v in tiles[0].attrs.items() if all(t.attrs.get(k) == v for t in tiles)}
    starts = [t.attrs["start_datetime"] for t in tiles if "start_datetime" in t.attrs]
    ends = [t.attrs["end_datetime"] for t in tiles if "end_datetime" in t.attrs]
    return {**attrs, "datetime": min(starts), "start_datetime": min(starts), "end_datetime": max(ends)}
