"""A run's report as text."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from geotoolz._cli._console import say

if TYPE_CHECKING:
    from geotoolz.batch import BatchReport
    from geotoolz.io._object_path import Place


def shown_path(path: Place) -> str:
    """Return a path as the user would write it: relative where it lies below the working folder."""
    if not isinstance(path, Path):
        return str(path)
    try:
        return os.fspath(path.absolute().relative_to(Path.cwd()))
    except (ValueError, OSError):
        return os.fspath(path)


def clipped(text: str, length: int = 240) -> str:
    """Return a message that fits three lines; the whole one stands in the report.

    Examples
    --------
    >>> clipped("too long to be read", 10)
    'too long …'
    """
    return text if len(text) <= length else f"{text[: length - 1].rstrip()} …"


def print_report(report: BatchReport, *, limit: int | None = None) -> None:
    """Print the outcome, the failed tiles, and where the pages are.

    Parameters
    ----------
    report : BatchReport
        The report.
    limit : int, optional
        At most so many failed tiles.
    """
    failed = report.failed
    for row in failed[:limit]:
        say(f"{row.status}  {row.tile_id}  {clipped(f'{row.error}: {row.message}')}")
    if limit is not None and len(failed) > limit:
        say(f"… and {len(failed) - limit} more failed tiles")
    for text in report.left_out[:limit]:
        say(f"left out  {clipped(text)}")
    out = shown_path(report.out)
    if report.engine == "none":
        say(f"{out}: nothing to do: {_counts(report)}")
    else:
        say(f"{out}: {report}")
    say(f"report: {', '.join(shown_path(page) for page in report.pages)}")
    if failed:
        from geotoolz.batch import Layout

        logs = shown_path(Layout(report.out).logs)
        say(f"logs: {logs} (of every tile: warnings, whole messages, tracebacks)")


def _counts(report: BatchReport) -> str:
    return ", ".join(f"{count} {status}" for status, count in report.counts.items()) or "no tiles"
