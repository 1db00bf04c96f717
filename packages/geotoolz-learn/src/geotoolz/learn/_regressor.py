"""PixelwiseRegressor: a value for every pixel, with intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np

from geotoolz.core import ParameterError, VarSpec
from geotoolz.learn._computes import Values
from geotoolz.learn._model import ModelInfo
from geotoolz.learn._pixelwise import Pixelwise
from geotoolz.learn._predict import Compute


class PixelwiseRegressor(Pixelwise):
    """The value that a model predicts for every pixel.

    Adds a variable per target, NaN for pixels without data, with the units that the training labels had.
    Features are found by name. The estimator's own ``predict`` is called on 65 536 rows at a time; it is
    never fitted again, nor changed. Infinite values count as no-data.

    Parameters
    ----------
    model : FittedPixelModel, Ref or path
        The model. One in memory cannot stand in a configuration; ``model.save(path)`` gives the `Ref`.
    nodata : {"mask", "propagate", "raise"}
        Pixels that lack a feature get NaN; or are handed to the estimator with NaN, which must take it
        (those that lack every feature get NaN all the same); or are an error.
    adapter : Adapter, optional
        Must be the model's own; another one is refused.
    trusted : sequence of str
        Types that the model's file may hold besides those that skops trusts.
    trust : bool
        Load a model whose estimator is a pickle.
    other_versions : {"raise", "warn"}
        What to do where the estimator's library has another version than at fitting.
    names : sequence of str, optional
        Names of the new variables; by default the model's targets.
    quantiles : sequence of float
        Quantiles, over the members of a forest or bagging, of their values: ``(0.05, 0.95)`` adds
        ``{name}_q05`` and ``{name}_q95``. They tell how the members disagree. Quantiles of the target itself
        are what a model fitted for them predicts (`QuantileRegressors`).
    variance : bool
        Add ``{name}_variance``, over the members of a forest or bagging.
    dtype : {"float32", "float64"}
        Type of what is written.

    Raises
    ------
    MissingVariableError, QuantityError, ReadError
        As `PixelwiseClassifier`.
    ParameterError
        If the model is no regressor, takes no NaN, has no members, or has another number of targets.

    Examples
    --------
    >>> from sklearn.ensemble import RandomForestRegressor
    >>> from geotoolz.core.testing import simulate_scene
    >>> from geotoolz.learn import PixelwiseRegressor, TrainingRows, fit_rows
    >>> X, y = [[0.1], [0.2], [0.7]], [10.0, 20.0, 90.0]
    >>> rows = TrainingRows(X=X, features=("nir",), y=y, targets=("agb",))
    >>> model = fit_rows(RandomForestRegressor(10), rows)
    >>> op = PixelwiseRegressor(model, quantiles=[0.05, 0.95])
    >>> list(op(simulate_scene((8, 8), bands=("nir",))).data_vars)
    ['nir', 'agb', 'agb_q05', 'agb_q95']
    """

    kinds: ClassVar[tuple[str, ...]] = ("regressor",)

    names: tuple[str, ...] | None = None
    quantiles: tuple[float, ...] = ()
    variance: bool = False
    dtype: Literal["float32", "float64"] = "float32"

    def prepare(self, values: dict[str, Any]) -> dict[str, Any]:
        """Accept one name."""
        if isinstance(values["names"], str):
            values = {**values, "names": (values["names"],)}
        return super().prepare(values)

    def validate(self) -> None:
        """Check the quantiles."""
        wrong = [q for q in self.quantiles if not 0 <= q <= 1]
        if wrong:
            raise ParameterError(f"quantiles holds {wrong[0]}", expected="numbers from 0 to 1")

    def outputs(self, info: ModelInfo, dims: tuple[str, ...]) -> Mapping[str, VarSpec]:
        """Return the variables."""
        names = renamed(self.names, info.targets, type(self).__name__)
        if (self.quantiles or self.variance) and "members" not in info.methods:
            raise ParameterError(
                "quantiles or variance, and the model's estimator has no members",
                expected="a forest or bagging",
                fix="fit QuantileRegressors for quantiles of the target",
            )
        if self.quantiles and len(names) > 1:
            raise ParameterError(f"quantiles of {len(names)} targets", expected="a model of one target")
        made = {}
        dtype = np.dtype(self.dtype)
        for name, target in zip(names, info.targets, strict=True):
            units = {"units": info.target_units[target]} if target in info.target_units else {}
            made[name] = VarSpec(dims, dtype, np.nan, {"long_name": f"predicted {target}", **units})
        first = made[names[0]].attrs
        for q in self.quantiles:
            about = {**first, "long_name": f"{q:g} quantile of the members' {info.targets[0]}"}
            made[f"{names[0]}_{quantile_name(q)}"] = VarSpec(dims, dtype, np.nan, about)
        for name, target in zip(names, info.targets, strict=True):
            if self.variance:
                about = {"long_name": f"variance of the members' {target}"}
                made[f"{name}_variance"] = VarSpec(dims, dtype, np.nan, about)
        return made

    def computation(self, info: ModelInfo) -> Compute:
        """Return what is computed of rows."""
        return Values(self.quantiles, self.variance)


def quantile_name(quantile: float) -> str:
    """Return the ending of a quantile's variable.

    Examples
    --------
    >>> quantile_name(0.05), quantile_name(0.5), quantile_name(0.025)
    ('q05', 'q50', 'q02p5')
    """
    whole, _, rest = f"{100 * quantile:.6f}".rstrip("0").rstrip(".").partition(".")
    return f"q{int(whole):02d}" + (f"p{rest}" if rest else "")


def renamed(names: tuple[str, ...] | None, targets: tuple[str, ...], who: str) -> tuple[str, ...]:
    """Return the names of what is predicted."""
    if names is None:
        return targets
    if len(names) != len(targets):
        raise ParameterError(
            f"{who} is given the names {', '.join(names)}", expected=f"{len(targets)}: {', '.join(targets)}"
        )
    return names
