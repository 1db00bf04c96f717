"""Augmentation of training chips: every draw can be repeated, and the grid, labels and masks stay true."""

from __future__ import annotations

from geotoolz.augment._arrays import OnArrays
from geotoolz.augment._clouds import SimulatedClouds
from geotoolz.augment._compose import Compose
from geotoolz.augment._cut_mix import CutMix
from geotoolz.augment._draws import DRAW_ATTR, with_draw
from geotoolz.augment._dropout import BandDropout
from geotoolz.augment._haze import AtmosphericHaze
from geotoolz.augment._jitter import BandJitter, BrightnessJitter, ContrastJitter
from geotoolz.augment._mix_up import MixUp
from geotoolz.augment._noise import GaussianNoise, SpeckleNoise
from geotoolz.augment._shift import RandomCrop, RandomShift
from geotoolz.augment._sun import SunAngleJitter
from geotoolz.augment._turn import RandomFlip, RandomRotate90
from geotoolz.core import verb

add_gaussian_noise = verb(GaussianNoise, "add_gaussian_noise")
add_haze = verb(AtmosphericHaze, "add_haze")
add_speckle = verb(SpeckleNoise, "add_speckle")
crop_randomly = verb(RandomCrop, "crop_randomly")
drop_bands_randomly = verb(BandDropout, "drop_bands_randomly")
flip_randomly = verb(RandomFlip, "flip_randomly")
jitter_bands = verb(BandJitter, "jitter_bands")
jitter_brightness = verb(BrightnessJitter, "jitter_brightness")
jitter_contrast = verb(ContrastJitter, "jitter_contrast")
jitter_sun_angle = verb(SunAngleJitter, "jitter_sun_angle")
rotate90_randomly = verb(RandomRotate90, "rotate90_randomly")
shift_randomly = verb(RandomShift, "shift_randomly")
simulate_clouds = verb(SimulatedClouds, "simulate_clouds")

__all__ = [
    "DRAW_ATTR",
    "AtmosphericHaze",
    "BandDropout",
    "BandJitter",
    "BrightnessJitter",
    "Compose",
    "ContrastJitter",
    "CutMix",
    "GaussianNoise",
    "MixUp",
    "OnArrays",
    "RandomCrop",
    "RandomFlip",
    "RandomRotate90",
    "RandomShift",
    "SimulatedClouds",
    "SpeckleNoise",
    "SunAngleJitter",
    "add_gaussian_noise",
    "add_haze",
    "add_speckle",
    "crop_randomly",
    "drop_bands_randomly",
    "flip_randomly",
    "jitter_bands",
    "jitter_brightness",
    "jitter_contrast",
    "jitter_sun_angle",
    "rotate90_randomly",
    "shift_randomly",
    "simulate_clouds",
    "with_draw",
]
