"""Accuracy reports, and areas from a stratified sample."""

from __future__ import annotations

import json
import math
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn import metrics

from geotoolz.core import ParameterError, WriteError
from geotoolz.learn import accuracy_report, area_estimates, regression_report
from geotoolz.metrics import ConfusionCounts

# --- the worked example of Olofsson et al. (2014), section 5 -----------------------------------------------
NAMES = ("deforestation", "forest gain", "stable forest", "stable non-forest")
MAPPED_ROWS = ((66, 0, 5, 4), (0, 55, 8, 12), (1, 0, 153, 11), (2, 1, 9, 313))
PIXELS = (200_000, 150_000, 3_200_000, 6_450_000)
HECTARES = tuple(count * 0.09 for count in PIXELS)


def olofsson() -> ConfusionCounts:
    return ConfusionCounts((1, 2, 3, 4), tuple(zip(*MAPPED_ROWS, strict=True)), NAMES)


def test_the_published_areas():
    """Deforestation 21 158 ± 6158 ha, where the map says 18 000."""
    found = area_estimates(olofsson(), HECTARES)
    assert [round(a) for a in found.area] == [21_158, 11_686, 285_770, 581_386]
    assert [round(1.96 * se) for se in found.area_se] == [6158, 3756, 15_510, 16_282]
    assert round(found.share[0], 3) == 0.024
    assert round(found.area_se[0]) == 3142
    assert found.total_area == pytest.approx(900_000)


def test_the_published_accuracies():
    found = area_estimates(olofsson(), dict(zip(NAMES, HECTARES, strict=True)))
    assert (round(found.overall_accuracy, 2), round(found.half_width(found.overall_accuracy_se), 2)) == (
        0.95,
        0.02,
    )
    assert [round(v, 2) for v in found.users_accuracy] == [0.88, 0.73, 0.93, 0.96]
    assert [round(found.half_width(v), 2) for v in found.users_accuracy_se] == [0.07, 0.10, 0.04, 0.02]
    assert [round(v, 2) for v in found.producers_accuracy] == [0.75, 0.85, 0.93, 0.96]
    # equation 7 for forest gain: one sample of the largest stratum was omitted, and that decides
    own = 0.015**2 * (1 - 0.011 / 0.012984615) ** 2 * (55 / 75) * (20 / 75) / 74
    omitted = (0.011 / 0.012984615) ** 2 * 0.645**2 * (1 / 325) * (324 / 325) / 324
    assert found.producers_accuracy_se[1] == pytest.approx(math.sqrt(own + omitted) / 0.012984615)
    assert [round(found.half_width(v), 2) for v in found.producers_accuracy_se] == [0.21, 0.25, 0.03, 0.02]


def test_the_published_matrix_of_shares():
    found = area_estimates(olofsson(), PIXELS)
    wanted = [
        [0.0176, 0, 0.0013, 0.0011],
        [0, 0.0110, 0.0016, 0.0024],
        [0.0019, 0, 0.2967, 0.0213],
        [0.0040, 0.0020, 0.0179, 0.6212],
    ]
    np.testing.assert_allclose(found.matrix, wanted, atol=5.1e-5)
    assert math.fsum(map(math.fsum, found.matrix)) == pytest.approx(1.0)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 999), st.integers(2, 6))
def test_what_must_hold_of_every_estimate(seed, classes):
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 40, (classes, classes)) + 2 * np.eye(classes, dtype=int)
    areas = rng.uniform(1, 100, classes)

    def estimates(order):
        rows = tuple(tuple(map(int, row)) for row in counts[np.ix_(order, order)])
        return area_estimates(ConfusionCounts(tuple(map(int, order)), rows), tuple(areas[order]))

    found = estimates(np.arange(classes))
    assert sum(found.area) == pytest.approx(areas.sum())
    assert found.overall_accuracy == pytest.approx(np.dot(found.users_accuracy, areas) / areas.sum())
    np.testing.assert_allclose(np.sum(found.matrix, axis=1), areas / areas.sum())
    assert all(0 <= value <= 1 for value in found.producers_accuracy)
    order = rng.permutation(classes)
    other = estimates(order)
    for name in ("area", "area_se", "users_accuracy_se", "producers_accuracy", "producers_accuracy_se"):
        np.testing.assert_allclose(np.array(getattr(found, name))[order], getattr(other, name), rtol=1e-9)


