"""Estimators of our own, which skops does not know."""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator, ClusterMixin


class NearestOfTwo(ClusterMixin, BaseEstimator):
    """Two clusters: below and above the median of the first feature."""

    n_clusters = 2

    def fit(self, X, y=None):
        self.middle_ = float(np.median(X[:, 0]))
        return self

    def predict(self, X):
        return (X[:, 0] > self.middle_).astype(np.int64)
