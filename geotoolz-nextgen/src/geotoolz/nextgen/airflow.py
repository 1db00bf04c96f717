"""Airflow: a job as a DAG, one mapped task per unit of work. Needs Airflow 3 beside ``geotoolz-nextgen``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from geotoolz.nextgen._orchestrator import need, summary
from geotoolz.nextgen._unit import UnitError, require_done, run_unit
from geotoolz.nextgen._units import units

if TYPE_CHECKING:
    from geotoolz.batch import CatalogPipeline

__all__ = ["batch_dag"]

#: no extra: it pins many libraries, and wants an environment of its own
INSTALL = "'apache-airflow>=3.1,<4'"


def batch_dag(
    job: CatalogPipeline | str | os.PathLike[str],
    *,
    dag_id: str = "geotoolz",
    by_day: bool = False,
    shards: int | None = None,
    max_failures: int | str = "2%",
    retries: int = 3,
    retry_delay: float = 60.0,
    task: Mapping[str, Any] | None = None,
    **options: Any,
) -> Any:
    """Return a DAG of three steps: ``plan`` the job, ``run`` mapped over its units, ``count``.

    A unit that fails fails its own mapped task. It is tried again where that may help (a busy server), and
    not where it cannot (a broken file, a failed quality check); ``count`` fails when too many tiles did.

    Parameters
    ----------
    job : CatalogPipeline or path
        The job, or its ``job.yaml``; planned by every run of the DAG, not when its file is parsed.
    dag_id : str
        The DAG.
    by_day : bool
        Do the tiles of the day (UTC) of the run's logical date, or of its start where it has none; otherwise
        everything that is new, stale or partial.
    shards : int, optional
        Map over so many units instead of over tiles. Airflow maps over 1024 at most
        (``[core] max_map_length``).
    max_failures : int or str
        ``count`` fails when more tiles than this failed; fewer are counted and named.
    retries : int
        Further attempts of a unit.
    retry_delay : float
        Seconds before the second; doubled for each further one.
    task : mapping, optional
        Further arguments of the mapped task (``pool``, ``queue``, ``execution_timeout``, …).
    **options
        Further arguments of `airflow.sdk.DAG` (``schedule``, ``start_date``, ``tags``, …).

    Returns
    -------
    airflow.sdk.DAG
        Bind it to a name in a file of the DAG folder.

    Raises
    ------
    MissingDependencyError
        If Airflow is not installed.
    """
    from datetime import timedelta

    sdk = _airflow()
    options.setdefault("catchup", False)

    def plan_units(**context: Any) -> list[dict[str, Any]]:
        return units(job, shards=shards, day=_day(context) if by_day else None)

    def run_one(unit: dict[str, Any]) -> dict[str, Any]:
        return _attempt(unit)

    def count_tiles(todo: list[dict[str, Any]], **context: Any) -> dict[str, Any]:
        instance = context["ti"]
        found = instance.xcom_pull(task_ids="run", map_indexes=range(len(todo))) if todo else ()
        results = [one or _lost(unit) for unit, one in zip(todo, found, strict=True)]
        return summary(results, max_failures)

    with sdk.DAG(dag_id, **options) as dag:
        todo = sdk.task(task_id="plan")(plan_units)()
        mapped = sdk.task(
            task_id="run",
            map_index_template="{{ task.op_kwargs['unit']['id'] }}",
            retries=retries,
            retry_delay=timedelta(seconds=retry_delay),
            retry_exponential_backoff=True,
            **(task or {}),
        )(run_one)
        counted = sdk.task(task_id="count", trigger_rule="all_done")(count_tiles)
        mapped.expand(unit=todo) >> counted(todo)
    return dag


def _attempt(unit: dict[str, Any]) -> dict[str, Any]:
    """Do a unit; one that no further attempt can help ends its task at once."""
    sdk = _airflow()
    result = run_unit(unit)
    try:
        return require_done(result)
    except UnitError as error:
        # a task that fails returns nothing, and `count` wants to know which tiles of a shard it was
        sdk.get_current_context()["ti"].xcom_push(key="return_value", value=result)
        if error.retry:
            raise
        raise need("airflow.exceptions", install=INSTALL).AirflowFailException(str(error)) from error


def _lost(unit: Mapping[str, Any]) -> dict[str, Any]:
    message = "its task failed; the task's log says why"
    return {"id": unit["id"], "status": "failed", "failure": {"message": message}}


def _day(context: Mapping[str, Any]) -> str:
    """Return the day of a run; one that was triggered by hand has no logical date."""
    run = context["dag_run"]
    return f"{run.logical_date or run.run_after:%Y-%m-%d}"


def _airflow() -> Any:
    for name, value in (("SCARF_ANALYTICS", "false"), ("AIRFLOW__USAGE_DATA_COLLECTION__ENABLED", "False")):
        os.environ.setdefault(name, value)
    return need("airflow.sdk", install=INSTALL)
