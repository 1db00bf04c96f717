"""Splitters: what is tested together, what is trained on, and how scikit-learn takes them."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import config_context
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, TimeSeriesSplit, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from geotoolz.catalog import ReadLabel
from geotoolz.core import ParameterError, Sequential
from geotoolz.core.testing import data_path, simulate_scene
from geotoolz.io import open_tile
from geotoolz.learn import (
    BlockFolds,
    BlockID,
    BufferedLeaveOneOut,
    GroupsIgnoredWarning,
    KMeansFolds,
    TemporalFolds,
    block_ids,
    fit_pixelwise,
    spatial_folds,
    training_rows,
)
from geotoolz.learn._block_grid import decode
from geotoolz.patch import GridSampler

UTM = (500_000.0, 5_100_000.0)


def places(n: int, seed: int = 0, side: float = 5000.0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, side, (n, 2)) + UTM


def splits_of(folds, X, groups=None) -> list[list[int]]:
    return [test.tolist() for _, test in folds.split(X, None, groups)]


# --- blocks -------------------------------------------------------------------------------------------------


def test_block_ids_are_squares_from_the_origin():
    ids = block_ids([0.0, 99.9, 100.0, -0.1, 0.0], [0.0, 99.9, 0.0, 0.0, -1.0], 100.0)
    rows_and_cols = decode(ids).tolist()
    assert rows_and_cols == [[0, 0], [0, 0], [0, 1], [0, -1], [-1, 0]]


@given(st.integers(-(10**6), 10**6), st.integers(-(10**6), 10**6))
def test_block_ids_go_there_and_back(row, col):
    ids = block_ids([col * 30.0 + 15.0], [row * 30.0 + 15.0], 30.0)
    assert decode(ids).tolist() == [[row, col]]
    assert int(ids.astype(np.float64)[0]) == int(ids[0])  # exact as a float


def test_ids_that_were_no_blocks_are_not_decoded():
    assert decode(np.arange(100)) is None
    assert decode(np.array([-1])) is None


def test_block_ids_of_nowhere():
    assert block_ids([np.nan, 1.0], [1.0, np.inf], 10.0).tolist() == [-1, -1]


def test_blocks_too_small_to_number():
    with pytest.raises(ParameterError, match="make the blocks larger"):
        block_ids([6e6], [0.0], 0.1)


@pytest.mark.parametrize("size", [0.0, -5.0, np.inf, np.nan, "10", None, True])
def test_a_block_has_a_size(size):
    with pytest.raises(ParameterError, match="side of a square block"):
        block_ids([1.0], [1.0], size)


# --- k folds of blocks --------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 5), st.integers(2, 6), st.integers(40, 300))
def test_block_folds_are_a_partition_of_whole_blocks(seed, n_splits, n):
    points = places(n, seed)
    folds = BlockFolds(n_splits, 900.0, seed=seed, points=points)
    ids = block_ids(points[:, 0], points[:, 1], 900.0)
    seen = []
    for train, test in folds.split(points):
        assert np.array_equal(np.sort(np.concatenate([train, test])), np.arange(n))
        assert not set(ids[train]) & set(ids[test])
        seen.append(test)
    assert np.array_equal(np.sort(np.concatenate(seen)), np.arange(n))
    sizes = [len(test) for test in seen]
    assert max(sizes) - min(sizes) <= np.unique(ids, return_counts=True)[1].max()


def test_block_folds_as_group_k_fold_splits_them():
    """With groups of one size both deal out equally many groups; scikit-learn's guarantees hold."""
    groups = np.repeat(np.arange(12), 7)
    X = np.zeros((84, 1))
    ours = [set(groups[test]) for _, test in BlockFolds(4).split(X, None, groups)]
    theirs = [set(groups[test]) for _, test in GroupKFold(4).split(X, None, groups)]
    assert sorted(map(len, ours)) == sorted(map(len, theirs)) == [3, 3, 3, 3]
    assert set.union(*ours) == set.union(*theirs) == set(range(12))


def test_points_and_their_block_ids_give_the_same_folds():
    points = places(200)
    ids = block_ids(points[:, 0], points[:, 1], 700.0)
    held = splits_of(BlockFolds(4, 700.0, seed=3, points=points), points)
    as_groups = splits_of(BlockFolds(4, seed=3), points, ids)
    as_points = splits_of(BlockFolds(4, 700.0, seed=3), points, points)
    assert held == as_groups == as_points


