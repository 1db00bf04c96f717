"""Configuration at its edges: what is just allowed, and what the messages of the rest say."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from geotoolz.core import (
    ArrayParam,
    Branch,
    ConfigError,
    FrozenArray,
    Graph,
    Limits,
    Map,
    ParameterError,
    Raise,
    ReadError,
    Ref,
    Sequential,
    UntrustedOperatorError,
    dump,
    load,
    load_sandboxed,
    registered_operators,
    save,
)
from geotoolz.core._config import from_config, normalised, to_config, unconfigurable
from geotoolz.core._yaml import dump_yaml, parse, scalar
from geotoolz.radiometry import BoxMean, MinMax, SelectBands

TAGS = {"loads_code", "reads_files", "writes_files"}


class _Held(Map):
    """Holds arrays, operators' parameters by name, and whatever a Mapping takes."""

    first: ArrayParam = None
    by_name: Mapping[str, FrozenArray | Ref] | None = None


# ---- limits of a stranger's text --------------------------------------------------------------------------


def test_a_text_may_have_as_many_bytes_as_the_limit_says() -> None:
    text = "a: ä"  # five bytes of four characters
    assert parse(text, limits=Limits(size=5)).value == {"a": "ä"}
    with pytest.raises(ConfigError, match=r"the text has 5 bytes.*at most 4"):
        parse(text, limits=Limits(size=4))
    assert Limits() == Limits(size=65536, depth=32, nodes=2000, scalar=1024)


def test_blocks_may_be_nested_as_deep_as_the_limit_says() -> None:
    text = "a:\n  b:\n    c: 1\nd:\n  e: 1\n"
    assert parse(text, limits=Limits(depth=3)).value == {"a": {"b": {"c": 1}}, "d": {"e": 1}}
    with pytest.raises(ConfigError, match=r"^line 3: nested more than 2 levels deep"):
        parse(text, limits=Limits(depth=2))
    wide = "".join(f"k{i}:\n  a: 1\n" for i in range(9))  # what is closed does not count
    assert len(parse(wide, limits=Limits(depth=2)).value) == 9
    again = "a:\n  b:\n    c:\n      d: 1\n    e:\n      f:\n        g: 1\n"
    assert parse(again, limits=Limits(depth=5)).value["a"]["b"]["e"] == {"f": {"g": 1}}
    with pytest.raises(ConfigError, match="line 7: nested more than 4"):
        parse(again, limits=Limits(depth=4))


def test_brackets_may_be_nested_as_deep_as_the_limit_says() -> None:
    assert parse("[[[1]]]", limits=Limits(depth=3)).value == [[[1]]]
    with pytest.raises(ConfigError, match="line 2: nested more than 2 levels"):
        parse("[[\n[1]]]", limits=Limits(depth=2))
    assert parse("[" * 40 + "]" * 40).value is not None  # one's own texts may


def test_a_text_may_have_as_many_values_as_the_limit_says() -> None:
    assert parse("[1, [2], 3]", limits=Limits(nodes=5)).value == [1, [2], 3]
    with pytest.raises(ConfigError, match="line 2: more than 4 values"):
        parse("[1, [2],\n 3]", limits=Limits(nodes=4))


@pytest.mark.parametrize("where", ["{}", "a: {}", "- {}", "- - {}", "a:\n  b: [{}]"])
def test_numbers_of_strangers_are_finite_and_of_64_bits(where: str) -> None:
    for fine in (2**63 - 1, -(2**63) + 1):
        parse(where.format(fine), limits=Limits())
    for text in (str(2**63), str(-(2**63)), hex(2**63)):
        with pytest.raises(ConfigError, match=rf"line \d: the number {text} is too large"):
            parse(where.format(text), limits=Limits())
        parse(where.format(text))
    for text in (".nan", ".inf", "-.inf", "1e999"):
        with pytest.raises(ConfigError, match=rf"line \d: {text} is not allowed here"):
            parse(where.format(text), limits=Limits())


@pytest.mark.parametrize("value", [2**63, -(2**63), 2**64, float("nan"), [2**63], {"a": 2**63}])
def test_numbers_that_come_in_by_variables_are_bounded_too(value: Any) -> None:
    text = "_target_: geotoolz.radiometry.MinMax\nlimits: ${x}\n"
    with pytest.raises(ConfigError, match="is not allowed here"):
        load_sandboxed(text, variables={"x": value})
    with pytest.raises(ParameterError):  # allowed, and no limits
        load_sandboxed(text, variables={"x": 2**63 - 1})


