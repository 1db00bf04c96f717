"""What a driver asks of an engine, and how an engine is found by its name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any, Protocol, runtime_checkable

from ._failure import Failure

__all__ = ["Completion", "Engine", "default_workers", "engine_names", "get_engine"]

GROUP = "geotoolz.engines"
#: engines of this package; also there when the distribution is run from a source tree without metadata
_BUILT_IN = {
    "inline": "geotoolz.batch._inline:InlineEngine",
    "process": "geotoolz.batch._process:ProcessEngine",
}


@dataclass(frozen=True, slots=True)
class Completion:
    """One attempt that ended.

    Attributes
    ----------
    ticket : int
        The number under which the driver submitted it.
    value : object
        What the function returned, when it did.
    failure : Failure or None
        Why it did not.
    seconds : float
        How long the function ran (as seen by the worker), or since it was handed out, for a dead worker.
    worker : str
        Name of the worker, for the record of attempts.
    """

    ticket: int
    value: Any
    failure: Failure | None
    seconds: float
    worker: str


@runtime_checkable
class Engine(Protocol):
    """Runs one function on many payloads, somewhere.

    The driver calls `start` once, then `submit` while fewer than `window` attempts are under way, and `wait`
    for what ended. Engines do not retry; they report a dead worker as `FailureKind.LOST`, a task killed at
    its deadline as `FailureKind.TIMEOUT`. `stop` is called in every case, also after an error.
    """

    name: str
    window: int

    def start(self, fn: Callable[[Any], Any]) -> None:
        """Get ready to call `fn`."""

    def submit(self, ticket: int, payload: Any, timeout: float | None = None) -> None:
        """Hand out one attempt."""

    def wait(self, timeout: float | None) -> Sequence[Completion]:
        """Return what ended; an empty sequence after `timeout` seconds."""

    def stop(self, *, now: bool = False) -> None:
        """End the workers; `now` does not wait for running attempts."""


def default_workers() -> int:
    """Return the number of CPUs this process may use: a container's share, not the machine's."""
    from geotoolz.core._threads import cpus

    return cpus()


def engine_names() -> tuple[str, ...]:
    """Return the names that `get_engine` knows on this installation."""
    return tuple(sorted({*_BUILT_IN, *(point.name for point in entry_points(group=GROUP))}))


def get_engine(engine: str | Engine, n_workers: int | None = None) -> Engine:
    """Find an engine by name, or take the one given.

    Parameters
    ----------
    engine : str or Engine
        "inline", "process", or the name of an entry point of the group ``geotoolz.engines`` ("ray" comes with
        geotoolz-nextgen); an Engine object is returned as it is.
    n_workers : int, optional
        Handed to the engine; by default the CPUs of this process.

    Returns
    -------
    Engine

    Raises
    ------
    BatchError
        If no engine has this name (it says which there are, and what to install for "ray").

    Examples
    --------
    >>> get_engine("inline").name
    'inline'
    """
    from geotoolz.core._errors import BatchError, ParameterError

    if n_workers is not None and (type(n_workers) is not int or n_workers < 1):
        raise ParameterError(
            f"n_workers={n_workers!r}",
            expected="a whole number of at least 1",
            fix="leave it out to use the CPUs of this machine",
        )
    if not isinstance(engine, str):
        return engine
    factory = _find(engine)
    if factory is None:
        hint = (
            "install geotoolz-nextgen for Ray: `uv add geotoolz-nextgen`"
            if engine == "ray"
            else "check the spelling"
        )
        raise BatchError(f"engine {engine!r}", expected=f"one of {', '.join(engine_names())}", fix=hint)
    made: Engine = factory(n_workers=n_workers)
    return made


def _find(name: str) -> Callable[..., Engine] | None:
    if name in _BUILT_IN:
        module, _, attribute = _BUILT_IN[name].partition(":")
        from importlib import import_module

        found: Callable[..., Engine] = getattr(import_module(module), attribute)
        return found
    for point in entry_points(group=GROUP, name=name):
        loaded: Callable[..., Engine] = point.load()
        return loaded
    return None
