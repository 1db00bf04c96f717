"""Every operator of clouds and corrections keeps the contract."""

from __future__ import annotations

from functools import partial

from geotoolz.cloud import ApplyMask, MaskClouds, MaskFromQABits, MaskFromSCL
from geotoolz.core.testing import ContractSuite, case, contract_tile
from geotoolz.correction import DarkObjectSubtraction


class TestCloud(ContractSuite):
    module = "geotoolz.cloud"
    cases = (
        case(MaskClouds()),
        case(MaskClouds(("cloud", "shadow"), qa="qa_pixel")),
        case(MaskClouds(("cloud", "cirrus"), bands=("red", "nir"), qa="qa60")),
        case(MaskFromQABits("qa60", (10, 11), "clouds")),
        case(MaskFromSCL(("cloud", "snow"), name="clouds")),
        case(ApplyMask("mask")),
        case(ApplyMask(MaskFromSCL(name="clouds"), bands=("red",))),
    )


class TestCorrection(ContractSuite):
    module = "geotoolz.correction"
    cases = (
        case(DarkObjectSubtraction(), partial(contract_tile, level="L1C")),
        case(
            DarkObjectSubtraction(percentile=0.5, residual=0.01, bands=("blue",)),
            partial(contract_tile, level="L1C"),
        ),
    )
