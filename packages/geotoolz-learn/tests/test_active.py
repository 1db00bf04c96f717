"""Active sampling: what is chosen, in which order, and how many chips were scored for it."""

from __future__ import annotations

import heapq
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox

import geotoolz as gz
from geotoolz.core import ParameterError, from_config, from_function, tile_from_arrays, to_config
from geotoolz.core.testing import simulate_scene
from geotoolz.learn import ActiveSampler
from geotoolz.learn._active_centres import best, k_centres
from geotoolz.metrics import MeanScalar, SummaryStats
from geotoolz.patch import CatalogPatches, GridSampler, PatchGrid, RandomSampler
from geotoolz.radiometry import SelectBands

SIZE = 8


def chips(values, bands=("red",)):
    """Return a tile of one row of chips that are constant; NaN is a chip without data."""
    grid = GeoBox.from_bbox((500_000, 5_000_000, 500_000 + 10 * SIZE * len(values), 5_000_000 + 10 * SIZE),
                            "EPSG:32633", resolution=10)  # fmt: skip
    plane = np.repeat(np.asarray(values, np.float32), SIZE)[None].repeat(SIZE, axis=0)
    return tile_from_arrays({band: plane * (k + 1) for k, band in enumerate(bands)}, grid)


def numbers(chosen):
    return [one.patch.index for one in chosen]


def test_top_of_all_scenes_together():
    scenes = [chips([0.1, 0.9, 0.5]), chips([0.8, 0.9, np.nan, 0.2])]
    chosen = ActiveSampler(GridSampler(SIZE), MeanScalar("red"), k=4)(scenes)
    assert numbers(chosen) == [1, 4, 3, 2]  # equal scores: the chip that comes first
    assert [one.patch.scene for one in chosen] == [0, 1, 1, 0]
    np.testing.assert_allclose([one.score for one in chosen], [0.9, 0.9, 0.8, 0.5], rtol=1e-6)
    assert float(chosen[2].patch.tile.red.mean()) == pytest.approx(0.8)


def test_a_chip_without_data_is_never_chosen():
    chosen = ActiveSampler(GridSampler(SIZE), MeanScalar("red"), k=9)(chips([np.nan, 0.1, np.nan]))
    assert numbers(chosen) == [1]


def test_labelled_chips_are_not_chosen_again():
    sampler = ActiveSampler(GridSampler(SIZE), MeanScalar("red"), k=2)
    pool = chips([0.1, 0.9, 0.5, 0.7])
    first = numbers(sampler(pool))
    assert first == [1, 3]
    assert numbers(sampler(pool, labelled=first)) == [2, 0]


def test_diverse_takes_one_of_each_kind():
    # three kinds by the second band; the highest scores are all of one kind
    kind = [5.0, 5.0, 5.0, 1.0, 1.0, 9.0]
    pool = chips([0.99, 0.98, 0.97, 0.5, 0.4, 0.3], ("red", "nir"))
    pool["nir"] = pool.nir.copy(data=chips(kind).red.values)
    about = {"base": GridSampler(SIZE), "score_op": MeanScalar("red"), "k": 3}
    assert numbers(ActiveSampler(**about)(pool)) == [0, 1, 2]
    spread = ActiveSampler(**about, mode="diverse", spread=2, features=SelectBands(("nir",)))
    assert sorted(np.take(kind, numbers(spread(pool)))) == [1, 5, 9]
    assert numbers(spread(pool))[0] == 0  # begins with the highest score
    # what has a label counts as chosen
    assert kind[numbers(spread(pool, labelled=[0, 3]))[0]] == 9


def counted(seen):
    """Return an operator that says that it saw a chip."""

    def note(tile):
        seen.append(tile)
        return tile

    return from_function(note)


