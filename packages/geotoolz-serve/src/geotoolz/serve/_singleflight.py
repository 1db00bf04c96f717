"""One run for all who want the same at the same time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Hashable
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class ThreadFlights(Generic[T]):
    """Among threads: the first one computes, the others wait for its result."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[Hashable, Future[T]] = {}

    def do(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return what `make` returns, or what it returns in another thread that has begun already."""
        with self._lock:
            running = self._running.get(key)
            if running is None:
                mine: Future[T] = Future()
                self._running[key] = mine
        if running is not None:
            return running.result()
        try:
            result = make()
        except BaseException as error:
            self._forget(key)
            mine.set_exception(error)
            raise
        self._forget(key)
        mine.set_result(result)
        return result

    def _forget(self, key: Hashable) -> None:
        with self._lock:
            del self._running[key]


class Flight(Generic[T]):
    """A run in an event loop, and the requests that wait for it."""

    def __init__(self, task: asyncio.Task[T]) -> None:
        self.task = task
        self.requests: list[Any] = []

    async def wanted(self) -> bool:
        """Whether somebody who waits is still there."""
        for request in list(self.requests):
            if not await request.is_disconnected():
                return True
            self.requests.remove(request)
        return False


class Flights(Generic[T]):
    """Among requests of one event loop."""

    def __init__(self) -> None:
        self._running: dict[Hashable, Flight[T]] = {}

    async def join(
        self, key: Hashable, request: Any, make: Callable[[Callable[[], Awaitable[bool]]], Awaitable[T]]
    ) -> T:
        """Wait for the run of a key, and begin it where nobody has.

        Parameters
        ----------
        key : hashable
            What is wanted.
        request : starlette.requests.Request
            Who wants it.
        make : callable
            Gets a function that tells whether somebody still waits; returns the result.
        """
        flight = self._running.get(key)
        if flight is None:

            async def run() -> T:
                try:
                    return await make(self._running[key].wanted)
                finally:
                    del self._running[key]

            flight = self._running[key] = Flight(asyncio.ensure_future(run()))
            flight.task.add_done_callback(_looked_at)
        flight.requests.append(request)
        # one who waits may be cancelled; the others' run goes on
        return await asyncio.shield(flight.task)


def _looked_at(task: asyncio.Task[Any]) -> None:
    """Take note of an error, so that nobody complains if all who waited have gone."""
    if not task.cancelled():
        task.exception()
