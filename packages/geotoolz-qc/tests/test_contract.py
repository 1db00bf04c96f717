"""Every assertion keeps the contract."""

from __future__ import annotations

from geotoolz.core.testing import ContractSuite, case
from geotoolz.qc import (
    AssertCRSEquals,
    AssertGridAligned,
    AssertResolutionWithin,
    AssertSchema,
    AssertValidFraction,
    AssertValueRange,
)

# a tile that is tagged differs in the tag and in nothing else: test_plan_checks.py::test_raise_warn_and_tag
TAGS = {"everything_else_kept": "adds the tile attribute qc_failed"}


class TestContract(ContractSuite):
    module = "geotoolz.qc"
    cases = (
        case(AssertValidFraction(0.1)),
        case(AssertValidFraction(0.1, ("red", "B08"), sample_cell=4)),
        case(AssertValueRange(0.0, 1.0)),
        case(AssertValueRange(0.0, 1.0, ("red",), 0.5, sample_cell=2)),
        case(AssertSchema(("red", "B08"))),
        case(AssertSchema(("nirr",), {"red": "uint8"}, units={"red": "m"}, on_fail="tag"), skip=TAGS),
        case(AssertCRSEquals("EPSG:32633")),
        case(AssertCRSEquals("EPSG:4326", on_fail="tag"), skip=TAGS),
        case(AssertResolutionWithin((9.5, 10.5))),
        case(AssertResolutionWithin((20.0, 30.0), unit="crs", on_fail="tag"), skip=TAGS),
        case(AssertGridAligned()),
        case(AssertGridAligned((5.0, 0.0), 30.0, "EPSG:32633", on_fail="tag"), skip=TAGS),
    )
