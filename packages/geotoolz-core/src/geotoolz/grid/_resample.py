"""To another pixel size."""

from __future__ import annotations

import math
from collections.abc import Mapping

from geotoolz.core import ParameterError, TileSpec
from geotoolz.grid._base import Regrid
from geotoolz.grid._target import check_resolution, require_sensible, resized, warp_within
from geotoolz.grid._warp import Method, Warp


class Resample(Regrid):
    """Change the pixel size of a tile; its reference system and its first corner stay.

    Reads and writes every variable, as `Reproject` does. By default values are averaged by area,
    which is right towards larger pixels; flags, classes and masks take the most frequent value.

    Parameters
    ----------
    resolution : float, optional
        The new pixel size in units of the tile's reference system.
    factor : float, optional
        How many times as large the new pixels are: 2 turns 10 m into 20 m, 0.5 into 5 m.
    method : {"nearest", "bilinear", "cubic", "average", "mode"}
        As for `Reproject`. ``"bilinear"`` or ``"cubic"`` for smaller pixels.
    fill : mapping of str to float, optional
        As for `Reproject`.

    Raises
    ------
    ParameterError
        Unless either `resolution` or `factor` is given.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.grid import Resample
    >>> tile = simulate_scene((64, 64), bands=("red",))
    >>> coarse = Resample(factor=2)(tile)
    >>> coarse.red.shape, bool(abs(coarse.red[0, 0] - tile.red[:2, :2].mean()) < 1e-6)
    ((32, 32), True)
    """

    resolution: float | None = None
    factor: float | None = None
    method: Method = "average"
    fill: Mapping[str, float] | None = None

    def validate(self) -> None:
        """Ask for exactly one of resolution and factor."""
        if (self.resolution is None) == (self.factor is None):
            raise ParameterError(
                f"resolution={self.resolution!r}, factor={self.factor!r}", expected="one of the two"
            )
        check_resolution(self.resolution)
        if self.factor is not None and not (math.isfinite(self.factor) and self.factor > 0):
            raise ParameterError(f"factor={self.factor!r}", expected="a number above 0")

    def warp(self, tile: TileSpec) -> Warp:
        """Return the change to the new pixel size."""
        source = tile.require_geobox(type(self).__name__)
        if self.factor is not None:
            ratio = (self.factor, self.factor)
        else:
            a, size = source.affine, float(self.resolution or 0)
            ratio = (size / math.hypot(a.b, a.e), size / math.hypot(a.a, a.d))
        target = resized(source, ratio)
        what = f"resolution={self.resolution}, factor={self.factor}"
        fits = self.factor is not None or max(ratio) <= max(tile.shape)  # a factor has no units to mistake
        require_sensible(tile, target, what, fits=fits)
        return warp_within(tile, source, target)
