"""A scene from a STAC item."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from affine import Affine

from geotoolz.core._errors import ReadError
from geotoolz.io._bands import BandDef, band_of_asset, bands_of_platform
from geotoolz.io._gdal import is_remote, read_header
from geotoolz.io._hls import hls_band, hls_facts
from geotoolz.io._product import Product, extent_of, from_identifier, iso_utc, platform_name
from geotoolz.io._providers import Collection, collection_of, is_twice
from geotoolz.io._radiometry import Declared
from geotoolz.io._scene import Asset, SceneInfo
from geotoolz.io._tags import ATTRS_TAG

_RASTER_TYPES = ("image/tiff", "image/vnd.stac.geotiff", "image/jp2", "application/x-geotiff")
_RASTER_ENDS = (".tif", ".tiff", ".jp2", ".vrt")


def read_item(path: Path) -> dict[str, Any]:
    """Read a STAC item from a file.

    Raises
    ------
    ReadError
        If the file is missing or no STAC item.
    """
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ReadError(
            f"{path} is no readable JSON: {error}",
            expected="a STAC item",
            fix="the file may be truncated: download it again",
        ) from error
    if not is_item(held):
        raise ReadError(
            f"{path} is no STAC item",
            expected='a JSON Feature with "assets" and "properties"',
            fix="name the item's own file; for a collection of items: geotoolz catalog build",
        )
    return held  # type: ignore[no-any-return]


def is_item(held: object) -> bool:
    """Tell whether a mapping is a STAC item."""
    return (
        isinstance(held, Mapping)
        and held.get("type") == "Feature"
        and "assets" in held
        and "properties" in held
    )


def from_item(item: Mapping[str, Any], base: str | None = None) -> SceneInfo:
    """Make a scene of a STAC item.

    Local files win: a remote asset is looked for beside the item under its file name, and where
    some assets are local, only those are read by default.

    Parameters
    ----------
    item : mapping
        The item as a dict.
    base : str, optional
        Folder or URL that relative hrefs start from.

    Returns
    -------
    SceneInfo
    """
    product = product_of_item(item)
    assets = [a for key, held in item["assets"].items() for a in _assets(key, held, item, product, base)]
    assets = _sensor_first(_finest(assets))
    if any(not is_remote(a.path) for a in assets):
        assets = [replace(a, default=a.default and not is_remote(a.path)) for a in assets]
    return SceneInfo(f"item {item.get('id', '?')}", product, tuple(assets))


def _sensor_first(assets: list[Asset]) -> list[Asset]:
    """Where some assets are the sensor's bands, what else is there is read only by name."""
    if all(a.band is None for a in assets):
        return assets
    return [a if a.band is not None or _ours(a.path) else replace(a, default=False) for a in assets]


def _ours(path: str) -> bool:
    """Tell whether geotoolz wrote a local file: a feature beside the bands."""
    try:
        return not is_remote(path) and ATTRS_TAG in read_header(path).file_tags
    except ReadError:
        return False


