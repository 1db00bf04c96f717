"""The Ray engine: one core task per tile, a bounded window of them, no Ray where there is nothing to do."""

from __future__ import annotations

import logging
import os
import secrets
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from geotoolz.batch import Completion, Failure, FailureKind, default_workers

from ._task import attempt

__all__ = ["RayEngine"]

_log = logging.getLogger("geotoolz.nextgen")
#: tasks under way per CPU: enough that no worker waits for the driver (the window made no difference beyond)
_PER_CPU = 2
#: a worker ends itself at the deadline; one that does not answer so long after that is given up (a hung node)
_GRACE = 300.0
_GIB = 2**30
#: set before Ray is imported; what the user has set wins
_ENV = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_task_oom_retries": "0",  # retries belong to the driver, where attempts are recorded
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # without it Ray warns that this default is about to change
}


class RayEngine:
    """Runs tasks on Ray: on this machine, or on the cluster at an address.

    Ray starts when the first task is submitted, so that a run with nothing to do does not pay for it, and
    what the engine started it stops. Tasks carry paths; pixels never go through the object store.

    Parameters
    ----------
    n_workers : int, optional
        CPUs of the local Ray, or tasks at a time on a cluster. By default those of this process, or of the
        cluster.
    address : str, optional
        "local" (the default) starts a private Ray on this machine; "auto", "host:port" or "ray://host:port"
        join a running one, which is left running. An initialised Ray of this process is used as it is.
    object_store_memory : int, optional
        Bytes of shared memory of a local Ray; 512 MiB is plenty, for results are small.
    temp_dir : str, optional
        Folder for Ray's sockets and logs; short, because socket paths are limited to 107 characters.

    Examples
    --------
    >>> from geotoolz.batch import get_engine
    >>> get_engine("ray", 2).name
    'ray'
    """

    name = "ray"

    def __init__(
        self,
        n_workers: int | None = None,
        *,
        address: str = "local",
        object_store_memory: int | None = None,
        temp_dir: str | None = None,
    ) -> None:
        self.n_workers = n_workers or default_workers()
        self._asked = n_workers
        self.window = self.n_workers * _PER_CPU
        self.address = address
        self._memory = object_store_memory or _GIB // 2
        self._temp_dir = temp_dir
        self._fn: Callable[[Any], Any] | None = None
        self._remote: Any = None
        self._started = False
        self._backlog: deque[tuple[int, Any, float | None]] = deque()
        self._running: dict[Any, tuple[int, float | None, float]] = {}
        self._cancelled: set[Any] = set()

    def start(self, fn: Callable[[Any], Any]) -> None:
        """Remember the function; Ray starts with the first task."""
        self._fn = fn

    def submit(self, ticket: int, payload: Any, timeout: float | None = None) -> None:
        """Hand out one attempt."""
        if self._remote is None:
            self._connect()
        self._backlog.append((ticket, payload, timeout))
        self._hand_out()

    def wait(self, timeout: float | None) -> Sequence[Completion]:
        """Return what ended, killing what is over its deadline."""
        import ray

        self._hand_out()
        if not self._running:
            return ()
        self._expire()
        waiting = list(self._running)
        # all that are ready are taken, not only the first: one call per task would cost the driver more
        ready, _ = ray.wait(waiting, num_returns=1, timeout=timeout, fetch_local=True)
        if ready:
            ready, _ = ray.wait(waiting, num_returns=len(waiting), timeout=0, fetch_local=True)
        return [self._collect(reference) for reference in ready]

    def stop(self, *, now: bool = False) -> None:
        """Cancel what still runs and stop the Ray that this engine started."""
        if self._remote is None:
            return
        import ray

        for reference in self._running:
            ray.cancel(reference, force=True)
        self._backlog.clear()
        self._running.clear()
        self._cancelled.clear()
        self._remote = None
        if self._started:
            ray.shutdown()
            self._started = False

    # ---- inside

    def _hand_out(self) -> None:
        """Give Ray what it may hold."""
        while self._backlog and len(self._running) < self.window:
            ticket, payload, timeout = self._backlog.popleft()
            reference = self._remote.remote(self._fn, payload, timeout)
            self._running[reference] = (ticket, timeout, time.monotonic())

    def _connect(self) -> None:
        _knock(self.address)
        ray = _import_ray(private=self.address == "local")
        if not ray.is_initialized():
            self._init(ray)
        if self._asked is None and self.address != "local":
            cpus = int(ray.cluster_resources().get("CPU", self.n_workers))
            self.n_workers = max(1, cpus)
            self.window = self.n_workers * _PER_CPU
        # max_retries=0: the driver retries, and records every attempt
        self._remote = ray.remote(num_cpus=1, max_retries=0)(attempt)

    def _init(self, ray: Any) -> None:
        from geotoolz.core import BatchError

        options: dict[str, Any] = {
            "address": self.address,
            "log_to_driver": False,
            "logging_level": logging.ERROR,
        }
        if self.address == "local":
            options.update(
                num_cpus=self.n_workers,
                include_dashboard=False,
                object_store_memory=self._memory,
                _temp_dir=self._temp_dir or _short_folder(),
            )
        try:
            ray.init(**options)
        except (ConnectionError, RuntimeError, ValueError, OSError) as exc:
            raise BatchError(
                f"Ray at {self.address!r} cannot be reached or started: {_first_line(exc)}",
                expected="'local', 'auto', 'host:port' or 'ray://host:port'",
                fix="check the address, or use engine='process' on this machine",
            ) from exc
        self._started = True
        _keep_stdout_clean()

    def _collect(self, reference: Any) -> Completion:
        import ray

        ticket, timeout, since = self._running.pop(reference)
        ran = time.monotonic() - since
        self._cancelled.discard(reference)
        late = timeout is not None and ran >= timeout
        try:
            value, failure, seconds, worker = ray.get(reference)
            return Completion(ticket, value, failure, seconds, worker)
        except ray.exceptions.RayError as exc:
            kind, told = _kind(exc), _first_line(exc)
            if late and kind is FailureKind.LOST:
                kind, told = FailureKind.TIMEOUT, f"longer than {timeout:g} s; the worker was killed"
            return Completion(ticket, None, Failure(kind, type(exc).__name__, told), ran, "ray")

    def _expire(self) -> None:
        """Give up tasks whose worker should have ended itself long ago, with those before it."""
        import ray

        now = time.monotonic()
        for reference, (_, timeout, since) in self._running.items():
            if (
                timeout is not None
                and now - since > _PER_CPU * timeout + _GRACE
                and reference not in self._cancelled
            ):
                self._cancelled.add(reference)
                ray.cancel(reference, force=True)