def test_units_do_not_matter():
    one, two = area_estimates(olofsson(), PIXELS), area_estimates(olofsson(), HECTARES)
    np.testing.assert_allclose(one.share, two.share)
    np.testing.assert_allclose(one.producers_accuracy_se, two.producers_accuracy_se)
    np.testing.assert_allclose(np.array(one.area) * 0.09, two.area)


def test_one_mapped_class_is_a_simple_random_sample():
    """One stratum: the estimator is the sample's share, its error that of a proportion."""
    sample = ConfusionCounts((0, 1), ((30, 0), (10, 0)), ("no", "yes"))
    found = area_estimates(sample, {"no": 1.0, "yes": 0.0})
    assert found.share == (0.75, 0.25)
    assert found.share_se == pytest.approx([math.sqrt(0.75 * 0.25 / 39)] * 2)
    assert math.isnan(found.users_accuracy[1])
    assert found.producers_accuracy[1] == 0.0
    assert found.to_dict()["users_accuracy"] == [0.75, None]


def test_the_standard_error_is_that_of_repeated_samples():
    """Draw the sample again and again from a map whose truth is known."""
    rng = np.random.default_rng(0)
    truth = np.array([[0.85, 0.10, 0.05], [0.08, 0.90, 0.02], [0.02, 0.01, 0.97]])  # P(true | mapped)
    weight, size = np.array([0.1, 0.3, 0.6]), np.array([60, 80, 120])
    areas, errors, producers, producers_se = [], [], [], []
    for _ in range(1500):
        counts = np.array([rng.multinomial(n, p) for n, p in zip(size, truth, strict=True)])
        sample = ConfusionCounts((0, 1, 2), tuple(tuple(map(int, row)) for row in counts.T))
        found = area_estimates(sample, tuple(weight))
        areas.append(found.share)
        errors.append(found.share_se)
        producers.append(found.producers_accuracy)
        producers_se.append(found.producers_accuracy_se)
    np.testing.assert_allclose(np.mean(areas, axis=0), weight @ truth, rtol=0.01)
    np.testing.assert_allclose(np.mean(errors, axis=0), np.std(areas, axis=0), rtol=0.06)
    np.testing.assert_allclose(np.mean(producers_se, axis=0), np.std(producers, axis=0), rtol=0.08)


def test_other_confidence_gives_other_intervals():
    wide, narrow = (area_estimates(olofsson(), PIXELS, confidence=c) for c in (0.99, 0.5))
    for (a, b), (c, d) in zip(wide.area_interval, narrow.area_interval, strict=True):
        assert a < c < d < b
    assert wide.half_width(1.0) == pytest.approx(2.5758, abs=1e-4)


@pytest.mark.parametrize(
    ("mapped", "options", "message"),
    [
        (PIXELS[:3], {}, r"3 mapped area\(s\) for 4 classes"),
        ((-1, 1, 1, 1), {}, "0 or more"),
        ((0, 0, 0, 0), {}, "not all 0"),
        ((np.nan, 1, 1, 1), {}, "0 or more"),
        ((0, 1, 1, 1), {}, "75 row.* whose mapped area is 0"),
        (
            {"deforestation": 1, "forest gain": 1, "stable forest": 1},
            {},
            "no mapped area of stable non-forest",
        ),
        ({"deforestaton": 1}, {}, r"did you mean 'deforestation'"),
        (PIXELS, {"confidence": 1.0}, "confidence=1.0"),
    ],
)
def test_areas_that_cannot_be(mapped, options, message):
    with pytest.raises(ParameterError, match=message):
        area_estimates(olofsson(), mapped, **options)


