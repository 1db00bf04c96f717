"""Chips: where they lie, what they hold, and how they become a scene again."""

from __future__ import annotations

from geotoolz.patch._aggregations import (
    Aggregation,
    Max,
    Mean,
    Median,
    Min,
    Sum,
)
from geotoolz.patch._apply import ApplyToChips
from geotoolz.patch._budget import memory_bytes
from geotoolz.patch._catalog import CatalogPatches
from geotoolz.patch._chip import Chip
from geotoolz.patch._drive import ChipRun, run_chips
from geotoolz.patch._explicit import ExplicitSampler, TrackSampler
from geotoolz.patch._folder import write_chips
from geotoolz.patch._folder_stitch import stitch_chips
from geotoolz.patch._geometry import Geometry, PointCentred, PolygonCentred, Rectangle
from geotoolz.patch._grid import PatchGrid
from geotoolz.patch._inverse_variance import InverseVariance
from geotoolz.patch._loop import ChipFailure
from geotoolz.patch._patch import Patch, PatchBatch
from geotoolz.patch._poisson import PoissonDiskSampler
from geotoolz.patch._preview import draw_chips
from geotoolz.patch._random import JitteredSampler, RandomSampler
from geotoolz.patch._regular import GridSampler
from geotoolz.patch._sampler import Placed, Sampler
from geotoolz.patch._source import DatasetSource, Source, as_source
from geotoolz.patch._stitcher import Stitcher
from geotoolz.patch._strata import BalancedSampler, StratifiedSampler
from geotoolz.patch._votes import HardVote, SoftVote
from geotoolz.patch._windows import Boxcar, Gaussian, Hann, Tukey, Window

__all__ = [
    "Aggregation",
    "ApplyToChips",
    "BalancedSampler",
    "Boxcar",
    "CatalogPatches",
    "Chip",
    "ChipFailure",
    "ChipRun",
    "DatasetSource",
    "ExplicitSampler",
    "Gaussian",
    "Geometry",
    "GridSampler",
    "Hann",
    "HardVote",
    "InverseVariance",
    "JitteredSampler",
    "Max",
    "Mean",
    "Median",
    "Min",
    "Patch",
    "PatchBatch",
    "PatchGrid",
    "Placed",
    "PointCentred",
    "PoissonDiskSampler",
    "PolygonCentred",
    "RandomSampler",
    "Rectangle",
    "Sampler",
    "SoftVote",
    "Source",
    "Stitcher",
    "StratifiedSampler",
    "Sum",
    "TrackSampler",
    "Tukey",
    "Window",
    "as_source",
    "draw_chips",
    "memory_bytes",
    "run_chips",
    "stitch_chips",
    "write_chips",
]
