"""What BandMath is compared with."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from geotoolz import radiometry
from geotoolz.core import Operator
from geotoolz.core.testing import Reference, ReferenceSuite, contract_tile
from geotoolz.radiometry import BandMath

OTHERS = {
    name: "tests/test_references_radiometry.py"
    for name in radiometry.__all__
    if isinstance(found := getattr(radiometry, name), type)
    and issubclass(found, Operator)
    and found is not BandMath
}

FORMULAS = {
    "a": "(nir - red) / (nir + red)",
    "b": "2.5 * (nir - red) / (nir + 6 * red - 7.5 * blue + 1)",
    "c": "0.5 * (2 * nir + 1 - sqrt((2 * nir + 1) ** 2 - 8 * (nir - red)))",
    "d": "where(nir > red, exp(-nir) * log10(red), abs(blue - red)) ** 3",
    "e": "(nir * (1 - red) * max(nir - red, 0.1)) ** (1 / 3)",
}


def numpy_in_float64() -> float:
    """Largest difference, relative to the value, on a tile with no-data."""
    tile = contract_tile((120, 130))
    bands: dict[str, Any] = {n: tile[n].values.astype("f8") for n in ("blue", "red", "nir")}
    names = {
        "sqrt": np.sqrt,
        "exp": np.exp,
        "log10": np.log10,
        "abs": np.abs,
        "max": np.maximum,
        "where": np.where,
    }
    out = BandMath(FORMULAS)(tile)
    worst = 0.0
    for name, formula in FORMULAS.items():
        want = eval(formula, {"__builtins__": {}}, {**bands, **names})
        gone = np.isnan(bands["nir"])
        assert np.array_equal(np.isnan(out[name].values), gone)
        apart = np.abs(out[name].values - want)[~gone] / np.maximum(np.abs(want[~gone]), 1e-30)
        worst = max(worst, float(apart.max()))
    return worst


class TestBandMath(ReferenceSuite):
    module = "geotoolz.radiometry"
    references = (
        Reference(
            BandMath,
            against="NumPy in float64, rounded once to float32; relative",
            deviation=numpy_in_float64,
            bound=6.0e-8,
            bad_input="radiometry/test_band_math.py::test_mistakes",
        ),
    )
    exempt: ClassVar[dict[str, str]] = OTHERS
