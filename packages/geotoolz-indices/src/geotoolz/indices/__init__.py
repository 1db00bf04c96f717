"""Spectral indices."""

from __future__ import annotations

from geotoolz.core import verb
from geotoolz.indices._append import AppendIndex
from geotoolz.indices._catalogue import IndexEntry, catalogue
from geotoolz.indices._index import Index, Indices
from geotoolz.indices._named_differences import GNDVI, NBR, NBR2, NDBI, NDRE
from geotoolz.indices._named_others import ARVI, BSI, CIG, CIRE, VARI
from geotoolz.indices._named_special import AWEI, KNDVI
from geotoolz.indices._named_vegetation import EVI, EVI2, MSAVI, OSAVI, SAVI
from geotoolz.indices._named_wet import LSWI, MNDWI, NDMI, NDSI
from geotoolz.indices._normalized_difference import NDVI, NDWI, NormalizedDifference
from geotoolz.indices._tasseled_cap import TasseledCap

append_index = verb(AppendIndex, "append_index")
compute_index = verb(Index, "compute_index")
compute_indices = verb(Indices, "compute_indices")
compute_arvi = verb(ARVI, "compute_arvi")
compute_awei = verb(AWEI, "compute_awei")
compute_bsi = verb(BSI, "compute_bsi")
compute_cig = verb(CIG, "compute_cig")
compute_cire = verb(CIRE, "compute_cire")
compute_evi = verb(EVI, "compute_evi")
compute_evi2 = verb(EVI2, "compute_evi2")
compute_gndvi = verb(GNDVI, "compute_gndvi")
compute_kndvi = verb(KNDVI, "compute_kndvi")
compute_lswi = verb(LSWI, "compute_lswi")
compute_mndwi = verb(MNDWI, "compute_mndwi")
compute_msavi = verb(MSAVI, "compute_msavi")
compute_nbr = verb(NBR, "compute_nbr")
compute_nbr2 = verb(NBR2, "compute_nbr2")
compute_ndbi = verb(NDBI, "compute_ndbi")
compute_ndmi = verb(NDMI, "compute_ndmi")
compute_ndre = verb(NDRE, "compute_ndre")
compute_ndsi = verb(NDSI, "compute_ndsi")
compute_ndvi = verb(NDVI, "compute_ndvi")
compute_ndwi = verb(NDWI, "compute_ndwi")
compute_osavi = verb(OSAVI, "compute_osavi")
compute_savi = verb(SAVI, "compute_savi")
compute_vari = verb(VARI, "compute_vari")
compute_normalized_difference = verb(NormalizedDifference, "compute_normalized_difference")
compute_tasseled_cap = verb(TasseledCap, "compute_tasseled_cap")

__all__ = [
    "ARVI",
    "AWEI",
    "BSI",
    "CIG",
    "CIRE",
    "EVI",
    "EVI2",
    "GNDVI",
    "KNDVI",
    "LSWI",
    "MNDWI",
    "MSAVI",
    "NBR",
    "NBR2",
    "NDBI",
    "NDMI",
    "NDRE",
    "NDSI",
    "NDVI",
    "NDWI",
    "OSAVI",
    "SAVI",
    "VARI",
    "AppendIndex",
    "Index",
    "IndexEntry",
    "Indices",
    "NormalizedDifference",
    "TasseledCap",
    "append_index",
    "catalogue",
    "compute_arvi",
    "compute_awei",
    "compute_bsi",
    "compute_cig",
    "compute_cire",
    "compute_evi",
    "compute_evi2",
    "compute_gndvi",
    "compute_index",
    "compute_indices",
    "compute_kndvi",
    "compute_lswi",
    "compute_mndwi",
    "compute_msavi",
    "compute_nbr",
    "compute_nbr2",
    "compute_ndbi",
    "compute_ndmi",
    "compute_ndre",
    "compute_ndsi",
    "compute_ndvi",
    "compute_ndwi",
    "compute_normalized_difference",
    "compute_osavi",
    "compute_savi",
    "compute_tasseled_cap",
    "compute_vari",
]
