"""The Ray engine: one task per tile, a bounded window of them, no Ray where there is nothing to do."""

from __future__ import annotations

import logging
import math
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from geotoolz.batch import Completion, Failure, FailureKind, default_workers
from geotoolz.core import BatchError

from ._ray_capacity import slots
from ._ray_options import Placement, RayOptions
from ._ray_pool import Actors, Job, Pool, Tasks
from ._ray_start import connect, telling_line

__all__ = ["RayEngine"]

_log = logging.getLogger("geotoolz.nextgen")
#: a worker ends itself at the deadline; one that does not answer so long after that is given up (a hung node)
_GRACE = 300.0
#: seconds between looks at the nodes of the cluster
_LOOK = 5.0
#: for so many seconds after a death, and between looks then: Ray learns by and by that a node is gone
_AFTER_DEATH, _SOON = 10.0, 1.0


class RayEngine:
    """Runs tasks on Ray: on this machine, or on the cluster at an address.

    Ray starts when the first task is submitted, so that a run with nothing to do does not pay for it, and
    what the engine started it stops. Tasks carry paths; pixels never go through the object store. Nodes may
    join while it runs: more tasks are then handed out, and there are always some waiting, which is what an
    autoscaler goes by. A node that is lost costs one attempt of every tile that it was working on.

    Parameters
    ----------
    n_workers : int, optional
        CPUs of the local Ray, or tasks at a time on a cluster. By default those of this process, or what the
        cluster holds.
    address : str, optional
        "local" (the default) starts a private Ray on this machine; "auto", "host:port" or "ray://host:port"
        join a running one, which is left running. An initialised Ray of this process is used as it is.
    runtime_env : mapping, optional
        Ray's runtime environment of the workers: ``env_vars``, ``working_dir``, ``pip`` and so on.
    cpus, gpus : float, optional
        What one task is given, parts included. Ray does not enforce CPUs; a GPU is shown to its task alone.
    memory : int or str, optional
        Bytes that one task needs ("2GiB"): a node gets no more tasks than fit.
    resources : mapping of str to float, optional
        Resources of your own (``{"spot": 1}``), as the nodes were started with.
    placement : {"pack", "spread"}
        "pack" fills nodes by half before it takes the next; "spread" goes round, for tasks that share a
        node's network.
    actors : bool
        Keep workers with their resources for the whole run. Plain workers are kept too, and load a model
        once; actors are for a GPU, which they do not give back between tasks, and for `in_flight`.
    in_flight : int
        Tasks that an actor works on at a time, in threads: one reads while another computes. A task that
        takes its actor down takes the others in flight with it.
    patience : float
        Seconds to wait for a node that can hold a task, before the run ends with an error. An autoscaler
        needs minutes for its first one. A private Ray is not waited for.
    object_store_memory : int or str, optional
        Shared memory of a local Ray; 512 MiB is plenty, for results are small.
    temp_dir : str, optional
        Folder for Ray's sockets and logs; short, because socket paths are limited to 107 characters.

    Raises
    ------
    ParameterError
        For an option that cannot be.
    BatchError
        When the first task is submitted, if Ray cannot be reached or started.

    Examples
    --------
    >>> from geotoolz.batch import get_engine
    >>> get_engine("ray", 2, cpus=2, memory="4GiB", placement="spread").name
    'ray'
    """

    name = "ray"

    def __init__(
        self,
        n_workers: int | None = None,
        *,
        address: str = "local",
        runtime_env: Mapping[str, Any] | None = None,
        cpus: float = 1.0,
        gpus: float = 0.0,
        memory: int | str | None = None,
        resources: Mapping[str, float] | None = None,
        placement: Placement = "pack",
        actors: bool = False,
        in_flight: int = 1,
        patience: float = 300.0,
        object_store_memory: int | str | None = None,
        temp_dir: str | None = None,
    ) -> None:
        self.options = RayOptions(
            address=address,
            runtime_env=runtime_env,
            cpus=cpus,
            gpus=gpus,
            memory=memory,
            resources=resources,
            placement=placement,
            actors=actors,
            in_flight=in_flight,
            patience=patience,
            object_store_memory=object_store_memory,
            temp_dir=temp_dir,
        )
        self.n_workers = n_workers or default_workers()
        self._asked = n_workers
        self.window = self.n_workers
        self._fn: Callable[[Any], Any] | None = None
        self._ray: Any = None
        self._pool: Pool | None = None
        self._started = False
        self._looked = 0.0
        self._died = -math.inf
        self._poor_since: float | None = None
        self._backlog: deque[Job] = deque()
        self._running: dict[Any, Job] = {}
        self._cancelled: set[Any] = set()

    @property
    def address(self) -> str:
        """Where Ray is."""
        return self.options.address

    def start(self, fn: Callable[[Any], Any]) -> None:
        """Remember the function; Ray starts with the first task."""
        self._fn = fn

    def submit(self, ticket: int, payload: Any, timeout: float | None = None) -> None:
        """Hand out one attempt."""
        if self._pool is None:
            self._connect()
        self._backlog.append(Job(ticket, payload, timeout))
        self._hand_out()

    def wait(self, timeout: float | None) -> Sequence[Completion]:
        """Return what ended, and look whether nodes have come or gone."""
        if self._pool is None:
            return ()
        now = time.monotonic()
        if now - self._looked > (_SOON if now - self._died < _AFTER_DEATH else _LOOK):
            self._look()
        self._hand_out()
        self._expire()
        waiting = [*self._running, *self._pool.watched()]
        if not waiting:
            if self._backlog:
                time.sleep(_LOOK if timeout is None else min(timeout, _LOOK))
            return ()
        wait, patience = self._ray.wait, _LOOK if timeout is None else min(timeout, _LOOK)
        # all that are ready are taken, not only the first: one call per task would cost the driver more
        ready, _ = wait(waiting, num_returns=1, timeout=patience, fetch_local=True)
        if ready:
            ready, _ = wait(waiting, num_returns=len(waiting), timeout=0, fetch_local=True)
        found = [completion for one in ready for completion in self._collect(one)]
        self._hand_out()
        return found

    def stop(self, *, now: bool = False) -> None:
        """Cancel what still runs and stop the Ray that this engine started."""
        if self._pool is None:
            return
        if not self.options.actors:
            for reference in self._running:
                self._ray.cancel(reference, force=True)
        self._pool.stop()
        self._backlog.clear()
        self._running.clear()
        self._cancelled.clear()
        self._pool = None
        if self._started:
            self._ray.shutdown()
            self._started = False

    # ---- inside

    def _connect(self) -> None:
        self._ray, self._started = connect(self.options, self.n_workers)
        kind = Actors if self.options.actors else Tasks
        # what was said when connecting holds for all tasks; of a Ray that was there it is said with each
        options = replace(self.options, runtime_env=None) if self._started else self.options
        self._pool = kind(self._ray, self._fn or _no_function, options)
        self._poor_since = None
        self._look()

    def _look(self) -> None:
        """Fit the window to the nodes that there are.

        Raises
        ------
        BatchError
            If no node has been able to hold a task for longer than is waited.
        """
        if self._pool is None:
            return
        self._looked = time.monotonic()
        nodes = self._ray.nodes()
        places = slots(nodes, self.options.need)
        own = self._started and self.address == "local"
        if not own and self._asked is not None:
            places = min(places, self._asked)
        if places == 0:
            self._be_patient(nodes, own)
        else:
            self._poor_since = None
        window = self._pool.window(places)
        if not own and self._asked is not None and not self.options.actors:
            window = min(window, self._asked)  # Ray starts what it is given as soon as it can
        if window != self.window:
            _log.info("%d tasks at a time on %d nodes", places, sum(bool(n["Alive"]) for n in nodes))
        self.n_workers = max(places, 1)
        self.window = max(window, 1)  # a task that waits is what an autoscaler sees
        # actors that wait for a node are what an autoscaler sees; no more than there is work for
        more = 0 if own or self._asked is not None else min(places, len(self._backlog))
        self._pool.resize(max(places, 1) + more)

    def _be_patient(self, nodes: Sequence[Mapping[str, Any]], own: bool) -> None:
        if self._poor_since is None:
            self._poor_since = time.monotonic()
        if not own and time.monotonic() - self._poor_since < self.options.patience:
            return
        need = ", ".join(f"{amount:g} {name}" for name, amount in self.options.need.items())
        alive = [node["Resources"] for node in nodes if node["Alive"]]
        there = "; ".join(
            ", ".join(f"{has.get(name, 0.0):g} {name}" for name in self.options.need) for has in alive
        )
        raise BatchError(
            f"no node of Ray at {self.address!r} can hold a task, which asks for {need}; they have {there}",
            expected="a node with as much",
            fix="ask for less, add nodes, or give an autoscaler more patience=",
        )

    def _hand_out(self) -> None:
        """Give Ray what it may hold."""
        while self._backlog and self._pool is not None and len(self._running) < self.window:
            job = self._backlog[0]
            job.since = time.monotonic()
            reference = self._pool.send(job)
            if reference is None:
                return
            self._running[reference] = self._backlog.popleft()

    def _collect(self, reference: Any) -> Sequence[Completion]:
        pool, errors = self._pool, self._ray.exceptions
        if pool is None:
            return ()
        job = self._running.get(reference)
        if job is None:
            if reference in pool.watched():
                pool.noticed(reference)
            return ()
        try:
            value, failure, seconds, worker = self._ray.get(reference)
        except errors.RuntimeEnvSetupError as exc:
            raise BatchError(
                f"the runtime environment cannot be made: {telling_line(exc)}",
                expected="one that every node can make",
                fix="try it with `geotoolz nextgen check-ray`",
            ) from exc
        except errors.RayError as exc:
            return self._bury(reference, job, exc)
        del self._running[reference]
        self._cancelled.discard(reference)
        pool.done(reference)
        return (Completion(job.ticket, value, failure, seconds, worker),)

    def _bury(self, reference: Any, job: Job, exc: Exception) -> Sequence[Completion]:
        """Report an attempt that died with its worker, and put back what died without having begun."""
        errors = self._ray.exceptions
        asked = reference in self._cancelled
        self._cancelled.discard(reference)
        del self._running[reference]
        if self._pool is not None:
            self._pool.buried(reference)
        if asked and isinstance(exc, errors.TaskCancelledError):
            self._backlog.appendleft(job)  # it still waited for a worker: others use the cluster, too
            return ()
        now = time.monotonic()
        self._died = now
        ran = now - job.since
        kind, told = _kind(errors, exc), telling_line(exc)
        if kind is FailureKind.LOST and job.timeout is not None and ran >= job.timeout:
            kind, told = FailureKind.TIMEOUT, f"longer than {job.timeout:g} s; the worker was killed"
        return (Completion(job.ticket, None, Failure(kind, type(exc).__name__, told), ran, "ray"),)

    def _expire(self) -> None:
        """Give up tasks whose worker should have ended itself long ago, with those before it."""
        if self.options.actors:
            return  # nothing but the death of its process ends what an actor runs
        now = time.monotonic()
        for reference, job in self._running.items():
            if job.timeout is None or reference in self._cancelled:
                continue
            if now - job.since > 2 * job.timeout + _GRACE:
                self._cancelled.add(reference)
                self._ray.cancel(reference, force=True)


def _no_function(payload: Any) -> Any:
    raise BatchError("an engine that was not started", expected="start(fn) before submit")


def _kind(errors: Any, exc: BaseException) -> FailureKind:
    """Say whether a Ray error means a node, a worker or memory that is gone; else it is an error of ours."""
    if isinstance(exc, (errors.NodeDiedError, errors.LocalRayletDiedError, errors.ObjectLostError)):
        return FailureKind.NODE
    gone = (
        errors.WorkerCrashedError,
        errors.OutOfMemoryError,
        errors.TaskCancelledError,
        errors.RayActorError,
    )
    return FailureKind.LOST if isinstance(exc, gone) else FailureKind.ERROR
