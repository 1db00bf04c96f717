"""Elevation models: slope, aspect, hillshade, relative height."""

from __future__ import annotations

from geotoolz.core import verb
from geotoolz.terrain._position import TPI, RelativeElevation
from geotoolz.terrain._relief import Aspect, Hillshade, Slope

compute_aspect = verb(Aspect, "compute_aspect")
compute_hillshade = verb(Hillshade, "compute_hillshade")
compute_relative_elevation = verb(RelativeElevation, "compute_relative_elevation")
compute_slope = verb(Slope, "compute_slope")
compute_tpi = verb(TPI, "compute_tpi")

__all__ = [
    "TPI",
    "Aspect",
    "Hillshade",
    "RelativeElevation",
    "Slope",
    "compute_aspect",
    "compute_hillshade",
    "compute_relative_elevation",
    "compute_slope",
    "compute_tpi",
]
