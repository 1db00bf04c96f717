"""Tiles of several sensors on one grid: windows, laziness, graphs, bad input."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox

from geotoolz.core import (
    Graph,
    GridMismatchError,
    Input,
    MissingCRSError,
    OutsideError,
    ParameterError,
    QuantityError,
    TileError,
    dump,
    geobox_of,
    load,
    run,
    tile_from_arrays,
)
from geotoolz.core.testing import assert_law, assert_same, contract_tile, simulate_scene
from geotoolz.fusion import AlignAndStack, align_and_stack
from geotoolz.grid import Crop, MatchGrid, Reproject
from geotoolz.indices import NDVI
from geotoolz.sar import LeeSpeckle, LinearToDB
from geotoolz.terrain import Slope


def make(name, box, seed=0, dtype=np.float32, times=0, **attrs):
    shape = (times, *box.shape) if times else tuple(box.shape)
    values = np.random.default_rng(seed).uniform(0.05, 0.9, shape).astype(np.float32)
    if dtype == np.float32:
        values[..., 3:6, 4:9] = np.nan
    else:
        values = (values * 3000).astype(dtype)
    own = {name: attrs}
    nodata = {name: np.nan if dtype == np.float32 else -9999}
    days = np.arange(times) * np.timedelta64(5, "D") + np.datetime64("2024-06-01", "ns")
    coords = {"time": days} if times else None
    return tile_from_arrays({name: values}, box, var_attrs=own, nodata=nodata, coords=coords)


OPTICAL = GeoBox((60, 70), Affine(10, 0, 600000, 0, -10, 5000000), "EPSG:32632")
RADAR = GeoBox((70, 60), Affine(20, 0, 128000, 0, -20, 5010400), "EPSG:32633")
DEM = GeoBox((60, 70), Affine(0.0005, 0, 10.26, 0, -0.0005, 45.16), "EPSG:4326")


@pytest.fixture
def tiles():
    optical = make("red", OPTICAL, 1, quantity="surface_reflectance", units="1")
    optical = optical.assign(nir=make("nir", OPTICAL, 2, quantity="surface_reflectance", units="1").nir)
    radar = make("vv", RADAR, 3, quantity="backscatter", units="1")
    return {"optical": optical, "radar": radar, "dem": make("dem", DEM, 4, np.int16, quantity="elevation")}


def graph(**options):
    """Return a graph with three inputs on three grids and two outputs."""
    optical, radar, dem = Input("optical"), Input("radar"), Input("dem")
    stack = AlignAndStack("optical", **options)(optical, LeeSpeckle(5, looks=4.0)(radar), dem)
    return Graph(
        {"optical": optical, "radar": radar, "dem": dem},
        outputs={"features": LinearToDB()(NDVI()(stack)), "relief": Slope()(stack)},
    )


def test_each_variable_is_what_matching_its_tile_gives(tiles):
    methods = {"optical": "nearest", "radar": "average", "dem": "cubic"}
    out = align_and_stack(tiles, target_grid="optical", method=methods)
    assert list(out.data_vars) == ["red", "nir", "vv", "dem"]
    assert geobox_of(out) == OPTICAL
    assert out.red.identical(tiles["optical"].red)
    np.testing.assert_array_equal(out.vv, MatchGrid.like(OPTICAL, "average")(tiles["radar"]).vv)
    np.testing.assert_array_equal(out.dem, MatchGrid.like(OPTICAL, "cubic")(tiles["dem"]).dem)
    assert out.dem.dtype == np.int16 and out.dem.attrs["_FillValue"] == -9999
    assert float(out.vv.notnull().mean()) > 0.9 and bool((out.dem != -9999).all())


@pytest.mark.parametrize("name", ["radar", "dem"])
def test_any_input_may_be_the_target(tiles, name):
    out = AlignAndStack(name)(tiles)
    assert geobox_of(out) == geobox_of(tiles[name])
    assert len(out.data_vars) == 4


def test_target_grids_that_are_no_input(tiles):
    grid = GeoBox((20, 30), Affine(17, 0, 600100, 0, -13, 4999900), "EPSG:32632")
    assert geobox_of(AlignAndStack(grid)(tiles)) == grid
    like = make("red", grid)
    assert AlignAndStack(like) == AlignAndStack(grid)
    out = AlignAndStack({"crs": "EPSG:3857", "resolution": 25.0})(tiles)
    assert geobox_of(out) == geobox_of(Reproject("EPSG:3857", 25.0)(tiles["optical"]))
    np.testing.assert_array_equal(out.red, Reproject("EPSG:3857", 25.0)(tiles["optical"]).red)
    again = load(dump(AlignAndStack(grid, method={"radar": "nearest"})))
    assert again == AlignAndStack(grid, method={"radar": "nearest"})


def test_prefixes(tiles):
    out = AlignAndStack("dem", prefix=True)({"dem": tiles["dem"], "a": tiles["radar"], "b": tiles["radar"]})
    assert list(out.data_vars) == ["dem_dem", "a_vv", "b_vv"]


def test_colliding_names(tiles):
    with pytest.raises(TileError, match=r"'a' and 'b' both have a variable 'vv'.*prefix=True"):
        AlignAndStack("a")({"a": tiles["radar"], "b": tiles["radar"]})


def test_unknown_names(tiles):
    with pytest.raises(ParameterError, match=r"target_grid names 'optcal'.*did you mean 'optical'"):
        AlignAndStack("optcal")(tiles)
    with pytest.raises(ParameterError, match=r"method names 'sar'"):
        AlignAndStack("optical", method={"sar": "nearest"})(tiles)
    with pytest.raises(ParameterError, match="fill names 'scl'"):
        AlignAndStack("optical", fill={"scl": 0})(tiles)
    for grid in ({}, {"crs": "EPSG:4326", "shape": (2, 2)}, {"crs": "no such", "resolution": 1.0}):
        with pytest.raises(ParameterError):
            AlignAndStack(grid)
    with pytest.raises(ParameterError, match="method"):
        AlignAndStack("optical", method="linear")


def test_inputs_that_do_not_touch(tiles):
    far = make("vh", GeoBox((9, 9), Affine(10, 0, 300000, 0, -10, 1000000), "EPSG:32632"))
    with pytest.raises(OutsideError, match=r"input 'far'.*does not touch"):
        AlignAndStack("optical")({**tiles, "far": far})


def test_an_input_without_a_reference_system(tiles):
    for name, target in (("dem", "optical"), ("optical", "optical")):
        bare = tiles[name].drop_vars("spatial_ref")
        with pytest.raises(MissingCRSError, match=r"AlignAndStack.*write_crs"):
            AlignAndStack(target)({**tiles, name: bare})


def test_integers_without_nodata(tiles):
    flags = simulate_scene((20, 20), origin=(600100.0, 4999900.0), crs="EPSG:32632", bands=("scl",))
    del flags.scl.attrs["_FillValue"]
    flags.scl.encoding.clear()
    with pytest.raises(TileError, match=r"input 'flags'.*AlignAndStack\(…, fill=\{'scl': 0\}\)"):
        AlignAndStack("optical")({**tiles, "flags": flags})
    out = AlignAndStack("optical", fill={"scl": 0})({**tiles, "flags": flags})
    assert set(np.unique(out.scl)) <= {0, *np.unique(flags.scl)}


# ---- graphs ------------------------------------------------------------------------------------------------


def test_a_graph_with_two_outputs(tiles):
    with pytest.raises(TypeError):
        graph()(tiles["optical"], tiles["radar"])
    fused = graph()
    out = fused(**tiles)
    assert list(out["features"].data_vars) == ["red", "nir", "vv", "dem", "ndvi"]
    assert "slope" in out["relief"]
    assert out["features"].vv.attrs["units"] == "dB"
    again = load(dump(fused))
    assert again == fused and again.config_hash() == fused.config_hash()
    for name, tile in again(**tiles).items():
        assert_same(tile, out[name], name)


def test_a_missing_input_is_named(tiles):
    with pytest.raises(ParameterError, match=r"input 'dem' is missing.*tiles for optical, radar, dem"):
        graph()(optical=tiles["optical"], radar=tiles["radar"])
    with pytest.raises(ParameterError, match="Input\\('dem'\\) is used and not among"):
        dem, optical = Input("dem"), Input("optical")
        Graph({"optical": optical}, outputs={"out": AlignAndStack("optical")(optical, dem)})


def test_the_target_may_be_named_by_the_graphs_input(tiles):
    optical, radar = Input("optical"), Input("radar")
    made = AlignAndStack("radar", method={"optical": "nearest"})(NDVI()(optical), LeeSpeckle()(radar))
    out = Graph({"optical": optical, "radar": radar}, outputs={"out": made})(
        optical=tiles["optical"], radar=tiles["radar"]
    )["out"]
    assert geobox_of(out) == RADAR
    np.testing.assert_array_equal(out.red, MatchGrid.like(RADAR, "nearest")(tiles["optical"]).red)
    both = AlignAndStack("radar", prefix=True)(LinearToDB()(radar), LeeSpeckle()(radar))
    with pytest.raises(ParameterError, match="several come from 'radar'"):
        Graph({"radar": radar}, outputs={"out": both})(tiles["radar"])


@pytest.mark.parametrize("window", [(1, 200), (200, 1), (17, 23), (500, 500)])
def test_windows_and_threads_change_no_bit(tiles, window):
    fused = graph(method={"radar": "cubic", "dem": "average"})
    whole = run(fused, tiles)
    for threads in (1, 3):
        parts = run(fused, tiles, window=window, threads=threads)
        for name, tile in parts.items():
            assert_same(tile, whole[name], f"{name} in windows of {window}")


def test_lazy_tiles_stay_lazy(tiles):
    fused = graph()
    whole = fused(**tiles)
    lazy = fused(**{name: tile.chunk({"y": 17, "x": 23}) for name, tile in tiles.items()})
    for name, tile in lazy.items():
        assert tile.dem.chunks
        assert_same(tile.compute(scheduler="synchronous"), whole[name], name)


@pytest.mark.parametrize("target", ["optical", "crop", "dem"])
def test_tiles_that_begin_within_their_lattice(tiles, target):
    """A later change of the grid asks every variable for pixels of one and the same lattice."""
    left, _, _, top = OPTICAL.boundingbox.bbox
    crop = Crop((left + 105, top - 455, left + 555, top - 95), crs="EPSG:32632")
    optical, dem, other = Input("optical"), Input("dem"), Input("other")
    named = {"optical": "crop", "crop": "crop", "dem": "dem"}[target]
    stack = AlignAndStack(named, method="nearest")(crop(optical), dem, other)
    web = Reproject("EPSG:3857", 20.0, method="nearest")(stack)
    fused = Graph({"optical": optical, "dem": dem, "other": other}, outputs={"out": web})
    cropped = crop(tiles["optical"])
    same_grid = cropped.rename(red="red2", nir="nir2")  # the same pixels, on a lattice of their own
    inputs = {"optical": tiles["optical"], "dem": tiles["dem"], "other": same_grid}
    whole = fused(**inputs)["out"]
    np.testing.assert_array_equal(whole.red, whole.red2)
    by_hand = AlignAndStack("a", method="nearest")({"a": cropped, "dem": tiles["dem"]})
    by_hand = Reproject("EPSG:3857", 20.0, method="nearest")(by_hand)
    if target != "dem":
        for name in ("red", "dem"):
            one, two = xr.align(whole[name], by_hand[name], join="inner")
            # positions are interpolated on lattices of other corners: a pixel here and there may tip over
            assert one.size > 800 and float((one.fillna(-1) == two.fillna(-1)).mean()) > 0.98
    for window in ((13, 9), (1, 99)):
        assert_same(run(fused, inputs, window=window)["out"], whole)


def test_odd_tiles(tiles):
    for shape in ((1, 1), (1, 7), (0, 0), (0, 5)):
        box = GeoBox(shape, OPTICAL.affine, "EPSG:32632")
        out = AlignAndStack("optical")({**tiles, "optical": make("red", box)})
        assert out.dem.shape == shape
    nothing = tiles["radar"].copy(deep=True)
    nothing.vv.values[...] = np.nan
    assert bool(AlignAndStack("optical")({**tiles, "radar": nothing}).vv.isnull().all())
    for shape in ((1, 1), (3, 4), (0, 5)):
        tile = contract_tile(shape)[["red", "scl"]]
        op = AlignAndStack({"crs": "EPSG:3857", "resolution": 21.0}, fill={"scl": 0})
        expected = Reproject("EPSG:3857", 21.0, fill={"scl": 0})(tile)
        out = op({"a": tile})
        for name in ("red", "scl"):
            np.testing.assert_array_equal(out[name], expected[name])
        if 0 not in shape:
            assert_law(op, tile, threads=(1,))


# ---- stacks ------------------------------------------------------------------------------------------------


def test_a_stack_beside_a_single_date(tiles):
    stack = make("red", OPTICAL, times=3)
    for target in ("dem", "stack"):
        out = AlignAndStack(target)({"dem": tiles["dem"], "stack": stack})
        assert out.red.dims == ("time", "y", "x") and out.dem.dims == ("y", "x")
        np.testing.assert_array_equal(out.time, stack.time)
    for i in range(3):
        alone = AlignAndStack("dem")({"dem": tiles["dem"], "stack": stack.isel(time=i, drop=True)})
        np.testing.assert_array_equal(
            AlignAndStack("dem")({"dem": tiles["dem"], "stack": stack}).red[i], alone.red
        )


def test_stacks_of_other_dates(tiles):
    three, two = make("red", OPTICAL, times=3), make("vv", RADAR, times=2)
    with pytest.raises(TileError, match="'radar' has 2 positions along 'time', another 3"):
        AlignAndStack("optical")({"optical": three, "radar": two})
    later = make("vv", RADAR, times=3)
    later = later.assign_coords(time=later.time + np.timedelta64(1, "D"))
    with pytest.raises(TileError, match="other values of 'time'"):
        AlignAndStack("optical")({"optical": three, "radar": later})


def test_nonsense_is_still_caught_afterwards(tiles):
    stacked = AlignAndStack("optical")(tiles)
    with pytest.raises(QuantityError):
        LinearToDB()(LinearToDB()(stacked))
    with pytest.raises(GridMismatchError):
        from geotoolz.core import Merge

        Merge()(tiles)


@settings(max_examples=25, deadline=None)
@given(
    st.tuples(st.integers(1, 30), st.integers(1, 30)),
    st.floats(5, 60),
    st.tuples(st.floats(-200, 500), st.floats(-200, 500)),
    st.sampled_from(["nearest", "bilinear", "cubic", "average"]),
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
)
def test_any_pair_of_grids(shape, size, shift, method, window):
    box = GeoBox(shape, Affine(size, 0, 600000 + shift[0], 0, -size, 5000000 - shift[1]), "EPSG:32632")
    inputs = {"a": make("red", OPTICAL, 1), "b": make("vv", box, 2)}
    op = AlignAndStack("a", method=method)
    joined = Graph(("a", "b"), {"out": {"operator": op, "inputs": ("a", "b")}}, {"out": "out"})
    try:
        expected = MatchGrid.like(OPTICAL, method)(inputs["b"])
    except OutsideError:
        with pytest.raises(OutsideError, match="'b'"):
            joined(**inputs)
        return
    whole = joined(**inputs)["out"]
    np.testing.assert_array_equal(whole.vv, expected.vv)
    assert_same(run(joined, inputs, window=window, threads=2)["out"], whole)
