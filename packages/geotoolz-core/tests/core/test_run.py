"""The runner: same bits however the work is cut, liars caught, nothing of the caller's changed."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import rioxarray  # noqa: F401 - the accessor
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from geotoolz.core import (
    CONFIG_HASH_ATTR,
    Branch,
    ExecutorError,
    Extent,
    Footprint,
    Map,
    ParameterError,
    Plan,
    Sequential,
    TileError,
    TileSpec,
    VarSpec,
    compile,
    run,
    run_detailed,
)
from geotoolz.core._run import compute
from geotoolz.core.testing import simulate_scene, tiles
from geotoolz.radiometry import (
    BandMath,
    BoxMean,
    Extremes,
    Gamma,
    MinMax,
    PercentileClip,
    SelectBands,
    ToFloat32,
)

Make = Callable[..., xr.Dataset]
PIPELINE = Sequential([ToFloat32(), BoxMean(2), Branch({"a": BoxMean(1, ("red",))}, prefix=True), MinMax()])


def operator(
    kernel: Any, *, reads: Any = ("red",), writes: Any = ("out",), var: Any = None, reach: int = 0
) -> Map:
    """Return an operator around a kernel, for the tests of kernels that lie."""
    function = kernel

    class Made(Map):
        def plan(self, tile: TileSpec) -> Plan:
            like = var or VarSpec(tile.variables[reads[0]].dims)
            return Plan(reads, dict.fromkeys(writes, like), footprint=Footprint(reach, reach))

        kernel = staticmethod(function)

    return Made()


def same(a: xr.Dataset, b: xr.Dataset) -> None:
    xr.testing.assert_identical(a, b)
    for name in a.data_vars:
        assert a[name].dtype == b[name].dtype
        assert a[name].values.tobytes() == b[name].values.tobytes()


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("window", [None, (1, 1), (2, 3), (5, 100), (100, 4), (100, 100)])
def test_windows_and_threads_do_not_show(make: Make, window: Any, threads: int) -> None:
    ds = make((11, 13), times=2)
    same(run(PIPELINE, ds, window=window, threads=threads), PIPELINE(ds))  # type: ignore[arg-type]


@settings(max_examples=40)
@given(tiles(max_side=9), st.tuples(st.integers(1, 9), st.integers(1, 9)), st.integers(1, 3))
def test_the_law_on_drawn_tiles(ds: xr.Dataset, window: tuple[int, int], threads: int) -> None:
    op = Sequential([ToFloat32(), BoxMean(2)])
    same(run(op, ds, window=window, threads=threads), op(ds))  # type: ignore[arg-type]


def test_row_blocks_of_a_tall_tile(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    ds = make((40, 9))
    whole = PIPELINE(ds)
    monkeypatch.setattr("geotoolz.core._blocks.BLOCK_PIXELS", 30)
    same(PIPELINE(ds), whole)


@pytest.mark.parametrize("window", [(0, 5), (5, 0), (-1, 5)])
def test_windows_below_one_pixel(make: Make, window: tuple[int, int]) -> None:
    with pytest.raises(ExecutorError, match="smaller than one pixel"):
        run(BoxMean(), make(), window=window)


def test_threads_below_one(make: Make) -> None:
    with pytest.raises(ParameterError, match="threads=0"):
        run(BoxMean(), make(), threads=0)


def test_whole_tile_steps_refuse_windows_by_name(make: Make) -> None:
    class Whole(Map):
        def plan(self, tile: TileSpec) -> Plan:
            return Plan(("red",), {"out": VarSpec()}, footprint=Footprint("all", "all"))

        @staticmethod
        def kernel(red: Any) -> Any:
            return red - red.mean()

    ds = make()
    op = Sequential([Whole()])
    assert op(ds).out.shape == (6, 7)
    with pytest.raises(ExecutorError, match=r"operators\[0\] looks at the whole tile"):
        run(op, ds, window=(3, 3))
    same(run(op, ds, window=(100, 100)), op(ds))  # type: ignore[arg-type]


LIARS = {
    "dtype": (lambda a: a.astype("f8"), "returned float64"),
    "shape": (lambda a: a[..., :-1], "returned shape"),
    "one row for all": (lambda a: a[..., :1, :], "returned shape"),
    "more dims": (lambda a: a[None], "returned shape"),
    "fewer dims": (lambda a: a[..., 0], "returned shape"),
    "two arrays": (lambda a: (a, a), "returned 2 arrays"),
    "no array": (lambda a: (), "returned 0 arrays"),
    "a number": (lambda a: 1.0, "returned a float"),
    "nothing": (lambda a: None, "returned a NoneType"),
    "a list": (lambda a: a.tolist(), "returned a list"),
}


@pytest.mark.parametrize("reach", [0, 1])
@pytest.mark.parametrize("window", [None, (2, 2)])
@pytest.mark.parametrize(("kernel", "text"), LIARS.values(), ids=LIARS)
def test_kernels_that_lie(make: Make, kernel: Any, text: str, window: Any, reach: int) -> None:
    op = Sequential([ToFloat32(), operator(kernel, reach=reach)])
    with pytest.raises(TileError, match=text) as info:
        run(op, make(), window=window)
    assert "operators[1]" in str(info.value)


def test_a_stack_cannot_shrink_to_one_date(make: Make) -> None:
    ds = make(times=3)
    for kernel in (lambda a: a[0], lambda a: a[:1]):
        with pytest.raises(TileError, match="returned shape"):
            run(operator(kernel), ds, window=(2, 2))


def test_outputs_are_all_that_comes_back(make: Make) -> None:
    ds = make(bands=("red", "nir", "blue"))
    out = run(BoxMean(1), ds, outputs=("nir",))
    assert isinstance(out, xr.Dataset)
    assert list(out.data_vars) == ["nir"]
    same(out, BoxMean(1)(ds)[["nir"]])
    assert list(run(BoxMean(1, ("red",)), ds, outputs=("blue",)).data_vars) == ["blue"]  # type: ignore[union-attr]


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (0, 0)])
@pytest.mark.parametrize("op", [BoxMean(2), ToFloat32(), PercentileClip(), MinMax(), PIPELINE], ids=repr)
def test_empty_tiles(make: Make, shape: tuple[int, int], op: Any) -> None:
    out = op(make(shape))
    assert (out.sizes["y"], out.sizes["x"]) == shape
    same(out, run(op, make(shape), window=(2, 2), threads=2))


def test_read_only_inputs_stay_as_they_are(make: Make) -> None:
    ds = make((9, 9), times=2, attrs={"note": "mine"})
    before = ds.copy(deep=True)
    for name in ds.data_vars:
        ds[name].values.flags.writeable = False
    PIPELINE(ds)
    run(PIPELINE, ds, window=(4, 4), threads=2)
    xr.testing.assert_identical(ds, before)
    assert ds.encoding == before.encoding


def test_what_the_operator_does_not_name_is_kept(make: Make) -> None:
    ds = make(times=2)
    ds = ds.assign_coords(time=[1, 2], cloud=("time", [0.1, 0.2]), scalar=5)
    ds["text"] = ("name", ["a", "b"])
    ds["per_date"] = ("time", [1.0, 2.0])
    ds["number"] = 3
    ds["foreign"] = ds.red.astype("f8") * 2
    ds["foreign"].attrs = {"a": 1}
    ds["foreign"].encoding = {"chunksizes": (1, 2, 2)}
    ds.encoding = {"source": "somewhere"}
    for op in (BoxMean(1, ("red",)), Sequential([BoxMean(1, ("red",)), ToFloat32(("nir",))])):
        out = op(ds)
        assert list(out.data_vars) == list(ds.data_vars)
        xr.testing.assert_identical(out.drop_vars(["red", "nir"]), ds.drop_vars(["red", "nir"]))
        assert out.foreign.encoding == {"chunksizes": (1, 2, 2)}
        assert out.encoding == {"source": "somewhere"}
        assert out.rio.crs == ds.rio.crs
        assert out.rio.transform() == ds.rio.transform()
    kept = SelectBands(["foreign"])(ds)
    assert kept.encoding == {"source": "somewhere"}
    assert set(kept.coords) == set(ds.coords)


def test_a_stale_hash_is_dropped(make: Make) -> None:
    ds = make(attrs={CONFIG_HASH_ATTR: "abc"})
    for op in (BoxMean(1), SelectBands(["red"]), Sequential([])):
        assert CONFIG_HASH_ATTR not in op(ds).attrs
    assert ds.attrs[CONFIG_HASH_ATTR] == "abc"


@pytest.mark.parametrize("drops", [False, True])
def test_five_operators_build_one_dataset(make: Make, monkeypatch: pytest.MonkeyPatch, drops: bool) -> None:
    ds = make((8, 8))
    last = SelectBands(["red"]) if drops else BoxMean(1)
    op = Sequential([ToFloat32(), BoxMean(1), ToFloat32(), BoxMean(1), last])
    built = 0

    def counted(name: str) -> None:
        original = getattr(xr.Dataset, name)

        def wrapper(self: xr.Dataset, *args: Any, **kwargs: Any) -> Any:
            nonlocal built
            built += 1
            return original(self, *args, **kwargs)

        monkeypatch.setattr(xr.Dataset, name, wrapper)

    for name in ("__init__", "assign", "__setitem__", "drop_vars", "rename", "copy"):
        counted(name)
    last(ds)
    one, built = built, 0
    op(ds)
    assert built == one
    assert built <= 4  # xarray's own assign is made of a copy and more


@pytest.mark.parametrize("dims", [("x", "y"), ("y", "x", "band"), ("y", "time", "x")])
def test_dims_in_another_order_are_told_with_the_cure(make: Make, dims: tuple[str, ...]) -> None:
    ds = make((4, 4))
    sizes = {"x": 4, "y": 4, "band": 2, "time": 3}
    ds["red"] = (dims, np.ones([sizes[d] for d in dims], "f4"))
    for op in (BoxMean(1), BoxMean(1, ("red",)), MinMax(), operator(np.copy, var=VarSpec())):
        with pytest.raises(TileError, match="as_tile"):
            op(ds)


def test_what_is_no_tile(make: Make) -> None:
    for thing in (np.zeros((2, 2)), make().red, None, "tile.tif", [make()]):
        for op in (BoxMean(1), Sequential([BoxMean(1)])):
            with pytest.raises(TileError, match="as_tile"):
                op(thing)  # type: ignore[call-overload]
    with pytest.raises(ParameterError, match="takes one tile"):
        run(BoxMean(1), {"a": make()})


def test_two_stacks_of_different_length_in_one_graph(make: Make) -> None:
    from geotoolz.core import Graph, Input

    a, b = Input("a"), Input("b")
    graph = Graph({"a": a, "b": b}, outputs={"one": BoxMean(1)(a), "two": BoxMean(1)(b)})
    long, short = make(times=5), make(times=2, seed=1)
    out = run(graph, {"a": long, "b": short}, window=(2, 2))
    assert isinstance(out, dict)
    same(out["one"], BoxMean(1)(long))
    same(out["two"], BoxMean(1)(short))


def test_results_do_not_alias_a_larger_array(make: Make) -> None:
    out = run(BoxMean(1), make((20, 20)), outputs=("red",))
    assert isinstance(out, xr.Dataset)
    base = out.red.values.base
    assert base is None or base.size == 400


def test_statistics_come_with_their_paths(make: Make) -> None:
    ds = make()
    result = run_detailed(Sequential([Extremes(("red",)), BoxMean(1), Extremes()]), ds)
    assert set(result.statistics) == {"operators[0]", "operators[2]"}
    assert result.statistics["operators[0]"] == {"red": (float(ds.red.min()), float(ds.red.max()))}
    smooth = BoxMean(1)(ds).nir
    assert result.statistics["operators[2]"]["nir"] == (float(smooth.min()), float(smooth.max()))
    assert Extremes()(ds)["nir"] == (float(ds.nir.min()), float(ds.nir.max()))


def test_strips_that_were_read_are_let_go(make: Make) -> None:
    """A scene that is read strip by strip gives new arrays with every strip; none outlives the next one."""
    tile = make((240, 32))[["red", "nir"]]
    pipeline = Sequential([Gamma(2.0), BandMath({"index": "(nir - red) / (nir + red)"})])
    program = compile(pipeline, TileSpec.of(tile), ("index",))
    held: list[weakref.ref[Any]] = []
    most = 0

    def fetch(slot: int, extent: Extent) -> Any:
        nonlocal most
        most = max(most, sum(ref() is not None for ref in held))
        values = np.ascontiguousarray(extent.of(tile[program.sources[slot][1]].values)).copy()
        held.append(weakref.ref(values))
        return values

    arrays, _ = compute(program, fetch, window=(8, 32))
    assert len(held) == 60
    assert most <= 5  # what the strip itself reads, and what the last one left to be used again
    np.testing.assert_array_equal(next(iter(arrays.values())), pipeline(tile)["index"].values)


class _Halved(Map):
    """Half of a band, by NumPy: what it stands in cannot be prepared as one loop."""

    name: str = "half"

    def plan(self, tile: TileSpec) -> Plan:
        return Plan(reads=("red",), writes={self.name: VarSpec(("y", "x"))})

    @staticmethod
    def kernel(red: Any) -> Any:
        return (red * 0.5).astype(np.float32)


@pytest.mark.parametrize("window", [(1, 7), (16, 16), (64, 50)])
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("kept", [("half", "ratio", "sum"), ("sum",), ("red", "half")])
def test_loops_beside_numpy_write_into_the_output_and_into_buffers(window, threads, kept, monkeypatch):
    from geotoolz.core import _execute

    placed = []
    own = _execute._written_in_place
    monkeypatch.setattr(_execute, "_written_in_place", lambda *args: placed.append(own(*args)) or placed[-1])
    tile = simulate_scene((64, 50), bands=("red", "nir"), cloud_cover=0.2)
    steps = [BandMath("nir / red", "ratio"), _Halved(), BandMath("ratio + half", "sum"), SelectBands(kept)]
    op = Sequential(steps)
    made = run(op, tile, window=window, threads=threads)
    red, nir = tile.red.values, tile.nir.values
    with np.errstate(all="ignore"):
        ratio = (nir.astype("f8") / red).astype("f4")
        ratio[~np.isfinite(ratio)] = np.nan
        half = (red * 0.5).astype("f4")
        expected = {"red": red, "half": half, "ratio": ratio, "sum": (ratio.astype("f8") + half).astype("f4")}
    assert list(made) == list(kept)
    for name in kept:
        np.testing.assert_array_equal(made[name], expected[name], err_msg=name)
    in_place = any(one is not None for one in placed)
    assert in_place == ("sum" in kept and window != (64, 50)), "loops that are needed write in place"


class _Around(Map):
    """Sum of a variable and its eight neighbours."""

    def plan(self, tile: TileSpec) -> Plan:
        return Plan(("ratio",), {"around": VarSpec(("y", "x"))}, footprint=Footprint(1, 1))

    @staticmethod
    def kernel(ratio: Any) -> Any:
        wide = np.pad(np.nan_to_num(ratio), 1)
        rows, cols = ratio.shape
        shifted = [wide[y : y + rows, x : x + cols] for y in range(3) for x in range(3)]
        return np.sum(shifted, axis=0, dtype="f8").astype(np.float32)


@pytest.mark.parametrize("window", [(5, 7), (16, 50), (64, 50)])
def test_what_is_kept_and_read_with_a_halo_is_cropped_for_the_output(window):
    tile = simulate_scene((64, 50), bands=("red", "nir"), cloud_cover=0.2)
    op = Sequential([BandMath("nir / red", "ratio"), _Around()])
    whole, cut = op(tile), run(op, tile, window=window, threads=2)
    assert isinstance(cut, xr.Dataset) and list(cut) == ["red", "nir", "ratio", "around"]
    same(whole, cut)
    plain = (tile.nir.values.astype("f8") / tile.red.values).astype("f4")
    plain[~np.isfinite(plain)] = np.nan
    np.testing.assert_array_equal(cut.ratio.values, plain)
    np.testing.assert_array_equal(cut.around.values, _Around.kernel(plain))


class _ColumnMean(Map):
    """Deviation from the mean of the column: sees an axis as a whole, and one pixel along the other."""

    def plan(self, tile: TileSpec) -> Plan:
        return Plan(("red",), {"deviation": VarSpec(("y", "x"))}, footprint=Footprint("all", 0))

    @staticmethod
    def kernel(red: Any) -> Any:
        return (red - red.mean(-2, keepdims=True, dtype="f8")).astype(np.float32)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("shape", [(1100, 1500), (3000, 130), (40, 50)])
def test_what_sees_whole_columns_runs_in_strips_of_columns(shape, threads):
    tile = simulate_scene(shape, bands=("red",))
    expected = _ColumnMean.kernel(tile.red.values)
    made = run(_ColumnMean(), tile, threads=threads)
    assert isinstance(made, xr.Dataset)
    np.testing.assert_array_equal(made.deviation.values, expected)
    cut = run(_ColumnMean(), tile, threads=threads, window=(7, 33))  # the rows of a window do not count
    assert isinstance(cut, xr.Dataset)
    np.testing.assert_array_equal(cut.deviation.values, expected)


@pytest.mark.parametrize("shape", [(1, 1), (5, 1000), (1000, 5), (0, 7), (7, 0), (300, 64)])
@pytest.mark.parametrize("pixels", [1, 640, 100_000])
def test_strips_cover_the_tile_once(shape, pixels):
    from geotoolz.core._extent import column_blocks, row_blocks

    for cut in (column_blocks, row_blocks):
        seen = np.zeros(shape, int)
        strips = cut(shape, pixels)
        for e in strips:
            seen[e.y0 : e.y1, e.x0 : e.x1] += 1
        assert (seen == 1).all() and len(strips) >= 1
        assert all(e.shape[0] == shape[0] or cut is row_blocks for e in strips)
        assert all(e.shape[1] == shape[1] or cut is column_blocks for e in strips)
