"""Augmentation of chips of real scenes."""

from __future__ import annotations

import numpy as np
import pyproj
import pytest

import geotoolz as gz
from geotoolz.augment import (
    AtmosphericHaze,
    Compose,
    GaussianNoise,
    OnArrays,
    RandomCrop,
    RandomFlip,
    RandomRotate90,
    SimulatedClouds,
    SpeckleNoise,
    SunAngleJitter,
)
from geotoolz.core import geobox_of
from geotoolz.core.testing import data_path
from geotoolz.io import MetadataWarning, forget_notices


@pytest.fixture(scope="module")
def scene():
    """Return a Sentinel-2 scene with three bands and its classes."""
    folder = data_path("s2_l2a_33TWL_croatia/S2B_33TWL_20230820_0_L2A")
    forget_notices()  # said once per process: another test may have heard it
    with pytest.warns(MetadataWarning, match="no georeference"):
        return gz.open_tile(folder, bands=["blue", "red", "nir", "scl"])


def test_classes_stay_with_their_place(scene):
    steps = Compose([RandomCrop(64), RandomFlip(), RandomRotate90(), GaussianNoise(0.005)])
    own = geobox_of(scene)
    for number in range(6):
        chip = steps.draw(scene, epoch=1, chip=number)
        to_scene = pyproj.Transformer.from_crs(geobox_of(chip).crs.proj, own.crs.proj, always_xy=True)
        x, y = to_scene.transform(*np.meshgrid(chip.x, chip.y))
        cols, rows = (x - own.affine.c) / own.affine.a, (y - own.affine.f) / own.affine.e
        found = scene.scl.values[np.floor(rows).astype(int), np.floor(cols).astype(int)]
        np.testing.assert_array_equal(chip.scl, found)
        red = scene.red.values[np.floor(rows).astype(int), np.floor(cols).astype(int)]
        assert 0.003 < float(np.nanstd(chip.red - red)) < 0.007


def test_the_air_and_the_sun_of_a_scene(scene):
    steps = Compose([SunAngleJitter(), AtmosphericHaze((0.1, 0.2)), SimulatedClouds((0.3, 0.3), size=32)])
    out = steps.draw(scene, chip=3)
    np.testing.assert_array_equal(out.red.isnull(), scene.red.isnull())
    assert out.scl.identical(scene.scl) and set(np.unique(out.cloud_mask)) == {0, 1, 2}
    assert out.attrs["sun_elevation"] != scene.attrs["sun_elevation"]
    arrays = {name: band.values for name, band in scene.data_vars.items()}
    made = OnArrays(steps, scene)(arrays, chip=3)
    assert all(made[name].tobytes() == out[name].values.tobytes() for name in out.data_vars)


def test_speckle_of_real_backscatter():
    path = next(data_path("s1_rtc_california_open").glob("*T137-292324*20211213*_VV.tif"))
    radar = gz.open_tile(path)
    out = SpeckleNoise(5)(radar)
    ratio = (out.vv / radar.vv).values
    assert abs(np.nanmean(ratio) - 1) < 0.02 and abs(np.nanvar(ratio) * 5 - 1) < 0.1
    np.testing.assert_array_equal(out.vv.isnull(), radar.vv.isnull())
