"""The STAC collection of a run's items: what there is, where, when, and what its files hold."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from geotoolz.io._object_many import read_many
from geotoolz.io._object_path import ObjectPath, Place, absolute_place

from ._assets import EXTENSIONS, asset_extensions
from ._commit import typed, write_atomic
from ._layout import Layout

__all__ = ["CollectionResult", "write_collection"]

_log = logging.getLogger("geotoolz.batch")
_STAC = "1.1.0"
#: item properties that a collection lists the values of
_SUMMARISED = (
    "platform",
    "instruments",
    "processing:level",
    "proj:code",
    "geotoolz:config_hash",
)
#: of an asset, what differs from item to item
_OWN = ("href", "file:size", "file:checksum")
#: what a bbox says of the earth where no item lies anywhere
_WORLD = [-180.0, -90.0, 180.0, 90.0]


@dataclass(frozen=True, slots=True)
class CollectionResult:
    """What became of a collection.

    Attributes
    ----------
    path : Path
        The collection's file.
    items : int
        How many it links.
    left_out : tuple of str
        Ids of items that STAC does not allow, because nobody knows their time.
    """

    path: Place
    items: int
    left_out: tuple[str, ...]


@dataclass
class _Gathered:
    """Facts of items, one after the other."""

    links: list[dict[str, Any]] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    boxes: list[list[float]] = field(default_factory=list)
    times: list[str] = field(default_factory=list)
    values: dict[str, dict[str, None]] = field(default_factory=dict)
    assets: dict[str, dict[str, Any]] = field(default_factory=dict)
    ids: dict[str, None] = field(default_factory=dict)

    def add(self, name: str, item: Mapping[str, Any]) -> None:
        """Take an item of the file `name`."""
        properties = item["properties"]
        times = [properties.get(key) for key in ("datetime", "start_datetime", "end_datetime")]
        if times[0] is None and None in times[1:]:
            self.left_out.append(str(item["id"]))
            return
        self.links.append(
            {"rel": "item", "href": f"./items/{name}", "type": "application/geo+json", "title": item["id"]}
        )
        self.times += [time for time in times if time is not None]
        if item.get("bbox"):
            self.boxes.append(item["bbox"])
        if item.get("collection"):
            self.ids[str(item["collection"])] = None
        for key in _SUMMARISED:
            found = properties.get(key)
            for value in found if isinstance(found, list) else [found] if found is not None else ():
                self.values.setdefault(key, {})[str(value)] = None
        for key, asset in item["assets"].items():
            self.assets.setdefault(key, {k: v for k, v in asset.items() if k not in _OWN})


def write_collection(
    out: str | os.PathLike[str] | ObjectPath,
    *,
    title: str | None = None,
    description: str | None = None,
    license: str = "other",
) -> CollectionResult:
    """Write ``collection.json`` beside the items of a run: a static STAC collection.

    A run does this at its end. Title, description and licence that somebody gave once are kept.

    Parameters
    ----------
    out : path
        The output folder of a run.
    title, description : str, optional
        For people.
    license : str
        An SPDX identifier; ``"other"`` where there is none.

    Returns
    -------
    CollectionResult

    Raises
    ------
    BatchError
        If the folder holds no item of a run.
    WriteError
        If it cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from geotoolz.batch import CatalogPipeline, write_collection
    >>> from geotoolz.core.testing import write_scene
    >>> from geotoolz.radiometry import SelectBands
    >>> with tempfile.TemporaryDirectory() as tmp:
    ...     scene = write_scene({"shape": (32, 32), "bands": ("red", "nir")}, tmp)
    ...     _ = CatalogPipeline([scene], SelectBands(("red",)), f"{tmp}/out", progress="none").run()
    ...     write_collection(f"{tmp}/out", title="Red").items
    1
    """
    from geotoolz.core._errors import BatchError

    layout = Layout(absolute_place(out))
    kept = {**_said_before(layout), **_given(title=title, description=description)}
    if license != "other":
        kept["license"] = license
    names = _names(layout)
    while True:
        gathered = _gather(layout, names)
        if not gathered.links and not gathered.left_out:
            raise BatchError(
                f"{str(layout.out)!r} holds no STAC item of a run",
                expected="the output folder of a run, with items/",
                fix="name the folder that was given as out=…",
            )
        text = json.dumps(_collection(layout, gathered, kept), indent=1) + "\n"
        with typed(layout.out):
            write_atomic(layout.collection, text.encode())
        names, before = _names(layout), names
        if names == before:  # another shard may have finished tiles, and written, in the meantime
            break
    if gathered.left_out:
        _log.warning(
            "%d items have no time and are no valid STAC: they are left out of %s (%s)",
            len(gathered.left_out),
            layout.collection.name,
            ", ".join(gathered.left_out[:3]),
        )
    return CollectionResult(layout.collection, len(gathered.links), tuple(gathered.left_out))


def _given(**values: str | None) -> dict[str, str]:
    return {name: value for name, value in values.items() if value is not None}


def _said_before(layout: Layout) -> dict[str, str]:
    """Return what somebody said of the collection when it was written before."""
    try:
        told = json.loads(layout.collection.read_bytes())
        found = {name: told.get(name) for name in ("title", "description", "license")}
    except (OSError, ValueError, AttributeError):
        return {}
    return {name: value for name, value in found.items() if isinstance(value, str)}


def _names(layout: Layout) -> list[str]:
    if isinstance(layout.items, ObjectPath):
        return [path.name for path in layout.items.glob("*.json")]
    try:
        return sorted(name for name in os.listdir(layout.items) if name.endswith(".json"))  # noqa: PTH208
    except OSError:
        return []


def _gather(layout: Layout, names: Iterable[str]) -> _Gathered:
    gathered = _Gathered()
    for name, item in _items(layout, names):
        gathered.add(name, item)
    return gathered


def _items(layout: Layout, names: Iterable[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the items that a run wrote; what cannot be read is a partial tile's, which the plan tells."""
    for name, data in read_many(layout.items, names):
        try:
            item = json.loads(data)
            if "geotoolz:task_key" in item["properties"] and item["assets"] is not None:
                yield name, item
        except (OSError, ValueError, KeyError, TypeError):
            continue


def _collection(layout: Layout, gathered: _Gathered, kept: Mapping[str, str]) -> dict[str, Any]:
    name = next(iter(gathered.ids), layout.collection_id)
    summaries = {key: sorted(values) for key, values in gathered.values.items()}
    used = {*asset_extensions(gathered.assets), *(key.partition(":")[0] for key in summaries)}
    used -= {"file", "processing"}  # the first is dropped here, the second wants a provider
    return {
        "type": "Collection",
        "stac_version": _STAC,
        "stac_extensions": [uri for prefix, uri in EXTENSIONS.items() if prefix in used],
        "id": name,
        "title": kept.get("title", name),
        "description": kept.get("description", "Made by geotoolz."),
        "license": kept.get("license", "other"),
        "extent": {
            "spatial": {"bbox": [_union(gathered.boxes)]},
            "temporal": {"interval": [_interval(gathered.times)]},
        },
        "summaries": summaries,
        "item_assets": {key: gathered.assets[key] for key in sorted(gathered.assets)},
        "links": [
            {"rel": "root", "href": "./collection.json", "type": "application/json"},
            *gathered.links,
        ],
    }


def _union(boxes: list[list[float]]) -> list[float]:
    if not boxes:
        return _WORLD
    left, bottom, right, top = zip(*boxes, strict=True)
    return [min(left), min(bottom), max(right), max(top)]


def _interval(times: list[str]) -> list[str | None]:
    return [min(times), max(times)] if times else [None, None]
