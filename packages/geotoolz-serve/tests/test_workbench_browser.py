"""The workbench in a real browser: what somebody sees and does, against the numbers that it must show.

Screenshots are kept in ``GEOTOOLZ_ARTIFACTS``, or in pytest's own folder.
"""

from __future__ import annotations

import io
import os
import re
import shutil
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
import rasterio
from PIL import Image
from pyproj import Transformer

from geotoolz.catalog import GeoCatalog
from geotoolz.core import TileSpec
from geotoolz.core.testing import write_scene
from geotoolz.indices import NDVI
from geotoolz.io import open_tile
from geotoolz.viz import colormap_table

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the path (Debian: apt-get install chromium)"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # playwright's own pipes
]

NAUGHTY = '<img src=x onerror="document.title=1"> & <b>classes</b>'
DAYS = ("2023-05-04", "2023-06-18", "2023-07-23")
SIZE = {"width": 1100, "height": 720}
LOW, HIGH = -0.2, 0.9
PAINTED = """\
_target_: geotoolz.core.Sequential
operators:
  - _target_: geotoolz.indices.NDVI
  - _target_: geotoolz.viz.Colormap
    band: ndvi
    cmap: viridis
    vmin: 0.0
    vmax: 1.0
"""


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """Folders of three scenes of one place, by day."""
    folder = tmp_path_factory.mktemp("scenes")
    made = {}
    for day in DAYS:
        options = {"shape": (200, 220), "bands": ("green", "red", "nir", "scl"), "cloud_cover": 0.1}
        made[day] = write_scene({**options, "datetime": date.fromisoformat(day)}, folder)
    return made


@pytest.fixture(scope="module")
def server(serving, scenes, tmp_path_factory):
    catalog = tmp_path_factory.mktemp("catalog") / "series.parquet"
    GeoCatalog.from_folder(scenes[DAYS[0]].parent).save(catalog)
    source = str(scenes[DAYS[1]])
    ramp = {"colormap": "rdylgn", "rescale": [LOW, HIGH], "resampling": "nearest"}
    settings = {
        "title": "Fields <i>and</i> forests",
        "pipelines": [{"name": "ndvi", "config": {"_target_": "geotoolz.indices.NDVI"}}],
        "layers": [
            {"name": "ndvi", "title": "Vegetation", "source": source, "pipeline": "ndvi", **ramp,
             "attribution": "simulated <script>alert(1)</script>"},
            {"name": "classes", "title": NAUGHTY, "source": source, "bands": ["scl"]},
            {"name": "series", "title": "Series", "source": str(catalog), "pipeline": "ndvi", **ramp},
        ],
    }  # fmt: skip
    with serving({**settings, "sandbox": {"rate_per_minute": 1000}}) as found:
        yield found


@pytest.fixture(scope="module")
def tile(scenes):
    """The scene of the layers ``ndvi`` and ``classes``, with its NDVI."""
    return NDVI()(open_tile(scenes[DAYS[1]]))


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        # Chromium refuses its own sandbox to root, as whom containers often run
        flags = ["--no-sandbox"] if os.geteuid() == 0 else []
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield found
        found.close()


class Visit:
    """A page that was opened, and what a visitor does with it."""

    def __init__(self, page, server, shots):
        self.page, self.server, self.shots = page, server, shots
        self.waiting = 0
        page.on("request", lambda _: self.count(1))
        page.on("requestfinished", lambda _: self.count(-1))
        page.on("requestfailed", lambda _: self.count(-1))

    def count(self, change):
        self.waiting += change

    def open(self, fragment=""):
        self.page.goto("about:blank")
        self.waiting = 0
        self.page.goto(f"{self.server.url}/workbench/{fragment}")
        self.page.wait_for_selector("html[data-ready]", state="attached")
        self.settle()
        return self

    def settle(self):
        """Wait until nothing is loading and every tile is drawn."""
        still = 0
        for _ in range(600):
            self.page.wait_for_timeout(20)
            tiles = self.page.locator(".leaflet-tile:not(.leaflet-tile-loaded)").count()
            still = 0 if self.waiting > 0 or tiles else still + 1
            if still == 3:
                return
        raise AssertionError(f"{self.waiting} requests and {tiles} tiles are still waiting")

    def pixels(self):
        return np.asarray(Image.open(io.BytesIO(self.page.screenshot())).convert("RGB")).astype(int)

    def middle(self, dx=0, dy=0):
        """Return the colour in the middle of the map, or beside it."""
        x, y = self.place()
        return self.pixels()[int(y + dy), int(x + dx)]

    def place(self):
        box = self.page.locator("#map").bounding_box()
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def shoot(self, name):
        self.page.screenshot(path=self.shots / f"{name}.png")

    def text(self, selector):
        return self.page.locator(selector).inner_text()


