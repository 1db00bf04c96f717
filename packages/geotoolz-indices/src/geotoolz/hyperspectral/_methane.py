"""How much of the light an additional amount of gas absorbs, in the bands of a sensor."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from geotoolz.core import ParameterError
from geotoolz.hyperspectral._library import read_envi_table
from geotoolz.hyperspectral._weights import spacing

Array = np.ndarray[Any, Any]

AMOUNTS = (0.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0, 16000.0)
"""Enhancements in ppm·m that the columns of the published methane table (``ch4.lut``) are for."""
_HALF = 4.0 * math.log(2.0)


def unit_absorption(
    wavelengths: Any,
    fwhm: Any = None,
    *,
    table: str | Path | tuple[Any, Any],
    amounts: Sequence[float] = AMOUNTS,
    per: float = 1e5,
) -> Array:
    """Return the unit absorption spectrum of a gas in the bands of a sensor.

    Radiances simulated for several amounts of gas are averaged over each band's Gaussian response;
    the slope of their logarithm against the amount, by least squares, is the absorption per amount
    (Beer–Lambert): ``L(α) ≈ L(0) · exp(spectrum · α / per)``. It is negative where gas absorbs.

    Parameters
    ----------
    wavelengths : array_like
        Band centres in nanometres.
    fwhm : array_like or float, optional
        Full widths at half maximum in nanometres; by default the bands' spacing.
    table : path, or (wavelengths, radiances)
        An ENVI file with one sample per amount and one band per wavelength (``ch4.lut`` with its
        ``.hdr``); or the wavelengths in nanometres and the radiances, one line per amount.
    amounts : sequence of float
        Amount of gas of every line of the table, in ppm·m.
    per : float
        The amount that the spectrum is for: 1e5 ppm·m, as the published spectra.

    Returns
    -------
    numpy.ndarray
        Columns wavelength and absorption; 0 in bands that the table does not cover. Fit to be the
        target of `Mag1c`.

    Raises
    ------
    ParameterError
        If table and amounts do not fit together, or a band is no positive number.
    ReadError
        If the file is missing or broken.

    References
    ----------
    Foote, M. D., Dennison, P. E., Sullivan, P. R., et al. (2021). Impact of scene-specific enhancement
    spectra on matched filter greenhouse gas retrievals from imaging spectroscopy. Remote Sensing of
    Environment 264, 112574.

    Examples
    --------
    >>> import numpy as np
    >>> at = np.arange(2200.0, 2300.0)
    >>> radiances = np.exp(-1e-6 * np.outer([0, 1000, 2000], np.ones(100)))
    >>> float(unit_absorption([2250.0], 10.0, table=(at, radiances), amounts=(0, 1000, 2000))[0, 1].round(6))
    -0.1
    """
    centres = np.atleast_1d(np.asarray(wavelengths, np.float64))
    widths = np.broadcast_to(
        np.asarray(spacing(centres) if fwhm is None else fwhm, np.float64), centres.shape
    )
    if not (np.isfinite(centres) & (centres > 0) & (widths > 0)).all():
        raise ParameterError(
            "unit_absorption: a wavelength or width is no positive number", expected="nanometres"
        )
    at, radiances = _read(table)
    steps = np.asarray(amounts, np.float64)
    if radiances.shape != (steps.size, at.size) or steps.size < 2:
        raise ParameterError(
            f"unit_absorption: the table has shape {radiances.shape}",
            expected=f"{steps.size} amounts × {at.size} wavelengths, two amounts at least",
        )
    slopes = [_slope(at, radiances, steps, c, w) for c, w in zip(centres, widths, strict=True)]
    return np.column_stack([centres, np.array(slopes) * per])


def _slope(at: Array, radiances: Array, amounts: Array, centre: float, width: float) -> float:
    """Return the least-squares slope of the logarithm of a band's radiance."""
    weights = np.exp(-_HALF * ((at - centre) / width) ** 2)
    if centre < at.min() - width or centre > at.max() + width or not weights.sum() > 0:
        return 0.0
    logs = np.log(radiances @ (weights / weights.sum()))
    steps = amounts - amounts.mean()
    return float(steps @ logs / (steps @ steps))


def _read(table: Any) -> tuple[Array, Array]:
    if isinstance(table, tuple):
        return np.asarray(table[0], np.float64), np.asarray(table[1], np.float64)
    wavelengths, values, _ = read_envi_table(Path(table))
    return wavelengths, values.reshape(wavelengths.size, -1).T.astype(np.float64)
