"""Cubes along ``wavelength``: detectors, spectral angles, resampling, gas absorption."""

from __future__ import annotations

from geotoolz.core import verb
from geotoolz.hyperspectral._ace import ACE
from geotoolz.hyperspectral._background import Background, BackgroundStatistics
from geotoolz.hyperspectral._library import SpectralLibrary, read_library, read_spectrum
from geotoolz.hyperspectral._mag1c import Mag1c
from geotoolz.hyperspectral._matched_filter import MatchedFilter
from geotoolz.hyperspectral._methane import unit_absorption
from geotoolz.hyperspectral._resample import SpectralResample
from geotoolz.hyperspectral._sam import SAM
from geotoolz.hyperspectral._to_cube import ToCube

compute_matched_filter = verb(MatchedFilter, "compute_matched_filter")
compute_ace = verb(ACE, "compute_ace")
as_cube = verb(ToCube, "as_cube")
retrieve_gas = verb(Mag1c, "retrieve_gas")
resample_spectra = verb(SpectralResample, "resample_spectra")
compute_spectral_angle = verb(SAM, "compute_spectral_angle")

__all__ = [
    "ACE",
    "SAM",
    "Background",
    "BackgroundStatistics",
    "Mag1c",
    "MatchedFilter",
    "SpectralLibrary",
    "SpectralResample",
    "ToCube",
    "as_cube",
    "compute_ace",
    "compute_matched_filter",
    "compute_spectral_angle",
    "read_library",
    "read_spectrum",
    "resample_spectra",
    "retrieve_gas",
    "unit_absorption",
]
