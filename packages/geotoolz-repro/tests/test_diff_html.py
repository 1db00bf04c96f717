"""The page with both graphs."""

from __future__ import annotations

import shutil
from html.parser import HTMLParser

import pytest

from geotoolz.core import Branch, Graph, Input, Raise, Sequential, Switch
from geotoolz.diff import config_diff
from geotoolz.diff._topology import topology
from geotoolz.indices import NDVI
from geotoolz.radiometry import BoxMean, SelectBands

RED = SelectBands(("red",))


class Tags(HTMLParser):
    """Collects tags, and what their attributes point to."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.titles: list[str] = []
        self.fills: list[str] = []
        self._in_title = False

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self._in_title = tag == "title"
        held = dict(attrs)
        self.addresses += [held[k] for k in ("src", "href") if k in held]
        if tag == "rect":
            self.fills.append(held["fill"])

    def handle_data(self, data):
        if self._in_title:
            self.titles.append(data)
            self._in_title = False


def read(text: str) -> Tags:
    tags = Tags()
    tags.feed(text)
    return tags


def test_graphs_side_by_side_with_marks():
    diff = config_diff(Sequential([RED, BoxMean(1), NDVI()]), Sequential([BoxMean(2), NDVI()]))
    tags = read(diff.to_html())
    assert tags.tags.count("svg") == 2 and "script" not in tags.tags and "link" not in tags.tags
    assert tags.addresses == []
    # in a: input, removed, changed, same; in b: input, changed, same
    plain, removed, changed = "#f7fafc", "#fde3e3", "#fff4d6"
    assert tags.fills == [plain, removed, changed, plain, plain, changed, plain]
    assert "operators[0]: SelectBands(names=('red',)) (removed)" in tags.titles
    assert "default-src 'none'" in diff.to_html() and diff._repr_html_() in diff.to_html()


def test_what_was_added_is_marked_whole():
    scene = Input("scene")
    one = Graph({"scene": scene}, outputs={"x": RED(scene)})
    sides = Branch({"a": NDVI(), "b": BoxMean(1)}, prefix=True)
    two = Graph({"scene": scene}, outputs={"x": RED(scene), "y": sides(scene)})
    titles = read(config_diff(one, two).to_html()).titles
    assert sum("(added)" in title for title in titles) == 3  # the branch and both of its sides
    assert [title.partition(":")[0] for title in titles if "(rewired)" in title] == [
        "outputs[x]",
        "outputs[x]",
        "outputs[y]",
    ]


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the path (Debian: apt-get install chromium)")
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # playwright's own pipes
def test_in_a_browser_nothing_is_loaded_and_nothing_runs(tmp_path):
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    nasty = "<script>document.title='run'</script><img src=x onerror=\"document.title='run'\">"
    page_file = tmp_path / "diff.html"
    page_file.write_text(config_diff(Raise(nasty), Sequential([Raise(nasty), RED])).to_html())
    with sync_api.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1000, "height": 700})
        asked, told = [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: told.append(message.text))
        page.goto(page_file.as_uri())
        left, right = (svg.bounding_box() for svg in page.locator("svg").all())
        title = page.title()
        browser.close()
    assert asked == [page_file.as_uri()] and told == [] and title == "Difference of two pipelines"
    assert left["y"] == pytest.approx(right["y"], abs=1) and left["x"] + left["width"] < right["x"] + 1


def test_what_users_write_is_escaped():
    nasty = "<script>alert('x')</script>&\"'"
    diff = config_diff(Raise(nasty), Raise("b" + nasty))
    for text in (diff.to_html(), diff._repr_html_()):
        assert "<script" not in text
        assert "script" not in read(text).tags
        assert "&lt;script&gt;" in text
    keyed = config_diff(Switch(nasty, {nasty: RED}), Switch("b", {nasty: RED}))
    assert "<script" not in keyed.to_html()


def test_topology_of_every_shape():
    chain = topology(Sequential([RED, Sequential([BoxMean(1)])]))
    assert [(b.path, b.layer) for b in chain] == [
        ("inputs[tile]", 0),
        ("operators[0]", 1),
        ("operators[1].operators[0]", 2),
    ]
    sides = {b.path: b for b in topology(Sequential([Branch({"a": RED, "b": BoxMean(1)}), NDVI()]))}
    assert [o.path for o in sides["operators[1]"].inlets] == [
        "operators[0].branches[a]",
        "operators[0].branches[b]",
    ]
    assert sides["operators[0].branches[b]"].inlets[0].note == "b"
    cases = {b.path: b for b in topology(Switch("platform", {"x": RED}, default=BoxMean(1)))}
    assert cases["default"].inlets[0].note == "otherwise"
    one, two = Input("one"), Input("two")
    both = {
        b.path: b
        for b in topology(Graph({"one": one, "two": two}, outputs={"r": RED(one), "s": BoxMean(1)(two)}))
    }
    assert [o.path for o in both["outputs[s]"].inlets] == ["nodes[s][operator]"]
    assert both["nodes[s][operator]"].inlets[0].path == "inputs[two]" and both["inputs[two]"].layer == 0


@pytest.mark.parametrize("name", ["ndvi", "water", "cloud-mask", "true-color", "burn-severity"])
def test_presets_can_be_drawn(name):
    assert "<svg" in config_diff(name, "ndvi").to_html()


def test_every_kind_of_difference_has_its_mark_in_the_legend():
    from geotoolz.diff._changes import SIGNS
    from geotoolz.diff._svg import LEGEND

    assert {kind for kind, _, _ in LEGEND} == set(SIGNS)
