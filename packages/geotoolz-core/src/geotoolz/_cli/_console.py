"""What is printed: results to stdout, everything else to stderr."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import typer


def say(text: str = "") -> None:
    """Print a line of the result."""
    typer.echo(text)


def told(text: str) -> None:
    """Print a line about the work: a note, a warning, an error."""
    typer.echo(text, err=True)


def say_json(value: Any) -> None:
    """Print a result as JSON."""
    typer.echo(json.dumps(_plain(value), indent=1, default=str, ensure_ascii=False))


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table: with lines on a terminal, else aligned columns and nothing more."""
    cells = [[_cell(value) for value in row] for row in rows]
    if sys.stdout.isatty():
        _rich_table(headers, cells)
        return
    shown = [list(headers), *cells]
    widths = [max(len(row[column]) for row in shown) for column in range(len(headers))]
    for row in shown:
        say("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def facts(pairs: Iterable[tuple[str, object]]) -> None:
    """Print names and values, one pair a line; pairs without a value are left out."""
    kept = [(name, _cell(value)) for name, value in pairs if value not in (None, "")]
    width = max((len(name) for name, _ in kept), default=0)
    for name, value in kept:
        say(f"{name.ljust(width)}  {value}")


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)


def _rich_table(headers: Sequence[str], cells: Iterable[Sequence[str]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(*headers, box=box.SIMPLE_HEAD, pad_edge=False)
    shown.columns[0].no_wrap = True  # an id that is cut cannot be copied
    for row in cells:
        shown.add_row(*(Text(text, overflow="fold") for text in row))
    Console().print(shown)


def _plain(value: Any) -> Any:
    """Return a value with NaN and infinity as text, as STAC writes them: JSON has no such numbers."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {"inf": "inf", "-inf": "-inf"}.get(str(value), "nan")
    return value
