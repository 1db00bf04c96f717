"""BlockID on real grids; the dissimilarity index and the area of applicability."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import KFold, RepeatedKFold

from geotoolz.core import (
    FrozenArray,
    MissingCRSError,
    MissingVariableError,
    ParameterError,
    QuantityError,
    TileError,
    run,
    tile_from_arrays,
)
from geotoolz.core.testing import contract_tile, data_path, simulate_scene
from geotoolz.learn import (
    AreaOfApplicability,
    BlockFolds,
    BlockID,
    ToTemporalPixelMajor,
    TrainingRows,
    block_ids,
    compute_block_id,
    training_dissimilarity,
    training_rows,
    wrap_estimator,
)
from geotoolz.patch import GridSampler
from geotoolz.radiometry import SelectBands

AB, ABC = ("a", "b"), ("a", "b", "c")


def tile_at(x: float, y: float, shape=(20, 30), step: float = 10.0, crs: str = "EPSG:32633") -> xr.Dataset:
    box = GeoBox(shape, Affine(step, 0, x, 0, -step, y), crs)
    return tile_from_arrays({"red": np.ones(shape, "f4")}, box, nodata={"red": np.nan})


# --- BlockID ------------------------------------------------------------------------------------------------


def test_block_ids_by_hand():
    tile = BlockID(100.0)(tile_at(500_000.0, 5_100_000.0))
    ids = tile.block_id
    assert ids.dtype == np.int64
    assert ids.attrs["block_crs"] == "EPSG:32633"
    assert np.array_equal(ids.values, np.repeat(np.repeat(ids.values[::10, ::10], 10, 0), 10, 1))
    assert len(np.unique(ids)) == 6
    x, y = np.meshgrid(tile.x.values, tile.y.values)
    assert np.array_equal(ids.values, block_ids(x, y, 100.0))


@settings(max_examples=25, deadline=None)
@given(st.integers(-40, 40), st.integers(-40, 40), st.sampled_from([30.0, 75.0, 1000.0]))
def test_two_scenes_number_their_common_ground_alike(dx, dy, size):
    one = compute_block_id(tile_at(500_000.0, 5_100_000.0, (60, 60)), size)
    two = compute_block_id(tile_at(500_000.0 + 10 * dx, 5_100_000.0 - 10 * dy, (60, 60)), size)
    common = one.block_id.sel(x=one.x[np.isin(one.x, two.x)], y=one.y[np.isin(one.y, two.y)])
    other = two.block_id.sel(x=common.x, y=common.y)
    assert common.size
    assert np.array_equal(common.values, other.values)


def test_pixels_of_other_sizes_lie_in_the_same_blocks():
    fine = BlockID(600.0)(tile_at(500_000.0, 5_100_000.0, (120, 120), 10.0)).block_id
    coarse = BlockID(600.0)(tile_at(500_000.0, 5_100_000.0, (60, 60), 20.0)).block_id
    assert np.array_equal(fine.values[::2, ::2], coarse.values)


def test_two_zones_share_blocks_of_one_reference_system():
    """A place in two UTM zones: other coordinates, the same block of the equal-area grid."""
    from pyproj import Transformer

    lon, lat = np.linspace(11.9, 12.1, 9), np.full(9, 46.0)
    found = []
    for crs in ("EPSG:32632", "EPSG:32633"):
        x, y = Transformer.from_crs(4326, crs, always_xy=True).transform(lon, lat)
        ids = []
        for east, north in zip(x, y, strict=True):
            tile = tile_at(float(east) - 0.5, float(north) + 0.5, (1, 1), 1.0, crs)
            ids.append(int(BlockID(5000.0, crs="EPSG:6933")(tile).block_id[0, 0]))
        found.append(ids)
    assert found[0] == found[1]
    assert len(set(found[0])) > 1


def test_feet_are_turned_into_metres():
    feet = 1200 / 3937
    tile = BlockID(100.0)(tile_at(2_000_000.0, 500_000.0, (40, 40), 25.0, "EPSG:2263"))
    x, y = np.meshgrid(tile.x.values * feet, tile.y.values * feet)
    assert np.array_equal(tile.block_id.values, block_ids(x, y, 100.0))


def test_blocks_want_metres():
    with pytest.raises(QuantityError, match=r"EPSG:4326 counts in degrees.*EPSG:6933"):
        BlockID(100.0)(tile_at(15.0, 46.0, (4, 4), 0.001, "EPSG:4326"))
    ids = BlockID(1000.0, crs="EPSG:6933")(tile_at(15.0, 46.0, (40, 40), 0.001, "EPSG:4326")).block_id
    assert len(np.unique(ids)) > 4


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: BlockID(0.0), ParameterError, "side of a square block"),
        (lambda: BlockID(10.0, ""), ParameterError, "name is empty"),
        (lambda: BlockID(10.0, crs="EPSG:1")(simulate_scene((4, 4))), ParameterError, "no reference system"),
        (lambda: BlockID(10.0)(simulate_scene((4, 4)).drop_vars("spatial_ref")), MissingCRSError, "BlockID"),
        (lambda: BlockID(1e-3)(simulate_scene((4, 4))), ParameterError, "make the blocks larger"),
    ],
)
def test_blocks_that_cannot_be(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.realdata
def test_blocks_of_a_real_scene():
    from geotoolz.io import open_tile

    folder = data_path("ls5_tm_dem_training_para")
    tile = BlockID(1500.0)(open_tile(folder / "lsat.tif", raw=True))
    ids = tile.block_id.values
    counts = np.unique(ids, return_counts=True)[1]
    assert counts.max() == 2500  # 50 × 50 pixels of 30 m
    assert counts.sum() == 310 * 287


# --- the dissimilarity of training rows --------------------------------------------------------------------


def brute(X, weights, folds):
    """The definition, row by row."""
    X, n = np.asarray(X, float), len(X)
    Z = (X - X.mean(axis=0)) / X.std(axis=0, ddof=1) * np.asarray(weights, float)
    distance = np.array([[np.sqrt(((a - b) ** 2).sum()) for b in Z] for a in Z])
    mean = distance.sum() / (n * (n - 1))
    di = []
    for i in range(n):
        others = [j for j in range(n) if j != i and (folds is None or folds[j] != folds[i])]
        di.append(min(distance[i, j] for j in others) / mean)
    return np.array(di), mean


def test_by_hand():
    """Values 0, 2, 6: mean distance 4, in units of the standard deviation too."""
    found = training_dissimilarity([[0.0], [2.0], [6.0]], ["a"])
    assert found.di.tolist() == pytest.approx([0.5, 0.5, 1.0])
    assert found.mean_distance == pytest.approx(4 / np.std([0, 2, 6], ddof=1))
    # quartiles 0.5 and 0.75: outliers lie above 1.125, so the largest is none
    assert found.threshold == pytest.approx(1.0)
    values = np.array([[0.0, 2.0, 6.0, 4.0, 9.9, 10.1, np.nan]])
    tile = tile_from_arrays({"a": values}, GeoBox((1, 7), Affine(1, 0, 0, 0, -1, 0), "EPSG:32633"))
    out = found.operator()(tile)
    assert out.di.values[0, :6].tolist() == pytest.approx([0, 0, 0, 0.5, 0.975, 1.025])
    assert np.isnan(out.di.values[0, 6])
    assert out.aoa.values[0].tolist() == [True, True, True, True, True, False, False]


def test_outliers_do_not_widen_the_area():
    x = np.concatenate([np.arange(20.0), [500.0]])
    found = training_dissimilarity(x[:, None], ["a"])
    q25, q75 = np.quantile(found.di, [0.25, 0.75])
    assert found.threshold == q75 + 1.5 * (q75 - q25) < found.di.max()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 99), st.integers(1, 4), st.booleans())
def test_against_the_definition(seed, features, in_folds):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(25, features)) * rng.uniform(0.1, 100, features)
    weights = rng.uniform(0.1, 3, features)
    folds = rng.integers(0, 4, 25) if in_folds else None
    names = [f"f{k}" for k in range(features)]
    found = training_dissimilarity(X, names, importances=weights, folds=folds)
    di, mean = brute(X, weights, folds)
    np.testing.assert_allclose(found.di, di, rtol=1e-9)
    assert found.mean_distance == pytest.approx(mean)


def test_a_splitter_and_its_fold_numbers_are_the_same():
    X = np.random.default_rng(0).normal(size=(60, 3))
    xy = np.random.default_rng(1).uniform(0, 1000, (60, 2))
    folds = BlockFolds(4, 200.0, points=xy)
    one = training_dissimilarity(X, ABC, folds=folds)
    two = training_dissimilarity(X, ABC, folds=folds.fold_of(X))
    assert np.array_equal(one.di, two.di)
    rows = TrainingRows(X=X, features=("a", "b", "c"), groups=block_ids(xy[:, 0], xy[:, 1], 200.0))
    three = training_dissimilarity(rows, folds=BlockFolds(4))
    assert np.array_equal(one.di, three.di)
    assert three.features == ("a", "b", "c")


def test_cross_validation_widens_the_area():
    """Rows in clusters: compared with other clusters, not with their neighbours."""
    centres = np.random.default_rng(0).normal(size=(8, 2)) * 10
    X = np.repeat(centres, 10, axis=0) + np.random.default_rng(1).normal(size=(80, 2)) * 0.1
    alone = training_dissimilarity(X, AB).threshold
    grouped = training_dissimilarity(X, AB, folds=np.repeat(np.arange(8), 10)).threshold
    assert grouped > 5 * alone


def test_rows_are_drawn_by_the_seed():
    X = np.random.default_rng(0).normal(size=(500, 2))
    one = training_dissimilarity(X, AB, max_rows=50, seed=1, folds=KFold(5))
    again = training_dissimilarity(X, AB, max_rows=50, seed=1, folds=KFold(5))
    other = training_dissimilarity(X, AB, max_rows=50, seed=2, folds=KFold(5))
    assert len(one.points) == len(one.rows) == 50
    assert np.array_equal(one.di, again.di)
    assert not np.array_equal(one.rows, other.rows)
    picked = training_dissimilarity(X[one.rows], AB, folds=np.arange(500)[one.rows] // 100)
    assert np.array_equal(picked.di, one.di)


def test_importances_of_a_forest():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2))
    forest = RandomForestRegressor(20, random_state=0).fit(X, X[:, 0])
    found = training_dissimilarity(X, AB, importances=forest)
    given = training_dissimilarity(X, AB, importances=forest.feature_importances_)
    model = wrap_estimator(forest, AB)
    assert found.factor == given.factor == training_dissimilarity(X, AB, importances=model).factor
    with pytest.raises(MissingVariableError, match="another order"):
        training_dissimilarity(X, ("b", "a"), importances=model)
    assert found.factor[0] > 50 * found.factor[1]


def test_a_feature_without_weight_does_not_count():
    X = np.random.default_rng(0).normal(size=(30, 2))
    one = training_dissimilarity(X, AB, importances=[1.0, -0.2])
    two = training_dissimilarity(X[:, :1], ("a",))
    np.testing.assert_allclose(one.di, two.di)


ROWS = np.random.default_rng(0).normal(size=(20, 2))


@pytest.mark.parametrize(
    ("X", "options", "message"),
    [
        (ROWS, {"features": ABC}, r"shape \(20, 2\) for 3"),
        (ROWS, {"features": None}, "no names"),
        (ROWS[:1], {}, r"1 row\(s\)"),
        (np.where(ROWS > 1.0, np.nan, ROWS), {}, "not finite"),
        (np.column_stack([ROWS[:, 0], np.full(20, 0.1)]), {}, "'b' has one value"),
        (ROWS, {"importances": [1.0]}, "2 numbers"),
        (ROWS, {"importances": [0.0, -1.0]}, "no importance is positive"),
        (ROWS, {"importances": LinearRegression().fit(ROWS, ROWS)}, "no feature_importances_"),
        (ROWS, {"folds": np.zeros(19)}, "one per row"),
        (ROWS, {"folds": np.zeros(20)}, "two folds at least"),
        (ROWS, {"folds": RepeatedKFold(n_splits=2, n_repeats=2, random_state=0)}, "several folds"),
        (ROWS, {"max_rows": 1}, "max_rows=1"),
        (TrainingRows(X=ROWS, features=("a", "b")), {"features": ("b", "a")}, "another order"),
    ],
)
def test_rows_that_cannot_be_measured(X, options, message):
    with pytest.raises((ParameterError, MissingVariableError), match=message):
        training_dissimilarity(X, **{"features": AB, **options})


# --- on a tile ----------------------------------------------------------------------------------------------


def test_every_cut_gives_the_same_bits():
    tile = contract_tile((60, 70))
    X = np.random.default_rng(0).uniform(0.1, 0.9, (300, 4))
    op = training_dissimilarity(X, ("red", "nir", "blue", "swir16")).operator()
    whole = op(tile)
    for window in ((1, 70), (60, 1), (7, 13)):
        cut = run(op, tile, window=window, threads=2)
        assert cut.di.values.tobytes() == whole.di.values.tobytes()
        assert cut.aoa.values.tobytes() == whole.aoa.values.tobytes()


def test_features_are_found_by_name():
    tile = simulate_scene((30, 30), bands=("red", "nir"), cloud_cover=0)
    X = np.column_stack([tile.nir.values.ravel(), tile.red.values.ravel()])
    op = training_dissimilarity(X, ("nir", "red"), max_rows=2000).operator()
    swapped = tile[["nir", "red"]]
    assert bool((op(tile).di == 0).all())
    assert op(tile).di.values.tobytes() == op(swapped).di.values.tobytes()


def test_dates_as_features():
    stack = contract_tile((9, 11), times=3, gaps=False)
    names = tuple(f"{band}_{k}" for band in ("red", "nir") for k in range(3))
    X = np.column_stack([stack[b].values[k].ravel() for b in ("red", "nir") for k in range(3)])
    out = training_dissimilarity(X, names).operator(adapter=ToTemporalPixelMajor("features"))(stack)
    assert out.di.dims == ("y", "x")
    assert bool((out.di == 0).all())
    with pytest.raises(TileError, match="3"):
        training_dissimilarity(X, names).operator(adapter=ToTemporalPixelMajor("features"))(
            contract_tile((9, 11), times=4)
        )


def test_digital_numbers_are_no_reflectance():
    tile, raw = contract_tile((20, 20)), contract_tile((20, 20), raw=True)
    rows = training_rows(SelectBands(("red", "nir")), None, [tile], GridSampler(10))
    op = training_dissimilarity(rows).operator()
    assert op.quantities == {"red": "surface_reflectance", "nir": "surface_reflectance"}
    assert bool((op(tile).di == 0).where(tile.red.notnull(), True).all())
    with pytest.raises(QuantityError, match="holds dn; expected surface_reflectance, as in training"):
        op(raw)


def test_a_missing_feature_is_named():
    op = training_dissimilarity(ROWS, ("red", "evi")).operator()
    with pytest.raises(MissingVariableError, match="evi"):
        op(simulate_scene((4, 4), bands=("red",)))


def operator(**changes):
    given = {
        "features": ("a", "b"), "training": FrozenArray(np.zeros((3, 2))), "center": (0.0, 0.0),
        "factor": (1.0, 1.0), "threshold": 0.5,
    }  # fmt: skip
    return AreaOfApplicability(**{**given, **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"features": ("a", "a")}, "each once"),
        ({"features": ()}, "one name at least"),
        ({"center": (0.0,)}, "one of each per feature"),
        ({"factor": (1.0, np.inf)}, "not finite"),
        ({"threshold": -0.1}, "not finite"),
        ({"threshold": np.nan}, "not finite"),
        ({"training": None}, "training is missing"),
        ({"training": FrozenArray(np.zeros((3, 5)))}, r"\(rows, 2\)"),
        ({"training": FrozenArray(np.full((3, 2), np.nan))}, "finite numbers"),
        ({"di": "aoa"}, "two names"),
    ],
)
def test_what_does_not_fit_together(changes, message):
    with pytest.raises(ParameterError, match=message):
        operator(**changes)


@pytest.mark.realdata
def test_the_area_of_a_real_map():
    """Trained on half a scene without its water, the other half's water lies outside."""
    from geotoolz.io import open_tile

    tile = open_tile(data_path("ls5_tm_dem_training_para") / "lsat.tif", raw=True)
    names = tuple(str(n) for n in tile.data_vars)[:6]
    values = np.stack([tile[n].values for n in names]).astype("f8")
    near_infrared = values[3]
    land = near_infrared > np.quantile(near_infrared, 0.2)
    rows = values[:, land][:, ::23].T
    out = training_dissimilarity(rows, names, folds=KFold(5, shuffle=True, random_state=0)).operator()(tile)
    assert out.aoa.values[land].mean() > 0.9
    assert out.aoa.values[near_infrared < np.quantile(near_infrared, 0.02)].mean() < 0.5
