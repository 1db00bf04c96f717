"""A slice's pixels, through `geotoolz.io.open_tile`."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from geotoolz.catalog._time import iso
from geotoolz.core._errors import CatalogError

if TYPE_CHECKING:
    import xarray as xr

    from geotoolz.catalog._slice import GeoSlice
    from geotoolz.io._sign import Sign


def load_slice(part: GeoSlice, bands: Sequence[str] | None, raw: bool, sign: Sign = None) -> xr.Dataset:
    """Read a slice on its own grid.

    Raises
    ------
    CatalogError
        If the slice names no source, or several that hold variables of one name.
    """
    from geotoolz.io import open_tile

    wanted = tuple(bands) if bands is not None else part.bands
    sources = sources_of(part)
    geobox = part.geobox
    tiles = [open_tile(source, bands=wanted, raw=raw, geobox=geobox, sign=sign) for source in sources]
    tile = _merged(tiles, part)
    return tile.assign_attrs(described(tile.attrs, part))


def sources_of(part: GeoSlice) -> list[Any]:
    """Return what a slice is read from: its STAC item, or its paths and URIs."""
    sources: list[Any] = [json.loads(part.item)] if part.item is not None else list(part.sources)
    if not sources:
        raise CatalogError(
            f"slice {part.tile_id!r} has no sources", expected="a path or URI", fix="give it sources=(…,)"
        )
    return sources


def _merged(tiles: list[xr.Dataset], part: GeoSlice) -> xr.Dataset:
    tile = tiles[0]
    for number, other in enumerate(tiles[1:], 1):
        require_other_names(tile.data_vars, other.data_vars, part, number)
        tile = tile.assign({name: other.variables[name] for name in other.data_vars})
    return tile


def require_other_names(names: Collection[Any], more: Iterable[Any], part: GeoSlice, number: int) -> None:
    """Raise if a slice's source holds a variable that an earlier one has."""
    twice = [str(name) for name in more if name in names]
    if twice:
        raise CatalogError(
            f"{part.sources[number]} has {', '.join(twice)}, and so has another of {part.tile_id!r}",
            expected="sources whose variables have different names",
            fix="name the bands in a STAC item",
        )


def described(found: Mapping[Any, Any], part: GeoSlice) -> dict[Any, Any]:
    """Return a tile's attributes with what the catalog knows and the reader did not find."""
    attrs = dict(found)
    known: dict[str, Any] = dict(part.attrs)
    if part.tile_id:
        attrs["tile_id"] = part.tile_id
    if part.interval is not None:
        start, end = part.interval
        known.setdefault("datetime", iso(start) if start == end else f"{iso(start)}/{iso(end)}")
    for name, value in known.items():
        if attrs.get(name) in (None, ""):
            attrs[name] = value
    return attrs
