"""The adaptive coherence estimator."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from geotoolz.hyperspectral import _kernels
from geotoolz.hyperspectral._chunks import per_pixel
from geotoolz.hyperspectral._detector import Detector, whitened

Array = np.ndarray[Any, Any]


def _cohere(cube: Array, nodata: Any, bands: Array, mean: Array, white: Array, target: Array) -> Array:
    return per_pixel(cube, bands, _kernels.cosine, nodata, mean, white, target)


class ACE(Detector):
    """Adaptive coherence estimator: ``((t−μ)ᵀS⁻¹(x−μ))² / ((t−μ)ᵀS⁻¹(t−μ) · (x−μ)ᵀS⁻¹(x−μ))``.

    The squared cosine between pixel and target after whitening by the background: 1 where the pixel
    differs from the background's mean exactly in the direction of the target, however strongly; 0
    where it differs in any other. A pixel that is the mean itself has no direction: NaN.

    Reads one cube ``(wavelength, y, x)`` (a stack has ``time`` before it) of physical values, in the
    units of the target. Adds one float32 variable without ``wavelength``, units 1, in [0, 1]; NaN
    where any band that is used has no data. Footprint: one pixel, all bands. Sums run in float64 in
    the order of the bands, so no cut of the work changes a bit.

    Parameters
    ----------
    spectrum : array, DataArray, or Ref
        As for `MatchedFilter`.
    cube : str, optional
        The variable; by default the only one with a ``wavelength``.
    name : str
        Name of the new variable.
    ranges : sequence of (float, float), optional
        Use only bands whose centres lie in one of these ranges, in nanometres.
    resample : {"linear", "gaussian"}, optional
        Bring a target on other wavelengths to those of the cube; otherwise it is refused.
    shrinkage : float
        Use ``(1−a)·S + a·diag(S)``: makes a singular covariance regular.
    sample_cell : int
        As for `Background`.
    background : array or BackgroundStatistics, optional
        Frozen statistics. Set by `geotoolz.core.freeze`, or what ``Background()(tile)`` returned.
    scope : {"tile", "catalog"}
        As for `MatchedFilter`.

    Raises
    ------
    TileError
        As for `MatchedFilter`.
    MissingVariableError
        If the tile has no cube.
    QuantityError
        If the cube was stretched, or holds digital numbers with an offset; if target and background differ
        a thousandfold.

    References
    ----------
    Kraut, S., Scharf, L. L. (1999). The CFAR adaptive subspace detector is a scale-invariant GLRT.
    IEEE Transactions on Signal Processing 47, 2538–2541.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> from geotoolz.hyperspectral import ACE
    >>> values = np.random.default_rng(0).random((3, 20, 20), np.float32)
    >>> values[:, 0, 0] = [0.9, 0.1, 0.9]
    >>> tile = xr.Dataset({"cube": (("wavelength", "y", "x"), values)}, {"wavelength": [500.0, 600, 700]})
    >>> found = ACE([0.9, 0.1, 0.9])(tile).ace
    >>> round(float(found[0, 0]), 6), bool((found >= 0).all() & (found <= 1).all())
    (1.0, True)
    """

    name: str = "ace"

    long_name: ClassVar[str] = "adaptive coherence estimator"
    kernel = staticmethod(_cohere)

    def filter(self, mean: Array, target: Array, white: Array) -> tuple[Array, ...]:
        """Return the mean, the whitening matrix in lines of four, and the whitened target of length 1."""
        aim = whitened(white, target - mean)
        power = 0.0
        for value in aim.tolist():  # added up in the order of the bands
            power += value * value
        size = -(-mean.size // 4) * 4
        matrix, along = np.zeros((size, size)), np.zeros(size)
        matrix[: mean.size, : mean.size] = white
        along[: mean.size] = aim / np.sqrt(power) if mean.size else aim
        return mean, matrix, along
