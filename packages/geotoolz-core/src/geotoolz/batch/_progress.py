"""Showing how far a run is: a bar for people, JSON lines for machines."""

from __future__ import annotations

import json
import sys
import time
from typing import IO, Any, Literal, Protocol

__all__ = ["JsonLinesProgress", "NoProgress", "Progress", "RichProgress", "get_progress"]

ProgressChoice = Literal["auto", "rich", "json", "none"]


class Progress(Protocol):
    """What a run tells while it goes on. All calls come from the driver's thread."""

    def start(self, total: int, skipped: int, engine: str) -> None:
        """Begin: `total` tiles to do, `skipped` that need nothing."""

    def tile(self, tile_id: str, status: str, message: str, seconds: float) -> None:
        """Tell that a tile ended: "done" or "failed"."""

    def note(self, event: str, message: str) -> None:
        """Tell that something happened: a retry, Ctrl-C."""

    def finish(self, summary: str) -> None:
        """End."""


class NoProgress:
    """Says nothing."""

    def start(self, total: int, skipped: int, engine: str) -> None:
        """Say nothing."""

    def tile(self, tile_id: str, status: str, message: str, seconds: float) -> None:
        """Say nothing."""

    def note(self, event: str, message: str) -> None:
        """Say nothing."""

    def finish(self, summary: str) -> None:
        """Say nothing."""


class JsonLinesProgress:
    """One JSON object per line: start, failures and notes at once, the count every few seconds, end.

    Parameters
    ----------
    stream : text file, optional
        By default stderr, as it is when a line is written.
    every : float
        Seconds between counts.
    """

    def __init__(self, stream: IO[str] | None = None, every: float = 5.0) -> None:
        self._stream = stream
        self._every = every
        self._last = 0.0
        self._total = self._done = self._failed = 0

    def start(self, total: int, skipped: int, engine: str) -> None:
        """Write the start."""
        self._total = total
        self._last = time.monotonic()
        self._write("start", todo=total, skipped=skipped, engine=engine)

    def tile(self, tile_id: str, status: str, message: str, seconds: float) -> None:
        """Write a failure, or the count when it is time."""
        if status == "done":
            self._done += 1
        else:
            self._failed += 1
            self._write("failed", id=tile_id, message=message)
        if time.monotonic() - self._last >= self._every:
            self._last = time.monotonic()
            self._write("progress", done=self._done, failed=self._failed, todo=self._total)

    def note(self, event: str, message: str) -> None:
        """Write it."""
        self._write(event, message=message)

    def finish(self, summary: str) -> None:
        """Write the end."""
        self._write("end", done=self._done, failed=self._failed, todo=self._total, message=summary)

    def _write(self, event: str, **values: Any) -> None:
        stream = self._stream or sys.stderr
        stream.write(json.dumps({"event": event, "time": round(time.time(), 3), **values}) + "\n")
        stream.flush()


class RichProgress:
    """A bar on a terminal, with failures printed above it."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            SpinnerColumn,
            TextColumn,
            TimeRemainingColumn,
        )
        from rich.progress import Progress as Bar

        self._console = Console(stderr=True)
        self._bar = Bar(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[failed]}"),
            console=self._console,
            transient=True,
        )
        self._task: Any = None
        self._failed = 0

    def start(self, total: int, skipped: int, engine: str) -> None:
        """Show the bar."""
        self._bar.start()
        self._task = self._bar.add_task(f"tiles ({engine})", total=total, failed="")

    def tile(self, tile_id: str, status: str, message: str, seconds: float) -> None:
        """Move the bar."""
        if status != "done":
            self._failed += 1
            self._console.print(f"✗ {tile_id}: {message}", style="red", highlight=False, markup=False)
        self._bar.update(self._task, advance=1, failed=f"{self._failed} failed" if self._failed else "")

    def note(self, event: str, message: str) -> None:
        """Print it above the bar."""
        self._console.print(message, style="yellow", highlight=False, markup=False)

    def finish(self, summary: str) -> None:
        """Take the bar away."""
        self._bar.stop()


def get_progress(choice: ProgressChoice | Progress | None) -> Progress:
    """Choose how progress is shown: "auto" looks whether stderr is a terminal."""
    from geotoolz.core._errors import ParameterError

    if choice is None or choice == "none":
        return NoProgress()
    if not isinstance(choice, str):
        return choice
    if choice == "auto":
        choice = "rich" if sys.stderr.isatty() else "json"
    if choice == "rich":
        return RichProgress()
    if choice == "json":
        return JsonLinesProgress()
    raise ParameterError(
        f"progress={choice!r}", expected="'auto', 'rich', 'json', 'none' or a Progress object"
    )
