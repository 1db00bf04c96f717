"""One tile through both pipelines, in one process."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from geotoolz.batch import TileTask
from geotoolz.core import Extent, GeotoolzError, Operator, QCWarning, TileSpec, compile, run_detailed
from geotoolz.core._lazy import xr
from geotoolz.diff._both import Both, Matched, both
from geotoolz.diff._compare import Compared
from geotoolz.diff._counts import Gathered
from geotoolz.diff._measures import measure, sums_of
from geotoolz.diff._whole_run import WholeRun

Array = np.ndarray[Any, Any]
_LONGEST = 240
"""Pixels of the longer side of a picture, at most."""


@dataclass(frozen=True)
class PairTask:
    """What a worker needs to compare two pipelines on one tile.

    Attributes
    ----------
    tile_id : str
    source : TileTask or Dataset
        Where the tile is read from, or the tile.
    a, b : Operator
    kinds : mapping of str to str
    variables : tuple of str, optional
    by : str, optional
    """

    tile_id: str
    source: Any
    a: Operator
    b: Operator
    kinds: Mapping[str, str]
    variables: tuple[str, ...] | None = None
    by: str | None = None


@dataclass(frozen=True)
class VariablePair:
    """What was found of one variable of one tile."""

    kind: str
    compared: Compared
    metrics: Mapping[str, float]
    sums: Mapping[str, float]
    attrs: Mapping[str, Any]
    by: Mapping[float, Gathered] = field(default_factory=dict)
    by_attrs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TilePair:
    """What was found of one tile.

    Attributes
    ----------
    tile_id : str
    datetime : str
        Empty where it is not known.
    place : (float, float) or None
        Longitude and latitude of the centre.
    variables : mapping of str to VariablePair
    different : mapping of str to str
        Variables that cannot be compared, and why.
    only_a, only_b : tuple of str
    notes : tuple of str
    """

    tile_id: str
    datetime: str = ""
    place: tuple[float, float] | None = None
    variables: Mapping[str, VariablePair] = field(default_factory=dict)
    different: Mapping[str, str] = field(default_factory=dict)
    only_a: tuple[str, ...] = ()
    only_b: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def compare_tile(task: PairTask) -> TilePair:
    """Read what both pipelines need, once; run them as one; compare what they make.

    Parameters
    ----------
    task : PairTask

    Returns
    -------
    TilePair

    Raises
    ------
    GeotoolzError
        If one of the pipelines cannot be run on this tile; its path begins with ``a.`` or ``b.``.
    """
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("default")
        warnings.simplefilter("always", QCWarning)
        found = _opaque(task) if _is_opaque(task) else _planned(task)
    told = tuple(dict.fromkeys(str(one.message) for one in heard if issubclass(one.category, QCWarning)))
    for one in heard:
        if not issubclass(one.category, QCWarning):
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
    return TilePair(**{**vars(found), "notes": (*found.notes, *told)})


def _is_opaque(task: PairTask) -> bool:
    return any(getattr(step, "opaque", False) for op in (task.a, task.b) for _, step in op.walk())


def _planned(task: PairTask) -> TilePair:
    """Run both pipelines as one program, in blocks."""
    spec, read, window = _opened(task.source)
    step = max(1, -(-max(spec.shape) // _LONGEST))
    joint = both(task.a, task.b, kinds=task.kinds, variables=task.variables, step=step, by=task.by)
    matched, described = joint.matched(spec)
    found = _statistics(joint, spec, read, window)
    return _pair(task, spec, matched, found, {name: dict(one.attrs) for name, one in described.items()})


def planned_kinds(task: PairTask) -> dict[str, str]:
    """Return what the variables of a tile hold, without computing; nothing where no plan can say it."""
    if _is_opaque(task):
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tile itself tells them
        try:
            spec, _, _ = _opened(task.source)
            joint = both(task.a, task.b, kinds=task.kinds, variables=task.variables, by=task.by)
            pairs = joint.matched(spec)[0].pairs
        except GeotoolzError:  # nor does it run: the report names the tile
            return {}
    return {pair.name: pair.kind for pair in pairs if pair.kind}


def _statistics(
    joint: Both, spec: TileSpec, read: Callable[[tuple[str, ...]], xr.Dataset], window: Any
) -> Mapping[str, Any]:
    """Run the joint pipeline; large tiles are read strip by strip."""
    from geotoolz.batch._compute import STREAM_ABOVE, STRIP_ROWS
    from geotoolz.core._run import compute, decide

    program = compile(joint, spec, ())
    rows, cols = spec.shape
    size = sum(spec.variables[name].dtype.itemsize for name in program.inputs) * rows * cols
    if window is None or program.unfrozen or size <= STREAM_ABOVE or len(set(program.shapes)) != 1:
        return run_detailed(joint, read(program.inputs), outputs=(), write=False, spec=spec).statistics

    def fetch(slot: int, extent: Extent) -> Array:
        name = program.sources[slot][1]
        array: Array = window(name, slice(extent.y0, extent.y1), slice(extent.x0, extent.x1))
        return array

    _, statistics = compute(program, fetch, window=(STRIP_ROWS, cols))
    decide(program, statistics)
    return statistics


def _opened(source: Any) -> tuple[TileSpec, Callable[[tuple[str, ...]], xr.Dataset], Any]:
    """Return a tile's description, a function that reads variables, and one that reads windows."""
    if isinstance(source, xr.Dataset):
        return TileSpec.of(source), lambda names: source[list(names)].compute(), None
    from geotoolz.batch._source import open_source

    opened = open_source(source)
    return opened.spec, opened.read, opened.window if opened.in_windows else None


