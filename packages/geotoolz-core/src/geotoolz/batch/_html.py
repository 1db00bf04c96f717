"""The report as one page: a map, tables and small pictures, nothing loaded from anywhere."""

from __future__ import annotations

import base64
from html import escape
from typing import TYPE_CHECKING

from ._html_map import draw_map
from ._html_parts import errors, standing_out, times, usage
from ._layout import Layout

if TYPE_CHECKING:
    from ._report import BatchReport, TileRow

__all__ = ["render"]

#: a page with more pictures or rows takes browsers seconds to open; report.json has all
_MAX_PICTURES = 200
_MAX_ROWS = 2000
_ORDER = {"failed": 0, "quarantined": 1, "not-run": 2, "done": 3, "fresh": 4}

_STYLE = """
:root{color-scheme:light dark;--line:#8884;--bad:#b8321f;--good:#1f7a4d;
--done:#2b7f9e;--fresh:#8fb3c2;--failed:#c0392b;--quarantined:#d98a12;--idle:#8888}
@media(prefers-color-scheme:dark){:root{--bad:#ff8a75;--good:#6fd3a0;--done:#4fb0d0;--fresh:#44697a;
--failed:#ff6b57;--quarantined:#f0ac3c}}
body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:75rem;padding:0 1rem;
overflow-wrap:break-word}
h1{font-size:1.4rem;margin:0}.sub{color:GrayText;margin:.2rem 0 1.2rem}
.cards{display:flex;gap:.8rem;flex-wrap:wrap;margin:0 0 1.5rem}
.card{border:1px solid var(--line);border-radius:.5rem;padding:.5rem 1rem}
.card b{display:block;font-size:1.5rem}
h2{font-size:1.1rem;margin:1.8rem 0 .4rem}.wide{overflow-x:auto}figure{margin:0 0 1.5rem}
svg{display:block;width:100%;max-height:70vh;border:1px solid var(--line);border-radius:.5rem}
polygon,rect{stroke:currentColor;stroke-opacity:.35;stroke-width:.6;fill-opacity:.75;fill:var(--idle)}
.done{fill:var(--done);--key:var(--done)}.fresh{fill:var(--fresh);--key:var(--fresh)}
.failed{fill:var(--failed);--key:var(--failed)}.quarantined{fill:var(--quarantined);--key:var(--quarantined)}
.not-run{fill-opacity:.15}figcaption{font-size:.9em;margin-top:.4rem}
.key{white-space:nowrap;margin-right:.8rem}
.key i{display:inline-block;width:.8em;height:.8em;margin-right:.3em;border:1px solid var(--line);
background:var(--key,var(--idle))}
meter{width:6rem}
.bad{color:var(--bad)}.good{color:var(--good)}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.4rem .6rem;border-top:1px solid var(--line);vertical-align:top}
th{font-weight:600;border-top:0}td.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
img{display:block;max-width:96px;max-height:96px;image-rendering:pixelated;border-radius:3px}
code{font-size:.85em;overflow-wrap:anywhere}small{color:GrayText}
"""


def render(report: BatchReport) -> str:
    """Return the page as HTML text."""
    rows = sorted(report.rows, key=lambda row: _ORDER.get(row.status, 9))
    layout = Layout(report.out)
    pictures = 0
    body = []
    for row in rows[:_MAX_ROWS]:
        picture = _picture(layout, row) if pictures < _MAX_PICTURES else ""
        pictures += bool(picture)
        body.append(_table_row(row, picture))
    left = len(rows) - _MAX_ROWS
    more = f"<p>{left} more tiles: see report.json.</p>" if left > 0 else ""
    head = "".join(f"<th>{name}</th>" for name in ("", "tile", "status", "masked", "seconds", "what"))
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width,initial-scale=1'>"
        f"<title>geotoolz run: {escape(report.out.name)}</title><style>{_STYLE}</style></head><body>"
        f"<h1>{escape(str(report.out))}</h1><p class='sub'>{escape(str(report))}. "
        f"Started {escape(report.started)}. "
        f"Pipeline <code>{escape(report.config_hash)}</code></p><div class='cards'>{_cards(report)}</div>"
        f"{_left_out(report)}{draw_map(rows)}{errors(rows)}{times(rows)}{usage(rows)}{standing_out(rows)}"
        f"<section><h2>Tiles</h2><div class='wide'><table id='tiles'><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(body)}</tbody></table></div>{more}</section></body></html>\n"
    )


def _cards(report: BatchReport) -> str:
    cards = [
        _card(status, count)
        for status, count in sorted(report.counts.items(), key=lambda c: _ORDER.get(c[0], 9))
    ]
    cards += [_card(f"failed: {kind}", count) for kind, count in sorted(report.failures.items())]
    if report.orphans:
        cards.append(_card("orphan", report.orphans))
    if report.left_out:
        cards.append(_card("left out", len(report.left_out)))
    return "".join(cards)


def _left_out(report: BatchReport) -> str:
    """Return the files that no tile stands for."""
    if not report.left_out:
        return ""
    lines = "".join(f"<li><code>{escape(one)}</code></li>" for one in report.left_out[:_MAX_ROWS])
    return f"<section><h2>Left out</h2><p>Files that could not be described:</p><ul>{lines}</ul></section>"


def _card(name: str, count: int) -> str:
    colour = (
        "bad"
        if name.startswith(("failed", "quarantined", "left out"))
        else "good"
        if name in ("done", "fresh")
        else ""
    )
    return f"<div class='card'><b class='{colour}'>{count}</b>{escape(name)}</div>"


def _table_row(row: TileRow, picture: str) -> str:
    colour = (
        "bad"
        if row.status in ("failed", "quarantined")
        else "good"
        if row.status in ("done", "fresh")
        else ""
    )
    masked = "" if row.masked_share is None else f"{100 * row.masked_share:.1f} %"
    spent = f"{sum(row.seconds.values()):.2f}" if row.seconds else ""
    return (
        f"<tr><td>{picture}</td><td><code>{escape(row.tile_id)}</code></td>"
        f"<td class='{colour}'>{escape(row.status)}</td>"
        f"<td class='n'>{masked}</td><td class='n'>{spent}</td><td>{_what(row)}</td></tr>"
    )


def _what(row: TileRow) -> str:
    parts = []
    if row.message:
        parts.append(f"<span class='bad'>{escape(row.error)}</span>: {escape(row.message)}")
    if row.outputs:
        parts.append(
            "<br>".join(f"<a href='{escape(path, quote=True)}'>{escape(path)}</a>" for path in row.outputs)
        )
    parts += [f"<small>{escape(warning)}</small>" for warning in row.warnings]
    if len(row.attempts) > 1:
        parts.append(f"<small>{len(row.attempts)} attempts</small>")
    return "<br>".join(parts) or f"<small>{escape(row.reason)}</small>"


def _picture(layout: Layout, row: TileRow) -> str:
    if row.status not in ("done", "fresh"):
        return ""
    try:
        data = layout.quicklook(row.tile_id).read_bytes()
    except OSError:
        return ""
    return f"<img alt='' src='data:image/png;base64,{base64.b64encode(data).decode()}'>"
