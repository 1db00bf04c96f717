"""Graphs: several inputs, several outputs, wired by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import rioxarray  # noqa: F401 - the accessor rio
import xarray as xr

from geotoolz.core import (
    Graph,
    GridMismatchError,
    Input,
    Merge,
    Node,
    ParameterError,
    Sequential,
    TileError,
    compile,
    dump,
    geobox_of,
    load,
    run,
)
from geotoolz.core._specs import TileSpec
from geotoolz.core.testing import simulate_scene
from geotoolz.grid import Crop, Resample
from geotoolz.radiometry import BoxMean, SelectBands, ToFloat32

Make = Callable[..., xr.Dataset]


def two_dates() -> Graph:
    old, new = Input("old"), Input("new")
    both = Merge(prefix=True)(SelectBands(["red"])(old), SelectBands(["red"])(new))
    return Graph({"old": old, "new": new}, outputs={"both": BoxMean(1)(both), "old_smooth": BoxMean(2)(old)})


def test_several_inputs_and_outputs(make: Make) -> None:
    old, new = make(), make(seed=1)
    out = two_dates()(old=old, new=new)
    assert list(out) == ["both", "old_smooth"]
    names = list(out["both"].data_vars)
    assert len(names) == 2
    for name, ds in zip(names, (old, new), strict=True):
        xr.testing.assert_equal(out["both"][name].rename("red"), BoxMean(1)(ds).red)
    xr.testing.assert_identical(out["old_smooth"], BoxMean(2)(old))
    cut = run(two_dates(), {"old": old, "new": new}, window=(2, 3), threads=2)
    assert isinstance(cut, dict)
    for name, tile in out.items():
        xr.testing.assert_identical(cut[name], tile)


def test_lazy(make: Make) -> None:
    old, new = make((8, 8)), make((8, 8), seed=1)
    lazy = two_dates()(old=old.chunk(y=3), new=new.chunk(x=5))
    for name, tile in two_dates()(old=old, new=new).items():
        xr.testing.assert_identical(lazy[name].compute(), tile)


def test_text_round_trip() -> None:
    graph = two_dates()
    assert load(dump(graph)) == graph
    assert load(dump(graph)).config_hash() == graph.config_hash()


def test_only_what_the_outputs_need_is_read(make: Make) -> None:
    specs = {"old": TileSpec.of(make()), "new": TileSpec.of(make())}
    program = compile(two_dates(), specs)
    read = set(program.input_slots.values())
    assert read == {("old", "red"), ("new", "red"), ("old", "nir")}


def test_one_input_needs_no_name_and_can_be_a_step(make: Make) -> None:
    scene = Input("scene")
    graph = Graph({"scene": scene}, outputs={"smooth": BoxMean(1)(ToFloat32()(scene))})
    ds = make()
    xr.testing.assert_identical(graph(ds)["smooth"], BoxMean(1)(ds))
    xr.testing.assert_identical(graph(scene=ds)["smooth"], BoxMean(1)(ds))
    xr.testing.assert_identical(
        Sequential([graph, SelectBands(["red"])])(ds), BoxMean(1, ("red",))(ds)[["red"]]
    )
    with pytest.raises(ParameterError, match="exactly one input and one output"):
        Sequential([two_dates()])(ds)


def test_an_input_may_be_an_output(make: Make) -> None:
    scene = Input("scene")
    graph = Graph({"scene": scene}, outputs={"same": scene, "smooth": BoxMean(1)(scene)})
    xr.testing.assert_identical(graph(make())["same"], make())


def test_a_node_used_twice_is_computed_once(make: Make) -> None:
    scene = Input("scene")
    smooth = BoxMean(1)(scene)
    graph = Graph({"scene": scene}, outputs={"a": ToFloat32()(smooth), "b": BoxMean(1)(smooth)})
    assert sorted(graph.nodes) == ["a", "b", "boxmean"]
    assert len(compile(graph, TileSpec.of(make())).instructions) == 6


@pytest.mark.parametrize(
    ("tiles", "text"),
    [
        ({}, "give the graph's tiles"),
        ({"old": 1}, "input 'new' is missing"),
        ({"old": 1, "neww": 1}, r"input 'new' is missing; .*no input 'neww' \(did you mean 'new'\?\)"),
    ],
)
def test_missing_inputs(make: Make, tiles: dict[str, int], text: str) -> None:
    with pytest.raises(ParameterError, match=text):
        two_dates()(**dict.fromkeys(tiles, make()))
    with pytest.raises(ParameterError, match="got one tile"):
        two_dates()(make())


def node(*inputs: Any, operator: Any = None) -> dict[str, Any]:
    return {"operator": operator or BoxMean(1), "inputs": inputs}


@pytest.mark.parametrize(
    ("nodes", "outputs", "text"),
    [
        ({"a": node("b"), "b": node("a")}, {"o": "a"}, "a, b wait for each other"),
        ({"a": node("a")}, {"o": "a"}, "wait for each other"),
        ({"a": node("scen")}, {"o": "a"}, r"reads 'scen'.*did you mean 'scene'"),
        ({"a": node("scene")}, {"o": "b"}, "output 'o' is 'b'"),
        ({"scene": node("scene")}, {"o": "scene"}, "same name"),
        ({"a": node("scene")}, {}, "no outputs"),
        ({"a": {"operator": BoxMean(1)}}, {"o": "a"}, "node 'a'"),
        ({"a": node()}, {"o": "a"}, "node 'a' has the inputs"),
        ({"a": {"operator": BoxMean(1), "inputs": "scene"}}, {"o": "a"}, "a list of one name"),
        ({"a": node("scene", "scene")}, {"o": "a"}, "Merge"),
        ({"a": node("scene", operator=5)}, {"o": "a"}, "node 'a'"),
    ],
)
def test_graphs_that_cannot_be(nodes: Any, outputs: Any, text: str) -> None:
    with pytest.raises(ParameterError, match=text):
        Graph(["scene"], nodes, outputs)


def test_nodes_that_cannot_be() -> None:
    a, b = Input("a"), Input("b")
    with pytest.raises(ParameterError, match=r"takes one tile and got 2.*Merge"):
        BoxMean(1)(a, b)
    with pytest.raises(ParameterError, match=r"Input\('b'\) is used and not among"):
        Graph({"a": a}, outputs={"o": Merge()(a, b)})
    assert isinstance(BoxMean(1)(a), Node)


def test_merge(make: Make) -> None:
    a, b = make(bands=("red",)), make(bands=("nir",), seed=1, attrs={"tile_id": "other"})
    out = Merge()({"a": a, "b": b})
    assert list(out.data_vars) == ["red", "nir"]
    assert out.attrs["tile_id"] == "t1"
    xr.testing.assert_equal(out.nir, b.nir)
    with pytest.raises(TileError, match=r"two tiles have a variable 'red'.*prefix"):
        Merge()({"a": a, "b": a})
    assert list(Merge(prefix=True)({"a": a, "b": a}).data_vars) == ["a_red", "b_red"]


@pytest.mark.parametrize("other", [{"shape": (5, 7)}, {"x0": 500_010.0}])
def test_merge_of_two_grids_is_refused_with_its_place(make: Make, other: Any) -> None:
    with pytest.raises(
        GridMismatchError, match=r"nodes\[joined\].*'b' lies on another grid than 'a'"
    ) as info:
        Merge()({"a": make(bands=("red",)), "b": make(bands=("nir",), **other)})
    assert "EPSG:32633" in str(info.value)


def test_merge_of_two_crs_is_refused(make: Make) -> None:
    a, b = make(bands=("red",)), make(bands=("nir",))
    b = b.rio.write_crs("EPSG:32634")
    with pytest.raises(GridMismatchError):
        Merge()({"a": a, "b": b})


def test_a_cropped_tile_and_another_of_the_same_pixels_count_alike() -> None:
    """What follows a Merge counts on one lattice, whatever its inputs were cut from."""
    scene = simulate_scene((40, 40), bands=("red", "nir"))
    small = scene[["nir"]].isel(y=slice(8, 32), x=slice(4, 36))
    box = geobox_of(small).boundingbox.bbox
    a, b = Input("a"), Input("b")
    cropped = Crop(tuple(map(float, box)), crs="EPSG:32633")(a)
    both = Resample(factor=2)(Merge()(cropped, b))
    graph = Graph({"a": a, "b": b}, outputs={"both": both})
    found = graph(a=scene[["red"]], b=small)["both"]
    wanted = Resample(factor=2)(scene.isel(y=slice(8, 32), x=slice(4, 36)))
    xr.testing.assert_equal(found[["red", "nir"]], wanted[["red", "nir"]])
    other = Graph({"a": a, "b": b}, outputs={"both": Resample(factor=2)(Merge()(b, cropped))})
    xr.testing.assert_equal(other(a=scene[["red"]], b=small)["both"].red, wanted.red)
