"""The difference of two pipelines, kind by kind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from geotoolz.core import (
    Branch,
    ConfigError,
    FrozenArray,
    Graph,
    Input,
    Map,
    Merge,
    Plan,
    ReadError,
    Ref,
    Sequential,
    Switch,
    Tap,
    TileSpec,
    UnknownOperatorError,
    dump,
)
from geotoolz.diff import config_diff
from geotoolz.indices import NDVI
from geotoolz.io import WriteCOG
from geotoolz.radiometry import BoxMean, SelectBands, ToFloat32

RED = SelectBands(("red",))


class Renamed(Map):
    """Stands for an operator that went by another name once."""

    aliases = ("geotoolz_old.Former",)
    radius: int = 1
    spectrum: Ref | None = None

    def plan(self, tile: TileSpec) -> Plan:
        return Plan()


def kinds(diff):
    return [(c.kind, c.path, c.parameter) for c in diff]


def test_parameters_old_and_new_by_path():
    diff = config_diff(Sequential([RED, BoxMean(1)]), Sequential([RED, BoxMean(2)]))
    (change,) = diff
    assert (change.kind, change.path, change.old, change.new) == ("changed", "operators[1].radius", 1, 2)
    assert diff and not diff.equal and diff.hash_a != diff.hash_b
    assert diff.to_text() == "~ BoxMean.radius  [operators[1].radius]\n  - 1\n  + 2"


def test_added_removed_moved():
    diff = config_diff(Sequential([RED, BoxMean(1), NDVI()]), Sequential([NDVI(), RED, ToFloat32()]))
    assert kinds(diff) == [
        ("moved", "operators[0]", ""),
        ("removed", "operators[1]", ""),
        ("added", "operators[2]", ""),
    ]
    moved, removed, added = diff
    assert (moved.old, moved.new, moved.where) == ("operators[2]", "operators[0]", "before SelectBands")
    assert removed.where == "before NDVI" and added.where == "after SelectBands"


def test_moved_and_changed_at_once():
    diff = config_diff(Sequential([RED, NDVI(), BoxMean(1)]), Sequential([BoxMean(2), RED, NDVI()]))
    assert kinds(diff) == [("moved", "operators[0]", ""), ("changed", "operators[0].radius", "radius")]
    assert diff.changes[1].path_a == "operators[2].radius"


def test_of_two_of_a_class_the_changed_one_is_found():
    diff = config_diff(
        Sequential([BoxMean(1), NDVI(), BoxMean(5)]), Sequential([BoxMean(1), NDVI(), BoxMean(6)])
    )
    assert kinds(diff) == [("changed", "operators[2].radius", "radius")]
    assert kinds(config_diff(Sequential([BoxMean(1), BoxMean(2)]), Sequential([BoxMean(2)]))) == [
        ("removed", "operators[0]", "")
    ]


def test_a_default_that_is_written_out_is_no_difference():
    radius = BoxMean().radius
    diff = config_diff(
        "_target_: geotoolz.radiometry.BoxMean\n",
        f"_target_: geotoolz.radiometry.BoxMean\nradius: {radius}\n",
    )
    assert diff.equal and not diff and len(diff) == 0
    assert str(diff) == "the same pipeline"


def test_files_text_config_and_presets(tmp_path: Path):
    path = tmp_path / "p.yaml"
    dump(Sequential([RED, BoxMean(1)]), path)
    config = Sequential([RED, BoxMean(4)]).config()
    assert kinds(config_diff(path, config)) == [("changed", "operators[1].radius", "radius")]
    assert kinds(config_diff(str(path), dump(Sequential([RED])))) == [("removed", "operators[1]", "")]
    assert config_diff("ndvi", "ndvi").equal
    assert any(c.kind == "added" for c in config_diff("ndvi", "water"))
    text = "_target_: geotoolz.radiometry.BoxMean\nradius: ${r:1}\n"
    assert config_diff(text, BoxMean(3), variables={"r": 3}).equal


def test_what_is_no_pipeline():
    with pytest.raises(ConfigError, match="type int"):
        config_diff(3, BoxMean(1))
    with pytest.raises(ConfigError, match=r"there is no preset 'nvdi'.*'ndvi'"):
        config_diff("nvdi", "ndvi")
    with pytest.raises(ReadError, match=r"no\.yaml"):
        config_diff("no.yaml", "ndvi")
    with pytest.raises(UnknownOperatorError, match="BoxMeen"):
        config_diff("_target_: geotoolz.radiometry.BoxMeen\n", BoxMean(1))


def test_old_names_mean_the_same():
    new = Renamed.target()
    diff = config_diff("_target_: geotoolz_old.Former\nradius: 2\n", {"_target_": new, "radius": 2})
    assert diff.equal
    assert diff.notes == (f"a: the pipeline calls {new} by its old name geotoolz_old.Former",)
    nested = {"_target_": "geotoolz.core.Sequential", "operators": [{"_target_": "geotoolz_old.Former"}]}
    assert config_diff(nested, nested).notes[0].startswith("a: operators[0] calls")


def test_where_files_lie_is_no_part_of_the_hash():
    a, b = (Renamed(spectrum=Ref(uri, "0" * 64)) for uri in ("one.npy", "two.npy"))
    diff = config_diff(a, b)
    assert diff.equal and [c.in_hash for c in diff] == [False]
    assert not config_diff(a, Renamed(spectrum=Ref("one.npy", "1" * 64))).equal
    sinks = config_diff(
        Sequential([RED, WriteCOG("a_{band}.tif")]), Sequential([RED, WriteCOG("b_{band}.tif")])
    )
    assert sinks.equal and kinds(sinks) == [("changed", "operators[1].path", "path")]
    assert "no part of the hash" in str(sinks)


def test_chains_in_chains_are_told_and_no_difference_of_steps():
    diff = config_diff(Sequential([Sequential([RED, BoxMean(1)])]), Sequential([RED, BoxMean(1)]))
    assert not diff.equal and len(diff) == 0 and "grouped" in diff.notes[0]
    alone = config_diff(BoxMean(1), Sequential([RED, BoxMean(2)]))
    assert kinds(alone) == [("added", "operators[0]", ""), ("changed", "operators[1].radius", "radius")]


def test_branches_and_cases():
    a = Branch({"fine": BoxMean(1), "coarse": BoxMean(5), "old": NDVI()}, prefix=True)
    b = Branch({"fine": BoxMean(2), "far": BoxMean(5), "new": ToFloat32()}, prefix=True)
    assert kinds(config_diff(a, b)) == [
        ("renamed", "branches[far]", ""),
        ("removed", "branches[old]", ""),
        ("changed", "branches[fine].radius", "radius"),
        ("added", "branches[new]", ""),
    ]
    c, d = Switch("platform", {"x": BoxMean(1)}), Switch("platform", {"x": RED}, default=BoxMean(1))
    assert kinds(config_diff(c, d)) == [("replaced", "cases[x]", ""), ("changed", "default", "default")]


def graph(radius: int, *, name: str = "smooth", reads: str = "scene", inputs: tuple[str, ...] = ("scene",)):
    nodes = {
        "red": {"operator": RED, "inputs": (reads,)},
        name: {"operator": BoxMean(radius), "inputs": ("red",)},
        "joined": {"operator": Merge(prefix=True), "inputs": ("red", name)},
    }
    return Graph(inputs, nodes, {"out": "joined"})


def test_graphs_nodes_edges_inputs_outputs():
    assert kinds(config_diff(graph(1), graph(2))) == [("changed", "nodes[smooth][operator].radius", "radius")]
    renamed = config_diff(graph(1), graph(1, name="blurred"))
    assert kinds(renamed) == [("renamed", "nodes[blurred]", "")]
    wired = config_diff(
        graph(1, inputs=("scene", "other")), graph(1, inputs=("scene", "other"), reads="other")
    )
    assert kinds(wired) == [("rewired", "nodes[red][inputs]", "inputs")]
    more = config_diff(graph(1), graph(1, inputs=("scene", "other")))
    assert kinds(more) == [("rewired", "inputs", "inputs")]
    scene = Input("scene")
    one = Graph({"scene": scene}, outputs={"a": RED(scene)})
    two = Graph({"scene": scene}, outputs={"b": RED(scene)})
    assert kinds(config_diff(one, two)) == [("renamed", "nodes[b]", ""), ("rewired", "outputs", "outputs")]
    gone = config_diff(graph(1), Graph(("scene",), {"red": graph(1).nodes["red"]}, {"out": "red"}))
    assert ("removed", "nodes[smooth]", "") in kinds(gone) and ("rewired", "outputs", "outputs") in kinds(
        gone
    )


def test_steps_that_exist_in_memory_only():
    def look(tile):
        return None

    a, b = Sequential([Tap(look), BoxMean(1)]), Sequential([Tap(look), BoxMean(2)])
    diff = config_diff(a, b)
    assert kinds(diff) == [("changed", "operators[1].radius", "radius")] and diff.hash_a == "" and diff
    assert config_diff(a, a).equal


class Held(Map):
    """Holds an array."""

    table: FrozenArray | None = None

    def plan(self, tile: TileSpec) -> Plan:
        return Plan()


def test_arrays_in_memory():
    diff = config_diff(Held(FrozenArray([1.0, 2.0])), Held(FrozenArray([1.0, 3.0])))
    assert kinds(diff) == [("changed", "table", "table")] and diff


def test_json_is_whole_and_rich_is_the_text():
    diff = config_diff(Sequential([RED, BoxMean(1)]), Sequential([BoxMean(2)]))
    held = json.loads(diff.to_json())
    assert held["equal"] is False and [c["kind"] for c in held["changes"]] == ["removed", "changed"]
    assert held["changes"][1]["old"] == 1 and held["changes"][1]["path_a"] == "operators[1].radius"
    assert diff.__rich__().plain.strip() == diff.to_text()
