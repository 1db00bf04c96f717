"""What the operators of this package are compared with."""

from __future__ import annotations

import numpy as np
import rasterio
from gtz_learn import forest, regression_forest, rows, scene, valid_of
from pyproj import Transformer
from rasterio.warp import Resampling, reproject
from scipy.stats import entropy
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest

from geotoolz.core import geobox_of
from geotoolz.core.testing import Reference, ReferenceSuite
from geotoolz.learn import (
    PixelwiseAnomaly,
    PixelwiseClassifier,
    PixelwiseClusterer,
    PixelwiseProbabilities,
    PixelwiseRegressor,
    PixelwiseTransformer,
    ReadLabelNearest,
    TrainingRows,
    fit_rows,
)

EXEMPT = {
    "WritePolygons": "geotoolz.vector.vectorize computes it; test_postprocess_objects.py",
    "Postprocess": "test_contract_segmentation.py",
    "ActiveSampler": "chooses chips, computes nothing; test_active.py",
    "Ensemble": "test_torch_contract.py",
    "ModelOp": "test_torch_contract.py",
    "AreaOfApplicability": "test_contract_spatial.py",
    "BlockID": "test_contract_spatial.py",
    "FromPixelMajor": "moves rows, computes nothing",
    "NanPolicy": "a parameter",
    "ToPixelMajor": "moves pixels, computes nothing",
    "ToTemporalPixelMajor": "moves pixels, computes nothing",
}


def _table():
    tile = scene()
    keep = valid_of(tile, "red", "nir")
    return tile, keep, np.stack([tile[n].values[keep] for n in ("red", "nir")], axis=1)


def _plain():
    given = rows()
    return TrainingRows(X=given.X, features=given.features)


def _classes() -> float:
    tile, keep, X = _table()
    names = np.array(["", "crop", "water", "wood"])
    made = PixelwiseClassifier(forest())(tile).label.values
    return float((names[made[keep]] != forest().estimator.predict(X)).sum() + (made[~keep] != 255).sum())


def _clusters() -> float:
    tile, keep, X = _table()
    model = fit_rows(KMeans(4, random_state=0), _plain())
    return float((PixelwiseClusterer(model)(tile).cluster.values[keep] != model.estimator.predict(X)).sum())


def _probabilities() -> float:
    tile, keep, X = _table()
    made = PixelwiseProbabilities(forest(), uncertainty="entropy")(tile)
    proba = forest().estimator.predict_proba(X)
    each = np.stack([made[f"probability_{n}"].values[keep] for n in ("crop", "water", "wood")], axis=1)
    return float(
        max(np.abs(each - proba).max(), np.abs(made.entropy.values[keep] - entropy(proba, axis=1)).max())
    )


def _values() -> float:
    tile, keep, X = _table()
    made = PixelwiseRegressor(regression_forest())(tile).agb.values
    return float(np.abs(made[keep] - regression_forest().estimator.predict(X)).max())


def _components() -> float:
    tile, keep, X = _table()
    model = fit_rows(PCA(2), _plain())
    made = PixelwiseTransformer(model)(tile)
    centred = X.astype(np.float64) - model.estimator.mean_
    expected = centred @ np.linalg.svd(_plain().X - model.estimator.mean_, full_matrices=False)[2].T
    found = np.stack([made[n].values[keep] for n in ("pca0", "pca1")], axis=1)
    return float(np.abs(np.abs(found) - np.abs(expected)).max())  # up to the sign of an axis


def _strangeness() -> float:
    tile, keep, X = _table()
    model = fit_rows(IsolationForest(n_estimators=20), _plain())
    made = PixelwiseAnomaly(model)(tile).anomaly_score.values
    return float(np.abs(made[keep] + model.estimator.score_samples(X)).max())


def _nearest() -> float:
    """Return how many labels differ from GDAL's nearest neighbour, from another zone and pixel size."""
    import tempfile
    from pathlib import Path

    from affine import Affine

    tile = scene(shape=(40, 50))
    values = np.random.default_rng(0).integers(0, 9, (60, 70)).astype(np.uint8)
    x, y = Transformer.from_crs(32633, 32632, always_xy=True).transform(500_250, 5_099_800)
    place = Affine(30, 0, round(x) - 700, 0, -30, round(y) + 400)  # its edge runs through the tile
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "labels.tif")
        profile = {"driver": "GTiff", "height": 60, "width": 70, "count": 1, "dtype": "uint8", "nodata": 255}
        with rasterio.open(path, "w", crs="EPSG:32632", transform=place, **profile) as dst:
            dst.write(values, 1)
        found = ReadLabelNearest(path)(tile).label.values
    expected = np.full((40, 50), 255, np.uint8)
    reproject(
        values, expected, src_transform=place, src_crs="EPSG:32632", dst_transform=geobox_of(tile).affine,
        dst_crs="EPSG:32633", dst_nodata=255, resampling=Resampling.nearest, tolerance=0,
    )  # fmt: skip
    return float((found != expected).sum()) + float((expected == 255).mean() > 0.5)


class TestReferencesLearn(ReferenceSuite):
    module = "geotoolz.learn"
    exempt = EXEMPT
    references = (
        Reference(
            PixelwiseClassifier, "scikit-learn's own predict, random forest", _classes, 0.0,
            "pixels that differ", "test_bad_input.py::test_codes_that_do_not_fit",
        ),
        Reference(
            PixelwiseClusterer, "scikit-learn's own predict, k-means", _clusters, 0.0,
            "pixels that differ", "test_bad_input.py::test_the_wrong_operator_for_a_model",
        ),
        Reference(
            PixelwiseProbabilities, "scikit-learn's predict_proba; scipy.stats.entropy", _probabilities, 2e-7,
            "1", "test_bad_input.py::test_the_wrong_operator_for_a_model",
        ),
        Reference(
            PixelwiseRegressor, "scikit-learn's own predict, random forest, values to 100", _values, 5e-6,
            "1", "test_bad_input.py::test_the_wrong_operator_for_a_model",
        ),
        Reference(
            PixelwiseTransformer, "singular vectors of NumPy, float64", _components, 2e-6,
            "1", "test_bad_input.py::test_the_wrong_operator_for_a_model",
        ),
        Reference(
            PixelwiseAnomaly, "scikit-learn's score_samples, isolation forest", _strangeness, 1e-7,
            "1", "test_bad_input.py::test_the_wrong_operator_for_a_model",
        ),
        Reference(
            ReadLabelNearest, "GDAL's nearest neighbour, another zone and pixel size", _nearest, 0.0,
            "pixels that differ", "test_bad_input.py::test_nearest_labels_of_other_zones_and_outside",
        ),
    )  # fmt: skip
