"""Augmentations beside independent computations in NumPy, Python's own numbers and PROJ."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pyproj
import xarray as xr

from geotoolz.augment import (
    AtmosphericHaze,
    BandDropout,
    BandJitter,
    BrightnessJitter,
    Compose,
    ContrastJitter,
    CutMix,
    GaussianNoise,
    MixUp,
    RandomCrop,
    RandomFlip,
    RandomRotate90,
    RandomShift,
    SimulatedClouds,
    SpeckleNoise,
    SunAngleJitter,
)
from geotoolz.augment._draws import Draws
from geotoolz.augment._kernels import ORIGIN
from geotoolz.core import TileSpec, geobox_of
from geotoolz.core.testing import Reference, ReferenceSuite, contract_tile

MASK = (1 << 64) - 1
GAMMA = 0x9E3779B97F4A7C15


def tile(shape=(17, 23), **options):
    """Return the tile of all comparisons."""
    return contract_tile(shape, **options)[["blue", "red", "nir", "scl", "mask"]]


def splitmix(state):
    """Return the finaliser of SplitMix64 in Python's unbounded integers."""
    z = state & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def unit(key, row, counter):
    """Return the number in (0, 1) of a place of a row's stream."""
    stream = splitmix(key + GAMMA * (row + ORIGIN))
    return ((splitmix(stream + GAMMA * (counter + 1)) >> 11) + 0.5) / 2**53


def worst(found, wanted):
    """Return the largest difference, where both have data; elsewhere both must have none."""
    found, wanted = np.asarray(found, float), np.asarray(wanted, float)
    if not np.array_equal(np.isnan(found), np.isnan(wanted)):
        return math.inf
    return float(np.nanmax(np.abs(found - wanted), initial=0.0))


def differing(found, wanted):
    """Return in how many pixels two tiles differ."""
    found, wanted = np.asarray(found), np.asarray(wanted)
    return float((~((found == wanted) | ((found != found) & (wanted != wanted)))).sum())


# --- the grid -----------------------------------------------------------------------------------------------
def moved_ground(op):
    """Return how far any pixel is from where it was, by its values and by PROJ."""
    one = tile()
    one["east"], one["north"] = (xr.DataArray(a, dims=("y", "x")) for a in np.meshgrid(one.x, one.y))
    far = 0.0
    for chip in range(8):
        out = op.draw(one, chip=chip)
        x, y = np.meshgrid(out.x, out.y)
        to_degrees = pyproj.Transformer.from_crs(geobox_of(out).crs.proj, 4326, always_xy=True)
        from_degrees = pyproj.Transformer.from_crs(32633, 4326, always_xy=True)
        held = out.east.values == out.east.values
        a = np.array(to_degrees.transform(x[held], y[held]))
        b = np.array(from_degrees.transform(out.east.values[held], out.north.values[held]))
        far = max(far, float(np.abs(a - b).max()) * 111_320)
    return far


def flipped():
    """Count pixels that differ from `numpy.flip`."""
    one = tile()
    out = RandomFlip(p_horizontal=1.0, p_vertical=1.0)(one)
    return sum(differing(out[name], np.flip(one[name].values)) for name in one.data_vars)


