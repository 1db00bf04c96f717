"""The loop over the chips: handing out, collecting in order, and what happens when one fails."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np

from geotoolz.core import ExecutorError, GeotoolzError
from geotoolz.patch._journal import Journal
from geotoolz.patch._merge import Merger
from geotoolz.patch._source import Array
from geotoolz.patch._work import Place, Results, Work

OnError = Literal["raise", "skip", "mask", "retry"]
Numbered = list[tuple[int, Place]]


@dataclass(frozen=True)
class ChipFailure:
    """A chip that failed, and what was done about it.

    Attributes
    ----------
    row, col : int
        Its place in the grid of chips.
    error : str
        What went wrong, the last time.
    attempts : int
        How often it was tried.
    action : {"retried", "skipped", "masked"}
        What was done: ``"retried"`` with success.
    """

    row: int
    col: int
    error: str
    attempts: int
    action: str


class Loop:
    """Sends chips to workers, and adds them in their order.

    Parameters
    ----------
    work : Work
        The chips.
    size : int
        Chips that a worker is handed at once.
    policy : tuple
        What happens when a chip fails, and how often it is tried again.
    journal : Journal, optional
        Keeps finished chips.
    """

    def __init__(self, work: Work, size: int, policy: tuple[OnError, int], journal: Journal | None) -> None:
        self._work, self._policy, self._journal = work, policy, journal
        self._size = size
        self.failures: list[ChipFailure] = []
        self.resumed = 0
        self._masked: list[Place] = []

    def fill(self, merger: Merger, pool: Executor, inflight: int) -> None:
        """Run all chips and hand them to the merger."""
        last: Place | None = None
        for place, chip in self._results(merger, pool, inflight):
            if last is not None and place[0] != last[0]:
                merger.end_row(last[0])
            merger.add(*place, chip)
            last = place
        if last is not None:
            merger.end_row(last[0])

    def _results(
        self, merger: Merger, pool: Executor, inflight: int
    ) -> Iterator[tuple[Place, dict[str, Array]]]:
        waiting: deque[tuple[Numbered, Future[Results] | Results]] = deque()
        todo = iter(self._batches())
        while True:
            while len(waiting) < inflight:
                batch = next(todo, None)
                if batch is None:
                    break
                waiting.append((batch, self._start(batch, pool)))
            if not waiting:
                return
            batch, begun = waiting.popleft()
            if isinstance(begun, list):
                results = [merger.checked(chip, place) for (_, place), chip in zip(batch, begun, strict=True)]
            else:
                results = self._finish(batch, begun, merger)
            for (_, place), chip in zip(batch, results, strict=True):
                yield place, chip

    def _batches(self) -> Iterator[Numbered]:
        numbered = list(enumerate(self._work.places()))
        for first in range(0, len(numbered), self._size):
            yield numbered[first : first + self._size]

    def _start(self, batch: Numbered, pool: Executor) -> Future[Results] | Results:
        if self._journal is not None:
            loaded = [self._journal.load(number) for number, _ in batch]
            found = [one for one in loaded if one is not None]
            if len(found) == len(batch):
                self.resumed += len(batch)
                return found
        try:
            return pool.submit(self._work.run, [place for _, place in batch])
        except BrokenExecutor as error:
            raise _died(batch) from error

    def _finish(self, batch: Numbered, begun: Future[Results], merger: Merger) -> Results:
        places = [place for _, place in batch]
        try:
            results = begun.result()
            checked = [merger.checked(chip, place) for place, chip in zip(places, results, strict=True)]
        except BrokenExecutor as error:
            raise _died(batch) from error
        except Exception as error:  # whatever a chip operator raises: the policy decides
            if self._policy[0] == "raise":
                raise _located(error, places) from error
            return [self._again(place, error, merger) for place in places]
        if self._journal is not None:
            for (number, _), chip in zip(batch, results, strict=True):
                self._journal.save(number, chip)
        return checked

    def _again(self, place: Place, error: Exception, merger: Merger) -> dict[str, Array]:
        """Treat one chip of a batch that failed, here and now."""
        policy, retries = self._policy
        # a batch fails as a whole, and its other chips are not to blame
        tries = retries if policy == "retry" else int(self._size > 1)
        for attempt in range(tries):
            try:
                chip = merger.checked(self._work.run([place])[0], place)
            except Exception as again:  # noqa: BLE001 - whatever a chip operator raises
                error = again
                continue
            if policy == "retry":
                self.failures.append(ChipFailure(*place, str(error), attempt + 2, "retried"))
            return chip
        if policy == "retry":
            raise _located(error, [place]) from error
        self.failures.append(
            ChipFailure(*place, str(error), tries + 1, f"{policy}ped" if policy == "skip" else "masked")
        )
        if policy == "mask":
            self._masked.append(place)
        return merger.checked(self._nothing(place), place)

    def _nothing(self, place: Place) -> dict[str, Array]:
        y, x = self._work.rows.shares[place[0]], self._work.cols.shares[place[1]]
        shape = (y.skip + len(y.weights), x.skip + len(x.weights))
        found = {}
        for name, spec in self._work.layers.specs.items():
            nodata = self._work.out.variables[name].nodata if spec.nodata is None else spec.nodata
            found[name] = np.full((*self._work.layers.leads[name], *shape), nodata, spec.dtype)
        return found

    def mask(self, first: int, rows: dict[str, Array]) -> None:
        """Set the pixels of masked chips to no-data in finished rows."""
        for place in self._masked:
            y, x = self._work.rows.shares[place[0]], self._work.cols.shares[place[1]]
            for name, array in rows.items():
                low, high = max(y.first - first, 0), min(y.end - first, array.shape[-2])
                if low < high:
                    array[..., low:high, x.first : x.end] = self._work.out.variables[name].nodata


def _located(error: Exception, places: Sequence[Place]) -> Exception:
    where = f"chip {places[0]}" if len(places) == 1 else f"chips {places[0]} to {places[-1]}"
    if isinstance(error, GeotoolzError):
        return error.prefixed(where)
    return ExecutorError(
        f"{where}: {type(error).__name__}: {error}", fix='on_error="skip" goes on without it'
    )


def _died(batch: Numbered) -> ExecutorError:
    return ExecutorError(
        f"a worker died around chip {batch[0][1]}",
        expected="workers that live as long as the run",
        fix="run it again; with journal=… it goes on where it was",
    )


class Inline(Executor):
    """Runs a chip when its turn comes, here: nothing is to be read ahead, and a thread would cost more."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Return what will be done when the result is asked for."""
        return _Later(partial(fn, *args, **kwargs))


class _Later(Future[Any]):
    def __init__(self, call: Callable[[], Any]) -> None:
        super().__init__()
        self._call = call

    def result(self, timeout: float | None = None) -> Any:
        return self._call()
