"""Appending an index under a name of one's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from geotoolz.core import Operator, ParameterError, State, TileError, TileOperator, join_path

if TYPE_CHECKING:
    from geotoolz.core import Builder


class AppendIndex(TileOperator):
    """Compute an index and append it under a name; everything else of the tile stays.

    Parameters
    ----------
    index : Operator
        An operator that adds exactly one variable.
    name : str, optional
        Name of the appended variable; by default the one that the index gives it.

    Raises
    ------
    TileError
        If the name exists already, or the index changes the tile otherwise.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.indices import AppendIndex, NDVI
    >>> "greenness" in AppendIndex(NDVI(), name="greenness")(simulate_scene((8, 8)))
    True
    """

    index: Operator
    name: str | None = None

    def validate(self) -> None:
        """Refuse an empty name."""
        if self.name == "":
            raise ParameterError("name=''", expected="a name")

    def emit(self, builder: Builder, state: State, path: str) -> State:
        """Emit the index and rename what it made."""
        after = builder.emit(self.index, state, join_path(path, "index"))
        after.require_grid_of(state, type(self.index).__name__)
        made = [n for n, slot in after.slots.items() if state.slots.get(n) != slot]
        lost = [n for n in state.slots if n not in after.slots]
        if len(made) != 1 or lost:
            raise TileError(
                f"{type(self.index).__name__} writes {', '.join(made) or 'nothing'}"
                + (f" and drops {', '.join(lost)}" if lost else ""),
                expected="exactly one new variable",
            )
        name = self.name or made[0]
        if name in state.slots:
            raise TileError(f"the tile has a variable {name!r} already", fix="give another name=")
        variables = {**state.spec.variables, name: after.spec.variables[made[0]]}
        return State(state.spec.evolve(variables), {**state.slots, name: after.slots[made[0]]}, state.home)
