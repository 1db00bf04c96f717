"""PixelwiseProbabilities: how probable every class is, and how sure the model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np

from geotoolz.core import ParameterError, VarSpec, nearest
from geotoolz.learn._computes import Probabilities
from geotoolz.learn._model import ModelInfo
from geotoolz.learn._pixelwise import Pixelwise
from geotoolz.learn._predict import Compute

Uncertainty = Literal["entropy", "margin", "variance"]


class PixelwiseProbabilities(Pixelwise):
    """The probability of every class, and measures of how sure the model is.

    Adds a float32 variable ``{prefix}_{class}`` per class, from 0 to 1, and one per measure of uncertainty;
    NaN for pixels without data. Features are found by name.

    Parameters
    ----------
    model : FittedPixelModel, Ref or path
        The model, a classifier. One in memory cannot stand in a configuration; ``model.save(path)`` gives the
        `Ref`.
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
    classes : sequence of str, optional
        Names of the classes that are written; all by default, none for an empty sequence.
    uncertainty : sequence of {"entropy", "margin", "variance"}
        ``"entropy"``: ``-Σ p · ln p``, from 0 (sure) to ``ln(classes)``. ``"margin"``: the largest
        probability less the second largest, from 0 (unsure) to 1. ``"variance"``: of the most probable
        class's probability over the members of a forest or bagging, from 0 (all agree) to 0.25.
    prefix : str
        Of the names of the probabilities.

    Raises
    ------
    MissingVariableError, QuantityError, ReadError
        As `PixelwiseClassifier`.
    ParameterError
        If the model has no probabilities, no members, or no class of that name.

    References
    ----------
    Shannon, C. E. (1948). A mathematical theory of communication. Bell System Technical Journal 27, 379–423.

    Examples
    --------
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.learn import PixelwiseProbabilities, TrainingRows, fit_rows
    >>> rows = TrainingRows(X=[[0.1], [0.2], [0.7], [0.8]], features=("nir",), y=["soil"] * 2 + ["wood"] * 2)
    >>> model = fit_rows(RandomForestClassifier(10), rows)
    >>> op = PixelwiseProbabilities(model, classes=["wood"], uncertainty=["entropy", "variance"])
    >>> list(op(simulate_scene((8, 8), bands=("nir",))).data_vars)
    ['nir', 'probability_wood', 'entropy', 'variance']
    """

    kinds: ClassVar[tuple[str, ...]] = ("classifier",)
    method: ClassVar[str] = "predict_proba"

    classes: tuple[str, ...] | None = None
    uncertainty: tuple[Uncertainty, ...] = ()
    prefix: str = "probability"

    def prepare(self, values: dict[str, Any]) -> dict[str, Any]:
        """Accept one name."""
        for field in ("classes", "uncertainty"):
            if isinstance(values[field], str):
                values = {**values, field: (values[field],)}
        return super().prepare(values)

    def validate(self) -> None:
        """Check that something is written."""
        if self.classes == () and not self.uncertainty:
            raise ParameterError("no class and no uncertainty", expected="something to write")

    def outputs(self, info: ModelInfo, dims: tuple[str, ...]) -> Mapping[str, VarSpec]:
        """Return the variables."""
        if "variance" in self.uncertainty and "members" not in info.methods:
            raise ParameterError(
                "uncertainty='variance', and the model's estimator has no members",
                expected="a forest or bagging",
                fix="'entropy' or 'margin'",
            )
        made = {}
        for k in self._columns(info):
            attrs = {
                "long_name": f"probability of {info.class_names[k]}",
                "units": "1",
                "valid_range": np.array([0, 1], np.float32),
            }
            made[f"{self.prefix}_{info.class_names[k]}"] = VarSpec(dims, attrs=attrs)
        tops = {"entropy": math.log(max(len(info.classes), 1)), "margin": 1.0, "variance": 0.25}
        for name in self.uncertainty:
            attrs = {
                "long_name": f"{name} of the predicted class",
                "units": "1",
                "valid_range": np.array([0, tops[name]], np.float32),
            }
            made[name] = VarSpec(dims, np.dtype(np.float32), math.nan, attrs)
        return made

    def computation(self, info: ModelInfo) -> Compute:
        """Return what is computed of rows."""
        return Probabilities(self._columns(info), self.uncertainty)

    def _columns(self, info: ModelInfo) -> tuple[int, ...]:
        if self.classes is None:
            return tuple(range(len(info.classes)))
        for name in self.classes:
            if name not in info.class_names:
                raise ParameterError(
                    f"the model has no class {name!r}{nearest(name, info.class_names)}",
                    expected=", ".join(info.class_names),
                )
        return tuple(info.class_names.index(name) for name in self.classes)
