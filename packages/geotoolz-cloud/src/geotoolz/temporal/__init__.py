"""Time series of tiles: gap filling, composites, regular steps, differences."""

from __future__ import annotations

from geotoolz.core import verb
from geotoolz.temporal._composite import Composite
from geotoolz.temporal._difference import Difference
from geotoolz.temporal._gap_fill import LinearGapFill
from geotoolz.temporal._resample import ResampleTime

compose_dates = verb(Composite, "compose_dates")
fill_gaps_linearly = verb(LinearGapFill, "fill_gaps_linearly")
resample_time = verb(ResampleTime, "resample_time")
subtract_dates = verb(Difference, "subtract_dates")

__all__ = [
    "Composite",
    "Difference",
    "LinearGapFill",
    "ResampleTime",
    "compose_dates",
    "fill_gaps_linearly",
    "resample_time",
    "subtract_dates",
]
