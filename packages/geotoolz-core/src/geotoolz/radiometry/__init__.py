"""Radiometry: bands, units, scaling, stretching, smoothing."""

from __future__ import annotations

from geotoolz.core import verb
from geotoolz.radiometry._assign_attrs import AssignAttrs
from geotoolz.radiometry._band_math import BandMath
from geotoolz.radiometry._band_moments import BandMoments
from geotoolz.radiometry._classify import ClassifyByThresholds
from geotoolz.radiometry._encode import Decode, Encode
from geotoolz.radiometry._gamma import Gamma
from geotoolz.radiometry._mean_std import MeanStd
from geotoolz.radiometry._moments import Moments
from geotoolz.radiometry._mtl import assign_mtl
from geotoolz.radiometry._packing import PACKINGS, Packing
from geotoolz.radiometry._percentiles import Percentiles
from geotoolz.radiometry._quantiles import Quantiles
from geotoolz.radiometry._radiance import DNToRadiance
from geotoolz.radiometry._reflectance import DNToReflectance, ToFloat32
from geotoolz.radiometry._rename import RenameBands
from geotoolz.radiometry._select import SelectBands
from geotoolz.radiometry._smooth import BoxMean
from geotoolz.radiometry._standardize import Standardize
from geotoolz.radiometry._statistics import Extremes
from geotoolz.radiometry._stretch import MinMax, PercentileClip
from geotoolz.radiometry._sun import earth_sun_distance
from geotoolz.radiometry._temperature import BrightnessTemperature
from geotoolz.radiometry._toa import RadianceToReflectance

select_bands = verb(SelectBands, "select_bands")
convert_to_float32 = verb(ToFloat32, "convert_to_float32")
convert_to_reflectance = verb(DNToReflectance, "convert_to_reflectance")
convert_to_radiance = verb(DNToRadiance, "convert_to_radiance")
convert_radiance_to_reflectance = verb(RadianceToReflectance, "convert_radiance_to_reflectance")
compute_brightness_temperature = verb(BrightnessTemperature, "compute_brightness_temperature")
assign_attrs = verb(AssignAttrs, "assign_attrs")
rename_bands = verb(RenameBands, "rename_bands")
apply_gamma = verb(Gamma, "apply_gamma")
encode = verb(Encode, "encode")
decode = verb(Decode, "decode")
clip_percentiles = verb(PercentileClip, "clip_percentiles")
scale_min_max = verb(MinMax, "scale_min_max")
standardize = verb(Standardize, "standardize")
smooth_box = verb(BoxMean, "smooth_box")
classify_by_thresholds = verb(ClassifyByThresholds, "classify_by_thresholds")
compute_band_math = verb(BandMath, "compute_band_math")

__all__ = [
    "PACKINGS",
    "AssignAttrs",
    "BandMath",
    "BandMoments",
    "BoxMean",
    "BrightnessTemperature",
    "ClassifyByThresholds",
    "DNToRadiance",
    "DNToReflectance",
    "Decode",
    "Encode",
    "Extremes",
    "Gamma",
    "MeanStd",
    "MinMax",
    "Moments",
    "Packing",
    "PercentileClip",
    "Percentiles",
    "Quantiles",
    "RadianceToReflectance",
    "RenameBands",
    "SelectBands",
    "Standardize",
    "ToFloat32",
    "apply_gamma",
    "assign_attrs",
    "assign_mtl",
    "classify_by_thresholds",
    "clip_percentiles",
    "compute_band_math",
    "compute_brightness_temperature",
    "convert_radiance_to_reflectance",
    "convert_to_float32",
    "convert_to_radiance",
    "convert_to_reflectance",
    "decode",
    "earth_sun_distance",
    "encode",
    "rename_bands",
    "scale_min_max",
    "select_bands",
    "smooth_box",
    "standardize",
]
