"""Time series of tiles: gap filling, composites, regular steps, changes and trends."""

from __future__ import annotations

from geotoolz.core import verb
from geotoolz.temporal._burn import BurnSeverity
from geotoolz.temporal._composite import Composite
from geotoolz.temporal._difference import Difference
from geotoolz.temporal._gap_fill import LinearGapFill
from geotoolz.temporal._mann_kendall import MannKendall
from geotoolz.temporal._monthly import EmptyPeriodWarning, monthly_composite
from geotoolz.temporal._monthly_steps import CountDates, RequireObservations
from geotoolz.temporal._pair import open_pair
from geotoolz.temporal._resample import ResampleTime
from geotoolz.temporal._trend import TheilSenTrend

classify_burn_severity = verb(BurnSeverity, "classify_burn_severity")
compose_dates = verb(Composite, "compose_dates")
fill_gaps_linearly = verb(LinearGapFill, "fill_gaps_linearly")
resample_time = verb(ResampleTime, "resample_time")
subtract_dates = verb(Difference, "subtract_dates")
compute_theil_sen_trend = verb(TheilSenTrend, "compute_theil_sen_trend")
find_mann_kendall_trend = verb(MannKendall, "find_mann_kendall_trend")

__all__ = [
    "BurnSeverity",
    "Composite",
    "CountDates",
    "Difference",
    "EmptyPeriodWarning",
    "LinearGapFill",
    "MannKendall",
    "RequireObservations",
    "ResampleTime",
    "TheilSenTrend",
    "classify_burn_severity",
    "compose_dates",
    "compute_theil_sen_trend",
    "fill_gaps_linearly",
    "find_mann_kendall_trend",
    "monthly_composite",
    "open_pair",
    "resample_time",
    "subtract_dates",
]
