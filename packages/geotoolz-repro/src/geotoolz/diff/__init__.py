"""What differs: between two pipelines, and between what they make."""

from __future__ import annotations

from geotoolz.diff._ab import AB
from geotoolz.diff._bimodal import Bimodality, bimodality
from geotoolz.diff._changes import Change
from geotoolz.diff._config_diff import ConfigDiff, config_diff
from geotoolz.diff._drift import Drift
from geotoolz.diff._report import ABReport
from geotoolz.diff._tolerances import Check, Tolerances, Verdict
from geotoolz.diff._variable_report import ClassRow, TileRow, VariableReport, WorstTile

__all__ = [
    "AB",
    "ABReport",
    "Bimodality",
    "Change",
    "Check",
    "ClassRow",
    "ConfigDiff",
    "Drift",
    "TileRow",
    "Tolerances",
    "VariableReport",
    "Verdict",
    "WorstTile",
    "bimodality",
    "config_diff",
]
