"""Normalised differences of vegetation, towns and fire that people know by name."""

from __future__ import annotations

from geotoolz.core import Role
from geotoolz.indices._normalized_difference import NamedDifference


class GNDVI(NamedDifference):
    """Green normalised difference vegetation index: ``(nir − green) / (nir + green)``.

    Reads two bands of reflectance (chlorophyll of leaves; saturates later than NDVI). Adds one float32
    variable, units 1; NaN where either band has no data or their sum is 0. Looks at single pixels.

    Parameters
    ----------
    green, nir : str
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
    Gitelson, A. A., Kaufman, Y. J., Merzlyak, M. N. (1996). Use of a green channel in remote sensing of
    global vegetation from EOS-MODIS. Remote Sensing of Environment 58, 289–298.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.indices import GNDVI
    >>> GNDVI()(simulate_scene((8, 8))).gndvi.dtype
    dtype('float32')
    """

    green: Role = "green"
    nir: Role = "nir"
    name: str = "gndvi"

    def bands(self) -> tuple[str, str]:
        """Return nir, green."""
        return self.nir, self.green


class NDRE(NamedDifference):
    """Normalised difference red-edge index: ``(nir − rededge071) / (nir + rededge071)``.

    Reads two bands of reflectance (chlorophyll of dense canopies; ``NDREI`` of the catalogue). Adds one
    float32 variable, units 1; NaN where either band has no data or their sum is 0. Looks at single pixels.

    Parameters
    ----------
    rededge071, nir : str
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
    Gitelson, A., Merzlyak, M. N. (1994). Spectral reflectance changes associated with autumn senescence of
    Aesculus hippocastanum L. and Acer platanoides L. leaves. Journal of Plant Physiology 143, 286–292.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.indices import NDRE
    >>> NDRE()(simulate_scene((8, 8))).ndre.dtype
    dtype('float32')
    """

    rededge071: Role = "rededge071"
    nir: Role = "nir"
    name: str = "ndre"

    def bands(self) -> tuple[str, str]:
        """Return nir, rededge071."""
        return self.nir, self.rededge071


class NDBI(NamedDifference):
    """Normalised difference built-up index: ``(swir16 − nir) / (swir16 + nir)``.

    Reads two bands of reflectance (positive over built-up and bare land). Adds one float32 variable, units
    1; NaN where either band has no data or their sum is 0. Looks at single pixels.

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
    Zha, Y., Gao, J., Ni, S. (2003). Use of normalized difference built-up index in automatically mapping
    urban areas from TM imagery. International Journal of Remote Sensing 24, 583–594.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.indices import NDBI
    >>> NDBI()(simulate_scene((8, 8))).ndbi.dtype
    dtype('float32')
    """

    nir: Role = "nir"
    swir16: Role = "swir16"
    name: str = "ndbi"

    def bands(self) -> tuple[str, str]:
        """Return swir16, nir."""
        return self.swir16, self.nir


class NBR(NamedDifference):
    """Normalised burn ratio: ``(nir − swir22) / (nir + swir22)``.

    Reads two bands of reflectance (its drop from before a fire to after it grows with burn severity). Adds
    one float32 variable, units 1; NaN where either band has no data or their sum is 0. Looks at single
    pixels.

    Parameters
    ----------
    nir, swir22 : str
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
    Key, C. H., Benson, N. C. (2006). Landscape Assessment. In FIREMON: Fire Effects Monitoring and
    Inventory System, USDA Forest Service RMRS-GTR-164-CD.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.indices import NBR
    >>> NBR()(simulate_scene((8, 8))).nbr.dtype
    dtype('float32')
    """

    nir: Role = "nir"
    swir22: Role = "swir22"
    name: str = "nbr"

    def bands(self) -> tuple[str, str]:
        """Return nir, swir22."""
        return self.nir, self.swir22


class NBR2(NamedDifference):
    """Normalised burn ratio 2: ``(swir16 − swir22) / (swir16 + swir22)``.

    Reads two bands of reflectance (water in burnt vegetation). Adds one float32 variable, units 1; NaN
    where either band has no data or their sum is 0. Looks at single pixels.

    Parameters
    ----------
    swir16, swir22 : str
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
    USGS. Landsat Normalized Burn Ratio 2, Landsat Surface Reflectance-derived Spectral Indices.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.indices import NBR2
    >>> NBR2()(simulate_scene((8, 8))).nbr2.dtype
    dtype('float32')
    """

    swir16: Role = "swir16"
    swir22: Role = "swir22"
    name: str = "nbr2"

    def bands(self) -> tuple[str, str]:
        """Return swir16, swir22."""
        return self.swir16, self.swir22
