"""Draws: which numbers a step gets, and that nothing else decides them."""

from __future__ import annotations

import hashlib
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geotoolz.augment import (
    BandDropout,
    BrightnessJitter,
    Compose,
    GaussianNoise,
    OnArrays,
    RandomCrop,
    RandomFlip,
    RandomRotate90,
    RandomShift,
    SimulatedClouds,
    with_draw,
)
from geotoolz.augment._draws import Draws
from geotoolz.core import (
    NotFrozenError,
    Operator,
    ParameterError,
    Sequential,
    ShapeTrace,
    Sink,
    TileError,
    TileSpec,
    load,
    run,
)
from geotoolz.core.testing import assert_same, contract_tile, simulate_scene
from geotoolz.radiometry import BoxMean, MinMax

KNOWN = 0x8DE18B1EADA432C9
PIPELINE = Compose(
    [RandomFlip(), RandomRotate90(), RandomShift(3), BrightnessJitter(), GaussianNoise(), GaussianNoise()],
    seed=4,
)


def small():
    """Return a tile of one band, without no-data."""
    return contract_tile((12, 12), gaps=False)[["red", "scl"]]


# --- the key ------------------------------------------------------------------------------------------------
def test_known_draws():
    """A change of the scheme would change every training run: it needs new versions of the operators."""
    draws = Draws(7, "3/17", "operators[0]")
    text = "((7, '3/17', 'operators[0]'), ('p',))"
    assert draws.key("p") == int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")
    assert draws.key("p") == KNOWN
    assert draws.unit("p") == (KNOWN >> 11) / 2**53
    assert draws.below(10, "p") == KNOWN * 10 // 2**64


def test_same_draw_same_bits():
    tile = small()
    again = pickle.loads(pickle.dumps(PIPELINE))
    loaded = load(
        "_target_: geotoolz.augment.Compose\n"
        "operators:\n- _target_: geotoolz.augment.GaussianNoise\n  sigma: 0.02\nseed: 3\n"
    )
    assert loaded == Compose([GaussianNoise(0.02)], seed=3)
    assert_same(PIPELINE.draw(tile, epoch=3, chip=17), again.draw(tile, epoch=3, chip=17))


def test_every_part_of_the_key_matters():
    tile = small()
    noise = {
        "first": GaussianNoise().draw(tile),
        "seed": GaussianNoise(seed=1).draw(tile),
        "epoch": GaussianNoise().draw(tile, epoch=1),
        "chip": GaussianNoise().draw(tile, chip=1),
        "name": GaussianNoise().draw(tile, chip="a"),
        "step": Sequential([GaussianNoise()])(with_draw(tile)),
        "pipeline": Compose([GaussianNoise()]).draw(tile),
        "pipeline's seed": Compose([GaussianNoise()], seed=1).draw(tile),
    }
    values = {name: out.red.values.tobytes() for name, out in noise.items()}
    assert values.pop("step") == values["pipeline"]  # the path is the same: operators[0]
    assert len(set(values.values())) == len(values)


def test_a_tile_that_says_nothing_is_the_first_draw():
    tile = small()
    first = PIPELINE.draw(tile, epoch=0, chip=0)
    assert first.attrs.pop("geotoolz:draw") == "0/0"
    assert_same(PIPELINE(tile), first)
    assert_same(with_draw(tile, epoch=1).drop_attrs(deep=False), tile.drop_attrs(deep=False))


def test_equal_steps_of_a_pipeline_differ():
    tile = small()
    once, twice = Compose([GaussianNoise(0.1)])(tile), Compose([GaussianNoise(0.1), GaussianNoise(0.1)])(tile)
    first, second = (once - tile).red, (twice - once).red
    assert abs(float(np.corrcoef(first.values.ravel(), second.values.ravel())[0, 1])) < 0.3


def test_observers_see_the_same_pixels():
    tile = contract_tile((16, 16))[["red", "nir", "scl"]]
    steps = Sequential([GaussianNoise(), PIPELINE, BoxMean(1), SimulatedClouds(size=8)])
    trace = ShapeTrace()
    assert_same(steps(with_draw(tile, chip=9)), run(steps, with_draw(tile, chip=9), observers=[trace]))
    never = Compose([GaussianNoise()], p=0.0)
    assert_same(tile, run(never, tile, observers=[trace]))


def test_order_of_chips_does_not_matter():
    tile = small()
    ahead = [PIPELINE.draw(tile, epoch=1, chip=chip) for chip in range(4)]
    back = [PIPELINE.draw(tile, epoch=1, chip=chip) for chip in reversed(range(4))]
    for one, two in zip(ahead, reversed(back), strict=True):
        assert_same(one, two)


@given(st.integers(0, 2**40), st.text(max_size=8), st.text(max_size=8))
def test_names_are_never_confused(seed, a, b):
    one, two = Draws(seed, a, b), Draws(seed, a + b, "")
    assert one.key("x") != two.key("x") or (a, b) == (a + b, "")
    assert one.key(a, b) != one.key(a + b) and one.key("1") != one.key(1)


