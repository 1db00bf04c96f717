"""Vegetation indices that people know by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from geotoolz.core import Role
from geotoolz.indices._named import NamedIndex


class EVI(NamedIndex):
    """Enhanced vegetation index: ``gain · (nir − red) / (nir + c1 · red − c2 · blue + background)``.

    Reads reflectance between 0 and 1. Unbounded over clouds and snow, where the denominator passes 0. Adds
    one float32 variable, units 1, computed in float64 and rounded once; NaN where a band has no data, where
    something is divided by 0, and for whatever is not finite. Looks at single pixels.

    Parameters
    ----------
    blue, red, nir : str
        Roles of the bands.
    gain : float
        Gain.
    c1, c2 : float
        Coefficients of the aerosol term.
    background : float
        Adjustment for the ground below the canopy.
    name : str
        Name of the new variable.

    Raises
    ------
    MissingVariableError
        If the tile lacks a band.
    QuantityError
        If a band was stretched, or holds digital numbers where reflectance matters.

    References
    ----------
    Huete, A. R., Liu, H. Q., Batchily, K., van Leeuwen, W. (1997). A comparison of vegetation indices over
    a global set of TM images for EOS-MODIS. Remote Sensing of Environment 59, 440–451.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.indices import EVI
    >>> EVI()(simulate_scene((8, 8))).evi.dtype
    dtype('float32')
    """

    index: ClassVar[str] = "EVI"
    letters: ClassVar[Mapping[str, str]] = {"B": "blue", "R": "red", "N": "nir"}
    symbols: ClassVar[Mapping[str, str]] = {"g": "gain", "C1": "c1", "C2": "c2", "L": "background"}

    blue: Role = "blue"
    red: Role = "red"
    nir: Role = "nir"
    gain: float = 2.5
    c1: float = 6.0
    c2: float = 7.5
    background: float = 1.0
    name: str = "evi"


class EVI2(NamedIndex):
    """Two-band enhanced vegetation index: ``gain · (nir − red) / (nir + 2.4 · red + background)``.

    Reads reflectance between 0 and 1. Near EVI without a blue band. Adds one float32 variable, units 1,
    computed in float64 and rounded once; NaN where a band has no data, where something is divided by 0, and
    for whatever is not finite. Looks at single pixels.

    Parameters
    ----------
    red, nir : str
        Roles of the bands.
    gain : float
        Gain.
    background : float
        Adjustment for the ground below the canopy.
    name : str
        Name of the new variable.

    Raises
    ------
    MissingVariableError
        If the tile lacks a band.
    QuantityError
        If a band was stretched, or holds digital numbers where reflectance matters.

    References
    ----------
    Jiang, Z., Huete, A. R., Didan, K., Miura, T. (2008). Development of a two-band enhanced vegetation
    index without a blue band. Remote Sensing of Environment 112, 3833–3845.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.indices import EVI2
    >>> EVI2()(simulate_scene((8, 8))).evi2.dtype
    dtype('float32')
    """

    index: ClassVar[str] = "EVI2"
    letters: ClassVar[Mapping[str, str]] = {"R": "red", "N": "nir"}
    symbols: ClassVar[Mapping[str, str]] = {"g": "gain", "L": "background"}

    red: Role = "red"
    nir: Role = "nir"
    gain: float = 2.5
    background: float = 1.0
    name: str = "evi2"


class SAVI(NamedIndex):
    """Soil-adjusted vegetation index: ``(1 + background) · (nir − red) / (nir + red + background)``.

    Reads reflectance between 0 and 1. Less sensitive to the colour of soil than NDVI. Adds one float32
    variable, units 1, computed in float64 and rounded once; NaN where a band has no data, where something
    is divided by 0, and for whatever is not finite. Looks at single pixels.

    Parameters
    ----------
    red, nir : str
        Roles of the bands.
    background : float
        Adjustment for the ground: 1 for sparse, 0.5 for intermediate, 0.25 for dense vegetation.
    name : str
        Name of the new variable.

    Raises
    ------
    MissingVariableError
        If the tile lacks a band.
    QuantityError
        If a band was stretched, or holds digital numbers where reflectance matters.

    References
    ----------
    Huete, A. R. (1988). A soil-adjusted vegetation index (SAVI). Remote Sensing of Environment 25, 295–309.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.indices import SAVI
    >>> SAVI()(simulate_scene((8, 8))).savi.dtype
    dtype('float32')
    """

    index: ClassVar[str] = "SAVI"
    letters: ClassVar[Mapping[str, str]] = {"R": "red", "N": "nir"}
    symbols: ClassVar[Mapping[str, str]] = {"L": "background"}

    red: Role = "red"
    nir: Role = "nir"
    background: float = 0.5
    name: str = "savi"


class MSAVI(NamedIndex):
    """Modified soil-adjusted vegetation index: ``½ (2 nir + 1 − √((2 nir + 1)² − 8 (nir − red)))``.

    Reads reflectance between 0 and 1. Finds its own soil adjustment (MSAVI2 of the paper). Adds one float32
    variable, units 1, computed in float64 and rounded once; NaN where a band has no data, where something
    is divided by 0, and for whatever is not finite. Looks at single pixels.

    Parameters
    ----------
    red, nir : str
        Roles of the bands.
    name : str
        Name of the new variable.

    Raises
    ------
    MissingVariableError
        If the tile lacks a band.
    QuantityError
        If a band was stretched, or holds digital numbers where reflectance matters.

    References
    ----------
    Qi, J., Chehbouni, A., Huete, A. R., Kerr, Y. H., Sorooshian, S. (1994). A modified soil adjusted
    vegetation index. Remote Sensing of Environment 48, 119–126.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.indices import MSAVI
    >>> MSAVI()(simulate_scene((8, 8))).msavi.dtype
    dtype('float32')
    """

    index: ClassVar[str] = "MSAVI"
    letters: ClassVar[Mapping[str, str]] = {"R": "red", "N": "nir"}

    red: Role = "red"
    nir: Role = "nir"
    name: str = "msavi"


class OSAVI(NamedIndex):
    """Optimised soil-adjusted vegetation index: ``(nir − red) / (nir + red + 0.16)``.

    Reads reflectance between 0 and 1. As the catalogue has it: the original has a factor 1.16 in front that
    others leave out. Adds one float32 variable, units 1, computed in float64 and rounded once; NaN where a
    band has no data, where something is divided by 0, and for whatever is not finite. Looks at single
    pixels.

    Parameters
    ----------
    red, nir : str
        Roles of the bands.
    name : str
        Name of the new variable.

    Raises
    ------
    MissingVariableError
        If the tile lacks a band.
    QuantityError
        If a band was stretched, or holds digital numbers where reflectance matters.

    References
    ----------
    Rondeaux, G., Steven, M., Baret, F. (1996). Optimization of soil-adjusted vegetation indices. Remote
    Sensing of Environment 55, 95–107.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.indices import OSAVI
    >>> OSAVI()(simulate_scene((8, 8))).osavi.dtype
    dtype('float32')
    """

    index: ClassVar[str] = "OSAVI"
    letters: ClassVar[Mapping[str, str]] = {"R": "red", "N": "nir"}

    red: Role = "red"
    nir: Role = "nir"
    name: str = "osavi"
