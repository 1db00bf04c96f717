"""How far two rasters or two maps are apart, and what a tile's values are like."""

from __future__ import annotations

from geotoolz.metrics._compare import Comparison, compare
from geotoolz.metrics._confusion import ConfusionMatrix
from geotoolz.metrics._confusion_counts import ConfusionCounts
from geotoolz.metrics._histogram import Histogram, HistogramCounts
from geotoolz.metrics._iou import IoU, Overlap
from geotoolz.metrics._probabilities import CrossEntropy, KLDivergence
from geotoolz.metrics._result import Score
from geotoolz.metrics._scores import MAE, R2, RMSE, Bias
from geotoolz.metrics._summary import BandSummary, MeanScalar, SummaryStats

__all__ = [
    "MAE",
    "R2",
    "RMSE",
    "BandSummary",
    "Bias",
    "Comparison",
    "ConfusionCounts",
    "ConfusionMatrix",
    "CrossEntropy",
    "Histogram",
    "HistogramCounts",
    "IoU",
    "KLDivergence",
    "MeanScalar",
    "Overlap",
    "Score",
    "SummaryStats",
    "compare",
]
