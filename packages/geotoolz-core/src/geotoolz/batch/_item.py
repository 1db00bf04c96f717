"""The STAC item of a finished tile: what it is, where its files are, how it came to be."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from ._commit import OutputFile, multihash
from ._fingerprint import Stamp

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["build_item", "code_versions"]

_STAC = "1.1.0"
_EXTENSIONS = [
    "https://stac-extensions.github.io/projection/v2.0.0/schema.json",
    "https://stac-extensions.github.io/file/v2.1.0/schema.json",
    "https://stac-extensions.github.io/processing/v1.2.0/schema.json",
]
_OUTLINE_POINTS = 4
_MEDIA = {
    ".tif": "image/tiff; application=geotiff; profile=cloud-optimized",
    ".json": "application/json",
    ".xml": "application/xml",
    ".png": "image/png",
}
_DISTRIBUTIONS = (
    "geotoolz-core",
    "geotoolz-cloud",
    "geotoolz-indices",
    "geotoolz-qc",
    "geotoolz-nextgen",
    "numpy",
    "xarray",
    "rasterio",
    "odc-geo",
    "numba",
)
#: attributes of a tile that are STAC properties by another name
_PROPERTIES = {
    "platform": "platform",
    "processing_level": "processing:level",
    "processing_baseline": "s2:processing_baseline",
    "sun_azimuth": "view:sun_azimuth",
    "sun_elevation": "view:sun_elevation",
}


@lru_cache(maxsize=1)
def code_versions() -> dict[str, str]:
    """Return the versions that an output is recorded with."""
    found = {"python": platform.python_version()}
    for name in _DISTRIBUTIONS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def build_item(
    tile: xr.Dataset,
    tile_id: str,
    files: Sequence[OutputFile],
    *,
    key: str,
    config_hash: str,
    stamps: Sequence[Stamp],
    facts: Mapping[str, Any],
    source: str,
) -> dict[str, Any]:
    """Build the item.

    Parameters
    ----------
    tile : xarray.Dataset
        The finished tile; only its grid and attributes are looked at.
    tile_id : str
    files : sequence of OutputFile
    key, config_hash : str
    stamps : sequence of Stamp
        The inputs as they were seen.
    facts : mapping
        Further ``geotoolz:…`` properties.
    source : str
        Where the tile came from; becomes a ``derived_from`` link where it is a file or URL.

    Returns
    -------
    dict
    """
    attrs = tile.attrs
    geometry, bbox, projection = _place(tile)
    properties: dict[str, Any] = {"datetime": attrs.get("datetime")}
    if properties["datetime"] is None:
        # STAC wants an interval where there is no instant; the unknown is said, not invented
        properties["geotoolz:datetime_unknown"] = True
    properties.update((name, attrs[attr]) for attr, name in _PROPERTIES.items() if attr in attrs)
    if "instrument" in attrs:
        properties["instruments"] = [attrs["instrument"]]
    properties.update(projection)
    properties["processing:software"] = code_versions()
    properties["geotoolz:task_key"] = key
    properties["geotoolz:config_hash"] = config_hash
    properties["geotoolz:inputs"] = [[stamp.path, stamp.size, stamp.mark] for stamp in stamps]
    properties.update((f"geotoolz:{name}", value) for name, value in facts.items())
    links = [{"rel": "derived_from", "href": _link(source)}] if source else []
    return {
        "type": "Feature",
        "stac_version": _STAC,
        "stac_extensions": _EXTENSIONS,
        "id": tile_id,
        "geometry": geometry,
        "bbox": bbox,
        "properties": {name: _plain(value) for name, value in properties.items()},
        "links": links,
        "assets": _assets(files),
    }


def _assets(files: Sequence[OutputFile]) -> dict[str, Any]:
    common = _common_start([file.path for file in files])
    assets: dict[str, Any] = {}
    for file in files:
        stem, suffix = os.path.splitext(file.path)  # noqa: PTH122 - the path is a string with "/"
        name = stem[len(common) :].strip("_-./") or "data" if len(files) > 1 else "data"
        while name in assets:
            name += "_"
        assets[name] = {
            "href": f"../{file.path}",
            "type": _MEDIA.get(suffix.lower(), "application/octet-stream"),
            "roles": ["data"] if suffix.lower() in (".tif", ".tiff") else ["metadata"],
            "file:size": file.size,
            "file:checksum": multihash(file.sha256),
        }
    return assets


def _common_start(names: Sequence[str]) -> str:
    """Return the letters that all names begin with (of one name: none)."""
    if len(names) < 2:
        return ""
    first, last = min(names), max(names)
    end = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    return first[:end]


def _place(tile: xr.Dataset) -> tuple[Any, Any, dict[str, Any]]:
    """Return geometry, bbox and ``proj:`` properties; all None for a tile that lies nowhere."""
    from geotoolz.core import GeotoolzError, geobox_of

    try:
        box = geobox_of(tile)
    except GeotoolzError:
        return None, None, {}
    projection: dict[str, Any] = {"proj:shape": list(box.shape), "proj:transform": list(box.affine)[:6]}
    if box.crs is None:
        return None, None, projection
    epsg = box.crs.epsg
    if epsg is not None:
        projection["proj:code"] = f"EPSG:{epsg}"
    else:
        projection["proj:wkt2"] = box.crs.to_wkt()
    # a straight line in UTM is none in degrees: a few points per side are exact to some metres
    outline = box.footprint("EPSG:4326", npoints=_OUTLINE_POINTS)
    bounds = outline.boundingbox
    bbox = [bounds.left, bounds.bottom, bounds.right, bounds.top]
    return _rounded(outline.json), [round(value, 7) for value in bbox], projection


def _rounded(value: Any) -> Any:
    """Round coordinates to a centimetre."""
    if isinstance(value, float):
        return round(value, 7)
    if isinstance(value, Mapping):
        return {name: _rounded(inner) for name, inner in value.items()}
    return [_rounded(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def _link(source: str) -> str:
    from pathlib import Path

    from ._fingerprint import local_path

    path = local_path(source)
    return source if path is None else Path(path).absolute().as_uri()


def _plain(value: Any) -> Any:
    """Turn numpy scalars and NaN into what JSON has."""
    if hasattr(value, "item") and not isinstance(value, (str, bytes)) and getattr(value, "ndim", 1) == 0:
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return value
