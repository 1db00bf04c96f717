"""Normalising reflectance by the sun's height."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from geotoolz.core import (
    Call,
    Map,
    Plan,
    QuantityError,
    TileSpec,
    VarSpec,
    chosen_bands,
    is_surface_reflectance,
    require_physical,
)
from geotoolz.correction import _kernels
from geotoolz.correction._sun import check_elevation, sun_angles

_DIVIDED = ("toa_reflectance", "surface_reflectance")


def _divide(values: np.ndarray[Any, Any], nodata: float, cosines: tuple[float, ...]) -> np.ndarray[Any, Any]:
    """Divide all planes by one cosine, or each date by its own."""
    if len(cosines) == 1:
        whole: np.ndarray[Any, Any] = _kernels.divide(values, nodata, cosines[0])
        return whole
    out = np.empty(values.shape, np.float32)
    for date, cosine in enumerate(cosines):
        out[date] = _kernels.divide(np.ascontiguousarray(values[date]), nodata, cosine)
    return out


class SunZenithNormalize(Map):
    """Divide reflectance by the cosine of the sun's zenith angle: ``ρ = ρ' / cos(zenith)``.

    A cosine normalisation is no atmospheric correction: scattering, absorption and neighbouring pixels stay
    in the values, which are top-of-atmosphere reflectance afterwards, whatever the old name ``TOAToBOA``
    promised. It makes scenes of different sun heights comparable, on flat ground.

    Reads the chosen bands (reflectance that was not divided by the cosine yet, such as Landsat Level-1 DN
    scaled by ``REFLECTANCE_MULT`` alone), writes them as float32 top-of-atmosphere reflectance, units 1, NaN
    for no-data. The angle is the tile's attribute ``sun_elevation`` in degrees, in stacks a coordinate of
    that name along ``time``. Looks at one pixel at a time.

    Parameters
    ----------
    bands : sequence of str, optional
        By default all bands that hold measurements.
    sun_elevation : float, optional
        In degrees above the horizon; by default what the tile says.

    Raises
    ------
    QuantityError
        If the cosine is in the values already: top-of-atmosphere reflectance as `open_tile` gives it
        (Sentinel-2 Level-1C is delivered that way), surface reflectance, all of Sentinel-2; if a band
        holds temperatures, stretched values, flags, or digital numbers.
    TileError
        If the tile does not say its `sun_elevation`.

    References
    ----------
    Chander, G., Markham, B. L., Helder, D. L. (2009). Summary of current radiometric calibration
    coefficients for Landsat MSS, TM, ETM+, and EO-1 ALI sensors. Remote Sensing of Environment 113, 893–903,
    equation 2. Sentinel-2 Products Specification Document: Level-1C is normalised by the incoming irradiance.

    Examples
    --------
    >>> import numpy as np
    >>> from geotoolz.core.testing import contract_tile
    >>> from geotoolz.correction import SunZenithNormalize
    >>> tile = contract_tile(level="L1TP").assign_attrs(platform="landsat-8")
    >>> tile.red.attrs["quantity"] = "reflectance"  # nobody has divided it by the cosine
    >>> out = SunZenithNormalize(("red",), sun_elevation=30.0)(tile)
    >>> bool(np.allclose(out.red, 2 * tile.red, equal_nan=True)), out.red.attrs["quantity"]
    (True, 'toa_reflectance')
    """

    aliases = (
        "geotoolz.correction.TOAToBOA",
        "geotoolz.correction.SunAngleCorrection",
    )

    bands: tuple[str, ...] | None = None
    sun_elevation: float | None = None

    def validate(self) -> None:
        """Check the angle."""
        check_elevation(self.sun_elevation)

    def plan(self, tile: TileSpec) -> Plan:
        """Divide every band."""
        label = type(self).__name__
        bands = chosen_bands(tile, self.bands, label)
        require_physical(tile, bands, label)
        writes, calls = {}, []
        for band in bands:
            spec = tile.variables[band]
            self._refuse(tile, band)
            angles = sun_angles(tile, "sun_elevation", self.sun_elevation, spec.dims, label)
            cosines = tuple(math.cos(math.radians(90.0 - float(angle))) for angle in angles)
            attrs = {k: v for k, v in spec.attrs.items() if k not in ("scale_factor", "add_offset")}
            writes[band] = VarSpec(spec.dims, attrs={**attrs, "quantity": "toa_reflectance", "units": "1"})
            calls.append(Call((band,), (band,), _divide, (spec.nodata_scalar, cosines)))
        return Plan(writes=writes, calls=tuple(calls))

    def _refuse(self, tile: TileSpec, band: str) -> None:
        """Raise where the cosine is in the values, or where they are no reflectance."""
        quantity = tile.variables[band].quantity
        label, platform = type(self).__name__, str(tile.attrs.get("platform", "")).lower()
        sentinel = platform.startswith("sentinel-2") and quantity in (None, "reflectance")
        if quantity in _DIVIDED or sentinel or is_surface_reflectance(tile, band):
            what = (
                f"Sentinel-2 {tile.attrs.get('processing_level', '')}".strip() if sentinel else str(quantity)
            )
            raise QuantityError(
                f"{label} reads {band!r}, which is divided by the sun's cosine already ({what})",
                expected="reflectance without the sun's angle",
                fix=f"leave {label} out; if the metadata are wrong, correct ds[{band!r}].attrs['quantity']",
            )
        if quantity not in (None, "reflectance"):
            raise QuantityError(
                f"{label} reads {band!r}, which holds {quantity}",
                expected="reflectance",
                fix="name the bands with bands=; put DNToReflectance before digital numbers",
            )
