"""What an acquisition wants of every scene: files, or parts of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from geotoolz.catalog._cache import Cache
from geotoolz.catalog._catalog import GeoCatalog
from geotoolz.catalog._clip import MARGIN
from geotoolz.catalog._export import item_of
from geotoolz.catalog._rows import Problem
from geotoolz.catalog._search_items import unsigned
from geotoolz.core._errors import GeotoolzError
from geotoolz.io._gdal import is_remote

if TYPE_CHECKING:
    from geotoolz.io import Area
    from geotoolz.io._scene import Asset


@dataclass(frozen=True)
class Wish:
    """One file that is wanted: where it is, which part of it, which bands it holds."""

    key: str
    asset: str
    href: str
    name: str
    item: Mapping[str, Any]
    band: Asset
    part: Any = None
    size: int | None = None


def wishes_of(
    catalog: GeoCatalog, rows: list[Any], bands: Any, area: Area | None, resolution: float | None
) -> tuple[dict[str, list[Wish]], list[Problem]]:
    """Return what is wanted of every scene, and what is wrong with scenes that cannot be described."""
    wishes: dict[str, list[Wish]] = {}
    problems = []
    part: Any = None if area is None else {"area": area.outline(), "margin": MARGIN}
    if resolution is not None:
        part = {"area": None if area is None else area.outline(), "resolution": resolution}
    for row in rows:
        try:
            wishes[row.id] = list(_wished(item_of(row, catalog.base), bands, part))
        except GeotoolzError as error:  # one bad scene must not hide the others
            problems.append(Problem(str(row.id), error.found))
    return wishes, problems


def _wished(item: Mapping[str, Any], bands: Any, part: Any) -> Iterator[Wish]:
    from geotoolz.io._item import from_item

    by_href = {str(asset["href"]): (key, asset) for key, asset in item["assets"].items()}
    assets = from_item(item).select(bands)
    names: dict[str, list[Asset]] = {}
    for asset in assets:
        names.setdefault(asset.path, []).append(asset)
    for href, held in names.items():
        if not is_remote(href):
            continue
        key, asset_of_item = by_href[href]
        origin = unsigned(href)
        file = origin.split("?")[0].rsplit("/", 1)[-1] or "file.tif"
        if part is not None and "resolution" in part:
            for one in held:
                own = {**part, "band": one.name, "item": _facts(item)}
                yield Wish(Cache.key(origin, own), one.name, href, f"{one.name}.tif", item, one, own)
        elif part is not None:
            name = f"{file.rsplit('.', 1)[0]}.tif"
            yield Wish(Cache.key(origin, part), key, href, name, item, held[0], part)
        else:
            size = asset_of_item.get("file:size")
            size = size if isinstance(size, int) else None
            yield Wish(Cache.key(origin), key, href, file, item, held[0], None, size)


def _facts(item: Mapping[str, Any]) -> Any:
    """Return what decides how an item's pixels are read."""
    return json.loads(json.dumps([item.get("collection"), item["properties"]], sort_keys=True, default=str))
