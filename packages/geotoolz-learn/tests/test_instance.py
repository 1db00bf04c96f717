"""Instance metrics, worked out by hand."""

from __future__ import annotations

import json
import math

import geopandas as gpd
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely import box

from geotoolz.core import GridMismatchError, ParameterError
from geotoolz.learn import InstanceScores, boundary_iou, match_polygons


def series(*boxes, crs="EPSG:32633"):
    return gpd.GeoSeries([box(*b) for b in boxes], crs=crs)


def test_pairs_by_hand():
    truth = series((0, 0, 10, 10), (20, 0, 30, 10), (40, 0, 50, 10))
    predicted = series((40, 0, 50, 6), (0, 0, 10, 4), (20, 0, 30, 10), (70, 0, 71, 1))
    scores, pairs = match_polygons(predicted, truth)
    # overlaps: 60/100 with the third, 40/100 with the first (too little), 100/100 with the second
    assert sorted(map(tuple, pairs.tolist())) == [(0, 2), (2, 1)]
    assert (scores.matched, scores.only_predicted, scores.only_true) == (2, 2, 1)
    assert scores.mean_iou == pytest.approx(0.8)
    assert (scores.precision, scores.recall) == (0.5, pytest.approx(2 / 3))
    assert scores.f1 == pytest.approx(4 / 7)
    assert scores.panoptic_quality == pytest.approx(0.8 * 4 / 7)


def test_below_one_half_the_best_overlap_is_paired_first():
    truth = series((0, 0, 10, 10))
    predicted = series((0, 0, 4, 10), (4, 0, 10, 10))
    scores, pairs = match_polygons(predicted, truth, 0.3)
    assert pairs.tolist() == [[1, 0]]
    assert (scores.matched, scores.only_predicted, scores.only_true) == (1, 1, 0)


def test_touching_is_no_overlap():
    scores, pairs = match_polygons(series((0, 0, 1, 1)), series((1, 0, 2, 1)), 0.01)
    assert (scores.matched, pairs.shape) == (0, (0, 2))
    assert scores.f1 == scores.panoptic_quality == 0


def test_nothing_at_all():
    scores, _ = match_polygons(series(), series())
    assert math.isnan(scores.f1) and math.isnan(scores.mean_iou)
    assert json.loads(json.dumps(scores.to_dict(), allow_nan=False))["f1"] is None
    missed, _ = match_polygons(series(), series((0, 0, 1, 1)))
    assert isinstance(missed, InstanceScores)
    assert (missed.only_true, missed.recall, missed.f1, missed.panoptic_quality) == (1, 0, 0, 0)


@given(st.integers(0, 10**6))
def test_every_polygon_has_one_partner_at_most_and_both_sides_agree(seed):
    rng = np.random.default_rng(seed)
    sides = [
        series(*((x, y, x + w, y + h) for x, y, w, h in rng.integers(1, 8, (int(rng.integers(0, 9)), 4))))
        for _ in range(2)
    ]
    scores, pairs = match_polygons(*sides, 0.2)
    for side in (0, 1):
        assert len(set(pairs[:, side].tolist())) == len(pairs)
    assert scores.matched + scores.only_predicted == len(sides[0])
    assert scores.matched + scores.only_true == len(sides[1])
    for i, j in pairs:
        a, b = sides[0].iloc[i], sides[1].iloc[j]
        assert a.intersection(b).area / a.union(b).area >= 0.2 - 1e-12


def test_boundary_by_hand():
    truth = np.zeros((9, 9), bool)
    truth[1:8, 1:8] = True
    smaller = np.zeros((9, 9), bool)
    smaller[2:7, 2:7] = True
    # the rims are 24 and 16 pixels that do not meet, and the plain overlap is 25/49
    assert boundary_iou(smaller, truth, 1) == 0
    assert boundary_iou(truth, truth, 1) == 1
    # two pixels wide: 40 and 24, of which 16 are both
    assert boundary_iou(smaller, truth, 2) == pytest.approx(16 / 48)
    # as wide as the object: the plain overlap
    assert boundary_iou(smaller, truth, 9) == pytest.approx(25 / 49)


def test_the_border_of_the_array_is_outside():
    full = np.ones((5, 5), bool)
    inner = full.copy()
    inner[2, 2] = False
    assert boundary_iou(full, full, 1) == 1
    # 16 at the border in both; around the hole 4 more that touch it
    assert boundary_iou(inner, full, 1) == pytest.approx(16 / 20)
    assert math.isnan(boundary_iou(~full, ~full))


def test_bad_input():
    with pytest.raises(GridMismatchError, match="32633"):
        match_polygons(series(), series(crs="EPSG:4326"))
    with pytest.raises(ParameterError, match="iou=0"):
        match_polygons(series(), series(), 0)
    with pytest.raises(ParameterError, match="shapes"):
        boundary_iou(np.ones((2, 2)), np.ones((2, 3)))
    with pytest.raises(ParameterError, match="width=0"):
        boundary_iou(np.ones((2, 2)), np.ones((2, 2)), 0)
