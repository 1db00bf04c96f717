"""Dagster: a job as an asset, one partition per tile or per day. Needs ``geotoolz-nextgen[dagster]``."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from geotoolz.nextgen._orchestrator import need
from geotoolz.nextgen._unit import run_unit
from geotoolz.nextgen._units import tile_ids, units

if TYPE_CHECKING:
    from dagster import AssetsDefinition

    from geotoolz.batch import CatalogPipeline

__all__ = ["days_asset", "tiles_asset"]


def tiles_asset(
    job: CatalogPipeline | str | os.PathLike[str],
    *,
    name: str = "tiles",
    tiles: Sequence[str] | None = None,
    retries: int = 3,
    delay: float = 30.0,
    timeout: float | None = None,
    again: bool = False,
    **options: Any,
) -> AssetsDefinition:
    """Return an asset whose partitions are the tiles of a job.

    A partition is one unit of work. A tile that fails fails its own partition; it is tried again where that
    may help (a busy server), and not where it cannot (a broken file, a failed quality check).

    Parameters
    ----------
    job : CatalogPipeline or path
        The job, or its ``job.yaml``. Processes that Dagster starts import the module that says this.
    name : str
        The asset.
    tiles : sequence of str, optional
        Ids of the tiles; by default those of the catalog, read now.
    retries : int
        Further attempts of a partition.
    delay : float
        Seconds before the second attempt; doubled for each further one.
    timeout : float, optional
        Seconds for a tile.
    again : bool
        Materialising a partition makes tiles once more that stand there complete, and overwrites them; by
        default they are left as they are.
    **options
        Further arguments of `dagster.asset` (``key_prefix``, ``group_name``, ``deps``, …).

    Raises
    ------
    MissingDependencyError
        If Dagster is not installed.
    """
    dg = _dagster()
    partitions = dg.StaticPartitionsDefinition(list(tiles) if tiles is not None else tile_ids(job))
    policy = dg.RetryPolicy(max_retries=retries, delay=delay, backoff=dg.Backoff.EXPONENTIAL)

    def one_tile(context: Any) -> Any:
        (unit,) = units(job, tiles=[context.partition_key], timeout=timeout, again=again)
        result = run_unit(unit)
        _tell(context, result)
        if result["failure"]:
            raise _failure([result])
        return dg.MaterializeResult(metadata=_metadata(result), data_version=dg.DataVersion(result["key"]))

    return _asset(dg, one_tile, name, partitions, policy, options)


def days_asset(
    job: CatalogPipeline | str | os.PathLike[str],
    start: str,
    *,
    end: str | None = None,
    name: str = "days",
    retries: int = 3,
    delay: float = 30.0,
    timeout: float | None = None,
    again: bool = False,
    **options: Any,
) -> AssetsDefinition:
    """Return an asset whose partitions are days: the tiles that the catalog has of a day (UTC).

    The tiles of a day are tried one after another, all of them; where some fail the partition fails and names
    them. Another attempt does these only.

    Parameters
    ----------
    job : CatalogPipeline or path
        As for `tiles_asset`. Its catalog has to know the tiles' dates.
    start, end : str
        First day, and the day after the last (by default there is none), ``"2023-08-01"``.
    name, retries, delay, timeout, again, **options
        As for `tiles_asset`.

    Raises
    ------
    MissingDependencyError
        If Dagster is not installed.
    """
    dg = _dagster()
    partitions = dg.DailyPartitionsDefinition(start_date=start, end_date=end)
    policy = dg.RetryPolicy(max_retries=retries, delay=delay, backoff=dg.Backoff.EXPONENTIAL)

    def one_day(context: Any) -> Any:
        results = []
        for unit in units(job, day=context.partition_key, every=True, timeout=timeout, again=again):
            results.append(run_unit(unit))
            _tell(context, results[-1])
        failed = [result for result in results if result["failure"]]
        if failed:
            raise _failure(failed, len(results))
        return dg.MaterializeResult(metadata={"tiles": len(results), "ids": [r["id"] for r in results]})

    return _asset(dg, one_day, name, partitions, policy, options)


def _asset(
    dg: Any, fn: Any, name: str, partitions: Any, policy: Any, options: Mapping[str, Any]
) -> AssetsDefinition:
    fn.__annotations__ = {"context": dg.AssetExecutionContext}  # Dagster looks at them, and at classes only
    made: AssetsDefinition = dg.asset(name=name, partitions_def=partitions, retry_policy=policy, **options)(
        fn
    )
    return made


def _dagster() -> Any:
    os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "1")
    return need("dagster", install="'geotoolz-nextgen[dagster]'")


def _tell(context: Any, result: Mapping[str, Any]) -> None:
    failure = result["failure"]
    if failure:
        context.log.error(f"{result['id']}: {failure['kind']}: {failure['message']} ({failure['log']})")
    else:
        context.log.info(
            f"{result['id']}: {result['status']}, {len(result['outputs'])} files in {result['out']}"
        )


def _metadata(result: Mapping[str, Any]) -> dict[str, Any]:
    files = {file["path"]: file["sha256"] for file in result["outputs"]}
    told = {"status": result["status"], "out": result["out"], "config_hash": result["config_hash"]}
    return {**told, "seconds": result["seconds"], "sha256": files}


def _failure(failed: Sequence[Mapping[str, Any]], total: int = 1) -> Any:
    """Return the error that ends a partition; Dagster tries again only where that may help."""
    import dagster as dg

    first = failed[0]["failure"]
    told = f"{failed[0]['id']}: {first['kind']}: {first['message']}"
    return dg.Failure(
        description=told if total == 1 else f"{len(failed)} of {total} tiles failed; first {told}",
        metadata={"failed": {one["id"]: one["failure"]["kind"] for one in failed}, "log": first["log"]},
        allow_retries=any(one["failure"]["retry"] for one in failed),
    )
