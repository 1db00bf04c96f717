"""The matched filter."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from geotoolz.hyperspectral import _kernels
from geotoolz.hyperspectral._chunks import per_pixel
from geotoolz.hyperspectral._detector import Detector, whitened
from geotoolz.hyperspectral._linear import times

Array = np.ndarray[Any, Any]


def _match(cube: Array, nodata: Any, bands: Array, mean: Array, weights: Array) -> Array:
    return per_pixel(cube, bands, _kernels.matched, nodata, mean, weights)


class MatchedFilter(Detector):
    """Matched filter: ``MF = (t−μ)ᵀS⁻¹(x−μ) / ((t−μ)ᵀS⁻¹(t−μ))``.

    0 for the mean μ of the background with covariance S, 1 for a pixel filled with the target t; in
    between about the share of a pixel that the target fills. Also below 0 and above 1.

    Reads one cube ``(wavelength, y, x)`` (a stack has ``time`` before it) of physical values, in the
    units of the target. Adds one float32 variable without ``wavelength``, units 1; NaN where any band
    that is used has no data. Footprint: one pixel, all bands. Sums run in float64 in the order of the
    bands, so no cut of the work changes a bit.

    μ and S are those of `Background`, of the tile itself unless frozen; bands without data are left
    out by its rule.

    Parameters
    ----------
    spectrum : array, DataArray, or Ref
        The target t: one value per band; or columns wavelength (nm) and value, whose wavelengths must
        be those of the cube (within 0.5 nm). `read_spectrum` reads one from a library;
        ``Ref.of("target.csv")`` (or ``.npy``) stands for a file.
    cube : str, optional
        The variable; by default the only one with a ``wavelength``.
    name : str
        Name of the new variable.
    ranges : sequence of (float, float), optional
        Use only bands whose centres lie in one of these ranges, in nanometres.
    resample : {"linear", "gaussian"}, optional
        Bring a target on other wavelengths to those of the cube, by interpolation, or by the bands'
        Gaussian responses (coordinate ``fwhm``, or else the bands' spacing). Otherwise it is refused.
    shrinkage : float
        Use ``(1−a)·S + a·diag(S)``: makes a singular covariance regular.
    sample_cell : int
        As for `Background`: 4 takes the background from one pixel of every 4 × 4.
    background : array or BackgroundStatistics, optional
        Frozen statistics. Set by `geotoolz.core.freeze`, or what ``Background()(tile)`` returned.
    scope : {"tile", "catalog"}
        ``"tile"`` lets an unfrozen step take the statistics of the very tile. Tiles of one scene then
        get different filters and show seams: freeze on the whole scene.

    Raises
    ------
    TileError
        If the target has another length or wavelength grid, or no value in a band that is used; if
        the covariance is singular (names its rank); if the background is of other bands.
    MissingVariableError
        If the tile has no cube.
    QuantityError
        If the cube was stretched, or holds digital numbers with an offset; if target and background differ
        a thousandfold.
    ParameterError
        If the shrinkage is not between 0 and 1.

    References
    ----------
    Manolakis, D., Marden, D., Shaw, G. A. (2003). Hyperspectral image processing for automatic target
    detection applications. Lincoln Laboratory Journal 14, 79–116.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from geotoolz.hyperspectral import MatchedFilter
    >>> values = np.random.default_rng(0).random((3, 20, 20), np.float32)
    >>> values[:, 0, 0] = [0.9, 0.1, 0.9]
    >>> tile = xr.Dataset({"cube": (("wavelength", "y", "x"), values)}, {"wavelength": [500.0, 600, 700]})
    >>> found = MatchedFilter([0.9, 0.1, 0.9])(tile).matched_filter
    >>> found.dims, round(float(found[0, 0]), 6)
    (('y', 'x'), 1.0)
    """

    name: str = "matched_filter"

    long_name: ClassVar[str] = "matched filter score"
    kernel = staticmethod(_match)

    def filter(self, mean: Array, target: Array, white: Array) -> tuple[Array, ...]:
        """Return the mean and the weights of the bands."""
        aim = whitened(white, target - mean)
        weights = times(np.ascontiguousarray(white.T), aim)
        power = 0.0
        for value in aim.tolist():  # added up in the order of the bands
            power += value * value
        return mean, weights / power if mean.size else weights
