"""Augmentations one after another, done or left out as one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from geotoolz.augment._base import Step
from geotoolz.augment._draws import DRAW_ATTR, Draws, check_chance, draw_of, with_draw
from geotoolz.core import Operator, ParameterError, Sink, TileOperator, TileSpec, join_path
from geotoolz.core._lazy import xr

if TYPE_CHECKING:
    from collections.abc import Mapping

    from geotoolz.core import Builder, State


class Compose(TileOperator):
    """Augmentations applied one after another, as one, with a probability.

    Every step draws numbers of its own: two equal steps differ. Labels, masks and image move together,
    because every step treats the whole tile. Steps that draw nothing (an index, a scaling) may stand among
    them.

    Parameters
    ----------
    operators : sequence of Operator
        The steps.
    p : float
        Probability that they are done at all; otherwise the tile stays as it is.
    seed : int
        Seed of the pipeline: another one gives other numbers in every step.

    Raises
    ------
    ParameterError
        If a step is no operator or writes files, or `p` is no probability.

    Examples
    --------
    >>> from geotoolz.augment import BrightnessJitter, Compose, RandomFlip
    >>> from geotoolz.core.testing import simulate_scene
    >>> augment = Compose([RandomFlip(), BrightnessJitter((0.9, 1.1))], seed=1)
    >>> tile = simulate_scene((16, 16), bands=("red",))
    >>> a, b, c = (augment.draw(tile, epoch=e, chip=17) for e in (0, 1, 0))
    >>> a.equals(c), a.equals(b)
    (True, False)
    """

    operators: tuple[Operator, ...] = ()
    p: float = 1.0
    seed: int = 0

    if TYPE_CHECKING:

        def __init__(self, operators: Sequence[Operator] = (), p: float = 1.0, seed: int = 0) -> None: ...

    def prepare(self, values: dict[str, Any]) -> dict[str, Any]:
        """Accept any iterable of operators."""
        operators = values["operators"]
        if isinstance(operators, Operator):
            raise ParameterError("Compose got one operator", expected="a list of operators")
        return {**values, "operators": tuple(operators) if isinstance(operators, Iterable) else operators}

    def validate(self) -> None:
        """Refuse sinks, and what is no probability."""
        check_chance("p", self.p)
        for index, op in enumerate(self.operators):
            if isinstance(op, Sink):
                raise ParameterError(
                    f"operators[{index}] ({type(op).__name__}) writes files",
                    expected="steps that change a tile",
                    fix="write what Compose gives, in a step of its own",
                )

    def draw(self, tile: xr.Dataset, *, epoch: int = 0, chip: int | str = 0) -> xr.Dataset:
        """Apply the steps to a chip in an epoch: ``op(with_draw(tile, epoch=…, chip=…))``.

        Parameters
        ----------
        tile : xarray.Dataset
            The tile.
        epoch, chip : int
            Which draw; a chip may have a name instead of a number.

        Returns
        -------
        xarray.Dataset
        """
        return self(with_draw(tile, epoch=epoch, chip=chip))

    def emit(self, builder: Builder, state: State, path: str) -> State:
        """Emit the steps in order, unless the draw decides against them."""
        before = state.spec
        if not self._is_done(before.attrs, path):
            return state
        state = replace(state, spec=before.evolve(before.variables, self._inside(before.attrs)))
        for index, op in enumerate(self.operators):
            state = builder.emit(op, state, join_path(path, f"operators[{index}]"))
        after = state.spec
        return replace(state, spec=after.evolve(after.variables, _restored(after.attrs, before.attrs)))

    def interpret(self, tile: xr.Dataset, path: str, step: Step) -> xr.Dataset:
        """Apply the steps one by one on Datasets."""
        before = TileSpec.require_dataset(tile).attrs
        if not self._is_done(before, path):
            return tile
        inside = tile.copy()
        inside.attrs = self._inside(before)
        for index, op in enumerate(self.operators):
            inside = step(op, inside, join_path(path, f"operators[{index}]"))
        after = inside.copy()
        after.attrs = _restored(inside.attrs, before)
        return after

    def _is_done(self, attrs: Mapping[str, Any], path: str) -> bool:
        return self.p >= 1.0 or Draws(self.seed, draw_of(attrs), path).unit("p") < self.p

    def _inside(self, attrs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the attributes that the steps see: this pipeline's seed is a part of their draw."""
        own = f"{draw_of(attrs)}+{self.seed}" if self.seed else draw_of(attrs)
        return {**attrs, DRAW_ATTR: own}

    def __len__(self) -> int:
        return len(self.operators)

    def __iter__(self) -> Iterator[Operator]:
        return iter(self.operators)

    def __getitem__(self, index: int) -> Operator:
        return self.operators[index]


def _restored(attrs: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """Return attributes with the draw that the tile came with."""
    kept = {key: value for key, value in attrs.items() if key != DRAW_ATTR}
    return {**kept, DRAW_ATTR: before[DRAW_ATTR]} if DRAW_ATTR in before else kept
