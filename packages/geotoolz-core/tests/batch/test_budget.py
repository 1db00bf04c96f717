"""What a run may spend, and what a preview says that it will."""

from __future__ import annotations

import json
import math

import pytest
from gtz_batch_ops import Ratio, WriteNpy
from hypothesis import given
from hypothesis import strategies as st

from geotoolz.batch import BatchReport, Budget, CatalogPipeline, Estimate, ExitCode, StopReason
from geotoolz.batch._budget import BudgetMeter
from geotoolz.batch._preview import Preview, spread
from geotoolz.core import ParameterError, Sequential
from geotoolz.core._errors import BatchError
from geotoolz.core.testing import write_scene


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes")
    for number in range(5):
        moment = f"2023-06-1{number}"
        write_scene({"shape": (24, 20), "bands": ("red", "nir"), "seed": number, "datetime": moment}, folder)
    return sorted(folder.iterdir())


def job(scenes, out, **options):
    op = Sequential([Ratio(), WriteNpy("{item_id}_{band}.npy")])
    return CatalogPipeline(scenes, op, out, progress="none", quicklook=False, **options)


SIZE = 24 * 20 * 4 + 128  # of one .npy


def test_a_run_ends_in_order_at_its_budget_and_the_next_goes_on(scenes, tmp_path):
    report = job(scenes, tmp_path, budget={"bytes": 2 * SIZE}).run()
    assert report.counts == {"done": 2, "not-run": 3} and report.stopped is StopReason.BUDGET
    assert report.exit_code == ExitCode.STOPPED and f"bytes={2 * SIZE}" in str(report)
    loaded = BatchReport.load(tmp_path)
    assert loaded.stopped is StopReason.BUDGET and str(loaded) == str(report)
    assert "budget" in (tmp_path / "report.html").read_text()
    assert job(scenes, tmp_path, budget={"bytes": 2 * SIZE}).run().counts["done"] == 2
    last = job(scenes, tmp_path, budget={"bytes": SIZE}).run()
    assert last.counts == {"fresh": 4, "done": 1}, "a budget that is just enough stops nothing"
    assert last.exit_code == ExitCode.DONE


def test_every_bound_stops():
    def meter(**bounds):
        now = [0.0]
        made = BudgetMeter(Budget(**bounds), lambda: now[0])
        for number in range(1, 50):
            if made.halt(0) is not None:
                return number - 1, made.used_up
            now[0] += 360.0
            made.spend(360.0, 10**8)  # a tenth of an hour and of a GB each
        return None

    assert meter(hours=1.0) == (10, "hours=1")
    assert meter(cpu_hours=0.5) == (5, "cpu_hours=0.5")
    assert meter(bytes="0.7GB") == (7, "bytes=700000000")
    assert meter(cost=3.0, price_cpu_hour=6.0, price_gb=4.0) == (3, "cost=3")
    assert meter() is None


def test_tiles_under_way_count():
    made = BudgetMeter(Budget(cpu_hours=1.0), lambda: 0.0)
    assert made.halt(100) is None, "nothing is known yet: the first ones are tried"
    made.spend(1800.0, 0)
    assert made.halt(0) is None and made.halt(1) is StopReason.BUDGET


@pytest.mark.parametrize(
    ("bounds", "told"),
    [
        ({"hours": 0}, "hours=0"),
        ({"cpu_hours": math.nan}, "cpu_hours=nan"),
        ({"hours": True}, "hours=True"),
        ({"bytes": "many"}, "bytes='many'"),
        ({"cost": 5}, "without a price"),
        ({"cost": 5, "price_gb": 0}, "without a price"),
        ({"price_gb": -1, "cost": 1}, "price_gb=-1"),
        ({"cpuhours": 1}, "did you mean 'cpu_hours'"),
    ],
)
def test_budgets_that_cannot_be(bounds, told):
    with pytest.raises(ParameterError, match=told):
        Budget.of(bounds)


# ---- preview


