"""Smoothing."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from geotoolz.core import (
    Call,
    Footprint,
    Map,
    ParameterError,
    Plan,
    TileSpec,
    VarSpec,
    chosen_bands,
    flat_view,
)
from geotoolz.radiometry import _kernels


def _box_mean(values: np.ndarray[Any, Any], nodata: float, radius: int) -> np.ndarray[Any, Any]:
    count = math.prod(values.shape[:-2])  # not -1, which an empty tile leaves undefined
    planes = flat_view(values).reshape((count, *values.shape[-2:]))
    smoothed: np.ndarray[Any, Any] = _kernels.box_mean(planes, nodata, radius)
    return smoothed.reshape(values.shape)


class BoxMean(Map):
    """Mean of the valid pixels in a square around each pixel.

    Reads the chosen bands, writes them as float32 with NaN for no-data. No-data pixels stay
    no-data and do not count; at the tile's edge the square is cut off.

    Parameters
    ----------
    radius : int
        The square has ``2 · radius + 1`` pixels a side.
    bands : sequence of str, optional
        By default all bands that hold measurements.

    Raises
    ------
    ParameterError
        If the radius is negative.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.radiometry import BoxMean
    >>> tile = simulate_scene((32, 32), bands=("red",))
    >>> smooth = BoxMean(radius=2)(tile).red
    >>> bool(abs(float(smooth[16, 16]) - float(tile.red[14:19, 14:19].mean())) < 1e-6)
    True
    """

    radius: int = 3
    bands: tuple[str, ...] | None = None

    def validate(self) -> None:
        """Check the radius."""
        if self.radius < 0:
            raise ParameterError(f"radius={self.radius}", expected="0 or more")

    def plan(self, tile: TileSpec) -> Plan:
        """Smooth every band with the same reach."""
        names = chosen_bands(tile, self.bands, type(self).__name__)
        writes = {}
        calls = []
        for name in names:
            spec = tile.variables[name]
            writes[name] = VarSpec(spec.dims, attrs=spec.attrs)
            calls.append(Call((name,), (name,), _box_mean, (spec.nodata_scalar, self.radius)))
        return Plan(writes=writes, calls=tuple(calls), footprint=Footprint(y=self.radius, x=self.radius))
