"""Haze removal by dark objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from geotoolz.core import (
    Call,
    Freezable,
    ParameterError,
    Plan,
    QuantityError,
    Reduce,
    TileSpec,
    VarSpec,
    chosen_bands,
    is_surface_reflectance,
    require_physical,
)
from geotoolz.correction import _kernels
from geotoolz.radiometry import Percentiles


class DarkObjectSubtraction(Freezable):
    """Subtract each band's haze: ``max(ρ − max(ρ_dark − residual, 0), 0)``.

    ``ρ_dark`` is a low percentile of the scene. With ``residual=0.01`` this is DOS1: dark objects
    are taken to reflect one per cent. A band whose dark object is darker than that has no haze, and stays
    as it is. It removes additive haze; it is no atmospheric correction of transmittance or adjacency.

    Reads the chosen bands (top-of-atmosphere reflectance, units 1), writes them as float32, NaN for
    no-data. Looks at one pixel at a time, once the dark values are known.

    Parameters
    ----------
    percentile : float
        The percentile of the valid pixels that counts as dark.
    residual : float
        Reflectance that dark objects are assumed to have: 0.01 for DOS1.
    bands : sequence of str, optional
        By default all bands that hold measurements.
    dark_values : mapping of str to float, optional
        Frozen ``ρ_dark`` per band. Set by `geotoolz.core.freeze`.
    scope : {"tile", "catalog"}
        ``"tile"`` lets an unfrozen step take the percentile of the very tile. Tiles of one scene
        then get different corrections and show seams: freeze on the whole scene.

    Raises
    ------
    QuantityError
        If a band is corrected already (surface reflectance, or what this operator wrote, which it marks with
        the attribute ``haze``), holds stretched values, digital numbers with an offset, or with a `residual`
        digital numbers without a ``scale_factor``.
    ParameterError
        If the percentile is not between 0 and 100.

    References
    ----------
    Chavez, P. S. (1988). An improved dark-object subtraction technique for atmospheric scattering
    correction of multispectral data. Remote Sensing of Environment 24, 459–479.
    Chavez, P. S. (1996). Image-based atmospheric corrections, revisited and improved.
    Photogrammetric Engineering & Remote Sensing 62, 1025–1036.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.correction import DarkObjectSubtraction
    >>> tile = simulate_scene((64, 64), level="L1C", bands=("blue",))
    >>> bool(DarkObjectSubtraction(percentile=1)(tile).blue.mean() < tile.blue.mean())
    True
    """

    version = 3  # 2: a dark object below `residual` adds nothing; 3: `residual` of digital numbers is scaled

    percentile: float = 1.0
    residual: float = 0.0
    bands: tuple[str, ...] | None = None
    dark_values: Mapping[str, float] | None = None
    scope: Literal["tile", "catalog"] = "tile"

    def validate(self) -> None:
        """Check the ranges."""
        if not 0 <= self.percentile <= 100:
            raise ParameterError(f"percentile={self.percentile}", expected="0 to 100")
        if not 0 <= self.residual < 1:
            raise ParameterError(f"residual={self.residual}", expected="a reflectance from 0 to below 1")

    @property
    def is_frozen(self) -> bool:
        """Whether the dark values are known."""
        return self.dark_values is not None

    def statistics(self, tile: TileSpec) -> Reduce:
        """Return the percentiles to gather."""
        return Percentiles(chosen_bands(tile, self.bands, type(self).__name__), (self.percentile,))

    def freeze(self, result: Mapping[str, tuple[float, ...]]) -> DarkObjectSubtraction:
        """Return the step with its dark values bound."""
        return self.replace(dark_values={band: values[0] for band, values in result.items()})

    def plan(self, tile: TileSpec) -> Plan:
        """Subtract from every band."""
        label = type(self).__name__
        named = self.bands if self.dark_values is None else tuple(self.dark_values)
        bands = chosen_bands(tile, named, label)
        if self.dark_values is not None and len(bands) < len(self.dark_values):
            raise ParameterError(f"{label}: two of the dark values {', '.join(named or ())} are for one band")
        notes = require_physical(tile, bands, label)
        darks = list(self.dark_values.values()) if self.dark_values is not None else [0.0] * len(bands)
        writes, calls = {}, []
        for band, dark in zip(bands, darks, strict=True):
            spec = tile.variables[band]
            before = "surface reflectance" if is_surface_reflectance(tile, band) else spec.attrs.get("haze")
            if before:
                raise QuantityError(
                    f"{label} reads {band!r}, which is {before}: its atmosphere is corrected already",
                    expected="top-of-atmosphere reflectance (Sentinel-2 L1C, Landsat L1)",
                    fix=f"leave {label} out",
                )
            writes[band] = VarSpec(spec.dims, attrs={**spec.attrs, "haze": "without its dark object"})
            haze = max(float(dark) - self._residual_of(spec, band), 0.0)
            calls.append(Call((band,), (band,), _kernels.subtract_floor, (spec.nodata_scalar, haze)))
        return Plan(writes=writes, calls=tuple(calls), notes=notes)

    def _residual_of(self, spec: VarSpec, band: str) -> float:
        """Return the reflectance of dark objects in the numbers of a band."""
        if not self.residual or spec.quantity != "dn":
            return self.residual
        scale = float(spec.attrs.get("scale_factor", 0.0))
        if not scale:
            raise QuantityError(
                f"{type(self).__name__}: residual={self.residual} is a reflectance, and {band!r} holds "
                "digital numbers without a scale_factor",
                expected="reflectance",
                fix="put DNToReflectance first",
            )
        return self.residual / scale
