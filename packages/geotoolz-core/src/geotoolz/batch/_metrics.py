"""A run's numbers as a Prometheus text file, for node-exporter's textfile collector."""

from __future__ import annotations

import logging
import os
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ._commit import write_atomic

if TYPE_CHECKING:
    from ._report import TileRow

__all__ = ["Metrics", "MetricsFile"]

_log = logging.getLogger("geotoolz.batch")
#: seconds between two writes while tiles end; node-exporter is asked every 15 to 60
_EVERY = 5.0
#: upper bounds of the histogram of seconds per tile
_BUCKETS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
_STATES = ("done", "failed", "fresh", "quarantined", "not-run")
_HELP = {
    "tiles": ("gauge", "Tiles of the run by state; not-run are those still to do."),
    "failures_total": ("counter", "Tiles that failed in this run, by kind of failure."),
    "retries_total": ("counter", "Attempts that were repeated, by kind of failure."),
    "tile_seconds": ("histogram", "Seconds per tile that ended, all attempts together."),
    "cpu_seconds_total": ("counter", "Processor seconds of the tiles that were made."),
    "read_bytes_total": ("counter", "Bytes that workers read from files for the tiles that were made."),
    "written_bytes_total": ("counter", "Bytes of the outputs that were made."),
    "peak_memory_bytes": ("gauge", "Largest resident memory of a worker during one tile."),
    "tiles_per_second": ("gauge", "Tiles that ended per second since the run began."),
    "start_timestamp_seconds": ("gauge", "When the run began."),
    "last_progress_timestamp_seconds": ("gauge", "When a tile ended last."),
    "running": ("gauge", "1 while the run is under way; also after a crash: look at the last progress."),
    "exit_code": ("gauge", "Exit code of the run, once it is over."),
}


class Metrics:
    """Keeps no numbers; what a run without ``metrics=`` has."""

    @staticmethod
    def of(path: str | os.PathLike[str] | None, out: object, shard: tuple[int, int] | None = None) -> Metrics:
        """Return what writes to a file, or nothing for None."""
        return Metrics() if path is None else MetricsFile(Path(path), str(out), shard=shard)

    def start(self, rows: Iterable[TileRow], todo: int) -> None:
        """Begin with what is known before the first tile."""

    def tile(self, row: TileRow) -> None:
        """Count a tile that ended."""

    def retry(self, kind: str) -> None:
        """Count an attempt that will be repeated."""

    def finish(self, exit_code: int) -> None:
        """End."""


class MetricsFile(Metrics):
    """Writes the numbers of a run to one file, whole or not at all.

    All metrics are called ``geotoolz_…`` and have the label ``output`` (and ``shard``), so that the files of
    several runs can lie in one folder. A file that cannot be written is a warning, once; it never ends a run.

    Parameters
    ----------
    path : Path
        ``….prom`` in the folder that node-exporter looks at.
    output : str
        The output folder, for the label.
    every : float
        Seconds between writes.
    shard : (int, int), optional
        For a label of that name.
    """

    def __init__(
        self, path: Path, output: str, every: float = _EVERY, *, shard: tuple[int, int] | None = None
    ) -> None:
        self.path = path
        self._label = f'output="{_escaped(output)}"' + (f',shard="{shard[0]}/{shard[1]}"' if shard else "")
        self._every = every
        self._states: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()
        self._retries: Counter[str] = Counter()
        self._used = dict.fromkeys(("cpu_seconds", "read_bytes", "written_bytes"), 0.0)
        self._buckets = [0] * (len(_BUCKETS) + 1)
        self._seconds = 0.0
        self._peak = 0.0
        self._ended = 0
        self._begun = self._written = time.monotonic()
        self._started = self._last = time.time()
        self._exit_code: int | None = None
        self._warned = False

    def start(self, rows: Iterable[TileRow], todo: int) -> None:
        """Write the file for the first time."""
        self._states.update(row.status for row in rows)
        self._begun = time.monotonic()
        self._started = self._last = time.time()
        self._write()

    def tile(self, row: TileRow) -> None:
        """Count a tile that ended, and write when it is time."""
        self._states["not-run"] -= 1
        self._states[row.status] += 1
        if row.status == "failed":
            self._failures[row.kind] += 1
        seconds = sum(float(attempt["seconds"]) for attempt in row.attempts)
        self._buckets[bisect_left(_BUCKETS, seconds)] += 1
        self._seconds += seconds
        for name in self._used:
            self._used[name] += row.usage.get(name, 0.0)
        self._peak = max(self._peak, row.usage.get("peak_bytes", 0.0))
        self._ended += 1
        self._last = time.time()
        if time.monotonic() - self._written >= self._every:
            self._write()

    def retry(self, kind: str) -> None:
        """Count an attempt that will be repeated."""
        self._retries[kind] += 1

    def finish(self, exit_code: int) -> None:
        """Write the file for the last time."""
        self._exit_code = exit_code
        self._write()

    # ---- inside

    def _write(self) -> None:
        self._written = time.monotonic()
        try:
            write_atomic(self.path, "".join(self._lines()).encode())
        except OSError as exc:
            if not self._warned:
                _log.warning("the metrics %s cannot be written: %s", self.path, exc.strerror or exc)
            self._warned = True

    def _lines(self) -> Iterator[str]:
        spent = time.monotonic() - self._begun
        yield from self._metric("tiles", {f'state="{name}"': self._states[name] for name in _STATES})
        yield from self._metric("failures_total", _by_kind(self._failures))
        yield from self._metric("retries_total", _by_kind(self._retries))
        yield from self._histogram()
        for name, value in self._used.items():
            yield from self._metric(f"{name}_total", {"": round(value, 4)})
        yield from self._metric("peak_memory_bytes", {"": self._peak})
        yield from self._metric("tiles_per_second", {"": self._ended / spent if spent > 0 else 0.0})
        yield from self._metric("start_timestamp_seconds", {"": self._started})
        yield from self._metric("last_progress_timestamp_seconds", {"": self._last})
        yield from self._metric("running", {"": int(self._exit_code is None)})
        if self._exit_code is not None:
            yield from self._metric("exit_code", {"": self._exit_code})

    def _histogram(self) -> Iterator[str]:
        """Yield the histogram; every bucket counts those below it too, as the format wants."""
        yield _head("tile_seconds")
        below = 0
        for bound, count in zip((*_BUCKETS, float("inf")), self._buckets, strict=True):
            below += count
            text = "+Inf" if bound == float("inf") else f"{bound:g}"
            yield self._line("tile_seconds_bucket", f'le="{text}"', below)
        yield self._line("tile_seconds_sum", "", round(self._seconds, 4))
        yield self._line("tile_seconds_count", "", below)

    def _metric(self, name: str, values: Mapping[str, float]) -> Iterator[str]:
        if values:
            yield _head(name)
        for labels, value in values.items():
            yield self._line(name, labels, value)

    def _line(self, name: str, labels: str, value: float) -> str:
        told = self._label + (f",{labels}" if labels else "")
        return f"geotoolz_{name}{{{told}}} {value!r}\n"


def _by_kind(counts: Mapping[str, int]) -> dict[str, float]:
    return {f'kind="{kind}"': count for kind, count in sorted(counts.items())}


def _head(name: str) -> str:
    kind, told = _HELP[name]
    return f"# HELP geotoolz_{name} {told}\n# TYPE geotoolz_{name} {kind}\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
