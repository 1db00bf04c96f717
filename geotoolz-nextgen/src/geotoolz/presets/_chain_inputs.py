"""What a stage reads: the outputs of stages before it, tile by tile, as one STAC item without copies."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from geotoolz.batch import Layout

__all__ = ["inputs_of"]

#: what is said of the making of an item, and differs from run to run
_OF_THE_RUN = ("created", "updated", "processing:", "geotoolz:")
_KEPT = ("type", "stac_version", "id", "geometry", "bbox")


def inputs_of(folders: Iterable[Layout], tile_ids: Iterable[str]) -> list[dict[str, Any]]:
    """Return rows for a batch: every tile's files of all folders.

    Parameters
    ----------
    folders : iterable of Layout
        The output folders of the stages before; where two have a file of one name, the later counts.
    tile_ids : iterable of str
        Tiles that stand complete in all of them.

    Returns
    -------
    list of dict
        ``id`` and ``item``.
    """
    layouts = list(folders)
    return [{"id": tile_id, "item": _merged(layouts, tile_id)} for tile_id in tile_ids]


def _merged(layouts: Iterable[Layout], tile_id: str) -> dict[str, Any]:
    item: dict[str, Any] = {}
    assets: dict[str, Any] = {}
    for layout in layouts:
        own = json.loads(layout.item(tile_id).read_bytes())
        item = item or own
        assets.update(_files(layout, own))
    properties = {
        name: value
        for name, value in item["properties"].items()
        if not name.startswith(_OF_THE_RUN) or name == "processing:level"
    }
    kept: dict[str, Any] = {name: item[name] for name in _KEPT if name in item}
    return {**kept, "properties": properties, "assets": assets, "links": []}


def _files(layout: Layout, item: Mapping[str, Any]) -> dict[str, Any]:
    """Return an item's images by name, with whole paths."""
    return {
        name: {**asset, "href": _whole(layout, asset["href"])}
        for name, asset in item["assets"].items()
        if "data" in asset.get("roles", ()) and "file:size" in asset
    }


def _whole(layout: Layout, href: str) -> str:
    if "://" in href or href.startswith("/"):
        return href
    return str(layout.out / href.removeprefix("../"))