@pytest.fixture
def visit(browser, server, tmp_path):
    """Open pages as a visitor; whatever the console says or another site is asked fails the test."""
    made, noise = [], []
    shots = Path(os.environ.get("GEOTOOLZ_ARTIFACTS") or tmp_path)
    shots.mkdir(parents=True, exist_ok=True)

    def start(**options):
        options = {"viewport": SIZE, "reduced_motion": "reduce", "accept_downloads": True, **options}
        context = browser.new_context(**options)
        made.append(context)
        page = context.new_page()
        page.on("console", lambda message: noise.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: noise.append(str(error)))
        page.on("request", lambda asked: noise.append(asked.url) if elsewhere(asked.url, server) else None)
        return Visit(page, server, shots)

    start.noise = noise
    yield start
    for context in made:
        context.close()
    assert noise == []


def elsewhere(url, server):
    parts = urlsplit(url)
    return parts.scheme in ("http", "https") and f"{parts.scheme}://{parts.netloc}" != server.url


def at(server, tile, row, column, layer="ndvi", **more):
    """Return a fragment that shows a pixel of the tile in the middle, as large as the layer goes."""
    entries = server.client.get("/layers").json()["layers"]
    zoom = next(one for one in entries if one["name"] == layer)["maxzoom"]
    lon, lat = place_of(tile, row, column)
    rest = "".join(f"&{name}={value}" for name, value in more.items())
    return f"#at={zoom}/{lat:.7f}/{lon:.7f}&layer={layer}{rest}"


def place_of(tile, row, column):
    crs = TileSpec.of(tile).geobox.crs
    to_degrees = Transformer.from_crs(str(crs), "EPSG:4326", always_xy=True)
    return to_degrees.transform(float(tile.x[column]), float(tile.y[row]))


def ramp(value, name="rdylgn", low=LOW, high=HIGH):
    row = int(256 * (value - low) / (high - low))
    return colormap_table(name)[min(max(row, 0), 255), :3].astype(int)


def close(one, other, most=3):
    return np.abs(np.asarray(one) - np.asarray(other)).max() <= most


ROW, COLUMN = 90, 100


def test_the_page_shows_the_layers_pixels(visit, server, tile):
    page = visit().open()
    page.shoot("light")
    for row, column in ((ROW, COLUMN), (30, 40), (150, 190)):
        page.open(at(server, tile, row, column))
        assert close(page.middle(), ramp(float(tile.ndvi[row, column])))


def test_another_layer_is_picked_with_the_keyboard(visit, server, tile):
    page = visit().open(at(server, tile, ROW, COLUMN))
    page.page.locator("#layer-ndvi").focus()
    page.page.keyboard.press("ArrowDown")
    page.settle()
    legend = server.client.get("/layers/classes/legend.json").json()["classes"]
    color = next(one["color"] for one in legend if one["value"] == int(tile.scl[ROW, COLUMN]))
    assert close(page.middle(), [int(color[i : i + 2], 16) for i in (1, 3, 5)])
    assert "layer=classes" in page.page.url


