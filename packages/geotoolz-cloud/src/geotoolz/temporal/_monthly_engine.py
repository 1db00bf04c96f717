"""Windows of composites as tasks of an engine: processes of this machine, or a Ray cluster."""

from __future__ import annotations

import pickle
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from geotoolz.core import BatchError, Extent, GeotoolzError, ParameterError
from geotoolz.temporal._monthly_make import Making, Result
from geotoolz.temporal._monthly_run import Windows

if TYPE_CHECKING:
    from geotoolz.batch import Engine, Outcome
    from geotoolz.catalog import StackReader
    from geotoolz.temporal._monthly_plan import Period, Recipe

Array = np.ndarray[Any, Any]
Payload = tuple[int, Extent]


class ComposeWindow:
    """Makes one window of one period; it travels to a worker once, windows are what is handed out.

    Parameters
    ----------
    recipe : Recipe
        What is computed.
    reader : StackReader
        The stack of all dates: paths and grids, no pixels.
    periods : sequence of Period
        Which dates make which image.
    """

    def __init__(self, recipe: Recipe, reader: StackReader, periods: Sequence[Period]) -> None:
        self.recipe, self.reader, self.periods = recipe, reader, tuple(periods)
        self._works: dict[int, tuple[Windows, dict[str, int]]] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_works": {}}  # compiled programs stay where they are

    def __call__(self, payload: Payload) -> tuple[int, Extent, dict[str, Array]]:
        """Return the window's pixels by variable."""
        number, extent = payload
        if number not in self._works:
            period = self.periods[number]
            program = self.recipe.program(self.reader, period)
            slots = next(iter(program.states.values())).slots
            wanted = {name: slots[name] for name in self.recipe.outputs}
            self._works[number] = (Windows(program, self.reader.at(period.positions)), wanted)
        work, slots = self._works[number]
        found = work(extent)
        return number, extent, {name: found[slot] for name, slot in slots.items()}


def by_engine(work: ComposeWindow, makings: Sequence[Making], engine: Engine) -> Generator[Result]:
    """Compute all windows by an engine, in the order in which they end.

    Raises
    ------
    GeotoolzError
        That of the first window that fails for good.
    ParameterError
        If something in the pipeline cannot travel to another process.
    """
    from geotoolz.batch import Driver

    if engine.name != "inline":
        _require_portable(work, engine.name)
    tasks: list[tuple[str, Payload]] = []
    for number, making in enumerate(makings):
        if making.period.positions:
            tasks += [(f"{making.period.label} {extent}", (number, extent)) for extent in making.windows]
        else:
            yield from ((number, extent, making.empty(extent)) for extent in making.windows)
    if not tasks:
        return
    for outcome in Driver(engine, on_error="raise").run(work, tasks, len(tasks)):
        if outcome.failure is not None:
            raise _error(outcome)
        yield outcome.value


def _require_portable(work: ComposeWindow, engine: str) -> None:
    try:
        pickle.dumps(work)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise ParameterError(
            f"the composite cannot travel to the workers of engine={engine!r}: {error}",
            expected="operators and a sign that other processes can import",
            fix="engine=None, for threads of this process",
        ) from error


def _error(outcome: Outcome) -> GeotoolzError:
    failure = outcome.failure
    found = None if failure is None else failure.exception
    if isinstance(found, GeotoolzError):
        return found.prefixed(f"window {outcome.ident}")
    told = "" if failure is None else f": {failure.error}: {failure.message}"
    error = BatchError(f"window {outcome.ident}{told}", fix="run it again with threads: without an engine")
    error.__cause__ = found
    return error
