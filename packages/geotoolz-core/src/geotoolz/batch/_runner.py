"""Doing what a plan says: lease, journal, work, report."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from geotoolz.core._errors import BatchError

from ._commit import clean_leftovers, has_leftovers, typed
from ._configs import described, keep_config
from ._driver import StopReason
from ._engine import get_engine
from ._footprint import located
from ._journal import Journal
from ._lease import Lease
from ._plan import BatchPlan, TileState
from ._preflight import refuse_overwritten
from ._report import BatchReport, TileRow
from ._work import Work, row_of_plan

if TYPE_CHECKING:
    from ._pipeline import CatalogPipeline

__all__ = ["run_plan"]

_log = logging.getLogger("geotoolz.batch")


def run_plan(job: CatalogPipeline, plan: BatchPlan, begun: float) -> BatchReport:
    """Make the tiles that a plan names, and report.

    Parameters
    ----------
    job : CatalogPipeline
    plan : BatchPlan
    begun : float
        When the work began, planning too, on the monotonic clock: the other one may be set meanwhile.

    Raises
    ------
    GeotoolzError
        With ``on_error="raise"`` the error of the first tile that failed; otherwise only what makes the
        run as a whole impossible.
    """
    todo = plan.todo
    rows = {tile.tile_id: row_of_plan(tile) for tile in plan.tiles if tile.state is not TileState.ORPHAN}
    orphans = sum(tile.state is TileState.ORPHAN for tile in plan.tiles)
    if not todo:
        if has_leftovers(job.layout):
            with suppress(BatchError), Lease(job.layout, job.shard):  # else the one who works here does it
                clean_leftovers(job.layout, rows, alone=job.shard is None)
        report = _report(job, rows, begun, orphans, engine="none")
        if not job.layout.report(job.shard).exists():
            job.layout.make()
            _saved(report)
        return report
    refuse_overwritten(job.op)
    get_engine(job.engine, job.n_workers)  # an unknown one is told before anything is made
    job.layout.make()
    with Lease(job.layout, job.shard), Journal(job.layout.journal(job.shard)) as journal:
        with typed(job.out):
            keep_config(job.layout, job.config_hash, described(job.op))
        work = Work(job, journal, rows)
        try:
            stopped, failed = work.go(todo)
        except BaseException as error:
            work.crashed(error)
            raise
        finally:
            clean_leftovers(job.layout, rows, alone=job.shard is None)
        name = job.engine if isinstance(job.engine, str) else job.engine.name
        over = job.max_failures.exceeded(failed=failed, ended=len(todo), total=len(todo), over=True)
        report = _report(job, rows, begun, orphans, engine=name, stopped=stopped, over=over, work=work)
        _saved(report)
        told = {"exit_code": int(report.exit_code), "stopped": report.stopped, "why": report.why}
        work.note("end", run=work.run_id, counts=report.counts, **told)
    work.ended(report)
    if stopped is StopReason.ON_ERROR and work.first_error is not None:
        raise work.first_error
    return report


def _report(
    job: CatalogPipeline,
    rows: Mapping[str, TileRow],
    begun: float,
    orphans: int,
    *,
    engine: str,
    stopped: StopReason | None = None,
    over: bool = False,
    work: Work | None = None,
) -> BatchReport:
    seconds = time.monotonic() - begun
    return BatchReport(
        job.out,
        engine,
        located(rows.values(), job.catalog),
        seconds,
        stopped,
        over,
        orphans,
        _moment(time.time() - seconds),
        str(job.max_failures),
        job.config_hash,
        why="" if work is None else work.why,
        shard=job.shard,
        left_out=tuple(
            str(one) for one in getattr(job.catalog, "problems", ()) if not (one.kept or one.harmless)
        ),
    )


def _moment(seconds: float) -> str:
    """Return a time in UTC, to the millisecond: reports of one second have an order, too."""
    found = datetime.fromtimestamp(seconds, UTC)
    return found.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _saved(report: BatchReport) -> None:
    """Write the report; a run that ended on a full disk returns its result without one."""
    from geotoolz.core._errors import WriteError

    try:
        report.save()
    except WriteError as error:
        if report.stopped is not StopReason.OUTPUT:
            raise
        _log.warning("%s", error)
