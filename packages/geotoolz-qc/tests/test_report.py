"""Reports: every check is made, whatever the others find."""

from __future__ import annotations

import json
import pickle
import re
import warnings
from typing import Any

import numpy as np
import pytest
import xarray as xr

import geotoolz as gz
from geotoolz.core import Assertion, ParameterError, Plan, QCError, QCWarning, Sequential, TileSpec
from geotoolz.core.testing import contract_tile, simulate_scene, write_scene
from geotoolz.qc import (
    AssertCRSEquals,
    AssertResolutionWithin,
    AssertSchema,
    AssertValidFraction,
    AssertValueRange,
    QCEntry,
    QCReport,
    run_checks,
)
from geotoolz.radiometry import MinMax, PercentileClip, SelectBands

CHECKS = (
    AssertCRSEquals("EPSG:4326"),
    AssertValidFraction(0.1),
    AssertValueRange(0, 1, bands=("rad",)),
    AssertSchema(["red"]),
    AssertValueRange(0.5, 0.6, on_fail="warn"),
)


@pytest.fixture
def report() -> QCReport:
    return run_checks(CHECKS, contract_tile((20, 30)))


def test_all_checks_are_made(report: QCReport) -> None:
    assert [entry.result for entry in report] == ["failed", "passed", "error", "passed", "failed"]
    assert [entry.path for entry in report] == [f"checks[{i}]" for i in range(5)]
    assert {entry.tile for entry in report} == {"contract"}
    assert report.entries[0].found == "EPSG:32633" and report.entries[0].expected == "EPSG:4326"
    assert "did you mean 'red'" in report.entries[2].found
    assert report.entries[4].on_fail == "warn"
    assert not report.passed and report.stops
    assert report.counts == {"passed": 2, "failed": 2, "error": 1}


