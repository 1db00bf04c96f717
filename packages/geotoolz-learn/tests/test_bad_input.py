"""What users get wrong: every mistake has a name, and says what to do."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from affine import Affine
from gtz_learn import NAMES, forest, regression_forest, rows, scene
from sklearn.ensemble import GradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from geotoolz.catalog import ReadLabel
from geotoolz.core import (
    GridMismatchError,
    MissingVariableError,
    NotFrozenError,
    ParameterError,
    QuantityError,
    ReadError,
    TileError,
    TileSpec,
    compile,
)
from geotoolz.learn import (
    GroupsIgnoredWarning,
    NanPolicy,
    PixelwiseAnomaly,
    PixelwiseClassifier,
    PixelwiseProbabilities,
    PixelwiseRegressor,
    PixelwiseTransformer,
    QuantileRegressors,
    ReadLabelNearest,
    ToPixelMajor,
    ToTemporalPixelMajor,
    TrainingRows,
    fit_pixelwise,
    fit_rows,
    training_rows,
    wrap_estimator,
)
from geotoolz.patch import GridSampler
from geotoolz.radiometry import MinMax

TREE = DecisionTreeClassifier()
SAMPLER = GridSampler(20)


def label_raster(path, crs="EPSG:32633", size=10.0, shift=0.0, values=None, dtype="uint8"):
    """Write the labels of scene 0 on a grid of their own."""
    data = scene(0, gaps=False).crop.values if values is None else values
    profile = {"driver": "GTiff", "height": data.shape[0], "width": data.shape[1], "count": 1, "nodata": 255}
    transform = Affine(size, 0, 500_000 + shift, 0, -size, 5_100_000 - shift)
    with rasterio.open(path, "w", dtype=dtype, crs=crs, transform=transform, **profile) as dst:
        dst.write(data.astype(dtype), 1)
    return str(path)


def test_a_label_raster_on_another_grid_is_refused_and_read_on_request(tmp_path):
    path = label_raster(tmp_path / "shifted.tif", shift=4.0)
    tiles = [scene(0, gaps=False)]
    with pytest.raises(GridMismatchError, match="warp it to the tile's grid"):
        fit_pixelwise(TREE, None, ReadLabel(path), tiles, SAMPLER, 100)
    given = training_rows(
        None, ReadLabelNearest(path, classes={n: c for c, n in NAMES.items()}), tiles, SAMPLER, None
    )
    # a shift of 4 m is less than half a pixel: the label under every centre is the pixel's own
    by_place = {(x, y): label for (x, y), label in zip(map(tuple, given.xy), given.y, strict=True)}
    tile = tiles[0]
    assert len(given) == 60 * 80
    assert all(
        by_place[x, y] == tile.crop.values[r, c]
        for r, y in enumerate(tile.y.values[:9])
        for c, x in enumerate(tile.x.values)
    )


def test_nearest_labels_of_other_zones_and_outside(tmp_path):
    path = label_raster(tmp_path / "coarse.tif", size=20.0, values=np.arange(30 * 40).reshape(30, 40) % 7)
    made = ReadLabelNearest(path)(scene(0))
    np.testing.assert_array_equal(
        made.label.values, np.repeat(np.repeat(np.arange(1200).reshape(30, 40) % 7, 2, 0), 2, 1)
    )
    away = label_raster(tmp_path / "away.tif", shift=90_000.0)
    assert (ReadLabelNearest(away)(scene(0)).label.values == 255).all()
    none = label_raster(tmp_path / "none.tif", crs=None)
    with pytest.raises(Exception, match="has no CRS"):
        ReadLabelNearest(none)(scene(0))
    with pytest.raises(ReadError, match="does not exist"):
        ReadLabelNearest(str(tmp_path / "absent.tif"))(scene(0))


def test_labels_outside_the_known_classes():
    strange = scene(0)
    strange["crop"][2, 3] = 77
    with pytest.raises(ParameterError, match=r"'crop' holds 77 in 'scene0'.*one of the classes 1, 2, 5"):
        fit_pixelwise(TREE, None, "crop", [strange], SAMPLER, 100)


def test_one_code_with_two_meanings():
    other = scene(1)
    other["crop"].attrs["flag_meanings"] = "water wood crop"
    with pytest.raises(
        ParameterError, match=r"code 2 means 'crop' in the scenes before, and 'wood' in scene1"
    ):
        fit_pixelwise(TREE, None, "crop", [scene(0), other], SAMPLER, 100)


def test_no_valid_pixel():
    empty = scene(0)
    empty["red"][:] = np.nan
    with pytest.raises(TileError, match="no pixel has both features and a label"):
        fit_pixelwise(TREE, None, "crop", [empty], SAMPLER, 100)
    with pytest.raises(TileError, match="no row has every feature"):
        fit_rows(TREE, TrainingRows(X=np.full((3, 1), np.nan, "f4"), features=("a",), y=[1, 2, 1]))


def test_one_class_only():
    same = scene(0)
    same["crop"].values[same.crop.values != 255] = 2
    with pytest.raises(ParameterError, match="all 100 rows are of the class 2"):
        fit_pixelwise(TREE, None, "crop", [same], SAMPLER, 100)


def test_nan_for_an_estimator_that_takes_none():
    policy = NanPolicy(on_input="propagate")
    with pytest.raises(ParameterError, match="rows lack a feature, and LogisticRegression takes no NaN"):
        fit_pixelwise(LogisticRegression(), None, "crop", [scene(0)], SAMPLER, 3000, nodata_policy=policy)
    model = fit_rows(LogisticRegression(), rows())
    with pytest.raises(ParameterError, match="nodata='propagate', and the model's estimator takes no NaN"):
        compile(PixelwiseClassifier(model, "propagate"), TileSpec.of(scene(0)))


def test_nodata_that_must_not_be():
    with pytest.raises(TileError, match="lack a feature; expected no no-data"):
        PixelwiseClassifier(forest(), "raise")(scene(0))
    PixelwiseClassifier(forest(), "raise")(scene(0, gaps=False))
    for policy, text in ((NanPolicy(on_input="raise"), "labelled pixels of a chip lack a feature"),
                         (NanPolicy(on_label="raise"), "have no 'crop'")):  # fmt: skip
        with pytest.raises(TileError, match=text):
            fit_pixelwise(TREE, None, "crop", [scene(0)], SAMPLER, 100, nodata_policy=policy)


def test_groups_fewer_than_folds():
    search = GridSearchCV(TREE, {"max_depth": [2]}, cv=GroupKFold(5))
    few = TrainingRows(X=rows().X, features=("red", "nir"), y=rows().y, groups=np.arange(600) % 3)
    with pytest.raises(ParameterError, match="3 groups for 5 folds"):
        fit_rows(search, few)
    with pytest.raises(ParameterError, match="3 groups for 4 folds"):
        fit_rows(TREE, few, cv=4)
    with pytest.warns(GroupsIgnoredWarning, match="cv=3 does not look at the groups"):
        fit_rows(GridSearchCV(TREE, {"max_depth": [2]}, cv=3), few)


def test_features_that_are_missing_or_in_another_order():
    model = forest()
    with pytest.raises(MissingVariableError, match="needs the feature 'red'"):
        PixelwiseClassifier(model)(scene(0)[["nir"]])
    with pytest.raises(MissingVariableError, match="another order: number 1 is 'nir', not 'red'"):
        model.predict_rows(rows().X, ["nir", "red"])
    with pytest.raises(MissingVariableError, match="lack nir"):
        model.predict_rows(rows().X[:, :1], ["red"])
    with pytest.raises(MissingVariableError, match="have swir16 too"):
        model.predict_rows(np.zeros((2, 3)), ["red", "nir", "swir16"])
    with pytest.raises(ParameterError, match=r"expected \(rows, 2\)"):
        model.predict_rows(np.zeros((2, 3)))
    import pandas as pd

    frame = pd.DataFrame(rows().X, columns=["nir", "red"])
    with pytest.raises(MissingVariableError, match="another order"):
        model.predict_rows(frame)
    assert (model.predict_rows(frame[["red", "nir"]].set_axis(["red", "nir"], axis=1)) != "").all()


def test_another_adapter_than_at_fitting():
    with pytest.raises(ParameterError, match=r"is given the adapter .*expected ToPixelMajor"):
        PixelwiseClassifier(forest(), adapter=ToTemporalPixelMajor())(scene(0))
    with pytest.raises(ParameterError, match="is given the adapter"):
        PixelwiseClassifier(forest(), adapter=ToPixelMajor(("nir", "red")))(scene(0))
    PixelwiseClassifier(forest(), adapter=ToPixelMajor(("red", "nir")))(scene(0))


def test_digital_numbers_for_reflectance():
    model = fit_pixelwise(TREE, None, "crop", [scene(0)], SAMPLER, 300)
    raw = scene(0)
    raw["red"].attrs["quantity"] = "dn"
    with pytest.raises(QuantityError, match="reads 'red', which holds dn; expected surface_reflectance"):
        PixelwiseClassifier(model)(raw)
    with pytest.raises(TileError, match="the features of scene1 hold"):
        other = scene(1)
        other["red"].attrs["quantity"] = "dn"
        fit_pixelwise(TREE, None, "crop", [scene(0), other], SAMPLER, 300)


def test_the_wrong_operator_for_a_model():
    for op, text in (
        (PixelwiseRegressor(forest()), "PixelwiseRegressor is given a classifier.*PixelwiseClassifier"),
        (PixelwiseClassifier(regression_forest()), "is given a regressor"),
        (PixelwiseAnomaly(forest()), "is given a classifier"),
        (PixelwiseTransformer(forest()), "is given a classifier"),
        (PixelwiseProbabilities(fit_rows(LinearSVC(), rows())), "calls predict_proba"),
        (PixelwiseProbabilities(forest(), classes="corn"), "no class 'corn'"),
        (
            PixelwiseProbabilities(fit_rows(KNeighborsClassifier(), rows()), uncertainty="variance"),
            "has no members",
        ),
        (PixelwiseRegressor(regression_forest(2), quantiles=(0.5,)), "quantiles of 2 targets"),
        (PixelwiseRegressor(regression_forest(), names=("a", "b")), "is given the names a, b"),
    ):
        with pytest.raises(ParameterError, match=text):
            op(scene(0))
    with pytest.raises(ParameterError, match=r"quantiles holds 1\.5"):
        PixelwiseRegressor(regression_forest(), quantiles=(1.5,))
    with pytest.raises(ParameterError, match="no class and no uncertainty"):
        PixelwiseProbabilities(forest(), classes=())


def test_codes_that_do_not_fit():
    given = rows()
    numbers = np.where(given.y == "wood", 300, 1)
    model = fit_rows(TREE, TrainingRows(X=given.X, features=given.features, y=numbers))
    with pytest.raises(ParameterError, match=r'cannot hold 300.*dtype="uint16"'):
        PixelwiseClassifier(model)(scene(0))
    assert PixelwiseClassifier(model, dtype="uint16", fill=65535)(scene(0)).label.max() == 65535
    with pytest.raises(ParameterError, match="cannot hold -1"):
        PixelwiseClassifier(forest(), fill=-1)(scene(0))
    with pytest.raises(ParameterError, match="fill=2, which is the code of a class"):
        PixelwiseClassifier(forest(), fill=2)(scene(0))


def test_estimators_that_are_none():
    for wrong, text in (
        (RandomForestClassifier, "the estimator is RandomForestClassifier"),
        ("rf", "the estimator is str"),
    ):
        with pytest.raises(ParameterError, match=text):
            fit_rows(wrong, rows())
    with pytest.raises(ParameterError, match="takes no weights"):
        fit_rows(KNeighborsClassifier(), rows(), sample_weight="balanced")
    with pytest.raises(ParameterError, match="a classifier without labels"):
        fit_rows(RandomForestClassifier(), TrainingRows(X=rows().X, features=("a", "b")))
    with pytest.raises(ParameterError, match="a regressor is given labels of"):
        fit_rows(Ridge(), rows())
    with pytest.raises(ParameterError, match=r"given the label 0\.5"):
        fit_rows(TREE, TrainingRows(X=rows().X, features=("a", "b"), y=np.full(600, 0.5)))
    with pytest.raises(ParameterError, match="no parameter for the quantile"):
        fit_rows(
            QuantileRegressors(LinearRegression()),
            TrainingRows(X=rows().X, features=("a", "b"), y=rows().X[:, 0]),
        )
    with pytest.raises(ParameterError, match="quantiles="):
        QuantileRegressors(GradientBoostingRegressor(), (0.9, 0.1)).fit(rows().X, rows().X[:, 0])


def test_wrapping_estimators_of_elsewhere():
    import pandas as pd

    with pytest.raises(ParameterError, match="is not fitted"):
        wrap_estimator(DecisionTreeClassifier(), ["red"])
    fitted = DecisionTreeClassifier(random_state=0).fit(rows().X, rows().y)
    with pytest.raises(ParameterError, match="does not say which features"):
        wrap_estimator(fitted)
    with pytest.raises(ParameterError, match="3 features are named; expected 2"):
        wrap_estimator(fitted, ["a", "b", "c"])
    named = DecisionTreeClassifier(random_state=0).fit(
        pd.DataFrame(rows().X, columns=["red", "nir"]), rows().y
    )
    assert wrap_estimator(named).features == ("red", "nir")
    with pytest.raises(MissingVariableError, match="another order"):
        wrap_estimator(named, ["nir", "red"])
    made = PixelwiseClassifier(wrap_estimator(named))(scene(0))
    np.testing.assert_array_equal(
        made.label, PixelwiseClassifier(wrap_estimator(fitted, ["red", "nir"]))(scene(0)).label
    )


def test_other_mistakes_of_a_fit():
    tiles = [scene(0)]
    for kwargs, text in (
        ({"n_pixels": 0}, "n_pixels=0"),
        ({"balance": "equal"}, "balance without n_pixels"),
        ({"group_band": 4}, "group_band=4, and y_pipeline makes crop"),
        ({"group_band": "crop"}, "y_pipeline makes no label"),
    ):
        with pytest.raises(ParameterError, match=text):
            training_rows(None, "crop", tiles, SAMPLER, **kwargs)
    with pytest.raises(MissingVariableError, match=r"the labels have no 'corp'.*did you mean 'crop'"):
        training_rows(None, "corp", tiles, SAMPLER)
    with pytest.raises(NotFrozenError):
        training_rows(MinMax(), "crop", tiles, SAMPLER)
    with pytest.raises(ParameterError, match="balance without labels"):
        training_rows(None, None, tiles, SAMPLER, 10, balance="equal")
    with pytest.raises(MissingVariableError, match=r"no column 'klass'.*did you mean"):
        import pandas as pd

        TrainingRows.from_table(pd.DataFrame({"red": [1.0], "class": [1], "group": [0]}), label="klass")


def test_the_pipeline_must_be_the_one_of_the_fit():
    from geotoolz.radiometry import BoxMean

    pipeline = BoxMean(1, bands=("red", "nir"))
    model = fit_pixelwise(
        TREE, pipeline, "crop", [scene(0)], SAMPLER, 200, adapter=ToPixelMajor(("red", "nir"))
    )
    model.require_pipeline(pipeline)
    with pytest.raises(ParameterError, match="the pipeline has the hash"):
        model.require_pipeline(BoxMean(2, bands=("red", "nir")))
    with pytest.raises(ParameterError, match=r"none \(no pipeline\)"):
        model.require_pipeline(None)
