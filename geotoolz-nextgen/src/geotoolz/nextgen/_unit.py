"""`run_unit`: a unit of work as JSON in, what became of it as JSON out."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from geotoolz.batch import (
    Driver,
    Failure,
    FailureKind,
    FailureLimit,
    Outcome,
    RetryPolicy,
    TileResult,
    TileTask,
    get_engine,
    run_tile,
)
from geotoolz.core import BatchError
from geotoolz.nextgen._unit_json import WorkUnit
from geotoolz.nextgen._unit_record import UnitJournal, layout_of, made_before

if TYPE_CHECKING:
    from geotoolz.batch._commit import OutputFile

__all__ = ["UnitError", "require_done", "run_unit"]

#: may be gone when the orchestrator tries again
_MAY_PASS = frozenset({FailureKind.TRANSIENT, FailureKind.LOST, FailureKind.NODE, FailureKind.TIMEOUT})


class UnitError(BatchError):
    """A unit of work failed; `retry` says whether another attempt may help, `result` what the unit said."""

    retry: bool = False
    result: Mapping[str, Any] | None = None


def run_unit(unit: Mapping[str, Any]) -> dict[str, Any]:
    """Do one unit of work of a job: a tile, or the tiles of a shard.

    The unit may be run by any process that sees the same paths, any number of times: what it wrote before is
    overwritten, never doubled, and a tile that stands there complete, of this pipeline and these inputs, is
    left alone. Units of one output folder may run beside each other; beside a run of the whole folder they
    are refused. What happened goes into the folder's journal, so `plan`, `status` and a later run know it.

    Parameters
    ----------
    unit : mapping
        What `units` returns. By hand: ``{"pipeline": …, "source": …, "out": …}``, the pipeline as YAML text,
        as the path of a file or the name of a preset, with ``"id"`` and ``"read"`` where wanted.
        ``"engine"``, ``"workers"``, ``"timeout"``, ``"again"`` are explained there.

    Returns
    -------
    dict
        Plain JSON. ``status``: "done", "fresh" (nothing had to be done) or "failed"; ``id``, ``key``,
        ``config_hash``, ``out``, ``seconds``; ``outputs``: path below ``out``, size, sha256 of every file;
        ``failure``: None, or ``kind``, ``error``, ``message``, ``retry`` (whether another attempt may help)
        and the path of the tile's ``log``. A shard has ``counts`` and its ``tiles`` instead of outputs.

    Raises
    ------
    ParameterError, ConfigError
        If it is no unit, or its pipeline none. A tile that fails raises nothing.

    Examples
    --------
    >>> import tempfile
    >>> from geotoolz.core.testing import write_scene
    >>> from geotoolz.nextgen import run_unit
    >>> with tempfile.TemporaryDirectory() as tmp:
    ...     scene = write_scene({"shape": (32, 32), "bands": ("red", "nir", "scl")}, tmp)
    ...     result = run_unit({"pipeline": "ndvi", "source": str(scene), "out": f"{tmp}/out"})
    ...     print(result["status"], [file["path"].rpartition("_")[2] for file in result["outputs"]])
    done ['ndvi.qml', 'ndvi.tif']
    """
    work = WorkUnit.of(unit)
    begun = time.perf_counter()
    tiles = list(_tiles(work))
    seconds = round(time.perf_counter() - begun, 4)
    if work.kind == "tile":
        return {"unit": "tile", **tiles[0], "seconds": seconds}
    counts = {
        status: sum(tile["status"] == status for tile in tiles) for status in ("done", "fresh", "failed")
    }
    return {
        "unit": "shard",
        "id": work.name,
        "status": "failed" if counts["failed"] else "done" if counts["done"] else "fresh",
        "counts": {status: count for status, count in counts.items() if count},
        "config_hash": work.tasks[0].config_hash,
        "out": work.tasks[0].out,
        "seconds": seconds,
        "tiles": tiles,
        "failure": _together([tile for tile in tiles if tile["failure"]]),
    }


def require_done(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return the result of a unit that is done; raise for one that failed, as orchestrators want it.

    Raises
    ------
    UnitError
        With what the unit says of its failure.
    """
    failure = result.get("failure")
    if not failure:
        return dict(result)
    error = UnitError(f"{result['id']}: {failure['kind']}: {failure['message']}", fix=_where(failure))
    error.retry = bool(failure["retry"])
    error.result = dict(result)
    raise error


