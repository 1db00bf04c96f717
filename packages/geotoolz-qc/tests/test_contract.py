"""Every assertion keeps the contract."""

from __future__ import annotations

from geotoolz.core.testing import ContractSuite, case
from geotoolz.qc import AssertSchema, AssertValidFraction, AssertValueRange


class TestContract(ContractSuite):
    module = "geotoolz.qc"
    cases = (
        case(AssertValidFraction(0.1)),
        case(AssertValueRange(0.0, 1.0)),
        case(AssertSchema(("red", "B08"))),
    )
