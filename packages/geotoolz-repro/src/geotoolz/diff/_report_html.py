"""An A/B as a page: numbers, a histogram of the tiles, pictures of the worst."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.diff import _diff_html
from geotoolz.diff._diff_html import CELL, document
from geotoolz.diff._report_text import drift_line, group_lines
from geotoolz.viz._legend import data_uri

if TYPE_CHECKING:
    from geotoolz.diff._report import ABReport
    from geotoolz.diff._variable_report import VariableReport, WorstTile

_BARS, _WIDE, _HIGH = 24, 480, 120
_MOST_CLASSES = 24


def page(report: ABReport) -> str:
    """Return a whole page."""
    return document("Two pipelines on the same tiles", body(report))


def body(report: ABReport) -> str:
    """Return the report for a page or a notebook."""
    parts = [f"<p>{len(report.tiles)} tiles compared, {len(report.failed)} failed.</p>", _verdict(report)]
    parts += [_variable(one, report.confidence) for one in report.variables.values()]
    parts.append(_remarks(report))
    parts.append(f"<h2 style='font:600 17px sans-serif'>The pipelines</h2>{_diff_html.body(report.diff)}")
    return f"<div style='font-family:sans-serif;font-size:13px'>{''.join(parts)}</div>"


def _verdict(report: ABReport) -> str:
    if report.verdict is None:
        return ""
    colour = "#2f855a" if report.verdict.passed else "#c53030"
    word = "Tolerances kept" if report.verdict.passed else "Tolerances not kept"
    told = [*map(str, report.verdict.failures), *(f"{name}: no limit" for name in report.verdict.unlimited)]
    lines = "".join(f"<li>{html.escape(line)}</li>" for line in told)
    return f"<p style='color:{colour};font-weight:600'>{word}</p><ul>{lines}</ul>"


def _variable(found: VariableReport, confidence: float) -> str:
    rows = [(name, f"{value:.6g}", _ends(found.intervals.get(name))) for name, value in found.metrics.items()]
    told = [*group_lines(found), *(drift_line(one) for one in found.drifts)]
    return "".join(
        [
            f"<h2 style='font:600 17px sans-serif'>{html.escape(found.name)} "
            f"<small style='color:#777;font-weight:normal'>{found.kind}, {found.n} pixels in both"
            "</small></h2>",
            table(("metric", "all tiles", f"{confidence:.0%} interval"), rows),
            "".join(f"<p>{html.escape(line)}</p>" for line in told),
            _histogram(found),
            _by_class(found),
            _classes(found),
            "".join(_worst(one, found.metric) for one in found.worst),
        ]
    )


def _ends(ends: tuple[float, float] | None) -> str:
    return "" if ends is None else f"{ends[0]:.6g} … {ends[1]:.6g}"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table; every cell is escaped."""
    top = "".join(f"<th style='{CELL}'>{html.escape(str(cell))}</th>" for cell in head)
    lines = "".join(
        "<tr>" + "".join(f"<td style='{CELL}'>{html.escape(str(cell))}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    return f"<table style='border-collapse:collapse'><tr>{top}</tr>{lines}</table>"


def _histogram(found: VariableReport) -> str:
    """Draw how the tiles' values are spread."""
    values = np.array([value for value in found.values if np.isfinite(value)])
    if values.size < 2 or values.min() == values.max():
        return ""
    counts, edges = np.histogram(values, bins=_BARS)
    wide = _WIDE / _BARS
    bars = "".join(
        f"<rect x='{i * wide:.1f}' y='{_HIGH - _HIGH * count / counts.max():.1f}' width='{wide - 1:.1f}' "
        f"height='{_HIGH * count / counts.max():.1f}' fill='#2b6cb0'>"
        f"<title>{count} tiles: {edges[i]:.4g} … {edges[i + 1]:.4g}</title></rect>"
        for i, count in enumerate(counts)
    )
    label = f"{found.metric} of {values.size} tiles: {values.min():.4g} … {values.max():.4g}"
    return (
        f"<p>{html.escape(label)}</p><svg xmlns='http://www.w3.org/2000/svg' role='img' "
        f"aria-label='{html.escape(label, quote=True)}' viewBox='0 0 {_WIDE} {_HIGH}' width='{_WIDE}' "
        f"height='{_HIGH}'>{bars}</svg>"
    )


def _by_class(found: VariableReport) -> str:
    """Return the metrics for each class of another variable."""
    if not found.by:
        return ""
    names = tuple(next(iter(found.by.values())))
    rows = [(name, *(f"{metrics[one]:.6g}" for one in names)) for name, metrics in found.by.items()]
    return table(("in", *names), rows)


def _classes(found: VariableReport) -> str:
    """Return the table of classes and the confusion matrix."""
    classes = found.classes
    if not classes:
        return ""
    rows = [(row.name, row.pixels_a, row.pixels_b, f"{row.shift:+.3%}", f"{row.iou:.4g}") for row in classes]
    shares = table(("class", "pixels in a", "pixels in b", "shift", "intersection over union"), rows)
    if len(classes) > _MOST_CLASSES:
        return shares
    names = [row.name for row in classes]
    matrix: list[list[Any]] = [
        [name, *counts] for name, counts in zip(names, found.confusion().tolist(), strict=True)
    ]
    return (
        f"{shares}<p>Pixels: a row per class of a, a column per class of b.</p>{table(['', *names], matrix)}"
    )


def _worst(one: WorstTile, metric: str) -> str:
    pictures = "".join(
        f"<figure style='margin:0'><img alt='{html.escape(name)} of {html.escape(one.tile_id, quote=True)}' "
        f"src='{data_uri(png)}' style='image-rendering:pixelated;max-width:100%'>"
        f"<figcaption>{html.escape(name)}</figcaption></figure>"
        for name, png in one.pictures.items()
    )
    return (
        f"<h3 style='font:600 14px sans-serif'>{html.escape(one.tile_id)}: {metric} {one.value:.6g}</h3>"
        f"<div style='display:flex;gap:12px;flex-wrap:wrap'>{pictures}</div>"
    )


def _remarks(report: ABReport) -> str:
    lines = [f"only the first pipeline makes {name} ({count} tiles)" for name, count in report.only_a.items()]
    lines += [
        f"only the second pipeline makes {name} ({count} tiles)" for name, count in report.only_b.items()
    ]
    lines += [
        f"{tile}: {name}: {why}" for tile, held in report.different.items() for name, why in held.items()
    ]
    lines += [f"{tile} failed: {why}" for tile, why in report.failed.items()]
    lines += [f"{text} ({count} tiles)" for text, count in report.notes.items()]
    return f"<ul>{''.join(f'<li>{html.escape(line)}</li>' for line in lines)}</ul>" if lines else ""
