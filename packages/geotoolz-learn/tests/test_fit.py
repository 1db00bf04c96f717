"""Fitting on catalogs and tables."""

from __future__ import annotations

from dataclasses import replace

import geopandas
import numpy as np
import pytest
import rasterio
from gtz_learn import NAMES, rows, scene
from shapely.geometry import Point, box
from sklearn.cluster import MiniBatchKMeans
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from geotoolz.catalog import GeoCatalog, ReadLabel
from geotoolz.core import ParameterError, ReadError, Sequential, from_function, geobox_of
from geotoolz.io import write_tile
from geotoolz.learn import (
    NanPolicy,
    PixelwiseClassifier,
    PixelwiseProbabilities,
    ShortfallWarning,
    ToPixelMajor,
    ToTemporalPixelMajor,
    TrainingRows,
    fit_pixelwise,
    fit_rows,
    load_model,
    spatial_folds,
    training_rows,
)
from geotoolz.patch import ExplicitSampler, GridSampler, PolygonCentred, RandomSampler
from geotoolz.radiometry import BoxMean
from geotoolz.vector import sample_training

BANDS = ToPixelMajor(("red", "nir"))


def scenes(count=3):
    return [scene(k) for k in range(count)]


def test_rows_are_pixels_of_their_scenes():
    given = training_rows(None, "crop", scenes(), GridSampler(16, boundary="drop"), 500)
    assert (
        len(given) == 500
        and given.shortfall == 0
        and given.features == ("red", "nir")
        and given.targets == ("crop",)
    )
    assert given.class_names == NAMES and set(given.tile_ids) == {"scene0", "scene1", "scene2"}
    by_id = {tile.tile_id: tile for tile in scenes()}
    for k in range(0, 500, 25):
        pixel = by_id[given.tile_ids[k]].sel(
            x=given.xy[k, 0], y=given.xy[k, 1], method="nearest", tolerance=0.01
        )
        assert (pixel.red, pixel.nir, pixel.crop) == (given.X[k, 0], given.X[k, 1], given.y[k])
    assert given.crs == "EPSG:32633" and given.times.min() == np.datetime64("2024-06-01T10:00")


