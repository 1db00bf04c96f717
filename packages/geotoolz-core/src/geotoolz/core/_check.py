"""Checking a pipeline against tiles before a pixel is read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from geotoolz.core._compile import compile
from geotoolz.core._config import unconfigurable
from geotoolz.core._errors import GeotoolzError
from geotoolz.core._lazy import xr
from geotoolz.core._operator import Operator
from geotoolz.core._specs import TileSpec

Level = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that `check` has to say about a step.

    Attributes
    ----------
    level : {"error", "warning", "note"}
        An error stops the run, a warning makes the result doubtful, a note is worth knowing.
    path : str
        Path of the step, ``"operators[1].index"``; empty for the pipeline itself.
    operator : str
        Name of its class.
    message : str
        What was found, what was expected, what to do.
    tile : str
        The tile's id, where tiles have one.
    """

    level: Level
    path: str
    operator: str
    message: str
    tile: str = ""

    def __str__(self) -> str:
        where = f"{self.path} ({self.operator})" if self.path else self.operator
        where = f"{where}: " if where else ""
        tile = f" [tile {self.tile}]" if self.tile else ""
        return f"{self.level}: {where}{self.message.removeprefix(where)}{tile}"


def check(op: Operator, tiles: Any, *, outputs: Iterable[str] | None = None) -> tuple[Finding, ...]:
    """Check a pipeline against one tile or many, without reading pixels.

    Parameters
    ----------
    op : Operator
        The pipeline.
    tiles : xarray.Dataset, TileSpec, mapping of str to either, or iterable of either
        What it will run on; descriptions (`TileSpec`, from `geotoolz.io.describe`) are enough. A
        mapping holds the inputs of a graph.
    outputs : iterable of str, optional
        Variables that are needed.

    Returns
    -------
    tuple of Finding
        Errors first. Empty if there is nothing to say.

    Examples
    --------
    >>> from geotoolz.core import Sequential, check
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.radiometry import SelectBands
    >>> tile = simulate_scene((8, 8), bands=("red", "nir"), raw=False)
    >>> for finding in check(Sequential([SelectBands(["rad"])]), tile):
    ...     print(finding.level, finding.path)
    error operators[0]
    """
    wanted = None if outputs is None else tuple(outputs)
    findings: dict[Finding, None] = {}
    reason = unconfigurable(op)
    if reason is not None:
        findings[Finding("note", "", type(op).__name__, f"cannot be saved: {reason[0]}: {reason[1]}")] = None
    for item in _each(op, tiles):
        findings.update(dict.fromkeys(_check_one(op, item, wanted)))
    order = {"error": 0, "warning": 1, "note": 2}
    return tuple(sorted(findings, key=lambda f: order[f.level]))


def _each(op: Operator, tiles: Any) -> Iterable[Any]:
    from geotoolz.core._graph import Graph, Join

    if isinstance(tiles, xr.Dataset | TileSpec):
        return [tiles]
    if isinstance(op, Graph | Join) and isinstance(tiles, dict):
        return [tiles]
    return tiles  # type: ignore[no-any-return]


def _spec_of(item: Any) -> Any:
    if isinstance(item, dict):
        return {name: _spec_of(one) for name, one in item.items()}
    return item if isinstance(item, TileSpec) else TileSpec.of(item)


def _check_one(op: Operator, item: Any, wanted: tuple[str, ...] | None) -> list[Finding]:
    label = ""
    try:
        spec = _spec_of(item)
        label = str(spec.attrs.get("tile_id", "")) if isinstance(spec, TileSpec) else ""
        program = compile(_joined(op, spec), spec, wanted)
    except GeotoolzError as error:
        path = getattr(error, "path", None) or ""
        return [Finding("error", path, _name_at(op, path), str(error), label)]
    found = [Finding("warning", n.path, n.operator, n.text, label) for n in program.notes]
    for step in program.unfrozen:
        scope = getattr(step.op, "scope", "tile")
        level: Level = "warning" if scope == "tile" else "error"
        text = (
            "its statistics are taken per tile, so neighbouring tiles will not match; "
            "freeze the pipeline on a sample"
        )
        found.append(Finding(level, step.path, type(step.op).__name__, text, label))
    return found


def _joined(op: Operator, spec: Any) -> Operator:
    """Return a graph of a Join that is checked on tiles by name."""
    from geotoolz.core._graph import Graph, Join

    if not isinstance(op, Join) or isinstance(spec, TileSpec):
        return op
    names = tuple(spec)
    return Graph(names, {"joined": {"operator": op, "inputs": names}}, {"": "joined"})


def _name_at(op: Operator, path: str) -> str:
    for where, child in op.walk():
        if where == path:
            return type(child).__name__
    return type(op).__name__
