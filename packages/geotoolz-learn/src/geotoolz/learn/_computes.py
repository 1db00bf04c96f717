"""What operators ask of a model: frozen functions of model and rows, one array per output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from geotoolz.learn import _kernels
from geotoolz.learn._calls import in_order, predict, probabilities, shaped, strangeness
from geotoolz.learn._classes import Coder
from geotoolz.learn._ensemble import probability_variance, value_quantiles, value_variance
from geotoolz.learn._model import FittedPixelModel

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Labels:
    """Codes of the predicted classes, or clusters."""

    classes: tuple[Any, ...]
    codes: tuple[int, ...]
    dtype: str

    def __call__(self, model: FittedPixelModel, rows: Array) -> tuple[Array, ...]:
        """Return one array."""
        found = predict(model, rows)
        return (Coder(self.classes, self.codes, np.dtype(self.dtype))(found),)


@dataclass(frozen=True)
class Values:
    """Predicted values, with quantiles and variance of an ensemble's members."""

    quantiles: tuple[float, ...] = ()
    variance: bool = False

    def __call__(self, model: FittedPixelModel, rows: Array) -> tuple[Array, ...]:
        """Return the targets, then the quantiles, then the variances."""
        values = predict(model, rows)
        outs = _columns(values)
        if self.quantiles or self.variance:
            with in_order():
                if self.quantiles:
                    outs += _columns(value_quantiles(model.estimator, rows, self.quantiles))
                if self.variance:
                    outs += _columns(value_variance(model.estimator, rows, values))
        return tuple(outs)


@dataclass(frozen=True)
class Probabilities:
    """Probabilities of some classes, and how sure the model is."""

    columns: tuple[int, ...]
    uncertainty: tuple[str, ...] = ()

    def __call__(self, model: FittedPixelModel, rows: Array) -> tuple[Array, ...]:
        """Return the probabilities, then the measures of uncertainty."""
        found = probabilities(model, rows)
        outs = [found[:, k] for k in self.columns]
        held = np.ascontiguousarray(found)
        for name in self.uncertainty:
            if name == "entropy":
                outs.append(_kernels.entropy(held))
            elif name == "margin":
                outs.append(_kernels.margin(held))
            else:
                with in_order():
                    outs.append(probability_variance(model.estimator, rows, held))
        return tuple(outs)


@dataclass(frozen=True)
class Strangeness:
    """Score of an anomaly detector, and whether it calls a row an anomaly."""

    flag: bool = False

    def __call__(self, model: FittedPixelModel, rows: Array) -> tuple[Array, ...]:
        """Return the score, and the flag where it is asked for."""
        given = shaped(model, rows)
        with in_order():
            score = strangeness(model.estimator, given)
            if not self.flag:
                return (score,)
            return score, (np.asarray(model.estimator.predict(given)) == -1).astype(np.uint8)


def _columns(values: Array) -> list[Array]:
    return [values] if values.ndim == 1 else [values[:, k] for k in range(values.shape[1])]
