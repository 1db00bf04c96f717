"""What a run shows while it goes on and afterwards: metrics, what tiles took, the report's page."""

from __future__ import annotations

import json
import math
import shutil
from html.parser import HTMLParser

import pytest

from geotoolz.batch import BatchReport, CatalogPipeline, MetricsFile, TileRow
from geotoolz.batch._footprint import corners, footprints_of, located
from geotoolz.batch._html import render
from geotoolz.batch._html_map import draw_map
from geotoolz.batch._usage import measured
from geotoolz.core.testing import write_scene
from geotoolz.radiometry import SelectBands

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture
def scenes(tmp_path):
    for number in range(4):
        scene = {"shape": (32, 32), "bands": ("red",), "datetime": f"2023-06-{number + 10}"}
        write_scene(scene, tmp_path / "in")
    return sorted((tmp_path / "in").iterdir())


def run(scenes, out, **options):
    job = CatalogPipeline(scenes, SelectBands(("red",)), out, **{"progress": "none", **options})
    return job.run()


def spoil(scene):
    for path in scene.rglob("*.tif"):
        path.write_bytes(b"spoilt")


# ---- metrics


def parsed(path):
    parser = pytest.importorskip("prometheus_client.parser", reason="prometheus_client is not installed")
    families = {family.name: family for family in parser.text_string_to_metric_families(path.read_text())}
    assert all(family.documentation and family.type != "unknown" for family in families.values())
    return families


def value(families, name, **labels):
    family = families[name.removesuffix("_total").removesuffix("_count").removesuffix("_sum")]
    (found,) = [
        sample.value
        for sample in family.samples
        if sample.name == f"{name}" and labels.items() <= sample.labels.items()
    ]
    return found


def test_a_run_leaves_its_numbers_for_prometheus(scenes, tmp_path):
    spoil(scenes[0])
    path = tmp_path / "textfiles" / "night.prom"
    report = run(scenes, tmp_path / "out", metrics=path, max_failures="50%")
    found = parsed(path)
    assert {s.labels["state"]: s.value for s in found["geotoolz_tiles"].samples} == {
        "done": 3,
        "failed": 1,
        "fresh": 0,
        "quarantined": 0,
        "not-run": 0,
    }
    assert {s.labels["output"] for family in found.values() for s in family.samples} == {
        str(tmp_path / "out")
    }
    assert value(found, "geotoolz_failures_total", kind="bad-data") == 1
    assert value(found, "geotoolz_tile_seconds_count") == 4
    buckets = [s for s in found["geotoolz_tile_seconds"].samples if s.name.endswith("_bucket")]
    assert buckets[-1].labels["le"] == "+Inf" and buckets[-1].value == 4
    assert [s.value for s in buckets] == sorted(s.value for s in buckets)
    assert value(found, "geotoolz_written_bytes_total") == sum(
        (tmp_path / "out" / name).stat().st_size for row in report.rows for name in row.outputs
    )
    assert value(found, "geotoolz_running") == 0 and value(found, "geotoolz_exit_code") == report.exit_code
    began, last = (
        value(found, "geotoolz_start_timestamp_seconds"),
        value(found, "geotoolz_last_progress_timestamp_seconds"),
    )
    assert began <= last <= began + report.seconds
    assert not [p for p in path.parent.iterdir() if p != path], "a half-written file was left"
    run(scenes, tmp_path / "out", metrics=path, retry_failed=True, max_failures="50%")
    assert value(parsed(path), "geotoolz_tiles", state="fresh") == 3


def test_metrics_while_a_run_is_under_way(tmp_path):
    path = tmp_path / "x.prom"
    metrics = MetricsFile(path, 'a "quoted"\\name\n', every=0.0)
    metrics.start([TileRow(name, "not-run") for name in "abc"], 3)
    assert value(parsed(path), "geotoolz_tiles", state="not-run") == 3
    metrics.retry("transient")
    attempts = ({"seconds": 0.25}, {"seconds": 7.0})
    metrics.tile(TileRow("a", "done", attempts=attempts, usage={"cpu_seconds": 1.5, "peak_bytes": 9.0}))
    metrics.tile(TileRow("b", "failed", kind="lost", attempts=({"seconds": 0.1},)))
    found = parsed(path)
    assert value(found, "geotoolz_tiles", state="not-run") == 1 and value(found, "geotoolz_running") == 1
    assert value(found, "geotoolz_retries_total", kind="transient") == 1
    assert (
        value(found, "geotoolz_cpu_seconds_total") == 1.5 and value(found, "geotoolz_peak_memory_bytes") == 9
    )
    assert value(found, "geotoolz_tile_seconds_sum") == 7.35
    by_bound = {s.labels["le"]: s.value for s in found["geotoolz_tile_seconds"].samples if "le" in s.labels}
    assert by_bound["0.1"] == 1 and by_bound["5"] == 1 and by_bound["10"] == 2, by_bound
    assert found["geotoolz_running"].samples[0].labels["output"] == 'a "quoted"\\name\n'
    assert "geotoolz_exit_code" not in found