def test_a_stranger_s_pipeline_has_at_most_100_operators() -> None:
    step = "- {_target_: geotoolz.radiometry.BoxMean}\n"
    text = "_target_: geotoolz.core.Sequential\noperators:\n"
    assert len(load_sandboxed(text + step * 99).operators) == 99  # type: ignore[attr-defined]
    with pytest.raises(ConfigError, match=r"101 operators.*at most 100"):
        load_sandboxed(text + step * 100)


def test_the_environment_is_out_of_reach_wherever_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "s3cret")
    for message in ("${env:SECRET}", "a ${env:SECRET} b", "${ env:SECRET}"):
        text = f"_target_: geotoolz.core.Raise\n\nmessage: '{message}'\n"
        with pytest.raises(ConfigError, match=r"^line 3: \$\{env:SECRET\} is not allowed here"):
            load_sandboxed(text)
    for names in ("[red, '${env:SECRET}']", "['a${env:SECRET}']"):
        with pytest.raises(ConfigError, match="is not allowed here"):
            load_sandboxed(f"_target_: geotoolz.radiometry.SelectBands\nnames: {names}\n")
    assert load("_target_: geotoolz.core.Raise\nmessage: a ${env:SECRET}\n") == Raise("a s3cret")
    text = "_target_: geotoolz.radiometry.SelectBands\nnames: [red, '${env:SECRET}']\n"
    assert load(text) == SelectBands(("red", "s3cret"))


def test_what_the_sandbox_refuses_it_names() -> None:
    with pytest.raises(
        UntrustedOperatorError, match=r"'geotoolz.io.WriteCOG' is not allowed here \(writes_files\)"
    ):
        load_sandboxed("_target_: geotoolz.io.WriteCOG\npath: x.tif\n")
    with pytest.raises(
        UntrustedOperatorError, match=r"^line 2, operators\[0\]: .*'nowhere.X' is not in the public"
    ):
        load_sandboxed("_target_: geotoolz.core.Sequential\noperators: [{_target_: nowhere.X}]\n")
    own = f"{_Held.__module__}._Held"  # registered in this process, announced by nobody
    with pytest.raises(UntrustedOperatorError) as caught:
        load_sandboxed("_target_: _Held\n")
    assert own not in str(caught.value) and "did you mean" not in str(caught.value)


def test_no_announced_operator_with_a_tag_is_let_in() -> None:
    tagged = {path: cls for path, cls in registered_operators(announced_only=True).items() if cls.tags & TAGS}
    assert {tag for cls in tagged.values() for tag in cls.tags} >= {
        "loads_code",
        "reads_files",
        "writes_files",
    }
    for path, cls in tagged.items():
        with pytest.raises(UntrustedOperatorError) as caught:
            load_sandboxed(f"_target_: {path}\n")
        assert str(caught.value).endswith(f"is not allowed here ({', '.join(sorted(cls.tags & TAGS))})")


# ---- where something is ------------------------------------------------------------------------------------


