"""Pipelines from text: the right object, or the line, the path and the nearest name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geotoolz.core import (
    Branch,
    ConfigError,
    GeotoolzError,
    Graph,
    Input,
    Limits,
    Merge,
    Operator,
    ParameterError,
    Raise,
    ReadError,
    Sequential,
    Switch,
    Tap,
    UnknownOperatorError,
    UntrustedOperatorError,
    config_hash,
    dump,
    from_function,
    load,
    load_sandboxed,
    registered_operators,
)
from geotoolz.radiometry import BoxMean, DNToReflectance, MinMax, PercentileClip, SelectBands, ToFloat32

TEXT = """\
_target_: geotoolz.core.Sequential
operators:
- _target_: geotoolz.radiometry.SelectBands
  names: [red, nir]
- _target_: geotoolz.radiometry.BoxMean
  radius: 2
"""
SCENE = Input("scene")
PIPELINES = [
    Sequential([]),
    Sequential([SelectBands(["red", "no", "1e3", "~", "é😀", ""]), BoxMean(2)]),
    MinMax(limits={"red": (1e-5, 1e22), "on": (-0.0, float("inf"))}, clip=True),
    MinMax(limits={"red": (float("nan"), float("nan"))}),
    Branch({"a: b": BoxMean(1), "~": PercentileClip(0.1, 99.9)}, prefix=True),
    Switch("platform", {"1": Raise("no: 'x'\n{platform}"), "true": Sequential([ToFloat32()])}, Raise("#")),
    Graph({"scene": SCENE}, outputs={"a": BoxMean(1)(SCENE), "b": Merge(True)(SCENE, BoxMean(2)(SCENE))}),
    DNToReflectance(scale=1e-4, offset=-0.1),
]


@pytest.mark.parametrize("op", PIPELINES, ids=lambda op: repr(op)[:40])
@pytest.mark.parametrize("defaults", [False, True])
def test_dump_then_load(op: Operator, defaults: bool, tmp_path: Path) -> None:
    text = dump(op, defaults=defaults)
    assert load(text) == op
    assert config_hash(load(text)) == config_hash(op)
    path = tmp_path / "p.yaml"
    path.write_text(text, encoding="utf-8")
    assert load(path) == load(str(path)) == op
    assert dump(load(text), defaults=defaults) == text


@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="$"), max_size=8),
        min_size=1,
        max_size=4,
    ),
    st.dictionaries(
        st.sampled_from(["red", "no", "1"]), st.tuples(st.floats(-1e30, 0), st.floats(0, 1e30)), min_size=1
    ),
)
def test_any_parameters_come_back(names: list[str], limits: dict[str, tuple[float, float]]) -> None:
    op = Sequential([SelectBands(names), MinMax(limits=limits)])
    assert load(dump(op)) == op
    assert load(dump(op)).config_hash() == op.config_hash()


@pytest.mark.parametrize(
    ("change", "error", "parts"),
    [
        (("BoxMean", "BoxMeen"), UnknownOperatorError, ["line 5", "operators[1]", "BoxMean'?"]),
        (
            ("geotoolz.radiometry.BoxMean", "BoxMean"),
            UnknownOperatorError,
            ["'geotoolz.radiometry.BoxMean'?"],
        ),
        (
            ("geotoolz.radiometry.BoxMean", "geotoolz.core.BoxMean"),
            UnknownOperatorError,
            ["radiometry.BoxMean"],
        ),
        (("geotoolz.radiometry.BoxMean", "no.such.module.Op"), UnknownOperatorError, ["no.such.module.Op"]),
        (("geotoolz.radiometry.BoxMean", "os.path.join"), ConfigError, ["'os.path.join' is a function"]),
        (("geotoolz.radiometry.BoxMean", "pathlib.Path"), ConfigError, ["no operator"]),
        (("geotoolz.radiometry.BoxMean", "geotoolz.core.Map"), ConfigError, ["no operator"]),
        (("geotoolz.radiometry.BoxMean", "5"), ConfigError, ["_target_ is 5"]),
        (
            ("radius", "raduis"),
            ParameterError,
            ["line 6", "operators[1]", "'raduis'", "did you mean 'radius'"],
        ),
        (("radius: 2", "radius: two"), ParameterError, ["line 6", "radius='two'"]),
        (("radius: 2", "radius: '2'"), ParameterError, ["radius='2'"]),
        (("radius: 2", "radius: 2\n  radius: 3"), ConfigError, ["line 7", "'radius' stands twice"]),
        (("  names: [red, nir]\n", ""), ParameterError, ["line 3", "lacks its parameter 'names'"]),
        (("names: [red, nir]", "names: {}"), ParameterError, ["line 4", "names"]),
        (("_target_: geotoolz.core.Sequential\n", ""), ConfigError, ["_target_"]),
    ],
    ids=lambda v: repr(v)[:50],
)
def test_mistakes(change: tuple[str, str], error: type[Exception], parts: list[str]) -> None:
    with pytest.raises(error) as info:
        load(TEXT.replace(*change))
    for part in parts:
        assert part in str(info.value)


@pytest.mark.parametrize(
    "text",
    [
        "- _target_: a\n",
        "_target_: geotoolz.core.Sequential\noperators: 5\n",
        "_target_:\n",
        "_target_: geotoolz.core.Sequential\noperators:\n",
        "_target_: geotoolz.core.Sequential\noperators: {a: 1}\n",
        "_target_: geotoolz.core.Sequential\noperators: abc\n",
        "_target_: geotoolz.core.Branch\nbranches:\n",
        "_target_: geotoolz.core.Graph\ninputs: scene\noutputs: {a: scene}\n",
        "_target_: geotoolz.core.Graph\ninputs:\noutputs: {a: scene}\n",
        "_target_: geotoolz.core.Graph\ninputs: [s]\noutputs: [s]\n",
        "_target_: geotoolz.core.Graph\ninputs: [s]\nnodes: {n: 5}\noutputs: {a: s}\n",
        "_target_: geotoolz.core.Graph\ninputs: [s]\nnodes: {n: {operator: 1, inputs: [s]}}\noutputs: {a: n}",
        "_target_: geotoolz.core.Switch\nkey: platform\ncases: []\n",
        "_target_: geotoolz.core.Ref\nuri: a\nsha256: b\n",
        "_target_: geotoolz.core.Ref\nuri: a\n",
        "_target_: geotoolz.core.Tap\nfn: print\n",
    ],
)
def test_wrong_structures_are_typed_errors(text: str) -> None:
    with pytest.raises(GeotoolzError):
        load(text)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match=r"absent\.yaml cannot be read"):
        load(tmp_path / "absent.yaml")
    with pytest.raises(ReadError):
        load("Sequential")
    with pytest.raises(ReadError):
        load(tmp_path)
    (tmp_path / "b.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ReadError, match="UTF-8"):
        load(tmp_path / "b.yaml")
    (tmp_path / "c.yaml").write_text(TEXT.replace("radius", "raduis"))
    with pytest.raises(ParameterError, match=r"c\.yaml: line 6, operators\[1\]"):
        load(tmp_path / "c.yaml")


def test_functions_are_not_saved() -> None:
    with pytest.raises(ConfigError, match=r"operators\[1\] \(Tap\) .*take it out"):
        dump(Sequential([BoxMean(), Tap(print)]))
    with pytest.raises(ConfigError, match="cannot be imported"):
        dump(from_function(lambda ds: ds))


# --- ${…} ------------------------------------------------------------------------------------------
def mean(text: str, /, **variables: Any) -> Any:
    return load(f"_target_: geotoolz.radiometry.BoxMean\nradius: {text}\n", variables=variables).radius  # type: ignore[attr-defined]


def test_variables_keep_their_type() -> None:
    assert mean("${r}", r=3) == 3
    assert mean("${r}", r="3") == 3  # as from a command line
    assert mean("${r:4}") == 4
    assert mean("${r:4}", r=5) == 5
    assert load("_target_: geotoolz.core.Raise\nmessage: a ${x} b ${y:z}\n", variables={"x": 1}) == Raise(
        "a 1 b z"
    )
    assert load(
        "_target_: geotoolz.core.Raise\nmessage: ${x:}\nx: 1\n".replace("x: 1\n", ""), variables={"x": "t"}
    ) == Raise("t")
    limits = load("_target_: geotoolz.radiometry.ToFloat32\nbands: ${b}\n", variables={"b": ["red"]})
    assert limits == ToFloat32(("red",))


def test_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEOTOOLZ_TEST_TEXT", "1e3")
    text = "_target_: geotoolz.core.Raise\nmessage: ${env:GEOTOOLZ_TEST_TEXT}\n"
    assert load(text) == Raise("1e3")
    with pytest.raises(ConfigError, match="not allowed here"):
        load_sandboxed(text)
    with pytest.raises(ConfigError, match=r"line 2: the environment has no 'GEOTOOLZ_ABSENT'"):
        load("_target_: geotoolz.core.Raise\nmessage: ${env:GEOTOOLZ_ABSENT}\n")


def test_missing_and_wrong_variables() -> None:
    with pytest.raises(ConfigError, match=r"line 2: no value for \$\{radus\} \(did you mean 'radius'\?\)"):
        mean("${radus}", radius=3)
    with pytest.raises(ParameterError, match="radius='big'"):
        mean("${r}", r="big")
    with pytest.raises(ConfigError, match="digits"):
        mean("${r}", r="9" * 5000)


# --- the sandbox -----------------------------------------------------------------------------------
def test_the_sandbox_takes_plain_pipelines() -> None:
    assert load_sandboxed(TEXT) == load(TEXT)
    assert load_sandboxed(TEXT.replace("2", "${r}"), variables={"r": 2}) == load(TEXT)


def seq(inner: str, n: int = 1) -> str:
    return "_target_: geotoolz.core.Sequential\noperators:\n" + f"- {inner}\n" * n


HOSTILE: dict[str, tuple[str, type[Exception], str]] = {
    "unlisted": (
        "_target_: os.system\ncommand: ls\n",
        UntrustedOperatorError,
        r"'os.system' is not in the public registry",
    ),
    "importable": ("_target_: antigravity.X\n", UntrustedOperatorError, r"not in the public registry"),
    "code": (
        "_target_: geotoolz.core.FromFunction\nfunction: os.getcwd\n",
        UntrustedOperatorError,
        r"not allowed here \(.*code",
    ),
    "code inside": (
        seq("{_target_: geotoolz.core.FromFunction, function: os.getcwd}"),
        UntrustedOperatorError,
        r"operators\[0\].*not allowed here",
    ),
    "code by variable": (
        "_target_: ${x:geotoolz.core.FromFunction}\nfunction: os.getcwd\n",
        UntrustedOperatorError,
        r"not allowed here",
    ),
    "a sink": (
        seq("{_target_: geotoolz.io.WriteCOG, path: x.tif}"),
        UntrustedOperatorError,
        r"not allowed here \(writes_files\)",
    ),
    "a file": (
        seq("{_target_: geotoolz.core.Ref, uri: /etc/passwd, sha256: " + "0" * 64 + "}"),
        UntrustedOperatorError,
        r"Ref is not allowed here",
    ),
    "a function": ("_target_: geotoolz.core.Tap\nfn: print\n", GeotoolzError, r"Tap"),
    "abstract": ("_target_: geotoolz.core.Map\n", UntrustedOperatorError, r"not in the public registry"),
    "alias": (
        "_target_: geotoolz.core.Sequential\noperators: [&a {_target_: geotoolz.radiometry.BoxMean}, *a]\n",
        ConfigError,
        r"line 2: anchors and aliases",
    ),
    "anchor": ("_target_: geotoolz.core.Raise\nmessage: &a x\n", ConfigError, r"line 2: anchors and aliases"),
    "tag": (
        "_target_: geotoolz.core.Raise\nmessage: !!python/name:os.system\n",
        ConfigError,
        r"line 2: tags such as",
    ),
    "merge key": ("_target_: geotoolz.core.Raise\n<<: {message: a}\n", ConfigError, r"line 2: merge keys"),
    "nan": (
        "_target_: geotoolz.radiometry.PercentileClip\np_min: .nan\n",
        ConfigError,
        r"line 2: .nan is not allowed",
    ),
    "infinity": (
        "_target_: geotoolz.radiometry.PercentileClip\np_min: 1e999\n",
        ConfigError,
        r"line 2: 1e999 is not allowed",
    ),
    "nan by default": (
        "_target_: geotoolz.radiometry.MinMax\nlimits: {red: [0, '${x:.nan}']}\n",
        ConfigError,
        r"the number nan is not allowed",
    ),
    "huge": (
        "_target_: geotoolz.radiometry.BoxMean\nradius: " + "9" * 30 + "\n",
        ConfigError,
        r"line 2: the number 9+ is too large",
    ),
    "huge by default": (
        "_target_: geotoolz.radiometry.BoxMean\nradius: ${x:" + "9" * 30 + "}\n",
        ConfigError,
        r"a number of 100 bits",
    ),
    "hexadecimal": (
        "_target_: geotoolz.radiometry.BoxMean\nradius: 0x" + "f" * 900 + "\n",
        ConfigError,
        r"line 2: the number 0xf+ is too large",
    ),
    "depth": ("[" * 40 + "]" * 40, ConfigError, r"line 1: nested more than 32"),
    "great depth": ("[" * 30000, ConfigError, r"line 1: nested more than 32"),
    "nodes": ("[" + "1," * 3000 + "]", ConfigError, r"line 1: more than 2000 values"),
    "size": ("# " + "x" * 70_000 + "\n" + TEXT, ConfigError, r"bytes; expected at most 65536"),
    "long value": (
        "_target_: geotoolz.core.Raise\nmessage: " + "x" * 2000 + "\n",
        ConfigError,
        r"2000 characters; expected at most 1024",
    ),
    "steps": (seq("{_target_: geotoolz.radiometry.BoxMean}", 101), ConfigError, r"102 operators"),
    "surrogate": ("a: \ud800", ConfigError, r"special characters"),
    "path": ("/etc/passwd", ConfigError, r"the configuration is a str"),
    "nothing": ("", ConfigError, r"the configuration is empty"),
}


@pytest.mark.parametrize(("text", "error", "said"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_texts(text: str, error: type[Exception], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib

    load_sandboxed(TEXT)  # entry points are loaded
    monkeypatch.setattr(importlib, "import_module", lambda name: pytest.fail(f"imported {name}"))
    with pytest.raises(error, match=said):
        load_sandboxed(text)


def test_operators_of_this_process_are_not_announced() -> None:
    own = {path for path, cls in registered_operators().items() if "tests" in cls.__module__}
    assert not own & set(registered_operators(announced_only=True))


def test_limits_are_adjustable() -> None:
    with pytest.raises(ConfigError, match="at most 10"):
        load_sandboxed(TEXT, limits=Limits(size=10))
    with pytest.raises(ConfigError, match=r"3 operators.*at most 2"):
        load_sandboxed(TEXT, max_steps=2)


def test_messages_of_strangers_cannot_reach_into_objects(make: Any) -> None:
    ds = make()
    for message in ("{tile_id.__class__}", "{tile_id:>99999999999}", "{", "}", "{0}", "{}", "{tile_id!r}"):
        with pytest.raises(GeotoolzError) as info:
            load_sandboxed(dump(Raise(message)))(ds)
        assert str(info.value) == message
    with pytest.raises(GeotoolzError, match=r"t1 is no scene of \{nobody\}"):
        Raise("{tile_id} is no scene of {nobody}")(ds)


def test_the_registry_lists_what_really_stands_at_a_path() -> None:
    class Impostor(Sequential):
        __qualname__ = "Impostor"
        __module__ = "geotoolz.core._nowhere"

    assert Impostor.target() == "geotoolz.core.Impostor"
    assert "geotoolz.core.Impostor" not in registered_operators()
    with pytest.raises(UntrustedOperatorError):
        load_sandboxed("_target_: geotoolz.core.Impostor\n")


# ---- what mutations of the loader showed to be untested


def test_a_place_without_a_value_is_named_with_its_line_in_lists_of_lists() -> None:
    text = (
        "_target_: geotoolz.core.Sequential\noperators:\n- _target_: geotoolz.radiometry.SelectBands\n"
        "  names:\n  - red\n  - ${band}\n"
    )
    with pytest.raises(ConfigError, match=r"line 6.*band"):
        load(text)
    with pytest.raises(ConfigError, match=r"line 4.*radius"):
        load(
            "_target_: geotoolz.core.Sequential\noperators:\n- _target_: geotoolz.radiometry.BoxMean\n"
            "  radius: ${radius}\n"
        )


def test_the_sandbox_knows_classes_by_their_last_name() -> None:
    with pytest.raises(UntrustedOperatorError, match=r"did you mean 'geotoolz\.radiometry\.BoxMean'"):
        load_sandboxed("_target_: BoxMean\n")


def test_a_value_may_be_as_long_as_the_limit_and_no_longer() -> None:
    text = "_target_: geotoolz.radiometry.SelectBands\nnames: [{}]\n"
    limits = Limits(scalar=40)
    assert load_sandboxed(text.format("b" * 40), limits=limits)
    with pytest.raises(ConfigError, match="41 characters"):
        load_sandboxed(text.format("b" * 41), limits=limits)


def test_texts_that_would_be_read_as_something_else_are_quoted() -> None:
    assert '"1e3"' in dump(SelectBands(("1e3",))) and '"true"' in dump(SelectBands(("true",)))
    assert "names: [red]" in dump(SelectBands(("red",)))


def test_infinite_parameters_have_a_fixed_place_in_the_hash() -> None:
    from geotoolz.core._config import normalised

    assert normalised([float("inf"), float("-inf"), 2**53, 2**53 + 1]) == [
        "Infinity",
        "-Infinity",
        2**53,
        "9007199254740993",
    ]
