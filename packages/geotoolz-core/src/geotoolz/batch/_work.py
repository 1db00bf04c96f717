"""The loop of one run: outcomes into journal, rows and progress."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ._driver import Driver, Outcome, StopReason
from ._engine import get_engine
from ._item import code_versions
from ._journal import Journal
from ._plan import PlannedTile, TileState
from ._progress import get_progress
from ._report import TileRow
from ._signals import Interrupts
from ._task import TileResult, TileTask, run_tile

if TYPE_CHECKING:
    from ._pipeline import CatalogPipeline

__all__ = ["Work", "row_of_plan"]


class Work:
    """The loop of one run: outcomes into journal, rows and progress."""

    def __init__(self, job: CatalogPipeline, journal: Journal, rows: dict[str, TileRow]) -> None:
        self.job = job
        self.journal = journal
        self.rows = rows
        self.progress = get_progress(job.progress)
        self.run_id = secrets.token_hex(6)
        self.first_error: BaseException | None = None
        self.failed = 0

    def go(self, todo: Sequence[PlannedTile]) -> tuple[StopReason | None, int]:
        job = self.job
        engine = get_engine(job.engine, job.n_workers)
        tasks = {tile.tile_id: tile.task for tile in todo if tile.task is not None}
        self.journal.append(
            "run",
            run=self.run_id,
            todo=len(tasks),
            engine=engine.name,
            cfg=job.config_hash,
            pipeline=job.pipeline_text(),
            versions=code_versions(),
            pid=os.getpid(),
        )
        told = "stopping: the running tiles are finished first; Ctrl-C again stops at once"
        with Interrupts(lambda: self.progress.note("interrupt", told)) as interrupts:
            self.progress.start(len(tasks), len(self.rows) - len(tasks), engine.name)
            driver = Driver(
                engine,
                policy=job.retries,
                limit=job.max_failures,
                on_error=job.on_error,
                timeout=job.timeout,
                interrupted=lambda: interrupts.count > 0,
                on_retry=lambda ident, failure, pause: self.progress.note(
                    "retry", f"{ident}: {failure.message}; again in {pause:.1f} s"
                ),
            )
            for outcome in driver.run(run_tile, tasks.items(), len(tasks)):
                self._record(outcome, tasks[outcome.ident])
        return driver.stopped, self.failed

    def _record(self, outcome: Outcome, task: TileTask) -> None:
        attempts = tuple(_attempt(attempt) for attempt in outcome.attempts)
        before = self.rows[outcome.ident]
        seconds = sum(attempt.seconds for attempt in outcome.attempts)
        base = {
            "id": task.tile_id,
            "key": task.key,
            "cfg": task.config_hash,
            "sink": task.sink,
            "run": self.run_id,
            "att": len(attempts),
        }
        stamps = [[stamp.path, stamp.size, stamp.mark] for stamp in task.stamps]
        if outcome.failure is None:
            result: TileResult = outcome.value
            self.rows[outcome.ident] = _row_of_result(result, before.reason, attempts)
            self.journal.append(
                "done",
                **base,
                out=[[f.path, f.size, f.sha256] for f in result.outputs],
                sec=round(seconds, 4),
                valid=dict(result.valid_share),
                masked=result.masked_share,
                **{"in": stamps},
            )
            self.progress.tile(outcome.ident, "done", "", seconds)
            return
        self.failed += 1
        failure = outcome.failure
        if self.first_error is None:
            self.first_error = _error(outcome)
        self.rows[outcome.ident] = replace(
            before,
            status="failed",
            kind=failure.kind.value,
            error=failure.error,
            message=failure.message,
            attempts=attempts,
        )
        self.journal.append(
            "failed",
            **base,
            kind=failure.kind.value,
            error=failure.error,
            msg=failure.message,
            **{"in": stamps},
        )
        self.progress.tile(outcome.ident, "failed", f"{failure.error}: {failure.message}", seconds)


def _attempt(attempt: Any) -> dict[str, Any]:
    told = attempt.failure.to_dict() if attempt.failure is not None else {}
    return {"worker": attempt.worker, "seconds": round(attempt.seconds, 4), **told}


def _error(outcome: Outcome) -> BaseException:
    from geotoolz.core._errors import BatchError, GeotoolzError

    failure = outcome.failure
    if failure is None:
        return BatchError(f"tile {outcome.ident!r}")
    if isinstance(failure.exception, GeotoolzError):
        return failure.exception.prefixed(f"tile {outcome.ident!r}")
    error = BatchError(f"tile {outcome.ident!r}: {failure.error}: {failure.message}")
    error.__cause__ = failure.exception
    return error


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
    return TileRow(tile.tile_id, "not-run", f"{tile.state.value}: {tile.reason}")


def _row_of_result(result: TileResult, reason: str, attempts: tuple[dict[str, Any], ...]) -> TileRow:
    return TileRow(
        result.tile_id,
        "done",
        reason,
        seconds=result.seconds,
        warnings=result.warnings,
        outputs=tuple(file.path for file in result.outputs),
        valid_share=result.valid_share,
        masked_share=result.masked_share,
        attempts=attempts,
    )
