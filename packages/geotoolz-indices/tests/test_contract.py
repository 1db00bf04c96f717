"""Every index keeps the contract."""

from __future__ import annotations

from functools import partial

import xarray as xr

from geotoolz.core.testing import ContractSuite, case, contract_tile
from geotoolz.indices import (
    ARVI,
    AWEI,
    BSI,
    CIG,
    CIRE,
    EVI,
    EVI2,
    GNDVI,
    KNDVI,
    LSWI,
    MNDWI,
    MSAVI,
    NBR,
    NBR2,
    NDBI,
    NDMI,
    NDRE,
    NDSI,
    NDVI,
    NDWI,
    OSAVI,
    SAVI,
    VARI,
    AppendIndex,
    Index,
    Indices,
    NormalizedDifference,
    TasseledCap,
)


def with_red_edge(shape: tuple[int, int] = (37, 53), **options: int) -> xr.Dataset:
    """Return a contract tile that has a red-edge band."""
    tile = contract_tile(shape, **options)
    return tile.assign(rededge071=tile.nir08.copy(deep=True))


class TestContract(ContractSuite):
    module = "geotoolz.indices"
    cases = (
        case(NDVI()),
        case(NDWI()),
        case(NormalizedDifference("nir08", "swir16", "ndmi")),
        case(AppendIndex(NDVI(), name="greenness")),
        case(AppendIndex(Index("EVI"), name="greenness")),
        case(Index("NDVI")),
        case(Index("CVI"), partial(contract_tile, raw=True)),
        case(Index("SAVI", constants={"L": 0.25}, bands={"N": "nir08"}, name="savi_dense")),
        case(Index("kNDVI", kernel_type="poly", constants={"p": 3.0})),
        case(Index("AVI")),
        case(Index("FAI")),
        case(Indices(["NDVI", "EVI", "GDVI"], names={"EVI": "green"}, constants={"GDVI": {"nexp": 1.5}})),
        case(Indices(["kNDVI", "NBR"])),
        case(TasseledCap()),
        case(TasseledCap("landsat-8-sr", names=("b", "g", "w"))),
        case(ARVI()),
        case(AWEI()),
        case(AWEI(shadows=False, name="water")),
        case(BSI()),
        case(CIG()),
        case(CIRE(), with_red_edge),
        case(EVI()),
        case(EVI2(gain=2.4)),
        case(GNDVI()),
        case(KNDVI()),
        case(KNDVI(sigma=0.2)),
        case(LSWI()),
        case(MNDWI()),
        case(MSAVI()),
        case(NBR()),
        case(NBR2()),
        case(NDBI()),
        case(NDMI(nir="nir08")),
        case(NDRE(), with_red_edge),
        case(NDSI()),
        case(OSAVI()),
        case(SAVI(background=1.0)),
        case(VARI()),
    )