def test_shards_have_a_label_of_their_own(scenes, tmp_path):
    totals = 0.0
    for part in (1, 2):
        path = tmp_path / f"{part}.prom"
        if run(scenes, tmp_path / "out", metrics=path, shard=(part, 2)).counts:
            (sample,) = parsed(path)["geotoolz_running"].samples
            assert sample.labels == {"output": str(tmp_path / "out"), "shard": f"{part}/2"}
            totals += value(parsed(path), "geotoolz_tiles", state="done")
    assert totals == 4


def test_metrics_that_cannot_be_written_end_no_run(scenes, tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    assert run(scenes, tmp_path / "out", metrics=tmp_path / "file" / "x.prom").ok
    assert caplog.text.count("cannot be written") == 1


# ---- what tiles took


@pytest.mark.parametrize("engine", ["inline", "process"])
def test_what_a_tile_took_stands_in_report_and_journal(scenes, tmp_path, engine):
    report = run(scenes, tmp_path / "out", engine=engine, n_workers=1)
    text = (tmp_path / "out/.geotoolz/journal.jsonl").read_text()
    records = [json.loads(line) for line in text.splitlines()]
    told = {record["id"]: record for record in records if record["ev"] == "done"}
    for row in BatchReport.load(tmp_path / "out").rows:
        assert 0 < row.usage["cpu_seconds"] < 60
        assert 2**20 < row.usage["peak_bytes"] < 2**36
        assert row.usage["written_bytes"] == sum(
            (tmp_path / "out" / name).stat().st_size for name in row.outputs
        )
        assert row.usage["read_bytes"] > 0
        assert told[row.tile_id]["use"] == row.usage
        assert len(row.footprint) == 4 and told[row.tile_id]["at"] == [list(point) for point in row.footprint]
    assert [row.footprint for row in report.rows] == [
        row.footprint for row in BatchReport.load(tmp_path / "out").rows
    ]


def test_the_peak_is_that_of_the_tile():
    import numpy as np

    with measured() as large:
        np.ones(40_000_000, dtype=np.uint8).sum()
    with measured() as small:
        pass
    assert large.values["peak_bytes"] >= small.values["peak_bytes"]
    assert small.values["cpu_seconds"] >= 0


def test_fresh_and_failed_tiles_have_a_place_too(scenes, tmp_path):
    pytest.importorskip("geopandas", reason="geopandas is not installed")
    from geotoolz.catalog import GeoCatalog

    catalog = GeoCatalog.build(tmp_path / "in")
    spoil(scenes[1])
    report = run(catalog, tmp_path / "out", max_failures="50%")
    assert report.counts == {"done": 3, "failed": 1}
    assert all(len(row.footprint) == 4 for row in report.rows)
    (spoilt,) = report.failed
    for x, y in spoilt.footprint:
        assert any(math.hypot(x - a, y - b) < 1e-3 for a, b in report.rows[0].footprint)
    again = run(catalog, tmp_path / "out")
    assert all(row.footprint for row in again.rows)


def test_corners():
    square = [(0, 0), (2, 0), (2, 1), (0, 1), (0, 0)]
    assert corners({"type": "Polygon", "coordinates": [square]}) == ((0, 0), (2, 0), (2, 1), (0, 1))
    far = [(170, 0), (180, 0), (180, 1), (170, 1), (170, 0)]
    assert corners({"type": "MultiPolygon", "coordinates": [[square], [far]]})[0] == (170, 0)
    turned = [(1, 0), (2, 1), (1, 2), (0, 1), (1, 0)]
    assert set(corners({"type": "Polygon", "coordinates": [turned]})) <= {(1, 0), (2, 1), (1, 2), (0, 1)}
    for nothing in (
        None,
        {},
        {"type": "Point", "coordinates": (1, 2)},
        {"type": "Polygon", "coordinates": []},
    ):
        assert corners(nothing) == ()


def test_places_of_rows_that_bring_their_item():
    item = {"geometry": {"type": "Polygon", "coordinates": [[(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)]]}}
    rows = [{"id": "a", "item": item}, {"id": "b", "item": json.dumps(item)}, {"id": "c", "item": "no JSON"}]
    assert set(footprints_of(rows, ["a", "b", "c", "d"])) == {"a", "b"}
    assert footprints_of(iter(rows), ["a"]) == {} and footprints_of(rows, ()) == {}
    (row,) = located([TileRow("a", "failed")], rows)
    assert row.footprint == ((0, 0), (1, 0), (1, 1), (0, 1))


# ---- the page


def square(x, y, size=0.1):
    return ((x, y), (x + size, y), (x + size, y + size), (x, y + size))


def rows_of_all_kinds():
    yield TileRow("a", "fresh", footprint=square(12.0, 45.0))
    yield TileRow(
        "b<i>",
        "done",
        seconds={"describe": 0.5, "read": 1.0, "run": 2.0, "write": 0.5},
        usage={"cpu_seconds": 3.0, "peak_bytes": 2e8, "read_bytes": 1e6, "written_bytes": 5e5},
        valid_share={"ndvi": 0.25},
        attempts=({"worker": "w", "seconds": 1.0, "kind": "lost"}, {"worker": "w", "seconds": 4.0}),
        footprint=square(12.1, 45.0),
    )
    for number in range(7):
        yield TileRow(
            f"c{number}",
            "failed",
            kind="bad-data",
            error="ReadError",
            message=f"'/in/<b>{number}.tif' is no raster",
            footprint=square(12.0 + number / 10, 45.1),
        )
    yield TileRow("d", "failed", kind="poison", error="WorkerLost", message="took 3 workers down")
    yield TileRow("e", "not-run", footprint=square(12.5, 45.0))


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.open, self.seen, self.links = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        self.links += [value for name, value in attrs if name in ("src", "href") and value]
        if tag not in ("meta", "img", "br", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_whole_and_loads_nothing(tmp_path):
    text = render(BatchReport(tmp_path, "inline", tuple(rows_of_all_kinds()), 9.0))
    tags = Tags(text)
    assert tags.open == [] and tags.links == [] and "<b>0" not in text and "b<i>" not in text
    drawn = [attrs["class"] for tag, attrs in tags.seen if tag == "polygon"]
    assert sorted(drawn) == sorted(["fresh", "done", "not-run", *["failed"] * 7])
    assert drawn[-1] == "failed", "what failed is drawn last, so that nothing hides it"
    assert "the place of 1 more is not known" in text
    # seven errors of one cause are one line
    errors = text[text.index("<h2>Errors") : text.index("<h2>Time per step")]
    assert errors.count("is no raster") == 1 and "and 2 more</td>" in errors
    assert "25.0%" in text and "200.0 MB" in text and "4.00" in text and "lost, done" in text


def test_the_map_is_true_to_scale_and_north_is_up():
    text = draw_map(
        [
            TileRow("a", "done", footprint=square(10.0, 60.0)),
            TileRow("b", "done", footprint=square(10.1, 60.1)),
        ]
    )
    points = [attrs["points"] for tag, attrs in Tags(text).seen if tag == "polygon"]
    first, second = ([tuple(map(float, point.split(","))) for point in one.split()] for one in points)
    assert max(y for _, y in second) <= min(y for _, y in first) + 0.2, "the northern tile is above"
    width, height = first[1][0] - first[0][0], first[0][1] - first[3][1]
    assert width / height == pytest.approx(math.cos(math.radians(60.1)), rel=0.01)
    assert draw_map([TileRow("a", "done")]) == ""
    assert "polygon" in draw_map([TileRow("a", "done", footprint=((1.0, 1.0),))])


def test_many_tiles_are_cells_that_show_the_worst_in_them():
    rows = [
        TileRow(f"t{n}", "done", footprint=square(n % 100 / 100, n // 100 / 100, 0.01)) for n in range(5000)
    ]
    rows[4321] = TileRow("t4321", "failed", footprint=rows[4321].footprint)
    text = draw_map(rows)
    cells = [attrs["class"] for tag, attrs in Tags(text).seen if tag == "rect"]
    assert cells.count("failed") == 1 and "polygon" not in text and len(text) < 1_500_000
    assert "1 failed" in text


sync_api = (
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed") if CHROMIUM else None
)


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the path (Debian: apt-get install chromium)")
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # playwright's own pipes
def test_the_page_in_a_browser_on_a_phone_in_light_and_dark(scenes, tmp_path):
    spoil(scenes[2])
    run(scenes, tmp_path / "out", max_failures="50%")
    report = BatchReport.load(tmp_path / "out")
    extra = tuple(rows_of_all_kinds())
    BatchReport(tmp_path / "out", "process", (*report.rows, *extra), 9.0).save()
    backgrounds = []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for scheme in ("light", "dark"):
            page = browser.new_page(viewport={"width": 390, "height": 800}, color_scheme=scheme)
            said, asked = [], []
            page.on("console", lambda message, said=said: said.append(message.text))
            page.on("request", lambda request, asked=asked: asked.append(request.url))
            page.goto((tmp_path / "out/report.html").as_uri())
            assert said == [] and [url for url in asked if not url.startswith("data:")] == [page.url]
            wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
            assert wide <= 0, f"the page is {wide} px wider than a phone"
            assert page.locator("svg polygon.failed").count() == 7
            assert page.locator("svg polygon").first.bounding_box()["width"] > 4
            assert page.locator("#tiles img").first.evaluate("image => image.naturalWidth") > 0
            fills = {
                page.locator(f"svg polygon.{state}").first.evaluate("shape => getComputedStyle(shape).fill")
                for state in ("done", "fresh", "failed", "not-run")
            }
            assert len(fills) == 4, "every state has a colour of its own"
            backgrounds.append(page.evaluate("getComputedStyle(document.querySelector('svg polygon')).fill"))
            page.close()
        browser.close()
    assert backgrounds[0] != backgrounds[1], "dark is another page than light"
