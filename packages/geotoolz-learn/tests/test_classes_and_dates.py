"""Labels of estimators that were fitted elsewhere, names of classes, order of dates, deviation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from gtz_learn import scene
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from geotoolz.core import ParameterError, TileError
from geotoolz.core.testing import contract_tile
from geotoolz.learn import (
    PixelwiseClassifier,
    PixelwiseProbabilities,
    TemporalFolds,
    ToTemporalPixelMajor,
    TrainingRows,
    fit_rows,
    spatial_folds,
    training_rows,
    wrap_estimator,
)
from geotoolz.patch import GridSampler


def test_whole_numbers_as_floats_keep_their_codes():
    """Shapefiles and GeoPackages keep classes as floats."""
    rng = np.random.default_rng(3)
    X, y = rng.random((80, 2)).astype(np.float32), np.repeat([0.0, 1.0, 2.0, 7.0], 20)
    estimator = RandomForestClassifier(5, random_state=0).fit(X, y)
    model = wrap_estimator(estimator, ("red", "nir"), class_names={7.0: "wood"})
    assert model.codes == (0, 1, 2, 7) and model.class_names == ("class_0", "class_1", "class_2", "wood")
    tile = scene(gaps=False)
    rows = np.stack([tile[n].values.ravel() for n in ("red", "nir")], axis=1)
    np.testing.assert_array_equal(
        PixelwiseClassifier(model)(tile).label.values.ravel(), estimator.predict(rows)
    )


def test_names_of_classes_are_words_of_their_own():
    rng = np.random.default_rng(3)
    X, y = rng.random((40, 2)).astype(np.float32), np.repeat(["forest/dense", "bare (dry) soil"], 20)
    model = wrap_estimator(RandomForestClassifier(5).fit(X, y), ("red", "nir"))
    assert model.class_names == ("bare_dry_soil", "forest_dense")
    made = PixelwiseProbabilities(model)(scene())
    assert {"probability_forest_dense", "probability_bare_dry_soil"} <= set(made.data_vars)
    y = np.repeat(["bare soil", "bare_soil"], 20)
    with pytest.raises(ParameterError, match="'bare soil' and 'bare_soil' are both called 'bare_soil'"):
        wrap_estimator(RandomForestClassifier(5).fit(X, y), ("red", "nir"))


@pytest.mark.parametrize("handling", ["features", "panel"])
def test_dates_out_of_order_are_refused(handling):
    stack = contract_tile((6, 5), times=3, gaps=False)
    adapter = ToTemporalPixelMajor(handling, ("red", "nir"))
    assert adapter(stack).X.shape[1] == 6
    with pytest.raises(TileError, match=r"not in order.*sortby"):
        adapter(stack.isel(time=slice(None, None, -1)))
    samples = ToTemporalPixelMajor("samples", ("red", "nir"))
    assert len(samples(stack.isel(time=slice(None, None, -1))).X) == len(samples(stack).X)


def test_the_deviation_is_that_of_rows_as_others_hand_them_over():
    """Of a linear model columns and rows in memory round differently."""
    rng = np.random.default_rng(5)
    X = rng.random((4000, 10)).astype(np.float32)
    y = np.digitize(X[:, 0] + X[:, 3], (0.7, 1.2))
    model = fit_rows(
        make_pipeline(StandardScaler(), LogisticRegression()),
        TrainingRows(X=X, features=tuple(f"f{k}" for k in range(10)), y=y),
    )
    found = model.estimator.predict_proba(X[:4096])
    cut = np.concatenate(
        [model.estimator.predict_proba(np.asfortranarray(X[a : a + 500])) for a in range(0, 4000, 500)]
    )
    assert model.deviation["probability"] >= np.abs(found - cut).max() / 10


def dated_rows() -> TrainingRows:
    """Rows of six dates and places that are 1 km apart."""
    rng = np.random.default_rng(1)
    X = rng.random((120, 2)).astype(np.float32)
    return TrainingRows(
        X=X,
        features=("red", "nir"),
        y=(X[:, 0] > X[:, 1]).astype(int),
        xy=np.column_stack([500_000.0 + 1000 * (np.arange(120) % 12), np.full(120, 5e6)]),
        crs="EPSG:32633",
        times=np.datetime64("2024-01-01", "ns") + np.arange(120) // 20 * np.timedelta64(30, "D"),
    )


def test_a_fit_hands_dates_and_places_to_folds() -> None:
    rows = dated_rows()
    told = TemporalFolds(3, times=rows.times)
    by_hand = cross_val_score(RandomForestClassifier(5, random_state=0), rows.X, rows.y, cv=told)
    for given in (rows, replace(rows, groups=np.arange(120) % 4)):
        model = fit_rows(RandomForestClassifier(5, random_state=0), given, cv=TemporalFolds(3))
        np.testing.assert_allclose(model.metrics["cv"]["folds"], by_hand)
    for folds in (
        TemporalFolds(3),
        spatial_folds(n_splits=3, block_size_m=2000),
        spatial_folds("kmeans", n_splits=3),
    ):
        search = GridSearchCV(RandomForestClassifier(5, random_state=0), {"max_depth": [2, 4]}, cv=folds)
        model = fit_rows(search, rows)
        assert 0.5 < model.metrics["search"]["best_score"] <= 1
    with pytest.raises(ParameterError, match="got no dates"):
        fit_rows(RandomForestClassifier(5), replace(rows, times=None), cv=TemporalFolds(3))


def test_a_model_along_time_keeps_its_first_and_last_date() -> None:
    stack = contract_tile((24, 20), times=3, gaps=False)
    stack.attrs.pop("datetime", None)
    stack["crop"] = (("y", "x"), np.indices((24, 20)).sum(axis=0) % 2 + 1)
    adapter = ToTemporalPixelMajor("features", ("red", "nir"))
    rows = training_rows(None, "crop", [stack], GridSampler(8), adapter=adapter)
    first, last = stack.time.values[0], stack.time.values[-1]
    assert rows.span == (first, last) and (rows.times == last).all()
    model = fit_rows(RandomForestClassifier(3, random_state=0), rows, adapter=adapter)
    assert model.dates == tuple(f"{np.datetime_as_string(one, unit='s')}Z" for one in (first, last))
    assert TrainingRows.concatenate([rows, rows.take([0])]).span == rows.span
