"""Between STAC items and rows."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from geotoolz.catalog._footprint import bbox_geometry, footprint_of_bounds, uncrossed
from geotoolz.catalog._hrefs import absolute, is_uri, local_path
from geotoolz.catalog._names import facts_of_name
from geotoolz.catalog._native import Grid, native_grid
from geotoolz.catalog._rows import Problem, Row, dump_json
from geotoolz.catalog._time import parse_instant
from geotoolz.core._errors import CatalogError, ParameterError

_IN_COLUMNS = {"datetime", "start_datetime", "end_datetime", "platform", "instruments"}
_NO_DATA_ROLES = {"thumbnail", "overview", "visual", "metadata"}
_RASTER_SUFFIXES = (".tif", ".tiff", ".jp2", ".vrt", ".img", ".nc", ".zarr")


def is_item(data: object) -> bool:
    """Tell whether parsed JSON is a STAC item."""
    return (
        isinstance(data, Mapping)
        and data.get("type") == "Feature"
        and isinstance(data.get("assets"), Mapping)
    )


def item_row(
    item: Mapping[str, Any], source: str | None, base: str | Path | None
) -> tuple[Row, list[Problem]]:
    """Return the row of an item, and what is wrong with its files.

    Parameters
    ----------
    item : mapping
        The item.
    source : str or None
        The file that holds it; None keeps the item itself in the row.
    base : str, Path or None
        Folder that relative hrefs start from.

    Raises
    ------
    CatalogError
        If it has no id, no time that can be read, or neither geometry nor grid.
    """
    name = item.get("id")
    if not isinstance(name, str) or not name:
        raise CatalogError(
            "the item has no id", expected="a STAC item with id, geometry, properties and assets"
        )
    properties = item.get("properties")
    if not isinstance(properties, Mapping):
        raise CatalogError(f"item {name!r} has no properties", expected="a STAC item")
    assets = {key: asset for key, asset in item["assets"].items() if is_data(asset)}
    grid, faults = native_grid(item, assets, base)
    row: Row = {**_facts(item, properties), **_times(name, properties)}
    row |= {"id": name, "kind": "item", "source": source, "geometry": _geometry(item, grid)}
    row |= grid.columns() if grid else {}
    row["properties"] = dump_json(_scalars(properties, row)) or None
    if source is None:
        row["item"] = dump_json(absolute_item(item, base))
        row["source"] = _first_href(row["item"], assets)
    return row, [Problem(path, reason, kept=True) for path, reason in faults]


def _first_href(text: str, assets: Mapping[str, Any]) -> str | None:
    held = json.loads(text)["assets"]
    return next((held[key]["href"] for key in assets), None)


def is_data(asset: object) -> bool:
    if not isinstance(asset, Mapping) or not isinstance(asset.get("href"), str):
        return False
    roles = set(asset.get("roles") or ())
    if roles & _NO_DATA_ROLES:
        return False
    media = str(asset.get("type", ""))
    path = asset["href"].split("?")[0].lower()
    return path.endswith(_RASTER_SUFFIXES) or media.startswith(
        ("image/tiff", "image/jp2", "image/vnd.stac.geotiff")
    )


def absolute_item(item: Mapping[str, Any], base: str | Path | None) -> dict[str, Any]:
    """Return a copy whose assets have absolute hrefs; of its links those stay that say whose item it is."""
    assets = {
        key: {**asset, "href": absolute(asset["href"], base)}
        for key, asset in item["assets"].items()
        if isinstance(asset, Mapping) and isinstance(asset.get("href"), str)
    }
    links = [
        link for link in item.get("links") or () if isinstance(link, Mapping) and link.get("rel") == "via"
    ]
    return {**item, "assets": assets, "links": links}


def localised(item: Mapping[str, Any], folder: Path) -> dict[str, Any] | None:
    """Return the item with remote hrefs replaced by files of that name beside it, or None."""
    found = False
    assets: dict[str, Any] = {}
    for key, asset in item["assets"].items():
        href = asset.get("href") if isinstance(asset, Mapping) else None
        beside = (
            folder / href.split("?")[0].rsplit("/", 1)[-1] if isinstance(href, str) and is_uri(href) else None
        )
        if beside is not None and beside.is_file() and is_data(asset):
            assets[key], found = {**asset, "href": str(beside)}, True
        else:
            assets[key] = asset
    return {**item, "assets": assets} if found else None


def local_files(item: Mapping[str, Any], base: Path) -> list[Path]:
    """Return the local paths of an item's assets, existing or not."""
    hrefs = (a.get("href") for a in item["assets"].values() if isinstance(a, Mapping))
    paths = (local_path(href, base) for href in hrefs if isinstance(href, str))
    return [path for path in paths if path is not None]


