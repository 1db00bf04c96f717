"""Grid operators against hand-computed pixels, GDAL's warper, and the exact transformation."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
import xarray as xr
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from odc.geo.geobox import GeoBox
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT

from geotoolz.core import (
    Branch,
    Graph,
    Input,
    MissingCRSError,
    OutsideError,
    ParameterError,
    Sequential,
    TileError,
    TileSpec,
    check,
    compile,
    geobox_of,
    run,
    tile_from_arrays,
)
from geotoolz.core._errors import GridMismatchError
from geotoolz.core.testing import assert_law, assert_same, contract_tile, simulate_scene
from geotoolz.grid import Crop, MatchGrid, Reproject, Resample
from geotoolz.radiometry import BoxMean, SelectBands

BOX = GeoBox((4, 4), Affine(10, 0, 500000, 0, -10, 5100000), "EPSG:32633")


def tile(values: np.ndarray, box: GeoBox = BOX, nodata: float | None = None, **attrs: object) -> xr.Dataset:
    return tile_from_arrays({"a": values}, box, nodata={"a": nodata}, var_attrs={"a": attrs})


RAMP = np.arange(16, dtype="f4").reshape(4, 4)


def test_average_is_the_mean_of_the_pixels_below() -> None:
    assert Resample(factor=2)(tile(RAMP)).a.values.tolist() == [[2.5, 4.5], [10.5, 12.5]]


def test_average_weighs_by_area() -> None:
    found = Resample(resolution=15)(tile(RAMP)).a.values
    # 1.5 pixels a side: (0·1 + 1·½ + 4·½ + 5·¼) / 2.25
    assert found[0, 0] == np.float32((0 + 0.5 + 2 + 1.25) / 2.25)
    assert found.shape == (3, 3)


def test_average_leaves_out_no_data() -> None:
    values = RAMP.copy()
    values[0, 0] = np.nan
    assert Resample(factor=2)(tile(values)).a.values[0, 0] == np.float32((1 + 4 + 5) / 3)
    values[:2, :2] = np.nan
    assert np.isnan(Resample(factor=2)(tile(values)).a.values[0, 0])


def test_integers_are_rounded_and_never_become_no_data() -> None:
    whole = np.array([[0, 0, 1, 1], [0, 0, 1, 2], [3, 3, 4, 4], [3, 4, 4, 5]], "u2")
    out = Resample(factor=2)(tile(whole, nodata=0)).a
    assert out.dtype == np.uint16
    assert out.values.tolist() == [[0, 1], [3, 4]]
    cubic = np.array([[1, 1, 1, 1000]] * 4, "u2")  # undershoots below 1 beside the step
    fine = Resample(factor=0.25, method="cubic")(tile(cubic, nodata=0)).a.values
    assert fine.min() >= 1


def test_classes_take_the_most_frequent_and_of_equals_the_smallest() -> None:
    classes = np.array([[1, 1, 7, 2], [1, 2, 2, 7], [0, 0, 0, 3], [0, 9, 0, 0]], "u1")
    out = Resample(factor=2)(tile(classes, nodata=0, quantity="flags")).a
    assert out.values.tolist() == [[1, 2], [9, 3]]
    assert Resample(factor=0.5, method="bilinear")(tile(classes, nodata=0, quantity="flags")).a.values[
        0
    ].tolist() == [1, 1, 1, 1, 7, 7, 2, 2]


def test_bilinear_by_hand() -> None:
    fine = Resample(factor=0.5, method="bilinear")(tile(RAMP)).a.values
    assert fine[1, 1] == 1.25  # a quarter of a pixel from 0 towards 1, 4 and 5
    assert fine[0, 0] == 0.0  # beyond the outermost centres the neighbours inside count


def test_cubic_reproduces_a_parabola() -> None:
    y, x = np.mgrid[0:12, 0:12].astype("f8")
    box = GeoBox((12, 12), BOX.affine, BOX.crs)
    fine = Resample(factor=0.5, method="cubic")(tile(x**2 + 3 * y, box)).a.values
    v, u = (np.mgrid[0:24, 0:24] + 0.5) / 2 - 0.5
    np.testing.assert_allclose(fine[4:-4, 4:-4], (u**2 + 3 * v)[4:-4, 4:-4], atol=1e-9)


def test_a_mask_is_false_outside() -> None:
    mask = np.ones((4, 4), bool)
    out = Reproject("EPSG:32634")(tile(mask)).a
    assert out.dtype == np.bool_
    assert out.values.any()
    assert not out.values.all()


GDAL = {"nearest": Resampling.nearest, "bilinear": Resampling.bilinear, "cubic": Resampling.cubic}


def _gdal(scene: xr.Dataset, name: str, box: GeoBox, method: str) -> np.ndarray:
    """Warp with GDAL and a transformer that is exact to a millionth of a pixel (the default is 1/8)."""
    source = geobox_of(scene)
    height, width = map(int, source.shape)
    profile = {"driver": "GTiff", "width": width, "height": height, "count": 1, "dtype": "float32"}
    with rasterio.io.MemoryFile() as memory:
        with memory.open(**profile, transform=source.affine, crs=str(source.crs), nodata=np.nan) as raster:
            raster.write(scene[name].values.astype("f4"), 1)
        rows, cols = map(int, box.shape)
        with memory.open() as raster, WarpedVRT(
            raster, crs=str(box.crs), transform=box.affine, height=rows, width=cols, src_nodata=np.nan,
            nodata=np.nan, resampling=GDAL[method], tolerance=1e-6,
        ) as warped:  # fmt: skip
            found: np.ndarray = warped.read(1)
    return found


@pytest.mark.parametrize("method", ["bilinear", "cubic"])
def test_smooth_methods_agree_with_gdal_with_an_exact_transformer(method: str) -> None:
    scene = simulate_scene((200, 220), bands=("red", "nir"))
    ours = Reproject("EPSG:3857", method=method)(scene)
    box = geobox_of(ours)
    theirs = _gdal(scene, "nir", box, method)
    inside = np.isfinite(theirs) & np.isfinite(ours.nir.values)
    assert (np.isfinite(theirs) == np.isfinite(ours.nir.values)).mean() > 0.999
    spread = float(scene.nir.max() - scene.nir.min())
    core = inside.copy()
    core[:4], core[-4:], core[:, :4], core[:, -4:] = False, False, False, False
    off = np.abs(theirs - ours.nir.values)[core]
    assert off.max() < 0.01 * spread  # the scene's sharpest edge times 1/256 pixel


def test_nearest_is_the_exact_lookup_but_for_the_stated_bound() -> None:
    scene = simulate_scene((300, 300), bands=("red",))
    ours = Reproject("EPSG:3857", method="nearest")(scene)
    box = geobox_of(ours)
    from geotoolz.grid._positions import TOLERANCE, Positions

    v, u = (np.arange(n) + 0.5 for n in box.shape)
    rows, cols = Positions(geobox_of(scene), box).exact(v, u)
    inside = (rows >= 0) & (cols >= 0) & (rows < 300) & (cols < 300)
    wanted = np.full(rows.shape, np.nan, "f4")
    wanted[inside] = scene.red.values[rows[inside].astype(int), cols[inside].astype(int)]
    near_edge = (np.abs(rows - np.round(rows)) < TOLERANCE) | (np.abs(cols - np.round(cols)) < TOLERANCE)
    differ = ~((ours.red.values == wanted) | (np.isnan(ours.red.values) & np.isnan(wanted)))
    assert not (differ & ~near_edge).any()
    assert differ.mean() < 0.001


def test_resampling_agrees_with_gdal_on_the_average() -> None:
    scene = simulate_scene((90, 120), bands=("red",))
    ours = Resample(factor=3)(scene).red.values
    with rasterio.io.MemoryFile() as memory:
        box = geobox_of(scene)
        profile = {"driver": "GTiff", "width": 120, "height": 90, "count": 1, "dtype": "float32"}
        with memory.open(**profile, transform=box.affine, crs=str(box.crs), nodata=np.nan) as raster:
            raster.write(scene.red.values, 1)
        with memory.open() as raster:
            theirs = raster.read(1, out_shape=(30, 40), resampling=Resampling.average)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, equal_nan=True)


@settings(deadline=None, max_examples=60)
@given(
    hnp.arrays("f4", st.tuples(st.integers(1, 9), st.integers(1, 9)),
               elements=st.floats(-1e3, 1e3, width=32) | st.just(float("nan"))),
    st.sampled_from(["nearest", "bilinear", "cubic", "average", "mode"]),
    st.floats(0.3, 4.0),
)  # fmt: skip
def test_results_stay_within_what_was_there(values: np.ndarray, method: str, factor: float) -> None:
    box = GeoBox(values.shape, BOX.affine, BOX.crs)
    out = Resample(factor=factor, method=method)(tile(values, box)).a.values
    if not np.isfinite(values).any():
        assert np.isnan(out).all()
        return
    low, high = np.nanmin(values), np.nanmax(values)
    slack = (high - low) * (0.3 if method == "cubic" else 1e-6) + 1e-30
    inside = out[np.isfinite(out)]
    assert ((inside >= low - slack) & (inside <= high + slack)).all()


def test_windows_go_through_changes_of_the_grid() -> None:
    fill = {"scl": 0, "qa60": 0, "qa_pixel": 1, "foreign": -32768, "foreign_flag": 255}
    steps = [BoxMean(2, ("red",)), Reproject("EPSG:3857", 15.0, fill=fill), BoxMean(3, ("red",))]
    area = Crop((1669800, 5788700, 1670100, 5788900), "EPSG:3857")
    chain = Sequential([*steps, Resample(factor=2), area])
    assert_law(chain, contract_tile((40, 50)), adversarial=False)


def test_only_needed_bands_are_read_and_only_needed_pixels() -> None:
    scene = simulate_scene((256, 256), bands=("red", "nir"))
    program = compile(Reproject("EPSG:3857"), TileSpec.of(scene), ("red",))
    assert program.inputs == ("red",)
    from geotoolz.core._execute import Job
    from geotoolz.core._extent import Extent

    job = Job.of(program, program.wanted, (), program.output.shape)
    needed = job.input_extents(Extent(100, 110, 100, 110))
    source = next(s for s, (_, name) in program.sources.items() if name == "red")
    assert max(needed[source].shape) < 30


def test_the_footprint_grows_with_the_pixel_size() -> None:
    scene = simulate_scene((64, 64), bands=("red",))
    program = compile(Sequential([Resample(factor=4), BoxMean(3)]), TileSpec.of(scene))
    assert program.footprint.y >= 12


def test_stacks_keep_their_time() -> None:
    stack = contract_tile((20, 24), times=3)[["red", "nir"]]
    out = Reproject("EPSG:3857")(stack)
    assert out.red.dims == ("time", "y", "x")
    assert out.time.equals(stack.time)


def test_inputs_on_other_grids_meet_in_a_graph() -> None:
    optical = simulate_scene((64, 64), bands=("red",))
    other = Reproject("EPSG:3857", 20.0)(optical).rename({"red": "vv"})
    a, b = Input("optical"), Input("radar")
    from geotoolz.core import Merge

    graph = Graph(("optical", "radar"), outputs={"both": Merge()(a, MatchGrid.like(optical)(b))})
    out = graph(optical=optical, radar=other)["both"]
    assert list(out.data_vars) == ["red", "vv"]
    assert geobox_of(out) == geobox_of(optical)
    assert_same(out, run(graph, {"optical": optical, "radar": other}, window=(17, 13), threads=2)["both"])


def test_a_branch_cannot_change_the_grid() -> None:
    with pytest.raises(GridMismatchError, match="step of its own"):
        Branch({"coarse": Resample(factor=2)}, prefix=True)(simulate_scene((16, 16), bands=("red",)))


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:32633"])
def test_bounds_whose_axes_changed_places_are_told(crs: str) -> None:
    tile = simulate_scene((40, 40), bands=("red",))
    grid = geobox_of(tile)
    box = grid.boundingbox if crs == "EPSG:32633" else grid.geographic_extent.boundingbox
    left, bottom, right, top = box.bbox
    assert Crop((left, bottom, right, top), crs)(tile).red.shape == (40, 40)
    with pytest.raises(OutsideError) as caught:
        Crop((bottom, left, top, right), crs)(tile)
    assert f"bounds are left, bottom, right, top: {(left, bottom, right, top)}" in str(caught.value)
    with pytest.raises(OutsideError, match="mind the bounds' CRS") as caught:
        Crop((left, top + 1000, right, top + 2000), "EPSG:32633")(tile)
    assert "left, bottom" not in str(caught.value)


def test_errors_say_what_to_do() -> None:
    scene = simulate_scene((16, 16), bands=("red",))
    with pytest.raises(ParameterError, match="EPSG"):
        Reproject("EPSG:nonsense")
    with pytest.raises(ParameterError, match="one of the two"):
        Resample()
    with pytest.raises(ParameterError, match="above 0"):
        Resample(resolution=-1.0)
    with pytest.raises(MissingCRSError, match="Reproject"):
        Reproject("EPSG:3857")(scene.drop_vars("spatial_ref"))
    with pytest.raises(OutsideError, match="crs="):
        Crop((0.0, 0.0, 1.0, 1.0))(scene)
    with pytest.raises(OutsideError, match="transform"):
        MatchGrid("EPSG:3857", (10.0, 0.0, 0.0, 0.0, -10.0, 0.0), (8, 8))(scene)
    whole = scene.assign(count=(("y", "x"), np.ones((16, 16), "u2")))
    with pytest.raises(TileError, match="fill="):
        Reproject("EPSG:3857")(whole)
    assert Reproject("EPSG:3857", fill={"count": 0})(whole)["count"].attrs["_FillValue"] == 0
    with pytest.raises(TileError, match="does not fit"):
        Reproject("EPSG:3857", fill={"count": -1})(whole)


def test_much_coarser_pixels_are_doubted() -> None:
    scene = simulate_scene((64, 64), bands=("red",))
    findings = check(Resample(factor=5, method="bilinear"), TileSpec.of(scene))
    assert any("average" in finding.message for finding in findings)
    assert not check(Resample(factor=5), TileSpec.of(scene))


def test_lazy_tiles_stay_lazy() -> None:
    scene = simulate_scene((100, 90), bands=("red",))
    op = Sequential([SelectBands(("red",)), Reproject("EPSG:3857")])
    lazy = op(scene.chunk({"y": 33, "x": 40}))
    assert lazy.red.chunks is not None
    assert len(lazy.red.chunks[0]) > 1
    assert_same(op(scene), lazy.compute(scheduler="synchronous"))


def test_pixel_sizes_in_other_units_are_refused() -> None:
    scene = simulate_scene((32, 32), bands=("red",))
    for op in (Reproject("EPSG:4326", resolution=20.0), Resample(resolution=1e6)):
        with pytest.raises(ParameterError, match=r"larger than the whole tile.*0\.00018 degrees"):
            op(scene)
    for op in (Reproject("EPSG:3857", resolution=0.0002), Resample(factor=1e-6)):
        with pytest.raises(ParameterError, match=r"0\.00018 degrees are about 20 m"):
            op(scene)
    with pytest.raises(ParameterError, match="crs='EPSG:32633'"):
        Crop((600000.0, 5150000.0, 610000.0, 5160000.0))(scene)
    with pytest.raises(TileError, match="open_tile"):
        MatchGrid.like("scene.tif")  # type: ignore[arg-type]


def test_a_tile_may_become_one_pixel() -> None:
    box = GeoBox((1, 3), BOX.affine, BOX.crs)
    assert Resample(factor=3.0)(tile(np.array([[1, 2, 6]], "f4"), box)).a.values.tolist() == [[3.0]]
