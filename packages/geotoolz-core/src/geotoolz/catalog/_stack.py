"""`open_stack` and `GeoCatalog.stack`: scenes of many tiles and zones as one stack on one grid."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.catalog._stack_facts import attrs_of_stack, coords_of_dates, facts_of, stacked_variables
from geotoolz.catalog._stack_grid import touching
from geotoolz.catalog._stack_groups import GroupBy, grouped, mid_longitude
from geotoolz.catalog._stack_pixels import Placed, reach_of
from geotoolz.catalog._stack_reader import StackReader
from geotoolz.catalog._stack_recipe import stack_recipe
from geotoolz.core import Extent, TileSpec
from geotoolz.core._errors import GeotoolzError, MissingDependencyError, OutsideError, ParameterError

if TYPE_CHECKING:
    import xarray as xr
    from odc.geo.geobox import GeoBox

    from geotoolz.catalog._catalog import GeoCatalog
    from geotoolz.io._scene import BandRequest
    from geotoolz.io._sign import Sign
    from geotoolz.io._variables import Offset

_CHUNK = 1024


def open_stack(
    catalog: GeoCatalog,
    geobox: GeoBox,
    bands: BandRequest = None,
    *,
    groupby: GroupBy = "solar_day",
    raw: bool = False,
    offset: Offset = None,
    sign: Sign = None,
) -> StackReader:
    """Open the scenes over a grid as a stack; headers are read, no pixel is.

    Parameters
    ----------
    catalog : GeoCatalog
        The scenes; those that do not touch the grid are left out.
    geobox, bands, groupby, raw, offset, sign
        As `GeoCatalog.stack` takes them.

    Returns
    -------
    StackReader
        Reads whole stacks, or window by window in bounded memory.

    Raises
    ------
    CatalogError, OutsideError, MissingCRSError, MissingVariableError, QuantityError, TileError
        As `GeoCatalog.stack`.
    """
    found = touching(catalog, geobox)
    read = {"raw": raw, "offset": offset, "geobox": geobox, "sign": sign}
    in_order = grouped(found.iter_rows(), groupby, mid_longitude(geobox))
    every = _opened_all(found, [row for rows in in_order for row in rows], bands, read)
    groups: list[list[Any]] = []
    dates: list[list[Placed]] = []
    for rows in in_order:
        opened = [(row, scene) for row in rows if (scene := next(every))]
        if opened:
            groups.append([row for row, _ in opened])
            dates.append([scene for _, scene in opened])
    scenes = [scene for date in dates for scene in date]
    if not scenes:
        raise OutsideError(
            f"the {len(found)} scenes whose footprints touch the geobox have no pixel in it",
            expected="a grid over the scenes",
            fix="move or enlarge the geobox",
        )
    facts = [
        [facts_of(row, scene.reader.spec.attrs) for row, scene in zip(rows, date, strict=True)]
        for rows, date in zip(groups, dates, strict=True)
    ]
    coords = coords_of_dates(groups, facts)
    height, width = map(int, geobox.shape)
    sizes = {"time": len(dates), "y": height, "x": width}
    attrs = attrs_of_stack(facts, coords["time"].values)
    spec = TileSpec(stacked_variables(scenes), sizes, geobox, (0, 0), attrs, coords)
    return StackReader(spec, dates, stack_recipe(found, groups, geobox, bands, groupby, raw, offset))


def _opened_all(
    catalog: GeoCatalog, rows: Sequence[Any], bands: BandRequest, read: dict[str, Any]
) -> Iterator[Placed | None]:
    """Open scenes on the grid, remote ones several at a time; in the order of the rows."""
    from geotoolz.io._gdal import is_remote
    from geotoolz.io._side_by_side import side_by_side

    remote = any(row.source is not None and is_remote(str(row.source)) for row in rows)
    return iter(side_by_side(lambda row: _opened(catalog, row, bands, read), rows, remote))


def _opened(catalog: GeoCatalog, row: Any, bands: BandRequest, read: dict[str, Any]) -> Placed | None:
    """Open a scene on the grid; None where only its footprint touches it."""
    from geotoolz.io import open_scene

    try:
        reader = open_scene(catalog.source_of(row), bands, **read)
    except OutsideError:
        return None
    except GeotoolzError as error:
        raise error.prefixed(f"scene {row.id!r}") from error
    reach = reach_of(reader)
    return None if 0 in reach.shape else Placed(str(row.id), reader, reach)


def lazy_stack(reader: StackReader, chunks: tuple[int, int]) -> xr.Dataset:
    """Return a stack of dask arrays, one task per variable, date and block; no pixel is read.

    Raises
    ------
    MissingDependencyError
        If dask is not installed.
    """
    try:
        import dask.array as da
    except ImportError as error:
        raise MissingDependencyError(
            "a lazy stack needs dask", fix="pip install 'geotoolz-core[dask]', or say lazy=False"
        ) from error
    from dask.base import tokenize

    height, width = reader.spec.shape
    grid = ((1,) * len(reader.dates), *(_cut(n, s) for n, s in zip((height, width), chunks, strict=True)))
    scenes = [(scene.name, _radiometry(scene)) for date in reader.dates for scene in date]
    token = tokenize(scenes, sorted(reader.stamps.items()), str(reader.geobox), chunks)
    arrays = {}
    for name, spec in reader.spec.variables.items():
        arrays[name] = da.map_blocks(  # type: ignore[no-untyped-call]
            _block, chunks=grid, dtype=spec.dtype, meta=np.empty((0, 0, 0), spec.dtype),
            held=_Held(reader), variable=name, name=f"geotoolz-stack-{name}-{token}",
        )  # fmt: skip
    return reader.tile(arrays, Extent(0, height, 0, width))


def _radiometry(scene: Placed) -> str:
    """Return what makes a scene's pixels what they are, besides its files."""
    bands = getattr(scene.reader, "_bands", {})
    return repr([(name, band.source.path, band.radiometry, band.spec) for name, band in bands.items()])


class _Held:
    """Hides a reader from dask, which would otherwise look into it."""

    def __init__(self, reader: StackReader) -> None:
        self.reader = reader

    def __dask_tokenize__(self) -> str:
        return self.reader.origin  # the array's name tells the rest


def _block(held: _Held, variable: str, block_info: Any = None) -> Any:
    """Read one date of one variable in one block."""
    (number, _), (y0, y1), (x0, x1) = block_info[None]["array-location"]
    pixels = np.empty((1, y1 - y0, x1 - x0), held.reader.spec.variables[variable].dtype)
    held.reader.fill(variable, number, Extent(y0, y1, x0, x1), pixels[0])
    return pixels


def chunk_size(chunks: int | tuple[int, int] | None, lazy: bool) -> tuple[int, int]:
    """Return rows and columns of a block, or say that there are none.

    Raises
    ------
    ParameterError
        If they are smaller than 1, or given for a stack that is not lazy.
    """
    if chunks is not None and not lazy:
        raise ParameterError(f"chunks={chunks!r} with lazy=False", fix="leave chunks out, or say lazy=True")
    size = (chunks, chunks) if isinstance(chunks, int) else chunks or (_CHUNK, _CHUNK)
    if min(size) < 1:
        raise ParameterError(f"chunks={chunks!r}", expected="rows and columns, 1 or more")
    return size


def _cut(length: int, size: int) -> tuple[int, ...]:
    full, rest = divmod(length, size)
    return (*[size] * full, *([rest] if rest else []))
