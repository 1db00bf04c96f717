"""Functions that Ray's workers run in the tests."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from geotoolz.core import ReadError


def by_name(what: str) -> str:
    if what == "bad-data":
        raise ReadError("scene.tif is truncated", expected="a whole file", fix="fetch it again")
    if what == "exit":
        os._exit(3)
    if what.startswith("sleep "):
        time.sleep(float(what.split()[1]))
    if what.startswith("kill-once ") and _first(what.split(" ", 1)[1]):
        os.kill(os.getpid(), signal.SIGKILL)
    if what.startswith("busy-once ") and _first(what.split(" ", 1)[1]):
        raise TimeoutError("the server did not answer")
    if what == "environment":
        return os.environ["GDAL_CACHEMAX"]
    return what


def unpicklable(what: str) -> object:
    return lambda: what


def _first(mark: str) -> bool:
    try:
        Path(mark).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True