def test_a_stratum_needs_two_samples():
    sample = ConfusionCounts((0, 1), ((30, 0), (2, 1)))
    with pytest.raises(ParameterError, match=r"1 row\(s\) where the map says 1.*variance is not known"):
        area_estimates(sample, (0.5, 0.5))


# --- classification ----------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 99), st.integers(1, 6), st.integers(1, 200))
def test_against_scikit_learn(seed, classes, n):
    rng = np.random.default_rng(seed)
    true, said = rng.integers(0, classes, n) * 3, rng.integers(0, classes, n) * 3
    found = accuracy_report(true, said)
    labels = sorted({*true.tolist(), *said.tolist()})
    assume(len(labels) > 1)  # scikit-learn warns of one label
    assert found.confusion.classes == tuple(labels)
    assert np.array_equal(found.confusion.to_array(), metrics.confusion_matrix(true, said, labels=labels))
    assert found.confusion.overall_accuracy == pytest.approx(metrics.accuracy_score(true, said))
    f1 = metrics.f1_score(true, said, labels=labels, average=None, zero_division=0.0)
    np.testing.assert_allclose(found.confusion.f1, f1)
    assert found.confusion.kappa == pytest.approx(metrics.cohen_kappa_score(true, said), nan_ok=True)


def test_text_and_names():
    found = accuracy_report(["wood", "field", None], ["wood", "wood", "field"], names={"wood": "Wald"})
    assert found.labels == ("field", "Wald")
    assert found.confusion.left_out == 1
    assert found.confusion.matrix == ((0, 1), (0, 1))
    assert math.isnan(found.confusion.users_accuracy[0])
    assert "kappa" in found.cautions[0]
    assert any("field, Wald" in text for text in found.cautions)


def test_numbers_with_gaps_and_listed_classes():
    found = accuracy_report([1.0, 2.0, np.nan, 2.0], [1, 2, 2, 1], classes=(3, 2, 1))
    assert found.confusion.classes == (3, 2, 1)
    assert found.confusion.matrix == ((0, 0, 0), (0, 1, 1), (0, 0, 1))
    assert found.confusion.left_out == 1


def test_by_group():
    found = accuracy_report([1, 1, 2, 2, 2], [1, 2, 2, 2, 1], groups=["b", "a", "b", "b", "a"])
    assert [(g.group, g.n, g.overall_accuracy) for g in found.by_group] == [("a", 2, 0.0), ("b", 3, 1.0)]
    assert not any("no groups" in text for text in found.cautions)


def test_the_order_of_rows_changes_nothing():
    rng = np.random.default_rng(0)
    true, said, groups = (rng.integers(0, k, 300) for k in (4, 4, 9))
    order = rng.permutation(300)
    one = accuracy_report(true, said, groups=groups, bootstrap=30)
    assert accuracy_report(true[order], said[order], groups=groups[order], bootstrap=30) == one


def test_the_bootstrap_draws_groups():
    """Rows that are alike inside a group: an interval from single rows would be far too narrow."""
    rng = np.random.default_rng(0)
    right = np.repeat(rng.random(30) < 0.7, 50)
    true = np.zeros(1500, int)
    said = np.where(right, 0, 1)
    groups = np.repeat(np.arange(30), 50)
    found = accuracy_report(true, said, groups=groups, bootstrap=800, seed=1)
    low, high = found.intervals["overall_accuracy"]
    share = right.mean()
    assert low < share < high
    assert not any("so few" in text for text in found.cautions)
    wanted = 1.96 * math.sqrt(share * (1 - share) / 30)
    assert (high - low) / 2 == pytest.approx(wanted, rel=0.15)
    rows = accuracy_report(true, said, groups=np.arange(1500), bootstrap=200, seed=1)
    a, b = rows.intervals["overall_accuracy"]
    assert high - low > 4 * (b - a)
    again = accuracy_report(true, said, groups=groups, bootstrap=800, seed=1)
    assert again.intervals == found.intervals


