"""A QC report as HTML."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from geotoolz.qc._report import QCEntry, QCReport

_STYLE = """
.gz-qc{--line:#8884;--bad:#c0392b;--good:#2e8b57;font:15px/1.45 system-ui,sans-serif}
.gz-qc h1{font-size:1.4rem;margin:0}.gz-qc .sub{color:GrayText;margin:.2rem 0 1.2rem}
.gz-qc table{border-collapse:collapse;width:100%}
.gz-qc th,.gz-qc td{text-align:left;padding:.4rem .6rem;border-top:1px solid var(--line);vertical-align:top}
.gz-qc th{font-weight:600;border-top:0}.gz-qc td{overflow-wrap:anywhere}
.gz-qc .failed,.gz-qc .error{color:var(--bad);font-weight:600}.gz-qc .passed{color:var(--good)}
"""
_HEADS = ("tile", "step", "check", "result", "found", "expected", "if it fails")
_ORDER = {"error": 0, "failed": 1, "passed": 2}
_MAX_ROWS = 5000
"""A page with more rows takes browsers seconds to open; the JSON report has all."""


def page(report: QCReport) -> str:
    """Return the report as a whole page."""
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width'><title>Quality control</title>"
        "<style>:root{color-scheme:light dark}body{margin:2rem auto;max-width:75rem;padding:0 1rem}</style>"
        f"</head><body>{body(report)}</body></html>\n"
    )


def body(report: QCReport) -> str:
    """Return the report's table; what did not pass stands first."""
    rows = sorted(report.entries, key=lambda entry: _ORDER[entry.result])
    counts = ", ".join(f"{count} {name}" for name, count in report.counts.items())
    left = len(rows) - _MAX_ROWS
    more = f"<p>{left} more checks: see the JSON report.</p>" if left > 0 else ""
    head = "".join(f"<th scope='col'>{name}</th>" for name in _HEADS)
    verdict = "passed" if report.passed else "failed"
    return (
        f"<div class='gz-qc'><style>{_STYLE}</style>"
        f"<h1>Quality control: <span class='{verdict}'>{verdict}</span></h1>"
        f"<p class='sub'>{len(report.tiles)} tile(s); {counts}</p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(map(_row, rows[:_MAX_ROWS]))}</tbody></table>"
        f"{more}</div>"
    )


def _row(entry: QCEntry) -> str:
    texts = (entry.tile, entry.path, entry.check)
    cells = "".join(f"<td>{escape(text)}</td>" for text in texts)
    cells += f"<td class='{entry.result}'>{entry.result}</td>"
    cells += "".join(f"<td>{escape(text)}</td>" for text in (entry.found, entry.expected, entry.on_fail))
    return f"<tr>{cells}</tr>"
