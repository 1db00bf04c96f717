"""A cluster of several nodes on one machine, for trying out: real Ray processes, started by ``ray start``."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from geotoolz.core import BatchError

from ._cluster_state import ClusterState, cluster_folder, is_running, read_state, write_state
from ._ray_start import RAY_ENV

__all__ = ["LocalCluster", "end_node"]

#: seconds for one node to start, on a busy machine
_PATIENCE = 180.0
_MIB = 2**20
_STARTED = "Ray runtime started"
_ADDRESS = re.compile(r"--address='([^']+)'")


class LocalCluster:
    """Starts and ends nodes; a context manager that ends them.

    Every node is a Ray of its own, with its own share of CPUs, and does not know that the others are on the
    same machine. Only this user gets in: the cluster has a token, in a file that only they can read and in
    the environment of this process.

    Parameters
    ----------
    nodes : int
    cpus : int
        Of each node.
    folder : path, optional
        For sockets, logs and the state; short, because socket paths are limited to 107 characters.
    dashboard : bool
        Also start what ``ray job submit`` talks to; needs the extra ``jobs``.

    Raises
    ------
    BatchError
        If a cluster is up already, or a node does not start.
    """

    def __init__(
        self,
        nodes: int,
        cpus: int = 1,
        *,
        folder: str | os.PathLike[str] | None = None,
        dashboard: bool = False,
    ) -> None:
        self.folder = cluster_folder() if folder is None else Path(folder)
        up = read_state(self.folder)
        if up is not None and up.alive:
            raise BatchError(
                f"a cluster of {len(up.alive)} nodes is up at {up.address}",
                expected="none",
                fix="`geotoolz cluster down` ends it",
            )
        self._cpus = cpus
        self._pids: list[int] = []
        self._token = self.folder / "token"
        self.address = self.client = self.jobs = ""
        try:
            self._start_head(dashboard)
            self.add(nodes - 1)
        except BaseException:
            self.down()
            raise

    @property
    def state(self) -> ClusterState:
        """What is remembered."""
        return ClusterState(
            self.address, self.client, self.jobs, tuple(self._pids), self._cpus, str(self._token)
        )

    def add(self, nodes: int = 1) -> None:
        """Start more nodes, all at a time."""
        join = f"--address={self.address}"
        started = [self._launch(join) for _ in range(nodes)]
        for process, log in started:
            try:
                _await(process, log)
            except BatchError:  # Ray gives a node 30 s; a busy machine may need more for many at a time
                self._pids.remove(process.pid)
                end_node(process.pid)
                _await(*self._launch(join))
        write_state(self.folder, self.state)

    def kill(self, number: int = -1) -> None:
        """End a node as a power cut would: all of its processes at once."""
        end_node(self._pids.pop(number))
        write_state(self.folder, self.state)

    def down(self) -> None:
        """End all nodes, the head last."""
        while self._pids:
            end_node(self._pids.pop())
        self.state.forget(self.folder)

    def __enter__(self) -> LocalCluster:
        return self

    def __exit__(self, *exc: object) -> None:
        self.down()

    # ---- inside

    def _start_head(self, dashboard: bool) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._token.unlink(missing_ok=True)
        self._token.touch(0o600)
        # one token per process: Ray reads it once, and this process may join the cluster, too
        token = os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
        os.environ.setdefault("RAY_AUTH_MODE", "token")
        self._token.write_text(token, "ascii")
        # a head with a server for clients does not start without gRPC, which a plain `ray` leaves out
        client = _free_port() if find_spec("grpc") else 0
        jobs = _free_port()
        process, log = self._launch(
            "--head",
            "--port=0",
            *((f"--ray-client-server-port={client}",) if client else ()),
            f"--temp-dir={self.folder / 'ray'}",
            f"--include-dashboard={str(dashboard).lower()}",
            *((f"--dashboard-port={jobs}",) if dashboard else ()),
        )
        found = _ADDRESS.search(_await(process, log))
        if found is None:
            raise BatchError("Ray did not tell its address", expected="a line with --address='…'")
        self.address = found[1]
        self.client = f"ray://127.0.0.1:{client}" if client else ""
        self.jobs = f"http://127.0.0.1:{jobs}" if dashboard else ""

    def _launch(self, *options: str) -> tuple[subprocess.Popen[bytes], Path]:
        """Start a node and return its process and its log."""
        command = [
            *(sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--disable-usage-stats"),
            *(f"--num-cpus={self._cpus}", "--node-ip-address=127.0.0.1", "--dashboard-agent-listen-port=0"),
            *("--log-style=record", f"--object-store-memory={100 * _MIB}"),
            *options,
        ]
        log = self.folder / f"node-{secrets.token_hex(3)}.log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=self._environment(),
            )
        self._pids.append(process.pid)
        return process, log

    def _environment(self) -> dict[str, str]:
        health = {"RAY_health_check_period_ms": "500", "RAY_health_check_failure_threshold": "3"}
        return {"RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0", **RAY_ENV, **health, **os.environ}


def _await(process: subprocess.Popen[bytes], log: Path) -> str:
    """Wait for a node to be up and return what it said."""
    limit = time.monotonic() + _PATIENCE
    while _STARTED not in (told := log.read_text(errors="replace")):
        if process.poll() is not None or time.monotonic() > limit:
            last = (told.strip().splitlines() or ["it said nothing"])[-1]
            raise BatchError(f"a node of Ray does not start: {last}", fix=f"read {log}")
        time.sleep(0.05)
    return told


def end_node(pid: int) -> None:
    """End a node at once: the process that started it, and all that came of it."""
    for member in (pid, *_session(pid)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(member, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)  # ours; that of another command's cluster is nobody's to wait for
    limit = time.monotonic() + 10.0
    while is_running(pid) and time.monotonic() < limit:
        time.sleep(0.02)


def _session(leader: int) -> Iterator[int]:
    """Find the processes of a session: Ray puts workers into groups of their own, never into sessions."""
    for pid in _all_processes():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if pid != leader and os.getsid(pid) == leader:
                yield pid


def _all_processes() -> list[int]:
    if Path("/proc/self").exists():
        return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    listed = subprocess.run(["ps", "-A", "-o", "pid="], capture_output=True, text=True, check=True)
    return [int(word) for word in listed.stdout.split()]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port: int = bound.getsockname()[1]
        return port