def test_the_seed_decides_and_nothing_else():
    points = places(200)
    one = splits_of(BlockFolds(4, 700.0, seed=1, points=points), points)
    assert one == splits_of(pickle.loads(pickle.dumps(BlockFolds(4, 700.0, seed=1, points=points))), points)
    assert one != splits_of(BlockFolds(4, 700.0, seed=2, points=points), points)


def test_points_go_before_groups_and_say_so():
    points = places(120)
    folds = BlockFolds(3, 700.0, points=points)
    alone = splits_of(folds, points)
    whole = folds.fold_of(points)
    assert splits_of(folds, points, whole) == alone  # groups that the folds keep whole: nothing to say
    with pytest.warns(GroupsIgnoredWarning, match="BlockFolds goes by its points"):
        assert splits_of(folds, points, np.arange(120) % 5) == alone
    days = np.datetime64("2024-01-01") + np.arange(120)
    dated = TemporalFolds(3, times=days)
    assert splits_of(dated, points, np.arange(120)) == splits_of(dated, points)


def test_verde_puts_the_same_points_together():
    verde = pytest.importorskip("verde", reason="verde is not installed: its block_split is the oracle")
    points = places(300) - UTM
    region = (0.0, 5000.0, 0.0, 5000.0)
    _, labels = verde.block_split((points[:, 0], points[:, 1]), spacing=1000.0, region=region)
    ids = block_ids(points[:, 0], points[:, 1], 1000.0)
    assert len(set(zip(labels.tolist(), ids.tolist(), strict=True))) == len(set(labels)) == len(set(ids))


def test_fewer_groups_than_folds():
    with pytest.raises(ParameterError, match=r"3 group\(s\) for 5 folds.*fewer folds"):
        next(iter(BlockFolds(5).split(np.zeros((9, 1)), None, np.repeat([1, 2, 3], 3))))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: BlockFolds(1), "n_splits=1"),
        (lambda: BlockFolds(2.5), "n_splits=2.5"),
        (lambda: BlockFolds(True), "n_splits=True"),
        (lambda: BlockFolds(seed=-1), "seed=-1"),
        (lambda: BlockFolds(block_size_m=0), "block_size_m=0"),
        (lambda: BufferedLeaveOneOut(-1.0), "buffer_m=-1.0"),
        (lambda: BufferedLeaveOneOut(np.nan), "buffer_m=nan"),
        (lambda: KMeansFolds(5, n_clusters=4), "n_clusters=4"),
        (lambda: TemporalFolds(1), "n_splits=1"),
        (lambda: TemporalFolds(3, gap_days=-2), "gap_days=-2"),
        (lambda: spatial_folds("rings"), "method='rings'"),
        (lambda: spatial_folds("kmeans", buffer_m=3.0), "has no buffer_m"),
        (lambda: spatial_folds("buffer"), "lacks buffer_m"),
    ],
)
def test_parameters_that_cannot_be(make, message):
    with pytest.raises(ParameterError, match=message):
        make()


@pytest.mark.parametrize(
    ("folds", "groups", "message"),
    [
        (BlockFolds(2), None, "neither points nor groups"),
        (BlockFolds(2), np.zeros((6, 2)), "no block size"),
        (BlockFolds(2), np.zeros(5), "5 groups for 6 rows"),
        (BlockFolds(2), np.zeros((6, 3)), r"\(6, 3\)"),
        (BlockFolds(2, 10.0, points=np.zeros((5, 2))), None, "5 points for 6 rows"),
        (BlockFolds(2, 10.0, points=np.zeros((6, 2))), np.zeros((6, 2)), "holds points and got others"),
        (KMeansFolds(2), np.arange(6), "got no points"),
        (KMeansFolds(2), np.full((6, 2), np.nan), "not finite"),
        (KMeansFolds(2), np.zeros((6, 2)), r"1 different point\(s\) for 2 clusters"),
        (BufferedLeaveOneOut(5.0), np.arange(6), "no ids of BlockID"),
        (BufferedLeaveOneOut(5.0), np.array(list("abcdef")), "no ids of BlockID"),
        (BufferedLeaveOneOut(5.0, n_splits=7), np.random.default_rng(0).random((6, 2)), "at most 6 folds"),
        (BufferedLeaveOneOut(500.0), np.zeros((6, 2)), "leaves no row to train on"),
        (TemporalFolds(2), None, "got no dates"),
        (TemporalFolds(2), np.arange(6), "are int64"),
        (TemporalFolds(2), ["2024-01-01"] * 5 + ["yesterday"], "cannot be read"),
        (TemporalFolds(2), ["2024-01-01"] * 5 + [None], "no date"),
        (TemporalFolds(2), ["2024-01-01"] * 6, r"1 date\(s\) for 2 blocks"),
        (TemporalFolds(2), ["2024-01-01"] * 4, "4 dates for 6 rows"),
    ],
)
def test_rows_that_cannot_be_split(folds, groups, message):
    with pytest.raises(ParameterError, match=message):
        list(folds.split(np.zeros((6, 1)), None, groups))


