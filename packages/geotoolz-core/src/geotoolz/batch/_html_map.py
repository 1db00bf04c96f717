"""The map of a run: where its tiles lie, and what became of each."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._footprint import Corners
    from ._report import TileRow

__all__ = ["STATES", "draw_map"]

#: from what is drawn first to what must not be hidden, and the colours of the page's style
STATES = ("fresh", "done", "not-run", "quarantined", "failed")
#: above so many tiles a browser draws cells instead
_MAX_TILES = 4000
_CELLS = 120
_WIDTH, _TALLEST = 900.0, 700.0
_MARGIN = 6.0
#: degrees; a run on one point still has a map
_SMALLEST = 1e-4


class _View:
    """From degrees to the picture: the whole of some corners, north up, true to scale in the middle."""

    def __init__(self, places: Iterable[Corners]) -> None:
        points = [point for place in places for point in place]
        self.west, self.east = min(x for x, _ in points), max(x for x, _ in points)
        self.south, self.north = min(y for _, y in points), max(y for _, y in points)
        self._squeeze = max(0.05, math.cos(math.radians((self.south + self.north) / 2)))
        wide = max(_SMALLEST, (self.east - self.west) * self._squeeze)
        high = max(_SMALLEST, self.north - self.south)
        self._scale = min(_WIDTH / wide, _TALLEST / high)
        self.width = wide * self._scale + 2 * _MARGIN
        self.height = high * self._scale + 2 * _MARGIN

    def at(self, point: tuple[float, float]) -> tuple[float, float]:
        x = (point[0] - self.west) * self._squeeze * self._scale + _MARGIN
        return round(x, 1), round((self.north - point[1]) * self._scale + _MARGIN, 1)


def draw_map(rows: Sequence[TileRow]) -> str:
    """Return a figure with the tiles whose place is known, coloured by state; empty where there is none.

    Parameters
    ----------
    rows : sequence of TileRow

    Returns
    -------
    str
        HTML with an SVG drawing; nothing is loaded from anywhere.
    """
    placed = [row for row in rows if row.footprint]
    if not placed:
        return ""
    view = _View(row.footprint for row in placed)
    placed.sort(key=lambda row: _rank(row.status))
    shapes = _cells(placed, view) if len(placed) > _MAX_TILES else (_shape(row, view) for row in placed)
    bounds = f"{view.west:.3f}° to {view.east:.3f}° E, {view.south:.3f}° to {view.north:.3f}° N"
    missing = len(rows) - len(placed)
    left = f"; the place of {missing} more is not known" if missing else ""
    how = "; each cell has the colour of its worst tile" if len(placed) > _MAX_TILES else ""
    return (
        f"<figure id='map'><svg viewBox='0 0 {view.width:.0f} {view.height:.0f}' role='img' "
        f"aria-label='map of {len(placed)} tiles by state'>{''.join(shapes)}</svg>"
        f"<figcaption>{_legend(rows)}<br>{len(placed)} tiles, {bounds}{left}{how}</figcaption></figure>"
    )


def _rank(status: str) -> int:
    return STATES.index(status) if status in STATES else 0


def _shape(row: TileRow, view: _View) -> str:
    points = " ".join(f"{x},{y}" for x, y in map(view.at, row.footprint))
    told = f"{row.tile_id}: {row.status}" + (f", {row.error}: {row.message[:200]}" if row.message else "")
    return f"<polygon class='{escape(row.status)}' points='{points}'><title>{escape(told)}</title></polygon>"


def _cells(rows: Iterable[TileRow], view: _View) -> Iterator[str]:
    """Yield squares; rows come in the order of their rank, so the last one of a cell is its worst."""
    size = max(view.width, view.height) / _CELLS
    cells: dict[tuple[int, int], Counter[str]] = {}
    for row in rows:
        xs, ys = zip(*map(view.at, row.footprint), strict=True)
        cell = (int(sum(xs) / len(xs) / size), int(sum(ys) / len(ys) / size))
        cells.setdefault(cell, Counter())[row.status] += 1
    for (column, line), counts in cells.items():
        worst = max(counts, key=_rank)
        told = ", ".join(f"{count} {status}" for status, count in counts.items())
        yield (
            f"<rect class='{escape(worst)}' x='{column * size:.1f}' y='{line * size:.1f}' width='{size:.1f}' "
            f"height='{size:.1f}'><title>{escape(told)}</title></rect>"
        )


def _legend(rows: Iterable[TileRow]) -> str:
    counts = Counter(row.status for row in rows)
    return " ".join(
        f"<span class='key'><i class='{status}'></i>{counts[status]} {status}</span>"
        for status in reversed(STATES)
        if counts[status]
    )
