"""Boxes and arrows as SVG, drawn here: a report needs nothing from elsewhere."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

from geotoolz.diff._topology import Box

_WIDTH, _HEIGHT, _GAP_X, _GAP_Y, _MARGIN = 220, 44, 24, 34, 12
_LETTERS = 31
_FILLS = {
    "": ("#f7fafc", "#9ab"),
    "changed": ("#fff4d6", "#c98a00"),
    "replaced": ("#fff4d6", "#c98a00"),
    "rewired": ("#f6e5fb", "#8e44ad"),
    "moved": ("#e0edff", "#2b6cb0"),
    "renamed": ("#eef2f7", "#5a6b7b"),
    "added": ("#e0f6e4", "#2f855a"),
    "removed": ("#fde3e3", "#c53030"),
}
LEGEND = tuple((kind, *colours) for kind, colours in _FILLS.items() if kind)


def draw_boxes(boxes: Sequence[Box], marks: Mapping[str, str], title: str) -> str:
    """Return boxes and arrows as SVG.

    Parameters
    ----------
    boxes : sequence of Box
    marks : mapping of str to str
        Kind of difference by a box's path.
    title : str
        Told to screen readers.

    Returns
    -------
    str
    """
    places = _places(boxes)
    columns = max((x for x, _ in places.values()), default=0) + 1
    rows = max((y for _, y in places.values()), default=0) + 1
    width = 2 * _MARGIN + columns * _WIDTH + (columns - 1) * _GAP_X
    height = 2 * _MARGIN + rows * _HEIGHT + (rows - 1) * _GAP_Y
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' role='img' aria-label='{html.escape(title, quote=True)}' "
        f"viewBox='0 0 {width} {height}' width='{width}' height='{height}' "
        "style='max-width:100%;height:auto;font-family:ui-monospace,monospace'>"
    ]
    corners = {path: _corner(*place) for path, place in places.items()}
    parts += [_arrow(corners, box, inlet.path, inlet.note) for box in boxes for inlet in box.inlets]
    parts += [_drawn(box, corners[box.path], marks.get(box.path, "")) for box in boxes]
    return "".join([*parts, "</svg>"])


def _places(boxes: Sequence[Box]) -> dict[str, tuple[int, int]]:
    """Return column and row of every box."""
    taken: dict[int, int] = {}
    places = {}
    for box in boxes:
        places[box.path] = (taken.get(box.layer, 0), box.layer)
        taken[box.layer] = taken.get(box.layer, 0) + 1
    return places


def _corner(column: int, row: int) -> tuple[int, int]:
    return _MARGIN + column * (_WIDTH + _GAP_X), _MARGIN + row * (_HEIGHT + _GAP_Y)


def _drawn(box: Box, corner: tuple[int, int], mark: str) -> str:
    fill, stroke = _FILLS.get(mark, _FILLS[""])
    x, y = corner
    rest = box.text.removeprefix(box.name)
    told = f"{box.path}: {box.text}" + (f" ({mark})" if mark else "")
    lines = [f"<text x='{x + 10}' y='{y + 18}' font-size='12' fill='#123'>{_cut(box.name)}</text>"]
    if rest:
        lines.append(f"<text x='{x + 10}' y='{y + 34}' font-size='11' fill='#456'>{_cut(rest)}</text>")
    return (
        f"<g><title>{html.escape(told)}</title><rect x='{x}' y='{y}' width='{_WIDTH}' height='{_HEIGHT}' "
        f"rx='6' fill='{fill}' stroke='{stroke}' stroke-width='{2 if mark else 1}'/>{''.join(lines)}</g>"
    )


def _cut(text: str) -> str:
    return html.escape(text if len(text) <= _LETTERS else text[: _LETTERS - 1] + "…")


def _arrow(corners: Mapping[str, tuple[int, int]], box: Box, source: str, note: str) -> str:
    x0, y0 = corners[source]
    x1, y1 = corners[box.path]
    x0, y0, x1 = x0 + _WIDTH // 2, y0 + _HEIGHT, x1 + _WIDTH // 2
    bend = (y0 + y1) // 2
    line = (
        f"<path d='M{x0},{y0} C{x0},{bend} {x1},{bend} {x1},{y1 - 6}' fill='none' stroke='#789'/>"
        f"<path d='M{x1 - 4},{y1 - 7} L{x1 + 4},{y1 - 7} L{x1},{y1} Z' fill='#789'/>"
    )
    if not note:
        return line
    return f"{line}<text x='{x1 + 6}' y='{y1 - 10}' font-size='10' fill='#567'>{_cut(note)}</text>"
