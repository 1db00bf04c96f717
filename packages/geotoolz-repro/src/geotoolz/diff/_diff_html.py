"""The difference of two pipelines as HTML: a table, and both graphs side by side."""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import TYPE_CHECKING

from geotoolz.diff._changes import SIGNS, Change, shown
from geotoolz.diff._report_text import difference_count
from geotoolz.diff._svg import LEGEND, draw_boxes
from geotoolz.diff._topology import Box, topology

if TYPE_CHECKING:
    from geotoolz.diff._config_diff import ConfigDiff

# what a box is marked as where several differences meet in it
_RANK = ("renamed", "moved", "rewired", "changed", "replaced", "removed", "added")
_BEFORE = ("moved", "renamed")
CELL = "padding:3px 10px;border-bottom:1px solid #ddd;vertical-align:top;text-align:left"


def page(diff: ConfigDiff) -> str:
    """Return a whole page."""
    return document("Difference of two pipelines", body(diff))


def document(title: str, content: str) -> str:
    """Return a page that needs nothing from elsewhere, and may run nothing."""
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta http-equiv='Content-Security-Policy' "
        "content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{html.escape(title)}</title></head>"
        f"<body style='margin:24px'><h1 style='font:600 22px sans-serif'>{html.escape(title)}</h1>"
        f"{content}</body></html>"
    )


def body(diff: ConfigDiff) -> str:
    """Return the table and the two graphs."""
    verdict = difference_count(diff)
    notes = "".join(f"<p>{html.escape(note)}</p>" for note in diff.notes)
    sides = "".join(
        f"<div style='flex:1 1 260px;min-width:0'><h3 style='font:600 14px sans-serif'>{name} "
        f"<small style='color:#777;font-weight:normal'>{digest[:12]}</small></h3>{picture}</div>"
        for name, digest, picture in (
            ("a", diff.hash_a, _graph(diff, before=True)),
            ("b", diff.hash_b, _graph(diff, before=False)),
        )
    )
    return (
        f"<div style='font-family:sans-serif;font-size:13px'><p><b>{verdict}</b></p>{_table(diff.changes)}"
        f"{notes}{_legend()}<div style='display:flex;gap:24px;flex-wrap:wrap'>{sides}</div></div>"
    )


def _graph(diff: ConfigDiff, *, before: bool) -> str:
    boxes = topology(diff.a if before else diff.b)
    return draw_boxes(boxes, _marks(boxes, diff.changes, before=before), "before" if before else "after")


def _marks(boxes: Iterable[Box], changes: Iterable[Change], *, before: bool) -> dict[str, str]:
    """Return the kind of difference of every box that has one."""
    paths = [box.path for box in boxes]
    marks: dict[str, str] = {}
    for change in changes:
        if change.kind == ("added" if before else "removed"):
            continue
        where = change.path_a or change.path if before else change.path
        for found in _met(paths, where):
            marks[found] = max(marks.get(found, ""), change.kind, key=_rank)
    return marks


def _met(paths: Iterable[str], where: str) -> list[str]:
    """Return the boxes in a place, else the smallest box that the place is part of."""
    inside = [path for path in paths if _is_part(path, where)]
    around = [path for path in paths if _is_part(where, path)]
    return inside or ([max(around, key=len)] if around else [])


def _is_part(path: str, of: str) -> bool:
    return path == of or not of or path.startswith((f"{of}.", f"{of}["))


def _rank(kind: str) -> int:
    return _RANK.index(kind) if kind in _RANK else -1


def _table(changes: Iterable[Change]) -> str:
    rows = "".join(_row(change) for change in changes)
    return f"<table style='border-collapse:collapse'>{rows}</table>" if rows else ""


def _row(change: Change) -> str:
    label = f"{change.step.partition('(')[0]}.{change.parameter}" if change.parameter else change.step
    told = [SIGNS[change.kind] + " " + change.kind, change.path, label]
    if change.kind in ("changed", "rewired", "replaced"):
        told.append(f"{shown(change.old)} → {shown(change.new)}")
    elif change.kind in _BEFORE:
        told.append(f"{change.old} → {change.new}")
    else:
        told.append(change.where)
    cells = "".join(
        f"<td style='{CELL};font-family:ui-monospace,monospace'>{html.escape(t)}</td>" for t in told
    )
    return f"<tr>{cells}</tr>"


def _legend() -> str:
    marks = "".join(
        f"<span style='background:{fill};border:2px solid {stroke};border-radius:4px;padding:1px 6px;"
        f"margin-right:8px'>{kind}</span>"
        for kind, fill, stroke in LEGEND
    )
    return f"<p>{marks}</p>"