def test_errors_say_line_and_path() -> None:
    text = (
        "_target_: geotoolz.core.Sequential\noperators:\n- _target_: geotoolz.radiometry.BoxMean\n  radius: "
    )
    with pytest.raises(ParameterError, match=r"^line 4, operators\[0\]: "):  # the parameter's own
        load(text + "x\n")
    with pytest.raises(ParameterError, match=r"^line 3, operators\[0\]: "):  # one that looks at several
        load(text + "-1\n")
    with pytest.raises(ConfigError, match=r"^line 3, operators\[0\]: _target_ is 5"):
        load("_target_: geotoolz.core.Sequential\noperators:\n- _target_: 5\n")
    step = "{_target_: geotoolz.radiometry.BoxMean, radius: -1}"
    inner = f"{{_target_: geotoolz.core.Sequential, operators: [{step}]}}"
    with pytest.raises(ParameterError, match=r"^line 3, operators\[0\]\.operators\[0\]: radius=-1"):
        load(f"_target_: geotoolz.core.Sequential\noperators:\n- {inner}\n")
    with pytest.raises(ParameterError, match=r"^operators\[0\]: "):
        from_config(
            {
                "_target_": "geotoolz.core.Sequential",
                "operators": [{"_target_": "geotoolz.radiometry.BoxMean", "radius": -1}],
            }
        )
    with pytest.raises(ParameterError) as caught:
        from_config({"_target_": "geotoolz.radiometry.BoxMean", "radius": -1})
    assert str(caught.value) == "radius=-1; expected 0 or more"
    graph = {
        "_target_": "geotoolz.core.Graph",
        "inputs": ["s"],
        "nodes": {
            "n": {"operator": {"_target_": "geotoolz.radiometry.BoxMean", "radius": -1}, "inputs": ["s"]}
        },
        "outputs": {"o": "n"},
    }
    with pytest.raises(ParameterError, match=r"^nodes\[n\]\[operator\]: "):
        from_config(graph)


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        (None, "empty"),
        (5, "a int"),
        ([1], "a list"),
        ({"a": 1}, "a mapping without '_target_'"),
        ("x", "a str"),
    ],
)
def test_a_configuration_is_a_mapping_with_a_target(config: Any, kind: str) -> None:
    with pytest.raises(ConfigError, match=rf"^the configuration is {kind}; expected a map"):
        from_config(config)


def test_a_place_in_a_mapping_is_named_as_such() -> None:
    text = "_target_: geotoolz.radiometry.MinMax\nlimits:\n  red: [0, 1]\n  nir: ['a${x}', 1]\n"
    with pytest.raises(ConfigError, match=r"^line 4: no value for"):
        load(text)
    with pytest.raises(ConfigError, match=r"^no value for"):  # beside any line: by a variable of a variable
        from geotoolz.core._load import interpolate

        interpolate("${x}", {}, env=False, line_of=lambda path: None)


def test_what_cannot_be_saved_is_named_with_its_place() -> None:
    class Local(BoxMean):
        """Defined inside a function."""

    why = "its class is defined inside a function; move it to a module"
    assert unconfigurable(Local(1)) == ("Local", why)
    assert unconfigurable(Sequential([BoxMean(1), Local(1)])) == ("operators[1] (Local)", why)
    array = FrozenArray([1.0])
    held = "its first is an array in memory; geotoolz.core.save(pipeline, folder) writes it to a file"
    assert unconfigurable(_Held(array)) == ("_Held", held)
    assert unconfigurable(_Held(array), arrays=True) is None
    with pytest.raises(
        ConfigError, match=r"^operators\[1\] \(Local\) cannot be saved as configuration: its class"
    ):
        to_config(Sequential([BoxMean(1), Local(1)]))


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"a": [1, object()]}, "limits[a][1]"),
        ({"a": {"b": object()}}, "limits[a][b]"),
        (object(), "limits"),
        ((1, (2, object())), "limits[1][1]"),
    ],
)
def test_values_that_have_no_plain_form_are_named(value: Any, path: str) -> None:
    op = MinMax(limits={"red": (0, 1)})
    object.__setattr__(op, "limits", value)
    for whole, where in ((op, path), (Sequential([op]), f"operators[0].{path}")):
        with pytest.raises(ConfigError) as caught:
            to_config(whole)
        assert str(caught.value).startswith(f"{where} holds a object, which exists in memory only")


class _Lenient(_Held):
    """Takes lists for arrays, as the detectors do."""

    def prepare(self, values: dict[str, Any]) -> dict[str, Any]:
        """Make arrays of them."""
        if isinstance(values["first"], tuple):
            values["first"] = FrozenArray(values["first"])
        if values["by_name"]:
            values["by_name"] = {name: FrozenArray(v) for name, v in values["by_name"].items()}
        return values


@pytest.mark.parametrize(("name", "value"), [("first", [1.0]), ("by_name", {"a": [1.0]})])
def test_numbers_where_an_array_belongs_are_refused(name: str, value: Any) -> None:
    config = {"_target_": "x", name: value}
    with pytest.raises(ParameterError) as caught:
        from_config(config, find=lambda target: _Lenient, line_of={name: 7, "": 1}.get)
    assert str(caught.value) == (
        f"line 7: _Lenient: the text holds numbers for {name}, which is an array; expected a file: {name}: "
        "{_target_: geotoolz.core.Ref, uri: …, sha256: …}; make the pipeline in Python; "
        "geotoolz.core.save writes it with its arrays"
    )
    with pytest.raises(ParameterError, match=r"^_Held cannot be made|first"):
        from_config({"_target_": "x", "first": [1.0]}, find=lambda target: _Held)
    assert from_config({"_target_": "x"}, find=lambda target: _Lenient) == _Lenient()


