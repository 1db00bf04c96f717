"""What every engine has to do, as checks that name what an engine does instead."""

from __future__ import annotations

import pickle
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from geotoolz.batch._driver import Driver, Outcome
from geotoolz.batch._engine import Completion, Engine
from geotoolz.batch._failure import FailureKind
from geotoolz.batch._retry import RetryPolicy
from geotoolz.core._errors import GeotoolzError, ReadError

from ._tasks import act, double, make_function

__all__ = ["CHECKS", "ISOLATED", "EngineBrokenError", "check_engine"]

Make: TypeAlias = Callable[[], Engine]

#: seconds within which anything has to happen; nothing waits for it where an engine does what it should
PATIENCE = 120.0


class EngineBrokenError(GeotoolzError, AssertionError):
    """An engine does not do what a driver relies on."""


def check_engine(make: Make, *, isolated: bool = True, only: Sequence[str] | None = None) -> tuple[str, ...]:
    """Try everything on an engine that a driver relies on.

    Each check makes an engine, sends functions of this module to its workers (which have to have geotoolz
    installed) and stops it. It takes some seconds, and longer where the engine's workers start slowly.

    Parameters
    ----------
    make : callable
        Returns a new engine: ``lambda: MyEngine(2)``.
    isolated : bool
        Whether tasks run in processes of their own. Without, checks that would kill or hang the caller are
        left out: see `ISOLATED`.
    only : sequence of str, optional
        Names of the checks, of those in `CHECKS`.

    Returns
    -------
    tuple of str
        The names of the checks that were made.

    Raises
    ------
    EngineBrokenError
        Naming the check, what the engine did and what was expected.

    Examples
    --------
    >>> from geotoolz.batch import InlineEngine
    >>> check_engine(InlineEngine, isolated=False)[:3]
    ('protocol', 'results', 'order')
    """
    names = tuple(CHECKS) if only is None else tuple(only)
    chosen = tuple(name for name in names if isolated or name not in ISOLATED)
    for name in chosen:
        CHECKS[name](make)
    return chosen


def _protocol(make: Make) -> None:
    """It has a name, a window and four methods; waiting for nothing is no error, stopping twice neither."""
    engine = make()
    if not isinstance(engine, Engine):
        raise EngineBrokenError(
            f"protocol: {type(engine).__name__} is no engine",
            expected="name, window, start, submit, wait, stop",
        )
    if not (engine.name and type(engine.name) is str):
        raise EngineBrokenError(f"protocol: the name is {engine.name!r}", expected="a text")
    if type(engine.window) is not int or engine.window < 1:
        raise EngineBrokenError(f"protocol: the window is {engine.window!r}", expected="1 or more")
    engine.start(double)
    if list(engine.wait(0.0)):
        raise EngineBrokenError("protocol: something ended although nothing was submitted")
    engine.stop()
    engine.stop(now=True)


def _results(make: Make) -> None:
    """Every task comes back once, with its ticket, what it returned, and who ran it."""
    payloads = list(range(23))
    found = _run(make(), double, payloads)
    _expect("results", {ticket: c.value for ticket, c in found.items()}, {i: 2 * i for i in payloads})
    for completion in found.values():
        if completion.failure is not None or not completion.worker or completion.seconds < 0:
            raise EngineBrokenError(
                f"results: {completion}", expected="no failure, the name of a worker, its seconds"
            )


def _order(make: Make) -> None:
    """What comes back does not depend on the order of what goes in."""
    payloads = list(range(12))
    one, other = (_outcomes(make(), double, order) for order in (payloads, payloads[::-1]))
    _expect("order", {p: o.value for p, o in other.items()}, {p: o.value for p, o in one.items()})


def _exceptions(make: Make) -> None:
    """What a task raises is data: its kind, text and traceback, and the exception where it can be pickled."""
    found = _run(make(), act, ["a", "raise read", "raise zero", "raise peculiar", "b"])
    kinds = [c.failure.kind if c.failure else None for _, c in sorted(found.items())]
    _expect("exceptions", kinds, [None, FailureKind.BAD_DATA, FailureKind.ERROR, FailureKind.ERROR, None])
    read, zero, peculiar = (found[i].failure for i in (1, 2, 3))
    if read is None or not isinstance(read.exception, ReadError) or "truncated" not in read.message:
        raise EngineBrokenError(f"exceptions: {read}", expected="the ReadError itself")
    if zero is None or "_fail" not in zero.traceback:
        raise EngineBrokenError("exceptions: no traceback of the task", expected="its text, with the line")
    if peculiar is None or (peculiar.error, peculiar.message) != ("_Peculiar", "this and that"):
        raise EngineBrokenError(
            f"exceptions: {peculiar}", expected="class and text of an exception that cannot be unpickled"
        )


def _unpicklable(make: Make) -> None:
    """An answer that cannot be pickled fails its task, and no other."""
    failure = _run(make(), make_function, [1])[0].failure
    if failure is None or failure.kind is not FailureKind.ERROR or "pickle" not in failure.message:
        raise EngineBrokenError(
            f"unpicklable: {failure}", expected="a failure of the kind 'error' that says so"
        )


def _large(make: Make) -> None:
    """Payloads and answers of a megabyte pass, several at a time."""
    payloads = [f"{i}" + "x" * 1_000_000 for i in range(6)]
    found = _run(make(), act, payloads)
    _expect("large", [found[i].value == payloads[i] for i in range(6)], [True] * 6)


