"""From what a catalog yields to what a task needs to know of a tile."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

__all__ = ["TileSource", "in_shard", "only", "tile_sources"]

#: columns of a catalog that are facts of the tile itself
_FACTS = (
    "datetime",
    "platform",
    "instrument",
    "processing_level",
    "processing_baseline",
    "sun_azimuth",
    "sun_elevation",
    "tile",
)


@dataclass(frozen=True, slots=True)
class TileSource:
    """One tile of a job, before anything was looked at.

    Attributes
    ----------
    tile_id : str
    source : str or dict
        As `TileTask.source`.
    files : tuple of str
        Paths and URIs whose change makes the tile stale.
    item : str or None
        A STAC item as JSON text, where it is in no file.
    facts : tuple of (str, scalar)
    """

    tile_id: str
    source: str | dict[str, Any]
    files: tuple[str, ...]
    item: str | None
    facts: tuple[tuple[str, Any], ...]


def tile_sources(catalog: Any) -> Iterator[TileSource]:
    """Read a catalog, or any iterable of rows.

    Parameters
    ----------
    catalog : object
        With ``iter_rows()`` (a GeoCatalog), or an iterable of rows: mappings or objects with ``id`` and
        ``source``, GeoSlices, paths.

    Yields
    ------
    TileSource

    Raises
    ------
    BatchError
        If it is neither, or a row has no id or source.
    """
    from geotoolz.core._errors import BatchError

    rows: Iterable[Any]
    if hasattr(catalog, "iter_rows"):
        rows = catalog.iter_rows()
    elif isinstance(catalog, Iterable) and not isinstance(catalog, (str, bytes, Mapping)):
        rows = catalog
    else:
        raise BatchError(
            f"a catalog of type {type(catalog).__name__}",
            expected="a GeoCatalog, or a list of rows or paths",
            fix="open a file with geotoolz.catalog.GeoCatalog.open(path)",
        )
    resolve = getattr(catalog, "source_of", None)
    for number, row in enumerate(rows):
        yield _of_row(row, number, resolve)


def _of_row(row: Any, number: int, resolve: Callable[[Any], Any] | None) -> TileSource:
    from geotoolz.core._errors import BatchError

    if isinstance(row, (str, os.PathLike)):
        path = Path(row)
        return TileSource(
            path.stem if path.suffix else path.name, os.fspath(row), (os.fspath(row),), None, ()
        )
    if hasattr(row, "to_dict") and hasattr(row, "sources") and hasattr(row, "tile_id"):
        return _of_slice(row, number)
    get = row.get if isinstance(row, Mapping) else lambda name, default=None: getattr(row, name, default)
    tile_id, source, item = _text(get("id")), _text(get("source")), _item_text(get("item"))
    if resolve is not None:  # the catalog knows what its paths are relative to
        found = resolve(row)
        source, item = (found, None) if isinstance(found, str) else ("", _item_text(found))
    if not tile_id or not (source or item):
        raise BatchError(
            f"row {number} has id {tile_id!r} and source {source!r}",
            expected="both",
            fix="give every row an id and a source (path, URI or STAC item)",
        )
    facts = tuple(_facts(get))
    if item is not None:
        return TileSource(tile_id, json.loads(item), (), item, facts)
    return TileSource(tile_id, source, (source,), None, facts)


def _of_slice(piece: Any, number: int) -> TileSource:
    from geotoolz.core._errors import BatchError

    if not piece.tile_id:
        raise BatchError(
            f"slice {number} has no tile_id", expected="a name for every tile", fix="set tile_id=…"
        )
    item = _item_text(piece.item)
    files = () if item is not None else tuple(piece.sources)
    return TileSource(piece.tile_id, piece.to_dict(), files, item, tuple(piece.attrs))


def _facts(get: Any) -> Iterator[tuple[str, Any]]:
    properties = get("properties")
    if isinstance(properties, str):
        try:
            properties = json.loads(properties)
        except ValueError:
            properties = None
    found = {
        name: value
        for name, value in (properties or {}).items()
        if isinstance(value, (str, int, float, bool))
    }
    columns = ((name, get(name)) for name in _FACTS)
    found.update((name, value) for name, value in columns if not _absent(value))
    for name, value in found.items():
        plain = _plain(value)
        if plain is not None:
            yield name, plain


def _plain(value: Any) -> str | int | float | bool | None:
    if _absent(value):
        return None
    if isinstance(value, datetime):
        moment = value.astimezone(UTC) if value.tzinfo else value
        fraction = f".{moment.microsecond:06d}".rstrip("0") if moment.microsecond else ""
        return f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}Z"
    if hasattr(value, "item"):
        value = value.item()
    return value if isinstance(value, (str, int, float, bool)) else None


def _absent(value: Any) -> bool:
    """Say whether a column is empty: None, NaN, NaT, pandas' NA (which cannot be compared)."""
    return value is None or type(value).__name__ == "NAType" or bool(value != value)


def _text(value: Any) -> str:
    return "" if _absent(value) else os.fspath(value)


def _item_text(item: Any) -> str | None:
    if isinstance(item, str) and item:
        return item
    if isinstance(item, Mapping):
        return json.dumps(item, sort_keys=True, separators=(",", ":"))
    return None


def in_shard(tile_id: str, shard: tuple[int, int] | None) -> bool:
    """Say whether a tile belongs to shard (i, n), i from 1; stable when the catalog grows.

    Examples
    --------
    >>> sum(in_shard("tile-7", (i, 4)) for i in (1, 2, 3, 4))
    1
    """
    if shard is None:
        return True
    digest = hashlib.blake2b(tile_id.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") % shard[1] == shard[0] - 1


def only(sources: Sequence[TileSource], tile_ids: tuple[str, ...] | None) -> list[TileSource]:
    """Return the tiles of these ids, in the catalog's order; all of them for None.

    Raises
    ------
    ParameterError
        Naming an id that the catalog does not have.
    """
    from geotoolz.core._errors import ParameterError, nearest

    if tile_ids is None:
        return list(sources)
    known = {source.tile_id for source in sources}
    unknown = [name for name in tile_ids if name not in known]
    if unknown:
        more = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
        raise ParameterError(
            f"the catalog has no tile {unknown[0]!r}{more}{nearest(unknown[0], known)}",
            expected=f"one of its {len(known)} ids",
            fix="`geotoolz plan` lists them",
        )
    wanted = set(tile_ids)
    return [source for source in sources if source.tile_id in wanted]
