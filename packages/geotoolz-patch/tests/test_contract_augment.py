"""The contract of `geotoolz.augment`."""

from __future__ import annotations

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
from geotoolz.core import Graph
from geotoolz.core.testing import ContractSuite, case, contract_tile
from geotoolz.radiometry import BoxMean

SAYS = {"everything_else_kept": "it says in an attribute of the tile what it did; test_augment_*.py"}
OWN = {"stack_equals_dates": "every date has noise of its own"}
SKIES = {"stack_equals_dates": "every date has a sky of its own"}
WHOLE = dict.fromkeys(
    ("law", "law_small_tile", "dask_lazy_and_equal"), "the mean needs the whole tile: test_augment_values.py"
)
RADAR = ("vv", "vh")
KEPT = ["red", "nir", "scl", "mask", "foreign", "foreign_flag"]


def small_tile(shape=(9, 12), **options):
    """Return a small contract tile with two bands, classes, a mask and elevation."""
    return contract_tile(shape, **options)[KEPT]


def radar_tile(shape=(9, 12), *, units="1", **options):
    """Return the same with backscatter instead of reflectance."""
    tile = small_tile(shape, **options).rename(red="vv", nir="vh")
    for name in RADAR:
        tile[name].attrs |= {"quantity": "backscatter", "units": units}
        if units == "dB":
            tile[name].values[...] = 20 * tile[name].values - 25
    return tile


def decibel_tile(shape=(9, 12), **options):
    """Return the same in decibels."""
    return radar_tile(shape, units="dB", **options)


def with_itself(op):
    """Return a pipeline that mixes a tile with a smoother copy of itself: the suite has one tile."""
    nodes = {
        "other": {"operator": BoxMean(1, bands=("red",)), "inputs": ("a",)},
        "mixed": {"operator": op, "inputs": ("a", "other")},
    }
    return lambda folder: Graph(("a",), nodes, {"mixed": "mixed"})


class TestContractAugment(ContractSuite):
    module = "geotoolz.augment"
    cases = (
        case(RandomFlip(p_horizontal=1.0, p_vertical=0.0), small_tile),
        case(RandomRotate90(p=1.0, seed=0), small_tile),
        case(RandomRotate90(p=1.0, seed=8), small_tile),
        case(RandomCrop((3, 2)), small_tile),
        case(RandomShift((5, 9), seed=1), small_tile),
        case(BrightnessJitter(per_band=True), small_tile),
        case(BrightnessJitter(bands=RADAR), decibel_tile),
        case(ContrastJitter(), small_tile, skip=WHOLE),
        case(ContrastJitter(centre=0.2), small_tile),
        case(BandJitter(), small_tile),
        case(BandDropout(1.0), small_tile),
        case(GaussianNoise(0.02), small_tile, skip=OWN),
        case(
            SpeckleNoise(3),
            radar_tile,
            skip={**OWN, "integers_do_not_wrap": "numbers beyond the type are cut"},
        ),
        case(SpeckleNoise(11), decibel_tile, skip={**OWN, "integers_do_not_wrap": "decibels are negative"}),
        case(AtmosphericHaze(), small_tile),
        case(SimulatedClouds(size=8), small_tile, skip=SKIES),
        case(SunAngleJitter(), small_tile, skip=SAYS),
        case(
            Compose([RandomFlip(), RandomRotate90(), BrightnessJitter(), GaussianNoise()], seed=5),
            small_tile,
            skip={**OWN, "integers_do_not_wrap": "two steps round"},
        ),
        case(Compose([RandomShift(5), BoxMean(2), SimulatedClouds(size=8)], p=0.9), small_tile, skip=SKIES),
        case(with_itself(CutMix()), small_tile, cls=CutMix, skip=SAYS),
        case(with_itself(MixUp()), small_tile, cls=MixUp, skip=SAYS),
    )
