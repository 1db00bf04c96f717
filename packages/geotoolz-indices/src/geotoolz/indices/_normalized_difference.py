"""Normalised differences of two bands."""

from __future__ import annotations

from typing import Any, ClassVar

from geotoolz.core import Map, ParameterError, Plan, Role, TileSpec, VarSpec, require_physical
from geotoolz.indices import _kernels


class _Difference(Map, abstract=True):
    """Base: ``(first − second) / (first + second)`` under a name."""

    kernel = staticmethod(_kernels.normalized_difference)
    attrs: ClassVar[dict[str, Any]] = {}

    def bands(self) -> tuple[str, str]:
        """Return the roles of the first and the second band."""
        raise NotImplementedError

    def plan(self, tile: TileSpec) -> Plan:
        """Read two bands, write the index."""
        label = type(self).__name__
        first, second = (tile.find(role, label) for role in self.bands())
        notes = require_physical(tile, (first, second), label)
        one, two = tile.variables[first], tile.variables[second]
        if one.dims != two.dims:
            raise ParameterError(
                f"{label} reads {first!r} {one.dims} and {second!r} {two.dims}", expected="equal dims"
            )
        attrs = {
            "long_name": f"({first} − {second}) / ({first} + {second})",
            "units": "1",
            "quantity": "index",
            "data_source": _source(tile),
            **type(self).attrs,
        }
        written = VarSpec(one.dims, attrs={k: v for k, v in attrs.items() if v})
        name: str = self.parameters()["name"]
        return Plan((first, second), {name: written}, (one.nodata_scalar, two.nodata_scalar), notes=notes)


class NamedDifference(_Difference, abstract=True):
    """Base of normalised differences that have a name."""


def _source(tile: TileSpec) -> str:
    parts = (tile.attrs.get("platform"), tile.attrs.get("processing_level"))
    return " ".join(str(part) for part in parts if part)


class NormalizedDifference(_Difference):
    """Normalised difference of any two bands: ``(first − second) / (first + second)``.

    Adds one float32 variable, units 1, between −1 and 1 where both bands are positive; NaN where
    either band has no data or their sum is 0. Reads reflectance; digital numbers are accepted
    where no offset applies, stretched values never.

    Parameters
    ----------
    first, second : str
        Roles, variable names or sensor names of the bands.
    name : str
        Name of the new variable.

    Raises
    ------
    MissingVariableError
        If the tile lacks a band.
    QuantityError
        If a band was stretched, or holds digital numbers with an offset.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.indices import NormalizedDifference
    >>> ndmi = NormalizedDifference("nir", "swir16", "ndmi")
    >>> ndmi(simulate_scene((8, 8))).ndmi.dtype
    dtype('float32')
    """

    first: Role
    second: Role
    name: str = "nd"

    def bands(self) -> tuple[str, str]:
        """Return the two bands."""
        return self.first, self.second


class NDVI(_Difference):
    """Normalised difference vegetation index: ``(nir − red) / (nir + red)``.

    Adds one float32 variable, units 1; NaN where either band has no data or their sum is 0. On
    Landsat the role ``nir`` is played by ``nir08``.

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
        If a band was stretched, or holds digital numbers with an offset.

    References
    ----------
    Rouse, J. W., Haas, R. H., Schell, J. A., Deering, D. W. (1974). Monitoring vegetation systems
    in the Great Plains with ERTS. NASA SP-351, 309–317.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.indices import NDVI
    >>> ndvi = NDVI()(simulate_scene((64, 64))).ndvi
    >>> float(ndvi.max()) <= 1
    True
    """

    attrs: ClassVar[dict[str, Any]] = {"standard_name": "normalized_difference_vegetation_index"}

    red: Role = "red"
    nir: Role = "nir"
    name: str = "ndvi"

    def bands(self) -> tuple[str, str]:
        """Return nir, red."""
        return self.nir, self.red


class NDWI(_Difference):
    """Normalised difference water index of open water: ``(green − nir) / (green + nir)``.

    Adds one float32 variable, units 1; NaN where either band has no data or their sum is 0.
    Positive over open water. (Gao's index of the same name, of water in leaves, is
    ``NormalizedDifference("nir08", "swir16")``.)

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
    McFeeters, S. K. (1996). The use of the Normalized Difference Water Index (NDWI) in the
    delineation of open water features. International Journal of Remote Sensing 17, 1425–1432.

    Examples
    --------
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.indices import NDWI
    >>> "ndwi" in NDWI()(simulate_scene((8, 8)))
    True
    """

    green: Role = "green"
    nir: Role = "nir"
    name: str = "ndwi"

    def bands(self) -> tuple[str, str]:
        """Return green, nir."""
        return self.green, self.nir
