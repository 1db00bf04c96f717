"""Safety rows 1, 2, 9 and 16: what a stranger's text can do to the loader. Nothing."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geotoolz.core import GeotoolzError, load_sandboxed


def _sequence(*targets: str) -> str:
    steps = "".join(f"- _target_: {target}\n" for target in targets)
    return f"_target_: geotoolz.core.Sequential\noperators:\n{steps}"


TARGETS = {
    "os": "_target_: os.system\ncommand: touch /tmp/x\n",
    "builtin": "_target_: builtins.eval\n",
    "trap": "_target_: gtz_trap.Evil\n",
    "nested": _sequence("geotoolz.indices.NDVI", "gtz_trap.Evil"),
    "deeper": "_target_: geotoolz.core.Sequential\noperators:\n- _target_: geotoolz.core.Branch\n"
    "  branches: {a: {_target_: gtz_trap.Evil}}\n",
    "in a parameter": "_target_: geotoolz.indices.NDVI\nname: {_target_: gtz_trap.Evil}\n",
    "private path": "_target_: geotoolz.core._load.load\n",
    "private class": "_target_: geotoolz.indices._index.NDVI\n",
    "attribute": "_target_: geotoolz.indices.NDVI.__init__\n",
    "relative": "_target_: ..os.system\n",
    "colon": "_target_: 'gtz_trap:Evil'\n",
    "blank": "_target_: ' gtz_trap.Evil'\n",
    "lookalike": "_target_: geotoolz.indices.ＮＤＶＩ\n",
    "writes": "_target_: geotoolz.io.WriteCOG\npath: /tmp/gtz-evil.tif\n",
    "reads": "_target_: geotoolz.catalog.ReadLabel\n",
    "tap": "_target_: geotoolz.core.Tap\n",
    "twice": "_target_: geotoolz.indices.NDVI\n_target_: gtz_trap.Evil\n",
    "variable": "_target_: ${x:gtz_trap.Evil}\n",
    "environment": "_target_: geotoolz.indices.NDVI\nname: ${env:HOME}\n",
}
BOMBS = {
    "aliases": "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
    "merge": "a: &a {x: 1}\nb: {<<: *a}\n",
    "depth": "[" * 20_000,
    "closed depth": "[" * 200 + "]" * 200,
    "nodes": "[" + "1," * 5000 + "1]",
    "scalar": "_target_: " + "x" * 5000,
    "size": "# " + "x" * 65_000,
    "tag": "!!python/object/apply:os.system [id]",
    "keys": "_target_: geotoolz.indices.NDVI\nname: a\nname: b\n",
    "number": "_target_: geotoolz.radiometry.BoxMean\nradius: " + "9" * 900,
    "infinite": "_target_: geotoolz.radiometry.BoxMean\nradius: .inf\n",
    "empty": "",
    "null byte": "_target_: geotoolz.indices.NDVI\x00",
    "two documents": "---\na: 1\n---\nb: 2\n",
}


@pytest.mark.parametrize("name", TARGETS)
def test_row_01_a_target_that_is_not_listed_is_refused_and_nothing_is_imported(
    guarded: Any, traps: Path, name: str
) -> None:
    answer = guarded.client.post("/sandbox/check", json={"yaml": TARGETS[name]})
    assert answer.status_code == 422, answer.text
    assert answer.json()["error"]["code"] in ("operator_not_allowed", "invalid_pipeline", "cannot_run")
    ran = guarded.client.post("/sandbox/run", json={"yaml": TARGETS[name], "layer": "ndvi"})
    assert ran.status_code == 422
    assert not (traps / "imported").exists()


@pytest.mark.parametrize("name", ["os", "trap", "nested", "deeper", "private path", "writes"])
def test_row_01_the_answer_names_the_target(guarded: Any, name: str) -> None:
    answer = guarded.client.post("/sandbox/check", json={"yaml": TARGETS[name]})
    last = TARGETS[name].rpartition("_target_: ")[2].split("\n")[0].strip("{} ")
    assert last in answer.json()["error"]["message"]


@pytest.mark.parametrize("name", BOMBS)
def test_row_02_a_bomb_is_refused_by_its_size(guarded: Any, name: str) -> None:
    answer = guarded.client.post("/sandbox/check", json={"yaml": BOMBS[name]})
    assert answer.status_code == 422, answer.text
    assert answer.json()["error"]["code"] in ("invalid", "invalid_pipeline")


def test_row_02_the_process_that_looked_at_a_bomb_goes_on(guarded: Any) -> None:
    pids = set(guarded.state.sandbox.pids)
    for text in BOMBS.values():
        guarded.client.post("/sandbox/check", json={"yaml": text})
    assert pids & set(guarded.state.sandbox.pids), "it died of one"


@pytest.mark.parametrize(
    "text",
    [
        "_target_: geotoolz.learn.Predict\nmodel: {_target_: geotoolz.core.Ref, uri: m.pkl, sha256: ''}\n",
        "_target_: geotoolz.learn.ModelOp\nmodel: model.pt\n",
        "_target_: geotoolz.hyperspectral.SAM\nspectrum: {_target_: geotoolz.core.Ref, uri: /etc/passwd}\n",
    ],
)
def test_row_09_models_and_other_files_are_refused(guarded: Any, text: str) -> None:
    answer = guarded.client.post("/sandbox/check", json={"yaml": text})
    assert answer.status_code == 422
    assert "not" in answer.json()["error"]["message"]


def test_row_09_a_pickle_in_place_of_a_picture_is_refused(guarded: Any, tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "unpickled",))

    for path in ("/process/red", "/sandbox/run"):
        options = {"options": '{"yaml": "_target_: geotoolz.indices.NDVI"}'} if "sandbox" in path else {}
        answer = guarded.client.post(path, files={"file": pickle.dumps(Evil())}, data=options)
        assert answer.status_code == 415
    assert not (tmp_path / "unpickled").exists()


def test_row_02_operators_are_looked_up_without_asking_what_is_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is asked once: hundreds of files are read for it, and a pipeline may have many steps."""
    import geotoolz.core._registry

    text = _sequence(*["geotoolz.indices.NDVI"] * 50)
    load_sandboxed(text)
    monkeypatch.setattr(geotoolz.core._registry, "entry_points", lambda **_: pytest.fail("asked again"))
    assert len(list(load_sandboxed(text).walk())) == 51
    with pytest.raises(GeotoolzError, match="did you mean"):
        load_sandboxed(_sequence("geotoolz.indices.NDIV"))


