"""Counters, gauges and durations in Prometheus' text form."""

from __future__ import annotations

import math
import threading
from bisect import bisect_left
from collections.abc import Callable, Mapping

_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_HELP = {
    "geotoolz_requests_total": "Requests by method, route and status.",
    "geotoolz_request_seconds": "Time from a request's arrival to the end of its answer.",
    "geotoolz_requests_in_flight": "Requests that are being answered.",
    "geotoolz_jobs_total": "Runs of /process by pipeline and how they ended.",
    "geotoolz_jobs_active": "Runs of /process that wait or run.",
    "geotoolz_sandbox_runs_total": "Runs of strangers' pipelines by how they ended.",
    "geotoolz_resident_bytes": "Memory that the server holds.",
}
_Labels = tuple[tuple[str, str], ...]


class Metrics:
    """What a server counts.

    Examples
    --------
    >>> metrics = Metrics()
    >>> metrics.count("tiles_total", {"layer": "ndvi"})
    >>> print(metrics.text(), end="")
    # TYPE tiles_total counter
    tiles_total{layer="ndvi"} 1
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, dict[_Labels, float]] = {}
        self._times: dict[str, dict[_Labels, list[float]]] = {}
        self._gauges: dict[str, dict[_Labels, Callable[[], float]]] = {}

    def count(self, name: str, labels: Mapping[str, str] | None = None, by: float = 1) -> None:
        """Add to a counter."""
        with self._lock:
            series = self._counts.setdefault(name, {})
            key = _key(labels)
            series[key] = series.get(key, 0) + by

    def observe(self, name: str, value: float, labels: Mapping[str, str] | None = None) -> None:
        """Add a duration in seconds to a histogram."""
        with self._lock:
            # one place per bound, one beyond the last, and the sum
            held = self._times.setdefault(name, {}).setdefault(_key(labels), [0.0] * (len(_BOUNDS) + 2))
            held[bisect_left(_BOUNDS, value)] += 1
            held[-1] += value

    def gauge(self, name: str, value: Callable[[], float], labels: Mapping[str, str] | None = None) -> None:
        """Announce a value that is asked for when somebody looks."""
        with self._lock:
            self._gauges.setdefault(name, {})[_key(labels)] = value

    def text(self) -> str:
        """Return everything in Prometheus' text format 0.0.4."""
        with self._lock:
            counts = {name: dict(series) for name, series in self._counts.items()}
            times = {name: {k: list(v) for k, v in series.items()} for name, series in self._times.items()}
            gauges = {name: dict(series) for name, series in self._gauges.items()}
        lines: list[str] = []
        for name, series in sorted(counts.items()):
            lines += _head(name, "counter")
            lines += [f"{name}{_shown(key)} {_number(value)}" for key, value in sorted(series.items())]
        for name, functions in sorted(gauges.items()):
            lines += _head(name, "gauge")
            lines += [f"{name}{_shown(key)} {_number(ask())}" for key, ask in sorted(functions.items())]
        for name, histograms in sorted(times.items()):
            lines += _head(name, "histogram")
            for key, held in sorted(histograms.items()):
                lines += _histogram(name, key, held)
        return "\n".join(lines) + "\n"


def _histogram(name: str, key: _Labels, held: list[float]) -> list[str]:
    lines, total = [], 0.0
    for bound, number in zip((*_BOUNDS, math.inf), held, strict=False):
        total += number
        edge = "+Inf" if math.isinf(bound) else f"{bound:g}"
        lines.append(f"{name}_bucket{_shown((*key, ('le', edge)))} {_number(total)}")
    return [*lines, f"{name}_sum{_shown(key)} {held[-1]:.6f}", f"{name}_count{_shown(key)} {_number(total)}"]


def _head(name: str, kind: str) -> list[str]:
    told = [f"# HELP {name} {_HELP[name]}"] if name in _HELP else []
    return [*told, f"# TYPE {name} {kind}"]


def _key(labels: Mapping[str, str] | None) -> _Labels:
    return tuple(sorted((labels or {}).items()))


def _shown(key: _Labels) -> str:
    if not key:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in key) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))
