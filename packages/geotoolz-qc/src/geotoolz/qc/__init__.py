"""Quality control: assertions that let pixels pass and decide before a sink commits; reports of many."""

from __future__ import annotations

from geotoolz.core import verb
from geotoolz.qc._base import TAG
from geotoolz.qc._collect import run_checks
from geotoolz.qc._crs import AssertCRSEquals
from geotoolz.qc._grid_aligned import AssertGridAligned
from geotoolz.qc._report import QCEntry, QCReport
from geotoolz.qc._resolution import AssertResolutionWithin
from geotoolz.qc._schema import AssertSchema
from geotoolz.qc._valid_fraction import AssertValidFraction, ValidShare
from geotoolz.qc._value_range import AssertValueRange, RangeCount

assert_crs_equals = verb(AssertCRSEquals, "assert_crs_equals")
assert_grid_aligned = verb(AssertGridAligned, "assert_grid_aligned")
assert_resolution_within = verb(AssertResolutionWithin, "assert_resolution_within")
assert_schema = verb(AssertSchema, "assert_schema")
assert_valid_fraction = verb(AssertValidFraction, "assert_valid_fraction")
assert_value_range = verb(AssertValueRange, "assert_value_range")

__all__ = [
    "TAG",
    "AssertCRSEquals",
    "AssertGridAligned",
    "AssertResolutionWithin",
    "AssertSchema",
    "AssertValidFraction",
    "AssertValueRange",
    "QCEntry",
    "QCReport",
    "RangeCount",
    "ValidShare",
    "assert_crs_equals",
    "assert_grid_aligned",
    "assert_resolution_within",
    "assert_schema",
    "assert_valid_fraction",
    "assert_value_range",
    "run_checks",
]