def test_presampling_and_screening_score_fewer():
    pool = simulate_scene((80, 80), bands=("red", "nir"), cloud_cover=0)  # 100 chips
    dear, cheap = [], []
    sampler = ActiveSampler(
        GridSampler(SIZE),
        gz.Sequential([counted(dear), MeanScalar("red")]),
        k=3,
        presample=0.4,
        screen=gz.Sequential([counted(cheap), MeanScalar("nir")]),
        screen_keep=0.25,
    )
    chosen = sampler(pool)
    assert len(chosen) == 3
    assert (len(cheap), len(dear)) == (40, 10)
    assert numbers(sampler(pool)) == numbers(chosen)
    assert numbers(sampler.replace(seed=1)(pool)) != numbers(chosen)
    assert numbers(sampler(pool, epoch=1)) != numbers(chosen)


def test_the_screen_decides_who_is_scored():
    pool = chips([0.9, 0.8, 0.7, 0.1], ("red", "nir"))
    pool["nir"] = pool.nir.copy(data=chips([0.0, 1.0, 0.0, 2.0]).red.values)
    sampler = ActiveSampler(
        GridSampler(SIZE), MeanScalar("red"), 4, screen=MeanScalar("nir"), screen_keep=0.5
    )
    assert numbers(sampler(pool)) == [1, 3]


def test_a_sampler_like_others():
    scene = simulate_scene((64, 64), bands=("red", "nir"), cloud_cover=0)
    sampler = ActiveSampler(RandomSampler(SIZE, 20, seed=4), MeanScalar("red"), k=5)
    grid = PatchGrid(scene, sampler)
    every = PatchGrid(scene, sampler.base)
    scores = [float(MeanScalar("red")(patch.tile)) for patch in every]
    expected = [every[i].chip for i in heapq.nlargest(5, range(20), key=scores.__getitem__)]
    assert [patch.chip for patch in grid] == expected
    assert [p.chip for p in grid.with_epoch(1)] != expected
    both = CatalogPatches([scene, scene], sampler)
    assert len(both) == 10


def test_stands_in_a_configuration():
    op = ActiveSampler(GridSampler(SIZE), MeanScalar("red"), k=5, mode="diverse", screen=MeanScalar("nir"))
    assert from_config(to_config(op)) == op


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0, float("nan"), -3.0]), max_size=40), st.integers(1, 10))
def test_the_heap_is_a_sort(scores, count):
    pairs = [(s, i) for i, s in enumerate(scores)]
    expected = sorted((p for p in pairs if p[0] == p[0]), key=lambda p: (-p[0], p[1]))[:count]
    assert best(iter(pairs), count) == expected


def _radius(table, centres):
    return max(min(np.linalg.norm(row - table[c]) for c in centres) for row in table)


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.integers(1, 4))
def test_centres_cover_at_most_twice_as_badly_as_the_best(seed, count):
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(8, 2))
    table = (table - table.mean(axis=0)) / table.std(axis=0)
    chosen = k_centres(table, count)
    assert len(set(chosen)) == count and chosen[0] == 0
    optimal = min(_radius(table, some) for some in itertools.combinations(range(8), count))
    assert _radius(table, chosen) <= 2 * optimal + 1e-9


def test_centres_of_equal_rows_are_different_rows():
    assert k_centres(np.zeros((3, 2)), 5) == [0, 1, 2]


@pytest.mark.parametrize(
    "bad", [{"k": 0}, {"presample": 0.0}, {"presample": 1.5}, {"screen_keep": 0.0}, {"spread": 1}], ids=str
)
def test_parameters_out_of_range(bad):
    with pytest.raises(ParameterError, match=next(iter(bad))):
        ActiveSampler(**{"base": GridSampler(SIZE), "score_op": MeanScalar("red"), "k": 1, **bad})


def test_a_score_is_one_number():
    with pytest.raises(ParameterError, match="score_op ends in SelectBands"):
        ActiveSampler(GridSampler(SIZE), gz.Sequential([SelectBands(("red",))]), k=1)
    with pytest.raises(ParameterError, match="SummaryStats, which returns"):
        ActiveSampler(GridSampler(SIZE), SummaryStats(("red",)), k=1)(chips([0.1]))
    with pytest.raises(ParameterError, match="features has no effect"):
        ActiveSampler(GridSampler(SIZE), MeanScalar("red"), k=1, features=SelectBands(("red",)))
