"""The sandbox: processes that run strangers' pipelines, one of them always warm, all of them mortal."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import pickle
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geotoolz.serve._errors import Problem
from geotoolz.serve._metrics import Metrics
from geotoolz.serve._sandbox_child import ANSWER, REQUEST
from geotoolz.serve._settings import SandboxSettings

_START_S = 120.0
_RUNS = 200  # of one process
_MOST_BODY = 512 * 2**20
_WAITING = 4  # requests that may wait per process
_log = logging.getLogger("geotoolz.serve")
# what a child needs of the environment; keys and passwords are not among it
_PASSED = ("PATH", "LANG", "LC_ALL", "HOME", "PYTHONPATH", "VIRTUAL_ENV", "NUMBA_CACHE_DIR",
           "NUMBA_DISABLE_JIT", "PROJ_DATA", "GDAL_DATA", "LD_LIBRARY_PATH")  # fmt: skip


@dataclass
class _Child:
    """A process, ready for its next request."""

    process: asyncio.subprocess.Process
    folder: Path
    runs: int = 0

    async def ask(self, request: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
        """Send a request and wait for the answer.

        Raises
        ------
        EOFError
            If the process has ended.
        """
        if self.process.stdin is None:
            raise EOFError
        body = await asyncio.to_thread(pickle.dumps, dict(request), 5)
        try:
            self.process.stdin.write(REQUEST.pack(len(body)))
            self.process.stdin.write(body)
            await self.process.stdin.drain()
        except ConnectionError as error:
            raise EOFError from error
        return await self.answer()

    async def answer(self) -> tuple[dict[str, Any], bytes]:
        """Read an answer."""
        out = self.process.stdout
        if out is None:
            raise EOFError
        try:
            head, length = ANSWER.unpack(await out.readexactly(ANSWER.size))
            if head > 2**20 or length > _MOST_BODY:
                raise EOFError
            return json.loads(await out.readexactly(head)), await out.readexactly(length)
        except (asyncio.IncompleteReadError, ValueError) as error:
            raise EOFError from error

    def kill(self) -> None:
        """End the process now."""
        with suppress(ProcessLookupError):
            self.process.kill()

    async def gone(self) -> None:
        """Wait for the end of the process, and clean up after it."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        await self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Sandbox:
    """Runs strangers' pipelines.

    Parameters
    ----------
    settings : SandboxSettings
    metrics : Metrics
    """

    def __init__(self, settings: SandboxSettings, metrics: Metrics) -> None:
        self.settings = settings
        self._metrics = metrics
        self._idle: list[_Child] = []
        self._all: dict[int, _Child] = {}
        self._starting: set[asyncio.Task[None]] = set()
        self._ending: set[asyncio.Task[None]] = set()
        self._slots: asyncio.Semaphore | None = None
        self._waiting = 0
        self._closed = False

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes that live now."""
        return tuple(pid for pid, child in self._all.items() if child.process.returncode is None)

    def start(self) -> None:
        """Start the processes; called where the event loop runs."""
        self._slots = asyncio.Semaphore(self.settings.processes)
        for _ in range(self.settings.processes + 1):
            self._later()

    @asynccontextmanager
    async def leased(self) -> AsyncIterator[Lease]:
        """Lend a process for one run; it is killed at the deadline, or when the caller leaves early.

        Raises
        ------
        Problem
            503 where too many wait; 422 at the deadline, or where the process was ended by a limit.
        """
        if self._slots is None:
            self.start()
        if self._slots is None or self._closed or self._waiting >= _WAITING * self.settings.processes:
            raise Problem("too many runs wait", status=503, code="busy", headers={"Retry-After": "5"})
        self._waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self._waiting -= 1
        try:
            child = await self._ready()
            async with self._watched(child) as lease:
                yield lease
        finally:
            self._slots.release()

    @asynccontextmanager
    async def _watched(self, child: _Child) -> AsyncIterator[Lease]:
        outcome = "failed"
        lease = Lease(child)
        try:
            async with asyncio.timeout(self.settings.wall_s):
                yield lease
            outcome = "refused" if lease.refused else "done"
        except TimeoutError as error:
            outcome = "deadline"
            raise _limit(f"the run took longer than {self.settings.wall_s:g} s") from error
        except EOFError as error:  # SIGXCPU, or an allocation that native code did not survive
            outcome = "ended"
            raise _limit("the run took too much memory or processor time") from error
        except Problem:
            outcome = "refused" if lease.whole else outcome
            raise
        finally:
            self._metrics.count("geotoolz_sandbox_runs_total", {"outcome": outcome})
            self._give_back(child, lease.whole and outcome in ("done", "refused"))

    def _give_back(self, child: _Child, healthy: bool) -> None:
        child.runs += 1
        if healthy and child.runs < _RUNS and not self._closed:
            self._idle.append(child)
            return
        self._end(child)
        if not self._closed:
            self._later()

    def _end(self, child: _Child) -> None:
        self._all.pop(child.process.pid, None)
        child.kill()
        task = asyncio.get_running_loop().create_task(child.gone())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _ready(self) -> _Child:
        while True:
            while self._idle:
                child = self._idle.pop()
                if child.process.returncode is None:
                    return child
                self._end(child)
                self._later()
            if self._closed:
                raise Problem("the server is on its way down", status=503, code="draining")
            if not self._starting:
                self._later()
            await asyncio.wait(self._starting, return_when=asyncio.FIRST_COMPLETED)

    def _later(self) -> None:
        """Start a process beside everything else."""
        task = asyncio.get_running_loop().create_task(self._spawn())
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)

    async def _spawn(self) -> None:
        folder = Path(tempfile.mkdtemp(prefix="geotoolz-sandbox-"))
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "geotoolz.serve._sandbox_child",
            str(self.settings.memory_mb), str(self.settings.cpu_s),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
            env=_environment(folder), cwd=folder, limit=2**20,
        )  # fmt: skip
        child = _Child(process, folder)
        self._all[process.pid] = child
        try:
            async with asyncio.timeout(_START_S):
                await child.answer()
        except (TimeoutError, EOFError):
            if not self._closed:
                _log.error("a sandbox process did not start")
                self._end(child)
            return
        if self._closed:
            self._end(child)
        else:
            self._idle.append(child)

    async def close(self) -> None:
        """End all processes."""
        self._closed = True
        for child in list(self._all.values()):
            self._end(child)
        self._idle.clear()
        # a process that is starting ends when it finds its pipe closed
        await asyncio.gather(*self._starting, *self._ending, return_exceptions=True)


class Lease:
    """A process that is lent for one run.

    Attributes
    ----------
    whole : bool
        Whether every question has been answered: the process is in a known state.
    refused : bool
        Whether the last answer was a problem.
    """

    def __init__(self, child: _Child) -> None:
        self._child = child
        self.whole = True
        self.refused = False

    async def ask(self, request: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
        """Return the answer's facts and bytes.

        Raises
        ------
        Problem
            That the process found.
        """
        self.whole = False
        facts, body = await self._child.ask(request)
        self.whole = True
        if "problem" in facts:
            self.refused = True
            told = facts["problem"]
            raise Problem(
                str(told["message"]), status=int(told["status"]), code=str(told["code"]), fix=str(told["fix"])
            )
        return facts, body


def _limit(text: str) -> Problem:
    return Problem(text, status=422, code="limit_exceeded", fix="take a smaller area, or fewer steps")


def _environment(folder: Path) -> dict[str, str]:
    """Return the environment of a child: one thread, no secrets, its own place for temporary files."""
    kept = {name: os.environ[name] for name in _PASSED if name in os.environ}
    threads = dict.fromkeys(
        (
            "OMP_NUM_THREADS",
            "OPENBLAS_NUM_THREADS",
            "MKL_NUM_THREADS",
            "NUMBA_NUM_THREADS",
            "GEOTOOLZ_THREADS",
        ),
        "1",
    )
    return {**kept, **threads, "TMPDIR": str(folder), "NUMBA_DISABLE_INTEL_SVML": "1", "GDAL_CACHEMAX": "32"}