def test_the_bootstrap_counts_like_drawing_rows():
    """The matrices of the replicates, against rows that are put together by hand."""
    from geotoolz.learn._accuracy_bootstrap import bootstrap_intervals
    from geotoolz.learn._accuracy_rows import coded

    rng = np.random.default_rng(3)
    true, said, groups = rng.integers(0, 3, 90), rng.integers(0, 3, 90), rng.integers(0, 7, 90)
    found = bootstrap_intervals(coded(true, said, None, None), groups, 7, 40, 0.9, 11)
    draws = np.random.default_rng(np.random.SeedSequence(11)).multinomial(7, np.full(7, 1 / 7), size=40)
    scores = []
    for times in draws:
        rows = np.concatenate([np.flatnonzero(groups == g) for g, n in enumerate(times) for _ in range(n)])
        scores.append(metrics.precision_score(true[rows], said[rows], labels=[1], average=None)[0])
    assert found["users_accuracy[1]"] == pytest.approx(tuple(np.quantile(scores, [0.05, 0.95])))
    assert found != bootstrap_intervals(coded(true, said, None, None), groups, 7, 40, 0.9, 12)


def test_a_report_with_everything(tmp_path):
    true = [
        name
        for name, row in zip(NAMES, zip(*MAPPED_ROWS, strict=True), strict=True)
        for name in [name] * sum(row)
    ]
    said = [NAMES[j] for row in zip(*MAPPED_ROWS, strict=True) for j, n in enumerate(row) for _ in range(n)]
    groups = np.arange(len(true)) % 9
    found = accuracy_report(
        true, said, classes=NAMES, groups=groups, mapped_area=HECTARES, bootstrap=50, seed=3
    )
    assert round(found.areas.area[0]) == 21_158
    assert not any("no areas" in text for text in found.cautions)
    assert any("come from 9 groups" in text for text in found.cautions)
    data = json.loads(found.write(tmp_path / "report.json").read_text(encoding="utf-8"))
    assert data["areas"]["area"][0] == found.areas.area[0]
    assert data["confusion"]["matrix"] == [list(row) for row in found.confusion.matrix]
    assert len(data["by_group"]) == 9
    page = found.write(tmp_path / "sub" / "report.html").read_text(encoding="utf-8")
    assert "21,157.8" in page
    assert "stable non-forest" in page
    assert "overall accuracy" in str(found)
    assert "note: kappa" in str(found)


def test_the_pages_are_whole():
    """Every tag that is opened is closed, in its turn."""

    class Check(HTMLParser):
        def __init__(self):
            super().__init__()
            self.open = []

        def handle_starttag(self, tag, attrs):
            assert not any(name in ("src", "href") for name, _ in attrs)
            if tag != "meta":
                self.open.append(tag)

        def handle_endtag(self, tag):
            assert self.open.pop() == tag

    groups = ["a", "b", "a", "b"]
    one = accuracy_report([1, 1, 2, 2], [1, 1, 2, 2], groups=groups, bootstrap=5, mapped_area=(1, 1))
    for page in (
        one.to_html(),
        regression_report([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 4.0, 4.0], groups=groups).to_html(),
    ):
        parser = Check()
        parser.feed(page)
        assert parser.open == []


def test_names_are_escaped_on_the_page():
    page = accuracy_report(["<b>x</b>"], ["<b>x</b>"], groups=["<script>"]).to_html()
    assert "<b>x" not in page
    assert "<script>" not in page


