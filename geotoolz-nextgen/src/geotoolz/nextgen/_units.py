"""From a job to its units of work."""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from geotoolz.core import ParameterError
from geotoolz.nextgen._unit_json import shard_unit, tile_unit

if TYPE_CHECKING:
    from geotoolz.batch import CatalogPipeline, TileTask

__all__ = ["job_of", "tile_ids", "units"]


def units(
    job: CatalogPipeline | str | os.PathLike[str],
    *,
    shards: int | None = None,
    every: bool = False,
    day: str | None = None,
    tiles: Sequence[str] | None = None,
    engine: str | None = None,
    workers: int | None = None,
    timeout: float | None = None,
    again: bool = False,
) -> list[dict[str, Any]]:
    """Plan a job and return what is to be done as units, each for one call of `run_unit`.

    Parameters
    ----------
    job : CatalogPipeline or path
        The job, or the ``job.yaml`` that describes it.
    shards : int, optional
        Put the tiles into so many units (those without a tile are left out); by default each tile is one.
        A tile stays in its shard when the catalog grows.
    every : bool
        All tiles, also those that are fresh (which a unit finds by itself, and leaves as they are).
    day : str, optional
        Only tiles of this day (UTC), ``"2023-08-10"``: as the catalog says their ``datetime``.
    tiles : sequence of str, optional
        Only these tiles, by id; implies `every`.
    engine : str, optional
        What runs a unit: "inline" in the very process (by default), "process" in others of its own, which a
        crash or the deadline may take down.
    workers : int, optional
        Processes of a shard with the engine "process".
    timeout : float, optional
        Seconds for an attempt at a tile; chooses "process".
    again : bool
        Make tiles once more that stand there complete.

    Returns
    -------
    list of dict
        Plain JSON. Each has what it needs: pipeline, source, output folder, key.

    Raises
    ------
    ParameterError
        If `shards` is no positive number, or `day` is asked of a catalog that knows no dates.
    BatchError
        What `CatalogPipeline.plan` finds.

    Examples
    --------
    >>> import tempfile
    >>> from geotoolz.batch import CatalogPipeline
    >>> from geotoolz.core.testing import write_scene
    >>> from geotoolz.nextgen import run_unit, units
    >>> from geotoolz.radiometry import SelectBands
    >>> with tempfile.TemporaryDirectory() as tmp:
    ...     scene = write_scene({"shape": (32, 32), "bands": ("red", "nir")}, tmp)
    ...     job = CatalogPipeline([scene], SelectBands(("red",)), f"{tmp}/out", progress="none")
    ...     (unit,) = units(job)
    ...     print(run_unit(unit)["status"], run_unit(unit)["status"], units(job))
    done fresh []
    """
    if shards is not None and (type(shards) is not int or shards < 1):
        raise ParameterError(f"shards={shards!r}", expected="a positive number")
    chosen = _tasks(job_of(job), every or again, day, tiles)
    how = {
        "engine": engine or ("process" if timeout is not None else None),
        "workers": workers,
        "timeout": timeout,
        "again": again or None,
    }
    if shards is None:
        return [tile_unit(task, **how) for task in chosen]
    from geotoolz.batch._rows import in_shard

    parts = [[task for task in chosen if in_shard(task.tile_id, (i + 1, shards))] for i in range(shards)]
    return [shard_unit(f"{i}/{shards}", part, **how) for i, part in enumerate(parts, 1) if part]


def job_of(job: CatalogPipeline | str | os.PathLike[str]) -> CatalogPipeline:
    """Return a job as it is, or the one that a file describes."""
    if not isinstance(job, str | os.PathLike):
        return job
    from geotoolz.batch import Job

    return Job.load(job).pipeline()


def tile_ids(job: CatalogPipeline | str | os.PathLike[str]) -> list[str]:
    """Return the ids of a job's tiles, in the catalog's order, without looking at a file."""
    from geotoolz.batch._rows import tile_sources

    return [source.tile_id for source in tile_sources(job_of(job).catalog)]


def _tasks(job: CatalogPipeline, every: bool, day: str | None, tiles: Sequence[str] | None) -> list[TileTask]:
    if tiles is not None:
        job = copy.copy(job)
        job.tiles = tuple(tiles)
    plan = job.plan()
    found = plan.tiles if every or tiles is not None else plan.todo
    tasks = [tile.task for tile in found if tile.task is not None]
    return tasks if day is None else _of_day(tasks, day)


def _of_day(tasks: list[TileTask], day: str) -> list[TileTask]:
    dated = [task for task in tasks if dict(task.facts).get("datetime")]
    if tasks and not dated:
        raise ParameterError(
            f"day={day!r}: the catalog does not know when its {len(tasks)} tiles were taken",
            expected="rows with a datetime",
            fix="make a GeoCatalog of them",
        )
    return [task for task in dated if str(dict(task.facts)["datetime"]).startswith(day)]
