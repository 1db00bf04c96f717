"""Functions that the workers of the batch tests run; in a module, so that they can be imported there."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
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
    word, _, rest = what.partition(" ")
    act = ACTS.get(word)
    if act is not None:
        act(rest)
    return what


def _bad_data(_: str) -> None:
    raise ReadError("scene.tif is truncated", expected="a whole file", fix="fetch it again")


def _qc(_: str) -> None:
    raise QCError("valid fraction 0.1", expected=">= 0.5")


def _bug(mark: str) -> None:
    if mark:
        Path(mark).touch()
    raise ZeroDivisionError("division by zero")


def _full(mark: str) -> None:
    Path(mark).touch()
    error = WriteError("no space left on device")
    error.errno = 28
    raise error


def _kill_once(mark: str) -> None:
    if _first(mark):
        os.kill(os.getpid(), signal.SIGKILL)


def _busy_once(mark: str) -> None:
    if _first(mark):
        raise TimeoutError("the server did not answer")


def _after(mark: str) -> None:
    """Wait for another task's mark, then take a while: the order is certain, however slow workers start."""
    limit = time.monotonic() + 60
    while not Path(mark).exists() and time.monotonic() < limit:
        time.sleep(0.01)
    time.sleep(0.1)


def _tell(mark: str) -> None:
    """Write this process's number, and never end."""
    Path(mark).write_text(f"{os.getpid()}\n")
    while True:
        time.sleep(0.05)


def _first(mark: str) -> bool:
    try:
        Path(mark).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


ACTS: dict[str, Callable[[str], object]] = {
    "bad-data": _bad_data,
    "qc": _qc,
    "bug": _bug,
    "full": _full,
    "exit": lambda _: os._exit(3),
    "sleep": lambda seconds: time.sleep(float(seconds)),
    "kill-once": _kill_once,
    "busy-once": _busy_once,
    "after": _after,
    "tell": _tell,
}
