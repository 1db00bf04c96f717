"""`monthly_composite`: from a catalog to one image per month."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from geotoolz.cloud import MaskClouds
from geotoolz.core import Extent, Operator, ParameterError, Program, Sink, TileSpec, tile_from_arrays
from geotoolz.core._execute import Job
from geotoolz.core._threads import cpus
from geotoolz.temporal._composite import Composite
from geotoolz.temporal._monthly_plan import Bands, Period, Recipe, composite_of, periods_of, recipe_of
from geotoolz.temporal._monthly_run import Output, choose_windows, run_windows
from geotoolz.temporal._monthly_steps import OBSERVATIONS

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

    from geotoolz.catalog import GeoCatalog, StackReader
    from geotoolz.catalog._stack_groups import GroupBy
    from geotoolz.io._sign import Sign

Array = np.ndarray[Any, Any]
_CLOUDS = MaskClouds()


class EmptyPeriodWarning(UserWarning):
    """A month has no clear observation anywhere: its composite is all no-data."""


def monthly_composite(
    catalog: GeoCatalog | str | os.PathLike[str],
    aoi: Any,
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
    aoi : tuple, geometry, GeoDataFrame or GeoBox
        The area, as `stack_grid` takes it. A GeoBox without `resolution` is the grid itself.
    resolution : float, optional
        Pixel size in units of the CRS.
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
        Where to write: a folder (one COG per month and variable, ``{tile_id}_{band}.tif``), a path that ends
        in .tif or .zarr with the fields of `WriteCOG`, or a sink. ``{tile_id}`` is the month and the
        reducer, ``2023-08_median``. By default nothing is written and the images are returned.
    threads : int, optional
        Windows that are treated at a time; by default one per usable processor.

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
    from geotoolz.catalog import open_stack

    if threads is not None and (type(threads) is not int or threads < 1):
        raise ParameterError(f"threads={threads!r}", expected="1 or more")
    if isinstance(catalog, str | os.PathLike):
        catalog = _opened(Path(catalog))
    grid = _grid(catalog, aoi, resolution, crs)
    recipe = recipe_of(catalog, grid, bands, mask, composite_of(reducer), min_obs, sign)
    reader = open_stack(catalog, grid, recipe.reads, groupby=groupby, sign=sign)
    periods = periods_of(reader.times, period)
    count = threads or cpus()
    if out is None:
        return _in_memory(recipe, reader, periods, count)
    return _written(recipe, reader, periods, count, _sink(out, recipe))


def _opened(path: Path) -> GeoCatalog:
    from geotoolz.catalog import GeoCatalog

    return GeoCatalog.open(path) if path.suffix == ".parquet" else GeoCatalog.build(path)


def _grid(catalog: GeoCatalog, aoi: Any, resolution: float | None, crs: Any) -> GeoBox:
    from odc.geo.geobox import GeoBox

    from geotoolz.catalog import stack_grid

    if resolution is not None:
        return stack_grid(catalog, aoi, resolution, crs)
    if not isinstance(aoi, GeoBox) or crs is not None:
        raise ParameterError("no resolution is given", expected="a pixel size, or a GeoBox alone as the aoi")
    return aoi


def _in_memory(recipe: Recipe, reader: StackReader, periods: list[Period], threads: int) -> xr.Dataset:
    arrays: dict[str, Array] = {}
    tiles = []
    for number, period in enumerate(periods):
        program = recipe.program(reader, period)
        tile = recipe.described(program, period)
        tiles.append(tile)
        for name in recipe.outputs:
            if name not in arrays:
                arrays[name] = np.empty((len(periods), *tile.shape), tile.variables[name].dtype)
        slots = _slots(program, recipe)
        target = _Arrays({slots[name]: arrays[name][number] for name in recipe.outputs})
        _compose(recipe, reader, period, program, target, threads, (1, 1), recipe.outputs)
    specs = tiles[0].variables
    times = np.array([period.time for period in periods], "datetime64[ns]")
    return tile_from_arrays(
        {name: (("time", "y", "x"), arrays[name]) for name in recipe.outputs},
        reader.geobox,
        attrs=_shared(tiles),
        var_attrs={name: specs[name].attrs for name in recipe.outputs},
        nodata={name: specs[name].nodata for name in recipe.outputs},
        coords={"time": xr.Variable(("time",), times, {"long_name": "beginning of the period (UTC)"})},
    )


def _shared(tiles: list[TileSpec]) -> dict[str, Any]:
    """Return the attributes of a stack of composites: what is the same for all, and the interval."""
    attrs = {k: v for k, v in tiles[0].attrs.items() if all(t.attrs.get(k) == v for t in tiles)}
    starts = [t.attrs["start_datetime"] for t in tiles if "start_datetime" in t.attrs]
    ends = [t.attrs["end_datetime"] for t in tiles if "end_datetime" in t.attrs]
    return {**attrs, "datetime": min(starts), "start_datetime": min(starts), "end_datetime": max(ends)}


class _Arrays:
    """Takes windows into arrays."""

    def __init__(self, arrays: dict[int, Array]) -> None:
        self.arrays = arrays

    def put(self, slot: int, extent: Extent, pixels: Array) -> None:
        """Take the pixels of a window."""
        extent.of(self.arrays[slot])[...] = pixels


class _Watched:
    """Hands the windows that are wanted on, and notes whether anything was seen."""

    def __init__(self, output: Output, slot: int, wanted: Iterable[int]) -> None:
        self.output, self.slot, self.wanted, self.most = output, slot, frozenset(wanted), 0

    def put(self, slot: int, extent: Extent, pixels: Array) -> None:
        """Take the pixels of a window."""
        if slot == self.slot and pixels.size:
            self.most = max(self.most, int(pixels.max()))
        if slot in self.wanted:
            self.output.put(slot, extent, pixels)


def _slots(program: Program, recipe: Recipe) -> dict[str, int]:
    slots = next(iter(program.states.values())).slots
    return {name: slots[name] for name in recipe.outputs}


def _compose(
    recipe: Recipe,
    reader: StackReader,
    period: Period,
    program: Program,
    output: Output,
    threads: int,
    block: tuple[int, int],
    names: Iterable[str],
) -> None:
    """Make the image of one period, window by window, and hand on some of its variables."""
    slots = _slots(program, recipe)
    own = reader.at(period.positions)
    windows = choose_windows(own, list(program.inputs), block)
    watched = _Watched(output, slots[OBSERVATIONS], [slots[name] for name in names])
    if period.positions:
        job = Job.of(program, program.wanted, (), reader.spec.shape)
        run_windows(job, own, watched, windows, threads)
    else:
        for extent in windows:
            for slot in slots.values():
                spec = program.slots[slot]
                watched.put(slot, extent, np.full(extent.shape, spec.nodata or 0, spec.dtype))
    if watched.most == 0:
        dates = len(period.positions)
        warnings.warn(
            EmptyPeriodWarning(f"{period.label}: no clear observation on {dates} date(s); all is no-data"),
            stacklevel=4,
        )


def _sink(out: str | os.PathLike[str] | Sink, recipe: Recipe) -> Any:
    from geotoolz.io import WriteCOG, WriteZarr

    if isinstance(out, WriteCOG | WriteZarr):
        return out.replace(bands=out.bands or recipe.outputs)
    if isinstance(out, Sink):
        raise ParameterError(f"out is {type(out).__name__}", expected="WriteCOG, WriteZarr or a path")
    path = os.fspath(out)
    if path.lower().endswith(".zarr"):
        return WriteZarr(path, recipe.outputs)
    if not path.lower().endswith((".tif", ".tiff")):
        path = str(Path(path) / "{tile_id}_{band}.tif")
    return WriteCOG(path, recipe.outputs)


def _written(
    recipe: Recipe, reader: StackReader, periods: list[Period], threads: int, sink: Any
) -> tuple[str, ...]:
    """Write the periods one by one; each appears complete or not at all."""
    plans = [(period, program := recipe.program(reader, period), recipe.described(program, period))
             for period in periods]  # fmt: skip
    _refuse_same_paths([tile for _, _, tile in plans], sink)
    paths: list[str] = []
    for period, program, tile in plans:
        with _end(sink, tile, _slots(program, recipe)) as end:
            block = end.block if sink.path.lower().endswith(".zarr") else (1, 1)
            _compose(recipe, reader, period, program, end, threads, block, end.names)
            end.finish(threads)
            paths.extend(end.publish())
    return tuple(paths)


def _end(sink: Any, tile: TileSpec, slots: dict[str, int]) -> Any:
    from geotoolz.io import WriteZarr
    from geotoolz.io._stream_cog import CogStream
    from geotoolz.io._stream_zarr import ZarrStream

    kind = ZarrStream if isinstance(sink, WriteZarr) else CogStream
    return kind(sink, tile, sink.bands, slots)


def _refuse_same_paths(tiles: list[TileSpec], sink: Any) -> None:
    from geotoolz.io._template import expand

    seen: dict[str, str] = {}
    for tile in tiles:
        path = expand(sink.path, tile.attrs, "band")
        if path in seen:
            raise ParameterError(
                f"{tile.attrs['period']} and {seen[path]} would both be written to {path}",
                expected="a path per period",
                fix="put {tile_id} into the path",
            )
        seen[path] = str(tile.attrs["period"])
