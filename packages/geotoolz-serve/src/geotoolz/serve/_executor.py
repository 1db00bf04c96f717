"""The threads that draw: few of them, a bounded queue before them, and no work for those who have left."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from geotoolz.serve._errors import Problem

T = TypeVar("T")
CLIENT_GONE = 499
"""What nginx calls it; nobody reads it but the log."""


class Renderers:
    """A fixed number of threads behind a queue.

    Parameters
    ----------
    threads : int
        How many pictures are drawn at a time.
    queue : int
        How many may wait for a thread.
    """

    def __init__(self, threads: int, queue: int) -> None:
        self.queue = queue
        self.waiting = self.skipped = self.drawn = 0
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="geotoolz-render")
        self._slots = asyncio.Semaphore(threads)

    async def run(self, work: Callable[[], T], wanted: Callable[[], Awaitable[bool]] | None = None) -> T:
        """Run a function in one of the threads.

        Parameters
        ----------
        work : callable
            What is to be done.
        wanted : callable, optional
            Asked when its turn comes: whether somebody still waits for it.

        Raises
        ------
        Problem
            503 if too many wait; 499 if nobody waits any more.
        """
        if self._slots.locked() and self.waiting >= self.queue:
            raise Problem(
                f"{self.waiting} pictures wait to be drawn",
                status=503,
                code="busy",
                fix="try again in a second",
                headers={"Retry-After": "1"},
            )
        self.waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self.waiting -= 1
        try:
            if wanted is not None and not await wanted():
                self.skipped += 1
                raise Problem("the client has gone", status=CLIENT_GONE, code="client_gone")
            result = await asyncio.get_running_loop().run_in_executor(self._pool, work)
            self.drawn += 1
            return result
        finally:
            self._slots.release()

    def close(self) -> None:
        """Let what is being drawn end, and the threads with it."""
        self._pool.shutdown(wait=True, cancel_futures=True)
