"""YAML 1.2, line numbers, and values that come back as they went."""

from __future__ import annotations

import math
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from geotoolz.core import ConfigError
from geotoolz.core._yaml import dump_yaml, parse, scalar

CORE_SCHEMA = {
    "no": "no",
    "off": "off",
    "yes": "yes",
    "y": "y",
    "NO": "NO",
    "true": True,
    "True": True,
    "FALSE": False,
    "tRue": "tRue",
    "~": None,
    "null": None,
    "NULL": None,
    "nULL": "nULL",
    "010": 10,
    "0o10": 8,
    "0x1F": 31,
    "0b11": "0b11",
    "1_000": "1_000",
    "-5": -5,
    "+5": 5,
    "1e3": 1000.0,
    "1e-5": 1e-5,
    "1e22": 1e22,
    ".5": 0.5,
    "5.": 5.0,
    "-.5": -0.5,
    "1.5E+3": 1500.0,
    "1e": "1e",
    ".": ".",
    "..": "..",
    ".e1": ".e1",
    ".inf": math.inf,
    "-.INF": -math.inf,
    "inf": "inf",
    "nan": "nan",
    "2024-01-01": "2024-01-01",
    "12:30:45": "12:30:45",
    "1,5": "1,5",
    "=": "=",
    "B04": "B04",
}


@pytest.mark.parametrize(("text", "value"), CORE_SCHEMA.items())
def test_core_schema(text: str, value: Any) -> None:
    got = parse(f"a: {text}").value["a"]
    assert got == value
    assert type(got) is type(value)


def test_nan_and_quotes() -> None:
    assert math.isnan(scalar(".nan"))
    assert parse("a: '5'\nb: \"true\"\nc: |\n  7").value == {"a": "5", "b": "true", "c": "7"}
    assert parse("").value is None
    assert parse("1: x\ntrue: y").value == {"1": "x", "true": "y"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb:\n  c: 1\n  c: 2", "line 4: the key 'c' stands twice"),
        ("a: 1\n'a': 2", "line 2: the key 'a' stands twice"),
        ("a: [1", "line 1"),
        ("a: 1\n b: 2", "line 2"),
        ("a: 1\n---\nb: 2", "line 2"),
        ("\tx: 1", "line 1"),
        ("a: &x {b: 1}\nc:\n  <<: *x", "line 3: merge keys"),
        ("? [a]\n: 1", "line 1: a key is no plain text"),
        ("a: !!python/object/apply:os.system [ls]", "line 1: tags"),
        ("a: !x 1", "line 1: tags"),
        ("a: !!str 5", "line 1: tags"),
        ("a: !!set {b}", "line 1: tags"),
        ("a: *nobody", "line 1"),
        ("&a [*a]", "nested too deeply, or an alias holds itself"),
        ("[" * 5000, "line|nested"),
        ("a: \x00", "special characters"),
        ("a: " + "9" * 5000, "5000 digits"),
    ],
    ids=lambda v: repr(v)[:30],
)
def test_broken_texts(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse(text)


def test_aliases_are_read_where_the_text_is_trusted() -> None:
    assert parse("a: &x [1, 2]\nb: *x").value == {"a": [1, 2], "b": [1, 2]}


def test_lines_of_paths() -> None:
    lines = parse(
        "# a comment\n_target_: x\noperators:\n- _target_: y\n  limits:\n    red: [1,\n      2]\n"
    ).lines
    assert lines == {
        "": 2,
        "_target_": 2,
        "operators": 4,
        "operators[0]": 4,
        "operators[0]._target_": 4,
        "operators[0].limits": 6,
        "operators[0].limits[red]": 6,
        "operators[0].limits[red][0]": 6,
        "operators[0].limits[red][1]": 7,
    }


AWKWARD = [
    "",
    " ",
    "no",
    "~",
    "1e3",
    "1e-5",
    "010",
    "0o7",
    "0x1",
    ".5",
    "null",
    "true",
    "- a",
    "a: b",
    "a #b",
    "#",
    "*x",
    "&x",
    "!x",
    "%",
    "@",
    "`",
    "'",
    '"',
    "\\",
    "[",
    "{",
    "|",
    ">",
    "?",
    ":",
    "-",
    "---",
    "...",
    "<<",
    "=",
    "é",
    "日本",
    "😀",
    "a\nb",
    "a\n",
    "\n",
    "\ta",
    "a ",
    " a",
    "\x85",
    "\u2028",
    "a" * 500,
    "word " * 60,
    "x\ry",
    "2024-01-01",
]


@pytest.mark.parametrize("text", AWKWARD, ids=lambda v: repr(v)[:20])
def test_awkward_strings_come_back(text: str) -> None:
    assert parse(dump_yaml({"a": text, "b": [text], "c": {"d": text}})).value == {
        "a": text,
        "b": [text],
        "c": {"d": text},
    }
    if text:
        assert parse(dump_yaml({text: 1})).value == {text: 1}


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=6), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(VALUES)
def test_dump_then_parse_is_the_identity(value: Any) -> None:
    got = parse(dump_yaml(value)).value
    assert got == value
    assert repr(got) == repr(value)  # 1 is not 1.0 is not True


@pytest.mark.parametrize("number", [1e-5, 1e22, 1e-300, 1.0, -0.0, 0.1, 123456789.123, 1e16, 5e-324])
def test_floats_are_floats_for_every_reader(number: float) -> None:
    text = dump_yaml({"a": number})
    for got in (parse(text).value["a"], yaml.safe_load(text)["a"]):
        assert type(got) is float
        assert repr(got) == repr(number)
