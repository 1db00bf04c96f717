"""Two pipelines on the same tiles."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from geotoolz.batch import Driver, Engine, Progress, StopReason, get_engine, get_progress
from geotoolz.core import BatchError, ConfigError, ParameterError
from geotoolz.core._lazy import xr
from geotoolz.diff._config_diff import config_diff
from geotoolz.diff._gather import Gather
from geotoolz.diff._kinds import check_kinds, check_metric
from geotoolz.diff._pipelines import PipelineLike, load_pipeline
from geotoolz.diff._report import ABReport, UnjudgedError
from geotoolz.diff._tile_pair import PairTask, compare_tile, pair_task, planned_kinds
from geotoolz.diff._tolerances import Tolerances


class AB:
    """Runs two pipelines on the same tiles and measures how far apart their outputs are.

    Both read their inputs once, together, and where they begin alike they run once: as one program,
    block by block. Every variable that both make is compared by what it holds: measurements by bias,
    MAE, RMSE and quantiles of the difference; probabilities by cross-entropy, Kullback–Leibler and
    Jensen–Shannon divergence and Brier's score; classes by agreement, kappa and the shift of the
    confusion matrix. Differences are ``b − a``, in float32, and their sums are exact, so that engines,
    windows and threads change no bit.

    Parameters
    ----------
    a, b : Operator, mapping, str or path
        The pipelines, in any form that `config_diff` takes: the one in use and the candidate. Sinks at
        their ends are left out, nothing is written.
    metric : str or mapping of str to str, optional
        What tiles are ranked by, for all variables or by variable ("rmse", "bias", "mae", "kl",
        "cross_entropy", "brier", "agreement", "kappa", …; an object with such a ``label`` will do).
        By default RMSE of measurements, Jensen–Shannon divergence of probabilities, agreement of
        classes; a metric that does not fit what a variable holds gives way to that.
    variables : sequence of str, optional
        What to compare. By default what either pipeline creates (or changes, if it creates nothing).
    kinds : mapping of str to str, optional
        "continuous", "probability" or "classes", of variables whose attributes do not say it.
    by : str, optional
        A variable with classes, of the tiles or made by the first pipeline: comparisons are repeated for each
        of its classes (``by="scl"``: how far apart over water, over vegetation, …).
    worst : int
        How many of the worst tiles are shown with pictures, per variable.
    confidence : float
        Of the intervals.
    resamples : int
        How often tiles are drawn again for the intervals.
    seed : int
        Of these draws.
    tolerances : path, mapping or Tolerances, optional
        Limits that the report is judged by.

    Raises
    ------
    ConfigError
        If a pipeline or the tolerances are none.
    ParameterError
        For an unknown metric or kind, or a number that cannot be.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.diff import AB
    >>> from geotoolz.radiometry import BoxMean
    >>> tiles = {f"t{i}": simulate_scene((32, 32), bands=("red",), seed=i) for i in range(3)}
    >>> report = AB(BoxMean(1), BoxMean(2)).run(tiles)
    >>> report["red"].kind, report["red"].n, len(report.tiles)
    ('continuous', 3072, 3)
    """

    def __init__(
        self,
        a: PipelineLike,
        b: PipelineLike,
        *,
        metric: Any = None,
        variables: Sequence[str] | None = None,
        kinds: Mapping[str, str] | None = None,
        by: str | None = None,
        worst: int = 5,
        confidence: float = 0.95,
        resamples: int = 1000,
        seed: int = 0,
        tolerances: str | os.PathLike[str] | Mapping[str, Any] | Tolerances | None = None,
    ) -> None:
        from geotoolz.batch._sinks import split

        self.diff = config_diff(a, b)
        self.a, self.b = (split(load_pipeline(op).op)[0] for op in (self.diff.a, self.diff.b))
        self.metric = check_metric(metric)
        self.variables = None if variables is None else tuple(variables)
        self.kinds = check_kinds(kinds)
        self.by = by
        self.worst = _whole("worst", worst, 0)
        if not 0 < confidence < 1:
            raise ParameterError(f"confidence={confidence}", expected="above 0 and below 1, such as 0.95")
        self.confidence = confidence
        self.resamples = _whole("resamples", resamples, 1)
        self.seed = _whole("seed", seed, 0)
        self.tolerances = None if tolerances is None else Tolerances.load(tolerances)

    def run(
        self,
        tiles: Any,
        *,
        engine: str | Engine = "inline",
        n_workers: int | None = None,
        read: Mapping[str, Any] | None = None,
        limit: int | None = None,
        timeout: float | None = None,
        progress: Progress | Any = "none",
    ) -> ABReport:
        """Compare the pipelines tile by tile.

        Parameters
        ----------
        tiles : GeoCatalog or iterable
            Anything that `geotoolz.batch.CatalogPipeline` takes as a catalog; or Datasets, in a list or
            by name.
        engine : str or Engine
            "inline", "process", "ray", or an Engine. The report is the same with each.
        n_workers : int, optional
            By default the CPUs of this process.
        read : mapping, optional
            Further arguments of `geotoolz.io.open_tile` (``resolution``, ``aoi``).
        limit : int, optional
            At most so many tiles.
        timeout : float, optional
            Seconds after which a tile is given up (not with "inline").
        progress : str or Progress
            "auto" (a bar on a terminal, JSON lines otherwise), "rich", "json", "none".

        Returns
        -------
        ABReport
            A tile on which a pipeline fails is named in it, and so is one whose outputs cannot be
            compared; the others count.

        Raises
        ------
        BatchError
            If there is no tile, two have one name, or the engine is not known.
        ConfigError
            If a limit is of a metric that a variable does not have: before anything is computed where the
            first tile tells what the variable holds, else with the report as the error's ``report``.
        """
        tasks = list(self._tasks(tiles, read))[: None if limit is None else _whole("limit", limit, 1)]
        order = [task.tile_id for task in tasks]
        _require_names(order)
        if self.tolerances is not None:
            self.tolerances.require_metrics({**planned_kinds(tasks[0]), **self.kinds})
        found, failed, interrupted = self._gathered(
            tasks, get_engine(engine, n_workers), timeout, get_progress(progress)
        )
        compared = tuple(name for name in order if name not in failed)
        report = ABReport(
            found.reports(compared, self.resamples, self.seed, self.confidence),
            compared,
            {name: failed[name] for name in order if name in failed},
            {name: found.different[name] for name in order if name in found.different},
            dict(sorted(found.only_a.items())),
            dict(sorted(found.only_b.items())),
            dict(sorted(found.notes.items())),
            self.diff,
            self.confidence,
            None,
            interrupted,
        )
        return report if self.tolerances is None else _judged(report, self.tolerances)

    def _gathered(
        self, tasks: Sequence[PairTask], engine: Engine, timeout: float | None, progress: Progress
    ) -> tuple[Gather, dict[str, str], bool]:
        """Run all tasks and collect what they bring."""
        from geotoolz.batch._signals import Interrupts

        found, failed = Gather(self.metric, self.worst), {}
        told = "stopping: the running tiles are finished first; Ctrl-C again stops at once"
        with Interrupts(lambda: progress.note("interrupt", told)) as interrupts:
            progress.start(len(tasks), 0, engine.name)
            driver = Driver(engine, timeout=timeout, interrupted=lambda: interrupts.count > 0)
            work = ((task.tile_id, task) for task in tasks)
            for outcome in driver.run(compare_tile, work, len(tasks)):
                seconds = sum(attempt.seconds for attempt in outcome.attempts)
                if outcome.failure is None:
                    found.add(outcome.value)
                    progress.tile(outcome.ident, "done", "", seconds)
                else:
                    failed[outcome.ident] = f"{outcome.failure.error}: {outcome.failure.message}"
                    progress.tile(outcome.ident, "failed", failed[outcome.ident], seconds)
        progress.finish(f"{len(tasks)} tiles, {len(failed)} failed")
        return found, failed, driver.stopped is StopReason.INTERRUPTED

    def _tasks(self, tiles: Any, read: Mapping[str, Any] | None) -> Iterator[PairTask]:
        """Yield a task per tile."""
        from geotoolz.batch._rows import tile_sources
        from geotoolz.batch._source import plain_read

        ops: dict[str, Any] = {
            "a": self.a,
            "b": self.b,
            "kinds": self.kinds,
            "variables": self.variables,
            "by": self.by,
        }
        named = _datasets(tiles)
        if named is not None:
            yield from (PairTask(name, tile, **ops) for name, tile in named)
            return
        plain = tuple(sorted(plain_read(read, tiles).items()))
        for source in tile_sources(tiles):
            yield pair_task(source.tile_id, source, plain, **ops)


def _judged(report: ABReport, tolerances: Tolerances) -> ABReport:
    try:
        return report.judged(tolerances)
    except ConfigError as error:
        unjudged = UnjudgedError(error.found, expected=error.expected, fix=error.fix)
        unjudged.report = report
        raise unjudged from error


def _datasets(tiles: Any) -> list[tuple[str, xr.Dataset]] | None:
    """Return tiles in memory by name, or None for a catalog."""
    if isinstance(tiles, xr.Dataset):
        tiles = [tiles]
    if isinstance(tiles, Mapping):
        held = [(str(name), tile) for name, tile in tiles.items()]
    elif isinstance(tiles, list | tuple):
        held = [(_name(tile, number), tile) for number, tile in enumerate(tiles)]
    else:
        return None
    if held and not any(isinstance(tile, xr.Dataset) for _, tile in held):
        return None
    for name, tile in held:
        if not isinstance(tile, xr.Dataset):
            raise BatchError(
                f"tile {name!r} is a {type(tile).__name__}", expected="Datasets only, or a catalog"
            )
    return held


def _name(tile: Any, number: int) -> str:
    return str(getattr(tile, "attrs", {}).get("tile_id") or f"tile-{number}")


def _require_names(order: Iterable[str]) -> None:
    """Raise unless there are tiles, each with a name of its own."""
    names = list(order)
    if not names:
        raise BatchError("there is no tile", expected="at least one", fix="loosen the catalog's filter")
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise BatchError(
            f"the tile {twice!r} occurs more than once",
            expected="a name for every tile",
            fix="give a mapping of names to Datasets, or rename the rows",
        )


def _whole(name: str, value: Any, least: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ParameterError(f"{name}={value!r}", expected=f"a whole number, {least} or more")
    return value
