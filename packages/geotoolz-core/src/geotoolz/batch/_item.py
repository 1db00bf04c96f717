"""The STAC item of a finished tile: what it is, where its files are, how it came to be."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from geotoolz.core._provenance import code_versions, inputs_told

from ._assets import EXTENSIONS, asset_extensions, assets_of, thumbnail
from ._commit import OutputFile
from ._fingerprint import Stamp

if TYPE_CHECKING:
    import xarray as xr

    from geotoolz.core import Operator

__all__ = ["build_item", "code_versions"]

_STAC = "1.1.0"
_OUTLINE_POINTS = 4
#: attributes of a tile that are STAC properties by another name
_PROPERTIES = {
    "platform": "platform",
    "processing_level": "processing:level",
    "processing_baseline": "s2:processing_baseline",
    "sun_azimuth": "view:sun_azimuth",
    "sun_elevation": "view:sun_elevation",
}


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
    bands: Mapping[str, Sequence[str]] | None = None,
    pipeline: Operator | None = None,
    read: Mapping[str, Any] | None = None,
    files_read: Sequence[str] = (),
    picture: str = "",
    collection: str = "",
) -> dict[str, Any]:
    """Build the item.

    Parameters
    ----------
    tile : xarray.Dataset
        The finished tile; only its grid, its variables' types and attributes are looked at.
    tile_id : str
    files : sequence of OutputFile
    key, config_hash : str
    stamps : sequence of Stamp
        The inputs as they were seen.
    facts : mapping
        Further ``geotoolz:…`` properties.
    source : str
        Where the tile came from; becomes a ``derived_from`` link where it is a file or URL.
    bands : mapping, optional
        Path of a file to the variables that lie in it.
    pipeline : Operator, optional
        Without its sink; becomes ``processing:expression`` and ``processing:lineage``.
    read : mapping, optional
        How the source was read.
    files_read : sequence of str
        The files that pixels were read from; their hashes are told.
    picture : str, optional
        Href of the tile's small picture.
    collection : str, optional
        Id of the collection that will stand beside the items' folder.

    Returns
    -------
    dict
    """
    from geotoolz.core import TileSpec

    geometry, bbox, projection, pixel = _place(tile)
    properties = {**_times(tile.attrs), **_told(tile.attrs), **projection}
    properties["processing:software"] = code_versions()
    if pipeline is not None:
        properties.update(_processing(pipeline, source))
    properties["geotoolz:task_key"] = key
    properties["geotoolz:config_hash"] = config_hash
    properties["geotoolz:inputs"] = [[stamp.path, stamp.size, stamp.mark] for stamp in stamps]
    if files_read:
        properties["geotoolz:input_hashes"] = inputs_told(files_read)
    if read:
        properties["geotoolz:read"] = dict(read)
    properties.update((f"geotoolz:{name}", value) for name, value in facts.items())
    assets = assets_of(files, bands or {}, TileSpec.of(tile).variables if bands else {}, pixel)
    if picture:
        assets["thumbnail"] = thumbnail(picture)
    used = {*asset_extensions(assets), *(name.partition(":")[0] for name in properties if ":" in name)}
    item: dict[str, Any] = {
        "type": "Feature",
        "stac_version": _STAC,
        "stac_extensions": [uri for prefix, uri in EXTENSIONS.items() if prefix in used],
        "id": tile_id,
        "geometry": geometry,
        "properties": {name: _plain(value) for name, value in properties.items()},
        "links": _links(source, collection),
        "assets": assets,
    }
    if bbox is not None:
        item["bbox"] = bbox
    if collection:
        item["collection"] = collection
    return item


def _times(attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Return instant and interval as STAC writes them; the unknown is said, not invented."""
    from geotoolz.catalog._time import iso, parse_instant
    from geotoolz.core import GeotoolzError

    times: dict[str, Any] = {"datetime": None}
    for name in ("datetime", "start_datetime", "end_datetime"):
        try:
            times[name] = iso(parse_instant(attrs[name]))
        except (KeyError, GeotoolzError):
            continue
    if times["datetime"] is None and not {"start_datetime", "end_datetime"} <= times.keys():
        times["geotoolz:datetime_unknown"] = True
    return times


def _told(attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tile's attributes that are STAC properties by another name."""
    told = {name: attrs[attr] for attr, name in _PROPERTIES.items() if attr in attrs}
    if "instrument" in attrs:
        told["instruments"] = [attrs["instrument"]]
    return told


def _processing(pipeline: Operator, source: str) -> dict[str, Any]:
    """Return how the tile came to be: the pipeline's configuration, and its steps in a sentence."""
    from geotoolz.core import Sequential

    steps = pipeline.operators if isinstance(pipeline, Sequential) else (pipeline,)
    names = " → ".join(type(step).__name__ for step in steps) or "written as read"
    origin = f" from {os.path.basename(source.rstrip('/'))}" if source else ""  # noqa: PTH119 - or a URL
    return {
        "processing:expression": {"format": "geotoolz", "expression": pipeline.config()},
        "processing:lineage": f"geotoolz: {names}{origin}",
    }


def _links(source: str, collection: str) -> list[dict[str, Any]]:
    links = [{"rel": "derived_from", "href": _link(source)}] if source else []
    if collection:
        place = {"href": "../collection.json", "type": "application/json"}
        links += [{"rel": rel, **place} for rel in ("root", "parent", "collection")]
    return links


def _place(tile: xr.Dataset) -> tuple[Any, Any, dict[str, Any], float | None]:
    """Return geometry, bbox, ``proj:`` properties, pixel in metres; None for a tile that lies nowhere."""
    from geotoolz.core import GeotoolzError, geobox_of

    try:
        box = geobox_of(tile)
    except GeotoolzError:
        return None, None, {}, None
    projection: dict[str, Any] = {"proj:shape": list(box.shape), "proj:transform": list(box.affine)[:6]}
    if box.crs is None:
        return None, None, projection, None
    epsg = box.crs.epsg
    if epsg is not None:
        projection["proj:code"] = f"EPSG:{epsg}"
    else:
        projection["proj:wkt2"] = box.crs.to_wkt()
    # a straight line in UTM is none in degrees: a few points per side are exact to some metres
    outline = box.footprint("EPSG:4326", npoints=_OUTLINE_POINTS)
    bounds = outline.boundingbox
    bbox = [bounds.left, bounds.bottom, bounds.right, bounds.top]
    metres = abs(box.resolution.x) if box.crs.units[0] in ("metre", "meter", "m") else None
    return _rounded(outline.json), [round(value, 7) for value in bbox], projection, metres


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
