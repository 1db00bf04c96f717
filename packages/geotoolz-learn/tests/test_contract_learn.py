"""The contract of `geotoolz.learn`."""

from __future__ import annotations

from functools import partial

import numpy as np
import rasterio
from affine import Affine
from gtz_learn import forest, regression_forest, rows
from sklearn.ensemble import IsolationForest
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.tree import DecisionTreeClassifier

from geotoolz.core.testing import ContractSuite, case, contract_tile
from geotoolz.learn import (
    PixelwiseAnomaly,
    PixelwiseClassifier,
    PixelwiseClusterer,
    PixelwiseProbabilities,
    PixelwiseRegressor,
    PixelwiseTransformer,
    ReadLabelNearest,
    ToTemporalPixelMajor,
    TrainingRows,
    fit_rows,
)

PARTS = {
    "WritePolygons": "test_contract_segmentation.py",
    "Postprocess": "test_contract_segmentation.py",
    "ActiveSampler": "a sampler, no step; test_active.py",
    "Ensemble": "test_torch_contract.py",
    "ModelOp": "test_torch_contract.py",
    "AreaOfApplicability": "test_contract_spatial.py",
    "BlockID": "test_contract_spatial.py",
    "FromPixelMajor": "turns rows into a tile, no step; test_adapters.py",
    "NanPolicy": "a parameter of a fit, no step; test_adapters.py, test_fit.py",
    "ToPixelMajor": "a parameter of a fit, no step; test_adapters.py",
    "ToTemporalPixelMajor": "a parameter of a fit, no step; test_adapters.py",
}


def small(shape=(14, 16), **more):
    """Return a tile on which a forest's many small calls do not take minutes."""
    return contract_tile(shape, **more)


def saved(model, folder, name="model.gtz"):
    return model.save(folder / name)


def _unsupervised(estimator):
    given = rows()
    return fit_rows(estimator, TrainingRows(X=given.X, features=given.features))


def _clusters():
    """A clusterer that compares and adds in a fixed order, so that the law holds for it."""
    from gtz_clusters import NearestOfTwo

    return _unsupervised(NearestOfTwo())


def _temporal(folder):
    rng = np.random.default_rng(0)
    X = rng.random((80, 6)).astype(np.float32)
    features = tuple(f"{b}_{k}" for b in ("red", "nir") for k in range(3))
    made = TrainingRows(X=X, features=features, y=(X[:, 3] > 0.5).astype(int))
    return fit_rows(
        DecisionTreeClassifier(), made, adapter=ToTemporalPixelMajor("features", ("red", "nir"))
    ).save(folder / "temporal.gtz")


def _labels(folder):
    path = folder / "labels.tif"
    profile = {"driver": "GTiff", "height": 9, "width": 12, "count": 1, "dtype": "uint8", "nodata": 255}
    with rasterio.open(
        path, "w", crs="EPSG:4326", transform=Affine(2e-5, 0, 14.9998, 0, -2e-5, 46.0534), **profile
    ) as dst:
        dst.write(np.random.default_rng(0).integers(0, 4, (1, 9, 12), np.uint8))
    return str(path)


class TestContractLearn(ContractSuite):
    module = "geotoolz.learn"
    exempt = {**PARTS}
    cases = (
        case(lambda f: PixelwiseClassifier(saved(forest(2), f)), cls=PixelwiseClassifier),
        case(
            lambda f: PixelwiseClassifier(
                saved(fit_rows(make_pipeline(SimpleImputer(), DecisionTreeClassifier()), rows()), f),
                "propagate",
                name="crop",
                dtype="int16",
                fill=-1,
            ),
            cls=PixelwiseClassifier,
        ),
        case(
            lambda f: PixelwiseProbabilities(
                saved(forest(2), f), uncertainty=("entropy", "margin", "variance")
            ),
            small,
            cls=PixelwiseProbabilities,
        ),
        case(
            lambda f: PixelwiseRegressor(
                saved(regression_forest(1, 2), f), quantiles=(0.05, 0.5), variance=True
            ),
            small,
            cls=PixelwiseRegressor,
        ),
        case(
            lambda f: PixelwiseTransformer(saved(_unsupervised(MinMaxScaler()), f)), cls=PixelwiseTransformer
        ),
        case(
            lambda f: PixelwiseClusterer(saved(_clusters(), f), trusted=("gtz_clusters.NearestOfTwo",)),
            cls=PixelwiseClusterer,
        ),
        case(
            lambda f: PixelwiseAnomaly(
                saved(_unsupervised(IsolationForest(n_estimators=2, random_state=0)), f), flag="odd"
            ),
            small,
            cls=PixelwiseAnomaly,
        ),
        case(
            lambda f: PixelwiseClassifier(_temporal(f)),
            partial(small, times=3),
            cls=PixelwiseClassifier,
            skip={"stack_equals_dates": "dates are features"},
        ),
        case(
            lambda f: ReadLabelNearest(_labels(f)),
            small,
            cls=ReadLabelNearest,
            skip={"nodata_honoured": "labels do not depend on the bands"},
        ),
    )
