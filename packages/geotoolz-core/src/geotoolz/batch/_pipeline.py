"""CatalogPipeline: one pipeline over every tile of a catalog."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from ._commit import clean_leftovers
from ._driver import StopReason
from ._engine import Engine, get_engine
from ._fingerprint import Stamp, fingerprint, task_key
from ._journal import Journal, replay
from ._layout import Layout
from ._lease import Lease
from ._limit import FailureLimit
from ._options import check_on_error, check_positive, check_shard, check_stale_on, check_tiles
from ._plan import BatchPlan, PlannedTile, State, TileState, scan
from ._preflight import bind_output, refuse_collisions
from ._progress import Progress, ProgressChoice
from ._report import BatchReport, TileRow
from ._retry import RetryPolicy
from ._rows import TileSource, in_shard, only, tile_sources
from ._sinks import split
from ._source import plain_read
from ._task import TileTask
from ._work import Work, row_of_plan

if TYPE_CHECKING:
    from geotoolz.core import Operator

    from ._replay_tile import TileReplay

__all__ = ["CatalogPipeline"]

_log = logging.getLogger("geotoolz.batch")
OnError = Literal["raise", "log", "log_and_continue"]


class CatalogPipeline:
    """Runs a pipeline over a catalog: in parallel, resumable, one bad scene does not end it.

    Parameters
    ----------
    catalog : GeoCatalog or iterable
        Anything with ``iter_rows()``, or rows: mappings or objects with ``id`` and ``source``, GeoSlices,
        paths.
    op : Operator, str or Path
        The pipeline, or its YAML file. A sink at its end says what is written; without one every variable
        that the pipeline creates becomes ``{item_id}_{band}.tif``.
    out : path, optional
        Output folder (local). By default the fixed part of the sink's path.
    engine : str or Engine, optional
        "inline", "process", "ray", or an Engine. By default "process" where `n_workers` is more than 1, else
        "inline".
    n_workers : int, optional
        By default the CPUs of this process.
    on_error : {"log", "raise"}
        "log" (also "log_and_continue") counts a failed tile and goes on, within `max_failures`; "raise" stops
        at the first one and raises its error.
    on_row_error : optional
        The same, under the name of older texts.
    max_failures : int or str
        "2%" or a number; see `FailureLimit`.
    shard : (int, int), optional
        (i, n) with i from 1: this run does the i-th of n parts, for array jobs.
    limit : int, optional
        At most so many tiles of the catalog.
    timeout : float, optional
        Seconds after which an attempt at a tile is killed (not with "inline").
    retries : RetryPolicy, optional
    stale_on : str or sequence of str
        "code": tiles made by other versions of geotoolz are stale; "environment": of the libraries below as
        well.
    retry_failed : bool
        Try quarantined tiles again although nothing has changed.
    tiles : sequence of str, optional
        Only these tiles of the catalog, by id.
    only_failed : bool
        Only tiles whose last attempt failed, quarantined ones too.
    read : mapping, optional
        Further arguments of `geotoolz.io.open_tile` (``resolution``, ``aoi``); part of the task key.
        The area may be anything that `geotoolz.io.Area.of` takes, and the id of a row of the catalog.
        ``sign`` is no part of the key; a function that is in no module needs the engine "inline".
    quicklook : bool
        Make a small picture per tile for the report.
    progress : str or Progress
        "auto" (a bar on a terminal, JSON lines otherwise), "rich", "json", "none".

    Raises
    ------
    ParameterError, BatchError
        For what cannot be, before anything is written.

    Examples
    --------
    >>> import tempfile
    >>> from geotoolz.batch import CatalogPipeline
    >>> from geotoolz.core.testing import write_scene
    >>> from geotoolz.radiometry import SelectBands
    >>> with tempfile.TemporaryDirectory() as tmp:
    ...     scene = write_scene({"shape": (32, 32), "bands": ("red", "nir")}, tmp)
    ...     job = CatalogPipeline([scene], SelectBands(("red",)), f"{tmp}/out", progress="none")
    ...     print(job.plan().counts, job.run().counts, job.run().counts)
    {'new': 1} {'done': 1} {'fresh': 1}
    """

    def __init__(
        self,
        catalog: Any,
        op: Operator | str | os.PathLike[str] | None,
        out: str | os.PathLike[str] | None = None,
        *,
        engine: str | Engine | None = None,
        n_workers: int | None = None,
        on_error: OnError = "log",
        on_row_error: OnError | None = None,
        max_failures: int | str | FailureLimit = "2%",
        shard: tuple[int, int] | None = None,
        limit: int | None = None,
        timeout: float | None = None,
        retries: RetryPolicy | None = None,
        stale_on: str | Sequence[str] = (),
        retry_failed: bool = False,
        tiles: Sequence[str] | None = None,
        only_failed: bool = False,
        read: Mapping[str, Any] | None = None,
        quicklook: bool = True,
        progress: ProgressChoice | Progress | None = "auto",
    ) -> None:
        self.catalog = catalog
        self.engine = engine if engine is not None else "process" if (n_workers or 1) > 1 else "inline"
        self.n_workers = n_workers
        self.on_error = check_on_error(on_row_error if on_row_error is not None else on_error)
        self.max_failures = FailureLimit.of(max_failures)
        self.shard = check_shard(shard)
        self.limit = check_positive("limit", limit)
        self.timeout = check_positive("timeout", timeout)
        self.retries = retries or RetryPolicy()
        self.stale_on = check_stale_on(stale_on)
        self.retry_failed = retry_failed
        self.tiles = check_tiles(tiles)
        self.only_failed = only_failed
        self.read = plain_read(read, catalog)
        _refuse_homeless(self.read.get("sign"), self.engine)
        self.quicklook = quicklook
        self.progress = progress
        self.op, self.out = bind_output(op, out)
        self._layout = Layout(self.out)
        self._text = ""

    @property
    def config_hash(self) -> str:
        """The pipeline's hash; sinks are no part of it."""
        return str(self.op.config_hash())

    @property
    def sink_hash(self) -> str:
        """Hash of the sink's configuration, empty where the default sink writes."""
        _, sink = split(self.op)
        if sink is None:
            return ""
        text = json.dumps(sink.config(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def plan(self) -> BatchPlan:
        """Look what is new, fresh, stale, partial, quarantined, orphan, and why; nothing is written.

        Returns
        -------
        BatchPlan

        Raises
        ------
        BatchError
            For an empty catalog, two rows with one id, two tiles with one output path, or a path where a file
            of somebody else stands.
        """
        from geotoolz.core._errors import BatchError

        state = State(self._layout, replay(self._layout.private), scan(self._layout), self.stale_on)
        sources = list(tile_sources(self.catalog))
        ids = [source.tile_id for source in sources]
        if not ids:
            raise BatchError(
                "the catalog is empty",
                expected="at least one tile",
                fix="look at it with `geotoolz catalog show`, or loosen the filter",
            )
        if len(set(ids)) != len(ids):
            twice = next(tile_id for tile_id in ids if ids.count(tile_id) > 1)
            raise BatchError(
                f"the id {twice!r} occurs more than once",
                expected="one row per tile",
                fix="rename rows: outputs and journal go by the id",
            )
        chosen = only(sources, self.tiles)
        mine = [source for source in chosen if in_shard(source.tile_id, self.shard)][: self.limit]
        tiles = list(self._judged(state, mine))
        refuse_collisions(self.op, self.out, tiles)
        tiles.extend(state.orphans(ids))
        return BatchPlan(self.out, tuple(tiles), self.retry_failed, self.only_failed)

    def replay(self, tile_id: str) -> TileReplay:
        """Make one tile again in this process, beside what was written of it, and change nothing.

        Its error comes as it was raised, so a debugger stops at the step. What stands in the output folder
        stays as it is, the journal and the tile's log too.

        Parameters
        ----------
        tile_id : str

        Returns
        -------
        TileReplay
            The tile, and for every file whether it is byte for byte what stands in the output folder.

        Raises
        ------
        ParameterError
            If the catalog has no such tile.
        GeotoolzError
            What the tile fails with.
        """
        from ._replay_tile import replay_task

        state = State(self._layout, replay(self._layout.private), scan(self._layout), self.stale_on)
        (planned,) = self._judged(state, only(list(tile_sources(self.catalog)), (tile_id,)))
        if planned.task is None:
            raise TypeError("a tile of the catalog has a task")
        written = {str(entry[0]): str(entry[2]) for entry in planned.record.get("out", ())}
        return replay_task(planned.task, written)

    def run(self) -> BatchReport:
        """Do what the plan says.

        Returns
        -------
        BatchReport
            Also after Ctrl-C (the running tiles are finished first; a second Ctrl-C stops at once and
            raises).

        Raises
        ------
        GeotoolzError
            With ``on_error="raise"`` the error of the first tile that failed; otherwise only what makes the
            run as a whole impossible.
        """
        begun = time.time()
        plan = self.plan()
        todo = plan.todo
        rows = {tile.tile_id: row_of_plan(tile) for tile in plan.tiles if tile.state is not TileState.ORPHAN}
        orphans = sum(tile.state is TileState.ORPHAN for tile in plan.tiles)
        if not todo:
            return self._finish(
                rows,
                begun,
                None,
                False,
                orphans,
                engine="none",
                write=not (self.out / "report.json").exists(),
            )
        get_engine(self.engine, self.n_workers)  # an unknown one is told before anything is made
        self._layout.make()
        with Lease(self._layout, self.shard), Journal(self._layout.journal(self.shard)) as journal:
            work = Work(self, journal, rows)
            try:
                stopped, failed = work.go(todo)
            except BaseException:
                work.progress.finish("ended by an error; what was finished is kept")
                raise
            finally:
                clean_leftovers(self._layout, rows)
            name = self.engine if isinstance(self.engine, str) else self.engine.name
            over = self.max_failures.exceeded(failed=failed, ended=len(todo), total=len(todo), over=True)
            report = self._finish(rows, begun, stopped, over, orphans, engine=name, write=True)
            journal.append("end", run=work.run_id, counts=report.counts, exit_code=int(report.exit_code))
        work.progress.finish(str(report))
        if stopped is StopReason.ON_ERROR and work.first_error is not None:
            raise work.first_error
        return report

    # ---- inside

    def _finish(
        self,
        rows: Mapping[str, TileRow],
        begun: float,
        stopped: StopReason | None,
        over: bool,
        orphans: int,
        *,
        engine: str,
        write: bool,
    ) -> BatchReport:
        started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(begun))
        report = BatchReport(
            self.out,
            engine,
            tuple(rows.values()),
            time.time() - begun,
            stopped,
            over,
            orphans,
            started,
            str(self.max_failures),
            self.config_hash,
        )
        if write:
            self._layout.make()
            _saved(report)
        return report

    def _judged(self, state: State, sources: Sequence[TileSource]) -> Iterator[PlannedTile]:
        config_hash, sink = self.config_hash, self.sink_hash
        text = self.pipeline_text()
        read = tuple(sorted(self.read.items()))
        keyed = {name: value for name, value in self.read.items() if name != "sign"}  # no pixel differs
        for source in sources:
            record = state.record(source.tile_id)
            known = [Stamp(path, size, mark) for path, size, mark in record.get("in", ())]
            stamps = fingerprint(source.files, item=source.item, known=known)
            key = task_key(config_hash, stamps, read=keyed, sink=sink)
            owned = tuple((str(entry[0]), int(entry[1])) for entry in record.get("out", ()))
            task = TileTask(
                source.tile_id,
                key,
                source.source,
                text,
                config_hash,
                str(self.out),
                stamps,
                source.facts,
                read,
                self.quicklook,
                owned,
                sink,
            )
            yield state.judge(task, record)

    def pipeline_text(self) -> str:
        """Return the pipeline as YAML, with the sink's path below the output folder."""
        from geotoolz.core import dump

        if not self._text:
            self._text = dump(self.op)
        return self._text


def _refuse_homeless(sign: Any, engine: str | Engine) -> None:
    """Refuse a function that other processes cannot import.

    Raises
    ------
    ParameterError
    """
    from geotoolz.core._errors import ParameterError

    if callable(sign) and engine != "inline":
        raise ParameterError(
            f"read={{'sign': {sign!r}}} with engine={engine!r}: other processes cannot import this function",
            expected="a registered name, or a function of a module",
            fix="say 'module:name', register it in the group geotoolz.signers, or take engine='inline'",
        )


def _saved(report: BatchReport) -> None:
    """Write the report; a run that ended on a full disk returns its result without one."""
    from geotoolz.core._errors import WriteError

    try:
        report.save()
    except WriteError as error:
        if report.stopped is not StopReason.OUTPUT:
            raise
        _log.warning("%s", error)
