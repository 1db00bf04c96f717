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


def predict(what: tuple[str, str]) -> tuple[int, int]:
    """Run a pipeline with a model; return the process, and how many models it has loaded so far."""
    from geotoolz.batch._task import pipeline_of
    from geotoolz.core.testing import simulate_scene
    from geotoolz.learn import _handle

    text, mark = what
    if mark and _first(mark):
        os.kill(os.getpid(), signal.SIGKILL)
    if not hasattr(_handle, "loads"):
        _handle.loads, real = 0, _handle.load_model

        def counted(*args: object, **options: object) -> object:
            _handle.loads += 1
            return real(*args, **options)

        _handle.load_model = counted
    pipeline_of(text)(simulate_scene((16, 16), bands=("red", "nir")))
    return os.getpid(), _handle.loads


def meet(what: tuple[str, str]) -> int:
    """Leave a mark, wait for that of the other, and return the process."""
    mine, other = what
    Path(mine).touch()
    limit = time.monotonic() + 60
    while not Path(other).exists():
        if time.monotonic() > limit:
            raise ValueError("the other did not come")
        time.sleep(0.01)
    return os.getpid()
