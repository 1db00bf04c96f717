"""CutMix: a rectangle of one tile in another."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from geotoolz.augment import _kernels
from geotoolz.augment._draws import Draws, check_span
from geotoolz.augment._jitter import Span
from geotoolz.augment._mix import Mix
from geotoolz.core import Call, Extent, Plan, TileError, TileSpec, VarSpec


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