def _knock(address: str) -> None:
    """Refuse an address where nobody listens: Ray itself would try for many minutes.

    Raises
    ------
    BatchError
        If no connection can be made.
    """
    import socket

    from geotoolz.core import BatchError

    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdigit():
        return  # "local", "auto": Ray knows
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except (OSError, OverflowError) as error:
        raise BatchError(
            f"nobody answers at {address!r}: {error}",
            expected="the address of a running Ray, as `ray start --head` prints it",
            fix="start one there, or use the address 'local'",
        ) from error


def _import_ray(*, private: bool) -> Any:
    """Import Ray with its switches set; it reads most of them when it is imported."""
    # uv's hook makes the tasks of a local Ray hang (seen with 2.60: the first get never returned)
    os.environ["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = "0"
    for name, value in _ENV.items():
        os.environ.setdefault(name, value)
    if private and "ray" not in sys.modules:
        _lock_up()
    try:
        import ray
    except ModuleNotFoundError as exc:
        from geotoolz.core import MissingDependencyError

        raise MissingDependencyError("ray is not installed", expected="ray ≥ 2.40", fix="uv add ray") from exc
    return ray


def _lock_up() -> None:
    """Give the private cluster a token of its own: whoever reaches an open one can run code as this user."""
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    if os.environ["RAY_AUTH_MODE"] == "token" and "RAY_AUTH_TOKEN_PATH" not in os.environ:
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))


def _short_folder() -> str:
    """Return a folder whose sockets have short names."""
    folder = tempfile.gettempdir()
    if len(folder) > 30:
        folder = "/tmp"
    return os.path.join(folder, f"gtz-ray-{os.getuid() if hasattr(os, 'getuid') else 0}")  # noqa: PTH118


def _keep_stdout_clean() -> None:
    """Send the raylet's remarks (every dead worker is one) to the log: standard output is for results.

    Ray prints them whatever ``log_to_driver`` says, and has no switch; where its inside has changed, they
    stay.
    """
    from ray._private import worker

    if hasattr(worker, "print_to_stdstream"):
        worker.print_to_stdstream = _to_log


def _to_log(data: Any, ignore_prefix: bool) -> None:
    for line in data.get("lines", ()):
        _log.info("ray: %s", line)


def _kind(exc: BaseException) -> FailureKind:
    """Say what a Ray error means: a worker, node or memory that is gone; else an error of ours."""
    import ray

    gone = (
        ray.exceptions.WorkerCrashedError,
        ray.exceptions.NodeDiedError,
        ray.exceptions.OutOfMemoryError,
        ray.exceptions.LocalRayletDiedError,
        ray.exceptions.ObjectLostError,
        ray.exceptions.TaskCancelledError,
    )
    return FailureKind.LOST if isinstance(exc, gone) else FailureKind.ERROR


def _first_line(exc: BaseException) -> str:
    return (str(exc).strip().splitlines() or [type(exc).__name__])[0]
