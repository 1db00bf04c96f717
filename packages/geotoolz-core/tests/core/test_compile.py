"""What must be read, what is made, under which names: decided before a pixel is touched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr

from geotoolz.core import (
    Branch,
    Call,
    Footprint,
    GeotoolzError,
    Graph,
    Input,
    Map,
    MissingVariableError,
    ParameterError,
    Plan,
    Sequential,
    Switch,
    TileError,
    TileSpec,
    VarSpec,
    compile,
)
from geotoolz.core._footprint import ALL
from geotoolz.radiometry import BoxMean, MinMax, SelectBands, ToFloat32

Make = Callable[..., xr.Dataset]


class _Stub(Map):
    """Writes, drops, renames as told; its kernel counts as pixelwise."""

    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    drops: tuple[str, ...] = ()
    renames: tuple[tuple[str, str], ...] = ()
    order: tuple[str, ...] = ()
    radius: int = 0
    align: int = 1
    note: str = ""

    def plan(self, tile: TileSpec) -> Plan:
        return Plan(
            tuple(tile.find(n, "Stub") for n in self.reads),
            {n: VarSpec() for n in self.writes},
            drops=self.drops,
            renames=dict(self.renames),
            order=self.order,
            footprint=Footprint(self.radius, self.radius, align=self.align),
            notes=(self.note,) if self.note else (),
        )

    @staticmethod
    def kernel(*arrays: Any) -> Any:
        return sum(a.astype("f4") for a in arrays) + np.float32(1)


def spec(make: Make, *bands: str, **kwargs: Any) -> TileSpec:
    return TileSpec.of(make(bands=bands or ("red", "nir", "blue"), **kwargs))


def test_only_what_leads_to_the_outputs_is_read(make: Make) -> None:
    tile = spec(make, "blue", "green", "red", "nir")
    op = Sequential(
        [ToFloat32(), _Stub(("red", "nir"), ("a",)), _Stub(("blue",), ("b",)), BoxMean(1, ("b",))]
    )
    assert set(compile(op, tile).inputs) == {"blue", "green", "red", "nir"}
    program = compile(op, tile, outputs=("a",))
    assert program.inputs == ("red", "nir")
    assert len(program.instructions) == 3  # red, nir to float, and the sum
    assert program.is_pointwise
    assert compile(op, tile, outputs=("green",)).inputs == ("green",)


def test_a_band_that_is_overwritten_before_anyone_reads_it_is_not_read(make: Make) -> None:
    op = Sequential([_Stub(("red",), ("nir",)), _Stub(("nir",), ("out",))])
    assert compile(op, spec(make), outputs=("out",)).inputs == ("red",)


def test_earlier_readers_see_the_value_of_their_time(make: Make) -> None:
    ds = make(bands=("red",))
    op = Sequential([_Stub(("red",), ("before",)), _Stub(("red",), ("red",)), _Stub(("red",), ("after",))])
    out = op(ds)
    np.testing.assert_array_equal(out.before, ds.red + np.float32(1))
    np.testing.assert_array_equal(out.after, ds.red + np.float32(1) + np.float32(1))
    assert list(out.data_vars) == ["red", "before", "after"]


def test_unknown_output_names_what_there_is(make: Make) -> None:
    with pytest.raises(ParameterError, match=r"does not make 'ndvi'; it makes blue, nir, red"):
        compile(ToFloat32(), spec(make), outputs=("ndvi",))


def test_created_are_the_new_ones_or_those_changed(make: Make) -> None:
    tile = spec(make)
    assert compile(_Stub(("red",), ("a", "red")), tile).created == ("a",)
    assert compile(ToFloat32(("nir",)), tile).created == ("nir",)
    assert compile(SelectBands(["red"]), tile).created == ()


def test_drop_rename_order(make: Make) -> None:
    ds = make(bands=("red", "nir", "blue"))
    out = _Stub(drops=("nir",), renames=(("red", "r"),))(ds)
    assert list(out.data_vars) == ["r", "blue"]
    np.testing.assert_array_equal(out.r, ds.red)
    assert out.r.attrs == ds.red.attrs
    assert list(_Stub(renames=(("red", "nir"), ("nir", "red")))(ds).data_vars) == ["nir", "red", "blue"]
    swapped = _Stub(renames=(("red", "nir"), ("nir", "red")))(ds)
    np.testing.assert_array_equal(swapped.nir, ds.red)
    assert list(SelectBands(["blue", "red", "nir"])(ds).data_vars) == ["blue", "red", "nir"]
    assert list(SelectBands(["blue", "red"])(ds).data_vars) == ["blue", "red"]


@pytest.mark.parametrize(
    "op",
    [
        _Stub(renames=(("red", "nir"),)),
        _Stub(renames=(("nir", "red"),)),
        _Stub(("red",), ("r",), renames=(("nir", "r"),)),
        _Stub(("red",), ("x",)),
        _Stub(("red",), ("y",)),
    ],
    ids=repr,
)
def test_names_that_collide_are_refused_while_planning(make: Make, op: Map) -> None:
    with pytest.raises(TileError, match="choose another name"):
        compile(op, spec(make))


def test_a_variable_cannot_take_the_name_of_a_coordinate(make: Make) -> None:
    with pytest.raises(TileError, match="spatial_ref"):
        _Stub(("red",), ("spatial_ref",))(make())


def test_plans_that_do_not_add_up(make: Make) -> None:
    class Forgets(Map):
        def plan(self, tile: TileSpec) -> Plan:
            return Plan(writes={"a": VarSpec()}, calls=(Call(("red",), ("b",), np.copy),))

    class ReadsNothing(Map):
        def plan(self, tile: TileSpec) -> Plan:
            return Plan(("absent",), {"a": VarSpec()})

        kernel = staticmethod(np.copy)

    class NoKernel(Map):
        def plan(self, tile: TileSpec) -> Plan:
            return Plan(("red",), {"a": VarSpec()})

    for op, text in ((Forgets(), "promises"), (ReadsNothing(), "absent"), (NoKernel(), "neither a kernel")):
        with pytest.raises(TileError, match=text):
            compile(op, spec(make))


def test_notes_carry_their_path(make: Make) -> None:
    op = Sequential([ToFloat32(), Branch({"a": _Stub(("red",), ("a",), note="doubtful")})])
    (note,) = compile(op, spec(make)).notes
    assert (note.path, note.operator, note.text) == ("operators[1].branches[a]", "_Stub", "doubtful")


@pytest.mark.parametrize(
    ("op", "path"),
    [
        (Sequential([ToFloat32(), SelectBands(["rad"])]), "operators[1]"),
        (Sequential([Sequential([SelectBands(["rad"])])]), "operators[0].operators[0]"),
        (Branch({"a": SelectBands(["rad"])}), "branches[a]"),
        (Switch("platform", {"sentinel-2a": SelectBands(["rad"])}), "cases[sentinel-2a]"),
        (Switch("platform", {"b": ToFloat32()}, SelectBands(["rad"])), "default"),
        (Graph({"s": Input("s")}, outputs={"o": SelectBands(["rad"])(Input("s"))}), "nodes[o][operator]"),
    ],
    ids=lambda v: type(v).__name__ if isinstance(v, Map) else None,
)
def test_errors_begin_with_the_step(make: Make, op: Any, path: str) -> None:
    with pytest.raises(MissingVariableError) as info:
        compile(op, spec(make))
    assert str(info.value).startswith(f"{path} (SelectBands): ")
    assert str(info.value).count("SelectBands): ") == 1
    assert info.value.path == path  # type: ignore[attr-defined]
    assert isinstance(info.value.__cause__, GeotoolzError)


def test_footprints_add_in_a_row_and_unite_side_by_side(make: Make) -> None:
    tile = spec(make)
    assert compile(Sequential([BoxMean(2), BoxMean(3)]), tile).footprint == Footprint(5, 5)
    assert compile(Branch({"a": BoxMean(2), "b": BoxMean(7)}, prefix=True), tile).footprint == Footprint(7, 7)
    switch = Switch("platform", {"sentinel-2a": BoxMean(1), "landsat-8": BoxMean(9)})
    assert compile(switch, tile).footprint == Footprint(1, 1)
    scene = Input("scene")
    far = BoxMean(4)(BoxMean(1)(scene))
    graph = Graph({"scene": scene}, outputs={"far": far, "near": BoxMean(2)(scene)})
    assert compile(graph, tile).footprint == Footprint(5, 5)
    # blur of red, then a pixelwise step of nir only: nobody looks further than red's own blur
    op = Sequential([BoxMean(2, ("red",)), BoxMean(3, ("nir",)), _Stub(("red",), ("a",))])
    assert compile(op, tile, outputs=("a",)).footprint == Footprint(2, 2)


def test_alignment_is_the_least_common_multiple(make: Make) -> None:
    op = Sequential([_Stub(("red",), ("a",), align=4), _Stub(("a",), ("b",), align=6)])
    assert compile(op, spec(make)).footprint.align == 12
    assert Footprint(ALL, 1).then(Footprint(2, 2)) == Footprint(ALL, 3)
    assert Footprint(1, ALL).union(Footprint(2, 2)) == Footprint(2, ALL)


def test_unfrozen_statistics_count_as_reads(make: Make) -> None:
    op = Sequential([MinMax(bands=("nir",)), _Stub(("red",), ("a",))])
    program = compile(op, spec(make), outputs=("a",))
    assert set(program.inputs) == {"red", "nir"}
    assert [u.path for u in program.unfrozen] == ["operators[0]"]


def test_tile_spec_reads_attrs_and_no_pixels(make: Make) -> None:
    ds = make(bands=("red",), dtype="u2", scl=True)
    tile = TileSpec.of(ds)
    assert tile.variables["red"] == VarSpec(("y", "x"), np.dtype("u2"), 0, {"units": "1", "quantity": "dn"})
    assert tile.variables["scl"].nodata is None
    assert np.isnan(TileSpec.of(make()).variables["red"].nodata)  # type: ignore[arg-type]
    assert VarSpec(dtype="u1").nodata is None  # type: ignore[arg-type]
    assert tile.variables["red"].with_attrs(units=None, a=1).attrs == {"quantity": "dn", "a": 1}
    ds.red.attrs["_FillValue"] = np.uint16(7)
    assert TileSpec.of(ds).variables["red"].nodata == 7
    with pytest.raises(TileError, match=r"DataArray.*as_tile"):
        TileSpec.of(ds.red)  # type: ignore[arg-type]


def test_a_fill_value_is_compared_in_the_bands_own_precision(make: Make) -> None:
    ds = make(bands=("red",))
    ds.red.attrs["_FillValue"] = 0.1
    ds.red.values[0, 0] = 0.1
    assert np.isnan(ToFloat32()(ds).red.values[0, 0])
