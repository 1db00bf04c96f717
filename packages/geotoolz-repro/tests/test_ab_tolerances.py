"""Limits of a release."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from geotoolz.core import ConfigError, ReadError, Sequential, from_function
from geotoolz.core.testing import simulate_scene
from geotoolz.diff import AB, Tolerances
from geotoolz.indices import NDVI, NDWI
from geotoolz.radiometry import BoxMean, ClassifyByThresholds

A, B = Sequential([NDVI()]), Sequential([BoxMean(1), NDVI()])


@pytest.fixture(scope="module")
def report():
    tiles = {f"t{i}": simulate_scene((24, 24), bands=("green", "red", "nir"), seed=i) for i in range(3)}
    return AB(A, B, resamples=50).run(tiles)


def limits(**rules):
    return {"variables": {"ndvi": rules}}


def test_kept_and_not_kept(report):
    rmse = report["ndvi"].metrics["rmse"]
    kept = report.judged(limits(pooled={"rmse": rmse}))
    assert kept.passed and kept.exit_code == 0 and "tolerances kept" in kept.summary()
    over = report.judged(limits(pooled={"rmse": math.nextafter(rmse, 0)}))
    assert not over.passed and over.exit_code == 4
    (failure,) = over.verdict.failures
    assert failure.what == "ndvi rmse" and "FAIL ndvi rmse" in over.summary()
    assert "tolerances NOT kept" in over.summary() and "Tolerances not kept" in over.to_html()


def test_a_bound_of_a_signed_metric_is_a_size_or_a_range(report):
    bias = report["ndvi"].metrics["bias"]
    assert report.judged(limits(pooled={"bias": abs(bias)})).passed
    assert report.judged(limits(pooled={"bias": [bias, bias]})).passed
    assert not report.judged(limits(pooled={"bias": [bias + 1, bias + 2]})).passed


def test_tiles_intervals_groups(report):
    worst = max(report["ndvi"].values)
    assert report.judged(limits(per_tile={"rmse": worst})).passed
    failing = report.judged(limits(per_tile={"rmse": worst * 0.999})).verdict.failures
    assert [check.what for check in failing] == [f"ndvi rmse of tile {report['ndvi'].worst[0].tile_id}"]
    middle = report["ndvi"].metrics["rmse"]
    assert not report.judged({**limits(pooled={"rmse": middle}), "judge": "interval"}).passed
    high = report["ndvi"].intervals["rmse"][1]
    assert report.judged({**limits(pooled={"rmse": high}), "judge": "interval"}).passed
    assert report.judged(limits(two_groups="refuse")).passed


def test_classes_are_limited_from_below():
    def classes(cut):
        return Sequential(
            [NDVI(), ClassifyByThresholds("ndvi", (cut,), names=("bare", "green"), name="land")]
        )

    tile = {"t": simulate_scene((24, 24), bands=("red", "nir"))}
    found = AB(classes(0.2), classes(0.4), variables=("land",)).run(tile)
    agreement, shift = found["land"].metrics["agreement"], max(abs(c.shift) for c in found["land"].classes)
    rules = {"pooled": {"agreement": agreement}, "per_class": {"shift": shift}}
    assert found.judged({"variables": {"*": rules}}).passed
    rules = {"pooled": {"agreement": agreement + 1e-6}, "per_class": {"shift": shift * 0.99}}
    assert len(found.judged({"variables": {"land": rules}}).verdict.failures) >= 2


def test_what_is_missing_fails(report):
    alone = AB(A, Sequential([NDVI(), NDWI()])).run(simulate_scene((8, 8)))
    assert not alone.judged(limits(pooled={"rmse": 1.0})).passed
    assert alone.judged({**limits(pooled={"rmse": 1.0}), "other_variables": "allow"}).passed
    (check,) = report.judged({"variables": {"evi": {"pooled": {"rmse": 1.0}}}}).verdict.failures
    assert check.what == "evi rmse" and math.isnan(check.value)
    broken = AB(A, Sequential([NDVI("no", "nope")])).run(simulate_scene((8, 8)))
    rules = {"variables": {"*": {"pooled": {"rmse": 1.0}}}}
    assert not broken.judged(rules).passed and broken.judged({**rules, "failed_tiles": 1}).passed


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("variabels:\n  ndvi: {}\n", "'variabels' .did you mean 'variables'"),
        ("variables:\n  ndvi:\n    poled: {rmse: 1}\n", "variables.ndvi has 'poled'.*'pooled'"),
        ("variables:\n  ndvi:\n    pooled: {rsme: 1}\n", "pooled has 'rsme'.*'rmse'"),
        ("variables:\n  ndvi:\n    pooled: {rmse: low}\n", "pooled.rmse is 'low'; expected a number"),
        ("variables:\n  ndvi:\n    pooled: {rmse: -1}\n", "0 or more"),
        ("variables:\n  ndvi:\n    pooled: {bias: [2, 1]}\n", "lowest, highest"),
        ("variables:\n  ndvi:\n    two_groups: no\n", "refuse or allow"),
        ("variables:\n  ndvi: {}\nfailed_tiles: 1.5\n", "failed_tiles is 1.5"),
        ("variables:\n  ndvi: {}\njudge: mean\n", "value or interval"),
        ("variables: {}\n", "limit nothing"),
        ("variables:\n  a: {}\n  a: {}\n", "line 3"),
        ("3\n", "expected a mapping"),
    ],
)
def test_a_file_that_is_wrong_is_refused(tmp_path: Path, text, told):
    path = tmp_path / "limits.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=told) as error:
        Tolerances.load(path)
    assert str(error.value).startswith(str(path))


def test_a_metric_that_a_variable_does_not_have(report):
    with pytest.raises(ConfigError, match="'kappa' of 'ndvi', which holds continuous"):
        report.judged(limits(pooled={"kappa": 0.9}))
    assert report.judged({"variables": {"*": {"pooled": {"kappa": 0.9}}}}).passed
    with pytest.raises(ReadError, match=r"none\.yaml"):
        Tolerances.load("none.yaml")


def test_a_wrong_metric_is_refused_before_anything_is_computed(monkeypatch):
    import geotoolz.diff._ab as module

    monkeypatch.setattr(module, "compare_tile", lambda task: pytest.fail("a tile was computed"))
    ab = AB(A, B, tolerances=limits(pooled={"kappa": 0.9}))
    with pytest.raises(ConfigError, match="'kappa' of 'ndvi', which holds continuous"):
        ab.run(simulate_scene((8, 8)))


def test_a_wrong_metric_that_no_plan_tells_leaves_the_report():
    def odd(ds):
        return ds.assign(odd=ds.red * 2)

    ab = AB(
        from_function(odd), from_function(odd), tolerances={"variables": {"odd": {"pooled": {"kappa": 1}}}}
    )
    with pytest.raises(ConfigError, match="'kappa' of 'odd'") as error:
        ab.run(simulate_scene((8, 8)))
    assert "odd" in error.value.report.variables and error.value.report.verdict is None


def test_variables_without_a_limit_are_named(report):
    free = report.judged({"variables": {"evi": {}}, "other_variables": "allow"})
    assert free.passed and "\nndvi: no limit" in free.summary()
    assert free.to_dict()["verdict"]["no_limit"] == ["ndvi"] and "ndvi: no limit" in free.to_html()
    limited = report.judged(limits(pooled={"rmse": 1.0}))
    assert "no limit" not in limited.summary() + limited.to_html()