def _opaque(task: PairTask) -> TilePair:
    """Run pipelines with steps that cannot be planned: one after the other, whole."""
    spec, read, _ = _opened(task.source)
    whole = WholeRun(task.a, task.b, read(tuple(spec.variables)))
    step = max(1, -(-max(spec.shape) // _LONGEST))
    matched = whole.matched(task.variables, task.kinds)
    found, attrs = whole.statistics(matched, step, task.by)
    return _pair(task, spec, matched, found, attrs)


def _pair(
    task: PairTask,
    spec: TileSpec,
    matched: Matched,
    found: Mapping[str, Any],
    attrs: Mapping[str, Mapping[str, Any]],
) -> TilePair:
    """Put together what is known of a tile."""
    variables, notes = {}, []
    for pair in matched.pairs:
        notes += [f"{pair.name}: {note}" for note in pair.notes]
        if pair.problem:
            continue
        compared: Compared = found[f"compare[{pair.name}]"]
        told = (measure(pair.kind, compared.gathered), sums_of(compared.gathered))
        if compared.gathered.outside:
            notes.append(f"{pair.name}: {compared.gathered.outside} pixels are no probability (0 … 1)")
        by = (found.get(f"by[{pair.name}]", {}), attrs.get(task.by or "", {}))
        variables[pair.name] = VariablePair(pair.kind, compared, *told, attrs.get(pair.name, {}), *by)
    return TilePair(
        task.tile_id,
        str(spec.attrs.get("datetime") or ""),
        _centre(spec),
        variables,
        {pair.name: pair.problem for pair in matched.pairs if pair.problem},
        matched.only_a,
        matched.only_b,
        tuple(notes),
    )


def _centre(spec: TileSpec) -> tuple[float, float] | None:
    """Return longitude and latitude of a tile's centre, where its place is known."""
    box = spec.window_geobox
    if box is None or box.crs is None or 0 in box.shape:
        return None
    t, (rows, cols) = box.affine, box.shape
    x, y = t.a * cols / 2 + t.b * rows / 2 + t.c, t.d * cols / 2 + t.e * rows / 2 + t.f
    lon, lat = box.crs.transformer_to_crs("EPSG:4326")(x, y)
    return (float(lon), float(lat)) if math.isfinite(lon) and math.isfinite(lat) else None


def pair_task(tile_id: str, source: Any, read: tuple[tuple[str, Any], ...], **ops: Any) -> PairTask:
    """Return the task of one tile of a catalog."""
    task = TileTask(tile_id, "", source.source, "", "", "", facts=source.facts, read=read, quicklook=False)
    return PairTask(tile_id, task, **ops)
