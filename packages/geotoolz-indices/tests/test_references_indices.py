"""What the indices are compared with: spyndex in float64, NumPy from the paper's formula."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any

import numpy as np
import xarray as xr

from geotoolz import indices
from geotoolz.core import Operator
from geotoolz.core.testing import Reference, ReferenceSuite, simulate_scene
from geotoolz.indices import (
    AWEI,
    EVI,
    KNDVI,
    MSAVI,
    SAVI,
    AppendIndex,
    Index,
    Indices,
    NormalizedDifference,
    TasseledCap,
    catalogue,
)
from geotoolz.indices._catalogue import BANDS

ENTRIES = catalogue()


@cache
def scene() -> xr.Dataset:
    """Return a scene; it is not written to."""
    return simulate_scene((64, 64))


def apart(found: Any, expected: Any) -> float:
    """Return the largest absolute difference; infinite where only one of two is a number."""
    one, two = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    if not np.array_equal(np.isnan(one), np.isnan(two)):
        return float("inf")
    return float(np.nanmax(np.abs(one - two), initial=0.0))


def spyndex_in_float64(name: str, **constants: float) -> Any:
    """Return an index as spyndex gives it, with its kernels and these constants."""
    import spyndex

    entry = ENTRIES[name]
    params: dict[str, Any] = {n: scene()[BANDS[n]].values.astype("f8") for n in entry.bands}
    params.update({**entry.defaults, **constants})
    for kernel in entry.kernels:
        a, b = params[kernel[1]], params[kernel[2]]
        params[kernel] = spyndex.computeKernel("RBF", a=a, b=b, sigma=(a + b) / 2)
    return spyndex.computeIndex(name, {key: params[key] for key in spyndex.indices[name].bands})


def against_spyndex(op: Callable[[], Operator], name: str, **constants: float) -> float:
    """Deviation of an operator that writes one variable."""
    made = op()
    out = made(scene())  # type: ignore[operator]
    (variable,) = [n for n in out.data_vars if n not in scene()]
    return apart(out[variable], spyndex_in_float64(name, **constants))


def arvi() -> float:
    """Kaufman and Tanré's formula; spyndex has the sign of the correction the other way round."""
    n, r, b = (scene()[name].values.astype("f8") for name in ("nir", "red", "blue"))
    rb = r - (b - r)
    return apart(indices.ARVI()(scene()).arvi, (n - rb) / (n + rb))


def awei_without_shadows() -> float:
    """Feyisa et al.'s formula; spyndex adds swir22 instead of subtracting it."""
    g, n, s1, s2 = (scene()[name].values.astype("f8") for name in ("green", "nir", "swir16", "swir22"))
    return apart(AWEI(shadows=False)(scene()).awei, 4 * (g - s1) - (0.25 * n + 2.75 * s2))


def many() -> float:
    """Ten indices in one pass."""
    names = ("NDVI", "EVI", "SAVI", "MSAVI", "NDMI", "NBR", "GEMI", "kNDVI", "BI", "AWEIsh")
    out = Indices(names)(scene())
    return max(apart(out[name.lower()], spyndex_in_float64(name)) for name in names)


def tasselled_cap() -> float:
    """The matrix product in float64, with Shi and Xu's table of the paper."""
    rows = [[0.3510, 0.3813, 0.3437, 0.7196, 0.2396, 0.1949], [-0.3599, -0.3533, -0.4734, 0.6633, 0.0087,
        -0.2856],
            [0.2578, 0.2305, 0.0883, 0.1071, -0.7611, -0.5308]]  # fmt: skip
    bands = np.stack(
        [scene()[n].values.astype("f8") for n in ("blue", "green", "red", "nir", "swir16", "swir22")]
    )
    out = TasseledCap()(scene())
    expected = np.einsum("cb,byx->cyx", np.array(rows), bands)
    found = np.stack([out[n].values for n in ("tc_brightness", "tc_greenness", "tc_wetness")])
    return apart(found, expected)


NAMED: Mapping[str, str] = {
    "BSI": "BI", "CIG": "CIG", "CIRE": "CIRE", "EVI2": "EVI2", "GNDVI": "GNDVI", "LSWI": "LSWI",
        "MNDWI": "MNDWI",
    "NBR": "NBR", "NBR2": "NBR2", "NDBI": "NDBI", "NDMI": "NDMI", "NDRE": "NDREI", "NDSI": "NDSI",
        "NDVI": "NDVI",
    "NDWI": "NDWI", "OSAVI": "OSAVI", "VARI": "VARI",
}  # fmt: skip
SPYNDEX = "spyndex 0.12, {}, in float64"
WRONG = "test_named_indices.py::test_mistakes_are_refused"
SINGLE = 2e-7
"""Values are near 1 and float32 is good to 6e-8; named normalised differences round three times."""


def _named(name: str, theirs: str) -> Reference:
    cls: type[Operator] = getattr(indices, name)
    bound = 4e-6 if name in ("CIG", "CIRE") else SINGLE  # ratios reach 20
    return Reference(
        cls, SPYNDEX.format(theirs), partial(against_spyndex, cls, theirs), bound, bad_input=WRONG
    )


class TestIndices(ReferenceSuite):
    module = "geotoolz.indices"
    references = (
        *(_named(name, theirs) for name, theirs in NAMED.items()),
        Reference(EVI, SPYNDEX.format("EVI"), partial(against_spyndex, EVI, "EVI"), SINGLE, bad_input=WRONG),
        Reference(SAVI, SPYNDEX.format("SAVI, L=0.5"), partial(against_spyndex, SAVI, "SAVI", L=0.5), SINGLE,
                  bad_input=WRONG),
        Reference(MSAVI, SPYNDEX.format("MSAVI"), partial(against_spyndex, MSAVI, "MSAVI"), SINGLE,
            bad_input=WRONG),
        Reference(KNDVI, SPYNDEX.format("kNDVI, RBF"), partial(against_spyndex, KNDVI, "kNDVI"), SINGLE,
                  bad_input=WRONG),
        Reference(AWEI, SPYNDEX.format("AWEIsh"), partial(against_spyndex, AWEI, "AWEIsh"), SINGLE,
            bad_input=WRONG),
        Reference(AWEI, "Feyisa et al. 2014 without shadows in NumPy, float64", awei_without_shadows, SINGLE,
                  bad_input=WRONG),
        Reference(indices.ARVI, "Kaufman and Tanré 1992 in NumPy, float64", arvi, SINGLE, bad_input=WRONG),
        Reference(Index, SPYNDEX.format("GEMI; all 280 in test_catalogue.py"),
                  partial(against_spyndex, partial(Index, "GEMI"), "GEMI"), SINGLE,
                  bad_input="test_catalogue.py::test_mistakes"),
        Reference(Indices, SPYNDEX.format("ten indices"), many, SINGLE,
            bad_input="test_catalogue.py::test_mistakes"),
        Reference(NormalizedDifference, SPYNDEX.format("NDMI"),
                  partial(against_spyndex, partial(NormalizedDifference, "nir", "swir16"), "NDMI"), SINGLE,
                  bad_input="test_indices.py::test_bands_of_different_dims"),
        Reference(AppendIndex, SPYNDEX.format("EVI"),
                  partial(against_spyndex, partial(AppendIndex, EVI(), "greenness"), "EVI"), SINGLE,
                  bad_input="test_indices.py::test_append_index_refuses"),
        Reference(TasseledCap, "Shi and Xu 2019, matrix product in NumPy, float64", tasselled_cap, SINGLE,
                  bad_input=WRONG),
    )  # fmt: skip
