"""Machine learning on pixels: scikit-learn on catalogs, with no-data, feature names and spatial rigour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from geotoolz.core import verb
from geotoolz.learn._accuracy import AccuracyReport, accuracy_report, write_report
from geotoolz.learn._accuracy_regression import RegressionReport, regression_report
from geotoolz.learn._active import ActiveSampler, ScoredChip
from geotoolz.learn._adapters import Adapter, FromPixelMajor, PixelTable, ToPixelMajor, ToTemporalPixelMajor
from geotoolz.learn._applicability import AreaOfApplicability
from geotoolz.learn._applicability_training import TrainingDissimilarity, training_dissimilarity
from geotoolz.learn._area_estimates import AreaEstimates, area_estimates
from geotoolz.learn._block_grid import block_ids
from geotoolz.learn._block_id import BlockID, compute_block_id
from geotoolz.learn._checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from geotoolz.learn._checkpoint_builders import build_network, register_framework
from geotoolz.learn._checkpoint_config import CheckpointConfig, CheckpointError, Normalisation
from geotoolz.learn._classifier import PixelwiseClassifier, PixelwiseClusterer
from geotoolz.learn._ensemble_models import Ensemble
from geotoolz.learn._explore import explore_chips
from geotoolz.learn._fit import ShortfallWarning, fit_pixelwise, training_rows
from geotoolz.learn._fit_rows import fit_rows
from geotoolz.learn._folds import BlockFolds, KMeansFolds, spatial_folds
from geotoolz.learn._folds_buffer import BufferedLeaveOneOut
from geotoolz.learn._folds_time import TemporalFolds
from geotoolz.learn._geochips import GeoChips
from geotoolz.learn._incremental import fit_pixelwise_incremental
from geotoolz.learn._instance import InstanceScores, boundary_iou, match_polygons
from geotoolz.learn._label_export import LabelTask, export_chips
from geotoolz.learn._label_export_stac import model_item
from geotoolz.learn._label_import import read_annotations
from geotoolz.learn._make import wrap_estimator
from geotoolz.learn._map_sample import mapped_areas, sample_map
from geotoolz.learn._model import FittedPixelModel, ModelInfo
from geotoolz.learn._model_op import ModelOp
from geotoolz.learn._nodata import NanPolicy
from geotoolz.learn._objects import WritePolygons
from geotoolz.learn._persist import ModelVersionWarning, load_model, read_info
from geotoolz.learn._postprocess import Postprocess
from geotoolz.learn._probabilities import PixelwiseProbabilities
from geotoolz.learn._read_nearest import ReadLabelNearest, read_label_nearest
from geotoolz.learn._receptive import ReceptiveField, measure_receptive_field
from geotoolz.learn._registry import ModelEntry, ModelRegistry
from geotoolz.learn._regressor import PixelwiseRegressor
from geotoolz.learn._scores import GroupsIgnoredWarning
from geotoolz.learn._seen import SeenPixelsWarning
from geotoolz.learn._segmentation import SegmentationModel
from geotoolz.learn._super_resolution import SuperResolutionModel
from geotoolz.learn._train_config import TrainConfig
from geotoolz.learn._train_errors import TrainingError
from geotoolz.learn._training import TrainingRows
from geotoolz.learn._transformer import PixelwiseAnomaly, PixelwiseTransformer

if TYPE_CHECKING:
    from geotoolz.learn._quantile_models import QuantileRegressors

    # not in __all__, for they need torch: a star import works without it
    from geotoolz.learn._train import TrainingRun as TrainingRun
    from geotoolz.learn._train import train as train
    from geotoolz.learn._train_finer import FinerNet as FinerNet
    from geotoolz.learn._unet import UNet as UNet

classify_pixels = verb(PixelwiseClassifier, "classify_pixels")
cluster_pixels = verb(PixelwiseClusterer, "cluster_pixels")
postprocess = verb(Postprocess, "postprocess")
predict_probabilities = verb(PixelwiseProbabilities, "predict_probabilities")
regress_pixels = verb(PixelwiseRegressor, "regress_pixels")
score_anomalies = verb(PixelwiseAnomaly, "score_anomalies")
transform_pixels = verb(PixelwiseTransformer, "transform_pixels")

__all__ = [
    "AccuracyReport",
    "ActiveSampler",
    "Adapter",
    "AreaEstimates",
    "AreaOfApplicability",
    "BlockFolds",
    "BlockID",
    "BufferedLeaveOneOut",
    "Checkpoint",
    "CheckpointConfig",
    "CheckpointError",
    "Ensemble",
    "FittedPixelModel",
    "FromPixelMajor",
    "GeoChips",
    "GroupsIgnoredWarning",
    "InstanceScores",
    "KMeansFolds",
    "LabelTask",
    "ModelEntry",
    "ModelInfo",
    "ModelOp",
    "ModelRegistry",
    "ModelVersionWarning",
    "NanPolicy",
    "Normalisation",
    "PixelTable",
    "PixelwiseAnomaly",
    "PixelwiseClassifier",
    "PixelwiseClusterer",
    "PixelwiseProbabilities",
    "PixelwiseRegressor",
    "PixelwiseTransformer",
    "Postprocess",
    "QuantileRegressors",
    "ReadLabelNearest",
    "ReceptiveField",
    "RegressionReport",
    "ScoredChip",
    "SeenPixelsWarning",
    "SegmentationModel",
    "ShortfallWarning",
    "SuperResolutionModel",
    "TemporalFolds",
    "ToPixelMajor",
    "ToTemporalPixelMajor",
    "TrainConfig",
    "TrainingDissimilarity",
    "TrainingError",
    "TrainingRows",
    "WritePolygons",
    "accuracy_report",
    "area_estimates",
    "block_ids",
    "boundary_iou",
    "build_network",
    "classify_pixels",
    "cluster_pixels",
    "compute_block_id",
    "explore_chips",
    "export_chips",
    "fit_pixelwise",
    "fit_pixelwise_incremental",
    "fit_rows",
    "load_checkpoint",
    "load_model",
    "mapped_areas",
    "match_polygons",
    "measure_receptive_field",
    "model_item",
    "postprocess",
    "predict_probabilities",
    "read_annotations",
    "read_info",
    "read_label_nearest",
    "register_framework",
    "regress_pixels",
    "regression_report",
    "sample_map",
    "save_checkpoint",
    "score_anomalies",
    "spatial_folds",
    "training_dissimilarity",
    "training_rows",
    "transform_pixels",
    "wrap_estimator",
    "write_report",
]

# They import scikit-learn's base classes, or torch, which take seconds and may not be installed.
_LAZY = {
    "QuantileRegressors": "geotoolz.learn._quantile_models",
    "FinerNet": "geotoolz.learn._train_finer",
    "TrainingRun": "geotoolz.learn._train",
    "UNet": "geotoolz.learn._unet",
    "train": "geotoolz.learn._train",
}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Import a name that is heavy when it is first asked for."""
        from geotoolz.learn._torch_import import lazy_name

        if name not in _LAZY:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = lazy_name(_LAZY[name], name)
        globals()[name] = value
        return value