def test_nothing_is_warned_and_the_tile_stays(recwarn: Any) -> None:
    ds = contract_tile((8, 8))
    before = ds.copy(deep=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run_checks(CHECKS, ds)
    xr.testing.assert_identical(ds, before)


def test_warnings_alone_stop_nothing() -> None:
    report = run_checks([AssertSchema(["swir22x"], on_fail="warn")], contract_tile((4, 4)))
    assert not report.passed and not report.stops
    assert QCReport().passed and str(QCReport()) == "0 tile(s): no checks"


def test_there_and_back(report: QCReport) -> None:
    assert QCReport.from_json(report.to_json()) == report
    assert pickle.loads(pickle.dumps(report)) == report
    assert json.loads(report.to_json())["counts"] == report.counts
    for text in ("nonsense", "[]", "{}", '{"schema": "geotoolz-qc-report/1", "entries": [{}]}'):
        with pytest.raises(ParameterError):
            QCReport.from_json(text)


def test_reports_of_tiles_merge(report: QCReport) -> None:
    other = run_checks(CHECKS[:1], contract_tile((4, 4)).assign_attrs(tile_id="second"))
    both = report + other
    assert both == QCReport.merged([report, other]) and both.tiles == ("contract", "second")
    assert len(both) == 6
    assert both == run_checks(CHECKS, [contract_tile((20, 30))]) + other


def test_html_is_whole_and_escaped(tmp_path: Any) -> None:
    entry = QCEntry("<script>", "operators[0]", "Check", "failed", "a < b & c", "d")
    text = QCReport((entry,)).to_html()
    assert "<script>" not in text and "&lt;script&gt;" in text and "a &lt; b &amp; c" in text
    assert text.startswith("<!doctype html>") and not re.search(r"(src|href)=", text)
    assert QCReport((entry,))._repr_html_() in text
    for name in ("r.html", "deep/r.json"):
        assert QCReport((entry,)).save(tmp_path / name).stat().st_size > 100
    with pytest.raises(ParameterError, match=r"\.json or \.html"):
        QCReport().save(tmp_path / "r.txt")


def test_collect_sees_every_place_of_a_pipeline() -> None:
    ds = simulate_scene((32, 32), bands=("red", "nir"))
    inner = Sequential([AssertValidFraction(0.1), AssertValueRange(0, 1)])
    pipeline = Sequential(
        [AssertValueRange(5, 6), MinMax(), inner, SelectBands("red"), AssertSchema(["nir"])]
    )
    report = QCReport.collect(pipeline, ds)
    assert [(e.path, e.result) for e in report] == [
        ("operators[0]", "failed"),
        ("operators[2].operators[0]", "passed"),
        ("operators[2].operators[1]", "passed"),
        ("operators[4]", "failed"),
    ]


def test_collect_writes_nothing(tmp_path: Any) -> None:
    from geotoolz.io import WriteCOG

    pipeline = Sequential([AssertValidFraction(0.0), WriteCOG(str(tmp_path / "{band}.tif"))])
    assert QCReport.collect(pipeline, contract_tile((4, 4))).passed
    assert list(tmp_path.iterdir()) == []


def test_a_pipeline_that_cannot_run_is_told() -> None:
    ds = contract_tile((8, 8))
    (entry,) = QCReport.collect(Sequential([SelectBands("rad"), AssertSchema(["red"])]), ds)
    assert (entry.result, entry.path, entry.check) == ("error", "operators[0]", "SelectBands")
    (entry,) = QCReport.collect(Sequential([PercentileClip(scope="catalog"), AssertSchema(["red"])]), ds)
    assert entry.result == "error" and "freeze" in entry.found
    with pytest.raises(ParameterError, match="no assertion"):
        QCReport.collect(MinMax(), ds)
    with pytest.raises(ParameterError, match="no check"):
        run_checks([], ds)
    with pytest.raises(ParameterError, match="MinMax is no check"):
        run_checks([MinMax()], ds)
    with pytest.raises(ParameterError, match="no tile to check"):
        run_checks(CHECKS, [])


class _Odd(Assertion):
    """A check of somebody else."""

    how: str = "raise"

    def plan(self, tile: TileSpec) -> Plan:
        return Plan()

    def init(self, tile: TileSpec, previous: Any = None) -> None:
        """Nothing."""

    def update(self, state: None, *arrays: Any) -> None:
        """Nothing."""

    def merge(self, a: None, b: None) -> None:
        """Nothing."""

    def finish(self, state: None) -> None:
        """Nothing."""

    def decide(self, result: None, tile: TileSpec) -> None:
        if self.how == "raise":
            raise QCError("is odd", expected="even")
        if self.how == "warn":
            warnings.warn("is odd, too", QCWarning, stacklevel=2)


def test_checks_of_others_are_reported() -> None:
    found = run_checks([_Odd(), _Odd("warn"), _Odd("pass")], contract_tile((4, 4)))
    assert [(e.result, e.found) for e in found] == [
        ("failed", "is odd"),
        ("failed", "is odd, too"),
        ("passed", ""),
    ]


def test_scenes_in_files_are_read_in_windows(tmp_path: Any) -> None:
    folder = write_scene({"shape": (96, 80), "bands": ("red", "nir")}, tmp_path)
    checks = (AssertValidFraction(0.1), AssertResolutionWithin((9, 11)), AssertValueRange(0, 1, ("B04",)))
    report = run_checks(checks, gz.io.open_scene(folder))
    assert report == run_checks(checks, gz.open_tile(folder))
    assert report.entries[1].result == "passed"
    catalog = gz.GeoCatalog.from_folder(tmp_path)
    assert run_checks(checks, catalog) == report


def test_empty_tiles_have_verdicts() -> None:
    report = run_checks((AssertValidFraction(0.1), AssertValueRange(0, 1)), contract_tile((0, 5)))
    assert [entry.result for entry in report] == ["failed", "passed"]
    assert "no valid pixel" in report.entries[1].found


def test_numbers_of_a_report_are_those_of_numpy() -> None:
    ds = contract_tile((37, 53))
    (entry,) = run_checks([AssertValidFraction(0.0, ("red",))], ds)
    assert entry.found == f"red has {np.isfinite(ds.red.values).mean():.1%} valid pixels"
