"""The map: pixels, layers, opacity, swiping, time, sharing, the view as a file."""

from __future__ import annotations

import re

import numpy as np
import pytest
import rasterio
from pyproj import Transformer

from geotoolz.indices import NDVI
from geotoolz.io import open_tile

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")  # playwright's own pipes

ROW, COLUMN = 90, 100
DAYS = ("2023-05-04", "2023-06-18", "2023-07-23")
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


def test_the_page_shows_the_layers_pixels(visit, server, tile, at, ramp, close):
    page = visit().open()
    page.shoot("light")
    for row, column in ((ROW, COLUMN), (30, 40), (150, 190)):
        page.open(at(server, tile, row, column))
        assert close(page.middle(), ramp(float(tile.ndvi[row, column])))


def test_another_layer_is_picked_with_the_keyboard(visit, server, tile, at, close):
    page = visit().open(at(server, tile, ROW, COLUMN))
    page.page.locator("#layer-ndvi").focus()
    page.page.keyboard.press("ArrowDown")
    page.settle()
    legend = server.client.get("/layers/classes/legend.json").json()["classes"]
    color = next(one["color"] for one in legend if one["value"] == int(tile.scl[ROW, COLUMN]))
    assert close(page.middle(), [int(color[i : i + 2], 16) for i in (1, 3, 5)])
    assert "layer=classes" in page.page.url


def test_opacity_mixes_the_layer_with_the_ground(visit, server, tile, at, ramp, close):
    page = visit().open(at(server, tile, ROW, COLUMN, opacity=50))
    page.page.evaluate("document.querySelector('.graticule').remove()")
    ground = page.page.evaluate("getComputedStyle(document.getElementById('map')).backgroundColor")
    ground = np.array([int(part) for part in re.findall(r"\d+", ground)[:3]])
    assert close(page.middle(), (ramp(float(tile.ndvi[ROW, COLUMN])) + ground) / 2)
    page.page.locator("#opacity").focus()
    page.page.keyboard.press("End")
    assert close(page.middle(), ramp(float(tile.ndvi[ROW, COLUMN])))
    assert page.text("#opacity-value") == "100\xa0%"


def test_two_layers_are_compared_by_swiping(visit, server, tile, at, close):
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


def test_the_time_slider_chooses_a_date(visit, server, scenes, at, ramp, close):
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


def test_the_view_is_downloaded_as_a_cog(visit, server, tile, tmp_path, at, place_of):
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


def test_a_link_shows_the_same_to_somebody_else(visit, server, tile, ramp, close, editing, verdict):
    page, _ = editing(server, tile, PAINTED + "# größer → besser\n")
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
