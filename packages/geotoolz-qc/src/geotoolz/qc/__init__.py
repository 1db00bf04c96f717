"""Quality control: assertions that let pixels pass and decide before a sink commits."""

from __future__ import annotations

from geotoolz.core import verb
from geotoolz.qc._schema import AssertSchema
from geotoolz.qc._valid_fraction import AssertValidFraction
from geotoolz.qc._value_range import AssertValueRange, RangeCount

assert_schema = verb(AssertSchema, "assert_schema")
assert_valid_fraction = verb(AssertValidFraction, "assert_valid_fraction")
assert_value_range = verb(AssertValueRange, "assert_value_range")

__all__ = [
    "AssertSchema",
    "AssertValidFraction",
    "AssertValueRange",
    "RangeCount",
    "assert_schema",
    "assert_valid_fraction",
    "assert_value_range",
]