def _geometry(item: Mapping[str, Any], grid: Grid | None) -> Any:
    from shapely.errors import ShapelyError
    from shapely.geometry import shape

    name = item.get("id")
    if item.get("geometry"):
        try:
            geometry = shape(item["geometry"])
        except (ShapelyError, KeyError, TypeError, ValueError, AttributeError) as err:
            raise CatalogError(
                f"item {name!r} has a broken geometry: {err}", expected="a GeoJSON geometry"
            ) from err
        if not geometry.is_empty and all(map(math.isfinite, geometry.bounds)):
            return uncrossed(geometry)
    if grid is not None:
        return footprint_of_bounds(grid.bounds, grid.crs)
    bbox = item.get("bbox")
    if isinstance(bbox, (list, tuple)) and len(bbox) in (4, 6):
        half = len(bbox) // 2  # six numbers have heights
        return bbox_geometry((bbox[0], bbox[1], bbox[half], bbox[half + 1]))
    raise CatalogError(f"item {name!r} has no geometry, bbox or grid", expected="a footprint")


def _times(name: str, properties: Mapping[str, Any]) -> Row:
    try:
        instant = parse_instant(properties["datetime"]) if properties.get("datetime") else None
        start, end = (
            parse_instant(v) if (v := properties.get(f"{k}_datetime")) else instant for k in ("start", "end")
        )
    except ParameterError as err:
        raise CatalogError(f"item {name!r}: {err}", expected="a datetime in ISO 8601") from err
    return {"datetime": instant, "start_datetime": start or end, "end_datetime": end or start}


def _facts(item: Mapping[str, Any], properties: Mapping[str, Any]) -> Row:
    """Return the columns that describe platform, product and conditions."""

    def first(*names: str) -> Any:
        return next((properties[n] for n in names if properties.get(n) is not None), None)

    named = facts_of_name(str(item.get("id", "")))
    platform = first("platform", "eo:platform") or named.get("platform")
    instrument = first("instruments", "eo:instrument", "instrument") or named.get("instrument")
    if isinstance(instrument, (list, tuple)):
        instrument = instrument[0] if instrument else None
    level = first("processing:level", "landsat:correction") or _level(first("s2:product_type"))
    return {
        "collection": item.get("collection"),
        "platform": str(platform).lower().replace("_", "-") if platform else None,
        # OLI_TIRS is two instruments; the first one makes the bands
        "instrument": str(instrument).lower().split("_")[0] if instrument else None,
        "processing_level": level or named.get("processing_level"),
        "processing_baseline": _text(first("s2:processing_baseline", "processing:version"))
        or named.get("processing_baseline"),
        "boa_offset_applied": first("earthsearch:boa_offset_applied"),
        "cloud_cover": first("eo:cloud_cover"),
        "sun_azimuth": first("view:sun_azimuth", "eo:sun_azimuth"),
        "sun_elevation": first("view:sun_elevation", "eo:sun_elevation"),
        "tile": _tile(properties) or named.get("tile"),
    }


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _level(product_type: object) -> str | None:
    text = str(product_type or "")
    return {"S2MSI1C": "L1C", "S2MSI2A": "L2A"}.get(text)


def _tile(properties: Mapping[str, Any]) -> str | None:
    code = properties.get("grid:code")
    if isinstance(code, str):
        return code.split("-", 1)[-1]
    if properties.get("s2:mgrs_tile"):
        return str(properties["s2:mgrs_tile"])
    path, row = properties.get("landsat:wrs_path"), properties.get("landsat:wrs_row")
    return f"{int(path):03d}{int(row):03d}" if path and row else None


def _scalars(properties: Mapping[str, Any], row: Row) -> dict[str, Any]:
    return {
        key: value
        for key, value in properties.items()
        if key not in _IN_COLUMNS and key not in row and isinstance(value, (str, int, float, bool))
    }
