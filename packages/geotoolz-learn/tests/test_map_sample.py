"""Areas of a map, and the sample that corrects them."""

from __future__ import annotations

import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox

from geotoolz.core import MissingVariableError, ParameterError, QuantityError, TileError, tile_from_arrays
from geotoolz.learn import ShortfallWarning, accuracy_report, area_estimates, mapped_areas, sample_map

LEGEND = {"flag_values": [1, 2, 7], "flag_meanings": "field wood water", "quantity": "flags"}


def tile_of(codes, x: float = 500_000.0, step: float = 20.0, crs: str = "EPSG:32633", **attrs):
    codes = np.asarray(codes, "u1")
    grid = GeoBox(codes.shape, Affine(step, 0, x, 0, -step, 5_100_000), crs)
    made = tile_from_arrays({"label": codes}, grid, nodata={"label": 255}, var_attrs={"label": LEGEND})
    return made.assign_attrs(attrs)


def two_tiles():
    """Return a map in two tiles, and the truth: one class is mapped too often."""
    rng = np.random.default_rng(0)
    truth = [rng.choice([1, 2], (60, 50), p=p) for p in ((0.3, 0.7), (0.1, 0.9))]
    said = [np.where((t == 2) & (rng.random(t.shape) < 0.2), 1, t) for t in truth]
    said[0][:3] = 255
    return [tile_of(s, 500_000 + 1000 * k, tile_id=f"t{k}") for k, s in enumerate(said)], truth


def test_areas_by_hand():
    tile = tile_of([[1, 1, 2], [255, 1, 2]])
    assert mapped_areas(tile, unit="m2") == {1: 1200.0, 2: 800.0, 7: 0.0}
    assert mapped_areas([tile, tile_of([[7]], step=100.0)]) == {1: 0.12, 2: 0.08, 7: 1.0}


def test_areas_in_feet():
    areas = mapped_areas(tile_of([[1]], 2_000_000.0, 1000.0, "EPSG:2263"), unit="m2")
    assert areas[1] == pytest.approx((1000 * 1200 / 3937) ** 2)


def test_a_sample_is_what_was_asked_for():
    tiles, _ = two_tiles()
    sample = sample_map(tiles, {1: 40, 2: 60}, seed=3)
    assert sample.mapped.value_counts().to_dict() == {1: 40, 2: 60}
    assert set(sample.mapped_name) == {"field", "wood"}
    assert sample.crs.to_epsg() == 32633
    assert not sample.duplicated(["tile_id", "row", "col"]).any()
    for place in sample.itertuples():
        tile = tiles[int(place.tile_id[1])]
        assert tile.label.values[place.row, place.col] == place.mapped
        assert (tile.x.values[place.col], tile.y.values[place.row]) == (place.geometry.x, place.geometry.y)
    again = sample_map(tiles, {1: 40, 2: 60}, seed=3)
    assert again.equals(sample)
    assert not sample_map(tiles, {1: 40, 2: 60}, seed=4).equals(sample)
    assert sample.mapped.is_monotonic_increasing is False  # the order gives nothing away


def test_every_pixel_of_a_class_has_the_same_chance():
    tiles, _ = two_tiles()
    drawn = [np.zeros(t.label.shape, int) for t in tiles]
    for seed in range(300):
        for place in sample_map(tiles, {1: 60}, seed=seed).itertuples():
            drawn[int(place.tile_id[1])][place.row, place.col] += 1
    members = np.concatenate([d[t.label.values == 1] for d, t in zip(drawn, tiles, strict=True)])
    chance = 60 / members.size
    assert sum(d[t.label.values != 1].sum() for d, t in zip(drawn, tiles, strict=True)) == 0
    assert members.mean() == pytest.approx(300 * chance)
    assert members.var() == pytest.approx(300 * chance * (1 - chance), rel=0.2)  # as of independent draws
    halves = [d[t.label.values == 1].mean() for d, t in zip(drawn, tiles, strict=True)]
    assert halves[0] == pytest.approx(halves[1], rel=0.1)


def test_the_sample_corrects_the_areas_of_the_map():
    tiles, truth = two_tiles()
    mapped = mapped_areas(tiles)
    valid = [t.label.values != 255 for t in tiles]
    true = sum(int((w[v] == 1).sum()) for w, v in zip(truth, valid, strict=True)) * 0.04
    found = []
    for seed in range(120):
        sample = sample_map(tiles, 60, seed=seed)
        seen = [truth[int(p.tile_id[1])][p.row, p.col] for p in sample.itertuples()]
        report = accuracy_report(
            seen, sample.mapped, classes=(1, 2), mapped_area={1: mapped[1], 2: mapped[2]}
        )
        low, high = report.areas.area_interval[0]
        found.append((report.areas.area[0], low <= true <= high))
    areas, inside = zip(*found, strict=True)
    assert mapped[1] > 1.5 * true
    assert np.mean(areas) == pytest.approx(true, rel=0.03)
    assert 0.88 <= np.mean(inside) <= 1.0


def test_a_class_of_the_legend_that_does_not_occur():
    """The sample of a map without water, with water among what was found."""
    from geotoolz.metrics import ConfusionCounts

    tile = tile_of(np.repeat([1, 2], 50).reshape(10, 10))
    sample = ConfusionCounts((1, 2, 7), ((10, 1, 0), (0, 8, 0), (0, 1, 0)))
    found = area_estimates(sample, mapped_areas(tile))
    assert found.area == pytest.approx((2.2, 1.6, 0.2))  # of 2 ha that the map calls wood, 0.2 are water


def test_classes_of_more_pixels_than_numpy_counts():
    from geotoolz.learn._map_sample import _shared_out

    there = np.array([3 * 10**9, 0, 10**9])
    shares = [_shared_out(there, 400, np.random.default_rng(seed)) for seed in range(30)]
    assert {int(share.sum()) for share in shares} == {400}
    assert all(share[1] == 0 for share in shares)
    assert np.mean(shares, axis=0)[0] == pytest.approx(300, abs=8)


def test_fewer_pixels_than_asked_for():
    with pytest.warns(ShortfallWarning, match="2 has 2"):
        sample = sample_map(tile_of([[1, 1, 1, 2, 2]]), 3)
    assert sorted(sample.mapped) == [1, 1, 1, 2, 2]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda t: mapped_areas(t, unit="acre"), ParameterError, "unit='acre'"),
        (lambda t: mapped_areas(t, "lable"), MissingVariableError, "label"),
        (lambda t: mapped_areas([]), TileError, "no tile"),
        (lambda t: mapped_areas(5), TileError, "got int"),
        (lambda t: mapped_areas(t.astype("f4")), QuantityError, "expected classes"),
        (lambda t: mapped_areas(t.expand_dims("time")), TileError, "choose a date"),
        (lambda t: mapped_areas(tile_of([[1]], 15.0, 0.1, "EPSG:4326")), QuantityError, "in degrees"),
        (lambda t: sample_map(t, {9: 3}), ParameterError, "no pixel of the class 9"),
        (lambda t: sample_map(t, 0), ParameterError, "whole number, 1 or more"),
        (lambda t: sample_map(t, 3, seed=-1), ParameterError, "seed=-1"),
        (lambda t: sample_map(tile_of([[255]]), 3), TileError, "no pixel with a class"),
    ],
)
def test_maps_that_cannot_be_assessed(call, error, message):
    with pytest.raises(error, match=message):
        call(tile_of([[1, 2], [2, 1]]))
