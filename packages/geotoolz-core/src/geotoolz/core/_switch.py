"""A pipeline per kind of tile."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from geotoolz.core._errors import GeotoolzError, ParameterError, TileError, nearest
from geotoolz.core._lazy import xr
from geotoolz.core._map import TileOperator
from geotoolz.core._operator import Operator, join
from geotoolz.core._specs import TileSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    from geotoolz.core._builder import Builder, State


class Switch(TileOperator):
    """Choose the operator by an attribute of the tile.

    Parameters
    ----------
    key : str
        Name of a tile attribute (``"platform"``, ``"processing_level"``, ``"tile_id"``).
    cases : mapping of str to Operator
        The operator for each value.
    default : Operator, optional
        The operator for any other value; without it an unknown value is an error. A `Raise` here
        gives that error a text of your own.

    Raises
    ------
    TileError
        If the tile's value is not among the cases and there is no default.

    Examples
    --------
    >>> from geotoolz.core import Raise, Switch
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.radiometry import BoxMean, ToFloat32
    >>> by_level = Switch("processing_level", {"L2A": BoxMean(1)}, default=ToFloat32())
    >>> by_level(simulate_scene((16, 16), bands=("red",))).red.dtype
    dtype('float32')
    """

    key: str
    cases: Mapping[str, Operator]
    default: Operator | None = None

    def validate(self) -> None:
        """Refuse a switch without cases."""
        if not self.cases and self.default is None:
            raise ParameterError("Switch has no cases", expected="a mapping of values to operators")

    def choose(self, tile: TileSpec) -> tuple[str, Operator]:
        """Return the path step and operator for a tile."""
        value = tile.attrs.get(self.key)
        if value is not None and str(value) in self.cases:
            return f"cases[{value}]", self.cases[str(value)]
        if self.default is not None:
            return "default", self.default
        known = ", ".join(self.cases)
        if value is None:
            raise TileError(
                f"the tile has no attribute {self.key!r}, by which Switch chooses",
                expected=f"one of {known}",
                fix=f"set tile.attrs[{self.key!r}], or give a default",
            )
        raise TileError(
            f"{self.key} is {str(value)!r}{nearest(str(value), self.cases)}",
            expected=f"one of {known}",
            fix="add a case or a default",
        )

    def emit(self, builder: Builder, state: State, path: str) -> State:
        """Emit the chosen case, or all of them where a program only explores what may be read."""
        if builder.explore and state.spec.attrs.get(self.key) is None:
            return self._emit_all(builder, state, path)
        step, op = self.choose(state.spec)
        return builder.emit(op, state, join(path, step))

    def _emit_all(self, builder: Builder, state: State, path: str) -> State:
        steps = [(f"cases[{value}]", op) for value, op in self.cases.items()]
        if self.default is not None:
            steps.append(("default", self.default))
        found: list[State] = []
        refused: GeotoolzError | None = None
        for step, op in steps:
            try:
                found.append(builder.emit(op, state, join(path, step)))
            except GeotoolzError as error:  # a case for other tiles than this one
                refused = error
        if not found:
            raise refused or TileError("Switch has no case")
        builder.alternatives.update(
            slot for other in found for slot in other.slots.values() if slot not in state.slots.values()
        )
        return found[0]

    def interpret(
        self, tile: xr.Dataset, path: str, step: Callable[[Operator, xr.Dataset, str], xr.Dataset]
    ) -> xr.Dataset:
        """Apply the chosen case."""
        name, op = self.choose(TileSpec.of(tile))
        return step(op, tile, join(path, name))


class Raise(TileOperator):
    """Stop with an error when reached; a default for `Switch` that explains itself.

    Parameters
    ----------
    message : str
        The text of the error. ``{name}`` is replaced by the tile's attribute of that name.

    Raises
    ------
    RaisedError
        Always, when planned for a tile.

    Examples
    --------
    >>> from geotoolz.core import Raise, RaisedError
    >>> from geotoolz.core.testing import simulate_scene
    >>> try:
    ...     Raise("no recipe for {platform}")(simulate_scene((8, 8)))
    ... except RaisedError as error:
    ...     print(error)
    no recipe for sentinel-2a
    """

    message: str

    def emit(self, builder: Builder, state: State, path: str) -> State:
        """Raise."""
        from geotoolz.core._errors import RaisedError

        attrs = state.spec.attrs
        # no str.format: its mini-language reaches into objects and pads to any width
        text = re.sub(r"\{([\w:.-]+)\}", lambda m: str(attrs.get(m[1], m[0])), self.message)
        raise RaisedError(text)
