"""What a tile cost its worker: processor time, memory at its peak, bytes read and written."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from geotoolz.core._memory import peak_resident

__all__ = ["Usage", "measured"]

_PROC = Path("/proc/self")
#: what Linux is told to make a process's peak start again from now
_RESET_PEAK = "5"


class Usage:
    """What was used inside `measured`.

    Attributes
    ----------
    values : dict
        After the end: ``cpu_seconds`` (of the whole process: with several tiles at once in threads of one
        process their sum), ``peak_bytes`` (resident memory of the process at its peak; since the start of the
        process where the system cannot say more), ``read_bytes`` and ``written_bytes`` (through the system's
        read and write calls, cached or not; what came over the network is not among them). What the system
        does not tell is left out.
    """

    def __init__(self) -> None:
        self.values: dict[str, float] = {}
        with suppress(OSError):  # no Linux, or a sandbox
            (_PROC / "clear_refs").write_text(_RESET_PEAK)
        self._io = _io()
        self._cpu = time.process_time()

    def end(self) -> None:
        """Take the differences."""
        self.values["cpu_seconds"] = round(time.process_time() - self._cpu, 4)
        peak = peak_resident()
        if peak:
            self.values["peak_bytes"] = peak
        for name, now in _io().items():
            self.values[name] = max(0, now - self._io.get(name, now))


@contextmanager
def measured() -> Iterator[Usage]:
    """Measure what happens inside.

    Examples
    --------
    >>> with measured() as usage:
    ...     total = sum(range(1000))
    >>> usage.values["cpu_seconds"] >= 0.0
    True
    """
    usage = Usage()
    try:
        yield usage
    finally:
        usage.end()


def _io() -> dict[str, int]:
    told = _fields("io")
    pairs = (("read_bytes", "rchar"), ("written_bytes", "wchar"))
    return {name: int(told[key]) for name, key in pairs if key in told}


def _fields(name: str) -> dict[str, str]:
    """Return the fields of one of the files that Linux keeps of this process; none elsewhere."""
    try:
        lines = (_PROC / name).read_text().splitlines()
    except OSError:
        return {}
    return {key: value.strip() for key, colon, value in (line.partition(":") for line in lines) if colon}
