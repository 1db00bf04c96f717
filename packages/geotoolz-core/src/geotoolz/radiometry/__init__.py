"""Radiometry: bands, units, scaling, stretching, smoothing."""

from __future__ import annotations

from geotoolz.core import verb
from geotoolz.radiometry._band_moments import BandMoments
from geotoolz.radiometry._mean_std import MeanStd
from geotoolz.radiometry._moments import Moments
from geotoolz.radiometry._percentiles import Percentiles
from geotoolz.radiometry._quantiles import Quantiles
from geotoolz.radiometry._reflectance import DNToReflectance, ToFloat32
from geotoolz.radiometry._select import SelectBands
from geotoolz.radiometry._smooth import BoxMean
from geotoolz.radiometry._standardize import Standardize
from geotoolz.radiometry._statistics import Extremes
from geotoolz.radiometry._stretch import MinMax, PercentileClip

select_bands = verb(SelectBands, "select_bands")
convert_to_float32 = verb(ToFloat32, "convert_to_float32")
convert_to_reflectance = verb(DNToReflectance, "convert_to_reflectance")
clip_percentiles = verb(PercentileClip, "clip_percentiles")
scale_min_max = verb(MinMax, "scale_min_max")
standardize = verb(Standardize, "standardize")
smooth_box = verb(BoxMean, "smooth_box")

__all__ = [
    "BandMoments",
    "BoxMean",
    "DNToReflectance",
    "Extremes",
    "MeanStd",
    "MinMax",
    "Moments",
    "PercentileClip",
    "Percentiles",
    "Quantiles",
    "SelectBands",
    "Standardize",
    "ToFloat32",
    "clip_percentiles",
    "convert_to_float32",
    "convert_to_reflectance",
    "scale_min_max",
    "select_bands",
    "smooth_box",
    "standardize",
]
