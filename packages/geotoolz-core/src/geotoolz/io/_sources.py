"""From whatever a caller names to a scene."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from geotoolz.core._errors import MissingDependencyError, ParameterError, ReadError
from geotoolz.io._files import from_files, from_folder, from_raster
from geotoolz.io._gdal import is_remote
from geotoolz.io._item import from_item, is_item, read_item
from geotoolz.io._readers import reader_for
from geotoolz.io._scene import SceneInfo
from geotoolz.io._sign import Signer, without_query


def resolve(source: Any, sign: Signer | None = None) -> SceneInfo:
    """Make a scene of a source.

    Parameters
    ----------
    source : path, list of paths, STAC item
        A raster, a folder of rasters, several rasters of one scene, a STAC item (its file, a dict,
        a ``pystac.Item``).

    Returns
    -------
    SceneInfo

    Raises
    ------
    ReadError
        If the source does not exist or is none of these.
    """
    if isinstance(source, SceneInfo):
        return source
    if isinstance(source, str | os.PathLike):
        return _resolve_path(os.fspath(source), sign)
    if isinstance(source, Mapping):
        if not is_item(source):
            raise ReadError(
                "the mapping is no STAC item", expected='type "Feature", "assets" and "properties"'
            )
        return from_item(source, _base_of(source))
    if hasattr(source, "to_dict") and hasattr(source, "assets"):
        return _resolve_pystac(source)
    if isinstance(source, list | tuple) and source:
        paths = [Path(os.fspath(one)) for one in source]
        return from_files(paths, paths[0].parent)
    raise ParameterError(
        f"source is {type(source).__name__}",
        expected="a path, a list of paths, or a STAC item (file, dict, pystac.Item)",
    )


def _resolve_path(text: str, sign: Signer | None) -> SceneInfo:
    if text.startswith("file://"):
        text = unquote(urlparse(text).path)
    if is_remote(text) or text.startswith("/vsi"):
        if urlparse(text).path.lower().endswith(".json"):
            raise ReadError(
                f"{text} is a remote item", fix="read it with pystac.Item.from_file(…) and pass the item"
            )
        if urlparse(text).path.lower().rstrip("/").endswith((".nc", ".nc4", ".zarr", ".h5")):
            raise ReadError(
                f"{without_query(text)} is a remote NetCDF file or Zarr store",
                expected="one on this machine",
                fix="download it, or open it with xarray and bring it into shape with geotoolz.core.as_tile",
            )
        return from_raster(text, sign)
    path = Path(text)
    reader = reader_for(path)
    if reader is not None:
        return reader.scene(path)
    if path.is_dir():
        return from_folder(path)
    if path.suffix.lower() in (".json", ".geojson"):
        if not path.exists():
            raise ReadError(f"{path} does not exist", expected="a STAC item", fix="check the path")
        return from_item(read_item(path), str(path.resolve().parent))
    return from_raster(text)


def _base_of(item: Mapping[str, Any]) -> str | None:
    """Return the folder that an item's relative hrefs start from, by its link to itself."""
    for link in item.get("links", ()):
        if link.get("rel") == "self":
            href = str(link.get("href", ""))
            href = unquote(urlparse(href).path) if href.startswith("file://") else href
            return href.rsplit("/", 1)[0] if "/" in href else None
    return None


def _resolve_pystac(item: Any) -> SceneInfo:
    try:
        import pystac
    except ImportError as error:
        raise MissingDependencyError(
            "a pystac.Item needs pystac", fix="pip install 'geotoolz-core[catalog]'"
        ) from error
    if not isinstance(item, pystac.Item):
        raise ParameterError(f"source is {type(item).__name__}", expected="a pystac.Item")
    href = item.get_self_href()
    held = item.to_dict(include_self_link=False, transform_hrefs=False)
    base = None
    if href:
        href = unquote(urlparse(href).path) if href.startswith("file://") else href
        base = href.rsplit("/", 1)[0] if "/" in href else "."
    return from_item(held, base)
