"""What operators write, against plain scikit-learn on the same pixels."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from gtz_learn import forest, regression_forest, rows, scene, valid_of
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from geotoolz.batch import CatalogPipeline
from geotoolz.catalog import GeoCatalog
from geotoolz.core import Sequential, check, run
from geotoolz.core.testing import assert_law, contract_tile
from geotoolz.io import WriteCOG, open_tile, write_tile
from geotoolz.learn import (
    PixelwiseAnomaly,
    PixelwiseClassifier,
    PixelwiseClusterer,
    PixelwiseProbabilities,
    PixelwiseRegressor,
    PixelwiseTransformer,
    QuantileRegressors,
    ToTemporalPixelMajor,
    TrainingRows,
    _predict,
    fit_rows,
)
from geotoolz.patch import ApplyToChips, GridSampler


def plain(tile, *names):
    """Return the valid pixels as rows, by hand."""
    keep = valid_of(tile, *names)
    return keep, np.stack([tile[n].values[keep] for n in names], axis=1).astype(np.float32)


def test_classes_are_those_of_plain_scikit_learn():
    tile, model = scene(), forest()
    made = PixelwiseClassifier(model)(tile)
    keep, X = plain(tile, "red", "nir")
    codes = {"crop": 1, "water": 2, "wood": 3}
    expected = np.full(tile.red.shape, 255, np.uint8)
    expected[keep] = [codes[one] for one in model.estimator.predict(X)]
    np.testing.assert_array_equal(made.label.values, expected)
    assert made.label.dtype == np.uint8 and made.label.attrs["_FillValue"] == 255
    assert made.label.attrs["flag_meanings"] == "crop water wood"
    assert (
        made.label.attrs["flag_values"].tolist() == [1, 2, 3]
        and made.label.attrs["flag_values"].dtype == np.uint8
    )
    assert list(made.data_vars) == ["red", "nir", "crop", "label"]


def test_order_of_the_tiles_variables_does_not_matter():
    tile, op = scene(), PixelwiseClassifier(forest())
    np.testing.assert_array_equal(op(tile[["nir", "crop", "red"]]).label, op(tile).label)


def test_whole_numbers_are_their_own_codes():
    given_ = rows()
    numbers = {"crop": 10, "water": 80, "wood": 40}
    y = np.array([numbers[one] for one in given_.y])
    model = fit_rows(
        DecisionTreeClassifier(),
        TrainingRows(X=given_.X, features=given_.features, y=y, class_names={10: "crop"}),
    )
    made = PixelwiseClassifier(model)(scene())
    assert set(np.unique(made.label)) == {10, 40, 80, 255}
    assert made.label.attrs["flag_meanings"] == "crop class_40 class_80"


def test_probabilities_and_uncertainty_by_hand():
    tile, model = scene(), forest()
    made = PixelwiseProbabilities(model, uncertainty=("entropy", "margin", "variance"))(tile)
    keep, X = plain(tile, "red", "nir")
    proba = clone_in_order(model.estimator).predict_proba(X)
    for k, name in enumerate(("crop", "water", "wood")):
        found = made[f"probability_{name}"]
        np.testing.assert_allclose(found.values[keep], proba[:, k], rtol=1e-6)
        assert np.isnan(found.values[~keep]).all() and found.dtype == np.float32
    np.testing.assert_allclose(made.entropy.values[keep], entropy(proba, axis=1), atol=1e-6)
    ordered = np.sort(proba, axis=1)
    np.testing.assert_allclose(made.margin.values[keep], ordered[:, -1] - ordered[:, -2], atol=1e-6)
    votes = np.stack([tree.predict_proba(X) for tree in model.estimator.estimators_])
    expected = votes[:, np.arange(len(X)), proba.argmax(1)].var(axis=0)
    np.testing.assert_allclose(made["variance"].values[keep], expected, atol=1e-6)


def clone_in_order(estimator):
    """Return the forest itself, told to add its votes in order."""
    import copy

    one = copy.copy(estimator)
    one.n_jobs = 1
    return one


def test_chosen_probabilities_only():
    made = PixelwiseProbabilities(forest(), classes="wood", prefix="p")(scene())
    assert list(made.data_vars)[-1] == "p_wood" and "p_crop" not in made
    none = PixelwiseProbabilities(forest(), classes=(), uncertainty="entropy")(scene())
    assert list(none.data_vars)[-1] == "entropy"


def test_values_quantiles_and_variance_by_hand():
    tile, model = scene(), regression_forest()
    made = PixelwiseRegressor(model, quantiles=(0.1, 0.9), variance=True)(tile)
    keep, X = plain(tile, "red", "nir")
    votes = np.stack([tree.predict(X) for tree in model.estimator.estimators_])
    np.testing.assert_allclose(made.agb.values[keep], votes.mean(0), rtol=1e-6)
    np.testing.assert_allclose(made.agb_q10.values[keep], np.quantile(votes, 0.1, axis=0), rtol=1e-6)
    np.testing.assert_allclose(made.agb_variance.values[keep], votes.var(axis=0), rtol=1e-4, atol=1e-6)
    assert (
        made.agb.attrs["units"] == made.agb_q90.attrs["units"] == "Mg ha-1"
        and np.isnan(made.agb.values[~keep]).all()
    )


def test_several_targets():
    tile = scene()
    made = PixelwiseRegressor(regression_forest(2), variance=True)(tile)
    keep, X = plain(tile, "red", "nir")
    expected = clone_in_order(regression_forest(2).estimator).predict(X)
    np.testing.assert_allclose(made.agb.values[keep], expected[:, 0], rtol=1e-6)
    np.testing.assert_allclose(made.height.values[keep], expected[:, 1], rtol=1e-6)
    assert "height_variance" in made and made.height.attrs["long_name"] == "predicted height"


def test_bagging_of_some_features_has_members_too():
    given_ = rows(features=("red", "nir", "swir16"))
    y = given_.X.sum(axis=1)
    model = fit_rows(
        make_pipeline(StandardScaler(), BaggingRegressor(n_estimators=7, max_features=2)),
        TrainingRows(X=given_.X, features=given_.features, y=y, targets=("sum",)),
    )
    tile = scene().assign(swir16=(("y", "x"), scene(3).red.values))
    made = PixelwiseRegressor(model, variance=True)(tile)
    keep, X = plain(tile, "red", "nir", "swir16")
    scaled = model.estimator[0].transform(X)
    bag = model.estimator[-1]
    votes = np.stack(
        [m.predict(scaled[:, c]) for m, c in zip(bag.estimators_, bag.estimators_features_, strict=True)]
    )
    np.testing.assert_allclose(made.sum_variance.values[keep], votes.var(axis=0), rtol=1e-4, atol=1e-6)


def test_members_that_know_some_classes_only():
    given_ = rows(40)
    y = given_.y.copy()
    y[:2] = "rare"
    bag = BaggingClassifier(KNeighborsClassifier(1), n_estimators=9, max_samples=0.3, random_state=1)
    model = fit_rows(bag, TrainingRows(X=given_.X, features=given_.features, y=y))
    assert any(len(m.classes_) < 4 for m in model.estimator.estimators_)
    tile = scene()
    keep, X = plain(tile, "red", "nir")
    votes = np.zeros((9, len(X), 4))
    for k, member in enumerate(model.estimator.estimators_):
        votes[k][:, member.classes_.astype(int)] = member.predict_proba(X)
    np.testing.assert_allclose(votes.mean(0), model.estimator.predict_proba(X))
    expected = votes[:, np.arange(len(X)), votes.mean(0).argmax(1)].var(axis=0)
    made = PixelwiseProbabilities(model, classes=(), uncertainty="variance")(tile)["variance"].values
    np.testing.assert_allclose(made[keep], expected, atol=1e-6)


def test_quantile_regressors_cover_what_they_promise():
    rng = np.random.default_rng(0)
    X = rng.uniform(0, 1, (4000, 2)).astype(np.float32)
    y = X[:, 0] + rng.normal(0, 0.1, 4000)
    given_ = TrainingRows(X=X, features=("red", "nir"), y=y, targets=("lai",), target_units={"lai": "m2 m-2"})
    estimator = QuantileRegressors(GradientBoostingRegressor(n_estimators=40, max_depth=2), (0.05, 0.5, 0.95))
    model = fit_rows(estimator, given_)
    assert model.targets == ("lai_q05", "lai_q50", "lai_q95") and model.exact
    made = PixelwiseRegressor(model)(scene(gaps=False))
    assert {made[name].attrs["units"] for name in model.targets} == {"m2 m-2"}
    low, high = made.lai_q05.values, made.lai_q95.values
    assert (low <= made.lai_q50.values).all() and (made.lai_q50.values <= high).all()
    found = model.predict_rows(X)
    assert 0.85 < np.mean((found[:, 0] <= y) & (y <= found[:, 2])) < 0.95


def test_components_clusters_and_anomalies_by_hand():
    tile = scene()
    keep, X = plain(tile, "red", "nir")
    given_ = TrainingRows(X=X, features=("red", "nir"))
    pca = fit_rows(PCA(2), given_)
    made = PixelwiseTransformer(pca)(tile)
    np.testing.assert_allclose(made.pca0.values[keep], pca.estimator.transform(X)[:, 0], atol=1e-6)
    kmeans = fit_rows(KMeans(4, random_state=0), given_)
    np.testing.assert_array_equal(
        PixelwiseClusterer(kmeans)(tile).cluster.values[keep], kmeans.estimator.predict(X)
    )
    odd = fit_rows(IsolationForest(n_estimators=20, random_state=0), given_)
    scored = PixelwiseAnomaly(odd, flag="odd")(tile)
    np.testing.assert_allclose(scored.anomaly_score.values[keep], -odd.estimator.score_samples(X), rtol=1e-6)
    np.testing.assert_array_equal(scored.odd.values[keep], odd.estimator.predict(X) == -1)
    assert (scored.odd.values[~keep] == 255).all()


def test_missing_features_are_handed_on_where_the_estimator_takes_them():
    given_ = rows()
    tile = scene()
    tile["nir"][5:7, 12:20] = np.nan  # here both are missing
    for estimator in (
        HistGradientBoostingClassifier(max_iter=5),
        make_pipeline(SimpleImputer(), DecisionTreeClassifier()),
    ):
        model = fit_rows(estimator, given_)
        made = PixelwiseClassifier(model, "propagate")(tile)
        none = np.isnan(tile.red.values) & np.isnan(tile.nir.values)
        np.testing.assert_array_equal(made.label.values == 255, none)
        X = np.stack([tile.red.values[~none], tile.nir.values[~none]], axis=1)
        codes = {"crop": 1, "water": 2, "wood": 3}
        np.testing.assert_array_equal(
            made.label.values[~none], [codes[one] for one in model.estimator.predict(X)]
        )


def test_dates_as_features():
    rng = np.random.default_rng(0)
    X = rng.random((60, 6)).astype(np.float32)
    features = tuple(f"{b}_{k}" for b in ("red", "nir") for k in range(3))
    adapter = ToTemporalPixelMajor("features", ("red", "nir"))
    model = fit_rows(
        RandomForestClassifier(5),
        TrainingRows(X=X, features=features, y=(X[:, 4] > 0.5) * 1),
        adapter=adapter,
    )
    stack = contract_tile((6, 7), times=3)
    made = PixelwiseClassifier(model)(stack)
    assert made.label.dims == ("y", "x")
    flat = np.concatenate([stack.red.values.reshape(3, -1), stack.nir.values.reshape(3, -1)]).T
    keep = np.isfinite(flat).all(axis=1)
    np.testing.assert_array_equal(made.label.values.ravel()[keep], model.estimator.predict(flat[keep]))
    assert (made.label.values.ravel()[~keep] == 255).all()


class CubeModel(ClassifierMixin, BaseEstimator):
    """A time-series classifier in miniature: it takes (rows, bands, dates)."""

    def fit(self, X, y):
        assert X.ndim == 3
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return (X[:, 1].argmax(axis=1) > 0).astype(int)


def test_a_panel_has_bands_and_dates():
    X = np.random.default_rng(0).random((40, 6)).astype(np.float32)
    features = tuple(f"{b}_{k}" for b in ("red", "nir") for k in range(3))
    adapter = ToTemporalPixelMajor("panel", ("red", "nir"))
    model = fit_rows(CubeModel(), TrainingRows(X=X, features=features, y=np.arange(40) % 2), adapter=adapter)
    stack = contract_tile((6, 7), times=3, gaps=False)
    np.testing.assert_array_equal(
        PixelwiseClassifier(model)(stack).label, stack.nir.values.argmax(axis=0) > 0
    )


class Counting(ClassifierMixin, BaseEstimator):
    """Counts the rows of every call."""

    def fit(self, X, y):
        self.classes_, self.n_features_in_, self.calls = np.unique(y), X.shape[1], []
        return self

    def predict(self, X):
        self.calls.append(len(X))
        return np.full(len(X), self.classes_[0])


def test_an_estimator_is_handed_many_rows_at_once():
    given_ = rows()
    model = fit_rows(Counting(), given_)
    tile = scene(shape=(900, 600))
    model.estimator.calls.clear()
    run(PixelwiseClassifier(model), tile, threads=1)
    assert sum(model.estimator.calls) == valid_of(tile, "red", "nir").sum()
    assert all(_predict.ROWS <= n < 2 * _predict.ROWS for n in model.estimator.calls[:-1])
    model.estimator.calls.clear()
    PixelwiseClassifier(model)(scene(shape=(8, 8), gaps=False) * np.nan)
    assert model.estimator.calls == []


@given(st.integers(1, 400_000))
def test_parts_cover_all_rows_once_and_are_never_small(count):
    edges = _predict.parts(count)
    assert (
        edges[0][0] == 0 and edges[-1][1] == count and all(a[1] == b[0] for a, b in itertools.pairwise(edges))
    )
    assert all(b - a >= min(count, _predict.ROWS) and b - a < 2 * _predict.ROWS for a, b in edges)


def test_a_look_for_nan_is_spared_where_there_was_one_and_nowhere_else():
    from sklearn.preprocessing import FunctionTransformer

    rng = np.random.default_rng(0)
    X = rng.uniform(0.1, 0.5, (300, 2)).astype(np.float32)
    rows = TrainingRows(X=X, features=("red", "nir"), y=(X[:, 0] < X[:, 1]).astype(int))
    tile = scene(gaps=False)
    tile["red"][0, 0] = 0.0
    logarithm = make_pipeline(FunctionTransformer(np.log), LogisticRegression())
    with np.errstate(divide="ignore"), pytest.raises(ValueError, match="infinity"):
        PixelwiseClassifier(fit_rows(logarithm, rows))(tile)
    tile["red"][0, 0] = np.nan
    linear = fit_rows(LogisticRegression(), rows)
    with pytest.raises(ValueError, match="NaN"):
        PixelwiseClassifier(linear, nodata="propagate")(tile)
    made = PixelwiseClassifier(linear)(tile)["label"].values
    table = np.column_stack([tile[name].values.ravel() for name in ("red", "nir")])
    assert made[0, 0] == 255
    np.testing.assert_array_equal(made.ravel()[1:], linear.estimator.predict(table[1:]))


def test_the_estimator_is_never_changed():
    import joblib

    model = forest()
    before = joblib.hash(model.estimator)
    PixelwiseProbabilities(model, uncertainty=("variance",))(scene())
    assert joblib.hash(model.estimator) == before


@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize(
    "estimator",
    [
        GaussianNB(),
        make_pipeline(StandardScaler(), GaussianNB()),
        DecisionTreeClassifier(),
        RandomForestClassifier(3),
    ],
    ids=lambda e: type(e).__name__,
)
def test_rows_in_columns_and_rows_in_rows_are_predicted_alike(estimator, gaps):
    """Cheap estimators get their rows column by column; `predict_rows` hands them over row by row."""
    from geotoolz.learn._estimators import takes_columns

    in_rows = isinstance(estimator, RandomForestClassifier | DecisionTreeClassifier)
    assert takes_columns(estimator) != in_rows
    tile = scene(1, gaps=gaps)
    rng = np.random.default_rng(0)
    X = rng.uniform(0, 0.5, (300, 2)).astype(np.float32)
    rows = TrainingRows(X=X, features=("red", "nir"), y=(X[:, 0] * 3 < X[:, 1]).astype(int) + (X[:, 1] > 0.3))
    model = fit_rows(estimator, rows)
    table = np.column_stack([tile[name].values.ravel() for name in ("red", "nir")])
    ok = np.isfinite(table).all(axis=1)
    made = PixelwiseClassifier(model)(tile).label.values.ravel()
    np.testing.assert_array_equal(made[ok], model.predict_rows(table[ok]))
    assert (made[~ok] == 255).all() and (~ok).any() == gaps


def test_linear_models_are_approximate_and_say_how_far():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 40)).astype(np.float32)
    features = tuple(f"b{k}" for k in range(40))
    model = fit_rows(Ridge(), TrainingRows(X=X, features=features, y=X @ rng.normal(size=40), targets=("v",)))
    op = PixelwiseRegressor(model)
    assert "approximate" in op.tags and "approximate" not in PixelwiseRegressor.tags
    assert not model.exact and set(model.deviation) == {"value"} and 0 <= model.deviation["value"] < 1e-3
    tile = scene(gaps=False)
    tile = tile.assign({n: tile.red * k for k, n in enumerate(features)})
    told = [f.message for f in check(op, tile) if "approximate" in f.message]
    assert len(told) == 1
    whole, cut = run(op, tile, threads=1).v.values, run(op, tile, window=(7, 11), threads=1).v.values
    rounding = 40 * np.finfo("f4").eps * np.abs(whole).max()  # of a sum of forty products
    assert np.abs(whole - cut).max() <= max(10 * model.deviation["value"], rounding)
    assert "approximate" not in PixelwiseClassifier(forest()).tags and not any(
        "approximate" in f.message for f in check(PixelwiseClassifier(forest()), scene())
    )


@pytest.mark.parametrize(
    "estimator",
    [
        DecisionTreeClassifier(),
        RandomForestClassifier(7, n_jobs=2),
        HistGradientBoostingClassifier(max_iter=6),
        make_pipeline(StandardScaler(), RandomForestClassifier(5)),
    ],
    ids=lambda e: type(e).__name__,
)
def test_forests_and_boosting_keep_the_law(estimator):
    model = fit_rows(clone(estimator), rows())
    assert model.exact
    op = Sequential([PixelwiseProbabilities(model, uncertainty=("entropy", "margin"))])
    assert_law(op, scene(shape=(23, 31)), windows=((1, 31), (7, 11)), threads=(1, 2), adversarial=False)


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 40), st.floats(0, 1))
def test_any_tile_equals_plain_scikit_learn(seed, height, width, share):
    rng = np.random.default_rng(seed)
    tile = scene(shape=(height, width), gaps=False)
    for name in ("red", "nir"):
        tile[name].values[rng.random((height, width)) < share / 2] = np.nan
    keep, X = plain(tile, "red", "nir")
    made = PixelwiseClassifier(forest())(tile).label.values
    assert (made[~keep] == 255).all()
    if keep.any():
        names = np.array(["", "crop", "water", "wood"])
        np.testing.assert_array_equal(names[made[keep]], forest().estimator.predict(X))


def test_classifier_of_linear_model_agrees_with_itself():
    model = fit_rows(LogisticRegression(), rows())
    made = PixelwiseClassifier(model)(scene())
    keep, X = plain(scene(), "red", "nir")
    names = np.array(["", "crop", "water", "wood"])
    np.testing.assert_array_equal(names[made.label.values[keep]], model.estimator.predict(X))


def test_chips_and_catalogs_ask_for_many_rows_too(tmp_path):
    model = fit_rows(Counting(), rows())
    tile = scene(shape=(700, 600), gaps=False)
    model.estimator.calls.clear()
    made = run(ApplyToChips(GridSampler(64), PixelwiseClassifier(model)), tile, threads=1)
    assert made.label.shape == (700, 600) and min(model.estimator.calls) >= _predict.ROWS


def test_processes_over_a_catalog_give_the_same_bits(tmp_path):
    ref = forest().save(tmp_path / "forest.gtz")
    for k in range(2):
        write_tile(scene(k)[["red", "nir"]], tmp_path / "in" / f"s{k}.tif")
    catalog = GeoCatalog.from_folder(tmp_path / "in")
    pipeline = Sequential(
        [PixelwiseClassifier(ref), WriteCOG(str(tmp_path / "out" / "{item_id}.tif"), bands=["label"])]
    )
    report = CatalogPipeline(catalog, pipeline, tmp_path / "out", engine="process", n_workers=2).run()
    assert report.exit_code == 0, report
    for k in range(2):
        found = open_tile(tmp_path / "out" / f"s{k}.tif")
        np.testing.assert_array_equal(found.label, PixelwiseClassifier(ref)(scene(k)).label)


def test_memory_does_not_grow_with_the_tile():
    import tracemalloc

    model = fit_rows(DecisionTreeClassifier(), rows())

    def peak(height):
        tile = scene(shape=(height, 1000), gaps=False)
        tracemalloc.start()
        made = run(PixelwiseClassifier(model), tile, threads=1)
        kept, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert made.label.shape == (height, 1000)
        return most - kept

    small, large = peak(600), peak(2400)
    assert large < 1.2 * small < 60e6