def test_opacity_mixes_the_layer_with_the_ground(visit, server, tile):
    page = visit().open(at(server, tile, ROW, COLUMN, opacity=50))
    page.page.evaluate("document.querySelector('.graticule').remove()")
    ground = page.page.evaluate("getComputedStyle(document.getElementById('map')).backgroundColor")
    ground = np.array([int(part) for part in re.findall(r"\d+", ground)[:3]])
    assert close(page.middle(), (ramp(float(tile.ndvi[ROW, COLUMN])) + ground) / 2)
    page.page.locator("#opacity").focus()
    page.page.keyboard.press("End")
    assert close(page.middle(), ramp(float(tile.ndvi[ROW, COLUMN])))
    assert page.text("#opacity-value") == "100\xa0%"


def test_two_layers_are_compared_by_swiping(visit, server, tile):
    page = visit().open(at(server, tile, ROW, COLUMN))
    alone = {"ndvi": page.pixels()}
    alone["classes"] = page.open(at(server, tile, ROW, COLUMN, layer="classes")).pixels()
    page.open(at(server, tile, ROW, COLUMN, **{"with": "classes"}))
    page.shoot("swipe")
    x, y = (int(v) for v in page.place())
    both = page.pixels()
    for side, name in ((-60, "ndvi"), (60, "classes")):
        assert close(both[y + 40, x + side], alone[name][y + 40, x + side])
    handle = page.page.locator("#swipe")
    handle.focus()
    page.page.keyboard.press("End")
    assert handle.get_attribute("aria-valuenow") == "100"
    assert close(page.pixels()[y + 40, x + 60], alone["ndvi"][y + 40, x + 60])
    box = handle.bounding_box()
    page.page.mouse.move(box["x"] + box["width"] / 2 - 4, y + 200)
    page.page.mouse.down()
    page.page.mouse.move(x - 120, y + 200)
    page.page.mouse.up()
    assert close(page.pixels()[y + 40, x - 60], alone["classes"][y + 40, x - 60])
    assert abs(int(handle.get_attribute("aria-valuenow")) - 33) <= 2


def test_the_legend_is_drawn_from_the_layers_own_table(visit, server):
    page = visit().open("#layer=ndvi")
    legend = server.client.get("/layers/ndvi/legend.json").json()
    drawn = page.page.evaluate(
        "[...document.querySelector('.ramp').getContext('2d').getImageData(0, 0, 256, 1).data]"
    )
    colors = ["#" + bytes(drawn[i * 4 : i * 4 + 3]).hex() for i in range(256)]
    assert colors == legend["colors"]
    assert page.text("#legend .range").split() == ["−0.2", "0.35", "0.9"]
    page.open("#layer=classes")
    shown = page.page.locator("#legend li").all_inner_texts()
    known = server.client.get("/layers/classes/legend.json").json()["classes"]
    assert [text.split("\n")[0].strip() for text in shown] == [one["name"].replace("_", " ") for one in known]


def test_the_inspector_shows_the_values_of_every_step(visit, server, tile):
    page = visit().open(at(server, tile, ROW, COLUMN))
    page.page.mouse.click(*page.place())
    page.settle()
    page.shoot("inspector")
    steps = page.page.locator("#inspect .step")
    assert steps.locator("h3").all_text_contents() == ["0source", "1NDVI"]
    first = dict(row.split("\t")[:2] for row in steps.nth(0).locator("tr").all_inner_texts())
    for band in ("green", "red", "nir"):
        assert float(first[band]) == pytest.approx(float(tile[band][ROW, COLUMN]), rel=1e-4)
    second = dict(row.split("\t")[:2] for row in steps.nth(1).locator("tr").all_inner_texts())
    assert set(second) == {"ndvi"}
    assert float(second["ndvi"].replace("−", "-")) == pytest.approx(float(tile.ndvi[ROW, COLUMN]), rel=1e-4)