# --- buffered leave one out ---------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 9), st.floats(0, 2500), st.sampled_from([None, 400.0, 1500.0]))
def test_buffer_against_all_distances(seed, buffer, block):
    points = np.round(places(60, seed))
    folds = BufferedLeaveOneOut(buffer, block, points=points)
    units = np.arange(60) if block is None else block_ids(points[:, 0], points[:, 1], block)
    distance = np.sqrt(((points[:, None] - points[None]) ** 2).sum(axis=2))
    wanted = []
    for unit in np.unique(units):
        test = units == unit
        train = (distance[test].min(axis=0) > buffer) & ~test
        wanted.append((np.flatnonzero(train).tolist(), np.flatnonzero(test).tolist()))
    if any(not train for train, _ in wanted):
        with pytest.raises(ParameterError, match="leaves no row"):
            list(folds.split(points))
        return
    assert [(a.tolist(), b.tolist()) for a, b in folds.split(points)] == wanted
    assert folds.get_n_splits(points) == len(wanted)


def test_what_lies_exactly_at_the_buffer_is_left_out():
    x = np.array([0.0, 30.0, 30.0000001])
    folds = BufferedLeaveOneOut(30.0, points=np.column_stack([x, 0 * x]))
    train, test = next(iter(folds.split(x)))
    assert test.tolist() == [0]
    assert train.tolist() == [2]


def test_blocks_by_their_ids_keep_the_buffer_between_edges():
    points = places(400, 5)
    size = 500.0
    ids = block_ids(points[:, 0], points[:, 1], size)
    folds = BufferedLeaveOneOut(700.0, size)
    for train, test in folds.split(points, None, ids):
        distance = np.sqrt(((points[test][:, None] - points[train][None]) ** 2).sum(axis=2))
        assert distance.min() > 700.0
    as_floats = [test.tolist() for _, test in folds.split(points, None, ids.astype(np.float64))]
    assert as_floats == splits_of(folds, points, ids)
    gaps = np.maximum(np.abs(decode(ids)[:, None] - decode(ids)[None]) - 1, 0) * size
    first = next(iter(folds.split(points, None, ids)))
    near = np.hypot(*np.moveaxis(gaps[first[1][0]], 1, 0)) <= 700.0
    assert np.array_equal(first[0], np.flatnonzero(~near))


def test_blocks_by_their_ids_need_their_size():
    ids = block_ids([0.0, 5000.0], [0.0, 0.0], 100.0)
    with pytest.raises(ParameterError, match="say block_size_m"):
        list(BufferedLeaveOneOut(5.0).split(ids, None, ids))


def test_a_part_of_the_blocks_is_drawn_by_the_seed():
    points = places(150)
    every = splits_of(BufferedLeaveOneOut(100.0, 900.0, points=points), points)
    some = BufferedLeaveOneOut(100.0, 900.0, n_splits=4, seed=1, points=points)
    chosen = splits_of(some, points)
    assert len(chosen) == some.get_n_splits() == 4
    assert all(one in every for one in chosen)
    other = BufferedLeaveOneOut(100.0, 900.0, n_splits=4, seed=2, points=points)
    assert splits_of(other, points) != chosen


def test_how_many_folds_is_not_known_without_rows():
    with pytest.raises(ParameterError, match="depends on the rows"):
        BufferedLeaveOneOut(5.0).get_n_splits()


# --- k-means ------------------------------------------------------------------------------------------------


def test_kmeans_finds_regions_that_are_there():
    centres = np.array([[0, 0], [9000, 0], [0, 9000], [9000, 9000]])
    points = np.concatenate([places(30, i, 900.0) + c for i, c in enumerate(centres)])
    folds = KMeansFolds(4, points=points)
    assert sorted(splits_of(folds, points)) == [list(range(i, i + 30)) for i in (0, 30, 60, 90)]


