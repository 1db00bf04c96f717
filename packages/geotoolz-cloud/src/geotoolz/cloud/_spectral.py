"""Clouds from reflectance alone, for data without a quality layer."""

from __future__ import annotations

from geotoolz.cloud import _spectral_kernels
from geotoolz.cloud._decode import mask_spec
from geotoolz.core import (
    Map,
    ParameterError,
    Plan,
    QuantityError,
    Role,
    TileSpec,
    is_surface_reflectance,
    require_physical,
)


class SpectralClouds(Map):
    """Mask potential cloud pixels by Fmask's spectral tests: bright, white, hazy, and not like rock.

    A pixel is flagged where all hold: ``swir22 > 0.03``, ``(green − swir16) / (green + swir16) < 0.8``,
    ``(nir − red) / (nir + red) < 0.8`` (basic test, without its thermal part);
    ``Σ|band − mean| / mean < 0.7`` over blue, green, red (whiteness); ``blue − 0.5 · red − 0.08 > 0``
    (haze optimised transformation); ``nir / swir16 > 0.75`` (not rock or bare soil).

    This is the first pass of Fmask and no more: no temperature, no probability from the scene's clear
    pixels, no cirrus band, no shadow. Bright roofs, sand and snow pass it in part, thin cloud over dark
    ground is missed. Where the product has a quality layer, `MaskFromFlags` is better; the guide tells
    precision and recall.

    Reads six bands of top-of-atmosphere reflectance (units 1); adds a bool mask, False where a band has no
    data. Looks at one pixel at a time.

    Parameters
    ----------
    blue, green, red, nir, swir16, swir22 : str
        Roles of the bands.
    hot : float
        Threshold of the haze optimised transformation.
    whiteness : float
        Threshold of whiteness; larger takes more coloured pixels for cloud.
    name : str
        Name of the mask.

    Raises
    ------
    MissingVariableError
        If the tile lacks a band.
    QuantityError
        If a band was stretched, or holds digital numbers.

    References
    ----------
    Zhu, Z., Woodcock, C. E. (2012). Object-based cloud and cloud shadow detection in Landsat imagery. Remote
    Sensing of Environment 118, 83–94, equations 1 to 4. Haze optimised transformation: Zhang, Y., Guindon,
    B., Cihlar, J. (2002), Remote Sensing of Environment 82, 173–187.

    Examples
    --------
    >>> from geotoolz.cloud import SpectralClouds
    >>> from geotoolz.core.testing import simulate_scene
    >>> tile = simulate_scene((64, 64), level="L1C", cloud_cover=0.3, seed=3)
    >>> bool(0 < SpectralClouds()(tile).cloud.mean() < 1)
    True
    """

    blue: Role = "blue"
    green: Role = "green"
    red: Role = "red"
    nir: Role = "nir"
    swir16: Role = "swir16"
    swir22: Role = "swir22"
    hot: float = 0.08
    whiteness: float = 0.7
    name: str = "cloud"

    kernel = staticmethod(_spectral_kernels.potential_cloud)

    def validate(self) -> None:
        """Check the thresholds."""
        if not (0 <= self.hot < 1 and self.whiteness > 0):
            raise ParameterError(
                f"hot={self.hot}, whiteness={self.whiteness}", expected="0 ≤ hot < 1, whiteness above 0"
            )

    def plan(self, tile: TileSpec) -> Plan:
        """Read six bands, write the mask."""
        label = type(self).__name__
        roles = (self.blue, self.green, self.red, self.nir, self.swir16, self.swir22)
        bands = tuple(tile.find(role, label) for role in roles)
        require_physical(tile, bands, label)
        specs = [tile.variables[band] for band in bands]
        for band, spec in zip(bands, specs, strict=True):
            if spec.quantity == "dn":
                raise QuantityError(
                    f"{label} reads {band!r}, which holds digital numbers",
                    expected="top-of-atmosphere reflectance: its thresholds are reflectances",
                    fix="open the tile without raw=True, or put DNToReflectance first",
                )
        notes = (
            ("its thresholds are for top-of-atmosphere reflectance, and the tile holds surface reflectance",)
            if any(is_surface_reflectance(tile, band) for band in bands)
            else ()
        )
        args = (*(spec.nodata_scalar for spec in specs), self.hot, self.whiteness)
        return Plan(
            bands, {self.name: mask_spec(specs[0], "potential cloud by reflectance")}, args, notes=notes
        )
