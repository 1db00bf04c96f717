"""The workbench in a real browser: what somebody sees and does, against the numbers that it must show.

Screenshots are kept in ``GEOTOOLZ_ARTIFACTS``, or in pytest's own folder.
"""

from __future__ import annotations

import io
import os
import shutil
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image
from pyproj import Transformer

from geotoolz.catalog import GeoCatalog
from geotoolz.core import TileSpec
from geotoolz.core.testing import write_scene
from geotoolz.indices import NDVI
from geotoolz.io import open_tile
from geotoolz.viz import colormap_table

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NAUGHTY = '<img src=x onerror="document.title=1"> & <b>classes</b>'
DAYS = ("2023-05-04", "2023-06-18", "2023-07-23")
SIZE = {"width": 1100, "height": 720}
LOW, HIGH = -0.2, 0.9
ROW, COLUMN = 90, 100


@pytest.fixture(scope="session")
def scenes(tmp_path_factory):
    """Folders of three scenes of one place, by day."""
    folder = tmp_path_factory.mktemp("scenes")
    made = {}
    for day in DAYS:
        options = {"shape": (200, 220), "bands": ("green", "red", "nir", "scl"), "cloud_cover": 0.1}
        made[day] = write_scene({**options, "datetime": date.fromisoformat(day)}, folder)
    return made


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
def tile(scenes):
    """The scene of the layers ``ndvi`` and ``classes``, with its NDVI."""
    return NDVI()(open_tile(scenes[DAYS[1]]))


@pytest.fixture(scope="session")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no chromium on the path (Debian: apt-get install chromium)")
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


# What tests ask for is handed out by fixtures: test modules cannot import one another.


@pytest.fixture(scope="session")
def place_of():
    """Return what gives longitude and latitude of a pixel: ``place_of(tile, row, column)``."""
    return _place_of


@pytest.fixture(scope="session")
def at():
    """Return what gives the fragment that shows a pixel in the middle, as large as the layer goes."""

    def fragment(server, tile, row, column, layer="ndvi", **more):
        entries = server.client.get("/layers").json()["layers"]
        zoom = next(one for one in entries if one["name"] == layer)["maxzoom"]
        lon, lat = _place_of(tile, row, column)
        rest = "".join(f"&{name}={value}" for name, value in more.items())
        return f"#at={zoom}/{lat:.7f}/{lon:.7f}&layer={layer}{rest}"

    return fragment


@pytest.fixture(scope="session")
def ramp():
    """Return what gives the colour of a value."""

    def color(value, name="rdylgn", low=LOW, high=HIGH):
        row = int(256 * (value - low) / (high - low))
        return colormap_table(name)[min(max(row, 0), 255), :3].astype(int)

    return color


@pytest.fixture(scope="session")
def close():
    """Return what compares colours."""
    return lambda one, other, most=3: np.abs(np.asarray(one) - np.asarray(other)).max() <= most


@pytest.fixture(scope="session")
def verdict():
    """Return what waits for the editor's verdict."""
    from playwright.sync_api import expect

    return lambda page, text: expect(page.page.locator("#verdict")).to_have_text(text)


@pytest.fixture
def editing(visit, at, verdict):
    """Return what opens the editor with a text."""

    def started(server, tile, text=""):
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

    return started


def _place_of(tile, row, column):
    crs = TileSpec.of(tile).geobox.crs
    to_degrees = Transformer.from_crs(str(crs), "EPSG:4326", always_xy=True)
    return to_degrees.transform(float(tile.x[column]), float(tile.y[row]))