def test_kmeans_with_more_clusters_than_folds():
    points = places(300, 2)
    folds = KMeansFolds(3, n_clusters=12, seed=4, points=points)
    cluster, fold = folds.cluster_of(points), folds.fold_of(points)
    assert len(set(cluster)) == 12
    assert len({(c, f) for c, f in zip(cluster, fold, strict=True)}) == 12  # no cluster is torn apart
    assert set(fold) == {0, 1, 2}


def test_kmeans_is_the_same_again_and_for_repeated_points():
    points = places(100, 1)
    once = KMeansFolds(5, seed=7, points=points).fold_of(points)
    assert np.array_equal(once, KMeansFolds(5, seed=7, points=points).fold_of(points))
    twice = np.repeat(points, 2, axis=0)
    fold = KMeansFolds(5, seed=7, points=twice).fold_of(twice)
    assert np.array_equal(fold[::2], fold[1::2])


# --- time ---------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 50), st.integers(2, 5), st.sampled_from([0, 1, 12, 40]), st.booleans())
def test_temporal_folds_against_all_pairs_of_dates(seed, n_splits, gap, forward):
    rng = np.random.default_rng(seed)
    days = rng.integers(0, 400, 80)
    times = np.datetime64("2021-01-01") + days.astype("timedelta64[D]")
    folds = TemporalFolds(n_splits, gap, forward, times)
    try:
        found = list(folds.split(times))
    except ParameterError as error:
        assert gap or forward
        assert "leaves no row" in str(error)
        return
    tested = np.concatenate([test for _, test in found])
    assert len(set(tested.tolist())) == tested.size
    if not forward:
        assert np.array_equal(np.sort(tested), np.arange(80))
    for train, test in found:
        low, high = days[test].min(), days[test].max()
        others = np.setdiff1d(np.arange(80), test)
        assert not ((days[others] >= low) & (days[others] <= high)).any()
        far = (low - days >= max(gap, 1)) | ((days - high >= max(gap, 1)) & (not forward))
        assert np.array_equal(train, np.flatnonzero(far))


def test_forward_folds_as_time_series_split_makes_them():
    """One row per date and equal blocks: scikit-learn's folds, with its gap counted in days."""
    times = np.datetime64("2024-01-01") + np.arange(24).astype("timedelta64[D]")
    ours = TemporalFolds(3, gap_days=3, forward=True, times=times).split(times)
    theirs = TimeSeriesSplit(3, gap=2).split(times)
    for (train, test), (train_too, test_too) in zip(ours, theirs, strict=True):
        assert np.array_equal(train, train_too)
        assert np.array_equal(test, test_too)


def test_dates_in_any_spelling():
    texts = ["2024-01-01T10:00:00Z", "2024-02-01", "2024-03-01T00:00:00+02:00", "2024-04-01"]
    plain = np.array(["2024-01-01T10:00", "2024-02-01", "2024-02-29T22:00", "2024-04-01"], "datetime64[ns]")
    one = [(a.tolist(), b.tolist()) for a, b in TemporalFolds(2, times=texts).split(texts)]
    assert one == [(a.tolist(), b.tolist()) for a, b in TemporalFolds(2).split(plain, None, plain)]
    assert one == [([2, 3], [0, 1]), ([0, 1], [2, 3])]


# --- with scikit-learn -------------------------------------------------------------------------------------


