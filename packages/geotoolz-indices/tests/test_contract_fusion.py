"""Operators that join tiles keep the contract."""

from __future__ import annotations

from geotoolz.core.testing import ContractSuite, case, contract_tile
from geotoolz.fusion import AlignAndStack

FILL = {"scl": 0, "qa60": 0, "foreign_flag": 255}
WEB = {"crs": "EPSG:3857", "resolution": 21.0}
GRID = {"crs": "EPSG:3035", "transform": (13.0, 0.0, 4708100.0, 0.0, -17.0, 2562000.0), "shape": (21, 33)}


def small(shape=(37, 53), **options):
    """Return a contract tile of few bands; resampling all of them would test nothing more."""
    return contract_tile(shape, **options)[["red", "nir", "scl", "mask", "foreign", "foreign_flag", "qa60"]]


class TestContract(ContractSuite):
    module = "geotoolz.fusion"
    cases = (
        case(AlignAndStack("a"), contract_tile),
        case(AlignAndStack("a", prefix=True), contract_tile, skip={"everything_else_kept": "renames"}),
        case(AlignAndStack(WEB, fill=FILL), small),
        case(AlignAndStack(WEB, method="average", fill=FILL), small),
        case(AlignAndStack(GRID, method="nearest", fill=FILL), small),
    )
