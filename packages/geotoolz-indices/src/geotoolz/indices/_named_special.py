"""Indices that people know by name and that are more than one formula."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from geotoolz.core import Role
from geotoolz.indices._catalogue import find_entry
from geotoolz.indices._formula import Wanted
from geotoolz.indices._named import NamedIndex


class AWEI(NamedIndex):
    """Automated water extraction index; with shadows ``blue + 2.5 green − 1.5 (nir + swir16) − 0.25 swir22``.

    Without (``AWEInsh``) it is ``4 (green − swir16) − (0.25 nir + 2.75 swir22)``. Positive over open water.
    Reads reflectance between 0 and 1. Adds one float32 variable, units 1, computed in float64 and rounded
    once; NaN where a band has no data. Looks at single pixels.

    Parameters
    ----------
    blue, green, nir, swir16, swir22 : str
        Roles of the bands; blue is read with shadows only.
    shadows : bool
        Whether to tell water from shadows too (``AWEIsh`` of the catalogue).
    name : str
        Name of the new variable.

    Raises
    ------
    MissingVariableError
        If the tile lacks a band.
    QuantityError
        If a band was stretched, or holds digital numbers.

    References
    ----------
    Feyisa, G. L., Meilby, H., Fensholt, R., Proud, S. R. (2014). Automated Water Extraction Index: a new
    technique for surface water mapping using Landsat imagery. Remote Sensing of Environment 140, 23–35.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.indices import AWEI
    >>> AWEI(shadows=False)(simulate_scene((8, 8))).awei.attrs["long_name"]
    'Automated Water Extraction Index'
    """

    letters: ClassVar[Mapping[str, str]] = {
        "B": "blue", "G": "green", "N": "nir", "S1": "swir16", "S2": "swir22"
    }  # fmt: skip

    blue: Role = "blue"
    green: Role = "green"
    nir: Role = "nir"
    swir16: Role = "swir16"
    swir22: Role = "swir22"
    shadows: bool = True
    name: str = "awei"

    def _wanted(self) -> Wanted:
        entry, fields = find_entry("AWEIsh" if self.shadows else "AWEInsh"), self.parameters()
        bands = {letter: fields[name] for letter, name in self.letters.items() if letter in entry.bands}
        return Wanted(entry, self.name, bands, {})


class KNDVI(NamedIndex):
    """Kernel normalised difference vegetation index: ``tanh(((nir − red) / 2σ)²)``.

    With the RBF kernel; by default σ = (nir + red) / 2, pixel by pixel, which makes it tanh(NDVI²). Reads
    reflectance. Adds one float32 variable, units 1, between 0 and 1, computed in float64 and rounded once;
    NaN where a band has no data or nir + red is 0. Looks at single pixels.

    Parameters
    ----------
    red, nir : str
        Roles of the bands.
    sigma : float, optional
        One length scale for all pixels, in units of reflectance.
    name : str
        Name of the new variable.

    Raises
    ------
    ParameterError
        If sigma is 0.
    MissingVariableError
        If the tile lacks a band.
    QuantityError
        If a band was stretched, or holds digital numbers with an offset.

    References
    ----------
    Camps-Valls, G., Campos-Taberner, M., Moreno-Martínez, Á., et al. (2021). A unified vegetation index for
    quantifying the terrestrial biosphere. Science Advances 7, eabc7447.

    Examples
    --------
    >>> import numpy as np
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.indices import KNDVI, NDVI
    >>> tile = simulate_scene((8, 8))
    >>> bool(np.allclose(KNDVI()(tile).kndvi, np.tanh(NDVI()(tile).ndvi ** 2), atol=1e-6))
    True
    """

    letters: ClassVar[Mapping[str, str]] = {"R": "red", "N": "nir"}

    red: Role = "red"
    nir: Role = "nir"
    sigma: float | None = None
    name: str = "kndvi"

    def _wanted(self) -> Wanted:
        constants = {} if self.sigma is None else {"sigma": self.sigma}
        return Wanted(find_entry("kNDVI"), self.name, {"R": self.red, "N": self.nir}, constants)
