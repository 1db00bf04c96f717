"""Which tiles of a catalog a run is about: a list of ids, a slice in space and time, a shard, a number."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ._rows import TileSource, in_shard, only, tile_sources

__all__ = ["all_sources", "check_slice", "read_tile_list", "selected"]

_KEYS = ("bbox", "time", "geometry", "where")


def all_sources(catalog: Any) -> list[TileSource]:
    """Return every tile of a catalog.

    Raises
    ------
    BatchError
        If there is none, or two have one id.
    """
    from geotoolz.core._errors import BatchError

    sources = list(tile_sources(catalog))
    if not sources:
        raise BatchError(
            "the catalog is empty",
            expected="at least one tile",
            fix="look at it with `geotoolz catalog show`, or loosen the filter",
        )
    seen: set[str] = set()
    for source in sources:
        if source.tile_id in seen:
            raise BatchError(
                f"the id {source.tile_id!r} occurs more than once",
                expected="one row per tile",
                fix="rename rows: outputs and journal go by the id",
            )
        seen.add(source.tile_id)
    return sources


def selected(
    sources: Sequence[TileSource],
    catalog: Any,
    *,
    tiles: tuple[str, ...] | None,
    slice: Mapping[str, Any] | None,  # as the user calls it
    shard: tuple[int, int] | None,
    limit: int | None,
) -> list[TileSource]:
    """Return the tiles that all wishes hold for, in the catalog's order; the limit is taken last.

    Raises
    ------
    ParameterError
        For an id that the catalog does not have, and a slice of something that is no catalog.
    BatchError
        If no tile is left, for any reason but a shard without tiles.
    """
    from geotoolz.core._errors import BatchError

    chosen = only(sources, tiles)
    if slice is not None:
        inside = _ids_in(catalog, slice)
        chosen = [source for source in chosen if source.tile_id in inside]
        if not chosen:
            told = ", ".join(f"{name}={value!r}" for name, value in slice.items())
            among = f"none of the {len(tiles)} tiles" if tiles else f"no tile of {len(sources)}"
            raise BatchError(
                f"{among} lies in the slice {told}",
                expected="a part of the catalog with tiles",
                fix="`geotoolz catalog show` tells place and time",
            )
    return [source for source in chosen if in_shard(source.tile_id, shard)][:limit]


def _ids_in(catalog: Any, slice: Mapping[str, Any]) -> frozenset[str]:
    from geotoolz.core._errors import ParameterError

    if not hasattr(catalog, "query") or not hasattr(catalog, "filter"):
        raise ParameterError(
            f"slice={dict(slice)!r} of a {type(catalog).__name__}",
            expected="a GeoCatalog: rows alone have no place and time",
            fix="build one with geotoolz.catalog.GeoCatalog.build(folder)",
        )
    wishes = {name: value for name, value in slice.items() if name != "where"}
    found = catalog.query(**wishes) if wishes else catalog
    if "where" in slice:
        found = found.filter(slice["where"])
    return frozenset(str(row.id) for row in found.iter_rows())


def check_slice(value: Any) -> dict[str, Any] | None:
    """Return a slice as it was given: ``bbox``, ``time``, ``geometry`` of `GeoCatalog.query`, ``where``.

    Raises
    ------
    ParameterError
        For another name, and for a slice that says nothing.
    """
    from geotoolz.core._errors import ParameterError, nearest

    if value is None:
        return None
    if not isinstance(value, Mapping) or not value:
        raise ParameterError(f"slice={value!r}", expected=f"a mapping with some of {', '.join(_KEYS)}")
    for name in value:
        if name not in _KEYS:
            raise ParameterError(
                f"slice has no {name!r}{nearest(str(name), _KEYS)}", expected=f"some of {', '.join(_KEYS)}"
            )
    return dict(value)


def read_tile_list(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """Read ids of tiles from a text file: one a line; empty lines, and what follows ``#``, do not count.

    Raises
    ------
    ReadError
        If it cannot be read.
    ParameterError
        If it names no tile.
    """
    from geotoolz.core._errors import ParameterError, ReadError

    try:
        text = Path(path).read_text("utf-8")
    except OSError as error:
        raise ReadError(
            f"{os.fspath(path)} cannot be read: {error.strerror}", expected="a text file, one id a line"
        ) from error
    except UnicodeDecodeError as error:
        raise ReadError(f"{os.fspath(path)} is no text", expected="a text file, one id a line") from error
    names = tuple(dict.fromkeys(_meant(text.splitlines())))
    if not names:
        raise ParameterError(f"{os.fspath(path)} names no tile", expected="one id a line")
    return names


def _meant(lines: Iterable[str]) -> Iterable[str]:
    for line in lines:
        name = line.partition("#")[0].strip()
        if name:
            yield name
