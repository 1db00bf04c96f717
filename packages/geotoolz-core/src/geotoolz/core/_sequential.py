"""One step after another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from geotoolz.core._errors import ParameterError
from geotoolz.core._lazy import xr
from geotoolz.core._map import TileOperator
from geotoolz.core._operator import Operator, join
from geotoolz.core._sink import Sink

if TYPE_CHECKING:
    from geotoolz.core._builder import Builder, State


class Sequential(TileOperator):
    """Operators applied one after another, as one.

    The whole chain is planned before a pixel is read, runs block by block without full-size
    intermediates, and builds one Dataset.

    Parameters
    ----------
    operators : sequence of Operator
        The steps. A Sink can only be the last.

    Raises
    ------
    ParameterError
        If a sink is not last, or a step is no operator.

    Examples
    --------
    >>> from geotoolz.core import Sequential
    >>> from geotoolz.radiometry import SelectBands
    >>> pipeline = Sequential([SelectBands(("red", "nir"))])
    >>> len(pipeline), pipeline[0].names
    (1, ('red', 'nir'))
    """

    operators: tuple[Operator, ...] = ()

    if TYPE_CHECKING:

        def __init__(self, operators: Sequence[Operator] = ()) -> None: ...

    def prepare(self, values: dict[str, Any]) -> dict[str, Any]:
        """Accept any iterable of operators."""
        operators = values["operators"]
        if isinstance(operators, Operator):
            raise ParameterError("Sequential got one operator", expected="a list of operators")
        held = tuple(operators) if isinstance(operators, Iterable) else operators
        for index, one in enumerate(held if isinstance(held, tuple) else ()):
            if isinstance(one, type) and issubclass(one, Operator):
                raise ParameterError(
                    f"operators[{index}] is the class {one.__name__}",
                    expected="an operator",
                    fix=f"write {one.__name__}(…)",
                )
        return {"operators": held}

    def validate(self) -> None:
        """Refuse sinks that are not last."""
        for index, op in enumerate(self.operators[:-1]):
            if isinstance(op, Sink):
                raise ParameterError(
                    f"operators[{index}] ({type(op).__name__}) writes files and is not the last step",
                    fix="move it to the end, or run two pipelines",
                )

    def emit(self, builder: Builder, state: State, path: str) -> State:
        """Emit the steps in order."""
        for index, op in enumerate(self.operators):
            state = builder.emit(op, state, join(path, f"operators[{index}]"))
        return state

    def interpret(
        self, tile: xr.Dataset, path: str, step: Callable[[Operator, xr.Dataset, str], xr.Dataset]
    ) -> xr.Dataset:
        """Apply the steps one by one on Datasets."""
        for index, op in enumerate(self.operators):
            tile = step(op, tile, join(path, f"operators[{index}]"))
        return tile

    def __len__(self) -> int:
        return len(self.operators)

    def __iter__(self) -> Iterator[Operator]:
        return iter(self.operators)

    def __getitem__(self, index: int) -> Operator:
        return self.operators[index]