def rotated():
    """Count pixels that differ from `numpy.rot90`, by the turn that Python's integers draw."""
    one, total = tile(), 0.0
    for chip in range(6):
        key = Draws(0, f"0/{chip}", "").key("quarters")
        out = RandomRotate90(p=1.0).draw(one, chip=chip)
        total += sum(differing(out[n], np.rot90(one[n].values, 1 + key * 3 // 2**64)) for n in one.data_vars)
    return total


def cropped():
    """Count pixels that differ from xarray's selection by coordinates."""
    one = tile()
    out = RandomCrop((5, 6))(one)
    there = one.sel(y=out.y, x=out.x)
    return sum(differing(out[name], there[name]) for name in one.data_vars)


def shifted():
    """Count pixels that differ from xarray's `reindex_like`."""
    one = tile()[["red", "nir"]]
    total = 0.0
    for chip in range(5):
        out = RandomShift(6).draw(one, chip=chip)
        there = one.reindex_like(out)
        total += sum(differing(out[name], there[name]) for name in one.data_vars)
    return total


# --- values -------------------------------------------------------------------------------------------------
def brightness():
    """Compare with NumPy."""
    factor = 0.85 + (1.15 - 0.85) * Draws(0, "0/0", "").unit("factor")
    one = tile()
    return worst(BrightnessJitter()(one).red, one.red.values.astype(float) * factor)


def contrast():
    """Compare with NumPy."""
    factor = 0.8 + (1.25 - 0.8) * Draws(0, "0/0", "").unit("factor")
    values = tile().nir.values.astype(float)
    return worst(ContrastJitter()(tile()).nir, np.nanmean(values) + factor * (values - np.nanmean(values)))


def bands():
    """Compare with NumPy."""
    draws = Draws(0, "0/0", "")
    gain, offset = 0.95 + 0.1 * draws.unit("gain", "nir"), -0.01 + 0.02 * draws.unit("offset", "nir")
    return worst(BandJitter()(tile()).nir, tile().nir.values.astype(float) * gain + offset)


def dropped():
    """Count pixels of bands that were dropped or kept against the lots."""
    total, one = 0.0, tile()
    for chip in range(20):
        draws = Draws(0, f"0/{chip}", "")
        lots = {name: draws.unit("rate", name) for name in ("blue", "red", "nir")}
        out = BandDropout(0.4).draw(one, chip=chip)
        for name, lot in lots.items():
            gone = lot < 0.4 and lot < max(lots.values())
            total += differing(out[name], one[name] * (np.nan if gone else 1))
    return total


def gaussian():
    """Compare with Python's own normal quantile of Python's own SplitMix64."""
    one, far = tile(), 0.0
    out = GaussianNoise(0.1)(one)
    for name in ("red", "nir"):
        key = Draws(0, "0/0", "").key("noise", name, 0)
        noise = [[NormalDist().inv_cdf(unit(key, i, j + ORIGIN)) for j in range(23)] for i in range(17)]
        far = max(far, worst(out[name], one[name].values + 0.1 * np.array(noise)))
    return far


def speckle():
    """Compare with sums of Python's logarithms."""
    radar = tile().rename(red="vv")
    radar.vv.attrs = {"quantity": "backscatter"}
    key = Draws(0, "0/0", "").key("speckle", "vv", 0)
    gamma = np.array(
        [
            [-sum(math.log(unit(key, i, (j + ORIGIN) * 11 + k)) for k in range(11)) / 11 for j in range(23)]
            for i in range(17)
        ]
    )
    return worst(SpeckleNoise(11)(radar).vv, radar.vv.values * gamma)


def haze():
    """Compare with Koschmieder's formula in NumPy."""
    draws = Draws(0, "0/0", "")
    strength, exponent = 0.3 * draws.unit("strength"), 0.5 + 1.5 * draws.unit("exponent")
    far = 0.0
    for name, length in (("blue", 490), ("red", 665), ("nir", 842)):
        veil = strength * (490 / length) ** exponent
        values = tile()[name].values.astype(float)
        far = max(far, worst(AtmosphericHaze()(tile())[name], values * (1 - veil) + 0.6 * veil))
    return far


def clouds():
    """Compare with value noise computed pixel by pixel in Python."""
    op = SimulatedClouds((0.4, 0.4), size=8, brightness=(0.7, 0.7), shadow=(0.0, 0.0))
    draws, one = Draws(0, "0/0", ""), tile()
    keys = [(8 >> k, 0.5**k / 1.75, draws.key("sky", 0, k)) for k in range(3)]
    field = np.array(
        [[sum(w * noise(i, j, s, key) for s, w, key in keys) for j in range(23)] for i in range(17)]
    )
    deviation = math.sqrt(sum((w * (26 / 35)) ** 2 for _, w, _ in keys) / 12)
    t = np.clip((field - NormalDist(0.5, deviation).inv_cdf(0.6)) / 0.1, 0, 1)
    cloud = t * t * (3 - 2 * t)
    out = op(one)
    wrong = ((cloud > 0) != (out.cloud_mask.values == 1)).sum()
    return max(worst(out.red, one.red.values * (1 - cloud) + 0.7 * cloud), float(wrong))


def noise(row, col, spacing, key):
    """Return smoothly interpolated value noise at one pixel."""
    row, col = row + ORIGIN, col + ORIGIN
    i, j = row // spacing, col // spacing
    y, x = ((row % spacing) + 0.5) / spacing, ((col % spacing) + 0.5) / spacing
    y, x = y * y * (3 - 2 * y), x * x * (3 - 2 * x)
    nodes = [[unit(key, i + a - ORIGIN, j + b) for b in (0, 1)] for a in (0, 1)]
    left, right = (nodes[0][b] + (nodes[1][b] - nodes[0][b]) * y for b in (0, 1))
    return left + (right - left) * x


def sun():
    """Compare with the cosine law in NumPy."""
    change = -10 + 20 * Draws(0, "0/0", "").unit("change")
    gain = np.sin(np.radians(55 + change)) / np.sin(np.radians(55))
    return worst(SunAngleJitter()(tile()).red, tile().red.values.astype(float) * gain)


def cut():
    """Count pixels that differ from `numpy.where`."""
    one, two = tile(), tile(seed=5)
    out = CutMix()({"one": one, "two": two})
    return sum(differing(out[n], np.where(out.cutmix_mask, two[n], one[n])) for n in one.data_vars)


def mixed():
    """Compare with the weighted mean in NumPy."""
    one, two = tile(), tile(seed=5)
    out = MixUp(1.0)({"one": one, "two": two})
    w = out.attrs["mixup_weight"]
    return worst(out.red, w * one.red.values.astype(float) + (1 - w) * two.red.values)


def composed():
    """Count pixels that differ from the steps one by one, each with its step's name."""
    steps = [RandomFlip(p_horizontal=1.0, p_vertical=1.0), BrightnessJitter(), RandomShift(3)]
    one = tile()
    wanted = RandomFlip(p_horizontal=1.0, p_vertical=1.0)(one)
    factor = 0.85 + (1.15 - 0.85) * Draws(0, "0/0", "operators[1]").unit("factor")
    wanted["red"] = wanted.red.copy(data=(wanted.red.values.astype(float) * factor).astype(np.float32))
    lots = Draws(0, "0/0", "operators[2]")
    dy, dx = (lots.key(axis) * 7 // 2**64 - 3 for axis in ("rows", "columns"))
    found = Compose(steps)(one).red.values
    return differing(found, wanted.red.shift(y=-dy, x=-dx).values)


VALUES = "test_augment_values.py::test_bad_parameters"
GRID = "test_augment_grid.py::test_bad_input"
MIX = "test_augment_mix.py::test_bad_input"


class TestReferencesAugment(ReferenceSuite):
    module = "geotoolz.augment"
    references = (
        Reference(RandomFlip, "numpy.flip", flipped, 0.0, "pixels that differ", GRID),
        Reference(RandomFlip, "PROJ", lambda: moved_ground(RandomFlip()), 1e-4, "m", GRID),
        Reference(RandomRotate90, "numpy.rot90", rotated, 0.0, "pixels that differ", GRID),
        Reference(RandomRotate90, "PROJ", lambda: moved_ground(RandomRotate90()), 1e-4, "m", GRID),
        Reference(RandomCrop, "xarray.Dataset.sel", cropped, 0.0, "pixels that differ", GRID),
        Reference(RandomShift, "xarray.Dataset.reindex_like", shifted, 0.0, "pixels that differ", GRID),
        Reference(BrightnessJitter, "NumPy", brightness, 1e-7, "1", VALUES),
        Reference(ContrastJitter, "NumPy", contrast, 1e-7, "1", VALUES),
        Reference(BandJitter, "NumPy", bands, 1e-7, "1", VALUES),
        Reference(BandDropout, "NumPy", dropped, 0.0, "pixels that differ", VALUES),
        Reference(
            GaussianNoise, "statistics.NormalDist of SplitMix64 in Python", gaussian, 1e-7, "1", VALUES
        ),
        Reference(SpeckleNoise, "sums of exponentials in Python", speckle, 3e-7, "1", VALUES),
        Reference(AtmosphericHaze, "Koschmieder's formula in NumPy", haze, 1e-7, "1", VALUES),
        Reference(SimulatedClouds, "value noise in Python", clouds, 1e-6, "1", VALUES),
        Reference(SunAngleJitter, "NumPy", sun, 1e-7, "1", VALUES),
        Reference(CutMix, "numpy.where", cut, 0.0, "pixels that differ", MIX),
        Reference(MixUp, "NumPy", mixed, 1e-7, "1", MIX),
        Reference(
            Compose, "NumPy, with the keys of every step", composed, 0.0, "pixels that differ",
            "test_augment.py::test_compose_refuses_nonsense",
        ),
    )  # fmt: skip


def test_splitmix_is_the_published_one():
    """The first numbers of seed 1234567, as Java's SplittableRandom and Rosetta Code list them."""
    found = [splitmix(1234567 + GAMMA * k) for k in (1, 2, 3)]
    assert found == [6457827717110365317, 3203168211198807973, 9817491932198370423]


def test_a_plan_needs_no_pixel():
    spec = TileSpec.of(tile())
    assert SimulatedClouds().plan(spec).writes.keys() == {"blue", "red", "nir", "cloud_mask"}
