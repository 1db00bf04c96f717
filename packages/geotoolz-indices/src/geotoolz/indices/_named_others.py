"""Indices of chlorophyll, soil and air that people know by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from geotoolz.core import Role
from geotoolz.indices._named import NamedIndex


class ARVI(NamedIndex):
    """Atmospherically resistant vegetation index: ``(nir − rb) / (nir + rb)``.

    Here ``rb = red − gamma · (blue − red)`` is red corrected for the atmosphere. Reads reflectance between
    0 and 1. spyndex 0.12 has the correction's sign the other way round. Adds one float32 variable, units 1,
    computed in float64 and rounded once; NaN where a band has no data, where something is divided by 0, and
    for whatever is not finite. Looks at single pixels.

    Parameters
    ----------
    blue, red, nir : str
        Roles of the bands.
    gamma : float
        Weight of the correction.
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
    Kaufman, Y. J., Tanré, D. (1992). Atmospherically resistant vegetation index (ARVI) for EOS-MODIS. IEEE
    Transactions on Geoscience and Remote Sensing 30, 261–270.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.indices import ARVI
    >>> ARVI()(simulate_scene((8, 8))).arvi.dtype
    dtype('float32')
    """

    index: ClassVar[str] = "ARVI"
    letters: ClassVar[Mapping[str, str]] = {"B": "blue", "R": "red", "N": "nir"}
    symbols: ClassVar[Mapping[str, str]] = {"gamma": "gamma"}

    blue: Role = "blue"
    red: Role = "red"
    nir: Role = "nir"
    gamma: float = 1.0
    name: str = "arvi"


class VARI(NamedIndex):
    """Visible atmospherically resistant index: ``(green − red) / (green + red − blue)``.

    Reads reflectance between 0 and 1. Vegetation from visible bands alone; unbounded where the denominator
    passes 0. Adds one float32 variable, units 1, computed in float64 and rounded once; NaN where a band has
    no data, where something is divided by 0, and for whatever is not finite. Looks at single pixels.

    Parameters
    ----------
    blue, green, red : str
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
    Gitelson, A. A., Kaufman, Y. J., Stark, R., Rundquist, D. (2002). Novel algorithms for remote estimation
    of vegetation fraction. Remote Sensing of Environment 80, 76–87.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.indices import VARI
    >>> VARI()(simulate_scene((8, 8))).vari.dtype
    dtype('float32')
    """

    index: ClassVar[str] = "VARI"
    letters: ClassVar[Mapping[str, str]] = {"B": "blue", "G": "green", "R": "red"}

    blue: Role = "blue"
    green: Role = "green"
    red: Role = "red"
    name: str = "vari"


class CIG(NamedIndex):
    """Green chlorophyll index: ``nir / green − 1``.

    Reads reflectance between 0 and 1. Grows with the chlorophyll of the canopy. Adds one float32 variable,
    units 1, computed in float64 and rounded once; NaN where a band has no data, where something is divided
    by 0, and for whatever is not finite. Looks at single pixels.

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
        If a band was stretched, or holds digital numbers where reflectance matters.

    References
    ----------
    Gitelson, A. A., Gritz, Y., Merzlyak, M. N. (2003). Relationships between leaf chlorophyll content and
    spectral reflectance and algorithms for non-destructive chlorophyll assessment in higher plant leaves.
    Journal of Plant Physiology 160, 271–282.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.indices import CIG
    >>> CIG()(simulate_scene((8, 8))).cig.dtype
    dtype('float32')
    """

    index: ClassVar[str] = "CIG"
    letters: ClassVar[Mapping[str, str]] = {"G": "green", "N": "nir"}

    green: Role = "green"
    nir: Role = "nir"
    name: str = "cig"


class CIRE(NamedIndex):
    """Red-edge chlorophyll index: ``nir / rededge071 − 1``.

    Reads reflectance between 0 and 1. Grows with the chlorophyll of the canopy. Adds one float32 variable,
    units 1, computed in float64 and rounded once; NaN where a band has no data, where something is divided
    by 0, and for whatever is not finite. Looks at single pixels.

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
        If a band was stretched, or holds digital numbers where reflectance matters.

    References
    ----------
    Gitelson, A. A., Gritz, Y., Merzlyak, M. N. (2003). Relationships between leaf chlorophyll content and
    spectral reflectance and algorithms for non-destructive chlorophyll assessment in higher plant leaves.
    Journal of Plant Physiology 160, 271–282.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.indices import CIRE
    >>> CIRE()(simulate_scene((8, 8))).cire.dtype
    dtype('float32')
    """

    index: ClassVar[str] = "CIRE"
    letters: ClassVar[Mapping[str, str]] = {"RE1": "rededge071", "N": "nir"}

    rededge071: Role = "rededge071"
    nir: Role = "nir"
    name: str = "cire"


class BSI(NamedIndex):
    """Bare soil index: ``((swir16 + red) − (nir + blue)) / ((swir16 + red) + (nir + blue))``.

    Reads reflectance between 0 and 1. ``BI`` of the catalogue; between −1 and 1. Adds one float32 variable,
    units 1, computed in float64 and rounded once; NaN where a band has no data, where something is divided
    by 0, and for whatever is not finite. Looks at single pixels.

    Parameters
    ----------
    blue, red, nir, swir16 : str
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
    Rikimaru, A., Roy, P. S., Miyatake, S. (2002). Tropical forest cover density mapping. Tropical Ecology
    43, 39–47.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.indices import BSI
    >>> BSI()(simulate_scene((8, 8))).bsi.dtype
    dtype('float32')
    """

    index: ClassVar[str] = "BI"
    letters: ClassVar[Mapping[str, str]] = {"B": "blue", "R": "red", "N": "nir", "S1": "swir16"}

    blue: Role = "blue"
    red: Role = "red"
    nir: Role = "nir"
    swir16: Role = "swir16"
    name: str = "bsi"
