"""Keys in a real browser: it asks for the password, and the page's own requests carry it."""

from __future__ import annotations

import re

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")  # playwright's own pipes

KEY = "a-secret-of-the-tests"


@pytest.fixture(scope="module")
def locked(serving, scenes):
    source = str(next(iter(scenes.values())))
    layers = [{"name": "nir", "source": source, "bands": ["nir"], "colormap": "magma"}]
    with serving({"layers": layers, "api_keys": [KEY], "sandbox": {"rate_per_minute": 1000}}) as found:
        yield found


def test_the_key_is_the_password_that_the_browser_asks_for(browser, locked):
    # without "always" Chromium sends the password only where the answer's scheme makes it ask
    context = browser.new_context(http_credentials={"username": "anybody", "password": KEY})
    statuses = {}
    try:
        page = context.new_page()
        page.on("response", lambda one: statuses.setdefault(one.url, []).append(one.status))
        page.goto(f"{locked.url}/workbench/#tab=pipeline")
        page.wait_for_selector("html[data-ready]", state="attached")
        valid = sync_api.expect(page.locator("#verdict"))
        # the layer's own colours, not the map that all have by default
        sync_api.expect(page.locator("#yaml")).to_have_value(re.compile("\ncmap: magma\n"))
        valid.to_have_text("Valid", timeout=60_000)  # the first one imports the operators
        page.locator("#yaml").fill("_target_: geotoolz.indices.NDVI\n")
        valid.to_have_text("Valid", timeout=60_000)
        page.locator("#run").click()
        page.wait_for_selector("#run-result .histogram", timeout=60_000)
        shown = page.locator("#legend .range").inner_text().split()
    finally:
        context.close()
    assert len(shown) == 3 and shown != ["−1", "0", "1"]  # of the view, not the index's own
    assert all(codes[-1] == 200 for codes in statuses.values()), statuses
    assert any("/tiles/nir/" in url for url in statuses)