def test_the_inspector_works_with_keys_and_escape_ends_it(visit, server, tile):
    page = visit().open(at(server, tile, 40, 50))
    page.page.locator("#map").focus()
    page.page.keyboard.press("Enter")
    page.settle()
    value = page.page.locator("#inspect .step").nth(1).locator("td").first.inner_text()
    assert float(value.replace("−", "-")) == pytest.approx(float(tile.ndvi[40, 50]), rel=1e-4)
    assert page.page.locator(".marker").count() == 1
    page.page.keyboard.press("Escape")
    assert page.page.locator(".marker").count() == 0
    assert page.page.locator("#inspect .step").count() == 0


def test_statistics_and_histogram_are_those_of_the_view(visit, server, tile):
    page = visit().open("#layer=ndvi&tab=statistics")
    page.page.wait_for_selector("#statistics .histogram")
    page.shoot("statistics")
    values = tile.ndvi.to_numpy()
    values = values[np.isfinite(values)].astype(float)

    def numbers():
        names = page.page.locator("#statistics dt").all_inner_texts()
        return dict(zip(names, page.page.locator("#statistics dd").all_inner_texts(), strict=True))

    for name, value in (("min", values.min()), ("mean", values.mean()), ("max", values.max())):
        assert float(numbers()[name].replace("−", "-")) == pytest.approx(value, rel=1e-3)
    assert f"{values.size:,} valid pixels" in page.text("#statistics")
    counts, _ = np.histogram(values, 64)
    bars = page.page.locator("#statistics rect")
    tall = bars.evaluate_all("bars => bars.map(bar => +bar.getAttribute('height'))")
    assert int(np.argmax(tall)) == int(np.argmax(counts))
    assert [height > 0 for height in tall] == [count > 0 for count in counts]
    page.page.locator("#map").focus()
    with page.page.expect_response(re.compile("/statistics")):
        page.page.keyboard.press("+")
    page.settle()
    sync_api.expect(page.page.locator("[aria-busy]")).to_have_count(0)
    assert f"{values.size:,} valid pixels" not in page.text("#statistics")


def test_classes_are_counted_by_name(visit, tile):
    page = visit().open("#layer=classes&tab=statistics")
    page.page.wait_for_selector("#statistics .shares")
    found, counts = np.unique(tile.scl.to_numpy(), return_counts=True)
    names = dict(zip(tile.scl.flag_values, tile.scl.flag_meanings.split(), strict=True))
    most = names[found[np.argmax(counts)]].replace("_", " ")
    first = page.page.locator("#statistics .shares li").first.inner_text()
    assert first.split("\n")[0] == most
    valid = counts[found != 0].sum()
    assert float(re.search(r"([\d.]+) %", first)[1]) == pytest.approx(100 * counts.max() / valid, rel=1e-2)


def test_the_time_slider_chooses_a_date(visit, server, scenes):
    page = visit()
    asked = []
    page.page.on("request", lambda request: asked.append(request.url))
    first = NDVI()(open_tile(scenes[DAYS[0]]))
    page.open(at(server, first, ROW, COLUMN, layer="series"))
    assert page.text("#time-label") == "All dates"
    slider = page.page.locator("#time-slider")
    for number, day in enumerate(DAYS, start=1):
        asked.clear()
        slider.focus()
        page.page.keyboard.press("ArrowRight")
        page.settle()
        assert page.text("#time-label") == f"{day} · {number} of 3"
        tiles = [url for url in asked if "/tiles/" in url]
        assert tiles
        assert all(f"time={day}" in url for url in tiles)
        values = NDVI()(open_tile(scenes[day])).ndvi
        assert close(page.middle(), ramp(float(values[ROW, COLUMN])))
    page.shoot("time")
    assert page.page.locator("#time-on").is_disabled()
    page.page.locator("#time-back").click()
    assert DAYS[1] in page.text("#time-label")
    assert not page.open("#layer=ndvi").page.locator("#time").is_visible()


