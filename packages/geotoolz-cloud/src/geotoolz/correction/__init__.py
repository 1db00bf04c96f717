"""Corrections of atmosphere and illumination."""

from __future__ import annotations

from geotoolz.core import verb
from geotoolz.correction._dark_object import DarkObjectSubtraction

subtract_dark_object = verb(DarkObjectSubtraction, "subtract_dark_object")

__all__ = ["DarkObjectSubtraction", "subtract_dark_object"]
