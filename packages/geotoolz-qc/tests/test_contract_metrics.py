"""Every metric keeps the contract."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from geotoolz.core.testing import ContractSuite, case, contract_tile
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


def with_probabilities(shape: tuple[int, int] = (37, 53), **options: Any) -> xr.Dataset:
    """Return the contract tile with three probabilities that add up to one, twice, and with no-data."""
    ds = contract_tile(shape, **options)
    full = ds.red.shape
    rng = np.random.default_rng(sum(full))
    attrs = {"quantity": "mask", "_FillValue": -1.0}
    for name in "pt":
        parts = rng.dirichlet(np.ones(3), full).astype("f4")
        parts[rng.random(full) < 0.1] = -1
        for i in range(3):
            ds[f"{name}{i}"] = ds.red.dims, parts[..., i], attrs
    return ds


class TestMetricsContract(ContractSuite):
    module = "geotoolz.metrics"
    cases = (
        case(RMSE("red", "nir")),
        case(RMSE("B04", "foreign")),
        case(MAE("red", "nir")),
        case(Bias("foreign", "nir")),
        case(R2("red", "nir")),
        case(ConfusionMatrix("foreign_flag", "scl")),
        case(ConfusionMatrix("qa60", "qa_pixel")),
        case(ConfusionMatrix("foreign_flag", "mask", classes=(2, 1, 0))),
        case(IoU("mask", "foreign_flag", positive=1)),
        case(CrossEntropy(("p0", "p1", "p2"), "foreign_flag"), with_probabilities),
        case(CrossEntropy("p1", "mask"), with_probabilities),
        case(KLDivergence(("p0", "p1", "p2"), ("t0", "t1", "t2")), with_probabilities),
        case(KLDivergence("p0", "t0"), with_probabilities),
        case(SummaryStats()),
        case(SummaryStats(("foreign", "B08"))),
        case(Histogram("nir", 10)),
        case(Histogram("foreign", 7, (-50, 50))),
        case(MeanScalar("red")),
    )
