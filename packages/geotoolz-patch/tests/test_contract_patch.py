"""The contract of `geotoolz.patch`."""

from __future__ import annotations

from gtz_chip_ops import AXES

from geotoolz.core import Sequential
from geotoolz.core.testing import ContractSuite, case
from geotoolz.patch import ApplyToChips, GridSampler, Hann, Median, Stitcher
from geotoolz.radiometry import BoxMean, SelectBands, ToFloat32

BLENDED = {"integers_do_not_wrap": "a blend of rounded chips is rounded once more"}


class TestContractPatch(ContractSuite):
    module = "geotoolz.patch"
    exempt = AXES
    cases = (
        case(ApplyToChips(GridSampler(16, 12), BoxMean(2, bands=("red", "nir")))),
        case(ApplyToChips(GridSampler((24, 16)), Sequential([SelectBands(("red", "nir")), BoxMean(1)]))),
        case(ApplyToChips(GridSampler(16), ToFloat32())),
        case(
            ApplyToChips(GridSampler(16, 12), BoxMean(2, bands=("red",)), Stitcher(Hann(), halo=0)),
            skip=BLENDED,
        ),
        case(
            ApplyToChips(
                GridSampler(16, 8), BoxMean(1, bands=("red",)), Stitcher(aggregation=Median(), halo=0)
            ),
            skip=BLENDED,
        ),
    )
