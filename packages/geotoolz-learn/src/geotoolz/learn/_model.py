"""FittedPixelModel: an estimator, and all that must be known to use it rightly."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from geotoolz.core import Operator, ParameterError, Ref
from geotoolz.learn._adapters import Adapter, ToPixelMajor
from geotoolz.learn._nodata import NanPolicy
from geotoolz.learn._training import TrainingRows, require_features

if TYPE_CHECKING:
    from geotoolz.learn._estimators import Kind

Array = np.ndarray[Any, Any]
Format = Literal["skops", "joblib"]


@dataclass(frozen=True, eq=False, kw_only=True)
class ModelInfo:
    """What is known of a model without its estimator: enough to plan a prediction.

    Attributes
    ----------
    kind : str
        ``"classifier"``, ``"regressor"``, ``"transformer"``, ``"clusterer"``, ``"anomaly"``: what it was
        fitted as.
    features : tuple of str
        The features, in the order in which the estimator takes them.
    dtype : str
        ``"float32"`` or ``"float64"``: what features are converted to, at fitting and at prediction.
    adapter : Adapter
        How tiles become rows.
    nodata_policy : NanPolicy
        What happened to missing features at fitting.
    takes_nan : bool
        Whether the estimator takes NaN.
    methods : tuple of str
        Which of the methods that operators use the estimator has; ``"members"`` for forests and bagging.
    encoded : bool
        Whether the estimator was given the numbers of the classes instead of their labels.
    exact : bool
        Whether its predictions are the same bits for any cut of the work.
    deviation : mapping of str to float
        Measured at fitting, of an estimator that is not exact: largest difference between predictions of
        all rows at once and of the same rows in parts.
    classes : tuple
        Labels in the order of the estimator's probabilities; clusters of a clusterer.
    class_names : tuple of str
        Their names.
    codes : tuple of int
        The numbers that stand for them in a raster.
    targets : tuple of str
        Names of what is predicted.
    quantities : mapping of str to str
        Feature → what its values were at fitting, where it was said.
    target_units : mapping of str to str
        Target → its units, where they were said.
    pipeline : mapping, optional
        Configuration of the pipeline that made the features.
    pipeline_hash : str, optional
        Its hash.
    extent : tuple of float, optional
        West, south, east, north of the training pixels, in degrees.
    dates : tuple of str, optional
        First and last time of the training pixels, ISO 8601.
    n_rows : int
        Rows that it was fitted on.
    seen : str
        Which pixels these were, in a few bits each; empty where nobody knows, and after incremental fits.
    versions : mapping of str to str
        Versions of the packages that it was fitted with.
    metrics : mapping
        Scores, shortfall, and what else was measured; plain JSON values.
    """

    kind: Kind
    features: tuple[str, ...]
    dtype: str = "float32"
    adapter: Adapter = field(default_factory=ToPixelMajor)
    nodata_policy: NanPolicy = field(default_factory=NanPolicy)
    takes_nan: bool = False
    methods: tuple[str, ...] = ("predict",)
    encoded: bool = False
    exact: bool = False
    deviation: Mapping[str, float] = field(default_factory=dict)
    classes: tuple[Any, ...] = ()
    class_names: tuple[str, ...] = ()
    codes: tuple[int, ...] = ()
    targets: tuple[str, ...] = ("label",)
    quantities: Mapping[str, str] = field(default_factory=dict)
    target_units: Mapping[str, str] = field(default_factory=dict)
    pipeline: Mapping[str, Any] | None = None
    pipeline_hash: str | None = None
    extent: tuple[float, float, float, float] | None = None
    dates: tuple[str, str] | None = None
    n_rows: int = 0
    seen: str = field(default="", repr=False)
    versions: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)

    def require_pipeline(self, pipeline: Operator | None) -> None:
        """Raise unless a pipeline is the one that made the features at fitting.

        Raises
        ------
        ParameterError
            If its hash differs: the model would see other numbers than it has learnt from.
        """
        found = None if pipeline is None else pipeline.config_hash()
        if found != self.pipeline_hash:
            raise ParameterError(
                f"the pipeline has the hash {_short(found)}",
                expected=f"{_short(self.pipeline_hash)}, that of the pipeline that the model was fitted with",
                fix="use model.feature_pipeline(), or fit anew",
            )

    def share_seen(self, rows: TrainingRows) -> float | None:
        """Return the share of rows that lie in pixels that the model was trained on.

        Parameters
        ----------
        rows : TrainingRows
            With places.

        Returns
        -------
        float or None
            Estimated to about a per cent; 0 where it may be chance; None where nobody knows.
        """
        from geotoolz.learn._seen import share_seen

        return share_seen(self.seen, rows)

    def feature_pipeline(self) -> Operator | None:
        """Return the pipeline that made the features; None where they were taken as they were."""
        from geotoolz.core import from_config

        return None if self.pipeline is None else from_config(self.pipeline)


@dataclass(frozen=True, eq=False, kw_only=True)
class FittedPixelModel(ModelInfo):
    """A fitted estimator, and all that must be known to use it rightly.

    Made by `fit_pixelwise`, `fit_rows`, `wrap_estimator` and `load_model`. It is never changed; its
    estimator is never fitted again.

    Attributes
    ----------
    estimator : object
        Anything with the scikit-learn API, fitted.

    Notes
    -----
    The other attributes are those of `ModelInfo`.
    """

    estimator: Any
    token: str = field(default_factory=lambda: uuid.uuid4().hex, repr=False)

    def predict_rows(self, X: Any, features: Sequence[str] | None = None) -> Array:
        """Return the estimator's own prediction of rows.

        Parameters
        ----------
        X : array, DataFrame or TrainingRows
            ``(rows, features)``; names of columns, where there are any, must be the model's in their order.
        features : sequence of str, optional
            Names of the columns of an array.

        Returns
        -------
        array
            ``(rows,)`` labels, clusters or values (``(rows, targets)`` for several); of a transformer
            ``(rows, components)``; of an anomaly detector the score, larger for rows that are stranger.

        Raises
        ------
        MissingVariableError
            If features are missing or in another order.
        ParameterError
            If the number of columns differs.
        """
        from geotoolz.learn._calls import predict

        return predict(self, self.rows(X, features))

    def predict_proba_rows(self, X: Any, features: Sequence[str] | None = None) -> Array:
        """Return the estimator's own probabilities, ``(rows, classes)``; see `predict_rows`."""
        from geotoolz.learn._calls import probabilities

        return probabilities(self, self.rows(X, features))

    def rows(self, X: Any, features: Sequence[str] | None = None) -> Array:
        """Return rows as the estimator takes them, after checking their features."""
        if isinstance(X, TrainingRows):
            X, features = X.X, X.features
        elif features is None and hasattr(X, "columns"):
            features = [str(name) for name in X.columns]
        if features is not None:
            require_features(features, self.features, "the rows")
        values: Array = np.ascontiguousarray(X, dtype=self.dtype)
        if values.ndim != 2 or values.shape[1] != len(self.features):
            raise ParameterError(f"X has shape {values.shape}", expected=f"(rows, {len(self.features)})")
        return values

    def save(self, path: str | Path, format: Format = "skops") -> Ref:
        """Write the model to one file and return the reference that stands for it in a configuration.

        Parameters
        ----------
        path : str or Path
            The file, ``forest.gtz``; made whole or not at all.
        format : {"skops", "joblib"}
            How the estimator is kept. A skops file is loaded without running code. A joblib file is a
            pickle: it takes any estimator, and loading it needs ``trust=True``.

        Returns
        -------
        Ref
            Path and SHA-256.

        Raises
        ------
        ParameterError
            If skops cannot keep the estimator.
        WriteError
            If the file cannot be written.
        """
        from geotoolz.learn._persist import save_model

        return save_model(self, path, format)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FittedPixelModel) and self.token == other.token

    def __hash__(self) -> int:
        return hash(self.token)

    def __repr__(self) -> str:
        name = type(self.estimator).__name__
        return f"FittedPixelModel({name}, {len(self.features)} features, {self.n_rows} rows)"

    def __dask_tokenize__(self) -> str:
        return self.token

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema

        return core_schema.is_instance_schema(cls)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> dict[str, Any]:
        return {"not": {}}  # no text holds a model


def _short(digest: str | None) -> str:
    return "none (no pipeline)" if digest is None else f"{digest[:12]}…"
