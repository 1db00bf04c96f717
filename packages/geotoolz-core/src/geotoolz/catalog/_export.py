"""From rows to STAC items."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from geotoolz.catalog._hrefs import absolute, file_uri, local_path
from geotoolz.catalog._scan import read_json
from geotoolz.catalog._slicing import _plain, source_item
from geotoolz.catalog._stac import absolute_item
from geotoolz.catalog._time import iso, parse_instant
from geotoolz.core._errors import ReadError

_STAC_NAMES = {
    "processing_level": "processing:level",
    "processing_baseline": "s2:processing_baseline",
    "cloud_cover": "eo:cloud_cover",
    "sun_azimuth": "view:sun_azimuth",
    "sun_elevation": "view:sun_elevation",
    "platform": "platform",
}


def item_of(row: Any, base: str | Path | None) -> dict[str, Any]:
    """Return a row's STAC item; local hrefs are ``file:///`` URIs.

    Raises
    ------
    ReadError
        If the row names an item file that is gone.
    """
    item = source_item(row, base)
    if item is None and row.kind == "item":
        path = local_path(row.source, base)
        if path is None or not path.is_file():
            raise ReadError(f"{row.source} of row {row.id!r} does not exist", expected="its STAC item")
        item = absolute_item(read_json(path), path.parent)
    if item is None:
        item = _made(row, base)
    for asset in item["assets"].values():
        asset["href"] = file_uri(asset["href"])
    return item


def _made(row: Any, base: str | Path | None) -> dict[str, Any]:
    """Return an item for a raster or a product folder."""
    properties: dict[str, Any] = json.loads(row.properties) if row.properties else {}
    for column, name in _STAC_NAMES.items():
        value = _plain(getattr(row, column))
        if value is not None:
            properties[name] = value
    if row.instrument:
        properties["instruments"] = [row.instrument]
    properties |= _times(row)
    if row.epsg is not None:
        properties["proj:code"] = f"EPSG:{row.epsg}"
    if row.height is not None:
        properties["proj:shape"] = [int(row.height), int(row.width)]
        properties["proj:transform"] = [row.res_x, 0.0, row.left, 0.0, -row.res_y, row.top]
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": [],
        "id": row.id,
        "geometry": json.loads(json.dumps(row.geometry.__geo_interface__)),
        "bbox": list(row.geometry.bounds),
        "properties": properties,
        "links": [],
        "assets": {"data": {"href": absolute(row.source, base), "roles": ["data"]}},
    }


def _times(row: Any) -> dict[str, Any]:
    out: dict[str, Any] = {"datetime": iso(parse_instant(row.datetime)) if row.datetime else None}
    if row.start_datetime and row.datetime is None:
        out["start_datetime"] = iso(parse_instant(row.start_datetime))
        out["end_datetime"] = iso(parse_instant(row.end_datetime))
    return out
