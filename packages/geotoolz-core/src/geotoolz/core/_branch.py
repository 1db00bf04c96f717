"""Several operators on the same tile."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import TYPE_CHECKING

from geotoolz.core._errors import ParameterError, TileError
from geotoolz.core._lazy import xr
from geotoolz.core._map import TileOperator
from geotoolz.core._operator import Operator, join
from geotoolz.core._specs import VarSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    from geotoolz.core._builder import Builder, State


class Branch(TileOperator):
    """Apply several operators to the same tile and collect what each adds.

    The result holds the tile's own variables, unchanged, and every variable that a branch created
    or changed.

    Parameters
    ----------
    branches : mapping of str to Operator
        The operators by name.
    prefix : bool
        Call a branch's variables ``"<branch>_<variable>"``. Without it, two branches that write
        the same name, or a branch that changes a variable of the tile, are errors.

    Raises
    ------
    TileError
        If names collide.

    Examples
    --------
    >>> from geotoolz.core import Branch
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.radiometry import BoxMean
    >>> smooth = Branch({"near": BoxMean(1, ("red",)), "far": BoxMean(4, ("red",))}, prefix=True)
    >>> list(smooth(simulate_scene((16, 16), bands=("red",))).data_vars)
    ['red', 'near_red', 'far_red']
    """

    branches: Mapping[str, Operator]
    prefix: bool = False

    def validate(self) -> None:
        """Refuse an empty branch."""
        if not self.branches:
            raise ParameterError("Branch has no branches", expected="a mapping of names to operators")

    def emit(self, builder: Builder, state: State, path: str) -> State:
        """Emit every branch from the same state and merge the new variables."""
        from geotoolz.core._builder import State

        variables: dict[str, VarSpec] = dict(state.spec.variables)
        slots: dict[str, int] = dict(state.slots)
        for name, op in self.branches.items():
            after = builder.emit(op, state, join(path, f"branches[{name}]"))
            after.require_grid_of(state, f"branch {name!r}")
            for made, slot in after.slots.items():
                if state.slots.get(made) == slot:
                    continue
                label = self._label(name, made, slots)
                variables[label] = after.spec.variables[made]
                slots[label] = slot
        return State(state.spec.evolve(variables), slots, state.home)

    def _label(self, branch: str, made: str, taken: Container[str]) -> str:
        label = f"{branch}_{made}" if self.prefix else made
        if label in taken:
            raise TileError(
                f"branch {branch!r} writes {label!r}, which exists already",
                fix="set prefix=True, or give the operator another name",
            )
        return label

    def interpret(
        self, tile: xr.Dataset, path: str, step: Callable[[Operator, xr.Dataset, str], xr.Dataset]
    ) -> xr.Dataset:
        """Apply the branches one by one on Datasets."""
        found: dict[str, xr.Variable] = {}
        for name, op in self.branches.items():
            after = step(op, tile, join(path, f"branches[{name}]"))
            for made in after.data_vars:
                variable = after.variables[made]
                if made in tile.data_vars and tile.variables[made].data is variable.data:
                    continue
                label = self._label(name, str(made), {*map(str, tile.data_vars), *found})
                found[label] = variable
        return tile.assign(found)
