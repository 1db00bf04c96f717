"""Why a task failed: the kind decides whether it is tried again."""

from __future__ import annotations

import errno
import traceback
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from geotoolz.io._object_errors import StoreError

__all__ = ["Failure", "FailureKind", "classify"]


class FailureKind(StrEnum):
    """The kinds of failure; see `RetryPolicy` for what follows from each."""

    TRANSIENT = "transient"
    """May go away by itself (network, time-out of a server, too many open files): retried after a pause."""
    BAD_DATA = "bad-data"
    """The input cannot be read: not retried, quarantined until the input or the pipeline changes."""
    QC = "qc"
    """A quality check of the pipeline said no: not retried."""
    PIPELINE = "pipeline"
    """The pipeline does not fit the tile (missing band, no CRS, nonsense): not retried."""
    OUTPUT = "output"
    """The output cannot be written (disk full, read-only, no permission): ends the run, all would fail."""
    LOST = "lost"
    """The worker died while it ran the task: retried, poison after some deaths."""
    NODE = "node-lost"
    """The machine under the worker went away: retried, and the task is not to blame."""
    TIMEOUT = "timeout"
    """The task ran longer than its deadline and was killed: retried, poison like LOST."""
    POISON = "poison"
    """The task took its worker with it again and again: given up, quarantined."""
    ERROR = "error"
    """Anything else, a bug most likely: not retried."""


#: kinds that come back while input, pipeline and code are the same: their tiles go into quarantine
COMES_BACK = frozenset({FailureKind.BAD_DATA, FailureKind.POISON, FailureKind.QC, FailureKind.PIPELINE})
#: errno values that may be different a moment later
_TRANSIENT_ERRNO = frozenset(
    {
        errno.EAGAIN,
        errno.EINTR,
        errno.EBUSY,
        errno.ETIMEDOUT,
        errno.ECONNRESET,
        errno.ECONNREFUSED,
        errno.ECONNABORTED,
        errno.EHOSTUNREACH,
        errno.ENETUNREACH,
        errno.ENETDOWN,
        errno.EPIPE,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOMEM,
        getattr(errno, "ESTALE", -1),
    }
)
#: errno values that say that nothing more can be written here
_FULL_ERRNO = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})
_OUTPUT_ERRNO = _FULL_ERRNO | {errno.EROFS, errno.EACCES, errno.EPERM}
#: what GDAL and HTTP clients write when a server was slow or busy; they raise no errno
_TRANSIENT_WORDS = (
    "timed out",
    "timeout",
    "http response code: 429",
    "http response code: 50",
    "connection reset",
    "could not resolve host",
    "temporarily unavailable",
    "slowdown",
)
_FULL_WORDS = ("no space left", "read-only file system", "permission denied", "disk quota")


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed attempt, in plain picklable values (the exception itself may not survive a process).

    Attributes
    ----------
    kind : FailureKind
    error : str
        Name of the exception's class.
    message : str
    traceback : str
        As text; empty where there is none (a dead worker).
    exception : BaseException or None
        The exception where it can be pickled.
    """

    kind: FailureKind
    error: str
    message: str
    traceback: str = ""
    exception: BaseException | None = None

    @classmethod
    def of(cls, exc: BaseException) -> Failure:
        """Describe an exception that was caught."""
        text = "".join(traceback.format_exception(exc))
        return cls(classify(exc), type(exc).__name__, _message(exc), text, exc)

    def to_dict(self) -> dict[str, Any]:
        """Values for JSON: kind, error, message."""
        return {"kind": self.kind.value, "error": self.error, "message": self.message}


def _message(exc: BaseException) -> str:
    # str(KeyError("x")) is "'x'"; the typed errors bring their own text
    return str(exc) or type(exc).__name__


def _root_errno(exc: BaseException) -> int | None:
    """Return the errno of the exception or of what it was raised from."""
    seen: set[int] = set()
    current: BaseException | None = exc
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        # GDAL's exceptions have an errno too, with numbers of GDAL's own: 4, "open failed", is no EINTR
        if isinstance(current, OSError) and isinstance(current.errno, int):
            return current.errno
        current = current.__cause__ or current.__context__
    return None


def classify(exc: BaseException) -> FailureKind:
    """Say of which kind an exception is.

    Parameters
    ----------
    exc : BaseException

    Returns
    -------
    FailureKind

    Examples
    --------
    >>> [classify(error).value for error in (TimeoutError("slow"), ConnectionResetError(), TypeError())]
    ['transient', 'transient', 'error']
    """
    from geotoolz.core import _errors as core

    number = _root_errno(exc)
    words = str(exc).lower()
    if isinstance(exc, StoreError):  # down or busy may pass; no rights, no bucket will not
        return FailureKind.TRANSIENT if number in _TRANSIENT_ERRNO else FailureKind.OUTPUT
    if isinstance(exc, core.WriteError):
        return FailureKind.OUTPUT if _is_output_problem(number, words) else FailureKind.ERROR
    if number in _FULL_ERRNO:
        return FailureKind.OUTPUT
    if isinstance(exc, core.QCError):
        return FailureKind.QC
    if isinstance(exc, core.ReadError) or _is_rasterio(exc):
        return FailureKind.TRANSIENT if number in _TRANSIENT_ERRNO or _has(words) else FailureKind.BAD_DATA
    if isinstance(exc, core.GeotoolzError):
        return FailureKind.PIPELINE
    if isinstance(exc, (TimeoutError, ConnectionError, MemoryError)) or number in _TRANSIENT_ERRNO:
        return FailureKind.TRANSIENT
    if isinstance(exc, (FileNotFoundError, PermissionError, IsADirectoryError)):
        return FailureKind.BAD_DATA
    # any other OSError: an input/output error of a disk or a share may pass
    return FailureKind.TRANSIENT if isinstance(exc, OSError) else FailureKind.ERROR


def _is_output_problem(number: int | None, words: str) -> bool:
    return number in _OUTPUT_ERRNO or any(word in words for word in _FULL_WORDS)


def _has(words: str) -> bool:
    return any(word in words for word in _TRANSIENT_WORDS)


def _is_rasterio(exc: BaseException) -> bool:
    """Say whether it is one of rasterio's own (which are no OSErrors, or carry no number)."""
    return type(exc).__module__.split(".")[0] == "rasterio"
