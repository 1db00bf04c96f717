"""Every operator on backscatter keeps the contract."""

from __future__ import annotations

import numpy as np

from geotoolz.core.testing import ContractSuite, case, contract_tile
from geotoolz.sar import (
    DBToLinear,
    EquivalentNumberOfLooks,
    Frost,
    GammaMAP,
    LeeSpeckle,
    LinearToDB,
    MultiLook,
)


def radar_tile(shape=(37, 53), *, units="1", **options):
    """Return a contract tile whose red and nir bands are backscatter."""
    tile = contract_tile(shape, **options).rename(red="vv", nir="vh")
    tile = tile.drop_vars(["blue", "green", "nir08", "swir16", "swir22"])
    for name in ("vv", "vh"):
        tile[name].attrs |= {"quantity": "backscatter", "units": units}
        if units == "dB":
            tile[name].values[...] = 20 * tile[name].values - 25
    tile.attrs |= {"platform": "sentinel-1a", "instrument": "c-sar", "processing_level": "RTC"}
    return tile


def decibel_tile(shape=(37, 53), **options):
    """Return the same in decibels."""
    return radar_tile(shape, units="dB", **options)


def test_the_tiles_are_what_they_should_be():
    assert bool((np.nan_to_num(radar_tile().vv, nan=1) > 0).all())
    assert bool((decibel_tile().vv < 0).any())


class TestContract(ContractSuite):
    module = "geotoolz.sar"
    cases = (
        case(LinearToDB(), radar_tile),
        case(LinearToDB(bands=("vh",)), radar_tile),
        case(DBToLinear(), decibel_tile),
        case(LeeSpeckle(), radar_tile),
        case(LeeSpeckle(window=3, looks=1.0, bands=("vv",)), radar_tile),
        case(GammaMAP(window=5), radar_tile),
        case(GammaMAP(window=3, looks=30), radar_tile),
        case(Frost(window=5), radar_tile),
        case(Frost(window=3, damping=0.0, bands=("vh",)), radar_tile),
        case(MultiLook(2), radar_tile),
        case(MultiLook(3, 5), radar_tile),
        case(MultiLook(1), radar_tile),
        case(EquivalentNumberOfLooks(), radar_tile),
        case(EquivalentNumberOfLooks(bands=("vv",)), radar_tile),
    )
