"""The page of chips, as text and in a real browser."""

from __future__ import annotations

import re
import shutil

import numpy as np
import pytest
from odc.geo.geobox import GeoBox

from geotoolz.core import MissingVariableError, ParameterError, WriteError, tile_from_arrays
from geotoolz.learn import ActiveSampler, explore_chips
from geotoolz.metrics import MeanScalar
from geotoolz.patch import GridSampler, PatchGrid

NAUGHTY = "<img src=x onerror='document.title=1'> & \"b\""
CLASSES = {"land": 0, NAUGHTY: 1, "cloud": 4}
GRID = GeoBox.from_bbox((500_000, 5_000_000, 500_160, 5_000_080), "EPSG:32633", resolution=10)


def scene():
    """Return two chips of 8 × 8: 3 of 64 pixels are wrong, and 8 of 48 (16 have no label)."""
    truth, said = np.zeros((8, 16), np.uint8), np.zeros((8, 16), np.uint8)
    truth[0, :3] = 1  # taken for land
    truth[:, 8:10] = 255  # no class
    said[:, 12] = 4  # land taken for cloud
    truth[:, 15] = said[:, 15] = 1
    red = np.linspace(0, 0.3, 128, dtype=np.float32).reshape(8, 16)
    arrays = {"red": red, "truth": truth, "said": said}
    return tile_from_arrays(arrays, GRID, attrs={"tile_id": NAUGHTY})


def page(tmp_path, **more):
    chips = PatchGrid(scene(), GridSampler(8))
    path = explore_chips(chips, tmp_path / "chips.html", CLASSES, label="truth", predicted="said", **more)
    return path, path.read_text(encoding="utf-8")


def test_the_file_stands_alone_and_is_escaped(tmp_path):
    _, text = page(tmp_path, title=NAUGHTY)
    assert "<img src=x" not in text and "&lt;img src=x" in text
    assert "http" not in text and "<link" not in text and not re.search(r"<script[^>]+src", text)
    assert text.count("data:image/png;base64,") == 2 * 4


def test_what_is_wrong_is_counted(tmp_path):
    _, text = page(tmp_path)
    cards = re.findall(r"data-wrong='([\d.]*)' data-score='' data-pairs='([^']*)'", text)
    assert cards == [(f"{3 / 64:.6f}", "0-0 1-0"), (f"{8 / 48:.6f}", "0-0 0-2 1-1")]
    matrix = re.findall(r"data-pair='(\d)-(\d)' aria-pressed='false'>(\d+)<", text)
    counts = {(int(i), int(j)): int(n) for i, j, n in matrix if n != "0"}
    assert counts == {(0, 0): 61 + 32, (1, 0): 3, (0, 2): 8, (1, 1): 8}


def test_without_labels_the_choice_and_its_scores_are_shown(tmp_path):
    chosen = ActiveSampler(GridSampler(8), MeanScalar("red"), k=2)(scene())
    text = explore_chips(chosen, tmp_path / "c.html", CLASSES).read_text(encoding="utf-8")
    assert [float(s) for s in re.findall(r"data-score='([\d.]+)'", text)] == pytest.approx(
        [one.score for one in chosen]
    )
    assert "<table>" not in text


def test_bad_input(tmp_path):
    tile = scene()
    with pytest.raises(ParameterError, match="no chip to show"):
        explore_chips([], tmp_path / "a.html", CLASSES)
    with pytest.raises(ParameterError, match="classes is empty"):
        explore_chips([tile], tmp_path / "a.html", {})
    with pytest.raises(ParameterError, match="holds float32"):
        explore_chips([tile], tmp_path / "a.html", CLASSES, label="red")
    with pytest.raises(MissingVariableError, match="nothing"):
        explore_chips([tile], tmp_path / "a.html", CLASSES, label="nothing")
    (tmp_path / "taken").touch()
    with pytest.raises(WriteError, match="taken"):
        explore_chips([tile], tmp_path / "taken" / "a.html", CLASSES)


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the path (Debian: apt-get install chromium)")
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # playwright's own pipes
def test_in_a_browser(tmp_path):
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path, _ = page(tmp_path)
    with sync_api.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        tab = browser.new_page()
        problems: list[str] = []
        tab.on("pageerror", lambda error: problems.append(str(error)))
        tab.on(
            "request",
            lambda request: problems.append(request.url) if request.url.startswith("http") else None,
        )
        tab.goto(path.as_uri())
        shown = tab.locator("article:visible")
        assert shown.count() == 2 and tab.title() == "Chips"
        tab.select_option("select[name=order]", "wrong")
        assert "chip 1" in tab.locator("article").first.inner_text()
        tab.select_option("select[name=cls]", "2")  # cloud
        assert shown.count() == 1 and tab.locator("#shown").inner_text() == "1 of 2"
        tab.select_option("select[name=cls]", "")
        tab.locator("button[data-pair='1-0']").click()
        assert "chip 0" in shown.first.inner_text() and shown.count() == 1
        tab.locator("button[data-pair='1-0']").click()
        assert shown.count() == 2
        tab.fill("input[name=text]", "chip 1")
        assert shown.count() == 1
        tab.fill("input[name=text]", "")
        tab.locator("input[name=wrong]").fill("10")
        assert shown.count() == 1 and "chip 1" in shown.first.inner_text()
        width = tab.locator("article:visible img").first.evaluate("i => i.naturalWidth")
        assert width == 8
        browser.close()
    assert problems == []
