"""Metrics against scikit-learn, SciPy and NumPy in float64 (or exact fractions)."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import xarray as xr

from geotoolz.core.testing import Reference, ReferenceSuite, contract_tile
from geotoolz.metrics import (
    MAE,
    R2,
    RMSE,
    Bias,
    ConfusionMatrix,
    CrossEntropy,
    Histogram,
    IoU,
    KLDivergence,
    MeanScalar,
    SummaryStats,
)

sklearn = pytest.importorskip("sklearn.metrics")


def pair(seed: int = 0, shape: tuple[int, int] = (73, 91)) -> xr.Dataset:
    """Return a tile with two bands of reflectance (float32 and scaled uint16), and no-data in both."""
    rng = np.random.default_rng(seed)
    ds = contract_tile(shape)[["red"]]
    truth = rng.gamma(2, 0.1, shape)
    predicted = (truth + rng.normal(0.01, 0.05, shape)).astype("f4")
    predicted[rng.random(shape) < 0.1] = np.nan
    numbers = np.round(truth * 1e4).astype("u2")
    numbers[rng.random(shape) < 0.1] = 0
    ds["predicted"] = ds.red.dims, predicted
    ds["truth"] = ds.red.dims, numbers, {"_FillValue": 0}
    return ds


def valid(ds: xr.Dataset) -> tuple[Any, Any]:
    keep = np.isfinite(ds.predicted.values) & (ds.truth.values != 0)
    return ds.predicted.values[keep].astype("f8"), ds.truth.values[keep].astype("f8")


def rmse() -> float:
    ds = pair()
    said, true = valid(ds)
    return abs(RMSE()(ds) - sklearn.root_mean_squared_error(true, said))


def mae() -> float:
    ds = pair()
    said, true = valid(ds)
    return abs(MAE()(ds) - sklearn.mean_absolute_error(true, said))


def bias() -> float:
    ds = pair()
    said, true = valid(ds)
    total = sum((Fraction(d) for d in (said - true).tolist()), Fraction(0))
    return abs(Bias()(ds) - float(total / said.size))


def r2() -> float:
    ds = pair()
    ds["predicted"] = ds.predicted * 1e4
    said, true = valid(ds)
    return abs(R2()(ds) - sklearn.r2_score(true, said))


def classes(seed: int = 0) -> tuple[xr.Dataset, Any, Any]:
    rng = np.random.default_rng(seed)
    ds = contract_tile((61, 47))[["red"]]
    truth = rng.integers(1, 6, (61, 47)).astype("u1")
    said = np.where(rng.random((61, 47)) < 0.7, truth, rng.integers(1, 6, (61, 47))).astype("i2")
    said[rng.random((61, 47)) < 0.1] = -9
    ds["truth"] = ds.red.dims, truth
    ds["predicted"] = ds.red.dims, said, {"_FillValue": -9}
    return ds, said[said != -9], truth[said != -9]


def confusion() -> float:
    ds, said, true = classes()
    found = ConfusionMatrix()(ds)
    off = np.abs(found.to_array() - sklearn.confusion_matrix(true, said)).sum()
    expected = (
        (found.overall_accuracy, sklearn.accuracy_score(true, said)),
        (found.kappa, sklearn.cohen_kappa_score(true, said)),
        (found.producers_accuracy, sklearn.recall_score(true, said, average=None)),
        (found.users_accuracy, sklearn.precision_score(true, said, average=None)),
        (found.f1, sklearn.f1_score(true, said, average=None)),
        (found.iou, sklearn.jaccard_score(true, said, average=None)),
        (found.mean_iou, sklearn.jaccard_score(true, said, average="macro")),
        (found.mean_f1, sklearn.f1_score(true, said, average="macro")),
    )
    return float(off + max(np.abs(np.subtract(*one)).max() for one in expected))


def iou() -> float:
    ds, said, true = classes()
    found = IoU(positive=3)(ds)
    a, b = said == 3, true == 3
    expected = (
        (found.iou, sklearn.jaccard_score(b, a)),
        (found.f1, sklearn.f1_score(b, a)),
        (found.precision, sklearn.precision_score(b, a)),
        (found.recall, sklearn.recall_score(b, a)),
    )
    return max(abs(x - y) for x, y in expected)


def probabilities(seed: int = 0, count: int = 4) -> tuple[xr.Dataset, Any, Any, Any]:
    rng = np.random.default_rng(seed)
    ds = contract_tile((53, 41))[["red"]]
    parts = {name: rng.dirichlet(np.ones(count), (53, 41)) for name in "pt"}
    for name, values in parts.items():
        for i in range(count):
            ds[f"{name}{i}"] = ds.red.dims, values[..., i]
    truth = rng.integers(0, count, (53, 41)).astype("u1")
    ds["truth"] = ds.red.dims, truth
    return ds, parts["p"], parts["t"], truth


def cross_entropy() -> float:
    ds, p, _, truth = probabilities()
    several = CrossEntropy(tuple(f"p{i}" for i in range(4)))(ds)
    off = abs(several - sklearn.log_loss(truth.ravel(), p.reshape(-1, 4)))
    ds["mask"] = ds.truth > 1
    two = CrossEntropy("p0", "mask")(ds)
    return max(off, abs(two - sklearn.log_loss(ds.mask.values.ravel(), p[..., 0].ravel())))


def kl() -> float:
    from scipy.stats import entropy

    ds, p, t, _ = probabilities()
    found = KLDivergence(tuple(f"p{i}" for i in range(4)), tuple(f"t{i}" for i in range(4)))(ds)
    return abs(found - entropy(t, p, axis=-1).mean())


def summary() -> float:
    ds = pair()
    said = ds.predicted.values[np.isfinite(ds.predicted.values)].astype("f8")
    found = SummaryStats(("predicted",))(ds)["predicted"]
    expected = (said.min(), said.max(), said.mean(), said.std())
    return max(
        abs(a - b) for a, b in zip((found.low, found.high, found.mean, found.std), expected, strict=True)
    )


def histogram() -> float:
    ds = pair()
    off = 0
    for limits in (None, (0.0, 0.5)):
        said = ds.predicted.values[np.isfinite(ds.predicted.values)].astype("f8")
        counts, edges = np.histogram(said, 97, limits)
        found = Histogram("predicted", 97, limits)(ds)
        off += int(np.abs(counts - found.counts).sum()) + (found.edges != tuple(edges.tolist()))
        off += found.below + found.above + found.n != said.size
    return float(off)


def mean() -> float:
    ds = pair()
    return abs(MeanScalar("truth")(ds) - math.fsum(valid_truth(ds)) / len(valid_truth(ds)))


def valid_truth(ds: xr.Dataset) -> Any:
    return ds.truth.values[ds.truth.values != 0].astype("f8")


SK = "scikit-learn 1.9, sklearn.metrics"


class TestMetricsReferences(ReferenceSuite):
    module = "geotoolz.metrics"
    references = (
        Reference(RMSE, f"{SK}.root_mean_squared_error", rmse, 1e-11, "unit of the band",
                  bad_input="test_metrics.py::test_bad_pairs_are_refused"),
        Reference(MAE, f"{SK}.mean_absolute_error", mae, 1e-11, "unit of the band",
                  bad_input="test_metrics.py::test_bad_pairs_are_refused"),
        Reference(Bias, "Python's fractions, rounded once", bias, 0.0, "unit of the band",
                  bad_input="test_metrics.py::test_bad_pairs_are_refused"),
        Reference(R2, f"{SK}.r2_score", r2, 1e-13, "1",
                  bad_input="test_metrics.py::test_bad_pairs_are_refused"),
        Reference(ConfusionMatrix,
                  f"{SK}: confusion_matrix, accuracy, kappa, recall, precision, f1, jaccard scores",
                  confusion, 1e-15, "1", bad_input="test_metrics.py::test_classes_out_of_range_are_refused"),
        Reference(IoU, f"{SK}: jaccard, f1, precision, recall scores", iou, 1e-15, "1",
                  bad_input="test_metrics.py::test_measurements_are_no_classes_and_refused"),
        Reference(CrossEntropy, f"{SK}.log_loss", cross_entropy, 1e-13, "nat",
                  bad_input="test_metrics.py::test_bad_probabilities_are_refused"),
        Reference(KLDivergence, "scipy.stats.entropy", kl, 1e-13, "nat",
                  bad_input="test_metrics.py::test_bad_probabilities_are_refused"),
        Reference(SummaryStats, "numpy min, max, mean, std in float64", summary, 1e-14, "unit of the band",
                  bad_input="test_metrics.py::test_unknown_variables_are_refused"),
        Reference(Histogram, "numpy.histogram", histogram, 0.0, "pixels that differ",
                  bad_input="test_metrics.py::test_bad_bins_are_refused"),
        Reference(MeanScalar, "math.fsum", mean, 0.0, "unit of the band",
                  bad_input="test_metrics.py::test_unknown_variables_are_refused"),
    )  # fmt: skip