def test_references_are_written_with_their_checksum() -> None:
    ref = Ref("a.npy", "0" * 64)
    assert to_config(_Held(ref))["first"] == {
        "_target_": "geotoolz.core.Ref",
        "uri": "a.npy",
        "sha256": "0" * 64,
    }
    bound = to_config(_Held(FrozenArray([1.0]), by_name={"a": FrozenArray([2.0])}), bind=lambda array: ref)
    assert bound["by_name"]["a"]["sha256"] == bound["first"]["sha256"] == "0" * 64


# ---- canonical values --------------------------------------------------------------------------------------


def test_numbers_in_the_hash() -> None:
    big = 2**53
    assert normalised([big, -big, big + 1, -big - 1, True, None]) == [
        big, -big, str(big + 1), str(-big - 1), True, None,
    ]  # fmt: skip
    assert normalised([math.nan, math.inf, -math.inf, -0.0, 1.5]) == [
        "NaN",
        "Infinity",
        "-Infinity",
        -0.0,
        1.5,
    ]
    with pytest.raises(ConfigError, match="cannot hash a bytes"):
        normalised(b"")


# ---- text of values ----------------------------------------------------------------------------------------


def test_values_as_text() -> None:
    made = dump_yaml({"a": [1e-5, 1e22, 1.5e-7, math.nan, math.inf, -math.inf, 0.5, None, True]})
    assert made == "a: [1.0e-05, 1.0e+22, 1.5e-07, .nan, .inf, -.inf, 0.5, null, true]\n"
    assert dump_yaml({"a": [[1], 2], "b": {"c": []}}) == "a:\n- [1]\n- 2\nb:\n  c: []\n"
    assert dump_yaml({"a": "two\nlines"}) == "a: 'two\n\n  lines'\n"
    assert dump_yaml({"a": "\x07", "b": "ä", "c": "\u2028"}) == 'a: "\\a"\nb: ä\nc: "\\L"\n'
    long = " ".join(["word"] * 30)
    assert dump_yaml({"a": long}).splitlines()[0] == "a: " + " ".join(["word"] * 20)
    assert scalar("9" * 1000) == int("9" * 1000)
    with pytest.raises(ConfigError, match="1001 digits; expected at most 1000"):
        scalar("9" * 1001)


WORDS = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
    "0o17": 15, "0x1f": 31, "0X1f": "0X1f", "0O7": "0O7", "0xFa": 250, "1E3": 1000.0, "1e3": 1000.0,
    "+1": 1, "-.5": -0.5, "1.": 1.0, ".": ".", "e3": "e3", "0o8": "0o8", "0xg": "0xg", "nULL": "nULL",
    ".inf": math.inf, "-.Inf": -math.inf, "+.INF": math.inf, ".iNF": ".iNF", "x.inf": "x.inf",
    "tRUE": "tRUE", "yes": "yes", "on": "on", "1_000": "1_000", "١": "١",
}  # fmt: skip


@pytest.mark.parametrize(("text", "value"), WORDS.items())
def test_words(text: str, value: Any) -> None:
    assert scalar(text) == value and type(scalar(text)) is type(value)


