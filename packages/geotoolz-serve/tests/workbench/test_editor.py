"""The editor: completion, problems while one types, runs on the view."""

from __future__ import annotations

import pytest

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


def test_the_editor_starts_from_the_layers_pipeline(visit, server, tile, at, verdict):
    page = visit().open(at(server, tile, ROW, COLUMN, tab="pipeline"))
    verdict(page, "Valid")
    assert page.page.locator("#yaml").input_value() == "_target_: geotoolz.indices.NDVI\n"


def test_operators_and_parameters_are_completed(visit, server, tile, editing):
    page, field = editing(server, tile)
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


def test_a_step_of_a_list_is_completed_with_its_target(visit, server, tile, editing, verdict):
    page, field = editing(server, tile, "_target_: geotoolz.core.Sequential\noperators:\n  - ")
    page.page.keyboard.type("NDV")
    page.page.keyboard.press("Enter")
    assert field.input_value().endswith("\n  - _target_: geotoolz.indices.NDVI")
    verdict(page, "Valid")


def test_problems_are_told_with_line_and_column_while_one_types(visit, server, tile, editing, verdict):
    text = PAINTED.replace("indices.NDVI", "indices.NDIV").replace("vmax: 1.0", "vmaks: 1.0")
    page, field = editing(server, tile, text)
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


def test_a_pipeline_runs_on_the_view(visit, server, tile, ramp, close, editing):
    page, _ = editing(server, tile, PAINTED)
    page.page.keyboard.press("Control+Enter")
    page.page.wait_for_selector("#run-result .histogram", timeout=60_000)
    page.shoot("run")
    value = float(tile.ndvi[ROW, COLUMN])
    assert close(page.middle(), ramp(value, "viridis", 0.0, 1.0))
    assert page.text("#run-note").startswith("On the map: ")
    assert page.text("#legend .range").split() == ["0", "0.5", "1"]
    means = dict(zip(page.page.locator("#run-result dt").all_inner_texts(),
                     page.page.locator("#run-result dd").all_inner_texts(), strict=True))  # fmt: skip
    assert tile.ndvi.min() - 1e-3 <= float(means["mean"]) <= tile.ndvi.max() + 1e-3
    page.page.locator("#clear").click()
    assert close(page.middle(), ramp(value))
    assert page.text("#legend .range").split() == ["−0.2", "0.35", "0.9"]


def test_where_nothing_may_be_run_the_page_says_so(visit, serving, scenes):
    layer = {"name": "only", "source": str(scenes[DAYS[0]]), "bands": ["nir"]}
    with serving({"layers": [layer], "sandbox": {"enabled": False}}) as other:
        page = visit().page
        page.goto(f"{other.url}/workbench/#tab=pipeline")
        sync_api.expect(page.locator("#run-note")).to_have_text("This server runs no pipelines of visitors.")
        assert page.locator("#run").is_disabled()
        page.goto("about:blank")
        visit.noise[:] = [one for one in visit.noise if not one.startswith(other.url)]  # it is another server
