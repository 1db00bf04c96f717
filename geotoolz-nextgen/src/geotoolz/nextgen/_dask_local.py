"""A private dask cluster in processes of its own, which end with their caller.

The caller's script is not imported by the workers (it needs no ``__main__`` guard), a Ctrl-C in the caller's
terminal does not reach them, and where the caller dies, its end of the pipe closes and all of them end.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import subprocess
import sys
import tempfile
from multiprocessing.connection import wait
from typing import Any

from geotoolz.core import BatchError

__all__ = ["LocalDask"]

_FIRST = "address "
_PRELOAD = ["numpy", "xarray", "distributed", "geotoolz.core", "geotoolz.nextgen._task"]


class LocalDask:
    """The process that holds a scheduler and its workers.

    Parameters
    ----------
    n_workers : int
        Processes with one thread each.

    Raises
    ------
    BatchError
        If it does not start.
    """

    def __init__(self, n_workers: int) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed in stop
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", __name__, str(n_workers)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            start_new_session=True,
        )
        told = self._process.stdout.readline() if self._process.stdout is not None else ""
        if not told.startswith(_FIRST):
            self._log.seek(0)
            last = (self._log.read().decode(errors="replace").strip().splitlines() or ["no reason given"])[-1]
            self.stop()
            raise BatchError(f"dask does not start here: {last}", fix="use engine='process' on this machine")
        self.address = told.removeprefix(_FIRST).strip()

    def stop(self) -> None:
        """End scheduler and workers."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self._process.wait(15.0)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, 9)
            self._process.wait()
        self._log.close()


def _serve(n_workers: int) -> None:
    """Hold a scheduler and so many workers until standard input ends; put another where one dies.

    dask's own nanny is not taken: it gives up a worker that dies in the moment in which it starts.
    """
    from distributed import LocalCluster as Cluster

    methods = multiprocessing.get_all_start_methods()
    context: Any = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    if "forkserver" in methods:
        context.set_forkserver_preload(_PRELOAD)  # a worker that died is back in a moment
    quiet: dict[str, Any] = {"dashboard_address": None, "silence_logs": logging.CRITICAL}
    make: Any = Cluster
    with (
        tempfile.TemporaryDirectory(prefix="gtz-dask-", ignore_cleanup_errors=True) as folder,
        make(n_workers=0, host="127.0.0.1", **quiet) as cluster,
    ):
        address = cluster.scheduler_address
        sys.stdout.write(f"{_FIRST}{address}\n")
        sys.stdout.flush()
        workers: list[Any] = []
        stdin = sys.stdin.fileno()
        while True:
            while len(workers) < n_workers:
                workers.append(context.Process(target=_work, args=(address, folder), daemon=True))
                workers[-1].start()
            if stdin in wait([stdin, *(worker.sentinel for worker in workers)]):
                break
            workers = [worker for worker in workers if worker.is_alive()]
        for worker in workers:
            worker.kill()
            worker.join()


def _work(address: str, folder: str) -> None:
    """Be a worker until the scheduler goes."""
    from distributed import Worker

    logging.getLogger("distributed").setLevel(logging.CRITICAL)

    async def work() -> None:
        make: Any = Worker
        async with make(
            address, nthreads=1, local_directory=folder, memory_limit=0, death_timeout=60, dashboard=False
        ) as worker:
            await worker.finished()

    asyncio.run(work())


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
