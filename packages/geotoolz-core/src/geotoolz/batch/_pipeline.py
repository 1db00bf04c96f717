"""CatalogPipeline: one pipeline over every tile of a catalog."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from ._alert import Alert
from ._breaker import CircuitBreaker
from ._budget import Budget
from ._engine import Engine
from ._layout import Layout
from ._limit import FailureLimit
from ._options import (
    check_on_error,
    check_positive,
    check_shard,
    check_stale_on,
    check_tiles,
    check_timeout,
    refuse_homeless,
)
from ._plan import BatchPlan
from ._planner import judged, plan_of, state_of
from ._preflight import bind_output, refuse_unshared
from ._progress import Progress, ProgressChoice
from ._report import BatchReport
from ._retry import RetryPolicy
from ._rows import only, tile_sources
from ._runner import run_plan
from ._select import check_slice
from ._sinks import split
from ._source import plain_read

if TYPE_CHECKING:
    from geotoolz.core import Finding, Operator
    from geotoolz.io._object_path import ObjectPath, Place

    from ._preview import Preview
    from ._replay_tile import TileReplay

__all__ = ["CatalogPipeline"]

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
        Output folder, or an address on an object store: ``s3://bucket/prefix``, ``gs://``, ``az://``,
        ``memory://``. By default the fixed part of the sink's path.
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
    slice : mapping, optional
        Only the tiles of a place and time: ``bbox``, ``time``, ``geometry`` as `GeoCatalog.query` takes them,
        ``where`` as `GeoCatalog.filter` does. The others are no orphans for that.
    budget : Budget or mapping, optional
        What the run may spend; used up, it ends in good order with exit code 4. See `Budget`.
    timeout : float, optional
        Seconds after which an attempt at a tile is killed with its worker. Not with "inline", where nobody
        could; without an engine it chooses "process".
    retries : RetryPolicy, optional
    breaker : CircuitBreaker or int, optional
        The run ends when so many tiles in a row fail with one and the same error; None or 0 for never.
    metrics : path, optional
        A file that gets the run's numbers for Prometheus, again and again; see `MetricsFile`.
    alert : str or Alert, optional
        A webhook's address, or a command, called when the run ends with failures or early; see `Alert`.
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
        out: str | os.PathLike[str] | ObjectPath | None = None,
        *,
        engine: str | Engine | None = None,
        n_workers: int | None = None,
        on_error: OnError = "log",
        on_row_error: OnError | None = None,
        max_failures: int | str | FailureLimit = "2%",
        shard: tuple[int, int] | None = None,
        limit: int | None = None,
        slice: Mapping[str, Any] | None = None,  # as `GeoCatalog.query` calls its wishes together
        budget: Budget | Mapping[str, Any] | None = None,
        timeout: float | None = None,
        retries: RetryPolicy | None = None,
        breaker: CircuitBreaker | int | None = 20,
        metrics: str | os.PathLike[str] | None = None,
        alert: str | Alert | None = None,
        stale_on: str | Sequence[str] = (),
        retry_failed: bool = False,
        tiles: Sequence[str] | None = None,
        only_failed: bool = False,
        read: Mapping[str, Any] | None = None,
        quicklook: bool = True,
        progress: ProgressChoice | Progress | None = "auto",
    ) -> None:
        self.catalog = catalog
        beside = (n_workers or 1) > 1 or timeout is not None
        self.engine: str | Engine = engine if engine is not None else "process" if beside else "inline"
        self.n_workers = n_workers
        self.on_error = check_on_error(on_row_error if on_row_error is not None else on_error)
        self.max_failures: FailureLimit = FailureLimit.of(max_failures)
        self.shard: tuple[int, int] | None = check_shard(shard)
        self.limit: int | None = check_positive("limit", limit)
        self.slice: dict[str, Any] | None = check_slice(slice)
        self.budget: Budget = Budget.of(budget)
        self.timeout: float | None = check_timeout(timeout, self.engine)
        self.retries: RetryPolicy = retries or RetryPolicy()
        self.breaker: CircuitBreaker | None = CircuitBreaker.of(breaker)
        self.metrics = metrics
        self.alert: Alert | None = Alert.of(alert)
        self.stale_on: tuple[str, ...] = check_stale_on(stale_on)
        self.retry_failed = retry_failed
        self.tiles: tuple[str, ...] | None = check_tiles(tiles)
        self.only_failed = only_failed
        self.read: dict[str, Any] = plain_read(read, catalog)
        refuse_homeless(self.read.get("sign"), self.engine)
        self.quicklook = quicklook
        self.progress = progress
        self.op: Operator
        self.out: Place
        self.op, self.out = bind_output(op, out)
        refuse_unshared(self.out, self.engine)
        self.layout: Layout = Layout(self.out)
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

    def __repr__(self) -> str:
        engine = self.engine if isinstance(self.engine, str) else self.engine.name
        scenes = f"{len(self.catalog)} scenes" if hasattr(self.catalog, "__len__") else "scenes"
        hashed = self.config_hash.removeprefix("sha256:")[:12]
        return f"CatalogPipeline({scenes} → {self.out}; pipeline {hashed}; engine {engine})"

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
        return plan_of(self)

    def check(self, tiles: int | None = None) -> tuple[Finding, ...]:
        """Check before the first pixel: pipeline against every tile, disk, models, rights and credentials.

        Parameters
        ----------
        tiles : int, optional
            Only so many tiles, spread evenly over the catalog; describing one takes milliseconds.

        Returns
        -------
        tuple of Finding
            Errors first; empty where nothing is to be said. A tile that cannot be opened is an error too.
        """
        from ._checks import check_job

        return check_job(self, tiles)

    def preview(self, tiles: int = 5, *, workers: int | None = None) -> Preview:
        """Make a few tiles for measurement, and tell what all will take.

        The tiles are spread evenly over those that a run would make; they are made in one process beside
        this one, one after the other, in a temporary folder: the output folder stays as it is.

        Parameters
        ----------
        tiles : int
            How many; the first is made once more before, because a worker's first tile takes longer.
        workers : int, optional
            For how many workers the hours are told; by default those of this job.

        Returns
        -------
        Preview

        Raises
        ------
        BatchError
            If there is nothing to do, or none of the tiles could be made.
        """
        from ._preview import preview_of

        return preview_of(self, tiles, workers)

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

        sources = only(list(tile_sources(self.catalog)), (tile_id,))
        (planned,) = judged(self, state_of(self), sources)
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
        begun = time.monotonic()
        return run_plan(self, self.plan(), begun)

    def pipeline_text(self) -> str:
        """Return the pipeline as YAML, with the sink's path below the output folder."""
        from geotoolz.core import dump

        if not self._text:
            self._text = dump(self.op)
        return self._text