def product_of_item(item: Mapping[str, Any]) -> Product:
    """Read what a STAC item's properties say of the product."""
    props = item.get("properties", {})
    identifier = str(item.get("id", ""))
    collection = str(item.get("collection") or "")
    uri = str(props.get("s2:product_uri") or props.get("sentinel:product_id") or "")
    table = collection_of(item)
    named = {**from_identifier(identifier), **from_identifier(uri), **hls_facts(identifier)}
    platform = platform_name(props.get("platform") or props.get("eo:platform")) or named.get("platform", "")
    instruments = props.get("instruments") or [props.get("eo:instrument") or ""]
    instrument = str(instruments[0] or "").lower().split("_")[0] or named.get("instrument", "")
    when = props.get("datetime") or props.get("start_datetime")
    baseline = props.get("s2:processing_baseline") or props.get("sentinel2:processing_baseline")
    version = str(props.get("processing:version") or "")
    if not baseline and platform.startswith("sentinel-2") and re.fullmatch(r"\d\d\.\d\d", version):
        baseline = version  # Copernicus Data Space; elsewhere it is the version of some software
    applied = props.get("earthsearch:boa_offset_applied", props.get("sentinel:boa_offset_applied"))
    azimuth = _number(props, "view:sun_azimuth", "eo:sun_azimuth")
    elevation = _number(props, "view:sun_elevation", "eo:sun_elevation")
    zenith = _number(props, "s2:mean_solar_zenith")
    if elevation is None and zenith is not None:
        elevation = 90.0 - zenith
    return Product(
        tile_id=identifier,
        platform=platform,
        instrument=instrument,
        level=_level(props, identifier, collection)
        or named.get("level", "")
        or (table.level if table else ""),
        baseline=str(baseline or named.get("baseline", "")),
        when=iso_utc(when),
        sun_azimuth=azimuth if azimuth is not None else _number(props, "s2:mean_solar_azimuth"),
        sun_elevation=elevation,
        collection=collection,
        offset_applied=None if applied is None else str(applied).lower() == "true",
        crs=_crs(props) or next((c for a in item.get("assets", {}).values() if (c := _crs(a))), ""),
    )


def _number(props: Mapping[str, Any], *keys: str) -> float | None:
    for key in keys:
        if isinstance(props.get(key), int | float):
            return float(props[key])
    return None


def _crs(held: Mapping[str, Any]) -> str:
    if held.get("proj:code"):
        return str(held["proj:code"])
    if held.get("proj:epsg"):
        return f"EPSG:{held['proj:epsg']}"
    return str(held.get("proj:wkt2") or "")


def _level(props: Mapping[str, Any], identifier: str, collection: str) -> str:
    kind = str(props.get("s2:product_type") or props.get("product:type") or "")
    if match := re.fullmatch(r"S2MSI(\d[AC])", kind):
        return f"L{match[1]}"
    if match := re.search(r"(?:^|[-_])(l1c|l2a)(?:$|[-_])", f"{collection}_{identifier}".lower()):
        return match[1].upper()
    if props.get("landsat:correction"):
        return str(props["landsat:correction"])
    if "rtc" in collection.lower():
        return "RTC"
    return ""


def href_path(href: str, base: str | None) -> str:
    """Turn an asset's href into a path or URL that GDAL opens.

    A remote file that lies beside the item under the same name is taken from there.

    Examples
    --------
    >>> href_path("./B04.tif", "/data/item"), href_path("file:///data/B04.tif", None)
    ('/data/item/B04.tif', '/data/B04.tif')
    """
    if href.startswith("file://"):
        return unquote(urlparse(href).path)
    if is_remote(href):
        if base and not is_remote(base):
            beside = Path(base) / Path(urlparse(href).path).name
            if beside.is_file():
                return str(beside)
        return href
    if href.startswith("/") or base is None:
        return href
    relative = href.removeprefix("./")
    return f"{base.rstrip('/')}/{relative}" if is_remote(base) else str(Path(base) / relative)