def test_the_view_is_downloaded_as_a_cog(visit, server, tile, tmp_path):
    page = visit().open(at(server, tile, ROW, COLUMN))
    with page.page.expect_download() as caught:
        page.page.locator("#download").click()
    path = tmp_path / "view.tif"
    caught.value.save_as(path)
    assert caught.value.suggested_filename == "ndvi.tif"
    lon, lat = place_of(tile, ROW, COLUMN)
    with rasterio.open(path) as found:
        x, y = Transformer.from_crs("EPSG:4326", found.crs, always_xy=True).transform(lon, lat)
        value = next(found.sample([(x, y)]))[0]
        assert found.tags(ns="IMAGE_STRUCTURE").get("LAYOUT") == "COG"
    assert value == pytest.approx(float(tile.ndvi[ROW, COLUMN]), abs=1e-6)
    sync_api.expect(page.page.locator("#download-note")).to_have_text("Saved.")


# ---- the editor ------------------------------------------------------------------------------------------


def editing(visit, server, tile, text=""):
    page = visit().open(at(server, tile, ROW, COLUMN, tab="pipeline"))
    verdict(page, "Valid")
    field = page.page.locator("#yaml")
    field.click()
    page.page.keyboard.press("Control+A")
    page.page.keyboard.press("Delete")
    if text:
        page.page.keyboard.insert_text(text)
        page.page.keyboard.press("Escape")
    return page, field


def verdict(page, text):
    sync_api.expect(page.page.locator("#verdict")).to_have_text(text)


def test_the_editor_starts_from_the_layers_pipeline(visit, server, tile):
    page = visit().open(at(server, tile, ROW, COLUMN, tab="pipeline"))
    verdict(page, "Valid")
    assert page.page.locator("#yaml").input_value() == "_target_: geotoolz.indices.NDVI\n"


def test_operators_and_parameters_are_completed(visit, server, tile):
    page, field = editing(visit, server, tile)
    keyboard = page.page.keyboard
    keyboard.type("_target_: Colorm")
    options = page.page.locator("#completions [role=option]")
    assert options.first.inner_text().startswith("Colormap")
    assert page.page.locator("#completion").is_visible()
    assert field.get_attribute("aria-activedescendant") == "completion-0"
    assert "Paint one band" in page.text("#completion-note")
    keyboard.press("Enter")
    assert field.input_value() == "_target_: geotoolz.viz.Colormap"
    keyboard.press("Enter")
    keyboard.type("ba")
    assert options.all_inner_texts()[0].split("\n") == ["band", "text, required"]
    page.shoot("completion")
    keyboard.press("Tab")
    keyboard.type("ndvi")
    keyboard.press("Enter")
    keyboard.type("scope: ")
    keyboard.press("Control+Space")
    assert options.all_inner_texts() == ["tile", "catalog"]
    keyboard.press("ArrowDown")
    keyboard.press("Enter")
    assert field.input_value() == "_target_: geotoolz.viz.Colormap\nband: ndvi\nscope: catalog"
    keyboard.press("Enter")
    keyboard.press("Control+Space")
    offered = [text.split("\n")[0] for text in options.all_inner_texts()]
    assert "vmin" in offered
    assert not {"band", "scope"} & set(offered)  # they are there
    keyboard.press("Escape")
    assert not page.page.locator("#completion").is_visible()
    keyboard.press("Control+Z")
    assert field.input_value() == "_target_: geotoolz.viz.Colormap\nband: ndvi\nscope: catalog"


def test_a_step_of_a_list_is_completed_with_its_target(visit, server, tile):
    page, field = editing(visit, server, tile, "_target_: geotoolz.core.Sequential\noperators:\n  - ")
    page.page.keyboard.type("NDV")
    page.page.keyboard.press("Enter")
    assert field.input_value().endswith("\n  - _target_: geotoolz.indices.NDVI")
    verdict(page, "Valid")


