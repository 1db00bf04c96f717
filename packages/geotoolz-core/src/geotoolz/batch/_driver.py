"""The driver: keeps an engine busy, retries, counts failures, drains. Knows nothing about tiles."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Literal, TypeVar

from ._breaker import CircuitBreaker, ErrorWatch
from ._engine import Completion, Engine
from ._failure import Failure, FailureKind
from ._limit import FailureLimit
from ._retry import RetryPolicy

__all__ = ["Attempt", "Driver", "Outcome", "StopReason"]

T = TypeVar("T")
OnError = Literal["raise", "log"]
#: seconds between looks at the interrupt flag while nothing happens
_TICK = 0.25


class StopReason(StrEnum):
    """Why a run ended before its last task."""

    MAX_FAILURES = "max-failures"
    SAME_ERROR = "same-error"
    ON_ERROR = "on-error"
    OUTPUT = "output"
    BUDGET = "budget"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at a task: who ran it, how long, and how it failed (None: it did not)."""

    worker: str
    seconds: float
    failure: Failure | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a task ended.

    Attributes
    ----------
    ident : str
    value : object
        What the function returned; None for a failed task.
    failure : Failure or None
    attempts : tuple of Attempt
    """

    ident: str
    value: Any
    failure: Failure | None
    attempts: tuple[Attempt, ...]


@dataclass(slots=True)
class _Entry:
    ident: str
    payload: Any
    attempts: list[Attempt] = field(default_factory=list)


class Driver:
    """Runs tasks on an engine and yields their outcomes as they end.

    Parameters
    ----------
    engine : Engine
    policy : RetryPolicy
    limit : FailureLimit
    breaker : CircuitBreaker, optional
        Ends the run where tasks fail for one and the same reason.
    on_error : {"log", "raise"}
        "raise": the first task that fails for good ends the run (`stopped` says so).
    timeout : float, optional
        Deadline of one attempt in seconds.
    interrupted : callable, optional
        Says whether the user wants the run to end; asked between tasks.
    halt : callable, optional
        Asked before every task with the number of attempts under way; a reason ends the run.
    on_retry : callable, optional
        Told of every attempt that will be repeated: (ident, failure, pause in seconds).
    """

    def __init__(
        self,
        engine: Engine,
        *,
        policy: RetryPolicy | None = None,
        limit: FailureLimit | None = None,
        breaker: CircuitBreaker | None = None,
        on_error: OnError = "log",
        timeout: float | None = None,
        interrupted: Callable[[], bool] = lambda: False,
        halt: Callable[[int], StopReason | None] = lambda running: None,
        on_retry: Callable[[str, Failure, float], None] | None = None,
    ) -> None:
        self.engine = engine
        self.policy: RetryPolicy = policy or RetryPolicy()
        self.limit: FailureLimit = limit or FailureLimit(share=1.0)
        self.watch: ErrorWatch = ErrorWatch(breaker)
        self.on_error = on_error
        self.timeout = timeout
        self.stopped: StopReason | None = None
        self._interrupted = interrupted
        self._halt = halt
        self._on_retry = on_retry
        self._running: dict[int, _Entry] = {}
        self._delayed: list[tuple[float, int, _Entry]] = []
        self._tickets = 0
        self._order = 0
        self._failed = 0
        self._ended = 0

    def run(self, fn: Callable[[T], Any], tasks: Iterable[tuple[str, T]], total: int) -> Iterator[Outcome]:
        """Run ``fn(payload)`` for every ``(ident, payload)``.

        Parameters
        ----------
        fn : callable
        tasks : iterable of (str, payload)
            Taken one by one, as the engine has room.
        total : int
            How many there are, for the failure limit.

        Yields
        ------
        Outcome
        """
        source = iter(tasks)
        self.engine.start(fn)
        clean = False
        try:
            more = True
            while more or self._running or self._delayed:
                more = self._fill(source) and more
                if not self._running and (self.stopped is not None or not (more or self._delayed)):
                    break
                yield from self._step(total)
            clean = True
        finally:
            # GeneratorExit, an error of ours, a second Ctrl-C: nobody waits for the answers any more
            self.engine.stop(now=not clean)

    # ---- inside

    def _fill(self, source: Iterator[tuple[str, Any]]) -> bool:
        """Hand out attempts until the window is full; returns False when the source has run dry."""
        if self.stopped is None and self._interrupted():
            self.stopped = StopReason.INTERRUPTED
        while self.stopped is None and len(self._running) < self.engine.window:
            if self._delayed and self._delayed[0][0] <= time.monotonic():
                self._submit(heapq.heappop(self._delayed)[2])
                continue
            following = next(source, None)
            if following is None:
                return False
            self.stopped = self._halt(len(self._running))
            if self.stopped is not None:
                break
            self._submit(_Entry(*following))
        return True

    def _submit(self, entry: _Entry) -> None:
        self._tickets += 1
        self._running[self._tickets] = entry
        self.engine.submit(self._tickets, entry.payload, self.timeout)

    def _step(self, total: int) -> Iterator[Outcome]:
        pause = _TICK
        if self._delayed and self.stopped is None:
            pause = max(0.0, min(pause, self._delayed[0][0] - time.monotonic()))
        if not self._running:
            time.sleep(pause)
            return
        for completion in self.engine.wait(pause):
            entry = self._running.pop(completion.ticket, None)
            if entry is None:  # an answer of a worker that was already given up
                continue
            outcome = self._settle(entry, completion)
            if outcome is not None:
                self._count(outcome, total)
                yield outcome

    def _settle(self, entry: _Entry, completion: Completion) -> Outcome | None:
        """Turn an ended attempt into an outcome, or put the task back for another one."""
        failure = completion.failure
        entry.attempts.append(Attempt(completion.worker, completion.seconds, failure))
        if failure is None:
            return Outcome(entry.ident, completion.value, None, tuple(entry.attempts))
        counts = _count_kinds(entry.attempts)
        if self.policy.again(failure.kind, counts) and self.stopped is None:
            died = failure.kind is not FailureKind.TRANSIENT
            pause = 0.0 if died else self.policy.pause(entry.ident, len(entry.attempts))
            self._order += 1  # entries are not comparable: no two may have the same place
            heapq.heappush(self._delayed, (time.monotonic() + pause, self._order, entry))
            if self._on_retry is not None:
                self._on_retry(entry.ident, failure, pause)
            return None
        deaths = self.policy.deaths(counts)
        if failure.kind in (FailureKind.LOST, FailureKind.TIMEOUT) and deaths >= self.policy.worker_deaths:
            told = f"took {deaths} workers down, last: {failure.message}"
            failure = replace(failure, kind=FailureKind.POISON, message=told)
        return Outcome(entry.ident, None, failure, tuple(entry.attempts))

    def _count(self, outcome: Outcome, total: int) -> None:
        self._ended += 1
        repeated = self.watch.see(outcome.failure) if self.stopped is None else False
        if outcome.failure is None:
            return
        self._failed += 1
        if self.stopped is not None:
            return
        if outcome.failure.kind is FailureKind.OUTPUT:
            self.stopped = StopReason.OUTPUT
        elif self.on_error == "raise":
            self.stopped = StopReason.ON_ERROR
        elif repeated:
            self.stopped = StopReason.SAME_ERROR
        elif self.limit.exceeded(failed=self._failed, ended=self._ended, total=total, over=False):
            self.stopped = StopReason.MAX_FAILURES


def _count_kinds(attempts: Iterable[Attempt]) -> dict[FailureKind, int]:
    counts: dict[FailureKind, int] = {}
    for attempt in attempts:
        if attempt.failure is not None:
            counts[attempt.failure.kind] = counts.get(attempt.failure.kind, 0) + 1
    return counts
