"""Where attempts go on Ray: tasks that any worker takes, or actors that live as long as the run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from geotoolz.core import BatchError

from ._ray_options import RayOptions
from ._ray_start import telling_line
from ._task import Answer, attempt

__all__ = ["Actors", "Job", "Pool", "Tasks"]

#: attempts per place: the one that runs and one behind it, which keeps workers busy and autoscalers informed
_DEEP = 2
#: actors that die before they are ready, one after the other: something is wrong on every node
_BAD_STARTS = 3


@dataclass(slots=True)
class Job:
    """One attempt: what the driver handed in, and when it can have begun at the earliest."""

    ticket: int
    payload: Any
    timeout: float | None
    since: float = 0.0


class Pool(Protocol):
    """Takes attempts and says which ones a death is to be blamed on."""

    def window(self, slots: int) -> int:
        """Return how many attempts it may hold where so many run at a time."""

    def resize(self, slots: int) -> None:
        """Follow the cluster."""

    def send(self, job: Job) -> Any:
        """Hand out an attempt; returns its reference, or None where there is no room yet."""

    def watched(self) -> Sequence[Any]:
        """Return further references that are waited for."""

    def noticed(self, reference: Any) -> None:
        """Take one of them that is ready."""

    def done(self, reference: Any) -> None:
        """Take note that an attempt has ended."""

    def buried(self, reference: Any) -> None:
        """Take note that an attempt's worker died."""

    def stop(self) -> None:
        """Give everything back."""


class Tasks:
    """Plain tasks: Ray finds a worker for each, and keeps the workers."""

    def __init__(self, ray: Any, fn: Callable[[Any], Any], options: RayOptions) -> None:
        self._fn = fn
        # max_retries=0: the driver retries, and records every attempt.
        # max_calls=0: by default Ray ends a worker after one task with a GPU, and its models with it
        extra = {} if options.runtime_env is None else {"runtime_env": dict(options.runtime_env)}
        self._remote = ray.remote(**options.of_task(), max_retries=0, max_calls=0, **extra)(attempt)

    def window(self, slots: int) -> int:
        """Return one attempt that runs and one behind it per place."""
        return slots * _DEEP

    def resize(self, slots: int) -> None:
        """Need nothing: Ray finds new nodes itself."""

    def send(self, job: Job) -> Any:
        """Hand out an attempt."""
        return self._remote.remote(self._fn, job.payload, job.timeout)

    def watched(self) -> Sequence[Any]:
        """Watch nothing else."""
        return ()

    def noticed(self, reference: Any) -> None:
        """Never called."""

    def done(self, reference: Any) -> None:
        """Need nothing."""

    def buried(self, reference: Any) -> None:
        """Need nothing: Ray starts another worker."""

    def stop(self) -> None:
        """Need nothing."""


@dataclass(slots=True, eq=False)
class _Actor:
    handle: Any
    ready: Any
    alive: bool = False
    busy: set[Any] = field(default_factory=set)


class Worker:
    """A worker that stays: what it has loaded (models, a GPU's memory) stays with it."""

    def __init__(self, fn: Callable[[Any], Any]) -> None:
        self._fn = fn

    def ready(self) -> None:
        """Answer, once the process is there."""

    def attempt(self, payload: Any, timeout: float | None) -> Answer:
        """Run one attempt."""
        return attempt(self._fn, payload, timeout, "ray-actor")


class Actors:
    """Actors: as many as the cluster holds, each with its resources for the whole run.

    A dead one is replaced; the attempts that it ran are lost. Nothing waits in an actor: where it dies, that
    would be blamed on what ended a moment before.
    """

    def __init__(self, ray: Any, fn: Callable[[Any], Any], options: RayOptions) -> None:
        self._ray = ray
        self._fn = fn
        self._flight = options.in_flight
        extra = {} if options.runtime_env is None else {"runtime_env": dict(options.runtime_env)}
        made = ray.remote(**options.of_task(), max_restarts=0, max_task_retries=0, **extra)(Worker)
        self._class = made.options(max_concurrency=options.in_flight)
        self._actors: list[_Actor] = []
        self._homes: dict[Any, _Actor] = {}
        self._wanted = 0
        self._bad_starts = 0

    def window(self, slots: int) -> int:
        """Return those in flight, and as many that wait: they say that more actors are wanted."""
        return slots * self._flight * _DEEP

    def resize(self, slots: int) -> None:
        """Have so many actors."""
        self._wanted = slots
        while len(self._actors) < slots:
            handle = self._class.remote(self._fn)
            self._actors.append(_Actor(handle, handle.ready.remote()))

    def send(self, job: Job) -> Any:
        """Hand out an attempt to the actor that has the fewest."""
        best = min((a for a in self._actors if a.alive), key=lambda a: len(a.busy), default=None)
        if best is None or len(best.busy) >= self._flight:
            return None
        reference = best.handle.attempt.remote(job.payload, job.timeout)
        best.busy.add(reference)
        self._homes[reference] = best
        return reference

    def watched(self) -> Sequence[Any]:
        """Watch those that are not ready yet."""
        return [actor.ready for actor in self._actors if not actor.alive]

    def noticed(self, reference: Any) -> None:
        """Give work to an actor from now on, or put another in its place.

        Raises
        ------
        BatchError
            If none of some in a row could be started.
        """
        actor = next((a for a in self._actors if a.ready == reference), None)
        if actor is None:
            return
        try:
            self._ray.get(reference)
        except self._ray.exceptions.RayError as exc:
            self._actors.remove(actor)
            self._bad_starts += 1
            if self._bad_starts >= _BAD_STARTS and not any(a.alive for a in self._actors):
                raise BatchError(
                    f"no worker starts on the cluster: {telling_line(exc)}",
                    expected="geotoolz on every node, in the version of this process",
                    fix="`geotoolz nextgen check-ray --address …` says more",
                ) from exc
            self.resize(self._wanted)
            return
        actor.alive, self._bad_starts = True, 0

    def done(self, reference: Any) -> None:
        """Give its place to another."""
        self._homes.pop(reference).busy.discard(reference)

    def buried(self, reference: Any) -> None:
        """Put another actor in the place of a dead one, at the first of its attempts that tells."""
        actor = self._homes.pop(reference)
        if actor in self._actors:
            self._actors.remove(actor)
            self._ray.kill(actor.handle)  # dead, or not to be reached any more
            self.resize(self._wanted)

    def stop(self) -> None:
        """End the actors."""
        for actor in self._actors:
            self._ray.kill(actor.handle)
        self._actors.clear()
