"""The dask.distributed engine: every attempt is meant for one worker, so a death is blamed on it alone."""

from __future__ import annotations

import queue
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from geotoolz.batch import Completion, Failure, FailureKind, default_workers
from geotoolz.core import BatchError, MissingDependencyError, ParameterError

from ._dask_local import LocalDask
from ._ray_start import reach
from ._task import attempt

__all__ = ["DaskEngine"]

#: seconds between looks at the workers, where nothing ends
_LOOK = 0.5
#: seconds for the answer of a finished attempt; a worker that died with it does not give it any more
_FETCH = 10.0


@dataclass(slots=True, eq=False)
class _Job:
    ticket: int
    payload: Any
    timeout: float | None
    since: float = 0.0
    future: Any = None
    worker: _Worker | None = None


@dataclass(slots=True, eq=False)
class _Worker:
    address: str
    threads: int
    ready: float = 0.0
    jobs: list[_Job] = field(default_factory=list)


class DaskEngine:
    """Runs tasks on dask.distributed: on workers of this machine, or on those of a running scheduler.

    Workers may join and leave. dask itself would repeat the tasks of a dead worker and blame all that waited
    there; here every attempt is meant for one worker, and nothing waits on a worker.

    Parameters
    ----------
    n_workers : int, optional
        Workers of the private cluster, or tasks at a time on another. By default the CPUs of this process, or
        all threads of the cluster.
    address : str, optional
        "local" (the default) starts a private scheduler with its workers; ``"tcp://host:8786"`` joins one,
        which is left running. Deadlines need workers under a nanny there (the default of dask), best with one
        thread each: a deadline ends the process.
    patience : float
        Seconds to wait for a worker when there is none.

    Raises
    ------
    ParameterError
        For an option that cannot be.
    BatchError
        When the first task is submitted, if the scheduler cannot be reached.

    Examples
    --------
    >>> from geotoolz.batch import get_engine
    >>> get_engine("dask", 2).name
    'dask'
    """

    name = "dask"

    def __init__(
        self,
        n_workers: int | None = None,
        *,
        address: str = "local",
        patience: float = 300.0,
    ) -> None:
        _refuse_nonsense(address, patience)
        self.n_workers = n_workers or default_workers()
        self.address = address
        self.window = self.n_workers
        self._asked = n_workers
        self._patience = patience
        self._fn: Callable[[Any], Any] | None = None
        self._client: Any = None
        self._local: LocalDask | None = None
        self._workers: dict[str, _Worker] = {}
        self._backlog: deque[_Job] = deque()
        self._ended: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._looked = 0.0
        self._poor_since: float | None = None

    def start(self, fn: Callable[[Any], Any]) -> None:
        """Remember the function; dask starts with the first task."""
        self._fn = fn

    def submit(self, ticket: int, payload: Any, timeout: float | None = None) -> None:
        """Hand out one attempt."""
        if self._client is None:
            self._connect()
        self._backlog.append(_Job(ticket, payload, timeout))
        self._hand_out()

    def wait(self, timeout: float | None) -> Sequence[Completion]:
        """Return what ended, and look whether workers have come or gone."""
        if self._client is None:
            return ()
        done = list(self._take(_LOOK if timeout is None else min(timeout, _LOOK)))
        if not done or time.monotonic() - self._looked > _LOOK:
            done.extend(self._look())
        self._hand_out()
        return done

    def stop(self, *, now: bool = False) -> None:
        """Let go of what still runs; end the private cluster."""
        if self._client is not None:
            for worker in self._workers.values():
                self._client.cancel([job.future for job in worker.jobs], force=True)
            self._client.close(timeout=5)
        if self._local is not None:
            self._local.stop()
        self._client = self._local = None
        self._workers.clear()
        self._backlog.clear()
        self._ended = queue.SimpleQueue()

    # ---- inside

    def _connect(self) -> None:
        try:
            from distributed import Client
        except ModuleNotFoundError as exc:
            raise MissingDependencyError(
                "distributed is not installed", fix="uv add 'geotoolz-nextgen[dask]'"
            ) from exc
        address = self.address
        if address == "local":
            self._local = LocalDask(self.n_workers)
            address = self._local.address
        try:
            make: Any = Client
            reach(address)
            self._client = make(address, timeout=30, set_as_default=False)
        except (OSError, OverflowError, ValueError, TimeoutError) as exc:
            raise BatchError(
                f"no scheduler of dask answers at {address!r}: {exc}",
                expected="the address of a running one, such as 'tcp://host:8786'",
                fix="start one with `dask scheduler`, or use the address 'local'",
            ) from exc
        self._poor_since = None
        list(self._look())

    def _look(self) -> Iterator[Completion]:
        """Meet new workers, bury dead ones, fit the window.

        Raises
        ------
        BatchError
            If the scheduler is gone, or there has been no worker for longer than is waited.
        """
        self._looked = time.monotonic()
        try:
            threads = self._client.nthreads()
        except (OSError, TimeoutError) as exc:
            raise BatchError(
                f"the scheduler at {self.address!r} does not answer any more",
                expected="one that runs as long as its tasks",
                fix="run again: what was finished stays finished",
            ) from exc
        for address, count in threads.items():
            if address not in self._workers:
                # a nanny gives up a worker that dies in the moment in which it starts
                pause = 0.0 if self._local is not None else _LOOK
                self._workers[address] = _Worker(address, count, time.monotonic() + pause)
        for address in [address for address in self._workers if address not in threads]:
            yield from self._bury(self._workers.pop(address))
        places = sum(worker.threads for worker in self._workers.values())
        self._be_patient(places)
        capped = self._asked is not None and self._local is None
        self.window = max(1, min(places, self._asked or 1) if capped else places)

    def _be_patient(self, places: int) -> None:
        if places:
            self._poor_since = None
            return
        self._poor_since = self._poor_since or time.monotonic()
        if time.monotonic() - self._poor_since > self._patience:
            raise BatchError(
                f"the scheduler at {self.address!r} has had no worker for {self._patience:g} s",
                expected="at least one",
                fix="start some with `dask worker ADDRESS`, or give more patience=",
            )

    def _hand_out(self) -> None:
        """Give every worker as much as it runs at a time.

        Nothing waits on a worker: where it dies, that would be blamed on what ended a moment before.
        """
        running = sum(len(worker.jobs) for worker in self._workers.values())
        while self._backlog and running < self.window:
            ready = (worker for worker in self._workers.values() if worker.ready <= time.monotonic())
            best = min(ready, key=lambda w: len(w.jobs) / w.threads, default=None)
            if best is None or len(best.jobs) >= best.threads:
                return
            job = self._backlog.popleft()
            job.since, job.worker = time.monotonic(), best
            job.future = self._client.submit(
                attempt,
                self._fn,
                job.payload,
                job.timeout,
                "dask",
                pure=False,
                workers=[best.address],
                allow_other_workers=False,
                retries=0,
            )
            best.jobs.append(job)
            running += 1
            job.future.add_done_callback(lambda _, job=job: self._ended.put(job))

    def _take(self, patience: float) -> Iterator[Completion]:
        """Wait for an attempt to end, and take all that have."""
        try:
            ended = [self._ended.get(timeout=patience)]
        except queue.Empty:
            return
        while not self._ended.empty():
            ended.append(self._ended.get())
        for job in ended:
            if job.worker is not None and job in job.worker.jobs:  # else it was given up already
                yield from self._collect(job, job.worker)

    def _collect(self, job: _Job, worker: _Worker) -> Iterator[Completion]:
        from distributed import KilledWorker

        if job.future.status not in ("finished", "error"):
            return  # its worker has gone; `_look` will see that
        try:
            value, failure, seconds, who = job.future.result(timeout=_FETCH)
        except (KilledWorker, TimeoutError):
            return
        except Exception as exc:  # noqa: BLE001 - what the worker raises before the attempt begins: imports
            value, failure, seconds, who = None, Failure.of(exc), 0.0, "dask"
        worker.jobs.remove(job)
        yield Completion(job.ticket, value, failure, seconds, who)

    def _bury(self, worker: _Worker) -> Iterator[Completion]:
        """Report what a dead worker ran, its last answer among it where that did not arrive any more."""
        self._client.cancel([job.future for job in worker.jobs], force=True)
        for job in worker.jobs:
            job.worker, ran = None, time.monotonic() - job.since
            late = job.timeout is not None and ran >= job.timeout
            kind = FailureKind.TIMEOUT if late else FailureKind.LOST
            told = f"longer than {job.timeout:g} s; the worker was killed" if late else "the worker died"
            error = "Timeout" if late else "WorkerLost"
            yield Completion(job.ticket, None, Failure(kind, error, told), ran, f"dask {worker.address}")


def _refuse_nonsense(address: Any, patience: Any) -> None:
    if not isinstance(address, str) or not address:
        raise ParameterError(f"address={address!r}", expected="'local' or 'tcp://host:port'")
    if isinstance(patience, bool) or not isinstance(patience, int | float) or patience < 0:
        raise ParameterError(f"patience={patience!r}", expected="seconds, 0 or more")
