"""Functions that the workers of the batch tests run; in a module, so that they can be imported there."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from geotoolz.core._errors import QCError, ReadError, WriteError


def double(value: int) -> int:
    return 2 * value


def nothing(value: object) -> None:
    return None


def environment(name: str) -> str | None:
    return os.environ.get(name)


def unpicklable(value: int) -> object:
    return lambda: value


def foreign_error(value: int) -> int:
    class Local(Exception):
        def __init__(self, a: int, b: int) -> None:
            super().__init__(f"{a} and {b}")

    raise Local(1, 2)


def by_name(what: str) -> str:
    """Do what the payload says; marks in a folder count attempts across processes."""
    if what == "bad-data":
        raise ReadError("scene.tif is truncated", expected="a whole file", fix="fetch it again")
    if what == "qc":
        raise QCError("valid fraction 0.1", expected=">= 0.5")
    if what.startswith("bug-marked "):
        Path(what.split(" ", 1)[1]).touch()
        raise ZeroDivisionError("division by zero")
    if what == "bug":
        raise ZeroDivisionError("division by zero")
    if what.startswith("full "):
        Path(what.split(" ", 1)[1]).touch()
        error = WriteError("no space left on device")
        error.errno = 28
        raise error
    if what == "exit":
        os._exit(3)
    if what.startswith("after "):
        return _after(what.split(" ", 1)[1])
    if what.startswith("sleep "):
        time.sleep(float(what.split()[1]))
        return what
    if what.startswith("kill-once "):
        if _first(what.split(" ", 1)[1]):
            os.kill(os.getpid(), signal.SIGKILL)
        return what
    if what.startswith("busy-once "):
        if _first(what.split(" ", 1)[1]):
            raise TimeoutError("the server did not answer")
        return what
    return what


def _after(mark: str) -> str:
    """Wait for another task's mark, then take a while: whatever the workers' start took, the order is certain."""
    limit = time.monotonic() + 60
    while not Path(mark).exists() and time.monotonic() < limit:
        time.sleep(0.01)
    time.sleep(0.1)
    return mark


def _first(mark: str) -> bool:
    try:
        Path(mark).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True
