"""The loop of one run: outcomes into journal, rows, progress and metrics."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from geotoolz.core._errors import BatchError, GeotoolzError

from ._breaker import shape_of
from ._budget import BudgetMeter
from ._driver import Driver, Outcome, StopReason
from ._engine import get_engine
from ._exit_codes import ExitCode
from ._failure import Failure, FailureKind
from ._item import code_versions
from ._journal import Journal
from ._metrics import Metrics
from ._plan import PlannedTile, TileState
from ._progress import get_progress
from ._report import BatchReport, TileRow
from ._signals import Interrupts
from ._task import TileResult, TileTask, run_tile

if TYPE_CHECKING:
    from ._pipeline import CatalogPipeline

__all__ = ["Work", "record_of", "row_of_plan"]


class Work:
    """The loop of one run: outcomes into journal, rows, progress and metrics.

    Attributes
    ----------
    rows : dict
        Tile id to its row of the report; changed as tiles end.
    failed : int
        Tiles that failed in this run.
    why : str
        What ended the run early, as a sentence; empty where its `StopReason` says it all.
    first_error : BaseException or None
        Of the first tile that failed.
    """

    def __init__(self, job: CatalogPipeline, journal: Journal, rows: dict[str, TileRow]) -> None:
        self.job = job
        self.journal = journal
        self.rows = rows
        self.progress = get_progress(job.progress)
        self.metrics = Metrics.of(job.metrics, job.out, job.shard)
        self.meter = BudgetMeter(job.budget)
        self.run_id = secrets.token_hex(6)
        self.first_error: BaseException | None = None
        self.failed = 0
        self.why = ""
        self._unwritten: BatchError | None = None

    def go(self, todo: Sequence[PlannedTile]) -> tuple[StopReason | None, int]:
        """Make the tiles; return why it ended early, and how many failed."""
        engine = get_engine(self.job.engine, self.job.n_workers)
        tasks = {tile.tile_id: tile.task for tile in todo if tile.task is not None}
        self._begin(len(tasks), engine.name)
        told = "stopping: the running tiles are finished first; Ctrl-C again stops at once"
        with Interrupts(lambda: self.progress.note("interrupt", told)) as interrupts:
            self.progress.start(len(tasks), len(self.rows) - len(tasks), engine.name)
            driver = Driver(
                engine,
                policy=self.job.retries,
                limit=self.job.max_failures,
                breaker=self.job.breaker,
                on_error=self.job.on_error,
                timeout=self.job.timeout,
                interrupted=interrupts.asked,
                on_retry=self._retried,
                halt=self._halt,
            )
            for outcome in driver.run(run_tile, tasks.items(), len(tasks)):
                self._record(outcome, tasks[outcome.ident])
        if driver.stopped is StopReason.SAME_ERROR:
            self.why = driver.watch.told
            self._release(driver.watch.shape)
        elif driver.stopped is StopReason.BUDGET:
            self.why = self.meter.used_up
        if self._unwritten is not None:
            self.why = str(self._unwritten)
            return StopReason.OUTPUT, self.failed
        return driver.stopped, self.failed

    def note(self, event: str, **values: Any) -> None:
        """Write into the journal; where that fails, the run ends in good order: items say what is done."""
        try:
            self.journal.append(event, **values)
        except BatchError as error:
            self._unwritten = self._unwritten or error

    def ended(self, report: BatchReport) -> None:
        """Tell progress, metrics and whoever is to be alerted how the run ended."""
        self.metrics.finish(int(report.exit_code))
        self.progress.finish(str(report))
        if self.job.alert is not None:
            self.job.alert.about(report)

    def crashed(self, error: BaseException) -> None:
        """Tell them that it was ended by an error."""
        interrupted = isinstance(error, KeyboardInterrupt)
        self.metrics.finish(int(ExitCode.INTERRUPTED if interrupted else ExitCode.CRASH))
        self.progress.finish("ended by an error; what was finished is kept")
        if self.job.alert is not None and not interrupted:  # who pressed Ctrl-C twice knows, and waits
            self.job.alert.crashed(self.job.out, error)

    # ---- inside

    def _halt(self, running: int) -> StopReason | None:
        return self.meter.halt(running) if self._unwritten is None else StopReason.OUTPUT

    def _begin(self, todo: int, engine: str) -> None:
        self.metrics.start(self.rows.values(), todo)
        self.journal.append(
            "run",
            run=self.run_id,
            todo=todo,
            engine=engine,
            cfg=self.job.config_hash,
            pipeline=self.job.pipeline_text(),
            read={name: value for name, value in self.job.read.items() if name != "sign"},
            versions=code_versions(),
            pid=os.getpid(),
        )

    def _retried(self, ident: str, failure: Failure, pause: float) -> None:
        self.metrics.retry(failure.kind.value)
        self.progress.note("retry", f"{ident}: {failure.message}; again in {pause:.1f} s")

    def _record(self, outcome: Outcome, task: TileTask) -> None:
        event, values = record_of(outcome, task, self.run_id)
        self.note(event, **values)
        seconds = sum(attempt.seconds for attempt in outcome.attempts)
        row = row_of_outcome(outcome, self.rows[outcome.ident])
        self.rows[outcome.ident] = row
        self.metrics.tile(row)
        size = 0
        if outcome.failure is None:
            size = sum(file.size for file in outcome.value.outputs)
            self.progress.tile(outcome.ident, event, "", seconds)
        else:
            self.failed += 1
            self.first_error = self.first_error or _error(outcome)
            told = f"{outcome.failure.error}: {outcome.failure.message}"
            self.progress.tile(outcome.ident, event, told, seconds)
        self.meter.spend(seconds, size)

    def _release(self, shape: str) -> None:
        """Keep the tiles of the error that ended the run out of quarantine: it was not theirs."""
        alike = [
            [row.tile_id, self.run_id]
            for row in self.rows.values()
            if row.status == "failed" and shape_of(_failure_of(row)) == shape
        ]
        self.note("release", tiles=alike)


def record_of(outcome: Outcome, task: TileTask, run: str) -> tuple[str, dict[str, Any]]:
    """Return what a journal says of a tile that ended.

    Parameters
    ----------
    outcome : Outcome
        Of `run_tile`.
    task : TileTask
    run : str
        Id of the run.

    Returns
    -------
    event : str
        "done" or "failed".
    values : dict
        For `Journal.append`.
    """
    base: dict[str, Any] = {
        "id": task.tile_id,
        "key": task.key,
        "cfg": task.config_hash,
        "sink": task.sink,
        "run": run,
        "att": len(outcome.attempts),
        "in": [[stamp.path, stamp.size, stamp.mark] for stamp in task.stamps],
    }
    failure = outcome.failure
    if failure is not None:
        return "failed", {**base, "kind": failure.kind.value, "error": failure.error, "msg": failure.message}
    result: TileResult = outcome.value
    return "done", {
        **base,
        "out": [[f.path, f.size, f.sha256] for f in result.outputs],
        "sec": round(sum(attempt.seconds for attempt in outcome.attempts), 4),
        "use": dict(result.usage),
        "at": result.footprint,
        "valid": dict(result.valid_share),
        "masked": result.masked_share,
    }


def row_of_plan(tile: PlannedTile) -> TileRow:
    """Return the row of a tile that nothing has been done for yet."""
    record = tile.record
    if tile.state is TileState.FRESH:
        return TileRow(
            tile.tile_id,
            "fresh",
            tile.reason,
            outputs=tuple(entry[0] for entry in record.get("out", ())),
            valid_share=record.get("valid") or {},
            masked_share=record.get("masked"),
            footprint=_place(record),
        )
    if tile.state is TileState.QUARANTINED:
        return TileRow(
            tile.tile_id,
            "quarantined",
            tile.reason,
            kind=record.get("kind", ""),
            error=record.get("error", ""),
            message=record.get("msg", ""),
        )
    return TileRow(tile.tile_id, "not-run", f"{tile.state.value}: {tile.reason}", footprint=_place(record))


def row_of_outcome(outcome: Outcome, before: TileRow) -> TileRow:
    """Return the row of a tile that ended."""
    attempts = tuple(_attempt(attempt) for attempt in outcome.attempts)
    failure = outcome.failure
    if failure is not None:
        return replace(
            before,
            status="failed",
            kind=failure.kind.value,
            error=failure.error,
            message=failure.message,
            attempts=attempts,
        )
    result: TileResult = outcome.value
    return TileRow(
        result.tile_id,
        "done",
        before.reason,
        seconds=result.seconds,
        warnings=result.warnings,
        outputs=tuple(file.path for file in result.outputs),
        valid_share=result.valid_share,
        masked_share=result.masked_share,
        attempts=attempts,
        usage=result.usage,
        footprint=result.footprint,
    )


def _place(record: Any) -> tuple[tuple[float, float], ...]:
    return tuple((float(x), float(y)) for x, y in record.get("at", ()))


def _attempt(attempt: Any) -> dict[str, Any]:
    told = attempt.failure.to_dict() if attempt.failure is not None else {}
    return {"worker": attempt.worker, "seconds": round(attempt.seconds, 4), **told}


def _failure_of(row: TileRow) -> Failure:
    return Failure(FailureKind(row.kind), row.error, row.message)


def _error(outcome: Outcome) -> BaseException:
    failure = outcome.failure
    if failure is None:
        return BatchError(f"tile {outcome.ident!r}")
    if isinstance(failure.exception, GeotoolzError):
        return failure.exception.prefixed(f"tile {outcome.ident!r}")
    error = BatchError(f"tile {outcome.ident!r}: {failure.error}: {failure.message}")
    error.__cause__ = failure.exception
    return error
