"""What all augmentations of one tile have in common."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from geotoolz.augment._draws import Draws, check_chance, draw_of, with_draw
from geotoolz.core import Map, Operator, Plan, TileOperator, TileSpec
from geotoolz.core._lazy import xr

if TYPE_CHECKING:
    from geotoolz.core import Builder, State

Step: TypeAlias = "Callable[[Operator, xr.Dataset, str], xr.Dataset]"


class Augmentation(Map, abstract=True):
    """Base of operators that draw: declare fields and `drawn`, which plans with random numbers.

    The numbers are a function of ``(seed, draw, step)``: the operator's `seed`, the tile's attribute
    ``geotoolz:draw`` (see `with_draw`), and the step's path in the pipeline. The plan knows all three, so
    what depends on a choice (the grid after a flip) is known before a pixel is read.
    """

    seed: int = dataclasses.field(default=0, kw_only=True)

    def drawn(self, tile: TileSpec, draws: Draws) -> Plan:
        """Say what will be done to a tile in this draw."""
        raise NotImplementedError(f"{type(self).__name__} has no plan")

    def decided(self, tile: TileSpec, draws: Draws) -> Plan:
        """Return the plan of this draw; where the step has a probability, an empty one may come."""
        return self.drawn(tile, draws)

    def plan(self, tile: TileSpec) -> Plan:
        """Say what the operator does to a tile on its own, outside a pipeline."""
        return self.decided(tile, Draws(self.seed, draw_of(tile.attrs), ""))

    def emit(self, builder: Builder, state: State, path: str) -> State:
        """Add the calls of this draw to a program."""
        draws = Draws(self.seed, draw_of(state.spec.attrs), path)
        return builder.apply(self, self.decided(state.spec, draws), state, path)

    def interpret(self, tile: xr.Dataset, path: str, step: Step) -> xr.Dataset:
        """Apply the step alone, with the numbers that it draws in the pipeline."""
        return step(Placed(self, path), tile, path)

    def draw(self, tile: xr.Dataset, *, epoch: int = 0, chip: int | str = 0) -> xr.Dataset:
        """Apply the operator to a chip in an epoch: ``op(with_draw(tile, epoch=…, chip=…))``.

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


class Gated(Augmentation, abstract=True):
    """Base of augmentations that are done with a probability `p`."""

    p: float = dataclasses.field(default=1.0, kw_only=True)

    def validate(self) -> None:
        """Check the probability."""
        check_chance("p", self.p)

    def decided(self, tile: TileSpec, draws: Draws) -> Plan:
        """Return an empty plan where the draw decides against the step."""
        return self.drawn(tile, draws) if draws.unit("p") < self.p else Plan()


class Placed(TileOperator, abstract=True):
    """A step that runs alone and draws what it draws at its place in the pipeline."""

    operator: Operator
    path: str

    def emit(self, builder: Builder, state: State, path: str) -> State:
        """Emit the step as if it stood at its place."""
        return self.operator.emit(builder, state, self.path)

    def __repr__(self) -> str:
        return repr(self.operator)
