"""Sums, quantiles and pairs against brute force."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import special

from geotoolz.diff._counts import ClassPairs, Differences, Probabilities, Side
from geotoolz.diff._measures import Pooled, agreement_of, measure
from geotoolz.diff._numbers import Pool, Tally

NAN = math.nan
floats32 = st.floats(width=32, allow_nan=False, allow_infinity=False)
few = settings(max_examples=60, deadline=None)


def tally(values) -> Tally:
    found = Tally()
    found.take(np.asarray(values, np.float32))
    return found


@few
@given(arrays.arrays(np.float32, st.integers(0, 60), elements=floats32))
def test_sums_are_exact(values):
    numbers = tally(values).numbers()
    exact = [Fraction(float(v)) for v in values]
    assert numbers.n == len(exact)
    assert numbers.sums == (sum(exact), sum(map(abs, exact)), sum(v * v for v in exact))
    if exact:
        assert (numbers.smallest, numbers.largest) == (values.min(), values.max())


@few
@given(
    arrays.arrays(np.float32, st.integers(1, 60), elements=floats32),
    st.sampled_from([0, 0.05, 0.25, 0.5, 0.95, 1]),
)
def test_quantiles_to_within_a_row(values, q):
    found = tally(values).numbers().quantile(q)
    ordered = np.sort(values.astype(np.float64))
    place = (len(ordered) - 1) * q
    below, above = ordered[math.floor(place)], ordered[math.ceil(place)]
    bound = max(abs(below), abs(above)) / 128 + 1e-38  # the smallest row holds the denormal numbers
    assert min(below, above) - bound <= found <= max(below, above) + bound
    if q in (0, 1):
        assert found == ordered[int(place)]


@few
@given(
    arrays.arrays(np.float32, st.integers(0, 80), elements=floats32), st.lists(st.integers(0, 80), max_size=4)
)
def test_any_cut_and_order_gives_the_same(values, cuts):
    parts = np.split(values, sorted({min(c, len(values)) for c in cuts}))
    whole = tally(values).numbers()
    merged, pool = Tally(), Pool()
    for part in reversed(parts):
        merged.merge(tally(part))
        pool.add(tally(part).numbers())
    for other in (merged.numbers(), pool.numbers()):
        assert np.array_equal(other.rows, whole.rows) and np.array_equal(other.cells, whole.cells)
        assert (other.smallest, other.largest) == (whole.smallest, whole.largest)


def compared(gatherer, a, b):
    gatherer.take(np.asarray(a), np.asarray(b))
    return gatherer.finish()


def test_differences_by_hand():
    a = np.array([[1.0, 2.0, NAN, -9.0, 4.0]], np.float32)
    b = np.array([[1.5, 1.0, 3.0, 2.0, np.inf]], np.float32)
    found = compared(Differences(Side(-9.0), Side(NAN)), a, b)
    assert (found.n, found.only_a, found.only_b, found.neither) == (2, 1, 2, 0)
    told = measure("continuous", found)
    assert told["bias"] == -0.25 and told["mae"] == 0.75 and told["max_abs"] == 1.0
    assert told["rmse"] == math.sqrt((0.25 + 1.0) / 2)
    assert (told["q05"], told["q50"]) == (pytest.approx(-0.925), -0.25)
    assert (told["gained"], told["lost"]) == (2 / 5, 1 / 5)


@few
@given(
    arrays.arrays(np.int16, 50, elements=st.integers(-3000, 3000)),
    arrays.arrays(np.uint16, 50, elements=st.integers(0, 6000)),
)
def test_integers_of_other_types_do_not_wrap(a, b):
    found = compared(Differences(Side(-1.0), Side(0.0)), a, b)
    valid = (a != -1) & (b != 0)
    off = b[valid].astype(np.int64) - a[valid]
    told = measure("continuous", found)
    assert found.n == valid.sum()
    if found.n:
        assert told["bias"] == pytest.approx(off.mean(), rel=1e-12)
        assert told["rmse"] == pytest.approx(np.sqrt((off**2).mean()), rel=1e-12)
        assert told["max_abs"] == np.abs(off).max()
    else:
        assert math.isnan(told["bias"]) and math.isnan(told["rmse"])


@few
@given(
    arrays.arrays(np.float32, 40, elements=st.floats(0, 1, width=32)),
    arrays.arrays(np.float32, 40, elements=st.floats(0, 1, width=32)),
)
def test_probabilities_against_scipy(a, b):
    found = compared(Probabilities(Side(NAN), Side(NAN)), a, b)
    told = measure("probability", found)
    p, q = a.astype(np.float64), b.astype(np.float64)
    kl = special.rel_entr(p, q) + special.rel_entr(1 - p, 1 - q)
    own = special.entr(p) + special.entr(1 - p)
    m = (p + q) / 2
    js = sum(special.rel_entr(x, y) / 2 for x, y in ((p, m), (q, m), (1 - p, 1 - m), (1 - q, 1 - m)))
    assert told["impossible"] == np.isinf(kl).sum()
    assert told["kl"] == pytest.approx(kl.mean(), rel=1e-5, abs=1e-7)
    assert told["cross_entropy"] == pytest.approx((kl + own).mean(), rel=1e-5, abs=1e-7)
    assert told["jensen_shannon"] == pytest.approx(js.mean(), rel=1e-5, abs=1e-7)
    assert told["brier"] == pytest.approx(((q - p) ** 2).mean(), rel=1e-5, abs=1e-12)


def test_probabilities_by_hand():
    found = compared(
        Probabilities(Side(255.0, 0.01), Side(NAN)),
        np.array([50, 100, 255, 20], np.uint8),
        np.array([0.25, 1.0, 0.5, 1.5], np.float32),
    )
    told = measure("probability", found)
    assert found.outside == 1 and found.n == 3  # the pixel outside is no probability, and still a difference
    assert told["kl"] == pytest.approx((0.5 * math.log(2) + 0.5 * math.log(0.5 / 0.75)) / 2, rel=1e-6)
    assert told["cross_entropy"] == pytest.approx(
        -(0.5 * math.log(0.25) + 0.5 * math.log(0.75)) / 2, rel=1e-6
    )
    assert told["impossible"] == 0.0
    never = compared(Probabilities(Side(NAN), Side(NAN)), np.array([0.5, 0.5]), np.array([0.0, 0.5]))
    told = measure("probability", never)
    assert told["kl"] == told["cross_entropy"] == math.inf and told["impossible"] == 1.0
    assert told["jensen_shannon"] == pytest.approx(
        (0.25 * math.log(2) + 0.5 * 0.5 * math.log(0.5 / 0.75) + 0.5 * math.log(1 / 0.75)) / 2, rel=1e-6
    )


@few
@given(
    arrays.arrays(np.uint8, 60, elements=st.integers(0, 4)),
    arrays.arrays(np.uint8, 60, elements=st.integers(0, 4)),
    st.sampled_from([np.uint8, np.int16, np.float32]),
)
def test_classes_against_brute_force(a, b, dtype):
    found = compared(ClassPairs(Side(0.0), Side(NAN)), a.astype(dtype), b.astype(dtype))
    valid = a != 0
    pairs = list(zip(a[valid].tolist(), b[valid].tolist(), strict=True))
    assert found.pairs == {pair: pairs.count(pair) for pair in set(pairs)}
    assert (found.n, found.only_b, found.only_a, found.neither) == (len(pairs), int((~valid).sum()), 0, 0)
    told = agreement_of(found.pairs)
    if pairs:
        same = np.mean([x == y for x, y in pairs])
        chance = sum(np.mean(a[valid] == k) * np.mean(b[valid] == k) for k in range(5))
        assert told["agreement"] == pytest.approx(same)
        assert (
            math.isnan(told["kappa"])
            if chance == 1
            else told["kappa"] == pytest.approx((same - chance) / (1 - chance))
        )
        moved = sum(abs(np.mean(a[valid] == k) - np.mean(b[valid] == k)) for k in range(5)) / 2
        assert told["shift"] == pytest.approx(moved, abs=1e-12)


def test_kappa_by_hand():
    # agreement (88 + 40 + 12) / 200; chance (120 · 100 + 60 · 60 + 20 · 40) / 200²
    table = [[88, 14, 18], [10, 40, 10], [2, 6, 12]]
    told = agreement_of({(i, j): n for i, row in enumerate(table) for j, n in enumerate(row)})
    assert told["agreement"] == 0.7
    assert told["kappa"] == pytest.approx((0.70 - 0.41) / (1 - 0.41))


def test_masks_are_classes():
    found = compared(ClassPairs(Side(NAN), Side(NAN)), np.array([True, False]), np.array([True, True]))
    assert found.pairs == {(0.0, 1.0): 1, (1.0, 1.0): 1}


@few
@given(arrays.arrays(np.float32, (4, 30), elements=st.floats(-2, 2, width=32)), st.permutations(range(4)))
def test_tiles_taken_together_are_one_tile(values, order):
    pooled = Pooled("continuous")
    for i in order:
        pooled.add(compared(Differences(Side(NAN), Side(NAN)), values[i], values[i] * np.float32(0.5)))
    whole = compared(Differences(Side(NAN), Side(NAN)), values, values * np.float32(0.5))
    assert measure("continuous", pooled.gathered()) == measure("continuous", whole)


def test_further_apart_than_float32_can_tell():
    found = compared(
        Differences(Side(NAN), Side(NAN)),
        np.array([-3e38, 0.0], np.float32),
        np.array([3e38, 1.0], np.float32),
    )
    assert (found.n, found.neither) == (1, 1) and measure("continuous", found)["max_abs"] == 1.0


def test_nothing_is_valid():
    empty = np.full((3, 3), NAN, np.float32)
    told = measure("continuous", compared(Differences(Side(NAN), Side(NAN)), empty, empty))
    assert all(math.isnan(value) for value in told.values())
    told = measure(
        "classes",
        compared(ClassPairs(Side(0.0), Side(0.0)), np.zeros((2, 2), np.uint8), np.zeros((2, 2), np.uint8)),
    )
    assert all(math.isnan(value) for value in told.values())
