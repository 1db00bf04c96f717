"""Live validation: every problem, at its line and column, by the sandbox's rules."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geotoolz.core import GeotoolzError, Limits, TileSpec, load_sandboxed
from geotoolz.core.testing import simulate_scene
from geotoolz.serve._validate import Problem, validate

GOOD = """\
_target_: geotoolz.core.Sequential
operators:
  - _target_: geotoolz.indices.NDVI
  - _target_: geotoolz.viz.Colormap
    band: ndvi
    vmin: -0.2
    vmax: 0.9
"""


def marked(text: str, problem: Problem) -> str:
    """Return the characters that a problem underlines."""
    return text.split("\n")[problem.line - 1][problem.column - 1 : problem.end_column - 1]


def test_a_good_text_gives_the_operator_that_the_sandbox_loads() -> None:
    verdict = validate(GOOD)
    assert verdict.problems == ()
    assert verdict.operator == load_sandboxed(GOOD)


@pytest.mark.parametrize(
    ("change", "line", "underlined", "said"),
    [
        (
            ("indices.NDVI", "indices.NDIV"),
            3,
            "geotoolz.indices.NDIV",
            "did you mean 'geotoolz.indices.NDVI'",
        ),
        (("vmin:", "vmim:"), 6, "vmim", "did you mean 'vmin'"),
        (("vmin: -0.2", "vmin: low"), 6, "low", "valid number"),
        (("    band: ndvi\n", ""), 4, "geotoolz.viz.Colormap", "lacks its parameter 'band'"),
        (("band: ndvi", "band: ${band}"), 5, "${band}", "no value for ${band}"),
        (("band: ndvi", "band: ${env:HOME}"), 5, "${env:HOME}", "not allowed here"),
        (("indices.NDVI", "io.WriteCOG"), 3, "geotoolz.io.WriteCOG", "writes_files"),
        (("    vmin: -0.2", "    band: red"), 6, "band: red", "stands twice"),
        (("-0.2", "[1"), 7, ":", "expected ',' or ']'"),
        (("  - _target_: geotoolz.indices.NDVI", "  - 3"), 3, "3", "instance of Operator"),
        (("ndvi\n", "&a ndvi\n"), 5, "band: &a ndvi", "anchors and aliases"),
        (("vmin: -0.2", "vmin: 0.95"), 4, "geotoolz.viz.Colormap", "vmin"),
    ],
)
def test_a_problem_is_told_where_it_stands(
    change: tuple[str, str], line: int, underlined: str, said: str
) -> None:
    text = GOOD.replace(*change)
    (problem,) = validate(text).problems
    assert (problem.line, marked(text, problem)) == (line, underlined)
    assert said in problem.message
    assert problem.severity == "error"


def test_all_problems_of_a_text_are_told_at_once() -> None:
    text = GOOD.replace("NDVI", "NDIV").replace("vmin: -0.2", "vmin: low").replace("vmax", "vmxa")
    assert [(p.line, marked(text, p)) for p in validate(text).problems] == [
        (3, "geotoolz.indices.NDIV"),
        (6, "low"),
        (7, "vmxa"),
    ]


def test_a_missing_band_of_the_layer_is_a_problem_of_its_step() -> None:
    tile = TileSpec.of(simulate_scene((8, 8), bands=("red", "green"), raw=False))
    (problem,) = validate(GOOD, tile=tile).problems
    assert (problem.line, marked(GOOD, problem)) == (3, "geotoolz.indices.NDVI")
    assert problem.message.startswith("NDVI reads 'nir'")
    assert validate(GOOD, tile=tile).operator is None


def test_a_doubt_is_no_error() -> None:
    tile = TileSpec.of(simulate_scene((8, 8), raw=False))
    text = GOOD.replace("    vmin: -0.2\n    vmax: 0.9\n", "    scope: tile\n")
    verdict = validate(text, tile=tile)
    assert [(p.line, p.severity) for p in verdict.problems] == [(4, "warning")]
    assert verdict.operator is not None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("just words", "is a str"),
        ("- 1", "is a list"),
        ("_target_: geotoolz.core.Ref\nuri: x\nsha256: y", "not allowed here (reads_files)"),
        ("a: " * 70000, "bytes"),
        ("[" * 2000, "nested more than 32 levels"),
        ("_target_: 3", "import path"),
    ],
)
def test_texts_that_are_no_pipeline(text: str, said: str) -> None:
    problems = validate(text).problems
    assert any(said in problem.message for problem in problems)


def test_the_limits_of_the_settings_hold() -> None:
    (problem,) = validate(GOOD, max_steps=2).problems
    assert "3 operators" in problem.message
    (problem,) = validate(GOOD, limits=Limits(scalar=10)).problems
    assert problem.line == 1
    assert "at most 10" in problem.message


def test_nothing_is_imported() -> None:
    sys.modules.pop("this", None)
    (problem,) = validate("_target_: this.Zen").problems
    assert "public registry" in problem.message
    assert "this" not in sys.modules


WORDS = (
    "_target_: |geotoolz.core.Sequential|operators:|\n|  |- |geotoolz.indices.NDVI|red: |nir|[|]|{|}"
    "|: |${x}|${x:1}|1e400|'|&a|*a|!!int|é|\t|#|null|>\n"
)
pieces = st.sampled_from(WORDS.split("|"))


@given(st.lists(pieces | st.characters(), max_size=30).map("".join))
@settings(max_examples=300, deadline=None)
def test_whatever_is_typed_the_verdict_is_the_sandboxs(text: str) -> None:
    verdict = validate(text)
    try:
        loaded = load_sandboxed(text)
    except GeotoolzError:
        loaded = None
    assert verdict.operator == loaded
    assert (loaded is None) == any(p.severity == "error" for p in verdict.problems)
    lines = text.split("\n")
    for problem in verdict.problems:
        assert 1 <= problem.line <= len(lines)
        assert 1 <= problem.column < problem.end_column
        assert problem.message
