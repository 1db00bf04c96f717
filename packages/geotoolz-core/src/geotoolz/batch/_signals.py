"""Ctrl-C in two steps: the first lets running tasks end, the second stops at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType

__all__ = ["Interrupts"]


class Interrupts:
    """Counts SIGINT and SIGTERM while it is entered (in the main thread; elsewhere it does nothing).

    Parameters
    ----------
    on_first : callable, optional
        Called at the first one, to tell the user what happens now.
    """

    def __init__(self, on_first: Callable[[], None] | None = None) -> None:
        self.count = 0
        self._tell = on_first
        self._previous: dict[int, object] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            # None: somebody set it from C, and Python cannot put that back
            signal.signal(number, signal.SIG_DFL if handler is None else handler)  # type: ignore[arg-type]  # what signal.signal gave back

    def asked(self) -> bool:
        """Say whether the user wants the run to end."""
        if self.count:
            self._say()
        return self.count > 0

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.count += 1
        if self.count > 1:
            raise KeyboardInterrupt
        try:
            self._say()
        except RuntimeError:  # it came in the middle of a write to the same stream: `asked` says it later
            return

    def _say(self) -> None:
        if self._tell is not None:
            self._tell()
            self._tell = None
