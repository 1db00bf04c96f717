"""The loop of a worker process: take an attempt from the pipe, run it, put the answer back."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
from multiprocessing.connection import Connection

from ._failure import Failure
from ._worker import call, dumps, prepare_worker

__all__ = ["STARTUP", "worker_main"]

#: the ticket of an answer that belongs to no attempt: the worker could not start
STARTUP = -1


def worker_main(pipe: Connection, fn_bytes: bytes, environ: dict[str, str]) -> None:
    """Serve attempts until the other side closes the pipe or says None.

    Parameters
    ----------
    pipe : Connection
        Receives pickled ``(ticket, payload)`` or None, sends pickled answers.
    fn_bytes : bytes
        The pickled function.
    environ : dict
        The driver's environment; a fork server has the one of the moment when it was started.
    """
    # the terminal sends Ctrl-C to the whole group; the driver decides what happens to running tasks
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.clear()
    os.environ.update(environ)
    prepare_worker()
    _end_with_the_driver()
    try:
        fn = pickle.loads(fn_bytes)
    except Exception as exc:  # noqa: BLE001 - reported to the driver, which raises
        pipe.send_bytes(dumps((STARTUP, None, Failure.of(exc), 0.0)))
        return
    while True:
        try:
            blob = pipe.recv_bytes()
        except (EOFError, OSError):  # the driver is gone
            return
        if not blob:
            return
        ticket, payload, early = _unpack(blob)
        value, failure, seconds = (None, early, 0.0) if early is not None else call(fn, payload)
        try:
            pipe.send_bytes(dumps((ticket, value, failure, seconds)))
        except OSError:
            return


def _end_with_the_driver() -> None:
    """Let this process end when the driver's does, however that ended.

    A worker that went on with its tile would put files in place while the next driver makes the same tile.
    """
    driver = multiprocessing.parent_process()  # also where a fork server is in between
    if driver is None:
        return

    def watch() -> None:
        driver.join()
        os.kill(os.getpid(), signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)

    threading.Thread(target=watch, name="geotoolz-watch", daemon=True).start()


def _unpack(blob: bytes) -> tuple[int, object, Failure | None]:
    """Split a message; a payload that cannot be unpickled here fails alone."""
    ticket = int.from_bytes(blob[:8], "little")
    try:
        return ticket, pickle.loads(memoryview(blob)[8:]), None
    except Exception as exc:  # noqa: BLE001 - unpickling raises nearly anything
        return ticket, None, Failure.of(exc)
