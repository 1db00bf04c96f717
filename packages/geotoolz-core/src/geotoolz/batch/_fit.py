"""Fitting: a pipeline's statistics gathered over a catalog on any engine, merged in the driver."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from geotoolz.core._errors import BatchError, TileError
from geotoolz.core._operator import Operator

from ._driver import Driver, Outcome
from ._engine import Engine, get_engine
from ._retry import RetryPolicy
from ._rows import TileSource, tile_sources
from ._source import open_source, plain_read
from ._task import TileTask

if TYPE_CHECKING:
    import numpy as np

    from geotoolz.core._execute import Fetch
    from geotoolz.core._extent import Extent
    from geotoolz.core._reduce import Freezable, Reduce

__all__ = ["fit"]

T = TypeVar("T", bound=Operator)


@dataclass(frozen=True, slots=True)
class _Task:
    """One tile, and the statistic that is to be gathered from it.

    Attributes
    ----------
    tile : TileTask
        Where the pixels are.
    op : Operator
        The pipeline, with what is known so far bound.
    path : str or None
        The step; None for the first one that lacks its statistics.
    previous : object
        What the last pass finished with.
    """

    tile: TileTask
    op: Operator
    path: str | None
    previous: Any


@dataclass(frozen=True, slots=True)
class _Gathered:
    """What a tile says of a step.

    Attributes
    ----------
    path : str
        The step in the pipeline.
    op : Freezable
        The step itself.
    reduce : Reduce
        Its statistic.
    passes : int
        How often the pixels must be visited.
    seen : mapping of str to str
        Bands and their data types.
    state : object
        The unfinished statistic of the tile.
    """

    path: str
    op: Freezable
    reduce: Reduce
    passes: int
    seen: Mapping[str, str]
    state: Any


def fit(
    op: T,
    catalog: Any,
    *,
    engine: str | Engine = "inline",
    n_workers: int | None = None,
    sample: int | None = None,
    seed: int = 0,
    read: Mapping[str, Any] | None = None,
    retries: RetryPolicy | None = None,
    timeout: float | None = None,
) -> T:
    """Return a pipeline whose statistics were gathered over a catalog: the first of two stages.

    Every tile is described, read in windows and reduced to a small state where it is worked on; states are
    merged here as they come. The result does not depend on engine, workers or order, bit for bit, and is that
    of `geotoolz.core.freeze`. The second stage is a `CatalogPipeline` with what this returns.

    Parameters
    ----------
    op : Operator
        A pipeline with steps that lack their statistics (`PercentileClip`, `MinMax`, `Standardize`, …).
    catalog : GeoCatalog, Cells, or iterable
        As `CatalogPipeline` takes it.
    engine : str or Engine
        "inline", "process", "ray", … An Engine object is started once per pass.
    n_workers : int, optional
        By default the CPUs of this process.
    sample : int, optional
        Use this many tiles, drawn by their ids: any order of the catalog draws the same.
    seed : int
        Another seed draws others.
    read : mapping, optional
        Further arguments of `geotoolz.io.open_tile` (``resolution``, ``aoi``, ``sign``).
    retries : RetryPolicy, optional
        For lost workers and what may pass.
    timeout : float, optional
        Seconds after which an attempt at a tile is given up.

    Returns
    -------
    Operator
        Of the same type; what was found stands in its configuration and its hash.

    Raises
    ------
    GeotoolzError
        What a tile fails with: a statistic without one of its tiles is another statistic.
    BatchError
        If the catalog is empty, or a worker is lost again and again.
    TileError
        If a band has no valid pixel, or tiles differ in bands or data types.

    Examples
    --------
    >>> import tempfile
    >>> from geotoolz.batch import fit
    >>> from geotoolz.core.testing import write_scene
    >>> from geotoolz.radiometry import MinMax
    >>> with tempfile.TemporaryDirectory() as tmp:
    ...     scene = write_scene({"shape": (32, 32), "bands": ("red", "nir")}, tmp)
    ...     fit(MinMax(bands=("red",)), [scene]).is_frozen
    True
    """
    from geotoolz.core._freeze import _require_known, _with_overrides

    sources = _chosen(list(tile_sources(catalog)), sample, seed)
    tiles = [_tile(source, plain_read(read, catalog)) for source in sources]
    runner = _Runner(engine, n_workers, retries or RetryPolicy(), timeout)
    bound: Operator = op
    while _lacks(bound):
        first, result, others = _merged(runner.states(tiles, bound, None, None))
        if first is None:
            break  # only branches that no tile takes are left
        if others:  # a Switch led tiles past a step: all are asked for one step by name
            path = min((first.path, *others), key=_in_order)
            first, result, _ = _merged(runner.states(tiles, bound, path, None))
            if first is None:
                raise TypeError("a step that was there is there when it is asked for")
        for _ in range(1, first.passes):
            if first.reduce.is_final(result):
                break
            first, result, _ = _merged(runner.states(tiles, bound, first.path, result))
            if first is None:
                raise TypeError("a step that was there is there in the next pass")
        _require_known(_Step(first.path, first.op), result)  # type: ignore[arg-type]
        bound = _with_overrides(bound, {first.path: first.op.freeze(result)}, "")
    return bound  # type: ignore[return-value]


@dataclass(frozen=True, slots=True)
class _Step:
    """What errors call a step by."""

    path: str
    op: Freezable


def _tile(source: TileSource, read: Mapping[str, Any]) -> TileTask:
    return TileTask(
        source.tile_id, "", source.source, "", "", "", facts=source.facts, read=tuple(sorted(read.items()))
    )


def _chosen(sources: list[TileSource], sample: int | None, seed: int) -> list[TileSource]:
    from geotoolz.core._freeze_data import _checked, _sampled

    if not sources:
        raise BatchError("the catalog is empty", expected="at least one tile")
    if sample is None:
        return sources
    return _sampled(sources, _checked(sample, len(sources)), seed)


def _lacks(op: Operator) -> bool:
    """Say whether a step of a pipeline lacks its statistics; no tile is looked at."""
    from geotoolz.core._reduce import Freezable

    if isinstance(op, Freezable):
        return not op.is_frozen
    found = False

    def look(_name: str, child: Operator) -> Operator:
        nonlocal found
        found = found or _lacks(child)
        return child

    op.map_children(look)
    return found


def _in_order(path: str) -> list[tuple[int, str]]:
    """Return a key that puts paths of steps in the order of the pipeline: step 10 comes after step 2."""
    return [(int(part) if part.isdigit() else -1, part) for part in re.split(r"(\d+)", path)]


def _merged(states: Iterable[_Gathered | None]) -> tuple[_Gathered | None, Any, set[str]]:
    """Merge what tiles say of one step as it comes: one state is held besides the newest.

    Returns
    -------
    first : _Gathered or None
        The step, as the tile said it that ended first.
    result : object
        What the pass finishes with.
    others : set of str
        Paths of other steps that tiles named instead.

    Raises
    ------
    TileError
        If tiles differ in bands or data types.
    """
    first: _Gathered | None = None
    merged: Any = None
    others: set[str] = set()
    for state in states:
        if state is None:
            continue
        if first is None:
            first, merged = state, state.state
        elif state.path != first.path:
            others.add(state.path)
        elif state.seen != first.seen:
            raise TileError(
                f"{first.path or type(first.op).__name__} sees {dict(state.seen)} in one tile",
                expected=f"{dict(first.seen)}, as in another",
                fix="name the bands, and fit on tiles of one kind",
            )
        else:
            merged = first.reduce.merge(merged, state.state)
    return (None, None, others) if first is None else (first, first.reduce.finish(merged), others)


@dataclass(frozen=True, slots=True)
class _Runner:
    """Passes over the tiles on an engine."""

    engine: str | Engine
    n_workers: int | None
    retries: RetryPolicy
    timeout: float | None

    def states(
        self, tiles: Sequence[TileTask], op: Operator, path: str | None, previous: Any
    ) -> Iterator[_Gathered | None]:
        """Yield what every tile says, as it ends; the first failure is raised."""
        driver = Driver(
            get_engine(self.engine, self.n_workers),
            policy=self.retries,
            on_error="raise",
            timeout=self.timeout,
        )
        tasks = ((tile.tile_id, _Task(tile, op, path, previous)) for tile in tiles)
        for outcome in driver.run(gather_tile, tasks, len(tiles)):
            if outcome.failure is not None:
                raise _error(outcome)
            yield outcome.value


def _error(outcome: Outcome) -> BaseException:
    failure = outcome.failure
    if failure is None:
        raise TypeError("a failed outcome has a failure")
    if failure.exception is not None:
        return failure.exception
    return BatchError(
        f"tile {outcome.ident!r}: {failure.error}: {failure.message}",
        expected="statistics of every tile",
        fix="leave the tile out of the catalog, or try again",
    )


def gather_tile(task: _Task) -> _Gathered | None:
    """Gather one pass of one step's statistic over one tile; None where the tile does not meet the step."""
    from geotoolz.core._compile import compile
    from geotoolz.core._freeze import _gather, _n_passes, _reads
    from geotoolz.core._freeze_data import WINDOW

    source = open_source(task.tile)
    program = compile(task.op, source.spec, ())
    met = [step for step in program.unfrozen if task.path in (None, step.path)]
    if not met:
        return None
    step = met[0]

    def fetch(slot: int, extent: Extent) -> np.ndarray[Any, Any]:
        from geotoolz.core._execute import native

        name = program.sources[slot][1]
        array = native(source.window(name, slice(extent.y0, extent.y1), slice(extent.x0, extent.x1)))
        array.flags.writeable = False
        return array

    fetching: Fetch = fetch
    state = _gather(program, step, fetching, WINDOW, task.previous, _threads())
    seen = {name: str(step.state.spec.variables[name].dtype) for name in _reads(step)}
    reduce = step.op.statistics(step.state.spec)
    return _Gathered(step.path, step.op, reduce, _n_passes(step), seen, state)


def _threads() -> int | None:
    """Return the threads per tile: as workers are told, else as for `run`."""
    told = os.environ.get("GEOTOOLZ_THREADS")
    return int(told) if told and told.isdigit() else None
