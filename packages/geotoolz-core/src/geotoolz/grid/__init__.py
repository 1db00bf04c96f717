"""Grids: crop, resample, reproject, match."""

from __future__ import annotations

from geotoolz.core import verb
from geotoolz.grid._base import Regrid
from geotoolz.grid._crop import Crop
from geotoolz.grid._match import MatchGrid
from geotoolz.grid._reproject import Reproject
from geotoolz.grid._resample import Resample

crop = verb(Crop, "crop")
match_grid = verb(MatchGrid, "match_grid")
reproject = verb(Reproject, "reproject")
resample = verb(Resample, "resample")

__all__ = [
    "Crop",
    "MatchGrid",
    "Regrid",
    "Reproject",
    "Resample",
    "crop",
    "match_grid",
    "reproject",
    "resample",
]
