"""Two tiles made into one: CutMix and MixUp."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from geotoolz.augment import _kernels
from geotoolz.augment._bands import RADIOMETRIC, kind_of
from geotoolz.augment._draws import Draws, check_chance, check_span, draw_name, draw_of, with_draw
from geotoolz.augment._jitter import Span
from geotoolz.core import (
    Call,
    Extent,
    GridMismatchError,
    Join,
    ParameterError,
    Plan,
    TileError,
    TileSpec,
    VarSpec,
    image_bands,
)

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

    def batch(self, tiles: Sequence[xr.Dataset], *, epoch: int = 0, chip: int = 0) -> list[xr.Dataset]:
        """Mix every tile of a batch with another one of it.

        Parameters
        ----------
        tiles : sequence of xarray.Dataset
            The batch; tiles of one shape, with the same variables.
        epoch : int
            Which time the chips are gone through.
        chip : int
            Number of the first chip; the others follow it.

        Returns
        -------
        list of xarray.Dataset
            As many tiles in the same order; a tile alone is returned as it is.
        """
        if len(tiles) < 2:
            return list(tiles)
        draws = Draws(self.seed, draw_name(epoch, chip), "batch")
        lots = [draws.key("order", index) for index in range(len(tiles))]
        order = sorted(range(len(tiles)), key=lambda index: lots[index])
        # everybody gets the next in a random circle, so nobody gets itself
        partner = dict(zip(order, [*order[1:], order[0]], strict=True))
        return [
            self({"one": with_draw(tile, epoch=epoch, chip=chip + index), "two": tiles[partner[index]]})
            for index, tile in enumerate(tiles)
        ]


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


class CutMix(Mix):
    """Paste a rectangle of the second tile into the first, in every variable, and say where.

    Reads the same variables from both tiles and writes those of the first: bands, labels and masks come
    from the same tile at every pixel, and no value changes. Adds a bool variable that is True inside the
    rectangle, and the tile attribute ``cutmix_share``. The result lies on the grid of the first: inside the
    rectangle it shows another place.

    Parameters
    ----------
    share : tuple of float
        Smallest and largest share of the tile that is pasted.
    aspect : tuple of float
        Smallest and largest ratio of the rectangle's sides (rows to columns), relative to the tile's.
    name : str
        Name of the mask.
    p : float
        Probability that something is pasted; otherwise the mask is False everywhere.
    seed : int
        Seed of the draws.

    Raises
    ------
    ParameterError
        If there are not two tiles, or a range is not in order.
    GridMismatchError
        If their shapes differ.
    TileError
        If their variables differ, or the mask's name is taken.

    References
    ----------
    Yun, S. et al. (2019). CutMix: regularization strategy to train strong classifiers with localizable
    features. ICCV 2019.

    Examples
    --------
    >>> from geotoolz.augment import CutMix
    >>> from geotoolz.core.testing import simulate_scene
    >>> one, two = (simulate_scene((16, 16), bands=("red",), seed=s) for s in (1, 2))
    >>> out = CutMix(share=(0.25, 0.25), aspect=(1.0, 1.0))({"one": one, "two": two})
    >>> int(out.cutmix_mask.sum()), out.red.equals(one.red.where(~out.cutmix_mask, two.red.values))
    (64, True)
    """

    share: Span = (0.1, 0.4)
    aspect: Span = (0.5, 2.0)
    name: str = "cutmix_mask"

    def validate(self) -> None:
        """Check the ranges."""
        super().validate()
        check_span("share", self.share, 0.0, 1.0)
        check_span("aspect", self.aspect, 0.01, 100.0)

    def drawn(self, tile: TileSpec, other: Mapping[str, str], draws: Draws, done: bool) -> Plan:
        """Paste into every variable."""
        if self.name in tile:
            raise TileError(f"the tile has a variable {self.name!r} already", fix="CutMix(name=…)")
        box = self._box(tile, draws) if done else Extent(0, 0, 0, 0)
        height, width = tile.shape
        share = box.shape[0] * box.shape[1] / max(height * width, 1)
        attrs = {"long_name": "pixels of the second tile", "quantity": "mask"}
        writes = {self.name: VarSpec(("y", "x"), np.dtype(np.bool_), None, attrs)}
        calls = [Call((), (self.name,), _kernels.inside, ((), box), located=True)]
        if share:
            for name, twin in other.items():
                writes[name] = tile.variables[name]
                calls.append(Call((name, twin), (name,), _kernels.pasted, (box,), located=True))
        return Plan(writes=writes, calls=tuple(calls), attrs={"cutmix_share": share})

    def _box(self, tile: TileSpec, draws: Draws) -> Extent:
        """Return the rectangle on the lattice: as large as drawn, as far as it fits the tile."""
        height, width = tile.shape
        share, low, high = draws.between(self.share, "share"), *map(math.log, self.aspect)
        ratio = math.exp(draws.between((low, high), "aspect"))
        ratio = min(max(ratio, share), 1.0 / share) if share else 1.0  # longer would not fit
        rows = min(round(height * math.sqrt(share * ratio)), height)
        cols = min(round(width * math.sqrt(share / ratio)), width)
        y0, x0 = draws.below(height - rows + 1, "row"), draws.below(width - cols + 1, "column")
        return Extent(y0, y0 + rows, x0, x0 + cols).moved(tile.offset)


class MixUp(Mix):
    """Mix the bands of two tiles: ``weight · one + (1 − weight) · two``; labels are kept, not mixed.

    Reads the same variables from both tiles. Bands with reflectance, radiance or backscatter, and other
    measurements in floating point, are mixed in their own type, with no-data where either tile has none.
    Classes, flags, masks and elevation of the first stay, and those of the second stand beside them as
    ``<name>_2``: a loss takes both, by the tile attribute ``mixup_weight``.

    Parameters
    ----------
    alpha : float
        The weight has the distribution Beta(alpha, alpha): below 1 mostly near 0 or 1.
    suffix : str
        What the second tile's labels are called, after their name.
    p : float
        Probability that the tiles are mixed; otherwise the weight is 1.
    seed : int
        Seed of the draws.

    Raises
    ------
    ParameterError
        If there are not two tiles, or alpha is not more than 0 to 4.
    GridMismatchError
        If their shapes differ.
    TileError
        If their variables differ, or a name is taken.

    References
    ----------
    Zhang, H. et al. (2018). mixup: beyond empirical risk minimization. ICLR 2018.

    Examples
    --------
    >>> from geotoolz.augment import MixUp
    >>> from geotoolz.core.testing import simulate_scene
    >>> one, two = (simulate_scene((16, 16), bands=("red",), seed=s) for s in (1, 2))
    >>> out = MixUp()({"one": one, "two": two})
    >>> w = out.attrs["mixup_weight"]
    >>> bool(abs(out.red.values - (w * one.red + (1 - w) * two.red.values)).max() < 1e-6)
    True
    """

    alpha: float = 0.4
    suffix: str = "_2"

    def validate(self) -> None:
        """Check the distribution."""
        super().validate()
        if not 0.01 <= self.alpha <= 4:
            raise ParameterError(f"alpha={self.alpha}", expected="a number from 0.01 to 4")
        if not self.suffix:
            raise ParameterError("suffix=''", expected="an ending for the names of the second tile's labels")

    def drawn(self, tile: TileSpec, other: Mapping[str, str], draws: Draws, done: bool) -> Plan:
        """Mix the bands, keep both labels."""
        weight = draws.beta(self.alpha, "weight") if done else 1.0
        bands = {
            name
            for name in image_bands(tile)
            if name in other
            and (tile.variables[name].dtype.kind == "f" or kind_of(tile, name) in RADIOMETRIC)
        }
        writes, calls = {}, []
        for name, twin in other.items():
            spec = tile.variables[name]
            if name in bands:
                args = (spec.nodata_scalar, tile.variables[twin].nodata_scalar, weight)
                writes[name] = spec
                calls.append(Call((name, twin), (name,), _kernels.mixed, args))
                continue
            if f"{name}{self.suffix}" in tile:
                raise TileError(
                    f"the tile has a variable {name + self.suffix!r} already", fix="MixUp(suffix=…)"
                )
            writes[f"{name}{self.suffix}"] = spec
            calls.append(Call((twin,), (f"{name}{self.suffix}",), np.copy))
        return Plan(writes=writes, calls=tuple(calls), attrs={"mixup_weight": weight})
