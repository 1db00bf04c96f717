"""What a run tells: progress, report, verification."""

from __future__ import annotations

import io
import json
import sys

import pytest

from geotoolz.batch import (
    BatchReport,
    CatalogPipeline,
    ExitCode,
    JsonLinesProgress,
    RichProgress,
    StopReason,
    TileRow,
    get_progress,
    is_running,
    runs,
    verify,
)
from geotoolz.catalog import GeoCatalog, Problem
from geotoolz.core import BatchError, ParameterError
from geotoolz.core.testing import write_scene
from geotoolz.radiometry import SelectBands


@pytest.fixture
def finished(tmp_path):
    for number in range(2):
        scene = {"shape": (32, 32), "bands": ("red",), "datetime": f"2023-06-{number + 10}"}
        write_scene(scene, tmp_path / "in")
    paths = sorted((tmp_path / "in").iterdir())
    CatalogPipeline(paths, SelectBands(("red",)), tmp_path / "out", progress="none").run()
    return tmp_path / "out"


def test_verify_reads_every_byte(finished):
    assert verify(finished) == {}
    first, second = sorted(finished.glob("*.tif"))
    data = bytearray(first.read_bytes())
    data[-1] ^= 1
    first.write_bytes(bytes(data))
    second.unlink()
    assert verify(finished) == {first.name: "other content than was written", second.name: "missing"}
    (finished / ".geotoolz/journal.jsonl").unlink()
    assert set(verify(finished)) == {first.name, second.name}
    with pytest.raises(BatchError, match="no run"):
        verify(finished / "items" / "nowhere")


def test_runs_are_remembered(finished):
    assert [record["ev"] for record in runs(finished / ".geotoolz")] == ["run", "end"]
    assert not is_running(finished)


def test_an_output_folder_without_a_report_is_told(tmp_path):
    with pytest.raises(BatchError, match="no report"):
        BatchReport.load(tmp_path)


@pytest.mark.parametrize(
    ("rows", "options", "code"),
    [
        (["done", "fresh"], {}, ExitCode.DONE),
        (["done", "failed"], {}, ExitCode.FAILED_TILES),
        (["done", "quarantined"], {}, ExitCode.FAILED_TILES),
        (["failed"], {"over_limit": True}, ExitCode.STOPPED),
        (["failed", "not-run"], {"stopped": StopReason.OUTPUT}, ExitCode.STOPPED),
        (["done", "not-run"], {"stopped": StopReason.INTERRUPTED}, ExitCode.INTERRUPTED),
    ],
)
def test_exit_codes(tmp_path, rows, options, code):
    tiles = tuple(TileRow(f"tile-{i}", status) for i, status in enumerate(rows))
    report = BatchReport(tmp_path, "inline", tiles, 1.0, **options)
    assert report.exit_code is code and report.ok is (code is ExitCode.DONE)


def test_the_page_shows_names_as_text(tmp_path):
    row = TileRow("<script>alert(1)</script>", "failed", kind="error", error="E", message="<b>bold</b>")
    BatchReport(tmp_path, "inline", (row,), 1.0).save()
    html = (tmp_path / "report.html").read_text()
    assert "<script" not in html and "<b>bold" not in html and "&lt;b&gt;bold" in html


def test_a_large_report_stays_a_page(tmp_path):
    rows = tuple(TileRow(f"tile-{i}", "done", outputs=(f"{i}.tif",)) for i in range(3000))
    BatchReport(tmp_path, "inline", rows, 1.0).save()
    assert "1000 more tiles" in (tmp_path / "report.html").read_text()
    assert len(json.loads((tmp_path / "report.json").read_text())["tiles"]) == 3000


def test_json_lines():
    stream = io.StringIO()
    progress = JsonLinesProgress(stream, every=0.0)
    progress.start(3, 1, "inline")
    progress.tile("a", "done", "", 0.1)
    progress.tile("b", "failed", "ReadError: x", 0.1)
    progress.note("retry", "c: again")
    progress.finish("2 done")
    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [e["event"] for e in events] == ["start", "progress", "failed", "progress", "retry", "end"]
    assert events[-1]["done"] == 1 and events[-1]["failed"] == 1


def test_a_bar_on_a_terminal(monkeypatch, capsys):
    progress = RichProgress()
    progress.start(2, 0, "inline")
    progress.tile("a", "done", "", 0.1)
    progress.tile("b[red]", "failed", "ReadError: [x]", 0.1)
    progress.note("interrupt", "stopping")
    progress.finish("done")
    told = capsys.readouterr()
    assert "b[red]: ReadError: [x]" in told.err and told.out == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert isinstance(get_progress("auto"), RichProgress)
    with pytest.raises(ParameterError, match="progress"):
        get_progress("loud")


def test_what_the_catalog_left_out_is_reported(tmp_path):
    """A scene of which not even the metadata can be read has no tile; a run must not pass over it."""
    for number in range(2):
        scene = {"shape": (32, 32), "bands": ("red",), "datetime": f"2023-06-{number + 10}"}
        write_scene(scene, tmp_path / "in")
    (tmp_path / "in" / "torn.tif").write_bytes(b"II*\0 no more")
    catalog = GeoCatalog.from_folder(tmp_path / "in")
    assert [problem.kept for problem in catalog.problems] == [False]

    def went(shard=None):
        job = CatalogPipeline(catalog, SelectBands(("red",)), tmp_path / "out", progress="none", shard=shard)
        return job.run()

    for report in (went(), went(), BatchReport.load(tmp_path / "out")):  # also where nothing is to be done
        assert not report.failed and report.exit_code is ExitCode.FAILED_TILES and not report.ok
        (told,) = report.left_out
        assert told.startswith(str(tmp_path / "in" / "torn.tif")) and "1 left out" in str(report)
        assert report.to_dict()["left_out"] == [told]
    page = (tmp_path / "out" / "report.html").read_text()
    assert "<h2>Left out</h2>" in page and "torn.tif" in page
    shards = [went((part, 2)) for part in (1, 2)]
    assert all(report.left_out == (told,) for report in shards)
    assert BatchReport.load(tmp_path / "out").left_out == (told,)
    good = [row for row in sorted((tmp_path / "in").iterdir()) if row.is_dir()]
    whole = CatalogPipeline(good, SelectBands(("red",)), tmp_path / "out2", progress="none").run()
    assert whole.ok and whole.left_out == () and "left_out" not in whole.to_dict()
    assert "Left out" not in (tmp_path / "out2" / "report.html").read_text()
    known = [Problem("a", "came twice", harmless=True), Problem("b", "is truncated", kept=True)]
    saved = GeoCatalog(GeoCatalog.from_folder(good[0]).frame, problems=known).save(tmp_path / "c.parquet")
    again = GeoCatalog.open(saved)
    assert list(again.problems) == known
    assert CatalogPipeline(again, SelectBands(("red",)), tmp_path / "out3", progress="none").run().ok
