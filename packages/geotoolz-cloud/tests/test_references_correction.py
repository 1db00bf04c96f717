"""What the corrections are compared with."""

from __future__ import annotations

import math

import numpy as np

from geotoolz.core.testing import Reference, ReferenceSuite, contract_tile
from geotoolz.correction import DarkObjectSubtraction, SunZenithNormalize


def _dark_object() -> float:
    """Return the largest deviation from Chavez's formula, dark object by numpy.nanpercentile."""
    tile = contract_tile((120, 140), level="L1C")
    worst = 0.0
    for residual in (0.0, 0.01):
        out = DarkObjectSubtraction(percentile=1.0, residual=residual)(tile)
        for band in ("blue", "red", "swir22"):
            values = tile[band].values.astype("f8")
            haze = max(np.nanpercentile(values, 1.0) - residual, 0.0)
            expected = np.maximum(values - haze, 0.0)
            worst = max(worst, float(np.nanmax(np.abs(out[band].values - expected))))
    return worst


def _sun_zenith() -> float:
    """Return the largest deviation from the cosine, in float64."""
    tile = contract_tile((120, 140), level="L1TP").assign_attrs(platform="landsat-8", sun_elevation=37.5)
    tile["red"].attrs["quantity"] = "reflectance"
    out = SunZenithNormalize(("red",))(tile).red.values
    expected = tile.red.values.astype("f8") / math.cos(math.radians(52.5))
    return float(np.nanmax(np.abs(out - expected)))


class TestCorrection(ReferenceSuite):
    module = "geotoolz.correction"
    references = (
        Reference(
            DarkObjectSubtraction,
            "Chavez 1988, 1996 in NumPy, numpy.nanpercentile; half a float32 step",
            _dark_object,
            6e-8,
            "1",
            "test_dark_object.py::test_nonsense_is_refused_by_check",
        ),
        Reference(
            SunZenithNormalize,
            "ρ / cos(zenith) in float64; half a float32 step",
            _sun_zenith,
            6e-8,
            "1",
            "test_sun_zenith.py::test_missing_and_wrong_angles",
        ),
    )
