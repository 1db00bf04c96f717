"""Two groups, drift and intervals, against peers and by hand."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from geotoolz.diff._bimodal import THRESHOLD, bimodality, otsu, sarle
from geotoolz.diff._drift import drift, years
from geotoolz.diff._resample import intervals, moments_of, resamples

few = settings(max_examples=50, deadline=None)
numbers = st.lists(st.integers(-50, 50), min_size=4, max_size=40).map(lambda v: np.array(v, np.float64))


def names(values):
    return [f"t{i}" for i in range(len(values))]


@few
@given(numbers)
def test_coefficient_against_scipy(values):
    found = sarle(values)
    if values.min() == values.max():
        assert math.isnan(found)
        return
    n = values.size
    skew, excess = stats.skew(values, bias=False), stats.kurtosis(values, bias=False)
    assert found == pytest.approx((skew**2 + 1) / (excess + 3 * (n - 1) ** 2 / ((n - 2) * (n - 3))))


def test_coefficient_by_hand():
    # five 0 and five 1: skewness 0, fourth moment over variance² 1, so the excess is
    # 9/56 · (11 · (1 − 3) + 6) = −18/7 and the coefficient 1 / (−18/7 + 243/56) = 56/99
    assert sarle(np.array([0.0] * 5 + [1.0] * 5)) == pytest.approx(56 / 99)
    assert THRESHOLD < 56 / 99


def test_groups_and_flags():
    two = bimodality([0.01, 0.012, 0.011, 0.013, 0.009, 0.01, 0.011, 0.012, 0.3, 0.31], names(range(10)))
    assert two.flagged and two.worse == ("t8", "t9") and 0.013 < two.split < 0.3
    hump = np.random.Generator(np.random.Philox(key=1)).normal(size=400)
    assert not bimodality(hump, names(hump)).flagged
    few_tiles = bimodality([0.0, 0.0, 1.0, 1.0], names(range(4)))
    assert not few_tiles.flagged and few_tiles.worse == ("t2", "t3")
    upside = bimodality([0.9] * 10 + [0.2], names(range(11)), higher_is_better=True)
    assert upside.flagged and upside.worse == ("t10",)
    same = bimodality([0.5] * 12, names(range(12)))
    assert not same.flagged and same.worse == () and math.isnan(same.split)
    assert bimodality([math.nan] * 3, names(range(3))).worse == ()


@few
@given(numbers)
def test_split_against_brute_force(values):
    found = otsu(values)
    ordered = np.unique(values)
    if ordered.size == 1:
        assert math.isnan(found)
        return

    def within(cut):
        below, above = values[values <= cut], values[values > cut]
        return below.size * below.var() + above.size * above.var()

    assert within(found) == pytest.approx(min(map(within, ordered[:-1])), abs=1e-6)


def test_draws_follow_from_seed_and_number():
    drawn = resamples(7, 20, 3)
    assert drawn.shape == (20, 7) and (drawn.sum(axis=1) == 7).all()
    assert np.array_equal(drawn[:5], resamples(7, 5, 3))
    assert not np.array_equal(drawn, resamples(7, 20, 4))


@dataclass
class Values:
    sums: dict
    pairs: dict | None = None


@dataclass
class Of:
    values: np.ndarray
    other: np.ndarray = field(default_factory=lambda: np.empty(0))


def test_interval_against_pixels_drawn_again():
    rng = np.random.Generator(np.random.Philox(key=5))
    tiles = [rng.normal(i / 10, 1, size=30 + i) for i in range(8)]
    held = [
        Values(
            {
                "n": float(t.size),
                "only_a": 0.0,
                "only_b": 0.0,
                "sum": t.sum(),
                "size": np.abs(t).sum(),
                "square": (t**2).sum(),
            }
        )
        for t in tiles
    ]
    drawn = resamples(8, 200, 0)
    found = intervals(moments_of(held), ("rmse", "bias", "q50"), drawn, 0.9)
    again = [np.concatenate([tiles[i] for i in range(8) for _ in range(row[i])]) for row in drawn]
    for name, of in (("bias", np.mean), ("rmse", lambda v: np.sqrt((v**2).mean()))):
        assert found[name] == pytest.approx(tuple(np.quantile([of(v) for v in again], [0.05, 0.95])))
    assert "q50" not in found


def test_interval_of_classes_against_pixels_drawn_again():
    rng = np.random.Generator(np.random.Philox(key=6))
    tiles = [rng.integers(0, 3, size=(2, 25)) for _ in range(6)]
    held = []
    for a, b in tiles:
        pairs = {}
        for pair in zip(a.astype(float).tolist(), b.astype(float).tolist(), strict=True):
            pairs[pair] = pairs.get(pair, 0) + 1
        held.append(Values({"n": 25.0, "only_a": 0.0, "only_b": 0.0}, pairs))
    drawn = resamples(6, 100, 0)
    found = intervals(moments_of(held), ("agreement", "kappa", "shift"), drawn, 0.8)
    kappas = []
    for row in drawn:
        a, b = np.concatenate([tiles[i] for i in range(6) for _ in range(row[i])], axis=1)
        same, chance = (a == b).mean(), sum((a == k).mean() * (b == k).mean() for k in range(3))
        kappas.append((same - chance) / (1 - chance))
    assert found["kappa"] == pytest.approx(tuple(np.quantile(kappas, [0.1, 0.9])))
    assert found["agreement"][0] <= found["agreement"][1]


def test_one_tile_and_infinite_values_have_no_interval():
    one = [Values({"n": 4.0, "only_a": 0.0, "only_b": 0.0, "sum": 1.0, "size": 1.0, "square": 1.0})]
    assert intervals(moments_of(one), ("rmse",), resamples(1, 10, 0), 0.9) == {}
    endless = [
        Values({"n": 4.0, "only_a": 0.0, "only_b": 0.0, "kl": k, "n_kl": 4.0}) for k in (0.1, math.inf, 0.2)
    ]
    assert "kl" not in intervals(moments_of(endless), ("kl",), resamples(3, 50, 0), 0.9)


@few
@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(-20, 20)), min_size=3, max_size=20), st.integers(0, 5)
)
def test_slope_against_polyfit(points, seed):
    x, y = (np.array(v, np.float64) for v in zip(*points, strict=True))
    drawn = resamples(len(x), 60, seed)
    found = drift("time", x + 2000, y, drawn, 0.9)
    if np.ptp(x) == 0:
        assert found is None
        return
    assert found.slope == pytest.approx(np.polyfit(x, y, 1)[0], abs=1e-8)
    again = [
        np.polyfit(np.repeat(x, row), np.repeat(y, row), 1)[0]
        for row in drawn
        if np.unique(x[row > 0]).size > 1
    ]
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(again, [0.05, 0.95])), abs=1e-6)


def test_drift_needs_places_and_times():
    drawn = resamples(4, 10, 0)
    assert drift("time", [1.0, 1.0, 1.0, 1.0], [1.0, 2.0, 3.0, 4.0], drawn, 0.9) is None
    assert drift("time", [math.nan, math.nan, 1.0, 2.0], [1.0, 2.0, 3.0, 4.0], drawn, 0.9) is None
    clear = drift("time", [2000.0, 2001.0, 2002.0, 2003.0], [1.0, 3.0, 5.0, 7.0], resamples(4, 100, 0), 0.95)
    assert clear.slope == pytest.approx(2.0) and clear.is_clear and clear.unit == "year"
    assert years("2000-01-01") == pytest.approx(30.0, abs=0.01) and math.isnan(years("soon"))
