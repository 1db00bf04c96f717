"""QuantileRegressors: one regressor per quantile, as one estimator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin, clone

from geotoolz.core import ParameterError
from geotoolz.learn._regressor import quantile_name

Array = np.ndarray[Any, Any]


class QuantileRegressors(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A regressor fitted once per quantile of the target: intervals that hold what they promise.

    `PixelwiseRegressor` writes a variable per quantile: ``agb_q05``, ``agb_q50``, ``agb_q95``. Quantiles that
    were fitted apart may cross; what is predicted is sorted, which never makes it worse.

    Parameters
    ----------
    estimator : object
        A regressor of quantiles: its parameter ``quantile`` (HistGradientBoostingRegressor,
        QuantileRegressor) or ``alpha`` (GradientBoostingRegressor, lightgbm) is set, and its loss is made the
        quantile's.
    quantiles : sequence of float
        In ascending order, between 0 and 1.

    Attributes
    ----------
    estimators_ : list
        One fitted regressor per quantile.

    References
    ----------
    Koenker, R., Bassett, G. (1978). Regression quantiles. Econometrica 46, 33–50. Chernozhukov, V.,
    Fernández-Val, I., Galichon, A. (2010). Quantile and probability curves without crossing. Econometrica 78,
    1093–1125.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.ensemble import HistGradientBoostingRegressor
    >>> X = np.linspace(0, 1, 400)[:, None]
    >>> y = X[:, 0] + np.tile([-0.1, 0.1], 200)
    >>> model = QuantileRegressors(HistGradientBoostingRegressor(max_iter=20), [0.1, 0.9]).fit(X, y)
    >>> model.predict(X).shape
    (400, 2)
    """

    def __init__(self, estimator: Any = None, quantiles: Sequence[float] = (0.05, 0.5, 0.95)) -> None:
        self.estimator = estimator
        self.quantiles = quantiles

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> QuantileRegressors:
        """Fit a clone per quantile.

        Parameters
        ----------
        X, y : array_like
            Rows and their values.
        sample_weight : array_like, optional
            Weights.

        Returns
        -------
        QuantileRegressors
            Itself.
        """
        quantiles = [float(q) for q in self.quantiles]
        if not quantiles or quantiles != sorted(set(quantiles)) or not 0 < quantiles[0] <= quantiles[-1] < 1:
            raise ParameterError(f"quantiles={self.quantiles}", expected="ascending, between 0 and 1")
        extra = {} if sample_weight is None else {"sample_weight": sample_weight}
        self.estimators_ = [_for_quantile(self.estimator, q).fit(X, y, **extra) for q in quantiles]
        self.n_features_in_ = self.estimators_[0].n_features_in_
        return self

    def predict(self, X: Any) -> Array:
        """Return ``(rows, quantiles)``, ascending in every row."""
        found = np.column_stack([one.predict(X) for one in self.estimators_])
        found.sort(axis=1)
        return found

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the mean pinball loss of all quantiles with its sign changed: larger is better."""
        from sklearn.metrics import mean_pinball_loss

        found = self.predict(X)
        losses = [
            mean_pinball_loss(y, found[:, k], sample_weight=sample_weight, alpha=q)
            for k, q in enumerate(self.quantiles)
        ]
        return -float(np.mean(losses))

    def target_names(self, target: str) -> list[str]:
        """Return a name per quantile."""
        return [f"{target}_{quantile_name(float(q))}" for q in self.quantiles]

    def exact_members(self) -> list[Any]:
        """Return the regressors, whose predictions are only sorted."""
        return list(self.estimators_)

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import get_tags

        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = get_tags(self.estimator).input_tags.allow_nan
        tags.target_tags.multi_output = False
        return tags


def _for_quantile(estimator: Any, quantile: float) -> Any:
    """Return an unfitted regressor of one quantile."""
    params = estimator.get_params(deep=False) if hasattr(estimator, "get_params") else {}
    gradient = type(estimator).__name__ == "GradientBoostingRegressor"
    name = "quantile" if "quantile" in params else "alpha" if gradient or "objective" in params else None
    if name is None:
        raise ParameterError(
            f"{type(estimator).__name__} has no parameter for the quantile",
            expected="HistGradientBoostingRegressor, GradientBoostingRegressor, QuantileRegressor, lightgbm",
        )
    chosen: dict[str, Any] = {name: quantile}
    if "loss" in params:
        chosen["loss"] = "quantile"
    if "objective" in params:
        chosen["objective"] = "quantile"
    return clone(estimator).set_params(**chosen)
