"""Accuracy reports as pages that load nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from geotoolz.learn._accuracy import AccuracyReport
    from geotoolz.learn._accuracy_regression import RegressionReport, RegressionScores
    from geotoolz.learn._area_estimates import AreaEstimates

_STYLE = """
.gz-acc{--line:#8884;--own:#2e8b5733;font:15px/1.45 system-ui,sans-serif}
.gz-acc h1{font-size:1.4rem;margin:0}.gz-acc h2{font-size:1.1rem;margin:1.4rem 0 .3rem}
.gz-acc .sub{color:GrayText;margin:.2rem 0 1.2rem}
.gz-acc table{border-collapse:collapse}
.gz-acc th,.gz-acc td{padding:.3rem .7rem;border-top:1px solid var(--line);text-align:right}
.gz-acc td{font-variant-numeric:tabular-nums}.gz-acc th{font-weight:600}
.gz-acc th:first-child{text-align:left}.gz-acc .own{background:var(--own)}
.gz-acc li{margin:.2rem 0}
"""
_MOST = 2000
"""A page with more rows takes browsers seconds to open; the JSON report has all."""


def classification_page(report: AccuracyReport) -> str:
    """Return the page of a classification."""
    found, labels = report.confusion, report.labels
    pair = report.intervals.get("overall_accuracy")
    within = "" if pair is None else f" ({pair[0]:.3f} … {pair[1]:.3f} at {report.confidence:.0%})"
    parts = [
        f"<h1>Accuracy: {found.overall_accuracy:.3f}{within}</h1>",
        f"<p class='sub'>{found.n} rows, {found.left_out} left out, kappa {found.kappa:.3f}</p>",
        "<h2>Rows by true (down) and predicted (across) class</h2>",
        _matrix(found.matrix, labels),
        "<h2>Classes</h2>",
        _table(("class", "user's", "producer's", "F1"), _class_rows(report)),
    ]
    if report.areas is not None:
        parts += ["<h2>Of the map, weighted by area</h2>", _areas(report.areas)]
    if report.by_group:
        rows = [(one.group, str(one.n), f"{one.overall_accuracy:.3f}") for one in report.by_group]
        parts += ["<h2>By group</h2>", _table(("group", "rows", "overall accuracy"), rows)]
    notes = "".join(f"<li>{escape(text)}</li>" for text in report.cautions)
    return _page("Accuracy", [*parts, "<h2>To be read with it</h2>", f"<ul>{notes}</ul>"])


def regression_page(report: RegressionReport) -> str:
    """Return the page of a regression."""
    unit = f" {report.units}" if report.units else ""
    heads = ("rows", f"RMSE{unit}", f"MAE{unit}", f"bias{unit}", "R²")
    parts = [
        f"<h1>RMSE: {report.scores.rmse:.4g}{escape(unit)}</h1>",
        f"<p class='sub'>{report.scores.n} rows, {report.left_out} left out</p>",
        _table(("", *heads), [("all", *_score_cells(report.scores))]),
    ]
    if report.by_group:
        rows = [(name, *_score_cells(scores)) for name, scores in report.by_group]
        parts += ["<h2>By group</h2>", _table(("group", *heads), rows)]
    return _page("Regression", parts)


def _score_cells(scores: RegressionScores) -> tuple[str, ...]:
    return (
        str(scores.n),
        f"{scores.rmse:.4g}",
        f"{scores.mae:.4g}",
        f"{scores.bias:+.4g}",
        f"{scores.r2:.3f}",
    )


def _class_rows(report: AccuracyReport) -> list[tuple[str, ...]]:
    found = report.confusion
    kinds = {
        "users_accuracy": found.users_accuracy,
        "producers_accuracy": found.producers_accuracy,
        "f1": found.f1,
    }
    rows = []
    for i, label in enumerate(report.labels):
        cells = []
        for kind, values in kinds.items():
            pair = report.intervals.get(f"{kind}[{label}]")
            cells.append(f"{values[i]:.3f}" + ("" if pair is None else f" ({pair[0]:.3f} … {pair[1]:.3f})"))
        rows.append((label, *cells))
    return rows


def _areas(areas: AreaEstimates) -> str:
    heads = ("class", "mapped", "area", "±", "user's", "±", "producer's", "±")
    rows = [
        (
            label,
            f"{areas.mapped_area[i]:,.6g}",
            f"{areas.area[i]:,.6g}",
            f"{areas.half_width(areas.area_se[i]):,.6g}",
            f"{areas.users_accuracy[i]:.3f}",
            f"{areas.half_width(areas.users_accuracy_se[i]):.3f}",
            f"{areas.producers_accuracy[i]:.3f}",
            f"{areas.half_width(areas.producers_accuracy_se[i]):.3f}",
        )
        for i, label in enumerate(areas.labels)
    ]
    overall = f"{areas.overall_accuracy:.3f} ± {areas.half_width(areas.overall_accuracy_se):.3f}"
    return f"<p>Overall accuracy {overall}; ± at {areas.confidence:.0%}</p>{_table(heads, rows)}"


def _matrix(matrix: Sequence[Sequence[int]], labels: Sequence[str]) -> str:
    head = "".join(f"<th scope='col'>{escape(name)}</th>" for name in ("", *labels))
    rows = []
    for i, (name, counts) in enumerate(zip(labels, matrix, strict=True)):
        cells = "".join(f"<td{' class=own' if i == j else ''}>{count}</td>" for j, count in enumerate(counts))
        rows.append(f"<tr><th scope='row'>{escape(name)}</th>{cells}</tr>")
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _table(heads: Iterable[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th scope='col'>{escape(name)}</th>" for name in heads)
    body = "".join(
        f"<tr><th scope='row'>{escape(row[0])}</th>{''.join(f'<td>{escape(c)}</td>' for c in row[1:])}</tr>"
        for row in rows[:_MOST]
    )
    more = f"<p>{len(rows) - _MOST} more: see the JSON report.</p>" if len(rows) > _MOST else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def _page(title: str, parts: Iterable[str]) -> str:
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        f"<meta name='viewport' content='width=device-width'><title>{escape(title)}</title>"
        "<style>:root{color-scheme:light dark}body{margin:2rem auto;max-width:75rem;padding:0 1rem}</style>"
        f"</head><body><div class='gz-acc'><style>{_STYLE}</style>{''.join(parts)}</div></body></html>\n"
    )
