"""Spectral tests of clouds: arrays in, arrays out."""

from __future__ import annotations

from typing import Any

import numpy as np

from geotoolz.core import pixelwise


@pixelwise(np.bool_, arrays=6)
def potential_cloud(
    out: Any,
    blue: Any,
    green: Any,
    red: Any,
    nir: Any,
    swir16: Any,
    swir22: Any,
    nodata_blue: Any,
    nodata_green: Any,
    nodata_red: Any,
    nodata_nir: Any,
    nodata_swir16: Any,
    nodata_swir22: Any,
    hot: Any,
    whiteness: Any,
) -> None:
    """Write whether a pixel passes Fmask's potential-cloud tests; in float64, without a division.

    A sum that is not positive (black, negative reflectance) has no ratio, and is no cloud. NaN fails every
    comparison.
    """
    for i in range(out.size):
        b, g, r = np.float64(blue[i]), np.float64(green[i]), np.float64(red[i])
        n, s, t = np.float64(nir[i]), np.float64(swir16[i]), np.float64(swir22[i])
        missing = (blue[i] == nodata_blue) | (green[i] == nodata_green) | (red[i] == nodata_red)
        missing = (
            missing | (nir[i] == nodata_nir) | (swir16[i] == nodata_swir16) | (swir22[i] == nodata_swir22)
        )
        mean = (b + g + r) / 3.0
        spread = abs(b - mean) + abs(g - mean) + abs(r - mean)
        basic = (t > 0.03) & (g - s < 0.8 * (g + s)) & (n - r < 0.8 * (n + r)) & (g + s > 0.0) & (n + r > 0.0)
        white = (mean > 0.0) & (spread < whiteness * mean)
        out[i] = basic & white & (b - 0.5 * r > hot) & (n > 0.75 * s) & (not missing)