def field(n: int = 400) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two classes in patches that are alike inside: neighbours give each other away."""
    points = places(n, 3)
    patch = block_ids(points[:, 0], points[:, 1], 500.0)
    rng = np.random.default_rng(0)
    codes, inverse = np.unique(patch, return_inverse=True)
    X = rng.normal(size=(codes.size, 3))[inverse] + rng.normal(size=(n, 3)) * 0.05
    return X, rng.integers(0, 2, codes.size)[inverse], points


def test_cross_val_score_sees_the_leak():
    X, y, points = field()
    tree = DecisionTreeClassifier(random_state=0)
    at_random = cross_val_score(tree, X, y, cv=5).mean()
    in_blocks = cross_val_score(tree, X, y, cv=BlockFolds(5, 500.0, points=points)).mean()
    as_groups = cross_val_score(tree, X, y, cv=BlockFolds(5, 500.0), groups=points).mean()
    assert at_random > 0.85
    assert in_blocks == as_groups < 0.7


@pytest.mark.parametrize(
    "folds",
    [
        BlockFolds(3, 700.0),
        KMeansFolds(3),
        BufferedLeaveOneOut(200.0, 1500.0, n_splits=3),
        spatial_folds("blocks", n_splits=3, block_size_m=700.0),
    ],
)
def test_grid_search_takes_them(folds):
    X, y, points = field(200)
    search = GridSearchCV(RandomForestClassifier(5, random_state=0), {"max_depth": [1, 4]}, cv=folds)
    search.fit(X, y, groups=points)
    assert search.n_splits_ == 3
    assert 0 <= search.best_score_ <= 1


def test_with_metadata_routing():
    X, y, points = field(200)
    with config_context(enable_metadata_routing=True):
        routed = cross_val_score(
            DecisionTreeClassifier(random_state=0), X, y, cv=BlockFolds(3, 700.0), params={"groups": points}
        )
    plain = cross_val_score(
        DecisionTreeClassifier(random_state=0), X, y, cv=BlockFolds(3, 700.0), groups=points
    )
    assert np.array_equal(routed, plain)


def test_a_search_asks_how_many_folds_there_are():
    X, y, points = field(200)
    tree = DecisionTreeClassifier(random_state=0)
    search = GridSearchCV(tree, {"max_depth": [2]}, cv=BufferedLeaveOneOut(300.0, 2500.0))
    search.fit(X, y, groups=points)
    assert search.n_splits_ == np.unique(block_ids(points[:, 0], points[:, 1], 2500.0)).size


def test_group_k_fold_takes_the_ids_of_block_id():
    X, y, points = field(200)
    ids = block_ids(points[:, 0], points[:, 1], 900.0)
    search = GridSearchCV(DecisionTreeClassifier(random_state=0), {"max_depth": [2]}, cv=GroupKFold(4))
    assert 0 <= search.fit(X, y, groups=ids).best_score_ <= 1


def test_block_ids_reach_a_search_as_its_groups():
    """BlockID as group_band of fit_pixelwise: the search splits between blocks, as the rows say."""
    tile = simulate_scene((96, 96), bands=("red", "nir"), cloud_cover=0, seed=3)
    tile["label"] = (("y", "x"), (tile.nir.values > 0.3).astype("u1") + 1, {"quantity": "flags"})
    tile = BlockID(160.0)(tile)
    given = {"sampler": GridSampler(32), "n_pixels": 400, "group_band": "block_id", "random_state": 1}
    rows = training_rows(None, ("label", "block_id"), [tile], **given)
    assert np.array_equal(rows.groups, block_ids(rows.xy[:, 0], rows.xy[:, 1], 160.0))
    tree = DecisionTreeClassifier(random_state=0)
    search = GridSearchCV(tree, {"max_depth": [1, 3]}, cv=BlockFolds(4, seed=2))
    model = fit_pixelwise(search, None, ("label", "block_id"), [tile], **given)
    by_hand = cross_val_score(
        DecisionTreeClassifier(max_depth=model.estimator.best_params_["max_depth"], random_state=0),
        rows.X,
        rows.y,
        cv=BlockFolds(4, seed=2),
        groups=rows.groups,
    )
    assert model.estimator.best_score_ == by_hand.mean()
    assert "block_id" not in model.features


@pytest.mark.realdata
def test_pixels_of_one_polygon_give_each_other_away():
    """Landsat-5 in Pará: nearest neighbours among random folds, among polygons, among blocks of 1.5 km."""
    folder = data_path("ls5_tm_dem_training_para")
    polygons = folder / "training_polygons_lsat.gpkg"
    tile = open_tile(folder / "lsat.tif", raw=True)
    y = Sequential([ReadLabel(str(polygons), column="class"), BlockID(1500.0)])
    rows = training_rows(None, y, [tile], GridSampler(64, boundary="shift"), 1500, group_band="block_id")
    nearest = KNeighborsClassifier(1)
    at_random = cross_val_score(nearest, rows.X, rows.y, cv=KFold(5, shuffle=True, random_state=0)).mean()
    in_blocks = cross_val_score(nearest, rows.X, rows.y, cv=BlockFolds(5), groups=rows.groups).mean()
    in_regions = cross_val_score(nearest, rows.X, rows.y, cv=KMeansFolds(5, points=rows.xy)).mean()
    assert max(in_blocks, in_regions) < at_random
    assert in_regions > 0.5


def test_how_they_look():
    assert repr(BlockFolds(3, 100.0, points=np.zeros((7, 2)))) == (
        "BlockFolds(n_splits=3, block_size_m=100.0, points=<7>)"
    )
    assert repr(BlockID(10.0)) == "BlockID(block_size_m=10.0)"