def _assets(
    key: str, held: Mapping[str, Any], item: Mapping[str, Any], product: Product, base: str | None
) -> list[Asset]:
    """Make bands of an asset; none of what is no band (thumbnails, metadata, true-colour pictures)."""
    href = str(held.get("href", ""))
    kind = str(held.get("type") or "").lower()
    if not (kind.startswith(_RASTER_TYPES) or urlparse(href).path.lower().endswith(_RASTER_ENDS)):
        return []
    if {"visual", "thumbnail", "overview"} & {key.lower(), *(str(r) for r in held.get("roles") or ())}:
        return []
    table = collection_of(item)
    if is_twice(key, table):
        return []
    path = href_path(href, base)
    bands = _band_list(held, item) or [{}]
    rasters = held.get("raster:bands") or []
    made = []
    for index, eo in enumerate(bands, start=1):
        raster = rasters[index - 1] if index <= len(rasters) else {}
        own_key = key if len(bands) == 1 else str(eo.get("name") or f"{key}_{index}")
        band = _band(own_key, str(eo.get("name") or ""), product, table)
        made.append(
            Asset(
                name=band.name if band else _name(own_key, eo if len(bands) == 1 else {}),
                path=path,
                index=index,
                band=band,
                key=own_key,
                declared=Declared(
                    scale=_first(raster, eo, held, keys=("scale", "raster:scale")),
                    offset=_first(raster, eo, held, keys=("offset", "raster:offset")),
                    nodata=_nodata(raster, eo, held),
                    units=str(raster.get("unit") or eo.get("unit") or ""),
                ),
                default=band is None or band.kind != "aux",
                **_declared_grid(held, item),
            )
        )
    return made


def _band(key: str, name: str, product: Product, table: Collection | None) -> BandDef | None:
    """Return the band of an asset: as its provider's table says, else by its key and its band's name."""
    if product.is_hls:
        return hls_band(key, product.sensor) or hls_band(name, product.sensor)
    known = table.keys.get(re.sub(r"_\d+m$", "", key)) if table else None
    found = bands_of_platform(product.sensor).get(known) if known else None
    return found or band_of_asset(key, name, product.sensor)


def _band_list(held: Mapping[str, Any], item: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    bands = held.get("eo:bands") or held.get("bands") or []
    if bands and all(isinstance(b, int) for b in bands):  # STAC 0.7: positions in the item's list
        listed = item["properties"].get("eo:bands", [])
        bands = [listed[b] for b in bands if b < len(listed)]
    return [b for b in bands if isinstance(b, Mapping)]


def _name(key: str, eo: Mapping[str, Any]) -> str:
    return (
        re.sub(r"\W+", "_", str(eo.get("common_name") or eo.get("eo:common_name") or key)).strip("_").lower()
    )


def _first(*places: Mapping[str, Any], keys: tuple[str, ...]) -> float | None:
    for place in places:
        for key in keys:
            if isinstance(place.get(key), int | float):
                return float(place[key])
    return None


def _nodata(*places: Mapping[str, Any]) -> float | int | None:
    for place in places:
        value = place.get("nodata")
        if isinstance(value, str):
            value = {"nan": float("nan"), "inf": float("inf"), "-inf": float("-inf")}.get(value.lower())
        if isinstance(value, int | float):
            return value
    return None


def _declared_grid(held: Mapping[str, Any], item: Mapping[str, Any]) -> dict[str, Any]:
    props = item.get("properties", {})
    shape = held.get("proj:shape") or props.get("proj:shape")
    transform = held.get("proj:transform") or props.get("proj:transform")
    if not shape or not transform or len(transform) < 6:
        return {}
    size = (int(shape[0]), int(shape[1]))
    return {"shape": size, "extent": extent_of(Affine(*transform[:6]), size)}


def _finest(assets: list[Asset]) -> list[Asset]:
    """Keep the finest of a band's pixel sizes (the Copernicus Data Space lists B02_10m, B02_20m, …)."""
    kept: dict[str, Asset] = {}
    for asset in assets:
        other = kept.get(asset.name)
        if other is not None and asset.band is None:  # common names collide where the sensor is not known
            kept[asset.key] = replace(asset, name=_name(asset.key, {}))
        elif other is None or _pixels(asset) < _pixels(other):
            kept[asset.name] = asset
    return list(kept.values())


def _pixels(asset: Asset) -> float:
    """Return the pixel size that an asset declares, by its key or its grid."""
    if match := re.search(r"_(\d+)m$", asset.key):
        return float(match[1])
    if asset.extent and asset.shape:
        return abs(asset.extent[2] - asset.extent[0]) / asset.shape[1]
    return float("inf")