def test_a_preview_measures_and_leaves_the_output_folder_alone(scenes, tmp_path):
    run = job(scenes, tmp_path / "out", budget={"price_cpu_hour": 1.0, "price_gb": 1e6})
    found = run.preview(3, workers=2)
    assert not (tmp_path / "out").exists()
    assert list(found.seconds) == [scenes[place].name for place in (0, 2, 4)] and found.todo == 5
    assert found.sizes == (SIZE,) * 3
    assert found.output_bytes == Estimate(5 * SIZE, 5 * SIZE, 5 * SIZE), "equal tiles leave no doubt"
    assert found.peak_bytes > 10**7 and len(found.cpu_seconds) == 3 and found.startup > 0
    hours = found.cpu_hours
    assert 0 < hours.low <= hours.value <= hours.high
    assert found.hours.value >= hours.value / 2
    expected = hours.value + 5 * SIZE * 1e-3
    assert found.cost is not None and found.cost.value == pytest.approx(expected)
    told = json.loads(json.dumps(found.to_dict()))
    assert told["measured"] == 3 and told["cost"]["low"] <= told["cost"]["high"]
    run.run()
    with pytest.raises(BatchError, match="nothing to do"):
        run.preview(1)
    with pytest.raises(ParameterError, match="a preview of 0"):
        run.preview(0)


def test_a_preview_of_tiles_that_fail_says_why(scenes, tmp_path):
    op = Sequential([Ratio(), WriteNpy("{item_id}/{platform}/{nothing}.npy")])
    broken = CatalogPipeline(scenes, op, tmp_path, progress="none")
    with pytest.raises(BatchError, match=r"none of 1 tiles could be made; .*KeyError"):
        broken.preview(1)


@given(st.integers(1, 200), st.integers(1, 200))
def test_previewed_tiles_are_spread(count, wanted):
    found = spread(count, wanted)
    assert len(found) == min(count, wanted) == len(set(found)) and found == sorted(found)
    assert found[0] >= 0 and found[-1] < count
    gaps = [b - a for a, b in zip([-1 - found[0], *found], [*found, 2 * count - 1 - found[-1]], strict=True)]
    assert max(gaps) - min(gaps) <= 2


@given(st.lists(st.floats(0.1, 100), min_size=2, max_size=30), st.integers(0, 100))
def test_intervals_hold_the_value_and_close_where_all_is_measured(measured, more):
    found = Estimate.total(measured, len(measured) + more)
    assert found.low is not None and found.high is not None
    assert found.low <= found.value * (1 + 1e-12) and found.value <= found.high * (1 + 1e-12)
    if more == 0:
        assert found.low == found.value == found.high


def test_the_interval_is_students():
    # by hand: mean 2, s = 1, t(2 df, 90 %) = 2.92; 2.92 · sqrt(6 · 3 / 3) = 7.1525
    found = Estimate.total([1.0, 2.0, 3.0], 6)
    assert found.value == 12.0 and found.low == 6.0, "no less than what was measured"
    assert found.high == pytest.approx(12.0 + 2.92 * math.sqrt(6.0))


def test_nine_in_ten_intervals_hold_the_truth():
    import numpy as np

    random = np.random.default_rng(7)
    held = 0
    for _ in range(400):
        tiles = random.normal(10.0, 2.0, 60)
        found = Estimate.total([float(x) for x in tiles[:6]], 60)
        held += found.low <= tiles.sum() <= found.high
    assert 0.85 < held / 400 < 0.95


def test_a_run_is_no_shorter_than_its_slowest_tile():
    seconds = {"a": 3600.0, "b": 1.0}
    found = Preview(2, seconds, (), (1, 1), 0, 0.0, {}, 64, Budget())
    assert found.hours.value == 1.0 and found.cost is None


def test_workers_beside_keep_the_budget_too(scenes, tmp_path):
    report = job(scenes, tmp_path, budget={"bytes": 1}, engine="process", n_workers=1).run()
    assert report.stopped is StopReason.BUDGET and report.exit_code == ExitCode.STOPPED
    # what the engine had taken before the first tile ended is made, and no more
    assert 1 <= report.counts["done"] <= 2 and report.counts["done"] + report.counts["not-run"] == 5
