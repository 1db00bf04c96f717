"""The inline engine: everything in this process, one after the other; for notebooks and small jobs."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from ._engine import Completion
from ._worker import call

__all__ = ["InlineEngine"]


class InlineEngine:
    """Runs tasks in the calling process.

    A deadline cannot be enforced here (nobody is there to kill the task), and a crash of the interpreter ends
    the run; use ``process`` for untrusted input.

    Parameters
    ----------
    n_workers : int, optional
        Accepted for symmetry; there is one worker.

    Examples
    --------
    >>> engine = InlineEngine()
    >>> engine.start(lambda x: x + 1)
    >>> engine.submit(0, 41)
    >>> engine.wait(None)[0].value
    42
    >>> engine.stop()
    """

    name = "inline"

    def __init__(self, n_workers: int | None = None) -> None:
        self.n_workers = 1
        self.window = 1
        self._fn: Callable[[Any], Any] | None = None
        self._queue: deque[tuple[int, Any]] = deque()

    def start(self, fn: Callable[[Any], Any]) -> None:
        """Remember the function."""
        self._fn = fn

    def submit(self, ticket: int, payload: Any, timeout: float | None = None) -> None:
        """Queue one attempt; it runs in `wait`."""
        self._queue.append((ticket, payload))

    def wait(self, timeout: float | None) -> Sequence[Completion]:
        """Run the next attempt."""
        if not self._queue or self._fn is None:
            return ()
        ticket, payload = self._queue.popleft()
        value, failure, seconds = call(self._fn, payload)
        return (Completion(ticket, value, failure, seconds, "inline"),)

    def stop(self, *, now: bool = False) -> None:
        """Forget what has not run."""
        self._queue.clear()
