"""What the page says of pixels: the inspector through the steps, statistics, shares of classes."""

from __future__ import annotations

import re

import numpy as np
import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")  # playwright's own pipes

ROW, COLUMN = 90, 100


def test_the_inspector_shows_the_values_of_every_step(visit, server, tile, at):
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


def test_the_inspector_works_with_keys_and_escape_ends_it(visit, server, tile, at):
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