def _window(make: Make) -> None:
    """As many attempts as the window allows are taken at once, and nobody waits for them at submitting."""
    engine = make()
    engine.start(act)
    try:
        engine.submit(0, "a")
        _gather(engine, 1)  # it has started: a cluster knows its size only then
        window, begun = engine.window, time.monotonic()
        for ticket in range(1, window + 1):
            engine.submit(ticket, "sleep 0.5")
        submitting = time.monotonic() - begun
        if window > 1 and submitting > 0.45 * window:
            raise EngineBrokenError("window: submit waits for the task", expected="an immediate return")
        _expect("window", sorted(_gather(engine, window)), list(range(1, window + 1)))
    finally:
        engine.stop(now=True)


def _again(make: Make) -> None:
    """A stopped engine may be started again, with another function."""
    engine = make()
    _expect("again", _run(engine, double, [1])[0].value, 2)
    _expect("again", _run(engine, act, ["a"])[0].value, "a")


def _killed(make: Make) -> None:
    """A worker that is killed loses the task that it ran, and that one only; the driver repeats it."""
    with tempfile.TemporaryDirectory() as folder:
        payloads = ["a", f"kill {Path(folder, 'mark')}", *(f"b{i}" for i in range(12))]
        found = _outcomes(make(), act, payloads)
    failed = {p: o.failure for p, o in found.items() if o.failure is not None}
    _expect("killed", failed, {})
    kinds = [a.failure.kind if a.failure else None for a in found[payloads[1]].attempts]
    _expect("killed", kinds, [FailureKind.LOST, None])
    _expect("killed: attempts", sum(len(o.attempts) for o in found.values()), len(payloads) + 1)


def _poison(make: Make) -> None:
    """A task that ends every worker is given up, and the others are done."""
    found = _outcomes(make(), act, ["a", "exit", "b", "c"])
    failure = found["exit"].failure
    if failure is None or failure.kind is not FailureKind.POISON or len(found["exit"].attempts) != 3:
        raise EngineBrokenError(f"poison: {found['exit']}", expected="three attempts, and poison")
    _expect("poison", [p for p, o in found.items() if o.failure], ["exit"])


def _deadline(make: Make) -> None:
    """A task over its deadline is ended and reported as such, and the others are done."""
    begun = time.monotonic()
    policy = RetryPolicy(worker_deaths=1)
    found = _outcomes(make(), act, ["sleep 600", "a", "b"], timeout=1.0, policy=policy)
    failure = found["sleep 600"].attempts[0].failure
    if failure is None or failure.kind is not FailureKind.TIMEOUT or "1 s" not in failure.message:
        raise EngineBrokenError(f"deadline: {failure}", expected="the kind 'timeout', and the seconds")
    _expect("deadline", [p for p, o in found.items() if o.failure], ["sleep 600"])
    if time.monotonic() - begun > PATIENCE:
        raise EngineBrokenError("deadline: the task was waited for")


def _stop(make: Make) -> None:
    """Stopping at once does not wait for what runs."""
    engine = make()
    engine.start(act)
    engine.submit(0, "a")
    _gather(engine, 1)
    engine.submit(1, "sleep 600")
    begun = time.monotonic()
    engine.stop(now=True)
    if time.monotonic() - begun > PATIENCE:
        raise EngineBrokenError("stop: stop(now=True) waits for the running task")


CHECKS: Mapping[str, Callable[[Make], None]] = {
    "protocol": _protocol,
    "results": _results,
    "order": _order,
    "exceptions": _exceptions,
    "large": _large,
    "window": _window,
    "again": _again,
    "unpicklable": _unpicklable,
    "killed": _killed,
    "poison": _poison,
    "deadline": _deadline,
    "stop": _stop,
}
"""The checks by name."""

ISOLATED = frozenset({"unpicklable", "killed", "poison", "deadline", "stop"})
"""Those that need tasks in processes of their own."""


def _run(engine: Engine, fn: Callable[[Any], Any], payloads: Sequence[Any]) -> dict[int, Completion]:
    """Run payloads without a driver: ticket i is payload i."""
    pickle.dumps(fn)
    engine.start(fn)
    found: dict[int, Completion] = {}
    todo = list(enumerate(payloads))
    running = 0
    limit = time.monotonic() + PATIENCE
    try:
        while todo or running:
            while todo and running < engine.window:
                engine.submit(*todo.pop(0))
                running += 1
            for completion in engine.wait(0.25):
                if completion.ticket in found:
                    raise EngineBrokenError(f"ticket {completion.ticket} ended twice")
                found[completion.ticket] = completion
                running -= 1
            if time.monotonic() > limit:
                raise EngineBrokenError(f"{running} attempts do not end", expected=f"{len(payloads)} answers")
    except BaseException:
        engine.stop(now=True)
        raise
    engine.stop()
    return found


def _gather(engine: Engine, count: int) -> list[int]:
    """Wait for so many attempts and return their tickets."""
    found: list[int] = []
    limit = time.monotonic() + PATIENCE
    while len(found) < count:
        found.extend(completion.ticket for completion in engine.wait(0.25))
        if time.monotonic() > limit:
            raise EngineBrokenError(f"{len(found)} of {count} attempts ended")
    return found


def _outcomes(
    engine: Engine, fn: Callable[[Any], Any], payloads: Sequence[Any], **options: Any
) -> dict[Any, Outcome]:
    """Run payloads by a driver; they are their own names."""
    options.setdefault("policy", RetryPolicy(base=0.01, cap=0.02))
    names = {str(payload): payload for payload in payloads}
    driver = Driver(engine, **options)
    return {names[o.ident]: o for o in driver.run(fn, names.items(), len(names))}


def _expect(check: str, found: object, wanted: object) -> None:
    if found != wanted:
        raise EngineBrokenError(f"{check}: {found}", expected=str(wanted))
