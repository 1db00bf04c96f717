"""What turns probabilities into objects, and writes them, keeps the contract."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from scipy import ndimage

from geotoolz import learn
from geotoolz.core.testing import ContractSuite, Reference, ReferenceSuite, case, contract_tile
from geotoolz.core.testing._contract_help import is_operator
from geotoolz.learn import Postprocess, WritePolygons

OURS = ("Postprocess", "WritePolygons")
OTHERS = {
    name: "the other test_contract files"
    for name in learn.__all__
    if is_operator(getattr(learn, name)) and name not in OURS
}


def probable(shape=(14, 16), **more):
    """Return a contract tile with probabilities, of which some pixels have none."""
    tile = contract_tile(shape, **more)
    values = np.random.default_rng(5).random(tile.red.shape).astype(np.float32)
    values[..., ::5, ::7] = np.nan
    tile["probabilities"] = (tile.red.dims, values, {"long_name": "probability", "_FillValue": np.nan})
    return tile


class TestContractSegmentation(ContractSuite):
    module = "geotoolz.learn"
    exempt: ClassVar[Mapping[str, str]] = OTHERS
    cases = (
        case(Postprocess(), probable),
        case(Postprocess(0.3, min_pixels=4, erosion=2), probable),
        case(Postprocess(0.7, min_pixels=3, connectivity=4, valid="mask"), probable),
        case(
            lambda f: WritePolygons(f / "{item_id}.gpkg", "mask"),
            cls=WritePolygons,
            skip={"stack_equals_dates": "a file of polygons holds one date"},
        ),
    )


def objects_of_a_textbook() -> float:
    """Erode and open step by step with scipy's morphology, and take percent in exact fractions."""
    tile = probable((40, 50))
    p = tile.probabilities.values
    near = ndimage.binary_dilation(np.isnan(p), iterations=1)  # a cross: within one pixel
    labels, count = ndimage.label((p >= 0.6) & ~near, np.ones((3, 3)))
    keep = [k for k in range(1, count + 1) if (labels == k).sum() >= 5]
    out = Postprocess(0.6, min_pixels=5, erosion=1)(tile)
    percent = np.where(near, 255, np.array([[round(float(v) * 100) if v == v else 0 for v in r] for r in p]))
    wrong = (out.binarized_segmentation.values != np.isin(labels, keep)).sum()
    return float(wrong + (out.probabilities_percent.values != percent).sum())


class TestReferencesSegmentation(ReferenceSuite):
    module = "geotoolz.learn"
    exempt: ClassVar[dict[str, str]] = {**OTHERS, "WritePolygons": "geotoolz.vector.vectorize computes it"}
    references = (
        Reference(
            Postprocess,
            "scipy.ndimage.binary_dilation and label; Python's round",
            objects_of_a_textbook,
            0,
            "pixels that differ",
            "test_postprocess.py::test_refuses_what_holds_no_probabilities",
        ),
    )
