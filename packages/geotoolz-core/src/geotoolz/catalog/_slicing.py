"""From rows to slices."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from geotoolz.catalog._hrefs import absolute
from geotoolz.catalog._rows import COLUMNS
from geotoolz.catalog._slice import GeoSlice
from geotoolz.catalog._stac import absolute_item
from geotoolz.catalog._time import parse_instant
from geotoolz.core._errors import CatalogError

Base = str | Path | None

# Columns that become attributes of the tile; columns that the user added do so too.
_ATTRS = (
    "platform",
    "instrument",
    "processing_level",
    "processing_baseline",
    "sun_azimuth",
    "sun_elevation",
    "cloud_cover",
    "tile",
)


def slices_of(rows: Iterable[Any], columns: Iterable[str], base: Base) -> Iterator[GeoSlice]:
    """Yield one slice per row.

    Parameters
    ----------
    rows : iterable of named tuples
        As `GeoCatalog.iter_rows` yields them.
    columns : iterable of str
        The frame's columns.
    base : str, Path or None
        Folder that relative sources start from.
    """
    names = (*_ATTRS, *(c for c in columns if c not in COLUMNS and c != "geometry"))
    for row in rows:
        yield slice_of(row, names, base)


def slice_of(row: Any, names: Iterable[str], base: Base) -> GeoSlice:
    """Return a row's slice: its whole native grid.

    Raises
    ------
    CatalogError
        If neither the row nor its files tell the grid.
    """
    item = source_item(row, base)
    sources = item_hrefs(item) if item is not None else (absolute(row.source, base),)
    about: dict[str, Any] = {
        "time": _row_time(row),
        "sources": sources,
        "tile_id": row.id,
        "attrs": {n: v for n in names if (v := _plain(getattr(row, n))) is not None},
        "item": item,
    }
    if not _absent(row.height) and not _absent(row.left):
        bounds = (row.left, row.bottom, row.right, row.top)
        return GeoSlice(bounds, row.crs, (row.res_x, row.res_y), (int(row.height), int(row.width)), **about)
    return GeoSlice.from_geobox(_described_grid(row.id, item or sources[0]), **about)


def _described_grid(name: str, source: Any) -> Any:
    """Ask the reader for a grid that the catalog does not know."""
    from geotoolz.io import describe

    geobox = describe(source).geobox
    if geobox is None:
        raise CatalogError(
            f"row {name!r} has no grid, and its files tell none",
            expected="columns crs, left, bottom, right, top, height, width",
            fix="add the projection extension to its item, or give the columns",
        )
    return geobox


def source_item(row: Any, base: Base) -> dict[str, Any] | None:
    """Return the item that a row keeps, with absolute hrefs, or None where a file holds it."""
    if _absent(row.item):
        return None
    return absolute_item(json.loads(row.item), base)


def item_hrefs(item: Mapping[str, Any]) -> tuple[str, ...]:
    """Return where an item's assets are, each once."""
    return tuple(dict.fromkeys(asset["href"] for asset in item["assets"].values()))


def _row_time(row: Any) -> Any:
    if _absent(row.start_datetime):
        return None
    start, end = parse_instant(row.start_datetime), parse_instant(row.end_datetime)
    return start if start == end else (start, end)


def _absent(value: object) -> bool:
    # None, NaN, NaT and pandas.NA
    return value is None or value != value or type(value).__name__ == "NAType"


def _plain(value: Any) -> Any:
    """Return a scalar that JSON knows, or None."""
    if type(value).__name__ == "NAType" or value is None:
        return None
    if hasattr(value, "item") and not isinstance(value, (str, int, float)):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if hasattr(value, "isoformat"):
        return None if value != value else value.isoformat()
    return value if isinstance(value, (str, int, float, bool)) else None
