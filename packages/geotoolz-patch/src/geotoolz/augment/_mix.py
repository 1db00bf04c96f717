"""What augmentations of two tiles have in common."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from geotoolz.augment._draws import DRAW_ATTR, Draws, check_chance, draw_of, with_draw
from geotoolz.core import (
    GridMismatchError,
    Join,
    ParameterError,
    Plan,
    TileError,
    TileSpec,
    VarSpec,
)
from geotoolz.core._lazy import xr

if TYPE_CHECKING:
    from geotoolz.core import Builder, State


class Mix(Join, abstract=True):
    """Base of augmentations that make one tile of two.

    The tiles may come from different places: pixels meet by their row and column. The result has the grid,
    the attributes and the variables of the first.
    """

    p: float = dataclasses.field(default=1.0, kw_only=True)
    seed: int = dataclasses.field(default=0, kw_only=True)

    def validate(self) -> None:
        """Check the probability."""
        check_chance("p", self.p)

    def drawn(self, tile: TileSpec, other: Mapping[str, str], draws: Draws, done: bool) -> Plan:
        """Say how the two tiles are mixed.

        Parameters
        ----------
        tile : TileSpec
            The first tile, with the variables of the second under the names that `other` gives.
        other : mapping of str to str
            Name of every variable of the first in the second.
        draws : Draws
            The random numbers.
        done : bool
            Whether there is any mixing; what the plan adds is there in any case.
        """
        raise NotImplementedError(f"{type(self).__name__} has no plan")

    def emit_join(self, builder: Builder, states: Mapping[str, State], path: str) -> State:
        """Put the variables of both tiles side by side, and mix them."""
        label = type(self).__name__
        if len(states) != 2:
            raise ParameterError(
                f"{label} got {len(states)} tile(s)",
                expected="two",
                fix=f"{label}()({{'one': tile, 'two': other}}), or {label}().batch(tiles)",
            )
        first, second = states.values()
        _check_alike(first.spec, second.spec, label)
        prefix = f"{label} of "
        other = {name: f"{prefix}{name}" for name in first.spec.variables}
        variables = dict(first.spec.variables)
        slots = dict(first.slots)
        for name, twin in other.items():
            variables[twin] = second.spec.variables[name]
            slots[twin] = second.slots[name]
        both = dataclasses.replace(first, spec=first.spec.evolve(variables), slots=slots)
        draws = Draws(self.seed, draw_of(first.spec.attrs), path)
        plan = self.drawn(both.spec, other, draws, draws.unit("p") < self.p)
        plan = dataclasses.replace(plan, drops=(*plan.drops, *other.values()))
        return builder.apply(self, plan, both, path)

    def batch(
        self, tiles: Sequence[xr.Dataset], *, epoch: int | None = None, chip: int | None = None
    ) -> list[xr.Dataset]:
        """Mix every tile of a batch with another one of it.

        A tile that says which draw it is for (`with_draw`) is mixed by that draw; what it is mixed with is
        drawn from the draws of all tiles.

        Parameters
        ----------
        tiles : sequence of xarray.Dataset
            The batch; tiles of one shape, with the same variables.
        epoch : int, optional
            Which time the chips are gone through, in place of what the tiles say.
        chip : int, optional
            Number of the first chip, in place of what the tiles say; the others follow it.

        Returns
        -------
        list of xarray.Dataset
            As many tiles in the same order; a tile alone is returned as it is.
        """
        if len(tiles) < 2:
            return list(tiles)
        drawn = [
            tile
            if epoch is None and chip is None and DRAW_ATTR in tile.attrs
            else with_draw(tile, epoch=epoch or 0, chip=(chip or 0) + index)
            for index, tile in enumerate(tiles)
        ]
        all_draws = "|".join(draw_of(tile.attrs) for tile in drawn)
        draws = Draws(self.seed, all_draws, "batch")
        order = sorted(range(len(tiles)), key=lambda index: draws.key("order", index))
        # everybody gets the next in a random circle, so nobody gets itself
        partner = dict(zip(order, [*order[1:], order[0]], strict=True))
        return [self({"one": tile, "two": tiles[partner[index]]}) for index, tile in enumerate(drawn)]


def _check_alike(one: TileSpec, two: TileSpec, label: str) -> None:
    """Raise unless the variables of two tiles can stand for each other."""
    if one.shape != two.shape:
        raise GridMismatchError(
            f"{label} got tiles of {one.shape} and {two.shape} pixels",
            expected="tiles of one shape",
            fix="cut them first, with RandomCrop",
        )
    if set(one.variables) != set(two.variables):
        differ = ", ".join(sorted(set(one.variables) ^ set(two.variables)))
        raise TileError(
            f"{label}: only one of the tiles has {differ}",
            expected="the same variables in both",
            fix="choose them first, with SelectBands",
        )
    for name, spec in one.variables.items():
        twin = two.variables[name]
        same = spec.dims == twin.dims and spec.dtype == twin.dtype and spec.quantity == twin.quantity
        lengths = all(one.sizes[dim] == two.sizes[dim] for dim in spec.dims if dim in two.sizes)
        if not same or not lengths or repr(spec.nodata) != repr(twin.nodata):
            raise TileError(
                f"{label}: {name!r} is {_said(spec)} in one tile and {_said(twin)} in the other",
                expected="the same dimensions, type, quantity and no-data in both",
            )


def _said(spec: VarSpec) -> str:
    return f"{spec.dtype} {spec.dims} ({spec.quantity or 'no quantity'}, no-data {spec.nodata})"
