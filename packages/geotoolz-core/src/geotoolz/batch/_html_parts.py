"""Sections of the report's page: time and memory, errors by kind, tiles that stand out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from html import escape
from statistics import median
from typing import TYPE_CHECKING

from ._breaker import shape_of
from ._failure import Failure, FailureKind

if TYPE_CHECKING:
    from ._report import TileRow

__all__ = ["errors", "size_text", "standing_out", "table", "times", "usage"]

_STAGES = ("describe", "read", "run", "write")
_STAGE_TOLD = {
    "describe": "opened and planned",
    "read": "pixels read",
    "run": "computed",
    "write": "written and put in place",
}
_WORST = 10
_EXAMPLES = 5
_UNITS = ("B", "kB", "MB", "GB", "TB")


def size_text(count: float) -> str:
    """Return bytes as people read them.

    Examples
    --------
    >>> size_text(999), size_text(1_500_000)
    ('999 B', '1.5 MB')
    """
    size, unit = float(count), 0
    while size >= 1000 and unit < len(_UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:.0f} B" if unit == 0 else f"{size:.1f} {_UNITS[unit]}"


def table(name: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a section with a table; the cells are HTML already. Empty without rows."""
    lines = ["".join(f"<td>{cell}</td>" for cell in row) for row in rows]
    if not lines:
        return ""
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return (
        f"<section><h2>{escape(name)}</h2><div class='wide'><table><thead><tr>{top}</tr></thead>"
        f"<tbody>{body}</tbody></table></div></section>"
    )


def times(rows: Sequence[TileRow]) -> str:
    """Return where the time went, by step."""
    made = [row.seconds for row in rows if row.seconds]
    whole = sum(sum(seconds.values()) for seconds in made)
    return table(
        "Time per step",
        ("step", "share", "in all", "median of a tile", "longest"),
        (_stage(name, [seconds.get(name, 0.0) for seconds in made], whole) for name in _STAGES if made),
    )


def _stage(name: str, spent: Sequence[float], whole: float) -> Sequence[str]:
    share = sum(spent) / whole if whole else 0.0
    bar = f"<meter min='0' max='1' value='{share:.3f}'></meter> {100 * share:.0f} %"
    told = f"<b>{name}</b> <small>{_STAGE_TOLD[name]}</small>"
    return told, bar, f"{sum(spent):.1f} s", f"{median(spent):.2f} s", f"{max(spent):.2f} s"


def usage(rows: Sequence[TileRow]) -> str:
    """Return what the tiles took: processor time, memory, bytes."""
    wishes: tuple[tuple[str, str, Callable[[float], str]], ...] = (
        ("processor time", "cpu_seconds", "{:.2f} s".format),
        ("memory of the worker, at its peak", "peak_bytes", size_text),
        ("read from files", "read_bytes", size_text),
        ("written", "written_bytes", size_text),
    )
    return table(
        "Memory and processor",
        ("of a tile", "median", "most", "by", "in all"),
        (line for name, key, told in wishes for line in _used(rows, name, key, told)),
    )


def _used(
    rows: Sequence[TileRow], name: str, key: str, told: Callable[[float], str]
) -> Iterator[Sequence[str]]:
    known = [row for row in rows if key in row.usage]
    if known:
        values = [row.usage[key] for row in known]
        most = max(known, key=lambda row: row.usage[key])
        whole = "" if key == "peak_bytes" else told(sum(values))
        yield name, told(median(values)), told(max(values)), _tile(most), whole


def errors(rows: Sequence[TileRow]) -> str:
    """Return the failures, those of one cause together: by kind, type and message without names."""
    groups: dict[tuple[str, str], list[TileRow]] = {}
    for row in rows:
        if row.kind:
            shape = shape_of(Failure(FailureKind.ERROR, row.error, row.message))
            groups.setdefault((row.kind, shape), []).append(row)
    ordered = sorted(groups.items(), key=lambda group: -len(group[1]))
    return table(
        "Errors",
        ("tiles", "kind", "one of them", "tiles by name"),
        (_error_line(kind, held) for (kind, _), held in ordered),
    )


def _error_line(kind: str, rows: Sequence[TileRow]) -> Sequence[str]:
    first = rows[0]
    names = ", ".join(_tile(row) for row in rows[:_EXAMPLES])
    more = f" and {len(rows) - _EXAMPLES} more" if len(rows) > _EXAMPLES else ""
    told = f"<span class='bad'>{escape(first.error)}</span>: {escape(first.message)}"
    return f"<b>{len(rows)}</b>", escape(kind), told, names + more


def standing_out(rows: Sequence[TileRow]) -> str:
    """Return the slowest tiles, those with least data, and those that were tried most often."""
    made = [row for row in rows if row.status == "done"]
    slow = sorted(made, key=lambda row: -_spent(row))[:_WORST]
    told = [row for row in rows if row.status in ("done", "fresh") and row.valid_share]
    empty = sorted((row for row in told if _valid(row) < 1.0), key=_valid)[:_WORST]
    tried = sorted((row for row in rows if len(row.attempts) > 1), key=lambda row: -len(row.attempts))
    return (
        table("Slowest tiles", ("tile", "seconds", "of it"), (_slow_line(row) for row in slow))
        + table(
            "Least valid pixels", ("tile", "valid"), ((_tile(row), f"{_valid(row):.1%}") for row in empty)
        )
        + table(
            "Tried most often",
            ("tile", "attempts", "ended by"),
            ((_tile(row), str(len(row.attempts)), ", ".join(_ends(row))) for row in tried[:_WORST]),
        )
    )


def _slow_line(row: TileRow) -> Sequence[str]:
    parts = ", ".join(f"{escape(name)} {value:.2f}" for name, value in row.seconds.items())
    return _tile(row), f"{_spent(row):.2f}", parts


def _ends(row: TileRow) -> list[str]:
    return [escape(str(attempt.get("kind", "done"))) for attempt in row.attempts]


def _tile(row: TileRow) -> str:
    return f"<code>{escape(row.tile_id)}</code>"


def _spent(row: TileRow) -> float:
    return sum(row.seconds.values())


def _valid(row: TileRow) -> float:
    return min(row.valid_share.values())
