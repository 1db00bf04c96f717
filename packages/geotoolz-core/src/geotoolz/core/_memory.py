"""Memory that is counted: what the process holds, and buffers that are gone when they are let go."""

from __future__ import annotations

import ctypes
import mmap
import re
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from geotoolz.core._errors import ParameterError

MB = 2**20
_STATUS = Path("/proc/self/status")
_UNITS = {"": 1, "b": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}


def buffer(shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """Return an array in pages of its own: freed, it is gone from the process, whatever malloc keeps.

    Examples
    --------
    >>> import numpy as np
    >>> buffer((2, 3), np.dtype("f4")).shape
    (2, 3)
    """
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    if size == 0:
        return np.empty(shape, dtype)
    return np.frombuffer(mmap.mmap(-1, size), dtype).reshape(shape)


def parse_bytes(text: int | float | str, name: str = "max_memory") -> int:
    """Return a number of bytes: ``600_000_000``, ``"600MB"``, ``"0.5GiB"``.

    Examples
    --------
    >>> parse_bytes("600MB"), parse_bytes("1.5 GiB"), parse_bytes(1000)
    (600000000, 1610612736, 1000)
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmg]?i?)b?\s*", str(text).lower())
    if isinstance(text, bool) or match is None or match[2] not in _UNITS or float(match[1]) <= 0:
        raise ParameterError(f"{name}={text!r}", expected='bytes, or a text such as "600MB" or "1GiB"')
    return int(float(match[1]) * _UNITS[match[2]])


def resident() -> int:
    """Return the bytes that the process holds now, 0 where the system does not tell."""
    return _status("VmRSS")


def peak_resident() -> int:
    """Return the most bytes that the process ever held."""
    told = _status("VmHWM")
    if told:
        return told
    try:
        import resource
    except ImportError:  # Windows
        return 0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def _status(key: str) -> int:
    try:
        text = _STATUS.read_text("ascii", "replace")
    except OSError:
        return 0
    match = re.search(rf"^{key}:\s+(\d+) kB", text, re.MULTILINE)
    return int(match[1]) * 1024 if match else 0


def give_back() -> None:
    """Ask malloc to return what it keeps of freed memory; only glibc can."""
    if sys.platform.startswith("linux"):
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


class Watch:
    """Notes the most memory that the process held inside a ``with`` block.

    The system's own high-water mark is exact; where an earlier peak hides ours, samples are taken.
    """

    def __init__(self, seconds: float = 0.05) -> None:
        self.peak = 0
        self._seconds = seconds
        self._done = threading.Event()
        self._before = 0
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Watch:
        self._before, self.peak = peak_resident(), resident()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()
        most = peak_resident()
        self.peak = most if most > self._before else max(self.peak, resident())

    def _sample(self) -> None:
        while not self._done.wait(self._seconds):
            self.peak = max(self.peak, resident())
