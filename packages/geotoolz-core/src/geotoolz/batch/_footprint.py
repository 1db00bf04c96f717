"""Where tiles lie: four corners each, enough for a map of a run."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._report import TileRow

__all__ = ["Corners", "corners", "footprints_of", "located"]

#: (longitude, latitude) in degrees, around the tile
Corners = tuple[tuple[float, float], ...]

_TOWARDS = ((-1, -1), (1, -1), (1, 1), (-1, 1))
_DIGITS = 4  # ten metres


def corners(geometry: Any) -> Corners:
    """Return the corners of a GeoJSON geometry; empty for none, and for one that is no area.

    Of several polygons (a tile over the date line) the widest counts.

    Parameters
    ----------
    geometry : mapping or None

    Returns
    -------
    tuple of (float, float)

    Examples
    --------
    >>> corners({"type": "Polygon", "coordinates": [[(0, 0), (1, 0), (2, 0), (2, 1), (0, 1), (0, 0)]]})
    ((0.0, 0.0), (2.0, 0.0), (2.0, 1.0), (0.0, 1.0))
    >>> corners(None)
    ()
    """
    rings = list(_rings(geometry))
    if not rings:
        return ()
    ring = max(rings, key=lambda points: max(x for x, _ in points) - min(x for x, _ in points))
    found = [max(ring, key=lambda point: a * point[0] + b * point[1]) for a, b in _TOWARDS]
    return tuple(dict.fromkeys((round(x, _DIGITS), round(y, _DIGITS)) for x, y in found))


def _rings(geometry: Any) -> Iterator[list[tuple[float, float]]]:
    if not isinstance(geometry, Mapping):
        return
    kind, held = geometry.get("type"), geometry.get("coordinates")
    if not isinstance(held, Sequence):
        return
    for polygon in {"Polygon": [held], "MultiPolygon": held}.get(str(kind), ()):
        if polygon and polygon[0]:
            yield [(float(x), float(y)) for x, y, *_ in polygon[0]]


def footprints_of(catalog: Any, wanted: Iterable[str]) -> dict[str, Corners]:
    """Return where tiles lie, as far as their catalog knows: a GeoCatalog's geometry, a row's STAC item.

    Parameters
    ----------
    catalog : object
        As `CatalogPipeline` takes it; an iterator that was read already says nothing more.
    wanted : iterable of str
        Ids of tiles.

    Returns
    -------
    dict
    """
    names = set(wanted)
    frame = getattr(catalog, "frame", None)
    if not names:
        return {}
    if frame is not None:
        chosen = frame[frame["id"].isin(names)]
        found = {
            str(name): corners(shape.__geo_interface__)
            for name, shape in zip(chosen["id"], chosen.geometry, strict=True)
            if shape is not None
        }
    elif isinstance(catalog, Sequence):
        found = {str(row["id"]): corners(_geometry(row)) for row in catalog if _is_row(row, names)}
    else:
        found = {}
    return {name: place for name, place in found.items() if place}


def _is_row(row: Any, names: set[str]) -> bool:
    return isinstance(row, Mapping) and row.get("id") in names


def _geometry(row: Mapping[str, Any]) -> Any:
    item = row.get("item")
    if isinstance(item, str):
        try:
            item = json.loads(item)
        except ValueError:
            return None
    shape = item.get("geometry") if isinstance(item, Mapping) else row.get("geometry")
    return getattr(shape, "__geo_interface__", shape)


def located(rows: Iterable[TileRow], catalog: Any) -> tuple[TileRow, ...]:
    """Return the rows of a report, with the place of those that were not made from their catalog."""
    held = tuple(rows)
    known = footprints_of(catalog, (row.tile_id for row in held if not row.footprint))
    if not known:
        return held
    return tuple(replace(row, footprint=known[row.tile_id]) if row.tile_id in known else row for row in held)
