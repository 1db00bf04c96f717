"""Methane enhancements by a sparse matched filter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from geotoolz.core import (
    ArrayParam,
    Freezable,
    FrozenArray,
    ParameterError,
    Plan,
    Reduce,
    Role,
    TileError,
    TileSpec,
    VarSpec,
    as_array,
    require_physical,
)
from geotoolz.hyperspectral import _sparse_kernels as kernels
from geotoolz.hyperspectral._chunks import per_pixel
from geotoolz.hyperspectral._cube import Cube, Ranges, bands_in, check_ranges, cube_of, grid_label, same_grid
from geotoolz.hyperspectral._sparse_background import Progress, SparseBackground
from geotoolz.hyperspectral._target import Resampling, check_target, prepared, require_finite, target_on

Array = np.ndarray[Any, Any]


def _retrieve(cube: Array, nodata: Any, bands: Array, scale: float, *chain: Any) -> Array:
    def amounts(out: Array, part: Array) -> None:
        found, brightness = np.empty(out.size), np.empty(out.size)
        kernels.enhancements(found, brightness, part, nodata, *chain)
        out[...] = found * scale

    return per_pixel(cube, bands, amounts)


@dataclass(frozen=True)
class Setting:
    """What a step finds in a tile before it looks at pixels."""

    cube: Cube
    bands: Array
    target: Array


class Mag1c(Freezable):
    """Amount of a gas by an albedo-corrected, reweighted-ℓ1 matched filter ("mag1c").

    With the unit absorption ``s`` of the gas (see `unit_absorption`), the background's mean μ and
    covariance S, and the target ``t = s·μ``, the amount in a pixel of brightness
    ``R = x·μ / μ·μ`` is ``α = max(((x−μ)ᵀS⁻¹t − w) / (R · tᵀS⁻¹t), 0)``, at first with ``w = 0``. Every
    iteration takes the gas that was found out of the pixels (``x − R·α·t``), finds μ, S and t anew, and
    then α, with the weight ``w = 1/(R·α)`` of the α before: small amounts are pressed to 0.

    Reads one cube ``(wavelength, y, x)`` of radiance, or of anything else that is proportional to the
    light (reflectance). Adds one float32 variable without ``wavelength``, ``α · scale``, 0 or above;
    NaN where any band that is used has no data, and where R is not positive. Footprint: one pixel, all
    bands. Filters are statistics of the whole tile: they are found in at most two visits of the
    pixels per iteration, unless frozen, and bits do not depend on the cut of the work.

    The published program finds filters per detector (image column of a pushbroom sensor in raw
    geometry); here the whole tile is one group, as map-projected products have no columns left.
    Select columns before, to treat them by themselves. No small number is added to α: an amount of 0
    stays 0.

    Parameters
    ----------
    spectrum : array, DataArray, or Ref
        Unit absorption per band, or columns wavelength and absorption; negative where gas absorbs.
    cube : str, optional
        The variable; by default the only one with a ``wavelength``.
    name : str
        Name of the new variable.
    ranges : sequence of (float, float), optional
        Use only bands whose centres lie in one of these ranges, in nanometres; by default methane's
        strong band.
    resample : {"linear", "gaussian"}, optional
        Bring a target on other wavelengths to those of the cube; otherwise it is refused.
    iterations : int
        How often background and amounts are found anew.
    albedo : bool
        Whether to correct for brightness; otherwise ``R = 1``.
    sparse : bool
        Whether iterations press small amounts to 0; otherwise ``w = 0``.
    shrinkage : float
        Use ``(1−a)·S + a·diag(S)``: makes a singular covariance regular.
    scale : float
        What an α of 1 means; the unit absorption's amount of gas.
    units : str
        Units of the result.
    filters : array, optional
        Frozen filters: a line of wavelengths, the means, the filters ``S⁻¹t``. Set by
        `geotoolz.core.freeze`.
    scope : {"tile", "catalog"}
        ``"tile"`` lets an unfrozen step take the statistics of the very tile.

    Raises
    ------
    TileError
        If the target has another length or wavelength grid, or no value in a band that is used; if
        the covariance is singular (names its rank); if the filters are of other bands.
    ParameterError
        If the target is 0 in all bands, or a parameter is out of range.
    MissingVariableError
        If the tile has no cube.
    QuantityError
        If the cube was stretched, or holds digital numbers with an offset.

    References
    ----------
    Foote, M. D., Dennison, P. E., Thorpe, A. K., Thompson, D. R., Jongaramrungruang, S.,
    Frankenberg, C., Joshi, S. C. (2020). Fast and accurate retrieval of methane concentration from
    imaging spectrometer data using sparsity prior. IEEE Transactions on Geoscience and Remote
    Sensing 58, 6480–6492. doi:10.1109/TGRS.2020.2976888

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from geotoolz.hyperspectral import Mag1c
    >>> rng, gas = np.random.default_rng(0), np.array([-0.5, -1.0, -0.2])
    >>> values = rng.normal([[[1.0]], [[0.8]], [[0.9]]], 0.01, (3, 30, 30))
    >>> values[:, 4, 5] *= np.exp(gas * 0.1)
    >>> tile = xr.Dataset({"cube": (("wavelength", "y", "x"), values)}, {"wavelength": [2200.0, 2300, 2400]})
    >>> found = Mag1c(gas, iterations=3, scale=1.0)(tile).methane
    >>> bool(found[4, 5] == found.max()), bool((found == 0).mean() > 0.5)
    (True, True)
    """

    spectrum: ArrayParam
    cube: Role | None = None
    name: str = "methane"
    ranges: Ranges | None = ((2122.0, 2488.0),)
    resample: Resampling | None = None
    iterations: int = 30
    albedo: bool = True
    sparse: bool = True
    shrinkage: float = 0.0
    scale: float = 1e5
    units: str = "ppm m"
    filters: ArrayParam = None
    scope: Literal["tile", "catalog"] = "tile"

    kernel = staticmethod(_retrieve)

    def prepare(self, values: dict[str, Any]) -> dict[str, Any]:
        """Accept lists and DataArrays as target."""
        return prepared(values)

    def validate(self) -> None:
        """Check what can be checked without a tile."""
        check_target(self.spectrum, "Mag1c")
        check_ranges(self.ranges, "Mag1c")
        if not 0 <= self.shrinkage < 1:
            raise ParameterError(f"Mag1c: shrinkage={self.shrinkage}", expected="0 to below 1")
        if not 0 <= self.iterations <= 1000:
            raise ParameterError(f"Mag1c: iterations={self.iterations}", expected="0 to 1000")
        lines = 1 + 2 * (self.iterations + 1)
        held = self.filters
        if isinstance(held, FrozenArray) and (len(held.shape) != 2 or held.shape[0] != lines):
            raise ParameterError(
                f"Mag1c: filters has shape {held.shape}",
                expected=f"{lines} lines for {self.iterations} iterations",
                fix="freeze again after changing iterations",
            )

    @property
    def is_frozen(self) -> bool:
        """Whether the filters are known."""
        return self.filters is not None

    def statistics(self, tile: TileSpec) -> Reduce:
        """Return the backgrounds to gather."""
        return SparseBackground(self.replace(filters=None))

    def freeze(self, result: Progress) -> Mag1c:
        """Return the step with its filters bound."""
        held = np.full((1 + 2 * (self.iterations + 1), result.wavelengths.size), np.nan)
        held[0] = result.wavelengths
        for number, line in enumerate([*result.means, *result.filters], 1):
            held[number, result.bands] = line
        return self.replace(filters=FrozenArray(held))

    def plan(self, tile: TileSpec) -> Plan:
        """Read the cube, write an amount per pixel; unfrozen, the filters follow at freezing."""
        setting = self.setting(tile)
        cube = setting.cube
        attrs = {"long_name": "gas enhancement", "units": self.units, "quantity": "index"}
        args: tuple[Any, ...] = ()
        if self.filters is not None:
            held = as_array(self.filters)
            if held.ndim != 2 or not same_grid(held[0], cube.wavelengths):
                raise TileError(
                    f"Mag1c: the filters are of {grid_label(held[0])}",
                    expected=f"the bands of {cube.name!r}: {grid_label(cube.wavelengths)}",
                    fix="freeze on cubes of this sensor",
                )
            bands = setting.bands[np.isfinite(held[1, setting.bands])]
            means, filters = np.split(held[1:, bands], 2)
            args = (cube.spec.nodata_scalar, bands, self.scale, *self.chain(setting, bands, means, filters))
        notes = require_physical(tile, (cube.name,), "Mag1c")
        return Plan((cube.name,), {self.name: VarSpec(cube.dims, attrs=attrs)}, args, notes=notes)

    def setting(self, tile: TileSpec) -> Setting:
        """Return cube, bands and target in a tile."""
        if self.spectrum is None:
            raise ParameterError("Mag1c has no target", expected="a unit absorption spectrum")
        cube = cube_of(tile, self.cube, "Mag1c")
        bands = bands_in(cube.wavelengths, self.ranges, "Mag1c")
        target = target_on(self.spectrum, cube, self.resample, "Mag1c")
        require_finite(target[bands], cube.wavelengths[bands], "Mag1c")
        if not np.any(target[bands]):
            raise ParameterError(
                "Mag1c: the target is 0 in all bands", expected="bands in which the gas absorbs"
            )
        return Setting(cube, bands, target)

    def chain(self, setting: Setting, bands: Array, means: Any, filters: Any) -> tuple[Any, ...]:
        """Return the filters as the kernel takes them."""
        target, held = setting.target[bands], np.array(filters, np.float64)
        centres = np.array(means, np.float64)
        powers = np.zeros(len(held))
        for band in range(bands.size):  # added up in the order of the bands
            powers += target[band] * centres[:, band] * held[:, band]
        return centres, held, powers, self.albedo, self.sparse
