"""The spectral angle."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np

from geotoolz.core import (
    ArrayParam,
    Map,
    ParameterError,
    Plan,
    Role,
    TileSpec,
    VarSpec,
    require_physical,
)
from geotoolz.hyperspectral import _kernels
from geotoolz.hyperspectral._chunks import per_pixel
from geotoolz.hyperspectral._cube import Ranges, bands_in, check_ranges, cube_of
from geotoolz.hyperspectral._target import Resampling, check_target, prepared, require_finite, target_on

Array = np.ndarray[Any, Any]


def _angle(cube: Array, nodata: Any, bands: Array, target: Array, factor: float) -> Array:
    return per_pixel(cube, bands, _kernels.angle, nodata, target, factor)


class SAM(Map):
    """Spectral angle: ``arccos(x·t / (|x| |t|))``, the angle between a pixel and a target.

    Brightness does not matter, only the shape of the spectrum: 0 for the target in any illumination.

    Reads one cube ``(wavelength, y, x)`` (a stack has ``time`` before it) of physical values. Adds one
    float32 variable without ``wavelength``, units rad (0 to π) or degree (0 to 180); NaN where any
    band that is used has no data, and for a pixel that is 0 in all bands. Footprint: one pixel, all
    bands. Sums run in float64 in the order of the bands.

    Parameters
    ----------
    spectrum : array, DataArray, or Ref
        As for `MatchedFilter`. Its brightness does not matter.
    cube : str, optional
        The variable; by default the only one with a ``wavelength``.
    name : str
        Name of the new variable.
    ranges : sequence of (float, float), optional
        Use only bands whose centres lie in one of these ranges, in nanometres. Empty bands (130–135
        of EnMAP) have to be left out so, or every angle is NaN.
    resample : {"linear", "gaussian"}, optional
        Bring a target on other wavelengths to those of the cube; otherwise it is refused.
    units : {"rad", "degree"}
        Of the angle.

    Raises
    ------
    TileError
        If the target has another length or wavelength grid, or no value in a band that is used.
    ParameterError
        If the target is 0 in all bands.
    MissingVariableError
        If the tile has no cube.
    QuantityError
        If the cube was stretched, or holds digital numbers with an offset.

    References
    ----------
    Kruse, F. A., Lefkoff, A. B., Boardman, J. W., et al. (1993). The spectral image processing system
    (SIPS): interactive visualization and analysis of imaging spectrometer data. Remote Sensing of
    Environment 44, 145–163.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from geotoolz.hyperspectral import SAM
    >>> values = np.ones((2, 1, 2), np.float32)
    >>> values[0, 0, 1] = 0
    >>> tile = xr.Dataset({"cube": (("wavelength", "y", "x"), values)}, {"wavelength": [500.0, 600.0]})
    >>> SAM([1.0, 0.0], units="degree")(tile).spectral_angle.values.round(3).tolist()
    [[45.0, 90.0]]
    """

    spectrum: ArrayParam
    cube: Role | None = None
    name: str = "spectral_angle"
    ranges: Ranges | None = None
    resample: Resampling | None = None
    units: Literal["rad", "degree"] = "rad"

    kernel = staticmethod(_angle)

    def prepare(self, values: dict[str, Any]) -> dict[str, Any]:
        """Accept lists and DataArrays as target."""
        return prepared(values)

    def validate(self) -> None:
        """Check what can be checked without a tile."""
        check_target(self.spectrum, "SAM")
        check_ranges(self.ranges, "SAM")

    def plan(self, tile: TileSpec) -> Plan:
        """Read the cube, write an angle per pixel."""
        if self.spectrum is None:
            raise ParameterError("SAM has no target", expected="a spectrum")
        cube = cube_of(tile, self.cube, "SAM")
        notes = require_physical(tile, (cube.name,), "SAM")
        bands = bands_in(cube.wavelengths, self.ranges, "SAM")
        target = target_on(self.spectrum, cube, self.resample, "SAM")[bands]
        require_finite(target, cube.wavelengths[bands], "SAM")
        length = math.sqrt(math.fsum(v * v for v in target.tolist()))
        if not length:
            raise ParameterError("SAM: the target is 0 in all bands", expected="a spectrum")
        factor = 1.0 if self.units == "rad" else 180.0 / math.pi
        attrs = {"long_name": "spectral angle", "units": self.units, "quantity": "index"}
        args = (cube.spec.nodata_scalar, bands, target / length, factor)
        return Plan((cube.name,), {self.name: VarSpec(cube.dims, attrs=attrs)}, args, notes=notes)