def test_numbers_are_uniform_and_independent():
    found = np.array(
        [[Draws(s, f"0/{c}", "step").unit(n) for n in ("a", "b")] for s in range(4) for c in range(2000)]
    )
    assert found.min() >= 0 and found.max() < 1
    for column in found.T:
        counts = np.histogram(column, 20, (0, 1))[0]
        assert ((counts - 400) ** 2 / 400).sum() < 50  # chi² with 19 degrees of freedom: 0.01 % above
        assert abs(np.corrcoef(column[1:], column[:-1])[0, 1]) < 0.05
    assert abs(np.corrcoef(found.T)[0, 1]) < 0.05


def test_choices_come_as_often_as_they_should():
    draws = [Draws(0, f"0/{chip}", "") for chip in range(6000)]
    counts = np.bincount([one.below(3, "quarters") for one in draws], minlength=3)
    assert (abs(counts - 2000) < 200).all()
    weights = np.array([one.beta(0.4, "weight") for one in draws])
    # Beta(a, a): mean 1/2, variance 1 / (4 (2a + 1))
    assert abs(weights.mean() - 0.5) < 0.02 and abs(weights.var() - 1 / 7.2) < 0.01


def test_probabilities_of_steps():
    tile = small()
    untouched = [GaussianNoise(p=0.3).draw(tile, chip=chip).red.equals(tile.red) for chip in range(300)]
    assert 0.6 < np.mean(untouched) < 0.8
    skipped = [Compose([GaussianNoise()], p=0.3).draw(tile, chip=c).red.equals(tile.red) for c in range(300)]
    assert 0.6 < np.mean(skipped) < 0.8


# --- arrays -------------------------------------------------------------------------------------------------
def test_arrays_give_the_bits_of_tiles():
    tile = contract_tile((16, 16))[["red", "nir", "scl", "mask"]]
    steps = Compose([PIPELINE, RandomCrop(8), SimulatedClouds(size=8)])
    augment = pickle.loads(pickle.dumps(OnArrays(steps, tile)))
    chip = {name: band.values for name, band in tile.data_vars.items()}
    for number in range(5):
        made = augment(chip, epoch=2, chip=number)
        wanted = steps.draw(tile, epoch=2, chip=number)
        assert list(made) == list(wanted.data_vars)
        for name, array in made.items():
            assert array.dtype == wanted[name].dtype and array.tobytes() == wanted[name].values.tobytes()
        stacked = augment.stack(chip, ("nir", "red"), epoch=2, chip=number)
        assert stacked.tobytes() == np.stack([made["nir"], made["red"]]).tobytes()


def test_arrays_are_not_changed_and_must_fit():
    tile = small()
    chip = {name: band.values for name, band in tile.data_vars.items()}
    before = {name: array.copy() for name, array in chip.items()}
    augment = OnArrays(BandDropout(1.0), TileSpec.of(tile))
    out = augment(chip)
    assert all(np.array_equal(chip[name], before[name]) for name in chip)
    assert all(array.flags.writeable for array in chip.values())
    np.testing.assert_array_equal(out["scl"], chip["scl"])
    assert not any(np.shares_memory(out[name], array) for name, array in chip.items())
    with pytest.raises(TileError, match="'scl' is missing"):
        augment({"red": chip["red"]})
    with pytest.raises(TileError, match=r"'red' is float64 \(12, 12\); expected float32"):
        augment({**chip, "red": chip["red"].astype(float)})
    with pytest.raises(NotFrozenError):
        OnArrays(MinMax(), tile)(chip)


# --- bad input ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("epoch", "chip", "found"),
    [
        (-1, 0, "epoch=-1"),
        (1.5, 0, r"epoch=1\.5"),
        (True, 0, "epoch=True"),
        (0, None, "chip=None"),
        (0, 1.0, "chip="),
    ],
)
def test_draws_that_are_none(epoch, chip, found):
    with pytest.raises(ParameterError, match=found):
        with_draw(small(), epoch=epoch, chip=chip)


def test_compose_refuses_nonsense():
    with pytest.raises(ParameterError, match="one operator"):
        Compose(GaussianNoise())  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="p=2"):
        Compose([], p=2.0)
    with pytest.raises(ParameterError, match="cannot be made"):
        Compose(["flip"])  # type: ignore[list-item]

    class Writer(Sink, abstract=True):
        """A step that writes."""

    with pytest.raises(ParameterError, match="writes files"):
        Compose([Writer()])
    with pytest.raises(TileError, match="got int"):
        with_draw(3)  # type: ignore[arg-type]


def test_compose_is_a_sequence():
    assert len(PIPELINE) == 6 and next(iter(PIPELINE)) == PIPELINE[0] == RandomFlip()
    assert all(isinstance(op, Operator) for op in PIPELINE)
    assert Compose([]).draw(small()).red.equals(small().red)
    assert simulate_scene((4, 4), bands=("red",)).equals(Compose([])(simulate_scene((4, 4), bands=("red",))))
