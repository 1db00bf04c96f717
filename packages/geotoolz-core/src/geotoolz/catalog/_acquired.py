"""Rows whose files have become local."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from geotoolz.catalog._cache import Entry
from geotoolz.catalog._export import item_of
from geotoolz.catalog._footprint import footprint_of_bounds
from geotoolz.catalog._hrefs import absolute
from geotoolz.catalog._rows import Row
from geotoolz.catalog._search_items import unsigned
from geotoolz.catalog._stac import item_row
from geotoolz.io._gdal_session import gdal_env

#: of an item, what describes grids that its files no longer have
_GRID = ("proj:shape", "proj:transform", "proj:bbox", "proj:geometry", "proj:centroid")
#: of an asset, what described the file as it was
_FILE = ("file:size", "file:checksum", "checksum:multihash", *_GRID)
#: of an asset whose pixels were resampled, what said how its digital numbers are meant
_MEANT = ("raster:bands", "eo:bands", "bands", "raster:scale", "raster:offset", "nodata", "data_type")


def local_row(row: Any, base: Any, folder: Path, files: Mapping[str, tuple[Entry, str]], whole: bool) -> Row:
    """Return a row whose item names the local files.

    Parameters
    ----------
    row : named tuple
        The row as it was.
    base : path or None
        Folder that its relative sources start from.
    folder : Path
        The cache.
    files : mapping
        By asset: the file, and the address that it came from. Empty where all files are local already.
    whole : bool
        Whether the files are whole: their grids are those that the item declares.
    """
    same: Row = row._asdict()
    if not files:
        if row.source is not None:
            same["source"] = absolute(row.source, base)
        if row.item is not None:
            same["item"] = json.dumps(item_of(row, base))
        return same
    item = item_of(row, base)
    item["assets"] = {
        key: _asset(item["assets"].get(key), entry, href, folder, whole)
        for key, (entry, href) in files.items()
    }
    item["links"] = _via(item, next(href for _, href in files.values()))
    if not whole:
        item["properties"] = {k: v for k, v in item["properties"].items() if k not in _GRID}
    made, _ = item_row(item, None, None)
    if not whole and made.get("crs") and made.get("left") is not None:
        bounds = (made["left"], made["bottom"], made["right"], made["top"])
        here = footprint_of_bounds(bounds, made["crs"])
        common = row.geometry.intersection(here)
        made["geometry"] = here if common.is_empty or common.area == 0 else common
        item |= {"geometry": made["geometry"].__geo_interface__, "bbox": list(made["geometry"].bounds)}
        made["item"] = json.dumps(item)
    return {**same, **made, "id": row.id}


def _asset(told: Any, entry: Entry, href: str, folder: Path, whole: bool) -> dict[str, Any]:
    """Return the asset of a local file."""
    resampled = entry.part is not None and "resolution" in entry.part
    gone = () if whole else (*_FILE, *(_MEANT if resampled else ()))
    asset = {name: value for name, value in dict(told or {"roles": ["data"]}).items() if name not in gone}
    asset |= {
        "href": str(folder / entry.file),
        "file:size": entry.size,
        "file:checksum": f"1220{entry.sha256}",
        "geotoolz:origin": unsigned(href),
    }
    if not whole:
        asset["type"] = "image/tiff; application=geotiff"
        asset |= _grid(folder / entry.file)
    return asset


def _grid(path: Path) -> dict[str, Any]:
    import rasterio

    with gdal_env(), rasterio.open(path) as raster:
        return {"proj:shape": [raster.height, raster.width], "proj:transform": list(raster.transform)[:6]}


def _via(item: Mapping[str, Any], href: str) -> list[dict[str, Any]]:
    """Return links that say whose item it is: the band tables go by that."""
    kept = [link for link in item.get("links") or () if link.get("rel") == "via"]
    return [*kept, {"rel": "via", "href": unsigned(href)}]
