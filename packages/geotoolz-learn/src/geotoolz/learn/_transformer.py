"""PixelwiseTransformer and PixelwiseAnomaly: components, and strangeness, of every pixel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np

from geotoolz.core import VarSpec
from geotoolz.learn._classes import flag_attrs
from geotoolz.learn._computes import Strangeness, Values
from geotoolz.learn._model import ModelInfo
from geotoolz.learn._pixelwise import Pixelwise
from geotoolz.learn._predict import Compute
from geotoolz.learn._regressor import renamed


class PixelwiseTransformer(Pixelwise):
    """What a fitted transformer makes of every pixel: principal components, scaled features.

    Adds a variable per component, NaN for pixels without data. Features are found by name.

    Parameters
    ----------
    model : FittedPixelModel, Ref or path
        The model. One in memory cannot stand in a configuration; ``model.save(path)`` gives the `Ref`.
    nodata : {"mask", "propagate", "raise"}
        Pixels that lack a feature get NaN; or are handed to the estimator with NaN, which must take it; or
        are an error.
    adapter : Adapter, optional
        Must be the model's own; another one is refused.
    trusted : sequence of str
        Types that the model's file may hold besides those that skops trusts.
    trust : bool
        Load a model whose estimator is a pickle.
    other_versions : {"raise", "warn"}
        What to do where the estimator's library has another version than at fitting.
    names : sequence of str, optional
        Names of the new variables; by default those that the estimator gives (``pca0``, ``pca1``, …).
    dtype : {"float32", "float64"}
        Type of what is written.

    Raises
    ------
    MissingVariableError, QuantityError, ParameterError, ReadError
        As `PixelwiseRegressor`.

    Notes
    -----
    Principal components are sums by BLAS, and `approximate`.

    Examples
    --------
    >>> from sklearn.decomposition import PCA
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.learn import PixelwiseTransformer, TrainingRows, fit_rows
    >>> rows = TrainingRows(X=[[0.1, 0.3], [0.2, 0.1], [0.7, 0.9]], features=("red", "nir"))
    >>> op = PixelwiseTransformer(fit_rows(PCA(1), rows))
    >>> list(op(simulate_scene((8, 8), bands=("red", "nir"))).data_vars)
    ['red', 'nir', 'pca0']
    """

    kinds: ClassVar[tuple[str, ...]] = ("transformer",)
    method: ClassVar[str] = "transform"

    names: tuple[str, ...] | None = None
    dtype: Literal["float32", "float64"] = "float32"

    def prepare(self, values: dict[str, Any]) -> dict[str, Any]:
        """Accept one name."""
        if isinstance(values["names"], str):
            values = {**values, "names": (values["names"],)}
        return super().prepare(values)

    def outputs(self, info: ModelInfo, dims: tuple[str, ...]) -> Mapping[str, VarSpec]:
        """Return a variable per component."""
        names = renamed(self.names, info.targets, type(self).__name__)
        return {
            name: VarSpec(dims, np.dtype(self.dtype), np.nan, {"long_name": target})
            for name, target in zip(names, info.targets, strict=True)
        }

    def computation(self, info: ModelInfo) -> Compute:
        """Return what is computed of rows."""
        return Values()


class PixelwiseAnomaly(Pixelwise):
    """How strange every pixel is to an anomaly detector.

    Adds a float32 score, larger for stranger pixels (``-score_samples``: an isolation forest's is between 0
    and 1), NaN for pixels without data; and, where it is asked for, what the detector calls an anomaly.

    Parameters
    ----------
    model : FittedPixelModel, Ref or path
        The model. One in memory cannot stand in a configuration; ``model.save(path)`` gives the `Ref`.
    nodata : {"mask", "propagate", "raise"}
        Pixels that lack a feature get no-data; or are handed to the estimator with NaN, which must take it;
        or are an error.
    adapter : Adapter, optional
        Must be the model's own; another one is refused.
    trusted : sequence of str
        Types that the model's file may hold besides those that skops trusts.
    trust : bool
        Load a model whose estimator is a pickle.
    other_versions : {"raise", "warn"}
        What to do where the estimator's library has another version than at fitting.
    name : str
        The score.
    flag : str, optional
        A ``uint8`` variable: 0 normal, 1 anomaly (the estimator's ``predict``), 255 without data.

    Raises
    ------
    MissingVariableError, QuantityError, ParameterError, ReadError
        As `PixelwiseClassifier`.

    Examples
    --------
    >>> from sklearn.ensemble import IsolationForest
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.learn import PixelwiseAnomaly, TrainingRows, fit_rows
    >>> rows = TrainingRows(X=[[0.1], [0.2], [0.15], [0.9]], features=("nir",))
    >>> op = PixelwiseAnomaly(fit_rows(IsolationForest(n_estimators=20), rows), flag="strange")
    >>> list(op(simulate_scene((8, 8), bands=("nir",))).data_vars)
    ['nir', 'anomaly_score', 'strange']
    """

    kinds: ClassVar[tuple[str, ...]] = ("anomaly",)

    name: str = "anomaly_score"
    flag: str | None = None

    def outputs(self, info: ModelInfo, dims: tuple[str, ...]) -> Mapping[str, VarSpec]:
        """Return the score, and the flag where it is asked for."""
        made = {self.name: VarSpec(dims, attrs={"long_name": "strangeness", "units": "1"})}
        if self.flag is not None:
            kind = np.dtype(np.uint8)
            attrs = {"long_name": "anomaly", **flag_attrs((0, 1), ("normal", "anomaly"), kind)}
            made[self.flag] = VarSpec(dims, kind, 255, attrs)
        return made

    def computation(self, info: ModelInfo) -> Compute:
        """Return what is computed of rows."""
        return Strangeness(self.flag is not None)