def test_problems_are_told_with_line_and_column_while_one_types(visit, server, tile):
    text = PAINTED.replace("indices.NDVI", "indices.NDIV").replace("vmax: 1.0", "vmaks: 1.0")
    page, field = editing(visit, server, tile, text)
    verdict(page, "2 errors")
    page.shoot("problems")
    rows = page.page.locator("#problems button")
    assert rows.locator(".where").all_inner_texts() == ["Line 3, column 15", "Line 8, column 5"]
    assert "did you mean 'geotoolz.indices.NDVI'" in rows.nth(0).inner_text()
    assert page.page.locator(".wrong").all_inner_texts() == ["geotoolz.indices.NDIV", "vmaks"]
    assert field.get_attribute("aria-invalid") == "true"
    rows.nth(1).click()
    assert field.evaluate("field => field.value.slice(0, field.selectionStart)").endswith("vmin: 0.0\n    ")
    page.page.keyboard.press("Shift+End")
    page.page.keyboard.insert_text("vmax: 1.0")
    verdict(page, "1 error")
    page.page.locator("#run").click()
    assert page.text("#run-note") == "Not run: the text has errors."


def test_a_pipeline_runs_on_the_view(visit, server, tile):
    page, _ = editing(visit, server, tile, PAINTED)
    page.page.keyboard.press("Control+Enter")
    page.page.wait_for_selector("#run-result .histogram", timeout=60_000)
    page.shoot("run")
    value = float(tile.ndvi[ROW, COLUMN])
    assert close(page.middle(), ramp(value, "viridis", 0.0, 1.0))
    assert page.text("#run-note").startswith("On the map: ")
    assert page.text("#run-result .range >> nth=0").split() == ["0", "0.5", "1"]
    means = dict(zip(page.page.locator("#run-result dt").all_inner_texts(),
                     page.page.locator("#run-result dd").all_inner_texts(), strict=True))  # fmt: skip
    assert tile.ndvi.min() - 1e-3 <= float(means["mean"]) <= tile.ndvi.max() + 1e-3
    page.page.locator("#clear").click()
    assert close(page.middle(), ramp(value))


def test_where_nothing_may_be_run_the_page_says_so(visit, serving, scenes):
    layer = {"name": "only", "source": str(scenes[DAYS[0]]), "bands": ["nir"]}
    with serving({"layers": [layer], "sandbox": {"enabled": False}}) as other:
        page = visit().page
        page.goto(f"{other.url}/workbench/#tab=pipeline")
        sync_api.expect(page.locator("#run-note")).to_have_text("This server runs no pipelines of visitors.")
        assert page.locator("#run").is_disabled()
        page.goto("about:blank")
        visit.noise[:] = [one for one in visit.noise if not one.startswith(other.url)]  # it is another server


def test_a_link_shows_the_same_to_somebody_else(visit, server, tile):
    page, _ = editing(visit, server, tile, PAINTED + "# größer → besser\n")
    verdict(page, "Valid")
    page.page.locator("#share").click()
    page.shoot("share")
    link = page.page.locator("#share-link").input_value()
    page.page.keyboard.press("Escape")
    assert not page.page.locator("#share-dialog").is_visible()
    other = visit()
    other.open(link.partition("/workbench/")[2])
    verdict(other, "Valid")
    assert other.page.locator("#yaml").input_value() == PAINTED + "# größer → besser\n"
    assert close(other.middle(), ramp(float(tile.ndvi[ROW, COLUMN])))
    assert other.page.locator(".leaflet-result-pane img").count() == 0  # nothing runs by itself


@pytest.mark.parametrize(
    "fragment", ["#at=x/y/z", "#layer=<b>&opacity=-3", "#yaml=%%%", "#tab=nowhere&time=never&with=3"]
)
def test_a_broken_link_shows_the_first_layer(visit, fragment):
    page = visit().open(fragment)
    assert page.page.locator("#layer-ndvi").is_checked()
    assert page.page.locator(".leaflet-tile-loaded").count() > 0


# ---- markup, themes, keys, phones ------------------------------------------------------------------------


