"""Spectral indices."""

from __future__ import annotations

from geotoolz.core import verb
from geotoolz.indices._append import AppendIndex
from geotoolz.indices._normalized_difference import NDVI, NDWI, NormalizedDifference

append_index = verb(AppendIndex, "append_index")
compute_ndvi = verb(NDVI, "compute_ndvi")
compute_ndwi = verb(NDWI, "compute_ndwi")
compute_normalized_difference = verb(NormalizedDifference, "compute_normalized_difference")

__all__ = [
    "NDVI",
    "NDWI",
    "AppendIndex",
    "NormalizedDifference",
    "append_index",
    "compute_ndvi",
    "compute_ndwi",
    "compute_normalized_difference",
]
