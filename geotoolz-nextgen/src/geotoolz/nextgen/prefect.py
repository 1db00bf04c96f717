"""Prefect: a job as a flow, one task run per unit of work. Needs Prefect 3.8 beside ``geotoolz-nextgen``."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from geotoolz.nextgen._orchestrator import need, summary
from geotoolz.nextgen._unit import UnitError, require_done, run_unit
from geotoolz.nextgen._units import units

if TYPE_CHECKING:
    from geotoolz.batch import CatalogPipeline

__all__ = ["batch_flow", "unit_task"]

#: no extra: it wants another FastAPI than geotoolz-serve, and an environment of its own
INSTALL = "'prefect>=3.8,<4' 'fastapi<0.151'"


def unit_task(
    *,
    name: str = "geotoolz-unit",
    retries: int = 3,
    retry_delay_seconds: float | Sequence[float] = (10, 60, 300),
    **options: Any,
) -> Any:
    """Return a task that does one unit of work: ``task.submit(unit)``.

    A unit that fails fails its own task run. It is tried again where that may help (a busy server, a killed
    worker), and not where it cannot (a broken file, a failed quality check).

    Parameters
    ----------
    name : str
        The task.
    retries : int
        Further attempts.
    retry_delay_seconds : float or sequence of float
        Seconds before each.
    **options
        Further arguments of `prefect.task` (``tags`` for concurrency limits, ``timeout_seconds``, …).

    Returns
    -------
    prefect.Task

    Raises
    ------
    MissingDependencyError
        If Prefect is not installed.
    """
    prefect = _prefect()

    def geotoolz_unit(unit: dict[str, Any]) -> dict[str, Any]:
        logger = prefect.get_run_logger()
        result = run_unit(unit)
        logger.info("%s: %s in %.1f s", result["id"], result["status"], result["seconds"])
        return require_done(result)

    return prefect.task(
        name=name,
        task_run_name="{unit[id]}",
        retries=retries,
        retry_delay_seconds=_delays(retry_delay_seconds, retries),
        retry_condition_fn=_may_pass,
        **options,
    )(geotoolz_unit)


def batch_flow(
    job: CatalogPipeline | str | os.PathLike[str],
    *,
    name: str = "geotoolz",
    by_day: bool = False,
    shards: int | None = None,
    max_failures: int | str = "2%",
    task: Any = None,
    task_runner: Any = None,
    **options: Any,
) -> Callable[..., dict[str, Any]]:
    """Return a flow that plans a job, maps a task over what is to be done, and counts.

    Parameters
    ----------
    job : CatalogPipeline or path
        The job, or its ``job.yaml``; planned anew by every run of the flow.
    name : str
        The flow.
    by_day : bool
        The flow takes ``date`` (``"2023-08-10"``) and does the tiles of that day (UTC); otherwise everything
        that is new, stale or partial.
    shards : int, optional
        Map over so many units instead of over tiles: for jobs with more than some thousand of them.
    max_failures : int or str
        The flow fails when more tiles than this failed; fewer are counted and named.
    task : prefect.Task, optional
        By default `unit_task()`.
    task_runner : prefect.task_runners.TaskRunner, optional
        Prefect's own threads by default. Workers in processes or on a cluster get plain JSON.
    **options
        Further arguments of `prefect.flow`.

    Returns
    -------
    prefect.Flow
        Its result: ``{"done": …, "fresh": …, "failed": …, "failed_tiles": {id: message}}``.

    Raises
    ------
    MissingDependencyError
        If Prefect is not installed.
    """
    prefect = _prefect()
    mapped = task if task is not None else unit_task()

    def over(day: str | None) -> dict[str, Any]:
        todo = units(job, shards=shards, day=day)
        prefect.get_run_logger().info("%d units to do", len(todo))
        states = [future.wait() or future.state for future in mapped.map(todo)]
        return summary(map(_result, todo, states), max_failures)

    def whole() -> dict[str, Any]:
        return over(None)

    def daily(date: str) -> dict[str, Any]:
        return over(date)

    return prefect.flow(name=name, task_runner=task_runner, **options)(daily if by_day else whole)  # type: ignore[no-any-return]


def _result(unit: dict[str, Any], state: Any) -> dict[str, Any]:
    """Return what a task run returned, or how it failed."""
    if state.is_completed():
        return dict(state.result())
    error = state.result(raise_on_failure=False)
    if isinstance(error, UnitError) and error.result is not None:
        return dict(error.result)
    return {"id": unit["id"], "status": "failed", "failure": {"message": state.message}}


def _may_pass(task: Any, run: Any, state: Any) -> bool:
    """Say whether another attempt may help; what is no failure of a unit (a killed worker) is tried again."""
    error = state.result(raise_on_failure=False)
    return error.retry if isinstance(error, UnitError) else True


def _delays(seconds: float | Sequence[float], retries: int) -> Any:
    if isinstance(seconds, int | float):
        return seconds
    given = list(seconds)
    return (given + given[-1:] * retries)[:retries] if retries else None


def _prefect() -> Any:
    for name, value in (("PREFECT_SERVER_ANALYTICS_ENABLED", "false"), ("DO_NOT_TRACK", "1")):
        os.environ.setdefault(name, value)
    return need("prefect", install=INSTALL)
