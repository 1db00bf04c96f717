"""MixUp: the weighted mean of two tiles."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from geotoolz.augment import _kernels
from geotoolz.augment._bands import RADIOMETRIC, kind_of
from geotoolz.augment._draws import Draws
from geotoolz.augment._mix import Mix
from geotoolz.core import Call, ParameterError, Plan, TileError, TileSpec, image_bands


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
