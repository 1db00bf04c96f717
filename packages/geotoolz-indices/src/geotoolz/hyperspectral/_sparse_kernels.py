"""Kernels of the sparse matched filter: a chain of filters, each of which knows what the last one found."""

from __future__ import annotations

from typing import Any

import numpy as np

from geotoolz.core import kernel


@kernel
def enhancements(  # noqa: C901
    out: Any,
    brightness: Any,
    values: Any,
    nodata: Any,
    means: Any,
    filters: Any,
    powers: Any,
    albedo: Any,
    sparse: Any,
) -> None:
    """Write each pixel's amount of gas after the last filter, and its albedo factor (both float64).

    ``means``, ``filters`` (filters × bands) and ``powers`` hold ``μ``, ``S⁻¹t`` and ``tᵀS⁻¹t``.
    """
    bands, pixels = values.shape
    x, total = np.zeros((bands, pixels)), np.zeros(pixels)
    for b in range(bands):
        for i in range(pixels):
            v = np.float64(values[b, i])
            bad = (values[b, i] == nodata) | (np.abs(v) == np.inf)
            x[b, i] = np.nan if bad else v
    power = 0.0
    for b in range(bands):
        power += means[0, b] * means[0, b]
    for i in range(pixels):
        brightness[i] = 0.0
        out[i] = np.inf
    for b in range(bands):
        m = means[0, b]
        for i in range(pixels):
            brightness[i] += x[b, i] * m
    for i in range(pixels):
        r = brightness[i] / power if albedo else 1.0 + 0.0 * brightness[i]
        # a pixel without light says nothing
        brightness[i] = r if r > 0.0 else np.nan
    for k in range(filters.shape[0]):
        for i in range(pixels):
            total[i] = 0.0
        for b in range(bands):
            m, f = means[k, b], filters[k, b]
            for i in range(pixels):
                total[i] += f * (x[b, i] - m)
        for i in range(pixels):
            r, before = brightness[i], out[i]
            # the weight of the l1 norm is what was found before, turned over; what is 0 stays 0
            weight = 1.0 / (r * before) if sparse else 0.0
            amount = (total[i] - weight) / (r * powers[k])
            out[i] = 0.0 if amount < 0.0 else amount


@kernel
def without_gas(out: Any, values: Any, nodata: Any, amounts: Any, brightness: Any, target: Any) -> None:
    """Write bands × pixels with what the gas absorbs put back: ``x − R·α·t``; NaN for no-data."""
    bands, pixels = values.shape
    for b in range(bands):
        t = target[b]
        for i in range(pixels):
            v = np.float64(values[b, i])
            bad = (values[b, i] == nodata) | (np.abs(v) == np.inf)
            out[b, i] = (np.nan if bad else v) - brightness[i] * amounts[i] * t
