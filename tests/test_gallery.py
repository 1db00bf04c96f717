"""Every page of the gallery runs and prints what it says; the runner sees when one does not."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
gallery = importlib.import_module("scripts.gallery")
docs_gallery = importlib.import_module("scripts.docs_gallery")
sys.path.remove(str(ROOT))

PAGES = gallery.pages()
WATCHER = ROOT / "packages" / "geotoolz-repro" / "tests" / "helpers" / "gtz_gallery.py"
#: pages after which nothing is run again, and why
NOTHING_TO_RERUN = {"x4-survives": "the bare NDVI of other pages, in processes that it kills"}


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page_prints_what_it_says(page, tmp_path, monkeypatch):
    """And every pipeline that a page runs, and that can be saved, gives the same bits again in any cut."""
    pytest.importorskip("matplotlib")  # of the docs group
    monkeypatch.setenv("GEOTOOLZ_GALLERY_WATCH", str(WATCHER))
    outcome = gallery.run(page, tmp_path)
    if outcome.skipped:
        pytest.skip(outcome.skipped)
    assert not gallery.problems(outcome), "\n".join(gallery.problems(outcome))
    shown = gallery.rendered(page, outcome)
    assert shown.pictures, "a page without a picture"
    for name, data in shown.pictures.items():
        assert f"({name})" in shown.markdown
        assert len(data) < gallery.LARGEST, name
    reruns = outcome.watched["reruns"]
    assert bool(reruns) != (page.stem in NOTHING_TO_RERUN)
    assert [one for one in reruns if set(one["tiers"].values()) != {"bit-exact"}] == []
    reasons = ("not to be saved:", "refuses a part of its scene:")
    assert [why for why in outcome.watched["left"].values() if not why.startswith(reasons)] == []
    gallery.remember(page, outcome.folder)  # the documentation shows this run


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page_has_the_form(page):
    cells = gallery.parse(page.read_text(encoding="utf-8"))
    texts = [cell.text for cell in cells if cell.kind == "markdown"]
    row = page.stem.partition("-")[0].upper()
    assert texts[0].startswith(f"# {row} · ")
    assert "**Who needs this:**" in texts[0]
    assert texts[-1].startswith("## When not to use it")
    assert cells[-1].kind == "markdown"
    assert any(cell.expected for cell in cells)


def test_the_index_has_every_page_with_its_packages():
    index = docs_gallery.index("# Gallery\n\n", PAGES)
    for page in PAGES:
        assert index.count(f"({page.stem}.md)") == 1
    u2 = docs_gallery.row_of(gallery.FOLDER / "u2-etl.py")
    assert {"geotoolz-core", "geotoolz-cloud", "geotoolz-indices"} <= set(u2.packages)
    assert {"batch", "Ray"} <= set(u2.drivers)


# ---- the runner --------------------------------------------------------------------------------------------

HEAD = "# %% [markdown]\n# # T1 · A page\n#\n# What it is *about*.\n\n"


def run_text(tmp_path, text):
    page = tmp_path / "t1-page.py"
    page.write_text(HEAD + text, encoding="utf-8")
    return page, gallery.run(page, tmp_path / "run")


def test_prints_values_and_pictures(tmp_path):
    pytest.importorskip("matplotlib")
    text = (
        "# %%\nimport matplotlib.pyplot as plt\nplt.plot([1, 2]);\nprint('a\\nb')\n# >>> a\n# >>> b\n\n"
        "# %% hidden\nx = 2\n\n# %%\nx + 1\n# >>> 3\n"
    )
    page, outcome = run_text(tmp_path, text)
    assert gallery.problems(outcome) == []
    shown = gallery.rendered(page, outcome)
    assert (shown.title, shown.lead) == ("T1 · A page", "What it is about.")
    assert list(shown.pictures) == ["t1-page-1-0.png"]
    assert shown.pictures["t1-page-1-0.png"].startswith(b"\x89PNG")
    assert "x = 2" not in shown.markdown
    assert "```text\na\nb\n```" in shown.markdown
    assert ">>>" not in shown.markdown


@pytest.mark.parametrize(
    ("cell", "wrong"),
    [
        ("# %%\nprint(1)\n# >>> 2\n", "should print\n  2\nand printed\n  1"),
        ("# %%\nprint(1)\n", "should print\n  (nothing)\nand printed\n  1"),
        ("# %%\nx = 1\n# >>> 1\n", "and printed\n  (nothing)"),
        ("# %%\n\n1 / 0\n", "line 8, in <module>\n    1 / 0"),
        ("# %%\nimport os\nos._exit(3)\n", "died with 3"),
    ],
)
def test_tells_what_is_wrong(tmp_path, cell, wrong):
    _, outcome = run_text(tmp_path, cell)
    assert wrong in "\n".join(gallery.problems(outcome))


@pytest.mark.parametrize(
    ("want", "got", "rtol", "same"),
    [
        ("in ... s (ray)", "in 1.5 s (ray)", 0, True),
        ("in ... s (ray)", "in 1.5 s (process)", 0, False),
        ("a.c", "abc", 0, False),
        ("1.00 of 20", "1.01 of 20", 0.02, True),
        ("1.00 of 20", "1.03 of 20", 0.02, False),
        ("1.00 of 20", "1.00 in 20", 0.02, False),
        ("1 2", "1 2 3", 0.02, False),
    ],
)
def test_compares_lines(want, got, rtol, same):
    assert gallery.same_text([want], [got], rtol) is same
    assert not gallery.same_text([want], [want, got], rtol)


def test_skips_with_the_reason(tmp_path):
    text = (
        "# %% needs=a_module_that_nobody_has\nprint(1)\n# >>> 1\n\n"
        "# %%\nfrom geotoolz.core.testing import data_path\ndata_path('no such scene')\n\n"
        "# %%\nprint(2)\n# >>> 2\n"
    )
    page, outcome = run_text(tmp_path, text)
    assert gallery.problems(outcome) == []
    assert "no real data 'no such scene'" in outcome.skipped
    shown = gallery.rendered(page, outcome).markdown
    assert "no real data" in shown
    assert "needs a_module_that_nobody_has, which is not installed" in shown
    assert "```text\n2\n```" in shown  # what it would print


def test_writes_what_was_printed(tmp_path):
    text = "# %%\nprint(1)\nprint(2.5)\n# >>> 3\n# >>> ...\n\n# %% [markdown]\n# end\n"
    page, outcome = run_text(tmp_path, text)
    assert gallery.written(page, outcome) == HEAD + text.replace("# >>> 3", "# >>> 1")
