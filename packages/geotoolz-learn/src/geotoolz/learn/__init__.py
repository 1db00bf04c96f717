"""Machine learning on pixels: scikit-learn on catalogs, with no-data, feature names and spatial rigour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from geotoolz.core import verb
from geotoolz.learn._accuracy import AccuracyReport, accuracy_report, write_report
from geotoolz.learn._accuracy_regression import RegressionReport, regression_report
from geotoolz.learn._adapters import Adapter, FromPixelMajor, PixelTable, ToPixelMajor, ToTemporalPixelMajor
from geotoolz.learn._applicability import AreaOfApplicability
from geotoolz.learn._applicability_training import TrainingDissimilarity, training_dissimilarity
from geotoolz.learn._area_estimates import AreaEstimates, area_estimates
from geotoolz.learn._block_grid import block_ids
from geotoolz.learn._block_id import BlockID, compute_block_id
from geotoolz.learn._classifier import PixelwiseClassifier, PixelwiseClusterer
from geotoolz.learn._fit import ShortfallWarning, fit_pixelwise, training_rows
from geotoolz.learn._fit_rows import fit_rows
from geotoolz.learn._folds import BlockFolds, KMeansFolds, spatial_folds
from geotoolz.learn._folds_buffer import BufferedLeaveOneOut
from geotoolz.learn._folds_time import TemporalFolds
from geotoolz.learn._incremental import fit_pixelwise_incremental
from geotoolz.learn._make import wrap_estimator
from geotoolz.learn._map_sample import mapped_areas, sample_map
from geotoolz.learn._model import FittedPixelModel, ModelInfo
from geotoolz.learn._nodata import NanPolicy
from geotoolz.learn._persist import ModelVersionWarning, load_model, read_info
from geotoolz.learn._probabilities import PixelwiseProbabilities
from geotoolz.learn._read_nearest import ReadLabelNearest, read_label_nearest
from geotoolz.learn._registry import ModelEntry, ModelRegistry
from geotoolz.learn._regressor import PixelwiseRegressor
from geotoolz.learn._scores import GroupsIgnoredWarning
from geotoolz.learn._training import TrainingRows
from geotoolz.learn._transformer import PixelwiseAnomaly, PixelwiseTransformer

if TYPE_CHECKING:
    from geotoolz.learn._quantile_models import QuantileRegressors

classify_pixels = verb(PixelwiseClassifier, "classify_pixels")
cluster_pixels = verb(PixelwiseClusterer, "cluster_pixels")
predict_probabilities = verb(PixelwiseProbabilities, "predict_probabilities")
regress_pixels = verb(PixelwiseRegressor, "regress_pixels")
score_anomalies = verb(PixelwiseAnomaly, "score_anomalies")
transform_pixels = verb(PixelwiseTransformer, "transform_pixels")

__all__ = [
    "AccuracyReport",
    "Adapter",
    "AreaEstimates",
    "AreaOfApplicability",
    "BlockFolds",
    "BlockID",
    "BufferedLeaveOneOut",
    "FittedPixelModel",
    "FromPixelMajor",
    "GroupsIgnoredWarning",
    "KMeansFolds",
    "ModelEntry",
    "ModelInfo",
    "ModelRegistry",
    "ModelVersionWarning",
    "NanPolicy",
    "PixelTable",
    "PixelwiseAnomaly",
    "PixelwiseClassifier",
    "PixelwiseClusterer",
    "PixelwiseProbabilities",
    "PixelwiseRegressor",
    "PixelwiseTransformer",
    "QuantileRegressors",
    "ReadLabelNearest",
    "RegressionReport",
    "ShortfallWarning",
    "TemporalFolds",
    "ToPixelMajor",
    "ToTemporalPixelMajor",
    "TrainingDissimilarity",
    "TrainingRows",
    "accuracy_report",
    "area_estimates",
    "block_ids",
    "classify_pixels",
    "cluster_pixels",
    "compute_block_id",
    "fit_pixelwise",
    "fit_pixelwise_incremental",
    "fit_rows",
    "load_model",
    "mapped_areas",
    "predict_probabilities",
    "read_info",
    "read_label_nearest",
    "regress_pixels",
    "regression_report",
    "sample_map",
    "score_anomalies",
    "spatial_folds",
    "training_dissimilarity",
    "training_rows",
    "transform_pixels",
    "wrap_estimator",
    "write_report",
]

# Its base classes come with scikit-learn, which takes a second to import.
_LAZY = {"QuantileRegressors": "geotoolz.learn._quantile_models"}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Import a name that is heavy when it is first asked for."""
        import importlib

        if name not in _LAZY:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(_LAZY[name]), name)
        globals()[name] = value
        return value
