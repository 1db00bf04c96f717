"""Every index keeps the contract."""

from __future__ import annotations

from geotoolz.core.testing import ContractSuite, case
from geotoolz.indices import NDVI, NDWI, AppendIndex, NormalizedDifference


class TestContract(ContractSuite):
    module = "geotoolz.indices"
    cases = (
        case(NDVI()),
        case(NDWI()),
        case(NormalizedDifference("nir08", "swir16", "ndmi")),
        case(AppendIndex(NDVI(), name="greenness")),
    )
