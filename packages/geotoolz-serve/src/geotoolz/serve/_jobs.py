"""Runs of ``/process``: a bounded number at a time, with progress, that can be cancelled."""

from __future__ import annotations

import asyncio
import logging
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from geotoolz.core import GeotoolzError
from geotoolz.serve._errors import Problem, as_problem
from geotoolz.serve._metrics import Metrics
from geotoolz.serve._settings import ServeSettings

JobState: TypeAlias = Literal["queued", "running", "done", "failed", "cancelled"]
_KEPT = 100  # finished jobs whose results lie on disk
_log = logging.getLogger("geotoolz.serve")


class CancelledError(GeotoolzError, RuntimeError):
    """A run was told to stop."""


@dataclass(frozen=True)
class Answer:
    """What a run gave.

    Parameters
    ----------
    path : Path
        The file, in the job's folder.
    media_type, filename : str
        For the answer's headers.
    headers : mapping of str to str
        Further headers.
    """

    path: Path
    media_type: str
    filename: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Job:
    """A run.

    Attributes
    ----------
    id : str
        128 random bits: who knows it may look.
    owner : str
        Client that started it.
    pipeline, config_hash : str
    folder : Path
        Its files.
    state : str
    progress : float
        0 to 1.
    answer : Answer or None
    problem : Problem or None
    """

    id: str
    owner: str
    pipeline: str
    config_hash: str
    folder: Path
    state: JobState = "queued"
    progress: float = 0.0
    answer: Answer | None = None
    problem: Problem | None = None
    created: float = field(default_factory=time.time)
    finished: float | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    future: Future[None] | None = None

    def report(self, done: int, total: int) -> None:
        """Take note of the progress.

        Raises
        ------
        CancelledError
            If the job was told to stop.
        """
        self.check()
        self.progress = max(self.progress, min(done / max(total, 1), 1.0))

    def check(self) -> None:
        """Stop here if the job was told to.

        Raises
        ------
        CancelledError
        """
        if self.stop.is_set():
            raise CancelledError("the run was cancelled")


Work: TypeAlias = Callable[[Job], Answer]


class Jobs:
    """All runs of a server.

    Parameters
    ----------
    settings : ServeSettings
        ``process_threads``, ``process_queue``, ``job_minutes``.
    metrics : Metrics
    """

    def __init__(self, settings: ServeSettings, metrics: Metrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}
        self._pool: ThreadPoolExecutor | None = None
        self._closed = False
        metrics.gauge("geotoolz_jobs_active", lambda: self.active)

    @property
    def active(self) -> int:
        """How many wait or run."""
        with self._lock:
            return sum(job.finished is None for job in self._jobs.values())

    def open(self, owner: str, pipeline: str, config_hash: str) -> Job:
        """Return a new job with a folder; it waits for `start`.

        Raises
        ------
        Problem
            503 where too many wait, or the server is on its way down.
        """
        self._forget_old()
        with self._lock:
            active = sum(job.finished is None for job in self._jobs.values())
            limit = self._settings.process_threads + self._settings.process_queue
            if self._closed or active >= limit:
                raise Problem(
                    f"{active} runs wait or run already",
                    status=503,
                    code="busy",
                    fix="ask again later",
                    headers={"Retry-After": "5"},
                )
            folder = Path(tempfile.mkdtemp(prefix="geotoolz-job-"))
            job = Job(secrets.token_urlsafe(16), owner, pipeline, config_hash, folder)
            self._jobs[job.id] = job
            return job

    def start(self, job: Job, work: Work) -> None:
        """Let a job's work be done by the next free thread."""
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._settings.process_threads, "geotoolz-process")
            job.future = self._pool.submit(self._run, job, work)

    async def finish(self, job: Job, seconds: float) -> bool:
        """Wait until a job has ended, and tell whether it has."""
        if job.future is None:
            return job.finished is not None
        wrapped = asyncio.wrap_future(job.future)
        done, _ = await asyncio.wait([wrapped], timeout=seconds)
        return bool(done)

    def get(self, job_id: str, owner: str) -> Job:
        """Return a job of a client's.

        Raises
        ------
        Problem
            404, also for the job of another.
        """
        with self._lock:
            job = self._jobs.get(job_id)
        if job is None or not secrets.compare_digest(job.owner.encode(), owner.encode()):
            raise Problem("there is no such job", status=404, code="unknown_job")
        return job

    def cancel(self, job: Job) -> None:
        """Stop a job that has not ended: whoever asks for it is told so; let go of one that has."""
        with self._lock:
            running = job.finished is None
            if running:
                job.stop.set()
        if not running:
            self.remove(job)
        elif job.future is None or job.future.cancel():
            self._ended(job, "cancelled")
            shutil.rmtree(job.folder, ignore_errors=True)

    def remove(self, job: Job) -> None:
        """Stop a job if it has not ended, and let go of its result."""
        job.stop.set()
        with self._lock:
            self._jobs.pop(job.id, None)
        started = job.future is not None and not job.future.cancel()
        if not started or job.finished is not None:
            self._ended(job, "cancelled")
            shutil.rmtree(job.folder, ignore_errors=True)

    async def drain(self) -> None:
        """Stop what waits, let what runs come to its next window, and delete all results."""
        with self._lock:
            self._closed = True
            pool, jobs = self._pool, list(self._jobs.values())
        for job in jobs:
            self.remove(job)
        if pool is not None:
            await asyncio.to_thread(pool.shutdown, wait=True, cancel_futures=True)

    def _run(self, job: Job, work: Work) -> None:
        try:
            job.check()
            job.state = "running"
            job.answer = work(job)
            job.check()
            job.progress = 1.0
            self._ended(job, "done")
        except CancelledError:
            self._ended(job, "cancelled")
        except GeotoolzError as error:
            _log.info("job %s: %s", job.id[:6], error)
            job.problem = as_problem(error)
            self._ended(job, "failed")
        except Exception as error:  # noqa: BLE001 - a thread has nobody above it: the client must be told
            _log.error("job %s failed", job.id[:6], exc_info=error)
            job.problem = Problem("an error of the server", status=500, code="internal_error")
            self._ended(job, "failed")
        finally:
            if job.stop.is_set():  # nobody will ask for it any more
                shutil.rmtree(job.folder, ignore_errors=True)

    def _ended(self, job: Job, state: JobState) -> None:
        with self._lock:
            if job.finished is not None:
                return
            state = "cancelled" if job.stop.is_set() else state  # its files are on their way out
            job.state, job.finished = state, time.time()
        self._metrics.count("geotoolz_jobs_total", {"pipeline": job.pipeline, "state": state})

    def _forget_old(self) -> None:
        limit = time.time() - self._settings.job_minutes * 60
        with self._lock:
            ended = [job for job in self._jobs.values() if job.finished is not None]
            ended.sort(key=lambda job: job.finished or 0.0)
            surplus = max(len(ended) - _KEPT, 0)
            old = [job for index, job in enumerate(ended) if index < surplus or (job.finished or 0.0) < limit]
        for job in old:
            self.remove(job)
