"""Normalised differences of water and snow that people know by name."""

from __future__ import annotations

from geotoolz.core import Role
from geotoolz.indices._normalized_difference import NamedDifference


class NDMI(NamedDifference):
    """Normalised difference moisture index: ``(nir − swir16) / (nir + swir16)``.

    Reads two bands of reflectance (water in canopies). Adds one float32 variable, units 1; NaN where either
    band has no data or their sum is 0. Looks at single pixels.

    Parameters
    ----------
    nir, swir16 : str
        Roles of the bands.
    name : str
        Name of the new variable.

    Raises
    ------
    MissingVariableError
        If the tile lacks a band.
    QuantityError
        If a band was stretched, or holds digital numbers with an offset.

    References
    ----------
    Gao, B.-C. (1996). NDWI: a normalized difference water index for remote sensing of vegetation liquid
    water from space. Remote Sensing of Environment 58, 257–266.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.indices import NDMI
    >>> NDMI()(simulate_scene((8, 8))).ndmi.dtype
    dtype('float32')
    """

    nir: Role = "nir"
    swir16: Role = "swir16"
    name: str = "ndmi"

    def bands(self) -> tuple[str, str]:
        """Return nir, swir16."""
        return self.nir, self.swir16


class LSWI(NamedDifference):
    """Land surface water index: ``(nir − swir16) / (nir + swir16)``.

    Reads two bands of reflectance (water in leaves and soil; NDMI by another name). Adds one float32
    variable, units 1; NaN where either band has no data or their sum is 0. Looks at single pixels.

    Parameters
    ----------
    nir, swir16 : str
        Roles of the bands.
    name : str
        Name of the new variable.

    Raises
    ------
    MissingVariableError
        If the tile lacks a band.
    QuantityError
        If a band was stretched, or holds digital numbers with an offset.

    References
    ----------
    Chandrasekar, K., Sesha Sai, M. V. R., Roy, P. S., Dwevedi, R. S. (2010). Land Surface Water Index
    (LSWI) response to rainfall and NDVI using the MODIS vegetation index product. International Journal of
    Remote Sensing 31, 3987–4005.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.indices import LSWI
    >>> LSWI()(simulate_scene((8, 8))).lswi.dtype
    dtype('float32')
    """

    nir: Role = "nir"
    swir16: Role = "swir16"
    name: str = "lswi"

    def bands(self) -> tuple[str, str]:
        """Return nir, swir16."""
        return self.nir, self.swir16


class MNDWI(NamedDifference):
    """Modified normalised difference water index: ``(green − swir16) / (green + swir16)``.

    Reads two bands of reflectance (positive over open water, and less so over towns than NDWI). Adds one
    float32 variable, units 1; NaN where either band has no data or their sum is 0. Looks at single pixels.

    Parameters
    ----------
    green, swir16 : str
        Roles of the bands.
    name : str
        Name of the new variable.

    Raises
    ------
    MissingVariableError
        If the tile lacks a band.
    QuantityError
        If a band was stretched, or holds digital numbers with an offset.

    References
    ----------
    Xu, H. (2006). Modification of normalised difference water index (NDWI) to enhance open water features
    in remotely sensed imagery. International Journal of Remote Sensing 27, 3025–3033.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.indices import MNDWI
    >>> MNDWI()(simulate_scene((8, 8))).mndwi.dtype
    dtype('float32')
    """

    green: Role = "green"
    swir16: Role = "swir16"
    name: str = "mndwi"

    def bands(self) -> tuple[str, str]:
        """Return green, swir16."""
        return self.green, self.swir16


class NDSI(NamedDifference):
    """Normalised difference snow index: ``(green − swir16) / (green + swir16)``.

    Reads two bands of reflectance (snow is often taken to be where it exceeds 0.4). Adds one float32
    variable, units 1; NaN where either band has no data or their sum is 0. Looks at single pixels.

    Parameters
    ----------
    green, swir16 : str
        Roles of the bands.
    name : str
        Name of the new variable.

    Raises
    ------
    MissingVariableError
        If the tile lacks a band.
    QuantityError
        If a band was stretched, or holds digital numbers with an offset.

    References
    ----------
    Hall, D. K., Riggs, G. A., Salomonson, V. V. (1995). Development of methods for mapping global snow
    cover using Moderate Resolution Imaging Spectroradiometer data. Remote Sensing of Environment 54,
    127–140.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.indices import NDSI
    >>> NDSI()(simulate_scene((8, 8))).ndsi.dtype
    dtype('float32')
    """

    green: Role = "green"
    swir16: Role = "swir16"
    name: str = "ndsi"

    def bands(self) -> tuple[str, str]:
        """Return green, swir16."""
        return self.green, self.swir16
