"""A stack in words that JSON has: enough to read it again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from geotoolz.catalog._time import iso

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

    from geotoolz.catalog._catalog import GeoCatalog
    from geotoolz.catalog._stack_reader import StackReader


def stack_recipe(
    catalog: GeoCatalog,
    dates: Sequence[Sequence[Any]],
    geobox: GeoBox,
    bands: Any,
    groupby: Any,
    raw: bool,
    offset: Any,
) -> dict[str, Any]:
    """Describe a stack: its scenes date by date, its grid, how they are read; `reopened` reads it again.

    Parameters
    ----------
    catalog : GeoCatalog
        Where the rows come from; its base makes relative paths whole.
    dates : sequence of sequences of named tuples
        The rows of each date.
    geobox, bands, groupby, raw, offset
        As for `open_stack`.
    """
    chosen = dict(bands) if isinstance(bands, Mapping) else bands
    if isinstance(chosen, Iterable) and not isinstance(chosen, str | dict):
        chosen = list(chosen)
    return {
        "kind": "stack",
        "dates": [[row_told(catalog, row) for row in rows] for rows in dates],
        "crs": str(geobox.crs),
        "transform": list(geobox.affine)[:6],
        "shape": list(map(int, geobox.shape)),
        "bands": chosen,
        "groupby": groupby,
        "raw": raw,
        "offset": offset,
    }


def row_told(catalog: GeoCatalog, row: Any) -> dict[str, Any]:
    """Return what a row says, without what it does not know."""
    held = {name: value for name, value in row._asdict().items() if value is not None and value == value}
    held["geometry"] = row.geometry.__geo_interface__
    source = catalog.source_of(row)
    if isinstance(source, str):
        held["source"] = source
    return {
        name: iso(value) if isinstance(value, datetime) else _plain(value) for name, value in held.items()
    }


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def reopened(recipe: Mapping[str, Any]) -> StackReader:
    """Open the stack that `stack_recipe` described.

    Raises
    ------
    GeotoolzError
        If a scene is gone, or is no longer where it was.
    """
    from affine import Affine
    from odc.geo.geobox import GeoBox

    from geotoolz.catalog._catalog import GeoCatalog
    from geotoolz.catalog._stack import open_stack

    catalog = GeoCatalog.from_rows([row for rows in recipe["dates"] for row in rows])
    geobox = GeoBox(tuple(recipe["shape"]), Affine(*recipe["transform"]), recipe["crs"])
    read = {name: recipe.get(name) for name in ("groupby", "offset")}  # JSON without nulls lacks them
    return open_stack(catalog, geobox, recipe.get("bands"), raw=bool(recipe.get("raw")), **read)
