"""Vectors and rasters: areas of interest, zonal statistics, series at points, polygons, samples."""

from __future__ import annotations

from geotoolz.core import verb
from geotoolz.vector._clip import ClipToArea, MaskArea
from geotoolz.vector._points import point_series
from geotoolz.vector._rasterize import rasterize
from geotoolz.vector._sample import sample_training
from geotoolz.vector._vectorize import vectorize
from geotoolz.vector._zonal import zonal_statistics

clip_to_area = verb(ClipToArea, "clip_to_area")
mask_area = verb(MaskArea, "mask_area")

__all__ = [
    "ClipToArea",
    "MaskArea",
    "clip_to_area",
    "mask_area",
    "point_series",
    "rasterize",
    "sample_training",
    "vectorize",
    "zonal_statistics",
]