def test_not_a_number_is_written_in_three_ways() -> None:
    assert all(math.isnan(scalar(text)) for text in (".nan", ".NaN", ".NAN"))
    assert scalar(".Nan") == ".Nan"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1", r"^line 1: (expected|did not find expected) ',' or '\]'"),
        ("a: 1\n b: 2", r"^line 2: mapping values are not allowed"),
        ("a: 'x", r"^line 1: found unexpected end"),
        ("a: \x00", r"^unacceptable character #x0000|^special characters"),
    ],
)
def test_syntax_errors_say_line_and_problem(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse(text)


# ---- literal places, files ---------------------------------------------------------------------------------


@pytest.mark.parametrize("message", ["${x}", "$${x}", "a ${x} b", "${", "$$", "${env:HOME}", "costs $5"])
def test_what_looks_like_a_place_comes_back(message: str) -> None:
    assert load(dump(Raise(message))) == Raise(message)
    assert load(dump(Sequential([SelectBands((message,)), MinMax(limits={message: (0, 1)})]))) == Sequential(
        [SelectBands((message,)), MinMax(limits={message: (0, 1)})]
    )


def test_defaults_are_written_on_request() -> None:
    assert dump(BoxMean(2)) == "_target_: geotoolz.radiometry.BoxMean\nradius: 2\n"
    assert set(parse(dump(BoxMean(2), defaults=True)).value) > {"_target_", "radius"}


def test_text_paths_and_folders(tmp_path: Path) -> None:
    text = dump(BoxMean(2))
    assert load(text) == load(text.replace("\n", "\r\n")) == BoxMean(2)
    assert load("{_target_: geotoolz.radiometry.BoxMean, radius: 2}") == BoxMean(2)  # one line
    with pytest.raises(ConfigError, match=r"^line 2: "):  # text has no file's name before it
        load("a: 'x\n")
    (tmp_path / "p.yaml").write_text("a: 'x\n")
    with pytest.raises(ConfigError, match=r"p\.yaml.*line 2"):
        load(tmp_path / "p.yaml")
    with pytest.raises(ReadError, match="cannot be read: Is a directory"):
        load(tmp_path)
    folder = save(BoxMean(2), tmp_path / "kept")
    assert load(tmp_path / "kept") == load(str(tmp_path / "kept")) == BoxMean(2), folder
    (tmp_path / "umlaut.yaml").write_bytes("_target_: geotoolz.core.Raise\nmessage: ä\n".encode())
    assert load(tmp_path / "umlaut.yaml") == Raise("ä")


def test_references_are_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    sha, target = "0" * 64, f"{_Held.__module__}._Held"
    away = str(tmp_path.parent / "elsewhere.npy")
    uris = {"a.npy": str(tmp_path / "sub" / "a.npy"), away: away, "s3://b/a.npy": "s3://b/a.npy"}
    (tmp_path / "sub").mkdir()
    monkeypatch.setattr("geotoolz.core._registry.find", lambda path: _Held)
    for written, found in uris.items():
        ref = f"{{_target_: geotoolz.core.Ref, uri: '{written}', sha256: '{sha}'}}"
        (tmp_path / "sub" / "p.yaml").write_text(f"_target_: {target}\nfirst: {ref}\n")
        op = load(Path("sub/p.yaml"))
        assert op.first == Ref(found, sha)  # type: ignore[attr-defined]
    plain = {"a": {"uri": "a.npy"}}  # what is no reference stays what it is
    from geotoolz.core._load import _refs_from, _resolved_refs

    assert _resolved_refs(plain, tmp_path) == _refs_from(plain, tmp_path) == plain
    for uri in (away, "s3://b/a.npy"):
        kept = {"_target_": "geotoolz.core.Ref", "uri": uri, "sha256": sha}
        assert _refs_from(kept, tmp_path) == kept == _resolved_refs(kept, tmp_path)
    own = {"_target_": "geotoolz.core.Ref", "uri": "sub/a.npy", "sha256": sha}
    assert _refs_from([own], tmp_path / "sub") == [{**own, "uri": "a.npy"}]


def test_an_operator_in_a_graph_can_be_saved() -> None:
    graph = Graph(inputs=("s",), nodes={"n": {"operator": BoxMean(1), "inputs": ["s"]}}, outputs={"o": "n"})
    assert load(dump(graph)) == graph
    assert np.isfinite(len(dump(graph)))


@pytest.mark.parametrize(
    ("item", "said"),
    [
        (
            "geotoolz.radiometry.Gamma",
            r"instance of Operator \(in a file: \{_target_: geotoolz.radiometry.Gamma\}\)",
        ),
        ("{Gamma: {}}", r"instance of Operator \(in a file: a mapping with '_target_'\)"),
        ("7", r"operators.0=7: input should be an instance of Operator$"),
    ],
)
def test_what_stands_in_the_place_of_an_operator(item: str, said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        load(f"_target_: geotoolz.core.Sequential\noperators:\n  - {item}\n")


def test_a_class_in_the_place_of_an_operator() -> None:
    with pytest.raises(ParameterError, match=r"instance of Operator \(MinMax\(\) is one\)"):
        Branch({"shown": MinMax})  # type: ignore[dict-item]
