"""Functions that an engine's workers run while it is checked; in a module, so that they are found there."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from geotoolz.core._errors import ReadError

__all__ = ["act", "double", "make_function"]


def double(value: int) -> int:
    """Return twice a number, the even ones a moment later than the odd."""
    if value % 2 == 0:
        time.sleep(0.02)
    return 2 * value


def make_function(value: int) -> object:
    """Return what cannot be pickled."""
    return lambda: value


class _Peculiar(Exception):  # noqa: N818 - named as a stranger would
    """An exception whose arguments are not those of its class: it cannot be unpickled."""

    def __init__(self, one: str, other: str) -> None:
        super().__init__(f"{one} and {other}")


def act(what: str) -> str:
    """Do what a text says (``"raise read"``, ``"kill PATH"``, ``"exit"``, ``"sleep 60"``), and return it."""
    word, _, rest = what.partition(" ")
    if word == "raise":
        _fail(rest)
    elif word == "kill" and _first(rest):
        os.kill(os.getpid(), signal.SIGKILL)
    elif word == "exit":
        os._exit(3)
    elif word == "sleep":
        time.sleep(float(rest))
    return what


def _fail(kind: str) -> None:
    if kind == "read":
        raise ReadError("scene.tif is truncated", expected="a whole file", fix="fetch it again")
    if kind == "zero":
        raise ZeroDivisionError("division by zero")
    raise _Peculiar("this", "that")


def _first(mark: str) -> bool:
    """Say whether this is the first attempt, over all processes: a file remembers."""
    try:
        Path(mark).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True
