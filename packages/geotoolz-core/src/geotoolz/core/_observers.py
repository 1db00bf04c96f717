"""Watching a run: what every step made of the tile, and what it cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from geotoolz.core._lazy import xr
from geotoolz.core._operator import Operator


class Observer:
    """Base of observers; pass them to `run(op, tile, observers=[…])`.

    An observed run treats the tile step by step. The methods do nothing here.
    """

    def start(self, op: Operator, tile: xr.Dataset) -> None:
        """Called once, with the pipeline and the tile as it comes in."""

    def step(self, path: str, op: Operator, tile: xr.Dataset, seconds: float) -> None:
        """Called after every step, with the tile as it leaves the step."""

    def finish(self, tile: xr.Dataset) -> None:
        """Called once, with the result."""


@dataclass
class Snapshot(Observer):
    """Keep the tile after every step.

    Attributes
    ----------
    tiles : dict of str to xarray.Dataset
        By the step's path; ``"input"`` is the tile as it came in. Untouched variables are shared,
        not copied.

    Examples
    --------
    >>> from geotoolz.core import Sequential, Snapshot, run
    >>> from geotoolz.radiometry import SelectBands
    >>> from geotoolz.core.testing import simulate_scene
    >>> snap = Snapshot()
    >>> _ = run(Sequential([SelectBands(("red",))]), simulate_scene((8, 8)), observers=[snap])
    >>> list(snap.tiles)
    ['input', 'operators[0]']
    """

    tiles: dict[str, xr.Dataset] = field(default_factory=dict)

    def start(self, op: Operator, tile: xr.Dataset) -> None:
        """Keep the input."""
        self.tiles["input"] = tile

    def step(self, path: str, op: Operator, tile: xr.Dataset, seconds: float) -> None:
        """Keep the tile after a step."""
        self.tiles[path or type(op).__name__] = tile

    def __getitem__(self, path: str) -> xr.Dataset:
        return self.tiles[path]


@dataclass
class ShapeTrace(Observer):
    """Record names, dims, dtypes and no-data of the variables after every step.

    Attributes
    ----------
    rows : list of tuple
        ``(path, operator, variable, dims, dtype, no-data)``.
    """

    rows: list[tuple[str, str, str, str, str, Any]] = field(default_factory=list)

    def start(self, op: Operator, tile: xr.Dataset) -> None:
        """Record the input."""
        self._record("input", "", tile)

    def step(self, path: str, op: Operator, tile: xr.Dataset, seconds: float) -> None:
        """Record the tile after a step."""
        self._record(path, type(op).__name__, tile)

    def _record(self, path: str, op: str, tile: xr.Dataset) -> None:
        for name, array in tile.data_vars.items():
            dims = " × ".join(f"{d} {n}" for d, n in array.sizes.items())
            self.rows.append((path, op, str(name), dims, str(array.dtype), array.attrs.get("_FillValue")))

    def __str__(self) -> str:
        lines, last = [], None
        for path, op, name, dims, dtype, nodata in self.rows:
            head = f"{path} {op}".strip() if path != last else ""
            last = path
            lines.append(f"{head:<40} {name:<16} {dims:<24} {dtype:<8} {nodata}")
        return "\n".join(line.rstrip() for line in lines)


@dataclass
class Profile(Observer):
    """Record the seconds that every step took.

    Attributes
    ----------
    seconds : dict of str to float
        By path and operator, in order.
    """

    seconds: dict[str, float] = field(default_factory=dict)

    def step(self, path: str, op: Operator, tile: xr.Dataset, seconds: float) -> None:
        """Add a step's seconds."""
        key = f"{path} {type(op).__name__}".strip()
        self.seconds[key] = self.seconds.get(key, 0.0) + seconds

    @property
    def total(self) -> float:
        """Seconds of all steps."""
        return sum(self.seconds.values())

    def as_mapping(self) -> Mapping[str, float]:
        """Return the share of every step, slowest first."""
        total = self.total or 1.0
        return dict(sorted(((k, v / total) for k, v in self.seconds.items()), key=lambda kv: -kv[1]))

    def __str__(self) -> str:
        return "\n".join(f"{v * 1e3:9.2f} ms  {k}" for k, v in self.seconds.items())