def test_markup_in_names_and_errors_is_text(visit, server, tile):
    page = visit().open("#layer=classes&with=classes")
    assert page.text("#title") == "Fields <i>and</i> forests"
    assert page.page.title() == "Fields <i>and</i> forests"
    for place in (".layer-title >> nth=1", "#compare option >> nth=2", ".swipe-left"):
        assert page.page.locator(place).text_content() == NAUGHTY
    page.open("#layer=ndvi")
    assert page.text("#attribution") == "simulated <script>alert(1)</script>"
    page, _ = editing(visit, server, tile, '_target_: "<img src=x onerror=alert(1)>"\n')
    verdict(page, "1 error")
    assert "'<img src=x onerror=alert(1)>'" in page.text("#problems")
    for started in (page.page,):
        assert started.locator("main img:not(.leaflet-tile), aside img, aside b, h1 i").count() == 0


def test_a_refusal_of_the_server_is_told_as_text(visit, server, tile):
    page = visit().open(at(server, tile, ROW, COLUMN))
    error = {
        "error": {"code": "x", "message": "<b>no</b> pixel", "fix": "go <i>there</i>", "request_id": "1"}
    }
    page.page.route("**/point?**", lambda route: route.fulfill(status=404, json=error))
    page.page.mouse.click(*page.place())
    page.page.wait_for_selector("#inspect .note")
    assert page.text("#inspect .note") == "<b>no</b> pixel. go <i>there</i>"
    (told,) = visit.noise  # the console names the status
    assert "404" in told
    visit.noise.clear()


def channel(value):
    value /= 255
    return value / 12.92 if value <= 0.03928 else ((value + 0.055) / 1.055) ** 2.4


def contrast(one, other):
    light, dark = sorted((sum(w * channel(v) for w, v in zip((0.2126, 0.7152, 0.0722), c, strict=True))
                          for c in (one, other)), reverse=True)  # fmt: skip
    return (light + 0.05) / (dark + 0.05)


def test_the_ratio_is_that_of_wcag():
    assert contrast((255, 255, 255), (0, 0, 0)) == pytest.approx(21)
    assert contrast((118, 118, 118), (255, 255, 255)) == pytest.approx(4.54, abs=0.01)


