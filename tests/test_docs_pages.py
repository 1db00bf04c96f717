"""What the docs say of the code is what the code says; the pages that stand in the navigation exist."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
docs_tile = importlib.import_module("scripts.docs_tile")
docs_operators = importlib.import_module("scripts.docs_operators")
docs_evidence = importlib.import_module("scripts.docs_evidence")
sys.path.remove(str(ROOT))

TILE = docs_tile.PAGE.read_text(encoding="utf-8")


# ---- the tile ----------------------------------------------------------------------------------------------


def test_tables_of_the_tile_are_what_the_code_says():
    assert docs_tile.filled(TILE) == TILE, "run scripts/docs_tile.py --write"


def test_every_table_is_marked_once():
    with pytest.raises(SystemExit, match="bands"):
        docs_tile.filled(TILE.replace("<!-- begin: bands -->", ""))


def test_a_changed_table_is_seen():
    changed = TILE.replace("| `blue` | `B02` |", "| `blue` | `B03` |")
    assert changed != TILE
    assert docs_tile.filled(changed) == TILE


def test_the_schemas_stand_in_the_page():
    from geotoolz.core import POSTPROCESSED, PREPROCESSED, SEGMENTED

    for schema in (PREPROCESSED, SEGMENTED, POSTPROCESSED):
        assert schema.to_markdown() in TILE
        for name in schema.variables:
            assert f"| `{name}`" in TILE


def test_every_quantity_is_told():
    """Every value of `quantity` that stands in the sources has a row in the table."""
    known = set()
    for path in [*ROOT.glob("packages/*/src/**/*.py"), *ROOT.glob("geotoolz-nextgen/src/**/*.py")]:
        known.update(
            re.findall(
                r"""(?<![\w.])"?quantity"?\s*(?:=|:|==|!=)\s*"([a-z_]+)\"""", path.read_text(encoding="utf-8")
            )
        )
    assert {"dn", "stretched", "flags", "mask", "index"} <= known
    assert {name for name in known if f"| `{name}` |" not in TILE} == set()


def test_every_sensor_and_role_is_told():
    from geotoolz.core._sensors import ROLES, SENSOR_BANDS
    from geotoolz.io import TABLES

    assert set(SENSOR_BANDS) == set(TABLES)
    for platform in TABLES:
        assert re.search(rf"\*\*.*\b{platform}\b.*\*\*", TILE), platform
    for role in ROLES:
        assert f"| `{role}` |" in TILE


# ---- the operators -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def entries():
    return docs_operators.entries()


def test_every_operator_is_in_the_reference(entries):
    from geotoolz.core import registered_operators

    page = docs_operators.page()
    registered = registered_operators(announced_only=True)
    assert {entry.path for entry in entries} == set(registered)
    for path in registered:
        assert page.count(f"][{path}]") == 1, path
        assert f"][{path}]" in docs_operators.module_table(path.rpartition(".")[0])


def test_no_operator_without_a_plan_or_a_reason(entries):
    """All have an example, except those that nobody can plan."""
    unplanned = {e.name for e in entries if e.footprint == "–" and e.kind != "part of a step"}
    assert unplanned == {"FromFunction", "Raise", "Tap"}


def test_what_the_reference_says(entries):
    by_name = {entry.name: entry for entry in entries}
    ndvi, box, clip = by_name["NDVI"], by_name["BoxMean"], by_name["PercentileClip"]
    assert (ndvi.verb, ndvi.writes, ndvi.footprint, ndvi.kind) == (
        "compute_ndvi",
        "`ndvi` (float32)",
        "the pixel",
        "map",
    )
    assert "`red='red'` *role*" in ndvi.parameters
    assert "Rouse" in ndvi.source
    assert box.footprint == "3 pixels around"
    assert clip.kind == "needs freezing"
    assert "statistics" in clip.footprint
    assert by_name["WriteCOG"].tags == "`writes_files`"
    assert by_name["Reproject"].footprint == "pixels of another grid"


def test_no_cell_breaks_the_table():
    for line in docs_operators.page().splitlines():
        if line.startswith("| ") and "---" not in line:
            assert len(re.findall(r"(?<!\\)\|", line)) == 8, line


def test_no_cell_of_the_evidence_is_empty():
    made = docs_evidence.rows()
    for row in made:
        assert len(row) == len(docs_evidence.HEAD) and all(cell.strip(" –") for cell in row), row
    for one in docs_evidence.evidence():
        assert one.deviation <= one.bound, one


def test_every_operator_is_compared_or_says_why_not(entries):
    compared = {one.path for one in docs_evidence.evidence()}
    reasons = {f"{suite.module}.{name}" for _, suite in docs_evidence.suites() for name in suite.exempt}
    assert {entry.path for entry in entries} == compared | reasons


# ---- navigation, README ------------------------------------------------------------------------------------


def test_navigation_names_pages_that_exist():
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    nav = text[text.index("\nnav:") :]
    for page in re.findall(r": ([\w/-]+\.md)", nav):
        assert (ROOT / "docs" / page).is_file(), page
    folders = [ROOT / "docs" / name for name in ("guide", "concepts", "howto")]
    written = {p.relative_to(ROOT / "docs").as_posix() for folder in folders for p in folder.glob("*.md")}
    assert written <= set(re.findall(r": ([\w/-]+\.md)", nav))


def test_readme_is_short_and_has_two_pictures_and_two_commands():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    before, _, after = text.partition("The only prerequisite")
    lines = [line for line in before.splitlines() if line and not line.startswith(("#", "!["))]
    assert 5 <= len(lines) <= 10
    assert re.findall(r"^\$ (.+)$", after, re.MULTILINE) == ["uv run geotoolz demo", "uv run pytest"]
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)
    assert pictures == ["docs/assets/readme.png", "docs/assets/architecture.svg"]
    assert all((ROOT / picture).stat().st_size <= 300_000 for picture in pictures)


def test_operators_have_their_signature_in_the_docs():
    griffe = pytest.importorskip("griffe")
    sys.path.insert(0, str(ROOT))
    extension = importlib.import_module("scripts.griffe_operators").OperatorSignatures
    sys.path.remove(str(ROOT))
    sources = [str(path) for path in [*ROOT.glob("packages/*/src"), ROOT / "geotoolz-nextgen/src"]]
    loader = griffe.GriffeLoader(search_paths=sources, extensions=griffe.load_extensions(extension))
    package = loader.load("geotoolz")
    ndvi, clip = package["indices.NDVI"], package["radiometry.PercentileClip"]
    assert [(p.name, p.default) for p in ndvi.parameters][1:] == [
        ("red", "'red'"),
        ("nir", "'nir'"),
        ("name", "'ndvi'"),
    ]
    assert [p.name for p in clip.parameters][1:] == [
        "p_min",
        "p_max",
        "bands",
        "limits",
        "scope",
        "sample_cell",
    ]
