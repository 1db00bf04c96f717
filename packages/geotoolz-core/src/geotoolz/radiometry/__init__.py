"""Radiometry: bands, units, scaling, stretching, smoothing."""

from __future__ import annotations

from geotoolz.core import verb
from geotoolz.radiometry._reflectance import DNToReflectance, ToFloat32
from geotoolz.radiometry._select import SelectBands
from geotoolz.radiometry._smooth import BoxMean
from geotoolz.radiometry._statistics import Extremes, Percentiles
from geotoolz.radiometry._stretch import MinMax, PercentileClip

select_bands = verb(SelectBands, "select_bands")
convert_to_float32 = verb(ToFloat32, "convert_to_float32")
convert_to_reflectance = verb(DNToReflectance, "convert_to_reflectance")
clip_percentiles = verb(PercentileClip, "clip_percentiles")
scale_min_max = verb(MinMax, "scale_min_max")
smooth_box = verb(BoxMean, "smooth_box")

__all__ = [
    "BoxMean",
    "DNToReflectance",
    "Extremes",
    "MinMax",
    "PercentileClip",
    "Percentiles",
    "SelectBands",
    "ToFloat32",
    "clip_percentiles",
    "convert_to_float32",
    "convert_to_reflectance",
    "scale_min_max",
    "select_bands",
    "smooth_box",
]
