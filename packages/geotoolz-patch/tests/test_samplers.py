"""Where chips lie, and what they hold."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy.spatial.distance import pdist

from geotoolz.core import ParameterError, TileError, from_config, geobox_of
from geotoolz.core.testing import contract_tile, data_path, simulate_scene
from geotoolz.patch import (
    BalancedSampler,
    CatalogPatches,
    ExplicitSampler,
    GridSampler,
    JitteredSampler,
    PatchGrid,
    PointCentred,
    PoissonDiskSampler,
    PolygonCentred,
    RandomSampler,
    Rectangle,
    StratifiedSampler,
    TrackSampler,
    as_source,
)

EVERY = (
    GridSampler(16, 8, "drop"),
    RandomSampler(16, 20, seed=3),
    JitteredSampler((16, 24), 16, jitter=0.5),
    PoissonDiskSampler(16, 12.5),
    StratifiedSampler(9, "scl", 20),
    BalancedSampler(9, "scl", 3),
    ExplicitSampler(8, pixels=((20, 20), (30, 31))),
    TrackSampler(8, ((500200.0, 5099800.0), (500400.0, 5099700.0)), 50.0),
)


@pytest.fixture(scope="module")
def tile():
    return contract_tile((70, 90))


def corners(grid):
    return np.array([(p.chip.extent.y0, p.chip.extent.x0) for p in grid])


@pytest.mark.parametrize("sampler", EVERY, ids=lambda s: type(s).__name__)
def test_every_sampler_serialises_repeats_and_stays_inside(tile, sampler):
    assert from_config(sampler.config()) == sampler
    grid = PatchGrid(tile, sampler, bands=("red", "scl"))
    assert len(grid) and np.array_equal(corners(grid), corners(PatchGrid(tile, sampler)))
    for patch in grid:
        e = patch.chip.extent
        assert e.clipped((70, 90)) == e
        part = tile[["red", "scl"]].isel(y=slice(e.y0, e.y1), x=slice(e.x0, e.x1))
        xr.testing.assert_equal(patch.tile, part)
        assert patch.geobox == geobox_of(part) == geobox_of(patch.tile)


@pytest.mark.parametrize(
    "sampler", [s for s in EVERY if "seed" in s.parameters()], ids=lambda s: type(s).__name__
)
def test_another_epoch_or_seed_gives_other_chips(tile, sampler):
    first = corners(PatchGrid(tile, sampler))
    assert not np.array_equal(first, corners(PatchGrid(tile, sampler, epoch=1)))
    assert not np.array_equal(first, corners(PatchGrid(tile, sampler.replace(seed=99))))


def test_chips_do_not_depend_on_how_many_there_are(tile):
    few, many = (corners(PatchGrid(tile, RandomSampler(16, n))) for n in (5, 50))
    assert np.array_equal(few, many[:5])


@pytest.mark.parametrize("distance", [1, 1.5, 7.3, 20])
def test_poisson_discs_keep_their_distance_on_whole_pixels(tile, distance):
    found = corners(PatchGrid(tile, PoissonDiskSampler(8, distance)))
    assert pdist(found).min() >= distance
    if distance > 5:  # no room for another: every pixel is near to one
        ys, xs = np.mgrid[0:63, 0:83]
        nearest = np.min([np.hypot(ys - y, xs - x) for y, x in found], axis=0)
        assert nearest.max() < 2 * distance


def test_jitter_moves_by_a_share_of_the_stride(tile):
    found = corners(PatchGrid(tile, JitteredSampler(8, 16, jitter=0.25, boundary="shift")))
    grid = np.array([(y, x) for y in range(0, 70, 16) for x in range(0, 90, 16)])
    assert np.abs(found - grid)[(grid > 0).all(1) & (grid < 60).all(1)].max() == 4
    dropped = PatchGrid(tile, JitteredSampler(32, 32, jitter=0.25, boundary="drop"))
    assert dropped.dropped + len(dropped) == 9


def test_dropping_tells_what_is_left_out():
    grid = PatchGrid(np_scene((1000, 777)), GridSampler(256, boundary="drop"))
    assert len(grid) == 9 and grid.dropped == 7
    assert grid.uncovered == pytest.approx(1 - 768 * 768 / (1000 * 777))
    assert PatchGrid(np_scene((1000, 777)), GridSampler(256)).uncovered == 0


def np_scene(shape):
    from affine import Affine
    from odc.geo.geobox import GeoBox

    from geotoolz.core import tile_from_arrays

    box = GeoBox(shape, Affine(10, 0, 500_000, 0, -10, 5_000_000), "EPSG:32633")
    return tile_from_arrays({"a": np.zeros(shape, "u1")}, box)


# ---- labels ----------------------------------------------------------------------------------------------


def labelled():
    ds = np_scene((60, 80))
    classes = np.zeros((60, 80), "u1")
    classes[:, 40:] = 1
    classes[30, 30] = 2  # one pixel
    classes[0:5] = 255
    ds["label"] = (("y", "x"), classes, {"_FillValue": 255})
    return ds, classes


def middles(grid, size):
    return [(p.chip.extent.y0 + size // 2, p.chip.extent.x0 + size // 2) for p in grid]


def test_stratified_chips_follow_the_shares_of_the_classes():
    ds, classes = labelled()
    grid = PatchGrid(ds, StratifiedSampler(9, "label", 50))
    found = [classes[m] for m in middles(grid, 9)]
    assert found == [p.chip.origin for p in grid]
    inner = classes[4:56, 4:76]
    share = (inner == 1).sum() / (inner != 255).sum()
    assert abs(found.count(1) - 50 * share) < 1 and found.count(255) == 0


def test_balanced_chips_are_as_many_for_a_rare_class():
    ds, classes = labelled()
    grid = PatchGrid(ds, BalancedSampler(9, "label", 6))
    assert [classes[m] for m in middles(grid, 9)] == [0] * 6 + [1] * 6 + [2] * 6
    with pytest.raises(TileError, match="no class 9"):
        PatchGrid(ds, BalancedSampler(9, "label", 6, classes=(9,)))


def test_strata_of_a_raster(tile):
    grid = PatchGrid(tile, StratifiedSampler(9, "nir", 30, edges=(0.3, 0.6)))
    values = [tile.nir.values[m] for m in middles(grid, 9)]
    assert [int(np.digitize(v, (0.3, 0.6))) for v in values] == [p.chip.origin for p in grid]
    with pytest.raises(TileError, match=r"edges="):
        PatchGrid(tile, StratifiedSampler(9, "nir", 30))


# ---- given places ----------------------------------------------------------------------------------------


def test_points_lie_in_the_middle_in_any_crs(tile):
    from pyproj import Transformer

    x, y = float(tile.x[40]), float(tile.y[25])
    lon, lat = Transformer.from_crs(32633, 4326, always_xy=True).transform(x, y)
    for sampler in (
        ExplicitSampler(PointCentred((9, 8)), points=((x, y),)),
        ExplicitSampler((9, 8), points=((lon, lat),), crs="EPSG:4326"),
    ):
        assert tuple(PatchGrid(tile, sampler)[0].chip.extent) == (21, 30, 36, 44)
    corner = ExplicitSampler(Rectangle(4), points=((x, y),))
    assert tuple(PatchGrid(tile, corner)[0].chip.extent) == (25, 29, 40, 44)


def test_polygons_give_bounds_and_masks(tile):
    x0, y0 = 499980.0, 5100000.0
    corners = ((x0 + 100, y0 - 100), (x0 + 306, y0 - 100), (x0 + 100, y0 - 306), (x0 + 100, y0 - 100))
    triangle = "POLYGON ((" + ", ".join(f"{x} {y}" for x, y in corners) + "))"
    grid = PatchGrid(tile, ExplicitSampler(PolygonCentred(margin=2), polygons=(triangle,)))
    assert tuple(grid[0].chip.extent) == (8, 33, 8, 33)
    inside = grid[0].inside()
    assert inside.sum() == 210 and not inside[:2].any()  # centres: 20 + 19 + … + 1
    fixed = PatchGrid(tile, ExplicitSampler(PolygonCentred(size=11), polygons=(triangle,)))
    assert fixed[0].chip.extent.shape == (11, 11) and fixed[0].chip.extent.y0 == 15


def test_chips_beyond_the_scene_are_counted_shifted_reflected_or_refused(tile):
    places = {"pixels": ((0, 0), (35, 35), (900, 900))}
    assert PatchGrid(tile, ExplicitSampler(9, **places)).dropped == 2
    shifted = PatchGrid(tile, ExplicitSampler(9, pixels=((0, 0),), boundary="shift"))
    assert tuple(shifted[0].chip.extent) == (0, 9, 0, 9)
    reflected = PatchGrid(tile, ExplicitSampler(9, pixels=((0, 0),), boundary="reflect"))[0]
    wanted = np.pad(tile.nir.values[:5, :5], ((4, 0), (4, 0)), mode="reflect")
    np.testing.assert_array_equal(reflected.tile.nir, wanted)
    assert reflected.geobox.affine.c == 499980.0 - 40
    filled = PatchGrid(tile, ExplicitSampler(9, pixels=((0, 0),), boundary="fill"))[0].tile
    assert np.isnan(filled.nir.values[:4]).all() and (filled.foreign.values[:4] == -99).all()
    with pytest.raises(ParameterError, match="reaches beyond the scene of 70 × 90"):
        PatchGrid(tile, ExplicitSampler(9, pixels=((0, 0),), boundary="raise"))


# ---- epochs, workers, batches ----------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 2, 3, 7])
def test_the_shares_of_all_workers_are_the_plan(tile, workers):
    grid = PatchGrid(tile, GridSampler(16, 8), bands="red")
    shares = [grid.order(seed=5, worker=w, workers=workers) for w in range(workers)]
    assert sorted(n for share in shares for n in share) == list(range(len(grid)))
    assert grid.order(seed=5) != grid.order(seed=6) != list(range(len(grid)))
    assert PatchGrid(tile, GridSampler(16, 8), epoch=1).order(seed=5) != grid.order(seed=5)


def test_batches_are_the_chips_whatever_the_buffer(tile):
    grid = PatchGrid(tile, GridSampler(16, 11), bands=("red", "nir"))
    wanted = grid.order(seed=1)
    for buffer in (1, 10, 1000):
        found = list(grid.batches(4, seed=1, buffer=buffer))
        assert [p.index for batch in found for p in batch.patches] == wanted
        for batch in found:
            for patch, ds in zip(batch.patches, batch, strict=True):
                xr.testing.assert_identical(ds, patch.tile)


def test_a_batch_fills_a_buffer(tile):
    grid = PatchGrid(tile, GridSampler(16, 11), bands=("red", "nir"))
    out = np.empty((3, 2, 16, 16), np.float32)
    batch = grid.batch([4, 0, 2], out)
    assert np.shares_memory(batch.stacked(), out) and batch.stacked().shape == (3, 2, 16, 16)
    np.testing.assert_array_equal(out[1, 1], grid[0].tile.nir)
    assert grid.memory_bytes(3) == out.nbytes
    assert len(grid.__getitems__([1, 2])) == 2
    with pytest.raises(TileError, match="several types"):
        PatchGrid(tile, GridSampler(16)).batch([0], out)
    with pytest.raises(TileError, match="one type and shape"):
        PatchGrid(tile, GridSampler(16)).batch([0]).stacked()


def test_chips_of_space_and_time():
    ds = contract_tile((20, 24), times=7)
    grid = PatchGrid(ds, GridSampler(Rectangle(10, time=3)), bands=("red",))
    assert len(grid) == 3 * 2 * 3 and grid[-1].tile.sizes["time"] == 1
    xr.testing.assert_equal(grid[7].tile, ds[["red"]].isel(time=slice(3, 6), y=slice(0, 10), x=slice(10, 20)))
    whole = PatchGrid(ds, GridSampler(Rectangle(10, time=3), boundary="drop"), bands=("red",))
    assert len(whole) == 2 * 2 * 2 and whole.dropped == 18 - 8
    random = PatchGrid(ds, RandomSampler(Rectangle(10, time=3), 8), bands=("red",))
    assert {p.tile.sizes["time"] for p in random} == {3} and len({p.chip.dates for p in random}) > 1
    with pytest.raises(TileError, match="tile without time"):
        PatchGrid(contract_tile((20, 20)), RandomSampler(Rectangle(10, time=3), 8))


# ---- sources ---------------------------------------------------------------------------------------------


def test_a_file_dask_and_zarr_give_the_same_chips(tmp_path):
    from geotoolz.io import open_scene, write_tile, write_zarr

    scene = simulate_scene((80, 100), bands=("red", "nir"), raw=True)
    (file, *_) = write_tile(scene, tmp_path / "a.tif")
    write_zarr(scene, tmp_path / "a.zarr")
    sampler = RandomSampler(17, 6)
    wanted = [p.tile for p in PatchGrid(scene, sampler)]
    for source in (scene.chunk({"y": 33}), tmp_path / "a.zarr", open_scene(file, raw=True)):
        for found, want in zip(PatchGrid(source, sampler), wanted, strict=True):
            np.testing.assert_array_equal(found.tile.nir, want.nir)
            assert found.geobox == geobox_of(want)
    assert len(PatchGrid(file, sampler)) == 6


def test_a_lazy_scene_is_computed_where_a_chip_lies():
    dask = pytest.importorskip("dask.array")
    seen = []

    def block(block_info=None):
        seen.append(block_info[None]["chunk-location"])
        return np.zeros(block_info[None]["chunk-shape"], np.float32)

    lazy = dask.map_blocks(block, chunks=((10,) * 8, (10,) * 8), dtype=np.float32)
    ds = np_scene((80, 80)).assign(a=(("y", "x"), lazy))
    seen.clear()
    PatchGrid(ds, ExplicitSampler(Rectangle(10), pixels=((20, 30),)))[0].arrays()
    assert seen == [(2, 3)]


@pytest.mark.filterwarnings("ignore::geotoolz.io.MetadataWarning")  # the crops are no whole tiles
def test_over_a_catalog():
    from geotoolz.catalog import GeoCatalog

    catalog = GeoCatalog.build(data_path("s2_l2a_33TWL_croatia"))
    patches = CatalogPatches(catalog, RandomSampler(32, 5), bands=("red", "nir"))
    assert len(patches) == 20 and {p.tile.attrs["tile_id"] for p in patches} == set(catalog.frame["id"])
    ends = [corners(grid).tolist() for grid in patches.grids]
    assert ends[0] != ends[1]  # scenes of one size get chips of their own
    assert sorted(
        patches.order(seed=1, worker=0, workers=2) + patches.order(seed=1, worker=1, workers=2)
    ) == list(range(20))
    with pytest.raises(TileError, match="empty"):
        CatalogPatches([], RandomSampler(8, 1))


def test_bad_parameters_are_refused(tile):
    with pytest.raises(ParameterError, match=r"chips of 100 × 100 pixels on a scene of 70 × 90"):
        PatchGrid(tile, RandomSampler(100, 3))
    with pytest.raises(ParameterError, match=r"jitter=0\.7"):
        JitteredSampler(8, jitter=0.7)
    with pytest.raises(ParameterError, match="distance=0"):
        PoissonDiskSampler(8, 0.0)
    with pytest.raises(ParameterError, match="count=0"):
        RandomSampler(8, 0)
    with pytest.raises(ParameterError, match="got no places"):
        ExplicitSampler(8)
    with pytest.raises(ParameterError, match="polygons with Rectangle"):
        ExplicitSampler(Rectangle(8), polygons=("POLYGON ((0 0, 1 0, 1 1, 0 0))",))
    with pytest.raises(ParameterError, match="cannot be read"):
        ExplicitSampler(PolygonCentred(), polygons=("POLYGON",))
    with pytest.raises(ParameterError, match="a track of 1 corners"):
        TrackSampler(8, ((0.0, 0.0),), 1.0)
    with pytest.raises(ParameterError, match="the source is int"):
        as_source(3)
    with pytest.raises(ParameterError, match="worker=2 of 2"):
        PatchGrid(tile, GridSampler(16)).order(worker=2, workers=2)
    with pytest.raises(TileError, match="the chips have the sizes"):
        shapes = ("POLYGON ((500000 5099900, 500100 5099900, 500100 5099800, 500000 5099900))",
                  "POLYGON ((500000 5099900, 500200 5099900, 500200 5099800, 500000 5099900))")  # fmt: skip
        PatchGrid(tile, ExplicitSampler(PolygonCentred(), polygons=shapes)).batch([0, 1])