COLORS = """() => [...document.querySelectorAll('body *')].filter(one => one.checkVisibility()
  && [...one.childNodes].some(node => node.nodeType === 3 && node.textContent.trim())
  && !one.disabled && !one.closest('.marks, textarea, option, .skip')).map(one => {
    let ground = one;
    const seen = (node) => getComputedStyle(node).backgroundColor;
    while (ground.parentElement && /, 0\\)$|transparent/.test(seen(ground))) ground = ground.parentElement;
    const text = one.textContent.trim().slice(0, 30);
    return [one.tagName + '.' + one.className, text, getComputedStyle(one).color, seen(ground)];
})"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read(visit, server, tile, scheme):
    page = visit(color_scheme=scheme).open(at(server, tile, ROW, COLUMN))
    for tab in ("layers", "inspect", "statistics", "pipeline"):
        page.page.locator(f"#tab-{tab}").click()
        page.settle()
        if tab == "inspect":
            page.page.mouse.click(*page.place())
            page.page.wait_for_selector(".step")
        if tab == "pipeline":
            verdict(page, "Valid")
        page.shoot(f"{scheme}-{tab}")
        texts = page.page.evaluate(COLORS)
        assert len(texts) > 10
        for what, text, *colors in texts:
            one, other = ([int(float(v)) for v in re.findall(r"[\d.]+", color)[:3]] for color in colors)
            assert contrast(one, other) >= 4.5, (what, text, colors)


def test_the_colours_follow_the_system_until_somebody_chooses(visit):
    page = visit(color_scheme="dark").open()
    assert page.pixels()[5, 5].sum() < 150
    button = page.page.locator("#theme")
    assert button.get_attribute("aria-pressed") == "true"
    button.click()
    assert page.pixels()[5, 5].sum() > 700
    page.open()  # the choice is kept
    assert page.pixels()[5, 5].sum() > 700
    assert button.get_attribute("aria-pressed") == "false"


def test_everything_is_reached_with_the_tab_key_in_the_order_of_the_page(visit):
    page = visit().open("#layer=series")
    reached = []
    for _ in range(40):
        page.page.keyboard.press("Tab")
        name = page.page.evaluate("document.activeElement.id || document.activeElement.className")
        if name in reached or name == "":
            break
        reached.append(name)
    wanted = ["skip", "share", "help", "theme", "map", "leaflet-control-zoom-in", "time-slider", "time-on",
              "tab-layers", "layer-series", "opacity", "compare", "whole", "download"]  # fmt: skip
    assert [name for name in reached if name in wanted] == wanted
    page.page.locator("#tab-layers").focus()
    page.page.keyboard.press("ArrowRight")
    assert page.page.evaluate("document.activeElement.id") == "tab-inspect"
    assert page.page.locator("#view-inspect").is_visible()
    page.page.locator("#help").focus()
    page.page.keyboard.press("Enter")
    assert page.page.locator("#help-dialog").is_visible()
    page.shoot("help")
    page.page.keyboard.press("Escape")
    assert not page.page.locator("#help-dialog").is_visible()
    assert page.page.evaluate("document.activeElement.id") == "help"


def test_every_control_has_a_name(visit):
    page = visit().open("#layer=series&with=classes&tab=pipeline")
    nameless = page.page.evaluate(
        """() => [...document.querySelectorAll('button, input, select, textarea, a[href], [tabindex="0"]')]
        .filter(one => !(one.getAttribute('aria-label') || one.textContent.trim() || one.labels?.length))
        .map(one => one.outerHTML)"""
    )
    assert nameless == []
    ids = page.page.evaluate(
        "[...document.querySelectorAll('[aria-controls], [aria-labelledby], [aria-describedby], [for]')]"
        ".flatMap(one => ['aria-controls', 'aria-labelledby', 'aria-describedby', 'for']"
        ".map(name => one.getAttribute(name)))"
        ".filter(id => id && !document.getElementById(id))"
    )
    assert ids == []


@pytest.mark.skipif(
    "GEOTOOLZ_AXE" not in os.environ, reason="GEOTOOLZ_AXE names no axe.min.js (npm pack axe-core)"
)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser, server, scheme):
    context = browser.new_context(
        viewport=SIZE, color_scheme=scheme, reduced_motion="reduce", bypass_csp=True
    )
    page = Visit(context.new_page(), server, Path())
    page.open("#layer=series&with=classes")
    page.page.add_script_tag(path=os.environ["GEOTOOLZ_AXE"])
    for tab in ("layers", "inspect", "statistics", "pipeline"):
        page.page.locator(f"#tab-{tab}").click()
        page.settle()
        found = page.page.evaluate(
            "axe.run().then(r => r.violations.map(v => [v.id, v.nodes.map(n => n.html)]))"
        )
        assert found == []
    context.close()


def test_the_page_fits_a_phone(visit, server, tile):
    page = visit(viewport={"width": 390, "height": 844}, device_scale_factor=2, has_touch=True)
    for tab in ("layers", "pipeline"):
        page.open(at(server, tile, ROW, COLUMN, layer="series", tab=tab))
        page.shoot(f"phone-{tab}")
        assert page.page.evaluate("document.documentElement.scrollWidth") == 390
        small = page.page.evaluate(
            "[...document.querySelectorAll('button, select')].filter(b => b.checkVisibility())"
            ".map(b => [b.id, b.getBoundingClientRect()])"
            ".filter(([, r]) => r.width < 24 || r.height < 24).map(([id]) => id)"
        )
        assert small == []
    before = page.page.locator("#map").bounding_box()["height"]
    assert before > 300
    page.page.locator("#fold").click()
    assert page.page.locator("#map").bounding_box()["height"] > before + 200
    assert page.page.locator("#fold").get_attribute("aria-expanded") == "false"
    page.page.locator("#tab-layers").click()
    assert page.page.locator("#view-layers").is_visible()
