"""Checks for engines: whether one of your own does what a run relies on."""

from __future__ import annotations

from ._checks import CHECKS, ISOLATED, EngineBrokenError, check_engine

__all__ = ["CHECKS", "ISOLATED", "EngineBrokenError", "check_engine"]
