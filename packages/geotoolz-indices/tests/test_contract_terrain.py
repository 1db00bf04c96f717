"""Every operator on elevation models keeps the contract."""

from __future__ import annotations

import numpy as np

from geotoolz.core.testing import ContractSuite, case, contract_tile
from geotoolz.terrain import TPI, Aspect, Hillshade, RelativeElevation, Slope


def dem_tile(shape=(37, 53), *, dtype="float32", **options):
    """Return a contract tile with heights of 9 000 m, so that sums of int16 would wrap."""
    tile = contract_tile(shape, **options).drop_vars(["green", "nir08", "swir16", "swir22"])
    numbers = tile.blue.values
    heights = np.round(numbers * 2000 + 8800)
    attrs = {"long_name": "elevation", "units": "m", "quantity": "elevation", "_FillValue": np.nan}
    if dtype != "float32":
        heights, attrs["_FillValue"] = np.nan_to_num(heights, nan=-32768), -32768
    tile["blue"] = (tile.blue.dims, heights.astype(dtype), attrs)
    return tile.rename(blue="dem")


def int16_tile(shape=(37, 53), **options):
    """Return the same as int16."""
    return dem_tile(shape, dtype="int16", **options)


class TestContract(ContractSuite):
    module = "geotoolz.terrain"
    cases = (
        case(Slope(), dem_tile),
        case(Slope(edges=True, units="percent"), int16_tile),
        case(Aspect(), int16_tile),
        case(Aspect(edges=True), dem_tile),
        case(Hillshade(), dem_tile),
        case(Hillshade(edges=True, azimuth="sun", altitude="sun", z_factor=0.1), int16_tile),
        case(TPI(50), dem_tile),
        case(TPI(5, "pixels", inner=2), int16_tile),
        case(RelativeElevation(40), int16_tile),
        case(RelativeElevation(3.2, "pixels", normalize=True), dem_tile),
    )
