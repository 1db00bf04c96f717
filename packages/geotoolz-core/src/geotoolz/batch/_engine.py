"""What a driver asks of an engine, and how an engine is found by its name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any, Protocol, runtime_checkable

from ._failure import Failure

__all__ = ["Completion", "Engine", "default_workers", "engine_names", "engine_options", "get_engine"]

GROUP = "geotoolz.engines"
#: engines of this package; also there when the distribution is run from a source tree without metadata
_BUILT_IN = {
    "inline": "geotoolz.batch._inline:InlineEngine",
    "process": "geotoolz.batch._process:ProcessEngine",
}
#: engines that other distributions bring, and what installs them
_ELSEWHERE = {
    "ray": "install geotoolz-nextgen for Ray: `uv add geotoolz-nextgen`",
    "dask": "install geotoolz-nextgen with dask's scheduler: `uv add 'geotoolz-nextgen[dask]'`",
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
    for what ended. It reads `window` anew each time: that of a cluster grows as nodes join. Engines do not
    retry; they report a dead worker as `FailureKind.LOST`, a task killed at its deadline as
    `FailureKind.TIMEOUT`. `stop` is called in every case, also after an error; `start` may follow again.

    `geotoolz.batch.testing.check_engine` tries all of this on an engine of your own. Its class is found by
    name through an entry point of the group ``geotoolz.engines``, is called with ``n_workers=`` and takes its
    options as further keyword arguments.
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


def get_engine(engine: str | Engine, n_workers: int | None = None, **options: Any) -> Engine:
    """Find an engine by name, or take the one given.

    Parameters
    ----------
    engine : str or Engine
        "inline", "process", or the name of an entry point of the group ``geotoolz.engines`` ("ray" and "dask"
        come with geotoolz-nextgen); an Engine object is returned as it is.
    n_workers : int, optional
        Handed to the engine; by default the CPUs of this process.
    **options : object
        What else the engine takes (``address="auto"``); see `engine_options`.

    Returns
    -------
    Engine

    Raises
    ------
    BatchError
        If no engine has this name (it says which there are, and what to install for "ray" and "dask").
    ParameterError
        If the engine does not take an option (it says which it takes), or not this value.

    Examples
    --------
    >>> get_engine("inline").name
    'inline'
    """
    from geotoolz.core._errors import ParameterError

    if n_workers is not None and (type(n_workers) is not int or n_workers < 1):
        raise ParameterError(
            f"n_workers={n_workers!r}",
            expected="a whole number of at least 1",
            fix="leave it out to use the CPUs of this machine",
        )
    if not isinstance(engine, str):
        if options:
            raise ParameterError(
                f"the options {', '.join(options)} beside an engine that is made already",
                expected="the name of an engine",
                fix="give them to the engine's class",
            )
        return engine
    factory = _find(engine)
    _refuse_unknown(engine, options, _options_of(factory))
    made: Engine = factory(n_workers=n_workers, **options)
    return made


def engine_options(engine: str) -> tuple[str, ...]:
    """Return the options that an engine takes, by name.

    Parameters
    ----------
    engine : str

    Returns
    -------
    tuple of str

    Raises
    ------
    BatchError
        If no engine has this name.

    Examples
    --------
    >>> engine_options("process")
    ()
    """
    return _options_of(_find(engine))


def _options_of(factory: Callable[..., Engine]) -> tuple[str, ...]:
    parameters = inspect.signature(factory).parameters.values()
    return tuple(p.name for p in parameters if p.kind is p.KEYWORD_ONLY)


def _refuse_unknown(engine: str, options: dict[str, Any], known: tuple[str, ...]) -> None:
    from geotoolz.core._errors import ParameterError, nearest

    for name in options:
        if name not in known:
            raise ParameterError(
                f"the engine {engine!r} has no option {name!r}{nearest(name, known)}",
                expected=f"one of {', '.join(known)}" if known else "no options",
            )


def _find(name: str) -> Callable[..., Engine]:
    from geotoolz.core._errors import BatchError

    if name in _BUILT_IN:
        module, _, attribute = _BUILT_IN[name].partition(":")
        from importlib import import_module

        found: Callable[..., Engine] = getattr(import_module(module), attribute)
        return found
    for point in entry_points(group=GROUP, name=name):
        loaded: Callable[..., Engine] = point.load()
        return loaded
    raise BatchError(
        f"engine {name!r}",
        expected=f"one of {', '.join(engine_names())}",
        fix=_ELSEWHERE.get(name, "check the spelling"),
    )
