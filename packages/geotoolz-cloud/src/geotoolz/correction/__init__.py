"""Corrections of atmosphere and illumination."""

from __future__ import annotations

from geotoolz.core import verb
from geotoolz.correction._dark_object import DarkObjectSubtraction
from geotoolz.correction._sun_zenith import SunZenithNormalize

normalize_sun_zenith = verb(SunZenithNormalize, "normalize_sun_zenith")
subtract_dark_object = verb(DarkObjectSubtraction, "subtract_dark_object")

__all__ = [
    "DarkObjectSubtraction",
    "SunZenithNormalize",
    "normalize_sun_zenith",
    "subtract_dark_object",
]
