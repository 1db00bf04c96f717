"""The process engine: workers of our own, so that a dying one loses exactly the task it was running."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from ._engine import Completion, default_workers
from ._failure import Failure, FailureKind
from ._process_main import STARTUP, worker_main

__all__ = ["ProcessEngine"]

#: attempts handed to one worker: the one that runs and one behind it, so that it never waits for the driver
_PREFETCH = 2
#: a larger payload waits until its worker is idle (it could fill the pipe while the worker fills the other
#: way)
_SMALL = 32_768
#: workers that die one after the other without finishing anything: something is wrong with the machine
_PRELOAD = ["numpy", "xarray", "geotoolz.core", "geotoolz.batch._process_main"]


@dataclass(slots=True)
class _Job:
    ticket: int
    blob: bytes
    timeout: float | None


@dataclass(slots=True)
class _Worker:
    process: BaseProcess
    pipe: Connection
    queue: deque[_Job] = field(default_factory=deque)
    since: float = 0.0

    @property
    def deadline(self) -> float | None:
        """When the running attempt has to be over, on the monotonic clock."""
        if not self.queue or self.queue[0].timeout is None:
            return None
        return self.since + self.queue[0].timeout


class ProcessEngine:
    """Runs tasks in processes of this machine (fork server where there is one, else spawn).

    A worker that dies (SIGKILL, ``os._exit``, out of memory) is replaced; the task that it ran is reported as
    lost, those waiting behind it move on untouched. A task over its deadline is killed with its worker.
    Scripts need no ``if __name__ == "__main__"`` guard: the workers do not import the calling script.

    Parameters
    ----------
    n_workers : int, optional
        By default the CPUs that this process may use.
    """

    name = "process"

    def __init__(self, n_workers: int | None = None) -> None:
        self.n_workers: int = n_workers or default_workers()
        self.window: int = self.n_workers * _PREFETCH
        method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
        self._context = multiprocessing.get_context(method)
        self._workers: list[_Worker] = []
        self._backlog: deque[_Job] = deque()
        self._fn_bytes = b""
        self._hide_main = True

    def start(self, fn: Callable[[Any], Any]) -> None:
        """Remember the function; processes start when there is work."""
        self._fn_bytes = pickle.dumps(fn)
        self._hide_main = getattr(fn, "__module__", None) != "__main__"
        if self._context.get_start_method() == "forkserver":
            self._context.set_forkserver_preload(_PRELOAD)

    def submit(self, ticket: int, payload: Any, timeout: float | None = None) -> None:
        """Hand out one attempt."""
        blob = ticket.to_bytes(8, "little") + pickle.dumps(payload, protocol=5)
        self._backlog.append(_Job(ticket, blob, timeout))
        self._dispatch()

    def wait(self, timeout: float | None) -> Sequence[Completion]:
        """Return what ended, replacing workers that died."""
        if not any(worker.queue for worker in self._workers):
            self._dispatch()
        by_handle: dict[Any, _Worker] = {}
        for worker in self._workers:
            by_handle[worker.pipe] = worker
            by_handle[worker.process.sentinel] = worker
        if not by_handle:
            return ()
        done: list[Completion] = []
        woken = {
            id(by_handle[handle]): by_handle[handle]
            for handle in wait(list(by_handle), self._patience(timeout))
        }
        for worker in woken.values():
            done.extend(self._collect(worker))
        done.extend(self._expire())
        self._dispatch()
        return done

    def stop(self, *, now: bool = False) -> None:
        """End the workers."""
        self._backlog.clear()
        for worker in self._workers:
            if now:
                worker.process.kill()
            else:
                _say_goodbye(worker)
        limit = time.monotonic() + 10.0
        for worker in self._workers:
            worker.process.join(max(0.1, limit - time.monotonic()))
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join(5.0)
            worker.pipe.close()
            if not worker.process.is_alive():
                worker.process.close()
        self._workers.clear()

    # ---- inside

    def _dispatch(self) -> None:
        while self._backlog:
            job = self._backlog[0]
            worker = self._pick(len(job.blob) > _SMALL)
            if worker is None:
                return
            self._backlog.popleft()
            if not worker.queue:
                worker.since = time.monotonic()
            worker.queue.append(job)
            try:
                worker.pipe.send_bytes(job.blob)
            except OSError:
                # dead already: `wait` sees its sentinel and reports the first of its queue
                continue

    def _pick(self, must_be_idle: bool) -> _Worker | None:
        best = min(self._workers, key=lambda worker: len(worker.queue), default=None)
        if best is not None and not best.queue:
            return best
        if len(self._workers) < self.n_workers:
            return self._spawn()
        if best is None or must_be_idle or len(best.queue) >= _PREFETCH:
            return None
        return best

    def _spawn(self) -> _Worker:
        worker = self._start_patiently()
        self._workers.append(worker)
        return worker

    def _start_patiently(self) -> _Worker:
        """Start a worker, also where the server that forks them was killed a moment ago.

        multiprocessing starts another server once it has seen the end of the first.
        """
        from geotoolz.core import BatchError

        for pause in (0.05, 0.2, 1.0):
            try:
                return self._start_worker()
            except (ConnectionError, EOFError):
                time.sleep(pause)
        try:
            return self._start_worker()
        except (ConnectionError, EOFError) as exc:
            raise BatchError(
                f"no worker process can be started: {exc}",
                expected="a machine that allows more processes",
                fix="run again, or use the engine 'inline'",
            ) from exc

    def _start_worker(self) -> _Worker:
        ours, theirs = self._context.Pipe(duplex=True)
        process = self._context.Process(  # type: ignore[attr-defined]  # BaseContext has no stub for it
            target=worker_main,
            args=(theirs, self._fn_bytes, dict(os.environ)),
            daemon=True,
            name="geotoolz-worker",
        )
        with _without_main(self._hide_main):
            process.start()
        theirs.close()
        return _Worker(process, ours)

    def _patience(self, timeout: float | None) -> float | None:
        deadlines = [worker.deadline for worker in self._workers]
        nearest = min((deadline for deadline in deadlines if deadline is not None), default=None)
        if nearest is None:
            return timeout
        left = max(0.0, nearest - time.monotonic())
        return left if timeout is None else min(left, timeout)

    def _collect(self, worker: _Worker) -> Iterator[Completion]:
        """Read every answer that is there; a closed pipe means that the worker is dead."""
        try:
            while worker.pipe.poll():
                ticket, value, failure, seconds = pickle.loads(worker.pipe.recv_bytes())
                if ticket == STARTUP:
                    _refuse_start(failure)
                worker.queue.popleft()
                worker.since = time.monotonic()
                yield Completion(ticket, value, failure, seconds, f"process-{worker.process.pid}")
        except (EOFError, OSError):
            yield from self._bury(worker, FailureKind.LOST)
            return
        if not worker.process.is_alive() and not worker.pipe.poll():
            yield from self._bury(worker, FailureKind.LOST)

    def _expire(self) -> Iterator[Completion]:
        now = time.monotonic()
        for worker in list(self._workers):
            if worker.deadline is not None and worker.deadline <= now:
                worker.process.kill()
                yield from self._bury(worker, FailureKind.TIMEOUT)

    def _bury(self, worker: _Worker, kind: FailureKind) -> Iterator[Completion]:
        """Take a dead worker out: report its running attempt, keep the one behind it."""
        if worker not in self._workers:
            return
        self._workers.remove(worker)
        worker.process.join(5.0)
        code = worker.process.exitcode
        name = f"process-{worker.process.pid}"
        worker.pipe.close()
        if not worker.queue:
            return
        job = worker.queue.popleft()
        self._backlog.extendleft(reversed(worker.queue))
        ran = time.monotonic() - worker.since
        yield Completion(job.ticket, None, Failure(kind, *_obituary(kind, code, job.timeout)), ran, name)


def _obituary(kind: FailureKind, code: int | None, timeout: float | None) -> tuple[str, str]:
    if kind is FailureKind.TIMEOUT:
        return "Timeout", f"longer than {timeout:g} s; the worker was killed"
    how = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
    hint = " (SIGKILL: often the system, out of memory; try fewer workers)" if code == -9 else ""
    return "WorkerLost", f"the worker died with {how}{hint}"


def _say_goodbye(worker: _Worker) -> None:
    try:
        worker.pipe.send_bytes(b"")
    except OSError:  # dead already
        worker.process.kill()


def _refuse_start(failure: Failure | None) -> None:
    from geotoolz.core._errors import BatchError

    message = failure.message if failure else "unknown"
    raise BatchError(
        f"worker processes that cannot start: {message}",
        expected="a function they can import",
        fix="put it into a module; functions of a notebook or a shell run with engine='inline'",
    )


@contextmanager
def _without_main(hide: bool) -> Iterator[None]:
    """Keep multiprocessing from importing the user's script in the workers.

    It would run the script a second time unless everything stands behind a ``__main__`` guard; our tasks name
    their functions by module and need nothing of it.
    """
    main = sys.modules.get("__main__")
    if not hide or main is None:
        yield
        return
    saved: dict[str, Any] = {
        name: main.__dict__.pop(name) for name in ("__file__", "__spec__") if name in main.__dict__
    }
    main.__spec__ = None
    try:
        yield
    finally:
        main.__dict__.update(saved)