def _where(failure: Mapping[str, Any]) -> str:
    return f"see {failure['log']}" if failure.get("log") else ""


def _tiles(work: WorkUnit) -> Iterator[dict[str, Any]]:
    """Do what is not done yet, tile by tile, and say what became of each."""
    standing = {task.tile_id: None if work.again else made_before(task) for task in work.tasks}
    todo = [task for task in work.tasks if standing[task.tile_id] is None]
    found = _attempted(work, todo) if todo else {}
    for task in work.tasks:
        files = standing[task.tile_id]
        if files is not None:
            yield _told(task, "fresh", files)
        else:
            yield found[task.tile_id]


def _attempted(work: WorkUnit, todo: Sequence[TileTask]) -> dict[str, dict[str, Any]]:
    """Run the tasks on the unit's engine; a folder that cannot be worked in fails all of them."""
    engine = get_engine(work.engine or "inline", work.workers)
    # of a tile the orchestrator repeats attempts, and counts them; in a shard waiting for one costs all
    policy = RetryPolicy(transient=1) if work.kind == "tile" else RetryPolicy()
    driver = Driver(engine, policy=policy, limit=FailureLimit(share=1.0), timeout=work.timeout)
    tasks = {task.tile_id: task for task in todo}
    results: dict[str, dict[str, Any]] = {}
    try:
        with UnitJournal(tasks[todo[0].tile_id].out) as journal:
            for outcome in driver.run(run_tile, tasks.items(), len(tasks)):
                task = tasks[outcome.ident]
                journal.write(outcome, task)
                results[outcome.ident] = _result(outcome, task)
    except (BatchError, OSError) as error:
        failure = Failure.of(error)
        for task in todo:
            results.setdefault(task.tile_id, _failed(task, failure, retry=isinstance(error, BatchError)))
    stopped = Failure(FailureKind.OUTPUT, "BatchError", "not tried: the outputs cannot be written")
    for task in todo:
        results.setdefault(task.tile_id, _failed(task, stopped, retry=False))
    return results


def _result(outcome: Outcome, task: TileTask) -> dict[str, Any]:
    if outcome.failure is not None:
        return _failed(task, outcome.failure, retry=outcome.failure.kind in _MAY_PASS)
    result: TileResult = outcome.value
    return {
        **_told(task, "done", result.outputs),
        "steps": dict(result.seconds),
        "warnings": list(result.warnings),
        "valid_share": dict(result.valid_share),
        "masked_share": result.masked_share,
        "statistics": dict(result.statistics),
    }


def _told(task: TileTask, status: str, files: Sequence[OutputFile]) -> dict[str, Any]:
    listed = sorted(files, key=lambda file: file.path)
    return {
        "id": task.tile_id,
        "status": status,
        "key": task.key,
        "config_hash": task.config_hash,
        "out": task.out,
        "outputs": [{"path": file.path, "size": file.size, "sha256": file.sha256} for file in listed],
        "failure": None,
    }


def _failed(task: TileTask, failure: Failure, *, retry: bool) -> dict[str, Any]:
    log = layout_of(task.out).log(task.tile_id)
    told = {**failure.to_dict(), "retry": retry, "log": str(log)}
    return {**_told(task, "failed", ()), "failure": told}


def _together(failed: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return the failure of a shard: that of its first tile, with the number of all."""
    if not failed:
        return None
    first = failed[0]["failure"]
    others = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
    return {
        **first,
        "message": f"{failed[0]['id']}: {first['message']}{others}",
        "retry": any(tile["failure"]["retry"] for tile in failed),
    }
