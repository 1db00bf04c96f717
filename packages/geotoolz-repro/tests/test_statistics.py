"""Results of statistics are part of what an artefact expects: bit-exact, or within a tolerance."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import geotoolz as gz
from geotoolz.core import Plan, Reduce
from geotoolz.core.testing import write_scene
from geotoolz.indices import NDVI
from geotoolz.metrics import Histogram, MeanScalar, SummaryStats
from geotoolz.qc import AssertValidFraction
from geotoolz.repro import ArtifactError, Kind, Tier, Tolerance, Weight, freeze, load
from geotoolz.repro._manifest import StatisticEntry
from geotoolz.repro._statistics import as_json, compare_statistics

OP = gz.Sequential([NDVI(), AssertValidFraction(0.1, ("ndvi",)), SummaryStats(("ndvi",)), MeanScalar("ndvi")])


@pytest.fixture
def scene(tmp_path):
    return write_scene({"shape": (60, 50), "bands": ("red", "nir"), "raw": True}, tmp_path / "scenes")


def test_statistics_are_frozen_and_run_again(scene, tmp_path):
    artifact = load(freeze(OP, scene).save(tmp_path / "a.gtar"))
    ndvi = NDVI()(gz.open_tile(scene)).ndvi.values
    held = artifact.statistics
    assert set(held) == {"operators[1]", "operators[2]", "operators[3]"}
    told = held["operators[2]"]["ndvi"]
    valid = ndvi[np.isfinite(ndvi)].astype(np.float64)
    assert told["n"] == valid.size and told["low"] == valid.min() and told["high"] == valid.max()
    assert held["operators[3]"]["value"] == told["mean"]
    for threads in (1, 2):
        report = artifact.rerun(tmp_path / f"w{threads}", threads=threads)
        assert report.tier is Tier.BIT_EXACT and "statistic operators[2]" in report.checked


def test_a_pipeline_that_is_one_statistic(scene, tmp_path):
    artifact = load(freeze(Histogram("red", 8, (0.0, 1.0)), scene).save(tmp_path / "a.gtar"))
    (held,) = artifact.statistics.values()
    assert sum(held["counts"]) + held["left_out"] + held["below"] + held["above"] == 60 * 50
    assert artifact.rerun(tmp_path / "w").tier is Tier.BIT_EXACT


def test_other_numbers_are_named_and_tolerated_where_it_was_stated(scene, tmp_path, monkeypatch):
    artifact = freeze(OP, scene, tolerance={"operators[3]": Tolerance(rtol=1e-3)})
    finish = MeanScalar.finish
    monkeypatch.setattr(
        MeanScalar, "finish", lambda self, state: type(s := finish(self, state))(s * 1.0001, s.name, s.n)
    )
    (found,) = artifact.rerun(tmp_path / "a").differences
    assert (found.kind, found.subject, found.weight) == (
        Kind.STATISTIC, "operators[3]", Weight.TOLERATED,
    ) and found.found.startswith("value: ")  # fmt: skip
    assert artifact.rerun(tmp_path / "b").tier is Tier.WITHIN_TOLERANCE
    strict = artifact.rerun(tmp_path / "c", tolerance=Tolerance(atol=1e-12))
    assert strict.tier is Tier.DIFFERS and strict.of(Kind.STATISTIC)[0].facts["outside"] == 1


@pytest.mark.parametrize(
    ("old", "new", "tolerance", "weight"),
    [
        ({"a": 1.0, "b": [1, 2]}, {"a": 1.0, "b": [1, 2]}, Tolerance(), None),
        ({"a": 1.0, "b": [1, 2]}, {"a": 1.5, "b": [1, 2]}, Tolerance(), Weight.DIFFERENCE),
        ({"a": 1.0, "b": [1, 2]}, {"a": 1.5, "b": [1, 2]}, Tolerance(atol=0.5), Weight.TOLERATED),
        ({"a": 1.0, "b": [1, 2]}, {"a": 9.0, "b": [1, 2]}, Tolerance(share=0.4), Weight.TOLERATED),
        ({"a": 1.0, "b": [1, 2]}, {"a": 9.0, "b": [1, 9]}, Tolerance(share=0.4), Weight.DIFFERENCE),
        ({"a": 1.0}, {"a": "NaN"}, Tolerance(atol=9.0), Weight.DIFFERENCE),
        ({"a": 1.0}, {"b": 1.0}, Tolerance(atol=9.0), Weight.DIFFERENCE),
        ([1, 2], [1, 2, 3], Tolerance(atol=9.0), Weight.DIFFERENCE),
        (True, False, Tolerance(atol=9.0), Weight.DIFFERENCE),
    ],
)
def test_by_hand(old, new, tolerance, weight):
    one, other = (StatisticEntry(operator="x", value=value) for value in (old, new))
    found = compare_statistics("s", one, other, tolerance)
    assert [finding.weight for finding in found] == ([] if weight is None else [weight])


def test_a_step_that_is_gone():
    (found,) = compare_statistics("s", StatisticEntry(operator="geotoolz.x.Y", value=1), None, Tolerance())
    assert found.kind is Kind.STATISTIC_MISSING and found.expected == "geotoolz.x.Y"


class Strange(Reduce):
    """Finds something that JSON does not know."""

    def plan(self, tile):
        return Plan((tile.find("red"),))

    def init(self, tile, previous=None):
        return None

    def update(self, state, *arrays):
        return state

    def merge(self, a, b):
        return a

    def finish(self, state):
        return object()


def test_what_json_cannot_hold(scene):
    with pytest.raises(ArtifactError, match=r"the statistic operators\[1\] gives a object"):
        freeze(gz.Sequential([NDVI(), Strange()]), scene)


def test_values_of_every_kind():
    @dataclasses.dataclass
    class Pair:
        low: float
        more: tuple[int, ...]

    assert as_json(Pair(np.float64(0.5), (1,)), "s") == {"low": 0.5, "more": [1]}
    assert as_json({1: None, "x": np.ones(2)}, "s") == {"1": "none", "x": [1.0, 1.0]}