@pytest.mark.parametrize("value", ["[red]", "{a: 1}", "[[1], [2, 3]]", "red", "true"])
def test_row_16_values_of_a_kind_that_nobody_thought_of(value: str) -> None:
    """Found by fuzzing: some operators convert a parameter before its type is checked."""
    for target, name in (("hyperspectral.ACE", "spectrum"), ("sar.Frost", "window"), ("grid.Crop", "bounds")):
        with pytest.raises(GeotoolzError, match=name):
            load_sandboxed(f"_target_: geotoolz.{target}\n{name}: {value}\n")


WORDS = st.sampled_from(
    [
        "_target_",
        "operators",
        "geotoolz.core.Sequential",
        "geotoolz.indices.NDVI",
        "geotoolz.core.Branch",
        "geotoolz.radiometry.BandMath",
        "expression",
        "a / (b - b)",
        "red",
        "name",
        "${x:1}",
        "$${",
        "<<",
        "&a",
        "*a",
        "!!int",
        "1e999",
        "0x10",
        ".nan",
        "~",
        "{",
        "[",
        "- ",
        ": ",
        "\n",
        "\t",
        "\x00",
        "\ud7ff",
        "%YAML 1.1",
        "--- ",
        "geotoolz.radiometry.BoxMean",
        "radius",
        "geotoolz.grid.Reproject",
        "crs",
        "EPSG:0",
        "geotoolz.core.Switch",
        "cases",
        "key",
        "geotoolz.core.Graph",
        "nodes",
        "geotoolz.core.Ref",
        "uri",
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | WORDS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(WORDS | st.text(max_size=6), max_size=30).map("".join))
def test_row_16_any_text_is_a_pipeline_or_an_error_of_ours(text: str) -> None:
    _only_ours(text)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(VALUES)
def test_row_16_any_document_is_a_pipeline_or_an_error_of_ours(value: Any) -> None:
    _only_ours(yaml.safe_dump(value))


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(
        [
            "geotoolz.radiometry.BoxMean",
            "geotoolz.radiometry.BandMath",
            "geotoolz.grid.Reproject",
            "geotoolz.core.Switch",
            "geotoolz.core.Graph",
            "geotoolz.core.Branch",
            "geotoolz.cloud.MaskClouds",
            "geotoolz.radiometry.AssignAttrs",
            "geotoolz.viz.Colormap",
            "geotoolz.radiometry.ClassifyByThresholds",
        ]
    ),
    st.dictionaries(
        st.sampled_from(
            [
                "bands",
                "radius",
                "expression",
                "crs",
                "cases",
                "key",
                "nodes",
                "flags",
                "variables",
                "cmap",
                "thresholds",
                "name",
                "default",
                "branches",
                "resolution",
            ]
        ),
        VALUES,
        max_size=3,
    ),
)
def test_row_16_any_parameters_are_right_or_an_error_of_ours(target: str, values: dict[str, Any]) -> None:
    _only_ours(yaml.safe_dump({"_target_": target, **values}))


def _only_ours(text: str) -> None:
    try:
        op = load_sandboxed(text)
    except GeotoolzError:
        return
    assert op.config_hash() == load_sandboxed(text).config_hash()
