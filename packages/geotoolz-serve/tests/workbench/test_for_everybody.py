"""Markup is text; everything can be read, reached with keys, and used on a phone, in light and dark."""

from __future__ import annotations

import os
import re

import pytest

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")  # playwright's own pipes

ROW, COLUMN = 90, 100
COLORS = """() => [...document.querySelectorAll('body *')].filter(one => one.checkVisibility()
  && [...one.childNodes].some(node => node.nodeType === 3 && node.textContent.trim())
  && !one.disabled && !one.closest('.marks, textarea, option, .skip')).map(one => {
    let ground = one;
    const seen = (node) => getComputedStyle(node).backgroundColor;
    while (ground.parentElement && /, 0\\)$|transparent/.test(seen(ground))) ground = ground.parentElement;
    const text = one.textContent.trim().slice(0, 30);
    return [one.tagName + '.' + one.className, text, getComputedStyle(one).color, seen(ground)];
})"""


def test_markup_in_names_and_errors_is_text(visit, server, tile, editing, verdict):
    page = visit().open("#layer=classes&with=classes")
    assert page.text("#title") == "Fields <i>and</i> forests"
    assert page.page.title() == "Fields <i>and</i> forests"
    for place in (".layer-title >> nth=1", "#compare option >> nth=2", ".swipe-left"):
        assert page.page.locator(place).text_content() == server.state.settings.layers[1].title
    page.open("#layer=ndvi")
    assert page.text("#attribution") == "simulated <script>alert(1)</script>"
    page, _ = editing(server, tile, '_target_: "<img src=x onerror=alert(1)>"\n')
    verdict(page, "1 error")
    assert "'<img src=x onerror=alert(1)>'" in page.text("#problems")
    for started in (page.page,):
        assert started.locator("main img:not(.leaflet-tile), aside img, aside b, h1 i").count() == 0


def test_a_refusal_of_the_server_is_told_as_text(visit, server, tile, at):
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


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read(visit, server, tile, scheme, at, verdict):
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
def test_axe_finds_nothing(visit, scheme):
    page = visit(color_scheme=scheme, bypass_csp=True).open("#layer=series&with=classes")
    page.page.add_script_tag(path=os.environ["GEOTOOLZ_AXE"])
    for tab in ("layers", "inspect", "statistics", "pipeline"):
        page.page.locator(f"#tab-{tab}").click()
        page.settle()
        found = page.page.evaluate(
            "axe.run().then(r => r.violations.map(v => [v.id, v.nodes.map(n => n.html)]))"
        )
        assert found == []


def test_the_page_fits_a_phone(visit, server, tile, at):
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
