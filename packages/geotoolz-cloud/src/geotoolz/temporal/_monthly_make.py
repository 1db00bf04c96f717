"""Images of periods in the making: windows come in any order, are put in place, and an image is done."""

from __future__ import annotations

import warnings
from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from geotoolz.core import Extent
from geotoolz.temporal._monthly_run import Windows, choose_windows, run_windows
from geotoolz.temporal._monthly_steps import OBSERVATIONS

if TYPE_CHECKING:
    from geotoolz.catalog import StackReader
    from geotoolz.temporal._monthly_plan import Period, Recipe

Array = np.ndarray[Any, Any]
Pixels = Mapping[str, Array]
Result = tuple[int, Extent, Pixels]
"""Number of the period, window, and the pixels of every variable."""


class EmptyPeriodWarning(UserWarning):
    """A month has no clear observation anywhere: its composite is all no-data."""


class Making:
    """The image of one period.

    Parameters
    ----------
    recipe : Recipe
        What is computed.
    reader : StackReader
        The stack of all dates.
    period : Period
        Which of them.
    block : tuple of int
        Rows and columns of the output's blocks, (1, 1) for none.
    """

    def __init__(self, recipe: Recipe, reader: StackReader, period: Period, block: tuple[int, int]) -> None:
        self.period = period
        self.program = recipe.program(reader, period)
        self.tile = recipe.described(self.program, period)
        self.reader = reader.at(period.positions)
        slots = next(iter(self.program.states.values())).slots
        self.slots = {name: slots[name] for name in recipe.outputs}
        self.windows = choose_windows(self.reader, list(self.program.inputs), block)
        self._left, self._most = len(self.windows), 0

    def empty(self, extent: Extent) -> Pixels:
        """Return the pixels of a period without a date."""
        specs = {name: self.program.slots[slot] for name, slot in self.slots.items()}
        return {name: np.full(extent.shape, spec.nodata or 0, spec.dtype) for name, spec in specs.items()}

    def take(self, place: Place, extent: Extent, found: Pixels) -> bool:
        """Put a window in place, and tell whether it was the last one."""
        count = found[OBSERVATIONS]
        if count.size:
            self._most = max(self._most, int(count.max()))
        place.put(self, extent, found)
        self._left -= 1
        return self._left == 0

    def warn_if_empty(self) -> None:
        """Say that nothing was seen."""
        if self._most == 0:
            dates = len(self.period.positions)
            text = f"{self.period.label}: no clear observation on {dates} date(s); all is no-data"
            warnings.warn(EmptyPeriodWarning(text), stacklevel=4)


class Place(Protocol):
    """Where windows go; called by one thread."""

    def put(self, making: Making, extent: Extent, found: Pixels) -> None:
        """Take a window."""

    def finish(self, making: Making) -> None:
        """Take note that all windows of an image are there."""


class Arrays:
    """Takes windows into arrays ``(period, y, x)``.

    Parameters
    ----------
    makings : sequence of Making
        The images.
    """

    def __init__(self, makings: Sequence[Making]) -> None:
        tile = makings[0].tile
        shape = (len(makings), *tile.shape)
        self.arrays = {name: np.empty(shape, tile.variables[name].dtype) for name in makings[0].slots}
        self._number = {id(making): number for number, making in enumerate(makings)}

    def put(self, making: Making, extent: Extent, found: Pixels) -> None:
        """Copy a window."""
        for name, array in self.arrays.items():
            extent.of(array[self._number[id(making)]])[...] = found[name]

    def finish(self, making: Making) -> None:
        """Do nothing: the pixels are where they belong."""


def gather(makings: Sequence[Making], results: Iterable[Result], place: Place) -> None:
    """Put all windows in place, and finish every image with its last one."""
    for number, extent, found in results:
        making = makings[number]
        if making.take(place, extent, found):
            place.finish(making)
            making.warn_if_empty()


def by_threads(makings: Sequence[Making], threads: int) -> Generator[Result]:
    """Compute all windows by threads of this process, image by image."""
    for number, making in enumerate(makings):
        if not making.period.positions:
            yield from ((number, extent, making.empty(extent)) for extent in making.windows)
            continue
        work = Windows(making.program, making.reader)
        for extent, found in run_windows(work, making.windows, threads):
            yield number, extent, {name: found[slot] for name, slot in making.slots.items()}