def test_every_chip_gives_its_share():
    sampler = GridSampler(20, boundary="drop")  # 3 rows of 4 chips per scene; the third loses rows 20 to 24
    given = training_rows(None, "crop", scenes(2), sampler, 240)
    cell = np.column_stack([given.tile_ids == "scene1", *(given.xy.T // 200)])
    _, counts = np.unique(cell, axis=0, return_counts=True)
    assert len(counts) == 24 and set(counts) == {10}


def test_what_a_chip_lacks_the_others_make_up_for():
    poor = scene(0)
    poor["crop"][:] = 255
    poor["crop"][0, :7] = 1
    given = training_rows(None, "crop", [poor, scene(1)], GridSampler((60, 80)), 1000)
    assert [(given.tile_ids == f"scene{k}").sum() for k in range(2)] == [7, 993]
    assert len(np.unique(given.xy, axis=0)) == 1000  # no pixel twice


def test_a_shortfall_is_told():
    with pytest.warns(ShortfallWarning, match="of 99999 pixels"):
        model = fit_pixelwise(DecisionTreeClassifier(), None, "crop", scenes(1), GridSampler(32), 99_999)
    valid = np.isfinite(scene(0).red.values) & (scene(0).crop.values != 255)
    assert model.n_rows == valid.sum() and model.metrics["shortfall"] == 99_999 - valid.sum()
    everything = training_rows(None, "crop", scenes(1), GridSampler(32))
    assert len(everything) == valid.sum()


def test_equal_seeds_give_equal_rows_and_others_do_not():
    def draw(seed, **kw):
        return training_rows(None, "crop", scenes(), RandomSampler(16, 5), 300, random_state=seed, **kw)

    np.testing.assert_array_equal(draw(1).X, draw(1).X)
    assert not np.array_equal(draw(1).X, draw(2).X)


def test_the_engine_changes_nothing():
    sampler = GridSampler(20)
    here = training_rows(BoxMean(1, bands=("red", "nir")), "crop", scenes(), sampler, 333, adapter=BANDS)
    there = training_rows(
        BoxMean(1, bands=("red", "nir")),
        "crop",
        scenes(),
        sampler,
        333,
        adapter=BANDS,
        engine="process",
        n_workers=2,
    )
    for name in ("X", "y", "xy", "times", "tile_ids"):
        np.testing.assert_array_equal(getattr(here, name), getattr(there, name))


def test_chips_have_the_bits_of_the_whole_scene():
    pipeline = BoxMean(3, bands=("red", "nir"))
    tile = scene(0, gaps=False)
    whole = pipeline(tile)
    given = training_rows(pipeline, "crop", [tile], GridSampler(7), None, adapter=BANDS)
    row = np.round((5_100_000 - given.xy[:, 1]) / 10 - 0.5).astype(int)
    col = np.round((given.xy[:, 0] - 500_000) / 10 - 0.5).astype(int)
    np.testing.assert_array_equal(given.X[:, 0], whole.red.values[row, col])
    assert len(given) == tile.red.size


def test_steps_that_are_python_functions_work_too():
    pipeline = Sequential([from_function(lambda ds: ds.assign(ratio=ds.nir / (ds.red + 1)))])
    given = training_rows(pipeline, "crop", scenes(1), GridSampler(16), 50, adapter=ToPixelMajor(("ratio",)))
    assert given.features == ("ratio",) and np.isfinite(given.X).all()


def test_labels_groups_and_weights_are_no_features():
    tiles = scenes(2)
    for tile in tiles:
        tile["block"] = (("y", "x"), np.repeat(np.arange(60, dtype=np.int32) // 20, 80).reshape(60, 80))
        tile["sure"] = (("y", "x"), np.full((60, 80), 2.0, np.float32))
    given = training_rows(None, "crop", tiles, GridSampler(20), 200, group_band="block", sample_weight="sure")
    assert given.features == ("red", "nir") and set(given.groups) <= {0, 1, 2} and set(given.weights) == {2.0}
    by_number = training_rows(None, ("crop", "block"), tiles, GridSampler(20), 200, group_band=1)
    assert by_number.targets == ("crop",) and set(by_number.groups) <= {0, 1, 2}


def test_classes_in_balance():
    counts = dict.fromkeys(NAMES, 0)
    given = training_rows(None, "crop", scenes(), GridSampler(20), 300, balance="equal")
    counts.update(zip(*np.unique(given.y, return_counts=True), strict=True))
    assert set(counts.values()) == {100}
    given = training_rows(None, "crop", scenes(), GridSampler(20), 100, balance={1: 1, 5: 4})
    assert ((given.y == 1).sum(), (given.y == 5).sum(), len(given)) == (20, 80, 100)
    named = training_rows(None, "crop", scenes(), GridSampler(20), 100, balance={NAMES[1]: 1, NAMES[5]: 4})
    np.testing.assert_array_equal(named.X, given.X)
    with pytest.raises(ParameterError, match="balance names the class 'beet'"):
        training_rows(None, "crop", scenes(), GridSampler(20), 100, balance={"beet": 1})
    rare = scene(0)
    rare["crop"].values[rare.crop.values == 1] = 2
    rare["crop"][0, :4] = 1
    with pytest.warns(ShortfallWarning, match="of the classes asked for"):
        given = training_rows(None, "crop", [rare], GridSampler(20), 300, balance="equal")
    assert (given.y == 1).sum() == 4 and (given.y == 2).sum() == 100 and given.shortfall == 96


def test_scenes_in_other_zones_share_one_crs():
    other = scene(1)
    other["spatial_ref"] = scene(1, crs="EPSG:32632").spatial_ref
    given = training_rows(None, "crop", [scene(0), other], GridSampler(20), 100)
    assert given.crs == "EPSG:32633"
    west = given.xy[given.tile_ids == "scene1", 0]
    assert (west < 100_000).all()  # 6° west of where the same numbers lie in zone 33


def test_dates_as_features_of_a_stack():
    import xarray as xr

    stack = xr.concat([scene(k, gaps=False)[["red", "nir"]].drop_attrs() for k in (0, 0, 0)], "time")
    stack = stack.assign_coords(time=np.array(["2024-01-01", "2024-02-01", "2024-03-01"], "M8[ns]"))
    stack["crop"] = scene(0).crop
    adapter = ToTemporalPixelMajor("features")
    given = training_rows(None, "crop", stack, GridSampler(20), 100, adapter=adapter)
    assert given.features == ("red_0", "red_1", "red_2", "nir_0", "nir_1", "nir_2") and given.X.shape == (
        100,
        6,
    )
    samples = training_rows(None, "crop", stack, GridSampler(20), 90, adapter=ToTemporalPixelMajor("samples"))
    assert samples.X.shape == (90, 2) and len(np.unique(samples.times)) == 3


def test_only_pixels_in_the_polygon_count():
    field = box(500_100, 5_099_900, 500_150, 5_099_930)
    sampler = ExplicitSampler(PolygonCentred(margin=4), polygons=(field.wkt,))
    given = training_rows(None, "crop", [scene(0, gaps=False)], sampler)
    assert len(given) == 15 and all(field.contains(Point(*xy)) for xy in given.xy)


def test_what_the_model_remembers(tmp_path):
    pipeline = BoxMean(1, bands=("red", "nir"))
    model = fit_pixelwise(
        RandomForestClassifier(5), pipeline, "crop", scenes(), GridSampler(20), 300, adapter=BANDS, cv=3,
        group_band=None, random_state=4,
    )  # fmt: skip
    assert model.kind == "classifier" and model.features == ("red", "nir") and model.classes == (1, 2, 5)
    assert model.class_names == ("water", "crop", "wood") and model.codes == (1, 2, 5)
    assert model.pipeline_hash == pipeline.config_hash() and model.feature_pipeline() == pipeline
    assert model.adapter == BANDS and model.quantities["red"] == "surface_reflectance"
    west, south, east, north = model.extent
    assert 14.9 < west < east < 15.1 and 46 < south < north < 46.1
    assert model.dates == ("2024-06-01T10:00:00Z", "2024-06-03T10:00:00Z")
    assert {"numpy", "scikit-learn", "geotoolz-learn", "python"} <= set(model.versions)
    assert len(model.metrics["cv"]["folds"]) == 3 and model.metrics["rows"] == 300


def test_an_estimator_is_cloned_and_seeded():
    estimator = make_pipeline(StandardScaler(), RandomForestClassifier(5))
    one = fit_rows(estimator, rows(), random_state=3)
    two = fit_rows(estimator, rows(), random_state=3)
    other = fit_rows(estimator, rows(), random_state=4)
    assert estimator[-1].random_state is None and not hasattr(estimator[-1], "classes_")
    states = [m.estimator[-1].random_state for m in (one, two, other)]
    assert states[0] == states[1] != states[2]
    set_ = fit_rows(RandomForestClassifier(5, random_state=9), rows())
    assert set_.estimator.random_state == 9


def test_searches_get_the_groups():
    search = GridSearchCV(RandomForestClassifier(4), {"max_depth": [2, 6]}, cv=GroupKFold(3))
    model = fit_rows(search, rows())
    assert model.estimator.best_params_["max_depth"] == 6 and model.exact
    assert model.predict_rows(rows().X).shape == (600,)
    nested = GridSearchCV(make_pipeline(StandardScaler(), DecisionTreeClassifier()), {}, cv=GroupKFold(3))
    model = fit_rows(nested, rows(), sample_weight="balanced")
    assert model.methods[:2] == ("predict", "predict_proba")


def test_weights_reach_the_last_step():
    given = rows()
    weights = np.where(given.y == "wood", 1e-9, 1.0)
    heavy = TrainingRows(X=given.X, features=given.features, y=given.y, weights=weights)
    model = fit_rows(make_pipeline(StandardScaler(), DecisionTreeClassifier(max_depth=1)), heavy)
    assert "wood" not in model.predict_rows(given.X)


def test_unsupervised_fits():
    pca = fit_pixelwise(PCA(2), None, None, [t[["red", "nir"]] for t in scenes()], GridSampler(20), 400)
    assert pca.kind == "transformer" and pca.targets == ("pca0", "pca1") and pca.n_rows == 400
    kmeans = fit_pixelwise(
        MiniBatchKMeans(5, n_init=1), None, None, [t[["red", "nir"]] for t in scenes()], GridSampler(20), 400
    )
    assert kmeans.kind == "clusterer" and kmeans.codes == (0, 1, 2, 3, 4)


def test_regression_with_units():
    tiles = scenes(2)
    for tile in tiles:
        tile["agb"] = (tile.nir * 200).assign_attrs(units="Mg ha-1")
        tile["agb"][0, :] = np.nan
    model = fit_pixelwise(
        make_pipeline(PolynomialFeatures(2), Ridge()), None, "agb", tiles, GridSampler(20), 300, cv=3,
        adapter=ToPixelMajor(("red", "nir")),
    )  # fmt: skip
    assert (
        model.kind == "regressor" and model.targets == ("agb",) and model.target_units == {"agb": "Mg ha-1"}
    )
    assert model.metrics["cv"]["scoring"] == "r2" and model.metrics["cv"]["mean"] > 0.99


def test_missing_features_may_be_handed_on():
    from sklearn.ensemble import HistGradientBoostingClassifier

    policy = NanPolicy(on_input="propagate")
    given = training_rows(None, "crop", scenes(1), GridSampler(32), nodata_policy=policy)
    assert (
        np.isnan(given.X).any(axis=1).sum()
        == (np.isnan(scene(0).red.values) & (scene(0).crop.values != 255)).sum()
    )
    model = fit_rows(HistGradientBoostingClassifier(max_iter=3), given, nodata_policy=policy)
    assert model.takes_nan and model.nodata_policy == policy


def test_a_catalog_of_files_and_label_files(tmp_path):
    for k in range(2):
        tile = scene(k, gaps=False, tile_id=f"s{k}")
        write_tile(tile[["red", "nir"]], tmp_path / f"s{k}.tif")
        profile = {"driver": "GTiff", "height": 60, "width": 80, "count": 1, "dtype": "uint8", "nodata": 255}
        with rasterio.open(
            tmp_path / f"label_s{k}.tif", "w", crs=32633, transform=geobox_of(tile).affine, **profile
        ) as dst:
            dst.write(tile.crop.values, 1)
    catalog = GeoCatalog.from_folder(tmp_path).filter(lambda f: ~f["id"].str.startswith("label"))
    labels = ReadLabel(
        str(tmp_path / "label_{tile_id}.tif"), classes={name: code for code, name in NAMES.items()}
    )
    model = fit_pixelwise(DecisionTreeClassifier(), None, labels, catalog, GridSampler(20), 400)
    assert model.class_names == ("water", "crop", "wood") and model.features == ("red", "nir")
    X = np.array([[0.1, 0.1], [0.1, 0.7]], np.float32)
    assert model.predict_rows(X).tolist() == [1, 5]
    one = training_rows(None, None, str(tmp_path / "s0.tif"), GridSampler(20), 50)
    assert len(one) == 50 and one.features == ("red", "nir")


def test_samples_of_polygons_keep_their_polygons(tmp_path):
    tile = scene(0, gaps=False)
    left, top = 500_000, 5_100_000
    shapes = [box(left + 60 * k, top - 300, left + 60 * k + 50, top - 100) for k in range(10)]
    frame = geopandas.GeoDataFrame({"crop": ["wood", "field"] * 5}, geometry=shapes, crs=32633)
    frame.to_file(tmp_path / "samples.gpkg")
    table = sample_training(tile, tmp_path / "samples.gpkg", "crop", bands=("red", "nir"))
    given = TrainingRows.from_table(table)
    assert (
        given.features == ("red", "nir") and len(np.unique(given.groups)) == 10 and given.crs == "EPSG:32633"
    )
    model = fit_rows(RandomForestClassifier(5), given, cv=5)
    assert model.classes == ("field", "wood") and model.codes == (1, 2)
    assert model.metrics["cv"]["splitter"] == "GroupKFold"


def test_lightgbm_by_its_scikit_learn_interface(tmp_path):
    try:
        import lightgbm
    except (ImportError, OSError) as error:  # its wheel needs a libgomp that not every machine has
        pytest.skip(f"lightgbm cannot be loaded: {error}")
    model = fit_rows(lightgbm.LGBMClassifier(n_estimators=5, verbose=-1), rows())
    assert model.kind == "classifier" and model.takes_nan and model.exact and "lightgbm" in model.versions
    made = PixelwiseClassifier(model, "propagate")(scene(0)).label.values
    X = np.stack([scene(0).red.values.ravel(), scene(0).nir.values.ravel()], axis=1)
    names = np.array(["", "crop", "water", "wood"])
    np.testing.assert_array_equal(names[made.ravel()], model.estimator.predict(X, validate_features=False))
    ref = model.save(tmp_path / "gbm.gtz")
    with pytest.raises(ReadError, match=r"holds .*lightgbm\.basic\.Booster"):
        load_model(ref)
    ref = model.save(tmp_path / "gbm.gtz", format="joblib")
    np.testing.assert_array_equal(
        load_model(ref, trust=True).predict_rows(rows().X), model.predict_rows(rows().X)
    )


class OnlyNumbers(DecisionTreeClassifier):
    """Takes labels 0, 1, 2, … as xgboost does."""

    def fit(self, X, y, sample_weight=None):
        if sorted(set(y)) != list(range(len(set(y)))):
            raise ValueError("Invalid classes inferred from unique values of `y`")
        return super().fit(X, y, sample_weight)


def test_classifiers_that_take_numbers_only_get_them(monkeypatch):
    monkeypatch.setattr(OnlyNumbers, "__module__", "xgboost.sklearn")
    model = fit_rows(OnlyNumbers(random_state=0), rows())
    assert model.encoded and model.classes == ("crop", "water", "wood")
    plain = fit_rows(DecisionTreeClassifier(random_state=0), rows())
    np.testing.assert_array_equal(model.predict_rows(rows().X), plain.predict_rows(rows().X))
    np.testing.assert_array_equal(
        PixelwiseClassifier(model)(scene(0)).label, PixelwiseClassifier(plain)(scene(0)).label
    )


def test_imbalanced_learn_by_its_interface():
    reason = "imbalanced-learn is not installed"
    over = pytest.importorskip("imblearn.over_sampling", reason=reason)
    pipeline = pytest.importorskip("imblearn.pipeline", reason=reason)
    forest = RandomForestClassifier(5, random_state=0)
    model = fit_rows(pipeline.make_pipeline(StandardScaler(), over.RandomOverSampler(), forest), rows())
    assert model.kind == "classifier" and model.exact and "imbalanced-learn" in model.versions
    made = PixelwiseProbabilities(model, classes=(), uncertainty=("variance",))(scene(0))
    assert float(made["variance"].max()) > 0


def test_spatial_folds_know_where_the_rows_lie():
    given = training_rows(None, "crop", scenes(2), GridSampler(20), 400)
    folds = spatial_folds("blocks", n_splits=3, block_size_m=200)
    scores = fit_rows(DecisionTreeClassifier(), given, cv=folds).metrics["cv"]
    assert scores["splitter"] == "BlockFolds" and len(scores["folds"]) == 3
    degrees = replace(given, crs="EPSG:4326", xy=given.xy / 1e6)
    with pytest.raises(ParameterError, match="places are in degrees"):
        fit_rows(DecisionTreeClassifier(), degrees, cv=folds)


def test_rows_are_taken_by_slice_number_and_truth():
    given = rows()
    for index in (slice(None, None, 3), np.arange(0, len(given), 3), np.arange(len(given)) % 3 == 0):
        some = given.take(index)
        np.testing.assert_array_equal(some.X, given.X[::3])
        np.testing.assert_array_equal(some.y, given.y[::3])
