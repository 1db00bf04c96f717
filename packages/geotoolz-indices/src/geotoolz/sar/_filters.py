"""Speckle filters."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from geotoolz.core import Call, Footprint, Map, ParameterError, Plan, TileSpec, VarSpec, flat_view
from geotoolz.sar._quantity import backscatter_bands

Array = np.ndarray[Any, Any]


def _filtered(values: Array, nodata: float, radius: int, name: str, *args: Any) -> Array:
    """Run one of the loops on every plane of an array."""
    from geotoolz.sar import _loops

    planes = flat_view(values).reshape((math.prod(values.shape[:-2]), *values.shape[-2:]))
    out = np.empty(planes.shape, np.float32)
    with np.errstate(all="ignore"):  # uncompiled, the loops would warn of 0/0
        getattr(_loops, name)(out, planes, nodata, radius, *args)
    return out.reshape(values.shape)


def _frosted(values: Array, nodata: float, radius: int, damping: float) -> Array:
    """Sort the neighbours by their distance: each distance needs one exponential per pixel."""
    side = np.arange(-radius, radius + 1)
    squared = side[:, None] ** 2 + side[None, :] ** 2
    kinds, where = np.unique(squared, return_inverse=True)
    return _filtered(
        values, nodata, radius, "frost", damping, where.reshape(squared.shape), np.sqrt(kinds.astype(float))
    )


class SpeckleFilter(Map, abstract=True):
    """Base of the filters that look at the mean and variance of a square around each pixel."""

    window: int = 7

    def validate(self) -> None:
        """Check the window."""
        if self.window < 3 or self.window % 2 == 0:
            raise ParameterError(
                f"window={self.window}",
                expected="an odd number of pixels, 3 or more, so that the square has a middle",
            )

    def _plan(self, tile: TileSpec, bands: tuple[str, ...] | None, kernel: Any, *args: Any) -> Plan:
        """Filter every band in a call of its own."""
        names, notes = backscatter_bands(tile, bands, "linear", type(self).__name__)
        radius = self.window // 2
        writes, calls = {}, []
        for name in names:
            spec = tile.variables[name]
            writes[name] = VarSpec(spec.dims, attrs=spec.attrs)
            calls.append(Call((name,), (name,), kernel, (spec.nodata_scalar, radius, *args)))
        footprint = Footprint(y=radius, x=radius)
        return Plan(writes=writes, calls=tuple(calls), footprint=footprint, notes=notes)


def require_looks(looks: float) -> None:
    """Raise unless a number of looks is one."""
    if not (math.isfinite(looks) and looks > 0):
        raise ParameterError(
            f"looks={looks}",
            expected="an equivalent number of looks above 0",
            fix="measure it over plain ground with EquivalentNumberOfLooks",
        )


class LeeSpeckle(SpeckleFilter):
    """Lee's speckle filter: ``m + W · (x − m)`` with ``W = max(0, (v − m² Cu²) / (1 + Cu²)) / v``.

    ``m`` and ``v`` are mean and variance (of the population) in a square around the pixel and
    ``Cu² = 1 / looks`` is the squared variation of pure speckle: plain ground becomes its mean, and
    pixels that vary more keep their value. Reads linear power (units 1) and writes the same bands as
    float32 with the attributes they had. No-data, values below 0 and infinities stay no-data (NaN) and do
    not count; at the tile's edge the square is cut off. Looks ``window // 2`` pixels around. Decibels are
    refused: their speckle is not multiplicative. A band that does not say its units is taken as power, with a
    note in the plan: of decibels, all values below 0 would be no data.

    Parameters
    ----------
    window : int
        Side of the square in pixels; odd.
    looks : float
        Equivalent number of looks of the image; `EquivalentNumberOfLooks` measures it over plain
        ground. About 4.4 for Sentinel-1 IW GRD in high resolution.
    bands : sequence of str, optional
        By default all backscatter: variables with that quantity, and ``vv``, ``vh``, ``hh``, ``hv``.

    Raises
    ------
    ParameterError
        If the window is even or below 3, or the number of looks not above 0.
    QuantityError
        If a band is in decibels, or is no backscatter.

    References
    ----------
    Lee, J.-S. (1980). Digital image enhancement and noise filtering by use of local statistics. IEEE
    Transactions on Pattern Analysis and Machine Intelligence 2(2), 165–168.

    Examples
    --------
    >>> from geotoolz.core.testing import contract_tile
    >>> from geotoolz.sar import LeeSpeckle
    >>> tile = contract_tile((32, 32), gaps=False)[["red"]].rename(red="vv")
    >>> tile.vv.attrs["quantity"] = "backscatter"
    >>> float(LeeSpeckle(looks=1)(tile).vv.std()) < 0.2 * float(tile.vv.std())
    True
    """

    looks: float = 4.4
    bands: tuple[str, ...] | None = None

    def validate(self) -> None:
        """Check window and looks."""
        super().validate()
        require_looks(self.looks)

    def plan(self, tile: TileSpec) -> Plan:
        """Filter every band."""
        return self._plan(tile, self.bands, _filtered, "lee", float(self.looks))


class GammaMAP(SpeckleFilter):
    """Gamma maximum a posteriori speckle filter.

    With ``Ci² = v / m²`` of a square around the pixel and ``Cu² = 1 / looks``, the result is ``m`` where
    ``Ci ≤ Cu``, the pixel itself where ``Ci ≥ √2 · Cu`` and else ``(b m + √(m² b² + 4 α L m x)) / (2 α)``
    with ``α = (1 + Cu²) / (Ci² − Cu²)``, ``b = α − L − 1`` and ``L = looks``. Reads linear power (units 1)
    and writes the same bands as float32 with the attributes they had. No-data, values below 0 and
    infinities stay no-data (NaN) and do not count; at the tile's edge the square is cut off. Looks
    ``window // 2`` pixels around. A band without units is taken as power, see `LeeSpeckle`.

    Parameters
    ----------
    window : int
        Side of the square in pixels; odd.
    looks : float
        Equivalent number of looks of the image.
    bands : sequence of str, optional
        By default all backscatter: variables with that quantity, and ``vv``, ``vh``, ``hh``, ``hv``.

    Raises
    ------
    ParameterError
        If the window is even or below 3, or the number of looks not above 0.
    QuantityError
        If a band is in decibels, or is no backscatter.

    References
    ----------
    Lopes, A., Nezry, E., Touzi, R., Laur, H. (1990). Maximum a posteriori speckle filtering and first
    order texture models in SAR images. IGARSS 1990, 2409–2412.

    Examples
    --------
    >>> from geotoolz.core.testing import contract_tile
    >>> from geotoolz.sar import GammaMAP
    >>> tile = contract_tile((32, 32), gaps=False)[["red"]].rename(red="vv")
    >>> tile.vv.attrs["quantity"] = "backscatter"
    >>> float(GammaMAP(looks=1)(tile).vv.std()) < 0.2 * float(tile.vv.std())
    True
    """

    looks: float = 4.4
    bands: tuple[str, ...] | None = None

    def validate(self) -> None:
        """Check window and looks."""
        super().validate()
        require_looks(self.looks)

    def plan(self, tile: TileSpec) -> Plan:
        """Filter every band."""
        return self._plan(tile, self.bands, _filtered, "gamma_map", float(self.looks))


class Frost(SpeckleFilter):
    """Frost's speckle filter: a mean with the weights ``exp(−damping · v / m² · distance)``.

    ``m`` and ``v`` are mean and variance (of the population) of a square around the pixel, and the
    distance is that of a neighbour in pixels: plain ground is averaged, and where it varies near
    neighbours count most. Reads linear power (units 1) and writes the same bands as float32 with the
    attributes they had. No-data, values below 0 and infinities stay no-data (NaN) and do not count; at the
    tile's edge the square is cut off. Looks ``window // 2`` pixels around. A band without units is taken as
    power, see `LeeSpeckle`.

    Parameters
    ----------
    window : int
        Side of the square in pixels; odd.
    damping : float
        How fast weights fall; 0 gives the plain mean.
    bands : sequence of str, optional
        By default all backscatter: variables with that quantity, and ``vv``, ``vh``, ``hh``, ``hv``.

    Raises
    ------
    ParameterError
        If the window is even or below 3, or the damping below 0.
    QuantityError
        If a band is in decibels, or is no backscatter.

    References
    ----------
    Frost, V. S., Stiles, J. A., Shanmugan, K. S., Holtzman, J. C. (1982). A model for radar images and
    its application to adaptive digital filtering of multiplicative noise. IEEE Transactions on Pattern
    Analysis and Machine Intelligence 4(2), 157–166.

    Examples
    --------
    >>> from geotoolz.core.testing import contract_tile
    >>> from geotoolz.sar import Frost
    >>> tile = contract_tile((32, 32), gaps=False)[["red"]].rename(red="vv")
    >>> tile.vv.attrs["quantity"] = "backscatter"
    >>> float(Frost(damping=1)(tile).vv.std()) < 0.4 * float(tile.vv.std())
    True
    """

    damping: float = 2.0
    bands: tuple[str, ...] | None = None

    def validate(self) -> None:
        """Check window and damping."""
        super().validate()
        if not (math.isfinite(self.damping) and self.damping >= 0):
            raise ParameterError(f"damping={self.damping}", expected="0 or more")

    def plan(self, tile: TileSpec) -> Plan:
        """Filter every band."""
        return self._plan(tile, self.bands, _frosted, float(self.damping))
