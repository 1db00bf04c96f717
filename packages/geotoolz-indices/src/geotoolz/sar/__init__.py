"""Radar backscatter: decibels, speckle filters, multilooking."""

from __future__ import annotations

from geotoolz.core import verb
from geotoolz.sar._decibel import DBToLinear, LinearToDB
from geotoolz.sar._filters import Frost, GammaMAP, LeeSpeckle
from geotoolz.sar._looks import EquivalentNumberOfLooks
from geotoolz.sar._multilook import MultiLook

db_to_linear = verb(DBToLinear, "db_to_linear")
estimate_number_of_looks = verb(EquivalentNumberOfLooks, "estimate_number_of_looks")
filter_frost = verb(Frost, "filter_frost")
filter_gamma_map = verb(GammaMAP, "filter_gamma_map")
filter_lee = verb(LeeSpeckle, "filter_lee")
linear_to_db = verb(LinearToDB, "linear_to_db")
multilook = verb(MultiLook, "multilook")

__all__ = [
    "DBToLinear",
    "EquivalentNumberOfLooks",
    "Frost",
    "GammaMAP",
    "LeeSpeckle",
    "LinearToDB",
    "MultiLook",
    "db_to_linear",
    "estimate_number_of_looks",
    "filter_frost",
    "filter_gamma_map",
    "filter_lee",
    "linear_to_db",
    "multilook",
]