@pytest.mark.parametrize(
    ("true", "said", "options", "message"),
    [
        ([1, 2], [1], {}, "2 true and 1 predicted"),
        ([np.nan], [1], {}, "none of the 1 rows"),
        ([], [], {}, "none of the 0 rows"),
        ([1.5], [1], {}, "regression_report"),
        ([1], ["1"], {}, "some labels are text"),
        ([[1]], [1], {}, r"shape \(1, 1\)"),
        ([1, 7], [1, 1], {"classes": (1, 2)}, "none of the classes: 7"),
        ([1], [1], {"classes": (1, 1)}, "each once"),
        ([1], [1], {"classes": ()}, "one class at least"),
        ([1], [1], {"groups": [1, 2]}, r"one per row, \(1,\)"),
        ([1], [1], {"bootstrap": 10}, "without groups"),
        ([1], [1], {"bootstrap": 10, "groups": ["a"]}, "two groups at least"),
        ([1, 1], [1, 1], {"bootstrap": 1, "groups": [0, 1]}, "bootstrap=1"),
        ([1], [1], {"confidence": 0.0}, "confidence=0.0"),
        ([object()], [1], {}, "whole numbers or text"),
    ],
)
def test_labels_that_cannot_be_compared(true, said, options, message):
    with pytest.raises(ParameterError, match=message):
        accuracy_report(true, said, **options)


def test_where_a_report_cannot_be_written(tmp_path):
    found = accuracy_report([1], [1])
    with pytest.raises(ParameterError, match=r"ends in '\.pdf'"):
        found.write(tmp_path / "report.pdf")
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteError, match="cannot be written"):
        found.write(tmp_path / "file" / "report.json")


# --- regression --------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 99), st.integers(2, 100))
def test_scores_against_scikit_learn(seed, n):
    rng = np.random.default_rng(seed)
    true, said = rng.normal(50, 10, n), rng.normal(50, 10, n)
    found = regression_report(true, said).scores
    assert found.rmse == pytest.approx(metrics.root_mean_squared_error(true, said))
    assert found.mae == pytest.approx(metrics.mean_absolute_error(true, said))
    assert found.r2 == pytest.approx(metrics.r2_score(true, said))
    assert found.bias == pytest.approx((said - true).mean())
    order = rng.permutation(n)
    assert regression_report(true[order], said[order]).scores == found  # exact sums


def test_regression_by_group():
    true, said = np.array([1.0, 2, 3, 4, np.nan, 5]), np.array([1.0, 2, 4, 6, 1, np.inf])
    found = regression_report(true, said, groups=["x", "x", "y", "y", "y", "x"], units="t/ha")
    assert found.left_out == 2
    assert [(name, s.n, s.rmse) for name, s in found.by_group] == [("x", 2, 0.0), ("y", 2, math.sqrt(2.5))]
    assert found.by_group[1][1].bias == 1.5
    data = json.loads(found.to_json())
    assert data["by_group"][0] == {"group": "x", "n": 2, "rmse": 0.0, "mae": 0.0, "bias": 0.0, "r2": 1.0}
    assert "t/ha" in found.to_html()
    assert str(found).startswith("4 rows, RMSE 1.118 t/ha")


def test_a_truth_that_does_not_vary(tmp_path):
    found = regression_report([0.1, 0.1, 0.1], [0.1, 0.2, 0.3])
    assert math.isnan(found.scores.r2)
    data = json.loads(found.write(tmp_path / "r.json").read_text(encoding="utf-8"))
    assert data["scores"]["r2"] is None


@pytest.mark.parametrize(
    ("true", "said", "options", "message"),
    [
        ([1.0], [1.0, 2.0], {}, "1 true and 2 predicted"),
        (["a"], [1.0], {}, "one number per row"),
        ([np.nan], [1.0], {}, "none of the 1 rows"),
        ([1.0], [1.0], {"groups": []}, "one per row"),
    ],
)
def test_values_that_cannot_be_compared(true, said, options, message):
    with pytest.raises(ParameterError, match=message):
        regression_report(true, said, **options)
